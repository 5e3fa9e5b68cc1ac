//! Compiler processes side by side, driven from the calling thread.
//!
//! There is no helper thread: under MPI_THREAD_SINGLE there may be none, and a program that forks
//! must not find one.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::job::{Built, Failed, Job, Step};
use crate::process::{Limits, Running, wait_any};
use crate::stats::Counters;

/// Jobs that are under way, by the caller's number for them.
pub(crate) struct Pool<'a> {
    counters: &'a Counters,
    limits: &'a Limits,
    running: Vec<Running>,
    /// In step with `running`.
    keys: Vec<usize>,
    jobs: HashMap<usize, Job>,
    finished: Vec<(usize, Result<Built, Failed>)>,
}

impl<'a> Pool<'a> {
    pub(crate) fn new(counters: &'a Counters, limits: &'a Limits) -> Pool<'a> {
        Pool {
            counters,
            limits,
            running: Vec::new(),
            keys: Vec::new(),
            jobs: HashMap::new(),
            finished: Vec::new(),
        }
    }

    /// Whether one more compiler fits on the cores and into the memory.
    pub(crate) fn has_room(&self) -> bool {
        self.limits.may_start(self.running.len())
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.running.is_empty() && self.finished.is_empty()
    }

    pub(crate) fn start(&mut self, key: usize, mut job: Job) {
        self.counters.compiled.one();
        let step = job.begin();
        self.jobs.insert(key, job);
        self.take(key, step);
    }

    /// A finished job, waiting for one at most `patience`.
    pub(crate) fn next(&mut self, patience: Duration) -> Option<(usize, Result<Built, Failed>)> {
        let deadline = Instant::now() + patience;
        loop {
            if let Some(done) = self.finished.pop() {
                return Some(done);
            }
            if self.running.is_empty() {
                return None;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            let index = wait_any(&mut self.running, left)?;
            let output = self.running.swap_remove(index).into_output();
            let key = self.keys.swap_remove(index);
            if let Some(job) = self.jobs.get_mut(&key) {
                let step = job.advance(output);
                self.take(key, step);
            }
        }
    }

    fn take(&mut self, key: usize, step: Step) {
        match step {
            Step::Run(command) => match command.spawn(self.counters) {
                Ok(running) => {
                    self.running.push(running);
                    self.keys.push(key);
                }
                Err(error) => {
                    if let Some(job) = self.jobs.remove(&key) {
                        self.finished.push((key, Err(job.cannot_start(&command, &error))));
                    }
                }
            },
            Step::Done(result) => {
                self.jobs.remove(&key);
                self.finished.push((key, result));
            }
        }
    }
}
