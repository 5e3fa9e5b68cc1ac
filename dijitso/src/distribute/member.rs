//! One rank in one collective load: what it has, what goes wrong on it, and the order of its steps.
//!
//! Every step is unconditional: what a rank does next depends only on what all ranks were told. What goes wrong on
//! a rank (an error, a panic) becomes a value that travels with its next message; from then on it does nothing but
//! take part.

use std::collections::{HashMap, HashSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::agree::{Failure, Held, Known, Weight};
use super::ahead::Ahead;
use super::delivery::{Consignment, Way, at_once};
use super::scene::Scene;
use super::session::Session;
use super::team::Team;
use super::tree::Tree;
use super::unsent::Reasons;
use super::waiting::Step;
use crate::error::{Error, Result};
use crate::jit::{Engine, Found, Luggage, Whose};
use crate::kernel::Loaded;
use crate::report::KernelOrigin;
use crate::signature::{Signature, Signer};
use crate::source::AnySpec;

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
    /// What the team ended with, with the place of the kernel it is about.
    pub(super) ended: Option<Failure>,
    pub(super) probe: Option<&'a Probe<'a>>,
    /// What this rank knew of who is where when the call began.
    pub(super) scene: Option<Arc<Scene>>,
    /// Whether nobody may compile, because one of the ranks must not.
    pub(super) sealed: bool,
    /// What rank 0 would build with, if that is known; `None` inside if it has no compiler.
    pub(super) builders_compiler: Option<Option<Signature>>,
    /// Why kernels are built, by the one who looked for them.
    pub(super) reasons: HashMap<usize, String>,
    /// Kernels that this rank's group looked for and did not find.
    pub(super) absent: HashSet<usize>,
    /// What this rank has built in this round, as it was made: a cache may lose it.
    pub(super) luggage: Luggage,
    /// What was handed out with the agreement.
    pub(super) ahead: Option<Ahead>,
}
impl<'a> Member<'a, '_> {
    pub(super) fn rank(&self) -> usize {
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
                self.fail(None, error);
                None
            }
            Err(panic) => {
                let problem = format!("a rank panicked in the step `{step}`: {}", words(&*panic));
                self.fail(None, Error::Communication { problem });
                None
            }
        }
    }

    /// Does what may fail or panic: all ranks have what they need already.
    pub(super) fn softly(&mut self, work: impl FnOnce(&mut Self)) {
        self.attempt(Step::Publish, |me| {
            work(me);
            Ok(())
        });
        if let Some(failure) = self.failure.take() {
            log::warn!("{}", failure.error);
        }
    }

    /// Notes what went wrong here; `kernel` is its place in the request, if it is about one.
    pub(super) fn fail(&mut self, kernel: Option<usize>, error: Error) {
        let failure = match kernel {
            Some(at) => Failure::of_kernel(self.rank(), at as u32, error),
            None => Failure::of(self.rank(), error),
        };
        self.failure = Failure::first(self.failure.take(), Some(failure));
    }

    /// From now on who asks for these kernels is given what this rank has: all have the same. Whoever builds something that needs them would
    /// else build them again if they are in no cache yet, and perhaps others.
    pub(super) fn adopt(&self) {
        for (spec, have) in self.specs.iter().zip(&self.have) {
            if let Some((loaded, _)) = have {
                self.engine.adopt(spec, loaded);
            }
        }
    }

    /// The error with which a team ends.
    pub(super) fn end(&mut self, failure: Failure) -> Error {
        self.ended = Some(failure.clone());
        failure.into_error()
    }

    /// Everybody learns of the first failure, if there is one; then all leave with it.
    pub(super) fn status(&mut self, step: Step, tree: &Tree) -> Result<()> {
        let mine = self.failure.clone();
        let failure = self.session.all_reduce(step, tree, mine, Failure::first)?;
        failure.map_or(Ok(()), |failure| Err(self.end(failure)))
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
                    Found::Failed(error) => self.fail(Some(at), error),
                    Found::Miss(reason) => {
                        self.absent.insert(at);
                        reasons.insert(at, reason);
                    }
                }
            }
        }
        // What is in memory only cannot be given away; leaders can read the file it came from.
        let held: Vec<Arc<Loaded>> = match looks || team.leads_node() {
            true => self.have.iter().flatten().map(|(loaded, _)| loaded.clone()).collect(),
            false => Vec::new(),
        };
        let at_hand = self.engine.at_hand(&held);
        let mut known = Vec::with_capacity(self.specs.len());
        for at in 0..self.specs.len() {
            let spec = self.specs[at];
            let reason = reasons.remove(&at).map(|reason| (self.rank() as u32, reason));
            let me = self.rank() as u32;
            let content = self.have[at].as_ref().map(|(loaded, _)| (me, loaded.content));
            let gives = content.is_some_and(|(_, content)| at_hand.contains(&content));
            known.push(Known {
                holder: content.filter(|_| gives),
                content,
                mixed: false,
                loaded: content.is_some(),
                weight: self.have[at].as_ref().map_or_else(Weight::default, |(loaded, _)| Weight::of(loaded)),
                nodes: u32::from(gives && team.leads_node()),
                absent: reason.is_some(),
                recorded_ms: reason.as_ref().and_then(|_| self.engine.recorded_ms(spec)),
                reason,
            });
        }
        Ok(known)
    }

    /// Brings all kernels to all ranks of the team, from what is known of them.
    pub(super) fn obtain(&mut self, team: &Team, mut known: Vec<Known>, remote: bool) -> Result<()> {
        if team.ranks == 1 {
            // Looking them up loaded them.
            return self.build_missing(team, &known, remote, &Reasons::new());
        }
        let hits = known.iter().enumerate().filter(|(_, known)| !known.is_everywhere());
        let hits: Vec<Consignment> = hits
            .filter_map(|(kernel, known)| {
                let (rank, _) = known.holder?;
                Some(Consignment { kernel, from: rank as usize, weight: known.weight })
            })
            .collect();
        // Each machine has them already, the same ones.
        let at_hand = |hit: &Consignment| {
            let known = &known[hit.kernel];
            !known.mixed && !known.absent && known.nodes as usize == team.nodes
        };
        let (near, far): (Vec<_>, Vec<_>) = hits.into_iter().partition(at_hand);
        let mut lost = Reasons::new();
        for (list, way) in [(near, Way::FROM_CACHES), (far, Way::FROM_RANKS)] {
            for consignments in at_once(&list) {
                lost.extend(self.deliver(team, consignments, way)?);
            }
        }
        for (at, why) in &lost {
            known[*at as usize].forget(why);
        }
        self.build_missing(team, &known, remote, &lost)
    }
}

/// A panic's own words.
fn words(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "without words".to_owned())
}
