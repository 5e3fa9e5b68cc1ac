//! One rank in one collective load: the steps, in their order.
//!
//! Every step is unconditional: what a rank does next depends only on what all ranks were told. What goes wrong on
//! a rank (an error, a panic) becomes a value that travels with its next message; from then on it does nothing but
//! take part.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use serde::{Deserialize, Serialize};

use super::agree::{Failure, Held, Known};
use super::parcel::{Label, Packer, Parcel, Spot, Unpacker, joined, opened};
use super::plan::{self, Share, Task};
use super::session::Session;
use super::team::Team;
use super::tree::Tree;
use super::waiting::Step;
use crate::cache::{Bytes, Routes};
use crate::error::{Error, Result};
use crate::jit::{Engine, Facts, Found, Luggage, Packed, Place, Whose, combined};
use crate::kernel::{Loaded, closure};
use crate::report::KernelOrigin;
use crate::signature::{Signature, Signer};
use crate::source::{AnySpec, Parts};

/// How many kernels are handed out at once: each is an open descriptor until all ranks have it.
const AT_ONCE: usize = 256;

/// Called before the work of each step, for tests: it may wait, fail, or panic.
pub(super) type Probe<'a> = dyn Fn(&str) -> Result<()> + 'a;

/// A kernel and how this rank came by it.
pub(super) type Obtained = (Arc<Loaded>, KernelOrigin);

pub(super) struct Member<'a, 'c> {
    pub(super) session: Session<'c>,
    pub(super) engine: Arc<Engine>,
    /// Without repetitions.
    pub(super) specs: Vec<&'a AnySpec>,
    /// What this rank has of each.
    pub(super) have: Vec<Option<Obtained>>,
    pub(super) failure: Option<Failure>,
    pub(super) probe: Option<&'a Probe<'a>>,
    /// What rank 0 would build with, if that is known; `None` inside if it has no compiler.
    pub(super) builders_compiler: Option<Option<Signature>>,
    /// Kernels that this rank's group looked for and did not find.
    pub(super) absent: HashSet<usize>,
}

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

impl<'a> Member<'a, '_> {
    fn rank(&self) -> usize {
        self.session.rank()
    }

    /// Does a rank's own part of a step. `None` if that failed, now or before.
    pub(super) fn attempt<T>(&mut self, step: Step, work: impl FnOnce(&mut Self) -> Result<T>) -> Option<T> {
        if self.failure.is_some() {
            return None;
        }
        let probe = self.probe;
        let result = catch_unwind(AssertUnwindSafe(|| {
            probe.map_or(Ok(()), |probe| probe(&format!("{step:?}")))?;
            work(self)
        }));
        match result {
            Ok(Ok(value)) => Some(value),
            Ok(Err(error)) => {
                self.fail(u32::MAX, error);
                None
            }
            Err(panic) => {
                let problem = format!("a rank panicked in the step `{step}`: {}", words(&*panic));
                self.fail(u32::MAX, Error::Communication { problem });
                None
            }
        }
    }

    /// Notes what went wrong here; `kernel` is its place in the request, if it is about one.
    pub(super) fn fail(&mut self, kernel: u32, error: Error) {
        let failure = Failure { rank: self.rank() as u32, kernel, error, others: 0, last: false };
        self.failure = Failure::first(self.failure.take(), Some(failure));
    }

    /// Everybody learns of the first failure, if there is one; then all leave with it.
    fn status(&mut self, step: Step, tree: &Tree) -> Result<()> {
        let mine = self.failure.clone();
        let failure = self.session.all_reduce(step, tree, mine, Failure::first)?;
        failure.map_or(Ok(()), |failure| Err(failure.into_error()))
    }

    /// What this rank holds already.
    pub(super) fn look_into_memory(&mut self) -> Result<Held> {
        let mut signer = Signer::quiet("dijitso held 1");
        let mut all = true;
        for (spec, have) in self.specs.iter().zip(&mut self.have) {
            *have = self.engine.held(spec)?;
            match have {
                Some((loaded, _)) => signer.field("content", &loaded.content),
                None => all = false,
            }
        }
        Ok(if all { Held::All(signer.finish()) } else { Held::None })
    }

    /// The root builds, and says by which compiler what the others find must have been made: theirs may be another one, or
    /// none.
    fn compiler(&self, team: &Team) -> Whose {
        match self.builders_compiler {
            Some(digest) if team.root() == 0 && !team.is_root() => Whose::Builder(digest),
            _ => Whose::Own,
        }
    }

    /// What the caches have, as far as it is this rank's business to look.
    pub(super) fn look_up(&mut self, team: &Team) -> Result<Vec<Known>> {
        let looks = team.leads_group();
        let mut reasons: HashMap<usize, String> = HashMap::new();
        if looks {
            let wanted: Vec<usize> = (0..self.specs.len()).filter(|&at| self.have[at].is_none()).collect();
            let specs: Vec<&AnySpec> = wanted.iter().map(|&at| self.specs[at]).collect();
            for (at, found) in wanted.into_iter().zip(self.engine.look_up_all(&specs, self.compiler(team))) {
                match found {
                    Found::Hit(loaded, origin) => self.have[at] = Some((loaded, origin)),
                    Found::Failed(error) => self.fail(at as u32, error),
                    Found::Miss(reason) => {
                        self.absent.insert(at);
                        reasons.insert(at, reason);
                    }
                }
            }
        }
        let mut known = Vec::with_capacity(self.specs.len());
        for at in 0..self.specs.len() {
            let spec = self.specs[at];
            let reason = reasons.remove(&at).map(|reason| (self.rank() as u32, reason));
            let me = self.rank() as u32;
            let content = self.have[at].as_ref().map(|(loaded, _)| (me, loaded.content));
            // What is in memory only cannot be given away; leaders can read the file it came from.
            let gives = (looks || team.leads_node())
                && self.have[at].as_ref().is_some_and(|(loaded, _)| self.engine.is_at_hand(loaded));
            known.push(Known {
                holder: content.filter(|_| gives),
                content,
                mixed: false,
                loaded: content.is_some(),
                nodes: u32::from(gives && team.leads_node()),
                absent: reason.is_some(),
                recorded_ms: reason.as_ref().and_then(|_| self.engine.recorded_ms(spec)),
                reason,
            });
        }
        Ok(known)
    }

    /// Brings all kernels to all ranks of the team, from what is known of them.
    pub(super) fn obtain(&mut self, team: &Team, known: &[Known], remote: bool) -> Result<()> {
        let everywhere = |known: &Known| known.loaded && !known.mixed;
        if team.ranks.len() == 1 {
            // Looking them up loaded them.
            return self.build_missing(team, known, remote);
        }
        let hits: Vec<(usize, usize)> = known
            .iter()
            .enumerate()
            .filter(|(_, known)| !everywhere(known))
            .filter_map(|(at, known)| known.holder.map(|(rank, _)| (at, rank as usize)))
            .collect();
        // Each machine has them already, the same ones.
        let at_hand = |&(at, _): &(usize, usize)| {
            let known = &known[at];
            !known.mixed && !known.absent && known.nodes as usize == team.nodes.len()
        };
        let (near, far): (Vec<_>, Vec<_>) = hits.into_iter().partition(at_hand);
        for slice in near.chunks(AT_ONCE) {
            self.deliver(team, slice, &Luggage::default(), true, false)?;
        }
        for slice in far.chunks(AT_ONCE) {
            self.deliver(team, slice, &Luggage::default(), false, true)?;
        }
        self.build_missing(team, known, remote)
    }

    fn build_missing(&mut self, team: &Team, known: &[Known], remote: bool) -> Result<()> {
        let everywhere = |known: &Known| known.loaded && !known.mixed;
        let missing: Vec<usize> =
            (0..known.len()).filter(|&at| !everywhere(&known[at]) && known[at].holder.is_none()).collect();
        if missing.is_empty() {
            return Ok(());
        }
        if self.engine.is_sealed() {
            if team.is_root() {
                let error = self.sealed(&missing, known);
                self.fail(0, error);
            }
            return self.status(Step::Status, &team.whole());
        }
        if team.ranks.len() == 1 {
            self.attempt(Step::Build, |me| me.compile_for_itself(&missing));
            return self.failure.take().map_or(Ok(()), |failure| Err(failure.into_error()));
        }
        self.build(team, &missing, known, remote)
    }

    /// For nobody else: nothing has to travel.
    fn compile_for_itself(&mut self, kernels: &[usize]) -> Result<()> {
        let specs: Vec<&AnySpec> = kernels.iter().map(|&at| self.specs[at]).collect();
        for (&at, outcome) in kernels.iter().zip(self.engine.load_any(&specs)) {
            match outcome {
                Ok(obtained) => self.have[at] = Some(obtained),
                Err(error) => self.fail(at as u32, error),
            }
        }
        Ok(())
    }

    /// The same on every rank: the words are those of the rank that looked.
    fn sealed(&self, missing: &[usize], known: &[Known]) -> Error {
        let reason = |at: usize| known[at].reason.clone().map(|(_, why)| why).unwrap_or_default();
        let missing = missing.iter().map(|&at| self.engine.missing(self.specs[at], reason(at)));
        combined(missing.collect()).unwrap_or_else(|| self.engine.missing(self.specs[0], String::new()))
    }

    fn build(&mut self, team: &Team, missing: &[usize], known: &[Known], remote: bool) -> Result<()> {
        let specs: Vec<Signature> = self.specs.iter().map(|spec| spec.signature()).collect();
        let mut parts: HashMap<usize, Arc<Parts>> = HashMap::new();
        let rounds = if team.builders.len() == 1 {
            vec![vec![Share { rank: team.builders[0].rank, kernels: missing.to_vec() }]]
        } else {
            let costs: Vec<(usize, Option<f32>)> =
                missing.iter().map(|&at| (at, known[at].recorded_ms)).collect();
            let shares = plan::generators(&costs, &team.builders);
            let tasks = self.generate(team, &shares, known, &mut parts)?;
            plan::rounds(&tasks, &specs, &team.builders, remote)
        };
        for (number, round) in rounds.iter().enumerate() {
            let last = number + 1 == rounds.len();
            let explained = self.explain(round);
            self.session.waits_for(explained);
            let mine =
                round.iter().find(|share| share.rank == self.rank()).map(|share| share.kernels.clone());
            let luggage = self.attempt(Step::Build, |me| me.compile(mine.unwrap_or_default(), &mut parts));
            let luggage = luggage.unwrap_or_default();
            self.status(Step::Status, &team.whole())?;
            let mut built: Vec<(usize, usize)> =
                round.iter().flat_map(|share| share.kernels.iter().map(|&at| (at, share.rank))).collect();
            built.sort_unstable();
            for slice in built.chunks(AT_ONCE) {
                self.deliver(team, slice, &luggage, false, !last)?;
            }
        }
        Ok(())
    }

    /// For warnings: who builds what.
    fn explain(&self, round: &[Share]) -> String {
        let share = |share: &Share| {
            let mut names: Vec<&str> =
                share.kernels.iter().take(3).map(|&at| self.specs[at].name()).collect();
            if share.kernels.len() > names.len() {
                names.push("..");
            }
            format!("rank {} builds {}", share.rank, names.join(", "))
        };
        let mut shares: Vec<String> = round.iter().take(4).map(share).collect();
        if round.len() > shares.len() {
            shares.push(format!("{} ranks more build", round.len() - shares.len()));
        }
        shares.join("; ")
    }

    /// The generators run, each on one rank; everybody learns what they say of their kernels.
    fn generate(
        &mut self,
        team: &Team,
        shares: &[Share],
        known: &[Known],
        parts: &mut HashMap<usize, Arc<Parts>>,
    ) -> Result<Vec<Task>> {
        let me = self.rank();
        let mine = shares.iter().find(|share| share.rank == me).map(|share| share.kernels.clone());
        let tasks = self.attempt(Step::Plan, |member| {
            let mut tasks = Vec::new();
            for at in mine.unwrap_or_default() {
                let start = Instant::now();
                match member.engine.generate(member.specs[at]) {
                    Ok(generated) => {
                        tasks.push(Task {
                            kernel: at as u32,
                            generated_by: me as u32,
                            generate_ms: start.elapsed().as_secs_f32() * 1e3,
                            bytes: generated.text.len() as u64,
                            recorded_ms: known[at].recorded_ms,
                            needs: generated.dependencies.iter().map(AnySpec::signature).collect(),
                        });
                        parts.insert(at, generated);
                    }
                    Err(error) => member.fail(at as u32, error),
                }
            }
            Ok(tasks)
        });
        let mine = (self.failure.clone(), tasks.unwrap_or_default());
        let (failure, mut tasks) =
            self.session.all_reduce(Step::Plan, &team.whole(), mine, |(a, mut left), (b, right)| {
                left.extend(right);
                (Failure::first(a, b), left)
            })?;
        if let Some(failure) = failure {
            return Err(failure.into_error());
        }
        tasks.sort_by_key(|task| task.kernel);
        Ok(tasks)
    }

    fn compile(&mut self, kernels: Vec<usize>, parts: &mut HashMap<usize, Arc<Parts>>) -> Result<Luggage> {
        if kernels.is_empty() {
            return Ok(Luggage::default());
        }
        let specs: Vec<&AnySpec> = kernels.iter().map(|&at| self.specs[at]).collect();
        let forced: Vec<bool> = kernels.iter().map(|&at| self.have[at].is_some()).collect();
        let parts: Vec<Option<Arc<Parts>>> = kernels.iter().map(|at| parts.remove(at)).collect();
        let (outcomes, luggage) = self.engine.build_packed(&specs, &forced, &parts);
        for (&at, outcome) in kernels.iter().zip(outcomes) {
            match outcome {
                Ok(obtained) => self.have[at] = Some(obtained),
                Err(error) => self.fail(at as u32, error),
            }
        }
        Ok(luggage)
    }
}

impl Member<'_, '_> {
    /// Brings kernels, each from the rank that has it, to all ranks of the team. With `near`, a leader of each machine
    /// has them all.
    fn deliver(
        &mut self,
        team: &Team,
        kernels: &[(usize, usize)],
        luggage: &Luggage,
        near: bool,
        again: bool,
    ) -> Result<()> {
        let me = self.rank();
        let own: Vec<usize> = match near {
            true if team.leads_node() => kernels.iter().map(|(at, _)| *at).collect(),
            true => Vec::new(),
            false => kernels.iter().filter(|(_, rank)| *rank == me).map(|(at, _)| *at).collect(),
        };
        // All ranks see the same files, and may map them.
        let in_place = team.groups.len() == 1 && team.nodes.len() == 1;
        let mine = self.attempt(Step::Move, |me| me.pack(&own, luggage, near, in_place)).unwrap_or_default();
        // A rank that has all of it, and leads its machine, need not send anything.
        let at_hand = near || (team.nodes.len() == 1 && kernels.iter().all(|(_, rank)| *rank == team.root()));
        let parcels = if at_hand {
            let alone = team.my_node().len() == 1;
            self.attempt(Step::Move, |_| spool(mine, alone)).unwrap_or_default()
        } else {
            self.move_to_leaders(team, mine)?
        };
        let kernels: Vec<usize> = kernels.iter().map(|(at, _)| *at).collect();
        self.hand_out(team, &kernels, &parcels, Way { near, again, last: false })
    }

    /// What this rank gives of these kernels, with what is below them; each library once, in an order in which they can be
    /// loaded.
    fn pack(
        &mut self,
        own: &[usize],
        luggage: &Luggage,
        near: bool,
        in_place: bool,
    ) -> Result<Vec<(Label, Option<Bytes>)>> {
        let mut places: HashMap<Signature, usize> = HashMap::new();
        let mut packed: Vec<(Label, Option<Bytes>)> = Vec::new();
        let mut add = |label: Label, bytes: Option<Bytes>| match places.get(&label.facts.content) {
            Some(&place) => packed[place].0.join(label),
            None => {
                places.insert(label.facts.content, packed.len());
                packed.push((label, bytes));
            }
        };
        let label = |facts: Facts, origin, at: Option<usize>, load| Label {
            facts,
            supplier: self.session.rank() as u32,
            kernels: at.map(|at| at as u32).into_iter().collect(),
            origin,
            load,
            routes: Routes::default(),
            path: None,
        };
        for &at in own {
            let Some((loaded, origin)) = self.have[at].clone() else { continue };
            let itself = |content: &Signature| (*content == loaded.content).then_some(at);
            // Files that everybody can map need not even be read.
            let mut mapped: Vec<(Label, PathBuf)> = Vec::new();
            if near || in_place {
                for item in closure(std::slice::from_ref(&loaded)) {
                    if let (Some(facts), Some(path)) = (Facts::of(&item), self.engine.mappable(&item)) {
                        mapped.push((label(facts, origin, itself(&item.content), true), path));
                    }
                }
            }
            if let Some((last, _)) = mapped.last()
                && last.facts.content == loaded.content
                && mapped.len() == closure(std::slice::from_ref(&loaded)).len()
            {
                for (label, path) in mapped {
                    add(Label { path: Some(path), ..label }, None);
                }
                continue;
            }
            let needed = self.engine.needed(self.specs[at], &loaded, luggage);
            for item in needed.iter().filter(|item| item.linked || !near) {
                let unsent = |problem| Error::Load { kernel: loaded.at.clone(), problem };
                let Packed { facts, bytes, routes } = self.engine.pack(item, luggage).map_err(unsent)?;
                let label = label((*facts).clone(), origin, itself(&item.content), item.linked);
                add(Label { routes, ..label }, Some(bytes));
            }
        }
        Ok(packed)
    }

    /// Up to the root, which keeps one of each, and from there to the leaders of all machines.
    fn move_to_leaders(&mut self, team: &Team, mine: Vec<(Label, Option<Bytes>)>) -> Result<Vec<Parcel>> {
        let mut packer = Packer::new(mine);
        let mut incoming: BTreeMap<usize, Unpacker> = BTreeMap::new();
        let tree = team.whole();
        self.session.stream_up(
            Step::Move,
            &tree,
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
        let Some(leaders) = team.leaders().filter(|_| team.nodes.len() > 1) else { return Ok(parcels) };
        if team.is_root() {
            let outgoing = self.attempt(Step::Move, |me| opened(&parcels, &me.engine.fs)).unwrap_or_default();
            let mut packer = Packer::new(outgoing);
            let mut fill = |chunk: &mut Vec<u8>| packer.fill(chunk, CHUNK);
            self.session.stream_down(Step::Move, &leaders, Some(&mut fill), &mut |_| Ok(()))?;
            return Ok(parcels);
        }
        let mut unpacker = Unpacker::default();
        self.session.stream_down(Step::Move, &leaders, None, &mut |bytes| {
            unpacker.feed(bytes);
            Ok(())
        })?;
        Ok(self.attempt(Step::Move, |_| unpacker.finish()).unwrap_or_default())
    }

    /// The leader of each machine tells the others where the kernels are; all load them, and hear whether all could.
    fn hand_out(&mut self, team: &Team, kernels: &[usize], parcels: &[Parcel], way: Way) -> Result<()> {
        let inside = team.inside();
        let told = team.leads_node().then(|| {
            let handed =
                |parcel: &Parcel| Handed { label: parcel.label.clone(), spot: parcel.contents.spot() };
            parcels.iter().map(handed).collect::<Vec<_>>()
        });
        let told = self.session.broadcast(Step::HandOut, &inside, told)?;
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
        let outcome = self.session.all_reduce(Step::Load, &team.whole(), mine, Outcome::merge)?;
        if let Some(failure) = outcome.failure {
            return Err(failure.into_error());
        }
        if outcome.again {
            self.hand_out_bytes(team, kernels, parcels, way)?;
        }
        for (number, bytes) in new {
            self.keep(team, &told[number].label, &bytes, way);
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
            self.session.stream_down(Step::HandOut, &inside, Some(&mut fill), &mut |_| Ok(()))?;
        } else {
            let mut unpacker = Unpacker::new(true);
            self.session.stream_down(Step::HandOut, &inside, None, &mut |bytes| {
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
        self.status(Step::Load, &team.whole())?;
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
        let ours = way.near && team.my_group().contains(&(label.supplier as usize));
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
        let foreign = !team.my_group().contains(&(label.supplier as usize));
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

/// The circumstances of a delivery.
#[derive(Debug, Clone, Copy)]
struct Way {
    /// The kernels come from the caches of those who need them.
    near: bool,
    /// Kernels will be built that may be linked to these.
    again: bool,
    /// There is no other way to load them.
    last: bool,
}

impl Outcome {
    fn merge(a: Outcome, b: Outcome) -> Outcome {
        Outcome { failure: Failure::first(a.failure, b.failure), again: a.again || b.again }
    }
}

/// Bytes of a message in a stream.
const CHUNK: usize = 4 << 20;

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

/// A panic's own words.
fn words(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "without words".to_owned())
}
