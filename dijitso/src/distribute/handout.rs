//! Handing kernels out on each machine: the leader tells where they are, all ranks load them and hear whether all could, and
//! those who write the caches publish what these lack.

use std::collections::HashSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::agree::Failure;
use super::ahead::{Ahead, Handed};
use super::delivery::{CHUNK, Way};
use super::member::{Member, Obtained};
use super::packing::{Packer, opened};
use super::parcel::{Label, Parcel};
use super::team::Team;
use super::unpacking::Unpacker;
use super::unsent::Reasons;
use super::waiting::Step;
use crate::cache::{Bytes, Routes, Sets};
use crate::error::{Error, Result};
use crate::jit::{Packed, Place};
use crate::report::KernelOrigin;

const DID_NOT_ARRIVE: &str = "it did not arrive";

/// What the ranks say after they have loaded what they were handed.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Outcome {
    failure: Option<Failure>,
    /// A rank could not open what it was given, and wants the bytes.
    again: bool,
    /// What nobody could give away.
    unsent: Reasons,
}

impl Outcome {
    fn merge(a: Outcome, b: Outcome) -> Outcome {
        let mut unsent = b.unsent;
        for (at, why) in a.unsent {
            // Who has lost it knows best; else the lowest rank.
            let known = unsent.get(&at).is_some_and(|other| why == DID_NOT_ARRIVE && other != &why);
            if !known {
                unsent.insert(at, why);
            }
        }
        Outcome { failure: Failure::first(a.failure, b.failure), again: a.again || b.again, unsent }
    }
}

impl Member<'_, '_> {
    /// The leader of each machine tells the others where the kernels are; all load them, and hear whether all could, and what
    /// cannot be had.
    pub(super) fn hand_out(
        &mut self,
        team: &Team,
        kernels: &[usize],
        parcels: Vec<Parcel>,
        unsent: Reasons,
        way: Way,
    ) -> Result<Reasons> {
        let inside = team.inside();
        let told = team.leads_node().then(|| {
            let mut carried = Sets::default();
            let handed = |parcel: &Parcel| {
                let mut label = parcel.label.clone();
                match team.others_need_routes(way.again) {
                    true => label.routes.lighten(&mut carried),
                    // They are half of what is said, and said to every rank.
                    false => label.routes = Routes::default(),
                }
                Handed { label, spot: parcel.contents.spot() }
            };
            parcels.iter().map(handed).collect::<Vec<_>>()
        });
        let mut told = self.session.broadcast(Step::HandOut, inside, told)?;
        let mut carried = Sets::default();
        told.iter_mut().for_each(|handed| handed.label.routes.complete(&mut carried));
        self.take(team, kernels, Ahead { told, parcels }, unsent, way)
    }

    /// Loads what was told of, hears whether all could, and what cannot be had.
    pub(super) fn take(
        &mut self,
        team: &Team,
        kernels: &[usize],
        Ahead { told, parcels }: Ahead,
        mut unsent: Reasons,
        way: Way,
    ) -> Result<Reasons> {
        let mut new: Vec<(usize, Bytes)> = Vec::new();
        let mut again = false;
        self.attempt(Step::Load, |me| {
            for (number, Handed { label, spot }) in told.iter().enumerate() {
                let place =
                    parcels.get(number).map(|parcel| parcel.contents.place()).or_else(|| spot.place());
                let Some(place) = place else {
                    again = true;
                    continue;
                };
                // Opened now: who holds it lets it go when all have it.
                if me.wants_bytes(team, label, way)
                    && let Some(bytes) = me.engine.bytes_at(&place, &label.facts.content)
                {
                    new.push((number, bytes));
                }
                again |= !me.load(team, label, &place, way)?;
            }
            if !again {
                me.miss(kernels, &mut unsent);
            }
            Ok(())
        });
        let Outcome { again, mut unsent, .. } = self.outcome(team, again, unsent)?;
        if again {
            unsent = self.hand_out_bytes(team, kernels, &parcels, unsent, way)?;
        }
        self.softly(|me| {
            for (number, bytes) in new {
                let label = parcels.get(number).map_or(&told[number].label, |parcel| &parcel.label);
                me.keep(team, label, &bytes, way);
            }
        });
        Ok(unsent)
    }

    /// Where a rank cannot open what another one holds: everybody gets the bytes.
    fn hand_out_bytes(
        &mut self,
        team: &Team,
        kernels: &[usize],
        parcels: &[Parcel],
        mut unsent: Reasons,
        way: Way,
    ) -> Result<Reasons> {
        let inside = team.inside();
        let mut arrived = Vec::new();
        let mut readable = HashSet::new();
        if team.leads_node() {
            let opened = self.attempt(Step::HandOut, |me| Ok(opened(parcels, &me.engine.fs, &me.luggage)));
            let (outgoing, lost) = opened.unwrap_or_default();
            unsent.extend(lost.kernels);
            readable.extend(outgoing.iter().map(|(label, _)| label.facts.content));
            let mut packer = Packer::new(outgoing);
            let mut fill = |chunk: &mut Vec<u8>| Ok(packer.fill(chunk, CHUNK));
            self.session.stream_down(Step::HandOut, inside, Some(&mut fill), &mut |_| Ok(()))?;
            self.attempt(Step::HandOut, |_| packer.finish());
        } else {
            let mut unpacker = Unpacker::new(true);
            self.session.stream_down(Step::HandOut, inside, None, &mut |bytes| {
                unpacker.feed(bytes);
                Ok(())
            })?;
            arrived = self.attempt(Step::HandOut, |_| unpacker.finish()).unwrap_or_default();
            readable.extend(arrived.iter().map(|parcel| parcel.label.facts.content));
        }
        let parcels = if team.leads_node() { parcels } else { &arrived[..] };
        self.attempt(Step::Load, |me| {
            for Parcel { label, contents } in parcels {
                if readable.contains(&label.facts.content) {
                    me.load(team, label, &contents.place_without_proc(), Way { last: true, ..way })?;
                }
            }
            me.miss(kernels, &mut unsent);
            Ok(())
        });
        let Outcome { unsent, .. } = self.outcome(team, false, unsent)?;
        self.softly(|me| {
            for Parcel { label, contents } in &arrived {
                if me.wants_bytes(team, label, way)
                    && let Some(bytes) = me.engine.bytes_at(&contents.place(), &label.facts.content)
                {
                    me.keep(team, label, &bytes, way);
                }
            }
        });
        Ok(unsent)
    }

    /// What came of it on all ranks.
    fn outcome(&mut self, team: &Team, again: bool, unsent: Reasons) -> Result<Outcome> {
        let mine = Outcome { failure: self.failure.clone(), again, unsent };
        let outcome = self.session.all_reduce(Step::Load, team.whole(), mine, Outcome::merge)?;
        outcome.failure.clone().map_or(Ok(outcome), |failure| Err(self.end(failure)))
    }

    /// Notes what is not there now. Whoever did not send it has a better reason, if there is one.
    fn miss(&self, kernels: &[usize], unsent: &mut Reasons) {
        for &at in kernels.iter().filter(|&&at| self.have[at].is_none()) {
            unsent.entry(at as u32).or_insert_with(|| DID_NOT_ARRIVE.to_owned());
        }
    }

    /// Loads one kernel; `false` if its bytes are needed for that.
    fn load(&mut self, team: &Team, label: &Label, place: &Place, way: Way) -> Result<bool> {
        let has = |have: &Option<Obtained>| {
            have.as_ref().is_some_and(|(loaded, _)| loaded.content == label.facts.content)
        };
        let all_here = label.kernels.iter().all(|&at| has(&self.have[at as usize]));
        if !label.load || (all_here && !label.kernels.is_empty()) {
            return Ok(true);
        }
        let loaded = match self.engine.receive(&label.facts, place) {
            Ok(loaded) => loaded,
            Err(error) if way.last || matches!(error, Error::TooManyLibraries { .. }) => return Err(error),
            Err(error) => {
                log::debug!("{error}; asking for its bytes");
                return Ok(false);
            }
        };
        let ours = way.near && team.is_of_my_group(label.supplier as usize);
        let origin = match label.origin {
            origin @ (KernelOrigin::Disk | KernelOrigin::Site) if ours => origin,
            _ => KernelOrigin::Received,
        };
        for &at in &label.kernels {
            if !has(&self.have[at as usize]) {
                self.have[at as usize] = Some((loaded.clone(), origin));
            }
        }
        Ok(true)
    }

    /// Whether this rank needs more of a kernel than to have it loaded.
    fn wants_bytes(&self, team: &Team, label: &Label, way: Way) -> bool {
        let foreign = !team.is_of_my_group(label.supplier as usize);
        !way.near && foreign && (self.is_new_here(team, label) || (way.again && team.builds()))
    }

    /// Whether this rank is to put a kernel into its group's cache.
    fn is_new_here(&self, team: &Team, label: &Label) -> bool {
        let absent = |at: &u32| self.absent.contains(&(*at as usize));
        team.leads_group() && (label.kernels.is_empty() || label.kernels.iter().any(absent))
    }

    /// Into the cache, softly, because all ranks have what they need; and for kernels that are linked to it.
    fn keep(&mut self, team: &Team, label: &Label, bytes: &Bytes, way: Way) {
        if self.is_new_here(team, label) {
            let specs = label.kernels.iter().map(|&at| Some(self.specs[at as usize]));
            let unnamed = label.kernels.is_empty().then_some(None);
            for spec in specs.chain(unnamed) {
                self.engine.publish_received(spec, &label.facts, bytes, &label.routes);
            }
        }
        if way.again
            && team.builds()
            && let Some(loaded) = self.engine.library(&label.facts.content)
        {
            let packed = Packed {
                facts: Arc::new(label.facts.clone()),
                bytes: bytes.clone(),
                routes: label.routes.clone(),
            };
            if let Err(error) = self.engine.keep_for_links(&loaded, &packed) {
                log::debug!("{error}");
            }
        }
    }
}
