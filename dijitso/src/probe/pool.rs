//! The programs of many questions, side by side, driven from the calling thread.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::time::Duration;

use super::cmake::{CMakeCall, CMakeJob};
use super::fuse::Fuse;
use super::job::{Job, Next, Trace};
use super::need::{Answered, Called, called};
use super::session::told;
use super::surroundings::Surroundings;
use super::told::Problem;
use super::trial::Trial;
use crate::process::{Command, Limits, Running, wait_any};
use crate::signature::Signature;
use crate::stats::Counters;
use crate::toolchain::interpreter_of;

/// Something to find out.
#[derive(Debug)]
pub(super) enum Task {
    Trial(Signature, Trial),
    Facts(Fuse),
    Call(Signature, Command, Trace),
    /// With the program, and where an earlier one would be.
    CMake(Signature, CMakeCall, PathBuf, Vec<PathBuf>),
}

/// What was found out, with what it rests on; or why nobody can say.
pub(super) type Answers = Vec<(Signature, Result<(Answered, Trace), Problem>)>;

pub(super) struct Pool<'a> {
    around: Surroundings,
    limits: &'a Limits,
    counters: &'a Counters,
    running: Vec<Running>,
    /// In step with `running`.
    owners: Vec<Owner>,
    waiting: VecDeque<Waiting>,
    answers: Answers,
    fuses: Vec<Fuse>,
}

#[derive(Debug)]
enum Waiting {
    Trial(Place, Box<Trial>),
    Call(Signature, Command, Trace),
    CMake(Signature, CMakeCall, PathBuf, Vec<PathBuf>),
}

/// Whose trial it is.
#[derive(Debug, Clone, Copy)]
enum Place {
    Alone(Signature),
    /// Which one of which fuse.
    Fuse(usize, usize),
}

#[derive(Debug)]
enum Owner {
    Job(Place, Box<Job>),
    Call(Signature, Box<Command>, Trace),
    /// What the program was loaded with, after it has said what it is.
    Listing(Signature, PathBuf, Called, Trace),
    CMake(Signature, Box<CMakeJob>),
}

impl<'a> Pool<'a> {
    pub(super) fn new(around: Surroundings, limits: &'a Limits, counters: &'a Counters) -> Pool<'a> {
        Pool {
            around,
            limits,
            counters,
            running: Vec::new(),
            owners: Vec::new(),
            waiting: VecDeque::new(),
            answers: Vec::new(),
            fuses: Vec::new(),
        }
    }

    /// Runs everything to its end.
    pub(super) fn run(mut self, tasks: Vec<Task>) -> Answers {
        for task in tasks {
            match task {
                Task::Trial(key, trial) => {
                    self.waiting.push_back(Waiting::Trial(Place::Alone(key), Box::new(trial)));
                }
                Task::Call(key, command, trace) => self.waiting.push_back(Waiting::Call(key, command, trace)),
                Task::CMake(key, call, cmake, absent) => {
                    self.waiting.push_back(Waiting::CMake(key, call, cmake, absent));
                }
                Task::Facts(mut fuse) => {
                    let trials = fuse.begin();
                    self.queue(self.fuses.len(), trials);
                    self.fuses.push(fuse);
                }
            }
        }
        loop {
            while self.limits.may_start(self.running.len())
                && let Some(next) = self.waiting.pop_front()
            {
                self.start(next);
            }
            if self.running.is_empty() {
                break;
            }
            let Some(index) = wait_any(&mut self.running, Duration::from_secs(3600)) else { continue };
            let output = self.running.swap_remove(index).into_output();
            match self.owners.swap_remove(index) {
                Owner::Job(place, mut job) => {
                    let next = job.advance(output);
                    self.go_on(place, job, next);
                }
                Owner::Call(key, command, trace) => match called(&command, &output) {
                    Ok(called) => self.list(key, &command, called, trace),
                    Err(problem) => self.answers.push((key, Err(problem.into()))),
                },
                Owner::Listing(key, program, called, mut trace) => {
                    let library_path = self.around.config.library_path.as_deref();
                    trace.is_loaded_with(&program, &output.stdout, library_path, &self.around.fs);
                    trace.incomplete |= !output.status.success();
                    self.answers.push((key, Ok((Answered::Call(called), trace))));
                }
                Owner::CMake(key, job) => {
                    let answer = job.ended(&self.around, &output);
                    let answer = answer.map(|(called, trace)| (Answered::Call(called), trace));
                    self.answers.push((key, answer));
                }
            }
        }
        for fuse in self.fuses {
            let solved = fuse.results().into_iter();
            self.answers.extend(
                solved.map(|(key, result)| (key, result.map(|(told, trace)| (Answered::Fact(told), trace)))),
            );
        }
        self.answers
    }

    /// A version may be that of a library. A script, and what has no libraries, is answered.
    fn list(&mut self, key: Signature, command: &Command, called: Called, mut trace: Trace) {
        if let Some(loader) = interpreter_of(&command.program, &self.around.fs) {
            let program = command.program.clone();
            let args = vec!["--list".into(), program.clone().into_os_string()];
            let command = Command { program: loader, args, ..command.clone() };
            match command.spawn(self.counters) {
                Ok(running) => {
                    self.running.push(running);
                    self.owners.push(Owner::Listing(key, program, called, trace));
                    return;
                }
                Err(_) => trace.incomplete = true,
            }
        }
        self.answers.push((key, Ok((Answered::Call(called), trace))));
    }

    fn queue(&mut self, fuse: usize, trials: Vec<(usize, Trial)>) {
        for (number, trial) in trials {
            self.waiting.push_back(Waiting::Trial(Place::Fuse(fuse, number), Box::new(trial)));
        }
    }

    fn start(&mut self, next: Waiting) {
        match next {
            Waiting::Trial(place, trial) => {
                let mut job = Box::new(Job::new(self.around.clone(), *trial));
                let next = job.begin();
                self.go_on(place, job, next);
            }
            Waiting::CMake(key, call, cmake, absent) => {
                let job = CMakeJob::new(&self.around, &call, &cmake, absent);
                let started = job.and_then(|job| {
                    let running = job.command().spawn(self.counters);
                    let running =
                        running.map_err(|error| format!("cannot start {}: {error}", cmake.display()))?;
                    Ok((job, running))
                });
                match started {
                    Ok((job, running)) => {
                        self.running.push(running);
                        self.owners.push(Owner::CMake(key, Box::new(job)));
                    }
                    Err(problem) => self.answers.push((key, Err(problem.into()))),
                }
            }
            Waiting::Call(key, command, trace) => match command.spawn(self.counters) {
                Ok(running) => {
                    self.running.push(running);
                    self.owners.push(Owner::Call(key, Box::new(command), trace));
                }
                Err(error) => {
                    let program = command.program.display();
                    self.answers.push((key, Err(format!("cannot start {program}: {error}").into())));
                }
            },
        }
    }

    fn go_on(&mut self, place: Place, mut job: Box<Job>, next: Next) {
        let ended = match next {
            Next::Run(command) => match command.spawn(self.counters) {
                Ok(running) => {
                    self.running.push(running);
                    self.owners.push(Owner::Job(place, job));
                    return;
                }
                Err(error) => job.cannot_start(&error),
            },
            Next::Done(ended) => ended,
        };
        match place {
            Place::Alone(key) => self.answers.push((key, told(ended))),
            Place::Fuse(fuse, number) => {
                let trials = self.fuses[fuse].told(number, ended);
                self.queue(fuse, trials);
            }
        }
    }
}
