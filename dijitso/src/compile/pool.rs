//! Compiler processes side by side, driven from the calling thread.
//!
//! There is no helper thread: under MPI_THREAD_SINGLE there may be none, and a program that forks
//! must not find one.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use super::ended::Ended;
use super::job::{Job, Step};
use super::pack::Pack;
use crate::process::{Limits, Running, wait_any};
use crate::stats::Counters;

/// Jobs that are under way, by the caller's number for them.
pub(crate) struct Pool<'a> {
    counters: &'a Counters,
    limits: &'a Limits,
    running: Vec<Running>,
    /// In step with `running`: whose process it is.
    owners: Vec<Owner>,
    jobs: HashMap<usize, Job>,
    /// Compiled in packs, to be linked.
    queue: VecDeque<(usize, Job)>,
    finished: Vec<(usize, Ended)>,
}

enum Owner {
    /// By the caller's number.
    Job(usize),
    Pack(Box<Pack>),
}

impl<'a> Pool<'a> {
    pub(crate) fn new(counters: &'a Counters, limits: &'a Limits) -> Pool<'a> {
        Pool {
            counters,
            limits,
            running: Vec::new(),
            owners: Vec::new(),
            jobs: HashMap::new(),
            queue: VecDeque::new(),
            finished: Vec::new(),
        }
    }

    /// Whether one more compiler fits on the cores and into the memory.
    pub(crate) fn has_room(&self) -> bool {
        self.queue.is_empty() && self.limits.may_start(self.running.len())
    }

    /// How many compilers the cores have room for; at least one.
    pub(crate) fn free(&self) -> usize {
        self.limits.jobs().saturating_sub(self.running.len()).max(1)
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.running.is_empty() && self.queue.is_empty() && self.finished.is_empty()
    }

    pub(crate) fn start(&mut self, key: usize, mut job: Job) {
        self.counters.compiled.one();
        let step = job.begin();
        self.jobs.insert(key, job);
        self.take(key, step);
    }

    /// Compiles several units in one go; they come back one by one.
    pub(crate) fn start_pack(&mut self, mut pack: Pack) {
        self.counters.packs.one();
        self.counters.compiled.add(pack.numbers().len() as u64);
        let running = pack.begin().and_then(|command| command.spawn(self.counters).ok());
        match running {
            Some(running) => {
                self.running.push(running);
                self.owners.push(Owner::Pack(Box::new(pack)));
            }
            None => self.alone(pack.numbers()),
        }
    }

    /// A job that has ended, waiting for one at most `patience`.
    pub(crate) fn next(&mut self, patience: Duration) -> Option<(usize, Ended)> {
        let deadline = Instant::now() + patience;
        loop {
            // Before anything is handed out: the caller publishes it while these run.
            while self.limits.may_start(self.running.len())
                && let Some((key, mut job)) = self.queue.pop_front()
            {
                let step = job.begin();
                self.jobs.insert(key, job);
                self.take(key, step);
            }
            if let Some(done) = self.finished.pop() {
                return Some(done);
            }
            if self.running.is_empty() {
                return None;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            let index = wait_any(&mut self.running, left)?;
            let output = self.running.swap_remove(index).into_output();
            match self.owners.swap_remove(index) {
                Owner::Job(key) => {
                    if let Some(job) = self.jobs.get_mut(&key) {
                        let step = job.advance(output);
                        self.take(key, step);
                    }
                }
                Owner::Pack(pack) => {
                    let (jobs, alone) = pack.compiled(&output);
                    self.queue.extend(jobs);
                    self.alone(alone);
                }
            }
        }
    }

    fn alone(&mut self, numbers: Vec<usize>) {
        self.finished.extend(numbers.into_iter().map(|number| (number, Ended::Alone)));
    }

    fn take(&mut self, key: usize, step: Step) {
        match step {
            Step::Run(command) => match command.spawn(self.counters) {
                Ok(running) => {
                    self.running.push(running);
                    self.owners.push(Owner::Job(key));
                }
                Err(error) => {
                    if let Some(job) = self.jobs.remove(&key) {
                        self.finished.push((key, Ended::Failed(job.cannot_start(&command, &error))));
                    }
                }
            },
            Step::Done(ended) => {
                self.jobs.remove(&key);
                self.finished.push((key, ended));
            }
        }
    }
}
