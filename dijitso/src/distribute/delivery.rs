//! Bringing kernels from the ranks that have them to all ranks of a team: packed, moved from machine to machine, handed out on
//! each, loaded, and put into the caches that lack them.

use std::collections::{BTreeMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::agree::Failure;
use super::member::{Member, Obtained};
use super::parcel::{Label, Packer, Parcel, Spot, Unpacker, joined, opened};
use super::team::Team;
use super::waiting::Step;
use crate::cache::{Bytes, Routes, Sets};
use crate::error::{Error, Result};
use crate::jit::{Facts, Luggage, Packed, Place};
use crate::kernel::{Loaded, closure};
use crate::report::KernelOrigin;

/// Bytes of a message in a stream.
const CHUNK: usize = 4 << 20;

/// The circumstances of a delivery.
#[derive(Debug, Clone, Copy)]
pub(super) struct Way {
    /// The kernels come from the caches of those who need them: a leader of each machine has them all.
    near: bool,
    /// Kernels will be built that may be linked to these.
    again: bool,
    /// There is no other way to load them.
    last: bool,
}

impl Way {
    pub(super) const FROM_CACHES: Way = Way { near: true, again: false, last: false };
    pub(super) const FROM_RANKS: Way = Way { near: false, again: true, last: false };
    /// Nothing is built after these.
    pub(super) const FROM_LAST_BUILDERS: Way = Way { near: false, again: false, last: false };
}

/// What the ranks say after they have loaded what they were handed.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Outcome {
    failure: Option<Failure>,
    /// A rank could not open what it was given, and wants the bytes.
    again: bool,
}

/// A kernel as it is told to the other ranks of a machine.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Handed {
    label: Label,
    spot: Spot,
}

impl Outcome {
    fn merge(a: Outcome, b: Outcome) -> Outcome {
        Outcome { failure: Failure::first(a.failure, b.failure), again: a.again || b.again }
    }
}

impl Member<'_, '_> {
    /// Brings kernels, each from the rank that has it, to all ranks of the team.
    pub(super) fn deliver(
        &mut self,
        team: &Team,
        kernels: &[(usize, usize)],
        luggage: &Luggage,
        way: Way,
    ) -> Result<()> {
        let me = self.rank();
        let own: Vec<usize> = match way.near {
            true if team.leads_node() => kernels.iter().map(|(at, _)| *at).collect(),
            true => Vec::new(),
            false => kernels.iter().filter(|(_, rank)| *rank == me).map(|(at, _)| *at).collect(),
        };
        let mine = self.attempt(Step::Move, |me| me.pack(team, &own, luggage, way)).unwrap_or_default();
        // A rank that has all of it, and leads its machine, need not send anything.
        let at_hand =
            way.near || (team.nodes == 1 && kernels.iter().all(|(_, rank)| *rank == team.root()));
        let parcels = if at_hand {
            let alone = team.is_alone_on_node();
            self.attempt(Step::Move, |_| spool(mine, alone)).unwrap_or_default()
        } else {
            self.move_to_leaders(team, mine)?
        };
        let kernels: Vec<usize> = kernels.iter().map(|(at, _)| *at).collect();
        self.hand_out(team, &kernels, &parcels, way)
    }

    /// What this rank gives of these kernels, with what is below them; each library once, in an order in which they can be
    /// loaded.
    fn pack(
        &self,
        team: &Team,
        own: &[usize],
        luggage: &Luggage,
        way: Way,
    ) -> Result<Vec<(Label, Option<Bytes>)>> {
        let have: Vec<(usize, &Obtained)> =
            own.iter().filter_map(|&at| Some((at, self.have[at].as_ref()?))).collect();
        let label = |facts: Facts, load| {
            // Of what came along, nobody asks where it is from.
            let wanted = || have.iter().filter(|(_, (loaded, _))| loaded.content == facts.content);
            Label {
                supplier: self.session.rank() as u32,
                kernels: wanted().map(|(at, _)| *at as u32).collect(),
                origin: wanted().next().map_or(KernelOrigin::Received, |(_, (_, origin))| *origin),
                load,
                routes: Routes::default(),
                path: None,
                facts,
            }
        };
        // All ranks see the same files, and may map them.
        let in_place = way.near || (team.groups == 1 && team.nodes == 1);
        let mut packed: Vec<(Label, Option<Bytes>)> = Vec::new();
        let mut mapped = HashSet::new();
        let mut unmapped = Vec::new();
        for (at, (loaded, _)) in &have {
            match in_place.then(|| self.files_of(loaded)).flatten() {
                // They need not even be read.
                Some(files) => packed.extend(files.into_iter().filter_map(|(facts, path)| {
                    let new = mapped.insert(facts.content);
                    new.then(|| (Label { path: Some(path), ..label(facts, true) }, None))
                })),
                None => unmapped.push((self.specs[*at], loaded)),
            }
        }
        let needed = self.engine.needed_by(&unmapped, luggage);
        for item in needed.iter().filter(|item| (item.linked || !way.near) && !mapped.contains(&item.content))
        {
            let unsent = |problem| Error::Load { kernel: item.name.clone(), problem };
            let Packed { facts, bytes, routes } = self.engine.pack(item, luggage).map_err(unsent)?;
            packed.push((Label { routes, ..label((*facts).clone(), item.linked) }, Some(bytes)));
        }
        Ok(packed)
    }

    /// The files of a kernel and of all below it, if every rank of this machine may map all of them.
    fn files_of(&self, loaded: &Arc<Loaded>) -> Option<Vec<(Facts, PathBuf)>> {
        let file = |item: &Arc<Loaded>| Some((Facts::of(item)?, self.engine.mappable(item)?));
        closure(std::slice::from_ref(loaded)).iter().map(file).collect()
    }

    /// Up to the root, which keeps one of each, and from there to the leaders of all machines.
    fn move_to_leaders(&mut self, team: &Team, mine: Vec<(Label, Option<Bytes>)>) -> Result<Vec<Parcel>> {
        let mut packer = Packer::new(mine);
        let mut incoming: BTreeMap<usize, Unpacker> = BTreeMap::new();
        self.session.stream_up(
            Step::Move,
            team.whole(),
            &mut |chunk| packer.fill(chunk, CHUNK),
            &mut |rank, bytes| {
                incoming.entry(rank).or_default().feed(bytes);
                Ok(())
            },
        )?;
        let mut parcels = Vec::new();
        if team.is_root() {
            parcels = self.attempt(Step::Move, |_| joined(incoming.into_values())).unwrap_or_default();
        }
        let Some(leaders) = team.leaders().filter(|_| team.nodes > 1) else { return Ok(parcels) };
        if team.is_root() {
            let outgoing = self.attempt(Step::Move, |me| opened(&parcels, &me.engine.fs)).unwrap_or_default();
            let mut packer = Packer::new(outgoing);
            let mut fill = |chunk: &mut Vec<u8>| packer.fill(chunk, CHUNK);
            self.session.stream_down(Step::Move, leaders, Some(&mut fill), &mut |_| Ok(()))?;
            return Ok(parcels);
        }
        let mut unpacker = Unpacker::default();
        self.session.stream_down(Step::Move, leaders, None, &mut |bytes| {
            unpacker.feed(bytes);
            Ok(())
        })?;
        Ok(self.attempt(Step::Move, |_| unpacker.finish()).unwrap_or_default())
    }

    /// The leader of each machine tells the others where the kernels are; all load them, and hear whether all could.
    fn hand_out(&mut self, team: &Team, kernels: &[usize], parcels: &[Parcel], way: Way) -> Result<()> {
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
            if again { Ok(()) } else { me.complete(kernels) }
        });
        let mine = Outcome { failure: self.failure.clone(), again };
        let outcome = self.session.all_reduce(Step::Load, team.whole(), mine, Outcome::merge)?;
        if let Some(failure) = outcome.failure {
            return Err(failure.into_error());
        }
        if outcome.again {
            self.hand_out_bytes(team, kernels, parcels, way)?;
        }
        for (number, bytes) in new {
            let label = parcels.get(number).map_or(&told[number].label, |parcel| &parcel.label);
            self.keep(team, label, &bytes, way);
        }
        Ok(())
    }

    /// Where a rank cannot open what another one holds: everybody gets the bytes.
    fn hand_out_bytes(&mut self, team: &Team, kernels: &[usize], parcels: &[Parcel], way: Way) -> Result<()> {
        let inside = team.inside();
        let mut arrived = Vec::new();
        if team.leads_node() {
            let outgoing =
                self.attempt(Step::HandOut, |me| opened(parcels, &me.engine.fs)).unwrap_or_default();
            let mut packer = Packer::new(outgoing);
            let mut fill = |chunk: &mut Vec<u8>| packer.fill(chunk, CHUNK);
            self.session.stream_down(Step::HandOut, inside, Some(&mut fill), &mut |_| Ok(()))?;
        } else {
            let mut unpacker = Unpacker::new(true);
            self.session.stream_down(Step::HandOut, inside, None, &mut |bytes| {
                unpacker.feed(bytes);
                Ok(())
            })?;
            arrived = self.attempt(Step::HandOut, |_| unpacker.finish()).unwrap_or_default();
        }
        let parcels = if team.leads_node() { parcels } else { &arrived[..] };
        self.attempt(Step::Load, |me| {
            for parcel in parcels {
                me.load(team, &parcel.label, &parcel.contents.place(), Way { last: true, ..way })?;
            }
            me.complete(kernels)
        });
        self.status(Step::Load, team.whole())?;
        for Parcel { label, contents } in &arrived {
            if self.wants_bytes(team, label, way)
                && let Some(bytes) = self.engine.bytes_at(&contents.place(), &label.facts.content)
            {
                self.keep(team, label, &bytes, way);
            }
        }
        Ok(())
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

    /// Whether all kernels are there: a rank that failed has not sent its own.
    fn complete(&mut self, kernels: &[usize]) -> Result<()> {
        if let Some(&at) = kernels.iter().find(|&&at| self.have[at].is_none()) {
            let problem = format!("kernel {} did not arrive", self.specs[at].at());
            // Whoever did not send it has the better reason.
            self.failure = Some(Failure::consequence(self.rank(), Error::Communication { problem }));
        }
        Ok(())
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
/// What this rank packed, where the other ranks of its machine can open it.
fn spool(mine: Vec<(Label, Option<Bytes>)>, alone: bool) -> Result<Vec<Parcel>> {
    let mut unpacker = Unpacker::new(alone);
    let mut packer = Packer::new(mine);
    let mut chunk = Vec::new();
    loop {
        let more = packer.fill(&mut chunk, CHUNK)?;
        unpacker.feed(&chunk);
        chunk.clear();
        if !more {
            return unpacker.finish();
        }
    }
}
