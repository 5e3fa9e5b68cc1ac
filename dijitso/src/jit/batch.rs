//! One request, from specs to loaded kernels: a dependency graph walked with compilers side by side.
//!
//! Every load is a batch, most of them of one. First each spec is looked up and, on a miss, generated,
//! which tells what it depends on; then units are compiled as their dependencies become ready. All of
//! it happens on the calling thread.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::engine::Engine;
use super::flight::{Joined, Lead, Waited};
use super::lookup::{Found, InUnit};
use super::publish::{Finished, Making};
use super::{Outcome, memory};
use crate::cache::{Defect, Lock};
use crate::compile::{Job, Pool, Unit};
use crate::error::Error;
use crate::kernel::Loaded;
use crate::report::{KernelOrigin, Report};
use crate::signature::Signature;
use crate::source::{AnySpec, Parts};

/// How often a build is repeated because a header changed under it.
const ATTEMPTS: u32 = 3;

const SHORTEST: Duration = Duration::from_millis(1);
const LONGEST: Duration = Duration::from_millis(40);

pub(super) struct Batch<'e> {
    engine: &'e Engine,
    nodes: Vec<Node<'e>>,
    numbers: HashMap<Signature, usize>,
    /// Generated, with all dependencies loaded.
    ready: VecDeque<usize>,
    /// Another process has the lock.
    locked: Vec<usize>,
    /// Another thread builds it.
    foreign: Vec<usize>,
    unfinished: usize,
    /// Between two looks at other processes' locks.
    pause: Duration,
    pool: Pool<'e>,
}

struct Node<'e> {
    spec: AnySpec,
    lead: Option<Lead<'e>>,
    parts: Option<Arc<Parts>>,
    dependencies: Vec<usize>,
    /// Who waits for this one.
    dependents: Vec<usize>,
    /// How many dependencies are not there yet.
    awaits: usize,
    unit: Option<Arc<Unit>>,
    lock: Option<Lock>,
    lock_deadline: Option<Instant>,
    attempts: u32,
    /// It was loaded, but its entry is gone and a dependent's build needs it.
    renewed: bool,
    report: Report,
    outcome: Option<Outcome>,
}

impl<'e> Batch<'e> {
    /// The outcome of every spec, in their order.
    pub(super) fn load(engine: &'e Engine, specs: &[&AnySpec]) -> Vec<Outcome> {
        let mut batch = Batch {
            engine,
            nodes: Vec::with_capacity(specs.len()),
            numbers: HashMap::with_capacity(specs.len()),
            ready: VecDeque::new(),
            locked: Vec::new(),
            foreign: Vec::new(),
            unfinished: 0,
            pause: SHORTEST,
            pool: Pool::new(&engine.counters, &engine.limits),
        };
        let numbers: Vec<usize> = specs.iter().map(|spec| batch.node(spec)).collect();
        batch.run();
        let outcome = |number: usize| batch.nodes[number].outcome.clone();
        numbers
            .into_iter()
            .zip(specs)
            .map(|(n, spec)| outcome(n).unwrap_or_else(|| Err(lost(spec))))
            .collect()
    }

    /// The node of a spec; a new one is looked up and, on a miss, generated at once.
    fn node(&mut self, spec: &AnySpec) -> usize {
        let signature = spec.signature();
        if let Some(&number) = self.numbers.get(&signature) {
            if let Err(error) = memory::claim(spec) {
                // The same key from another generator: not this node's business, but an error all the same.
                return self.add(spec, Some(Err(error)));
            }
            return number;
        }
        let number = self.add(spec, None);
        self.numbers.insert(signature, number);
        self.begin(number, false);
        number
    }

    fn add(&mut self, spec: &AnySpec, outcome: Option<Outcome>) -> usize {
        self.unfinished += usize::from(outcome.is_none());
        self.nodes.push(Node {
            spec: spec.clone(),
            lead: None,
            parts: None,
            dependencies: Vec::new(),
            dependents: Vec::new(),
            awaits: 0,
            unit: None,
            lock: None,
            lock_deadline: None,
            attempts: 0,
            renewed: false,
            report: Report::default(),
            outcome,
        });
        self.nodes.len() - 1
    }

    /// Memory, then whoever builds it already, then the disk, then the generator. With `alone`, what
    /// another thread does is not waited for.
    fn begin(&mut self, number: usize, alone: bool) {
        let spec = self.nodes[number].spec.clone();
        if let Err(error) = spec.check_name().and_then(|()| memory::claim(&spec)) {
            return self.finish(number, Err(error));
        }
        match self.engine.flights.join(spec.signature(), spec.description()) {
            Joined::Lead(lead) => self.nodes[number].lead = Some(lead),
            Joined::Again(parts) => self.nodes[number].parts = parts,
            Joined::Busy if alone => {}
            Joined::Busy => return self.foreign.push(number),
            Joined::Cycle(error) => return self.finish(number, Err(error)),
        }
        // Only now: another thread may have loaded it before we got the lead.
        match self.engine.memory.get(&spec) {
            Ok(Some(loaded)) => return self.finish(number, Ok((loaded, KernelOrigin::Memory))),
            Ok(None) => {}
            Err(error) => return self.finish(number, Err(error)),
        }
        if self.nodes[number].parts.is_none() {
            let start = Instant::now();
            let found = self.engine.look_up(&spec);
            self.nodes[number].report.lookup = start.elapsed();
            match found {
                Found::Hit(loaded) => return self.finish(number, Ok((loaded, KernelOrigin::Disk))),
                Found::Failed(error) => return self.finish(number, Err(error)),
                Found::Miss(reason) => {
                    log::debug!("{}: {reason}", spec.at());
                    self.engine.counters.miss(&reason);
                }
            }
            if let Err(error) = self.engine.compiler_for(&spec) {
                return self.finish(number, Err(error));
            }
        }
        self.generate(number, &spec);
    }

    fn generate(&mut self, number: usize, spec: &AnySpec) {
        let _working = self.engine.flights.working(spec.signature());
        let parts = match self.nodes[number].parts.clone() {
            Some(parts) => parts,
            None => {
                let start = Instant::now();
                self.engine.counters.generated.one();
                match spec.generate() {
                    Ok(parts) => {
                        self.nodes[number].report.generate = start.elapsed();
                        Arc::new(parts)
                    }
                    Err(error) => return self.finish(number, Err(error)),
                }
            }
        };
        if let Some(lead) = &self.nodes[number].lead {
            lead.generated(&parts);
        }
        self.nodes[number].parts = Some(parts.clone());
        if self.engine.config.generator.log_source.value {
            log::info!("{} is\n{}", spec.at(), parts.text);
        }
        for dependency in &parts.dependencies {
            let needed = match self.numbers.get(&dependency.signature()) {
                Some(&known) if self.on_the_way_down(known) => {
                    // Joining a kernel that this thread is in the middle of tells the circle.
                    if let Joined::Cycle(error) =
                        self.engine.flights.join(dependency.signature(), dependency.description())
                    {
                        return self.finish(number, Err(error));
                    }
                    known
                }
                _ => self.node(dependency),
            };
            self.nodes[number].dependencies.push(needed);
            if self.nodes[needed].outcome.is_none() {
                self.nodes[needed].dependents.push(number);
                self.nodes[number].awaits += 1;
            }
        }
        if self.nodes[number].awaits == 0 {
            self.ready.push_back(number);
        }
    }

    /// Whether a node is neither finished nor waiting for anything: its dependencies are being found.
    fn on_the_way_down(&self, number: usize) -> bool {
        self.nodes[number].outcome.is_none()
            && !self.foreign.contains(&number)
            && self.nodes[number].parts.is_some()
            && self.engine.flights.is_working(&self.nodes[number].spec.signature())
    }

    fn run(&mut self) {
        while self.unfinished > 0 {
            self.retry_locked();
            while self.pool.has_room()
                && let Some(number) = self.ready.pop_front()
            {
                self.start(number);
            }
            let patience = if self.locked.is_empty() { Duration::from_secs(1) } else { self.pause };
            if let Some((number, result)) = self.pool.next(patience) {
                self.pause = SHORTEST;
                self.built(number, result);
            } else if self.pool.is_idle() && self.ready.is_empty() && self.unfinished > 0 {
                if !self.locked.is_empty() {
                    std::thread::sleep(self.pause);
                    self.pause = (self.pause * 2).min(LONGEST);
                } else if let Some(number) = self.foreign.pop() {
                    self.wait_for(number);
                } else {
                    return;
                }
            }
        }
    }

    /// Everything a node depends on is there: sign it, look for its content, and if nobody has it, compile.
    fn start(&mut self, number: usize) {
        let mut dependencies = Vec::new();
        for &needed in &self.nodes[number].dependencies {
            match &self.nodes[needed].outcome {
                Some(Ok((loaded, _))) => dependencies.push(loaded.clone()),
                Some(Err(error)) => return self.finish(number, Err(error.clone())),
                None => return,
            }
        }
        let spec = self.nodes[number].spec.clone();
        let Some(parts) = self.nodes[number].parts.clone() else { return };
        // A load inside somebody's generator may have built it meanwhile.
        if !self.nodes[number].renewed
            && let Ok(Some(loaded)) = self.engine.memory.get(&spec)
        {
            return self.finish(number, Ok((loaded, KernelOrigin::Memory)));
        }
        let unit = match self.engine.prepare(&spec, &parts, &dependencies) {
            Ok(unit) => Arc::new(unit),
            Err(error) => return self.finish(number, Err(error)),
        };
        self.nodes[number].unit = Some(unit);
        self.compile(number, &dependencies);
    }

    fn compile(&mut self, number: usize, dependencies: &[Arc<Loaded>]) {
        let Some(unit) = self.nodes[number].unit.clone() else { return };
        if self.found_unit(number, &unit) {
            return;
        }
        if self.nodes[number].lock.is_none() {
            let now = Instant::now();
            let wait = self.engine.config.cache.lock_wait.value;
            let deadline = *self.nodes[number].lock_deadline.get_or_insert(now + wait);
            match self.engine.store.try_lock(&unit.signature) {
                Some(lock) => {
                    self.nodes[number].lock = Some(lock);
                    // Its last holder may have published it after we looked.
                    if self.found_unit(number, &unit) {
                        return;
                    }
                }
                None if now < deadline => return self.locked.push(number),
                None => log::warn!("{}: another process builds it for too long; building it here", unit.at),
            }
        }
        let linked = match self.engine.linked(dependencies) {
            Ok(linked) => linked,
            Err((position, defect)) => return self.renew(number, position, &defect),
        };
        match self.engine.bench() {
            Ok(bench) => self.pool.start(number, Job::new(bench, unit, linked)),
            Err(error) => self.finish(number, Err(error)),
        }
    }

    /// Builds a dependency once more, because a loaded library is no file to link to.
    fn renew(&mut self, number: usize, position: usize, defect: &Defect) {
        let needed = self.nodes[number].dependencies.get(position).copied();
        let Some(needed) = needed.filter(|&n| !self.nodes[n].renewed) else {
            let (kernel, problem) = (
                self.nodes[number].spec.at(),
                format!("a kernel that it depends on cannot be read back from the cache: {defect}"),
            );
            return self.finish(number, Err(Error::Load { kernel, problem }));
        };
        let node = &mut self.nodes[needed];
        log::info!("{} is built again: {defect}", node.spec.at());
        let spec = node.spec.clone();
        node.renewed = true;
        node.outcome = None;
        node.awaits = 0;
        node.dependencies.clear();
        node.dependents.push(number);
        self.unfinished += 1;
        self.nodes[number].awaits += 1;
        self.nodes[number].lock = None;
        self.generate(needed, &spec);
    }

    fn found_unit(&mut self, number: usize, unit: &Unit) -> bool {
        let spec = self.nodes[number].spec.clone();
        let Some(parts) = self.nodes[number].parts.clone() else { return false };
        let dependencies = self.loaded_dependencies(number);
        match self.engine.look_up_unit(&spec, unit, &parts, &dependencies) {
            InUnit::Hit(loaded) => self.finish(number, Ok((loaded, KernelOrigin::Disk))),
            InUnit::Failure(error) => {
                self.engine.counters.negative_hits.one();
                self.finish(number, Err(error));
            }
            InUnit::Miss => return false,
        }
        true
    }

    fn loaded_dependencies(&self, number: usize) -> Vec<Arc<Loaded>> {
        let outcomes = self.nodes[number].dependencies.iter().map(|&n| &self.nodes[n].outcome);
        outcomes.filter_map(|o| o.as_ref()?.as_ref().ok().map(|(loaded, _)| loaded.clone())).collect()
    }

    fn retry_locked(&mut self) {
        for number in std::mem::take(&mut self.locked) {
            let dependencies = self.loaded_dependencies(number);
            if self.pool.has_room() {
                self.compile(number, &dependencies);
            } else {
                self.locked.push(number);
            }
        }
    }

    fn built(&mut self, number: usize, result: Result<crate::compile::Built, crate::compile::Failed>) {
        let Some(unit) = self.nodes[number].unit.clone() else { return };
        let spec = self.nodes[number].spec.clone();
        let Some(parts) = self.nodes[number].parts.clone() else { return };
        let dependencies = self.loaded_dependencies(number);
        match result {
            Err(failed) => {
                self.engine.remember_failure(&unit, &failed);
                self.finish(number, Err(failed.error));
            }
            Ok(built) => {
                self.nodes[number].attempts += 1;
                let making = Making {
                    spec: &spec,
                    unit: &unit,
                    parts: &parts,
                    dependencies: &dependencies,
                    report: self.nodes[number].report.clone(),
                    last_attempt: self.nodes[number].attempts >= ATTEMPTS,
                };
                match self.engine.finish(&making, built) {
                    Finished::Loaded(loaded) => {
                        self.engine.counters.built.one();
                        self.finish(number, Ok((loaded, KernelOrigin::Built)));
                    }
                    Finished::Changed(what) => {
                        log::info!("{}: {what} changed during the build; building again", unit.at);
                        // Signed anew: the compiler itself may be what changed.
                        self.nodes[number].unit = None;
                        self.nodes[number].lock = None;
                        self.ready.push_back(number);
                    }
                    Finished::Failed(error) => self.finish(number, Err(error)),
                }
            }
        }
    }

    fn wait_for(&mut self, number: usize) {
        let signature = self.nodes[number].spec.signature();
        let deadline = Instant::now() + self.engine.config.cache.lock_wait.value;
        let mut blocked = Vec::new();
        self.collect_dependents(number, &mut blocked);
        match self.engine.flights.wait(signature, blocked, deadline) {
            Waited::Landed(Ok((loaded, _))) => {
                self.engine.counters.shared.one();
                self.finish(number, Ok((loaded, KernelOrigin::Memory)));
            }
            Waited::Landed(Err(error)) | Waited::Cycle(error) => self.finish(number, Err(error)),
            Waited::GiveUp => self.begin(number, true),
        }
    }

    fn collect_dependents(&self, number: usize, into: &mut Vec<Signature>) {
        for &dependent in &self.nodes[number].dependents {
            let signature = self.nodes[dependent].spec.signature();
            if !into.contains(&signature) {
                into.push(signature);
                self.collect_dependents(dependent, into);
            }
        }
    }

    fn finish(&mut self, number: usize, outcome: Outcome) {
        let node = &mut self.nodes[number];
        if node.outcome.is_some() {
            return;
        }
        if let Ok((loaded, _)) = &outcome {
            self.engine.memory.put(&node.spec, loaded);
        }
        if let Some(lead) = node.lead.take() {
            lead.land(&outcome);
        }
        node.lock = None;
        node.outcome = Some(outcome);
        self.unfinished -= 1;
        for dependent in std::mem::take(&mut node.dependents) {
            let waiting = &mut self.nodes[dependent];
            waiting.awaits -= 1;
            if waiting.awaits == 0 && waiting.outcome.is_none() {
                self.ready.push_back(dependent);
            }
        }
    }
}

pub(super) fn lost(spec: &AnySpec) -> Error {
    Error::Generator {
        kernel: spec.at(),
        problem: "was never finished; please report this as a bug".to_owned(),
    }
}
