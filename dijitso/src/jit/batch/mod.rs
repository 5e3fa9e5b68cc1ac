//! One request, from specs to loaded kernels: a dependency graph walked with compilers side by side.
//!
//! Every load is a batch, most of them of one. First each spec is looked up and, on a miss, generated,
//! which tells what it depends on ([`discovery`]); then units are compiled as their dependencies become
//! ready ([`build`]). All of it happens on the calling thread.

mod build;
mod discovery;

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Outcome;
use super::engine::Engine;
use super::flight::{Lead, Waited};
use super::lookup::Verified;
use crate::cache::{Lock, Texts};
use crate::compile::{Pool, Unit};
use crate::error::Error;
use crate::kernel::Loaded;
use crate::report::{KernelOrigin, Report};
use crate::signature::Signature;
use crate::source::{AnySpec, Parts};
use discovery::Descent;

const SHORTEST: Duration = Duration::from_millis(1);
const LONGEST: Duration = Duration::from_millis(40);

pub(super) struct Batch<'e> {
    engine: &'e Engine,
    nodes: Vec<Node<'e>>,
    numbers: HashMap<Signature, usize>,
    /// Kernels whose dependencies are being looked for, outermost first.
    descents: Vec<Descent>,
    /// Generated, with all dependencies loaded; the most urgent first.
    ready: VecDeque<usize>,
    /// The first of these, signed.
    signed: VecDeque<usize>,
    /// Kernels that were compiled together with others, and those of which that was in vain.
    together: usize,
    strays: usize,
    /// Of those that are being compiled: with texts that take time to compress.
    long: VecDeque<usize>,
    /// Another process has the lock.
    locked: Vec<usize>,
    /// Another thread builds it.
    foreign: Vec<usize>,
    unfinished: usize,
    /// Between two looks at other processes' locks.
    pause: Duration,
    pool: Pool<'e>,
    /// Dependencies that were looked up.
    verified: Verified,
    /// Kernels that are built in any case.
    beforehand: Beforehand,
    /// Why there is no compiler: asked once, or a broken one would be tried for every kernel.
    no_compiler: Option<Error>,
}

/// What is known of kernels before a batch begins, by their specs.
#[derive(Debug, Default)]
pub(super) struct Beforehand {
    /// They are built, wherever they are loaded or cached.
    pub(super) forced: HashSet<Signature>,
    /// Their generators have run.
    pub(super) parts: HashMap<Signature, Arc<Parts>>,
    /// All that is loaded is needed at the end, or others wait for it: no room is made in the cache before that.
    pub(super) keeps: bool,
}

struct Node<'e> {
    spec: AnySpec,
    lead: Option<Lead<'e>>,
    parts: Option<Arc<Parts>>,
    dependencies: Vec<usize>,
    /// The same, loaded: set when all of them are, and kept, because one may have to be built again.
    libraries: Vec<Arc<Loaded>>,
    /// Who waits for this one.
    dependents: Vec<usize>,
    /// How many dependencies are not there yet, and one more while they are being looked for.
    awaits: usize,
    /// Bytes of text from here to the last of its dependents: what takes longest is begun first, or all but
    /// one of the cores would wait for it at the end.
    urgency: usize,
    unit: Option<Arc<Unit>>,
    /// Its sources, compressed for the cache.
    texts: Option<Texts>,
    lock: Option<Lock>,
    lock_deadline: Option<Instant>,
    /// When another process was first found to build it, if that is traced.
    locked_since: Option<Instant>,
    attempts: u32,
    /// Was compiled together with others.
    packed: bool,
    /// Not to be compiled together with others again.
    alone: bool,
    /// It was loaded, but its entry is gone and a dependent's build, or another rank, needs it.
    renewed: bool,
    report: Report,
    outcome: Option<Outcome>,
}

impl<'e> Batch<'e> {
    /// The outcome of every spec, in their order. The caller sees to the cache's [`upkeep`](Engine::upkeep) then.
    pub(super) fn load(engine: &'e Engine, specs: &[&AnySpec], beforehand: Beforehand) -> Vec<Outcome> {
        let mut batch = Batch {
            engine,
            nodes: Vec::with_capacity(specs.len()),
            numbers: HashMap::with_capacity(specs.len()),
            descents: Vec::new(),
            ready: VecDeque::new(),
            signed: VecDeque::new(),
            together: 0,
            strays: 0,
            long: VecDeque::new(),
            locked: Vec::new(),
            foreign: Vec::new(),
            unfinished: 0,
            pause: SHORTEST,
            pool: Pool::new(&engine.counters, &engine.limits),
            verified: Verified::default(),
            beforehand,
            no_compiler: None,
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

    fn run(&mut self) {
        self.set_urgencies();
        while self.unfinished > 0 {
            self.retry_locked();
            while self.pool.has_room()
                && let Some(group) = self.next_group()
            {
                self.start(&group);
            }
            self.use_the_time();
            let patience = if self.locked.is_empty() { Duration::from_secs(1) } else { self.pause };
            if let Some((number, ended)) = self.pool.next(patience) {
                self.pause = SHORTEST;
                self.ended(number, ended);
                if !self.beforehand.keeps {
                    // Who waits for this kernel has it by now.
                    self.engine.store.evict_if_full();
                }
                continue;
            }
            let idle = self.pool.is_idle() && self.ready.is_empty() && self.signed.is_empty();
            if !self.locked.is_empty() {
                if idle {
                    std::thread::sleep(self.pause);
                }
                self.pause = (self.pause * 2).min(LONGEST);
            } else if idle && self.unfinished > 0 {
                match self.foreign.pop() {
                    Some(number) => self.wait_for(number),
                    None => self.end_circle(),
                }
            }
        }
    }

    fn set_urgencies(&mut self) {
        // Each after its dependents.
        let mut waiting: Vec<usize> = self.nodes.iter().map(|node| node.dependents.len()).collect();
        let mut next: Vec<usize> = (0..self.nodes.len()).filter(|&number| waiting[number] == 0).collect();
        while let Some(number) = next.pop() {
            let node = &self.nodes[number];
            let own = node.parts.as_ref().map_or(0, |parts| parts.text.len());
            let above = node.dependents.iter().map(|&dependent| self.nodes[dependent].urgency).max();
            self.nodes[number].urgency = own + above.unwrap_or(0);
            for needed in self.nodes[number].dependencies.clone() {
                // One that is there has nobody who waits for it.
                if waiting[needed] > 0 {
                    waiting[needed] -= 1;
                    if waiting[needed] == 0 {
                        next.push(needed);
                    }
                }
            }
        }
        let nodes = &self.nodes;
        self.ready.make_contiguous().sort_by_key(|&number| Reverse(nodes[number].urgency));
    }

    /// Everything that a node depends on is there.
    fn is_ready(&mut self, number: usize) {
        enqueue(&mut self.ready, &self.nodes, number);
    }

    fn is_signed(&mut self, number: usize) {
        enqueue(&mut self.signed, &self.nodes, number);
    }

    fn wait_for(&mut self, number: usize) {
        let signature = self.nodes[number].spec.signature();
        let deadline = Instant::now() + self.engine.config.cache.lock_wait.value;
        let start = self.engine.trace.begin();
        let waited = self.engine.flights.wait(signature, self.blocked_by(number), deadline);
        self.engine.trace.did("wait", start, || self.nodes[number].spec.at());
        match waited {
            // The other thread may have found it loaded.
            Waited::Landed(Ok(_)) if self.nodes[number].renewed => self.begin(number, true),
            Waited::Landed(Ok((loaded, _))) => {
                self.engine.counters.shared.one();
                self.finish(number, Ok((loaded, KernelOrigin::Memory)));
            }
            Waited::Landed(Err(error)) | Waited::Cycle(error) => self.finish(number, Err(error)),
            Waited::GiveUp => self.begin(number, true),
        }
        self.descend();
    }

    /// All kernels of the batch that cannot be built before this one.
    fn blocked_by(&self, number: usize) -> Vec<Signature> {
        let (mut seen, mut blocked) = (HashSet::from([number]), Vec::new());
        let mut next = vec![number];
        while let Some(number) = next.pop() {
            for &dependent in &self.nodes[number].dependents {
                if seen.insert(dependent) {
                    blocked.push(self.nodes[dependent].spec.signature());
                    next.push(dependent);
                }
            }
        }
        blocked
    }

    /// Nothing runs, nobody else is waited for, and not all are finished: then some wait for each other.
    /// A thread that did not wait for another one's half of the circle finds it only here.
    fn end_circle(&mut self) {
        let unfinished = |number: &usize| self.nodes[*number].outcome.is_none();
        let Some(mut number) = (0..self.nodes.len()).find(unfinished) else { return };
        let mut way = Vec::new();
        let start = loop {
            if let Some(start) = way.iter().position(|seen| *seen == number) {
                break start;
            }
            way.push(number);
            match self.nodes[number].dependencies.iter().copied().find(unfinished) {
                Some(next) => number = next,
                None => {
                    let error = lost(&self.nodes[number].spec);
                    return self.finish(number, Err(error));
                }
            }
        };
        let path = way[start..].iter().chain([&number]).map(|&n| self.nodes[n].spec.description());
        let error = Error::Cycle { path: path.collect() };
        self.finish(number, Err(error));
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
        // A batch of thousands must not hold all their texts until its end.
        (node.parts, node.unit, node.texts, node.libraries) = (None, None, None, Vec::new());
        self.unfinished -= 1;
        for dependent in std::mem::take(&mut node.dependents) {
            self.awaits_one_less(dependent);
        }
    }

    fn awaits_one_less(&mut self, number: usize) {
        let waiting = &mut self.nodes[number];
        waiting.awaits -= 1;
        if waiting.awaits == 0 && waiting.outcome.is_none() {
            self.is_ready(number);
        }
    }
}

/// Behind all that are as urgent.
fn enqueue(queue: &mut VecDeque<usize>, nodes: &[Node<'_>], number: usize) {
    let at = queue.partition_point(|&other| nodes[other].urgency >= nodes[number].urgency);
    queue.insert(at, number);
}

pub(super) fn lost(spec: &AnySpec) -> Error {
    Error::Generator {
        kernel: spec.at(),
        problem: "was never finished; please report this as a bug".to_owned(),
    }
}
