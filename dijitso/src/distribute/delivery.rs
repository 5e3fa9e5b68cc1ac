//! Bringing kernels from the ranks that have them to all ranks of a team: packed, and moved from machine to machine; see
//! [`handout`](super::handout) for what follows.

use std::collections::{BTreeMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;

use super::agree::Weight;
use super::member::{Member, Obtained};
use super::packing::{Packer, opened};
use super::parcel::{Label, Parcel};
use super::team::Team;
use super::unpacking::{Unpacker, joined};
use super::unsent::{Reasons, Unsent};
use super::waiting::Step;
use crate::cache::{Bytes, Routes};
use crate::error::Result;
use crate::jit::{Facts, Packed};
use crate::kernel::{Loaded, closure};
use crate::report::KernelOrigin;
use crate::signature::Signature;

/// Bytes of a message in a stream.
pub(super) const CHUNK: usize = 4 << 20;

/// A kernel, by its place in the request, and the rank that brings it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Consignment {
    pub(super) kernel: usize,
    pub(super) from: usize,
    pub(super) weight: Weight,
}

/// The circumstances of a delivery.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Way {
    /// The kernels come from the caches of those who need them: a leader of each machine has them all.
    pub(super) near: bool,
    /// They were there before the call: what they are made from may have changed since.
    pub(super) old: bool,
    /// Kernels will be built that may be linked to these.
    pub(super) again: bool,
    /// There is no other way to load them.
    pub(super) last: bool,
}

impl Way {
    pub(super) const FROM_CACHES: Way = Way { near: true, old: true, again: false, last: false };
    pub(super) const FROM_RANKS: Way = Way { near: false, old: true, again: true, last: false };
    pub(super) const FROM_BUILDERS: Way = Way { near: false, old: false, again: true, last: false };
    /// Nothing is built after these.
    pub(super) const FROM_LAST_BUILDERS: Way = Way { near: false, old: false, again: false, last: false };
}

/// Pieces of a list that are not too much at once, or one kernel each.
pub(super) fn at_once(list: &[Consignment]) -> impl Iterator<Item = &[Consignment]> {
    let mut rest = list;
    std::iter::from_fn(move || {
        let mut total = Weight::default();
        let fits = |consignment: &&Consignment| {
            // Of which nothing is known is a library all the same.
            let Weight { libraries, bytes } = consignment.weight;
            total = total.plus(Weight { libraries: libraries.max(1), bytes });
            !total.is_too_much()
        };
        let fitting = rest.iter().take_while(fits).count();
        let (now, later) = rest.split_at(fitting.max(1).min(rest.len()));
        rest = later;
        (!now.is_empty()).then_some(now)
    })
}

impl Member<'_, '_> {
    /// Brings kernels, each from the rank that has it, to all ranks of the team. Returns, the same on all of them, which of them
    /// nobody has any more in a state in which it could be used, and why: they must be built.
    pub(super) fn deliver(&mut self, team: &Team, consignments: &[Consignment], way: Way) -> Result<Reasons> {
        let kernels: Vec<usize> = consignments.iter().map(|consignment| consignment.kernel).collect();
        if way.near
            && let Some(ahead) = self.ahead.take()
        {
            return self.take(team, &kernels, ahead, Reasons::new(), way);
        }
        let me = self.rank();
        let mine = consignments.iter().filter(|consignment| match way.near {
            true => team.leads_node(),
            false => consignment.from == me,
        });
        let own: Vec<usize> = mine.map(|consignment| consignment.kernel).collect();
        let packed = self.attempt(Step::Move, |me| Ok(me.pack(team, &own, way)));
        let (mine, mut unsent) = packed.unwrap_or_default();
        // A rank that has all of it, and leads its machine, need not send anything.
        let at_hand = way.near
            || (team.nodes == 1 && consignments.iter().all(|consignment| consignment.from == team.root()));
        let parcels = if at_hand {
            let alone = team.is_alone_on_node();
            self.attempt(Step::Move, |_| spool(mine, alone)).unwrap_or_default()
        } else {
            self.move_to_leaders(team, mine, way, &mut unsent)?
        };
        self.hand_out(team, &kernels, parcels, unsent.kernels, way)
    }

    /// What this rank gives of these kernels, with what is below them; each library once, in an order in which they can be
    /// loaded.
    pub(super) fn pack(&self, team: &Team, own: &[usize], way: Way) -> (Vec<(Label, Option<Bytes>)>, Unsent) {
        let have: Vec<(usize, &Obtained)> =
            own.iter().filter_map(|&at| Some((at, self.have[at].as_ref()?))).collect();
        let all = |content| have.iter().filter(move |(_, (loaded, _))| loaded.content == content);
        let wanted = |content: &Signature| all(*content).map(|(at, _)| *at as u32).collect::<Vec<_>>();
        let label = |facts: Facts, load| {
            // Of what came along, nobody asks where it is from.
            let origin = all(facts.content).next().map_or(KernelOrigin::Received, |(_, (_, origin))| *origin);
            Label {
                supplier: self.session.rank() as u32,
                kernels: wanted(&facts.content),
                origin,
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
        for (at, (loaded, origin)) in &have {
            match in_place.then(|| self.files_of(loaded, *origin)).flatten() {
                // They need not even be read.
                Some(files) => packed.extend(files.into_iter().filter_map(|(facts, path)| {
                    let new = mapped.insert(facts.content);
                    new.then(|| (Label { path: Some(path), ..label(facts, true) }, None))
                })),
                None => unmapped.push((self.specs[*at], loaded)),
            }
        }
        let needed = self.engine.needed_by(&unmapped, &self.luggage);
        let mut unsent = Unsent::default();
        for item in needed.iter().filter(|item| (item.linked || !way.near) && !mapped.contains(&item.content))
        {
            match self.engine.pack(item, &self.luggage) {
                Ok(Packed { facts, bytes, routes }) => {
                    let label = Label { routes, ..label((*facts).clone(), item.linked) };
                    packed
                        .extend(unsent.pass(&label, || Ok(Some(bytes))).map(|bytes| (label.clone(), bytes)));
                }
                Err(problem) if item.linked => {
                    log::debug!("{} is built anew: {problem}", item.name);
                    unsent.note(item.content, wanted(&item.content), problem);
                }
                // A generator has read it; caches that lack it will run that generator again.
                Err(problem) => log::debug!("{} does not come along: {problem}", item.name),
            }
        }
        (packed, unsent)
    }

    /// The files of a kernel and of all below it, if every rank of this machine may map all of them. What was loaded before this
    /// call may have been damaged since, and the others map what they are told of without a look at it.
    fn files_of(&self, loaded: &Arc<Loaded>, origin: KernelOrigin) -> Option<Vec<(Facts, PathBuf)>> {
        let known = origin != KernelOrigin::Memory;
        let file = |item: &Arc<Loaded>| {
            let path = self.engine.mappable(item)?;
            (known || self.engine.is_intact(&path, &item.content)).then_some((Facts::of(item)?, path))
        };
        closure(std::slice::from_ref(loaded)).iter().map(file).collect()
    }

    /// Up to the root, which keeps one of each that it finds up to date, and from there to the leaders of all machines.
    fn move_to_leaders(
        &mut self,
        team: &Team,
        mine: Vec<(Label, Option<Bytes>)>,
        way: Way,
        unsent: &mut Unsent,
    ) -> Result<Vec<Parcel>> {
        let mut packer = Packer::new(mine);
        let mut incoming: BTreeMap<usize, Unpacker> = BTreeMap::new();
        self.session.stream_up(
            Step::Move,
            team.whole(),
            &mut |chunk| Ok(packer.fill(chunk, CHUNK)),
            &mut |rank, bytes| {
                incoming.entry(rank).or_default().feed(bytes);
                Ok(())
            },
        )?;
        self.attempt(Step::Move, |_| packer.finish());
        let mut parcels = Vec::new();
        if team.is_root() {
            let arrived = self.attempt(Step::Move, |me| {
                let arrived = joined(incoming.into_values())?;
                Ok(if way.old { me.up_to_date(arrived, unsent) } else { arrived })
            });
            parcels = arrived.unwrap_or_default();
        }
        let Some(leaders) = team.leaders().filter(|_| team.nodes > 1) else { return Ok(parcels) };
        if team.is_root() {
            let outgoing = self.attempt(Step::Move, |me| {
                let (outgoing, lost) = opened(&parcels, &me.engine.fs, &me.luggage);
                unsent.kernels.extend(lost.kernels);
                Ok(outgoing)
            });
            let mut packer = Packer::new(outgoing.unwrap_or_default());
            let mut fill = |chunk: &mut Vec<u8>| Ok(packer.fill(chunk, CHUNK));
            self.session.stream_down(Step::Move, leaders, Some(&mut fill), &mut |_| Ok(()))?;
            self.attempt(Step::Move, |_| packer.finish());
            return Ok(parcels);
        }
        let mut unpacker = Unpacker::default();
        self.session.stream_down(Step::Move, leaders, None, &mut |bytes| {
            unpacker.feed(bytes);
            Ok(())
        })?;
        Ok(self.attempt(Step::Move, |_| unpacker.finish()).unwrap_or_default())
    }

    /// What other ranks had, without what the root, which decides for all, must not use any more.
    fn up_to_date(&self, parcels: Vec<Parcel>, unsent: &mut Unsent) -> Vec<Parcel> {
        let me = self.session.rank() as u32;
        let keep = |Parcel { label, .. }: &Parcel| {
            let outdated = || {
                let others = label.supplier != me;
                let why = others.then(|| self.engine.outdated(&label.facts.content, &label.routes)).flatten();
                why.map_or(Ok(()), |why| {
                    log::debug!("{} of rank {} is built anew: {why}", label.facts.at, label.supplier);
                    Err(why)
                })
            };
            unsent.pass(label, outdated).is_some()
        };
        parcels.into_iter().filter(keep).collect()
    }
}

/// What this rank packed, where the other ranks of its machine can open it.
pub(super) fn spool(mine: Vec<(Label, Option<Bytes>)>, alone: bool) -> Result<Vec<Parcel>> {
    let mut unpacker = Unpacker::new(alone);
    let mut packer = Packer::new(mine);
    let mut chunk = Vec::new();
    loop {
        let more = packer.fill(&mut chunk, CHUNK);
        unpacker.feed(&chunk);
        chunk.clear();
        if !more {
            return packer.finish().and_then(|()| unpacker.finish());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sizes(weights: &[(u32, u64)]) -> Vec<usize> {
        let consignment = |(kernel, &(libraries, bytes))| Consignment {
            kernel,
            from: 0,
            weight: Weight { libraries, bytes },
        };
        let list: Vec<Consignment> = weights.iter().enumerate().map(consignment).collect();
        let pieces: Vec<&[Consignment]> = at_once(&list).collect();
        let kernels: Vec<usize> = pieces.iter().flat_map(|piece| piece.iter().map(|c| c.kernel)).collect();
        assert_eq!(kernels, (0..weights.len()).collect::<Vec<_>>());
        pieces.iter().map(|piece| piece.len()).collect()
    }

    #[test]
    fn as_much_is_handed_out_at_once_as_there_are_descriptors_and_memory_for() {
        assert_eq!(sizes(&[]), [0; 0]);
        assert_eq!(sizes(&[(1, 1000); 600]), [256, 256, 88]);
        // Of which nothing is known.
        assert_eq!(sizes(&[(0, 0); 300]), [256, 44]);
        assert_eq!(sizes(&[(100, 10); 5]), [2, 2, 1]);
        assert_eq!(sizes(&[(1, 100 << 20); 5]), [2, 2, 1]);
        // What is too large alone goes alone.
        assert_eq!(sizes(&[(1, 1), (5000, 1), (1, u64::MAX), (1, 1), (u32::MAX, u64::MAX)]), [1, 1, 1, 1, 1]);
    }
}
