//! `jit.on(&comm)`: loading kernels on all ranks of a communicator at once.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use super::agree::{Agreement, Failure, Held, Known, PROTOCOL};
use super::ahead::Ahead;
use super::communicator::Communicator;
use super::inside::Inside;
use super::member::{Member, Obtained, Probe};
use super::roles::{Role, role};
use super::scene::known_scene;
use super::session::Session;
use super::team::Team;
use super::tree::Tree;
use super::waiting::Step;
use crate::config::params::BuildOn;
use crate::cxx::KernelFn;
use crate::error::{Error, Result};
use crate::jit::{Jit, JitBuilder, Luggage, Specs, claim};
use crate::kernel::Kernel;
use crate::signature::{Signature, Signer, digest};
use crate::source::{AnySpec, KernelSpec};
use crate::toolchain::{CpuFeatures, native_digest};

/// After how long a rank says what it waits for.
const PATIENCE: Duration = Duration::from_secs(60);

impl Jit {
    /// Loads kernels on all ranks of a communicator together: each is built once, or once for each cache directory, and the
    /// others receive it.
    ///
    /// Nothing happens here yet; [`Collective::load`] and [`Collective::load_all`] are collective operations. dijitso's `jit` takes the
    /// communicator as `mpi_comm` in its parameters.
    ///
    /// ```
    /// # fn main() -> dijitso::Result<()> {
    /// # let cache = tempfile::tempdir().unwrap();
    /// # let spec = dijitso::spec!(extern "C" fn() -> i32, "three", (), || unsafe { dijitso::Source::new("int three() { return 3; }") });
    /// # let jit = dijitso::Jit::builder().cache_dir(cache.path().join("cache")).build()?;
    /// // Under MPI: `jit.on(&universe.world())`.
    /// let results = dijitso::Threads::run(4, |comm| jit.on(&comm).load(&spec).map(|kernel| kernel.call()));
    /// assert!(results.into_iter().all(|result| matches!(result, Ok(3))));
    /// assert_eq!(jit.stats().built, 1);
    /// # Ok(()) }
    /// ```
    pub fn on<'a, C: Communicator + ?Sized>(&'a self, comm: &'a C) -> Collective<'a, C> {
        Collective {
            jit: self,
            comm,
            build_on: None,
            per_cpu: false,
            patience: PATIENCE,
            probe: None,
            processor: None,
        }
    }
}

impl JitBuilder {
    /// [`build`](Self::build) on all ranks of a communicator: a rank that cannot (a directory that is not to be trusted, a parameter
    /// that makes no sense) keeps the others from waiting for it in a load. Collective.
    ///
    /// # Errors
    /// The same on all ranks: what the lowest rank that failed has to say, as [`Error::Rank`].
    ///
    /// ```
    /// # fn main() -> dijitso::Result<()> {
    /// let jit = dijitso::Jit::builder().build_with(&dijitso::Solo)?;
    /// # Ok(()) }
    /// ```
    pub fn build_with<C: Communicator + ?Sized>(self, comm: &C) -> Result<Jit> {
        let built = self.build();
        if comm.size() == 1 {
            return built;
        }
        let what = "building a Jit".to_owned();
        let mut session = Session::open(comm, what, PATIENCE, Arc::default())?;
        let mine = built.as_ref().err().map(|error| Failure::of(comm.rank(), error.clone()));
        let tree = Tree::over_all(comm.size(), comm.rank());
        match session.all_reduce(Step::Agree, &tree, mine, Failure::first)? {
            None => built,
            Some(failure) => Err(failure.into_error()),
        }
    }
}

/// A [`Jit`] on the ranks of a communicator.
///
/// Every method that loads is collective: all ranks call it, with the same kernels in the same order, and all get
/// kernels or all get the same error. It never hangs on an error, whatever rank it happens on: a failed compile, a
/// panicking generator, a full disk are values that all ranks receive. Ranks may differ in what their caches and memories hold, in when they
/// come, in their environment (all compile with the flags and the compiler variables of rank 0, which warns if another's differ) and, as far as [`per_cpu`](Self::per_cpu) says, in their processors.
#[must_use = "call `.load(..)` or `.load_all(..)`"]
pub struct Collective<'a, C: ?Sized> {
    pub(super) jit: &'a Jit,
    pub(super) comm: &'a C,
    build_on: Option<BuildOn>,
    pub(super) per_cpu: bool,
    patience: Duration,
    probe: Option<&'a Probe<'a>>,
    pub(super) processor: Option<CpuFeatures>,
}

impl<'a, C: Communicator + ?Sized> Collective<'a, C> {
    /// Which ranks build; if nothing is said, what `DIJITSO_BUILD_ON` or the configuration file says, else
    /// [`BuildOn::Root`] for one kernel and [`BuildOn::Spread`] for several.
    pub fn build_on(mut self, build_on: BuildOn) -> Self {
        self.build_on = Some(build_on);
        self
    }

    /// Builds once for each kind of processor, for that kind, instead of once for what all have in common. Nothing
    /// else changes where all are of one kind.
    pub fn per_cpu(mut self, per_cpu: bool) -> Self {
        self.per_cpu = per_cpu;
        self
    }

    /// After how long a rank warns (through the `log` crate) that it still waits, for which rank and which kernel; 60 s if nothing is
    /// said. It goes on waiting.
    ///
    /// So that thousands of ranks do not all say the same, one that waits only for the answer of a lower rank is silent for as many
    /// times as long as its own number says: rank 3 speaks after three minutes. Who waits for the rank that does not come speaks first.
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Called before each step, for tests.
    #[doc(hidden)]
    pub fn probe(mut self, probe: &'a dyn Fn(&str) -> Result<()>) -> Self {
        self.probe = Some(probe);
        self
    }

    /// Pretends that this rank's processor is another one, for tests: bits of features.
    #[doc(hidden)]
    pub fn pretend_processor(mut self, bits: u128) -> Self {
        self.processor = Some(CpuFeatures::from_bits(bits));
        self
    }

    /// Loads one kernel on all ranks.
    ///
    /// dijitso calls this `jit`, with a communicator in its parameters.
    ///
    /// # Errors
    /// The same on all ranks: what went wrong, as [`Error::Rank`] with the rank; [`Error::Mismatch`] if ranks ask for
    /// different kernels.
    pub fn load<F: KernelFn>(&self, spec: &KernelSpec<F>) -> Result<Kernel<F>> {
        let mut kernels = self.load_all(std::slice::from_ref(spec))?;
        kernels.pop().ok_or_else(|| Error::Communication { problem: "no kernel came back".to_owned() })
    }

    /// Loads many kernels on all ranks.
    ///
    /// # Errors
    /// As [`load`](Self::load); of several kernels that fail, the first in the order of the request.
    pub fn load_all<S: Specs>(&self, specs: S) -> Result<S::Kernels> {
        let any = specs.any();
        let loaded = self.obtain(&any)?;
        Ok(specs.kernels(loaded))
    }

    /// A kernel that this rank has loaded, or that is part of the program, without a word to the others: for inner loops where the caller
    /// promises that an earlier load gave it to all ranks.
    ///
    /// # Errors
    /// [`Error::Mismatch`] if this rank does not have it: then the promise was wrong.
    pub fn loaded<F: KernelFn>(&self, spec: &KernelSpec<F>) -> Result<Kernel<F>> {
        for engine in self.jit.engine().and_derived() {
            if let Some((loaded, origin)) = engine.held(spec.any())? {
                return Ok(Kernel::new(loaded, origin));
            }
        }
        Err(Error::Mismatch {
            problem: format!(
                "rank {} was to have kernel {} already, and does not; load it collectively first",
                self.comm.rank(),
                spec.any().at()
            ),
        })
    }

    /// What this rank does in a load: build, receive, or wait. Collective.
    ///
    /// dijitso: `create_comms_and_role`.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn role(&self) -> Result<Role> {
        let _inside = Inside::enter()?;
        let mut member = self.member(Vec::new())?;
        let agreed = self.agree(&mut member, &[])?;
        let scene = self.scene(&mut member, &agreed)?;
        let team = scene.team(self.comm.rank(), self.strategy(0), self.per_cpu);
        Ok(role(&team, &scene.layout))
    }

    /// One kernel has one builder anyway, and then it need not be asked what it needs.
    pub(super) fn strategy(&self, kernels: usize) -> BuildOn {
        let usual = if kernels == 1 { BuildOn::Root } else { BuildOn::Spread };
        self.build_on.or(self.jit.engine().build_on()).unwrap_or(usual)
    }

    fn member<'s>(&'s self, specs: Vec<&'s AnySpec>) -> Result<Member<'s, 's>> {
        let names: Vec<&str> = specs.iter().take(3).map(|spec| spec.name()).collect();
        let more = if specs.len() > names.len() { " .." } else { "" };
        let what = format!("{}{more}", names.join(", "));
        let engine = self.jit.engine().clone();
        let session = Session::open(self.comm, what, self.patience, engine.counters.clone())?;
        let have = vec![None; specs.len()];
        Ok(Member {
            session,
            engine,
            specs,
            have,
            failure: None,
            probe: self.probe,
            scene: None,
            sealed: false,
            builders_compiler: None,
            ended: None,
            luggage: Luggage::default(),
            reasons: HashMap::new(),
            absent: HashSet::new(),
            ahead: None,
        })
    }

    fn obtain(&self, any: &[&AnySpec]) -> Result<Vec<Obtained>> {
        if self.comm.size() == 1 {
            return self.jit.load_together(any);
        }
        let _inside = Inside::enter()?;
        let _on_rank = self.jit.engine().trace.on_rank(self.comm.rank());
        let mut first: HashMap<Signature, usize> = HashMap::new();
        let mut unique: Vec<&AnySpec> = Vec::new();
        let places: Vec<usize> = any
            .iter()
            .map(|spec| {
                *first.entry(spec.signature()).or_insert_with(|| {
                    unique.push(spec);
                    unique.len() - 1
                })
            })
            .collect();
        let mut member = self.member(unique)?;
        let outcome = self.run(&mut member, any);
        // Also after an error: until then something may have been built, or received.
        member.engine.upkeep();
        if !Arc::ptr_eq(&member.engine, self.jit.engine()) {
            // Which keeps the statistics of both.
            self.jit.engine().upkeep();
        }
        outcome?;
        let obtained = |at: &usize| {
            let missing =
                || Error::Communication { problem: format!("{} did not come", member.specs[*at].at()) };
            member.have[*at].clone().ok_or_else(missing)
        };
        places.iter().map(obtained).collect()
    }

    fn run(&self, member: &mut Member<'_, '_>, any: &[&AnySpec]) -> Result<()> {
        let agreed = self.agree(member, any)?;
        if let Held::All(_) = agreed.held {
            return Ok(());
        }
        let scene = self.scene(member, &agreed)?;
        let team = scene.team(member.session.rank(), self.strategy(any.len()), self.per_cpu);
        // Should this rank give up before it uses these, their ranks hear of it.
        [team.whole(), team.inside()].into_iter().for_each(|tree| member.session.know(tree));
        let engine = scene.derived.as_ref().unwrap_or(self.jit.engine());
        if !Arc::ptr_eq(engine, &member.engine) {
            member.engine = engine.clone();
            member.attempt(Step::LookUp, Member::look_into_memory);
        }
        member.builders_compiler = Some(scene.compiler);
        let alone = team.is_everybody(member.session.size());
        let outcome = self.bring(member, &team, agreed);
        if !alone {
            // The other teams may have failed.
            let rank = member.session.rank();
            let ended = member.ended.take();
            let mine = outcome.err().map(|error| ended.unwrap_or_else(|| Failure::of(rank, error)));
            let tree = Tree::over_all(member.session.size(), rank);
            let failure = member.session.all_reduce(Step::Others, &tree, mine, Failure::first)?;
            failure.map_or(Ok(()), |failure| Err(failure.into_error()))?;
        } else {
            outcome?;
        }
        member.adopt();
        Ok(())
    }

    fn bring(&self, member: &mut Member<'_, '_>, team: &Team, agreed: Agreement) -> Result<()> {
        // What was said with the first message will do if all ranks said it, and meant the same by it.
        let said = agreed.known.filter(|_| {
            agreed.scene.is_some() && agreed.held == Held::None && team.is_everybody(member.session.size())
        });
        let known = match said {
            Some(known) => known,
            None => {
                let known = member.attempt(Step::LookUp, |member| member.look_up(team)).unwrap_or_default();
                let mine = (member.failure.clone(), Some(known));
                let (failure, known) =
                    member.session.all_reduce(Step::LookUp, team.whole(), mine, |a, b| {
                        let known = match (a.1, b.1) {
                            (Some(a), Some(b)) => Known::merge_all(a, b),
                            (a, b) => a.or(b),
                        };
                        (Failure::first(a.0, b.0), known)
                    })?;
                if let Some(failure) = failure {
                    return Err(member.end(failure));
                }
                known.unwrap_or_default()
            }
        };
        member.obtain(team, known, team.nodes > 1)
    }

    /// The first message of every load.
    fn agree(&self, member: &mut Member<'_, '_>, any: &[&AnySpec]) -> Result<Agreement> {
        let scene = known_scene(self.jit.engine(), self.scene_key(member.session.key()));
        let features = self.processor.unwrap_or_else(CpuFeatures::of_host);
        let native = self.processor.map_or_else(native_digest, |cpu| digest(&cpu.bits().to_le_bytes()));
        let rank = member.session.rank();
        if let Some(scene) = &scene {
            member.builders_compiler = Some(scene.compiler);
            if let Some(derived) = &scene.derived {
                member.engine = derived.clone();
            }
        }
        let options = format!("{PROTOCOL} {} {}", self.strategy(any.len()), self.per_cpu);
        let mut signer = Signer::quiet("dijitso request of ranks 1");
        signer.field("options", &options);
        signer.field("specs", &any.iter().map(|spec| spec.signature()).collect::<Vec<_>>());
        let request = signer.finish();
        let held = member.attempt(Step::Agree, |member| {
            // Also those that ask for a kernel once more.
            for spec in any {
                spec.check_name().and_then(|()| claim(spec))?;
            }
            member.look_into_memory()
        });
        let mut known = None;
        if held == Some(Held::None)
            && let Some(scene) = &scene
        {
            let team = scene.team(rank, self.strategy(any.len()), self.per_cpu);
            if team.is_everybody(member.session.size()) {
                known = member.attempt(Step::LookUp, |member| member.look_up(&team));
            }
        }
        let mine = Agreement {
            lowest: rank as u32,
            request,
            differs: None,
            failure: member.failure.clone(),
            scene: scene.as_ref().map(|scene| scene.id),
            sealed: self.jit.engine().is_sealed(),
            features,
            native: Some(native),
            flags: Some(self.jit.engine().flags_digest()),
            held: held.unwrap_or(Held::Some),
            known,
            handed: None,
        };
        // Not looked for again: other threads may have more to note than there is room for.
        member.scene = scene;
        let tree = Tree::over_all(member.session.size(), rank);
        let agreed = member.session.reduce(Step::Agree, &tree, mine, Agreement::merge)?;
        // On rank 0.
        let agreed = agreed.map(|agreed| match member.scene.clone() {
            Some(scene) => {
                let team = scene.team(rank, self.strategy(any.len()), self.per_cpu);
                member.hand_ahead(agreed, &team)
            }
            None => agreed,
        });
        let mut agreed = member.session.broadcast(Step::Agree, &tree, agreed)?;
        if let Some(other) = agreed.differs {
            return Err(member.mismatch(any, &options, &tree, [agreed.lowest, other])?);
        }
        member.sealed = agreed.sealed;
        if let Some(told) = agreed.handed.take() {
            member.ahead.get_or_insert(Ahead { told, parcels: Vec::new() });
        }
        match agreed.failure.clone() {
            Some(failure) => Err(failure.into_error()),
            None => Ok(agreed),
        }
    }
}
