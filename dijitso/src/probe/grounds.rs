//! What a session remembers, keeps, and what the answers rest on.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use super::cmake::still_so;
use super::job::Trace;
use super::need::{Answered, Need};
use super::session::{Session, lock};
use super::trial::Goal;
use crate::cache::{Answer, Glance, Inputs};
use crate::signature::{Signature, digest};

/// What the answers of a session rest on.
#[derive(Debug, Default)]
pub(super) struct Grounds {
    /// The user's files.
    files: Mutex<BTreeSet<PathBuf>>,
    /// Directories in which something was missing.
    places: Mutex<BTreeSet<PathBuf>>,
    /// Names of variables.
    variables: Mutex<BTreeSet<String>>,
}

impl Session {
    /// The user's files that answers rest on, as far as these are kept.
    pub(crate) fn watched(&self) -> Vec<PathBuf> {
        lock(&self.grounds.files).iter().cloned().collect()
    }

    /// Directories in which something had to be missing for the answers to be what they are.
    pub(crate) fn watched_places(&self) -> Vec<PathBuf> {
        lock(&self.grounds.places).iter().cloned().collect()
    }

    fn watch(&self, inputs: &Inputs) {
        lock(&self.grounds.files).extend(inputs.files());
        lock(&self.grounds.places).extend(inputs.places());
    }

    /// Where what repeats a failure of a project's configuration is kept, if nowhere else: with those of kernels.
    pub(crate) fn failure_dir(&self, project: &str, failure: &str) -> Option<PathBuf> {
        let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
        let name: String = project.chars().map(plain).collect();
        let name = format!("configure.{name}-{}", digest(failure.as_bytes()).short());
        self.store.as_ref().map(|store| store.failures_dir().join(name))
    }

    pub(super) fn recall(&self, key: &Signature, glance: &Glance) -> Option<Answered> {
        let answer = self.store.as_ref()?.answer(key, glance)?;
        let answered = postcard::from_bytes(&answer.bytes).ok()?;
        // What CMake would find another time is not all in the files that it read.
        if matches!(&answered, Answered::Call(called) if !still_so(called, self)) {
            return None;
        }
        self.watch(&answer.inputs);
        Some(answered)
    }

    /// An answer that cannot be kept costs the next session its time, nothing else.
    pub(super) fn keep(&self, key: &Signature, answer: &Answered, trace: &Trace) {
        let Some(store) = self.store.as_ref().filter(|_| !trace.incomplete) else {
            return self.watch_traced(trace);
        };
        let collected = Inputs::collect(store, &trace.files, &trace.asked, &trace.search, trace.started);
        match collected {
            // What was changed while it was asked is asked again.
            Ok(collected) if collected.changed.is_some() => {
                self.watch_traced(trace);
                log::debug!("an answer is not kept: {:?} was changed meanwhile", collected.changed);
            }
            Ok(collected) => self.keep_with(key, answer, collected.inputs),
            Err(problem) => {
                self.watch_traced(trace);
                log::debug!("an answer is not kept: {}: {}", problem.path.display(), problem.error)
            }
        }
    }

    /// What is not kept is watched by cargo nevertheless.
    fn watch_traced(&self, trace: &Trace) {
        let files = trace.files.iter().filter(|path| !path.starts_with("/usr"));
        lock(&self.grounds.files).extend(files.cloned());
        let asked = trace.asked.iter().map(Path::new).filter(|path| path.is_absolute());
        let is_there = |dir: &&Path| matches!(self.fs.directory(dir), Ok(Some(_)));
        let nearest = asked.filter_map(|path| path.ancestors().skip(1).find(is_there));
        lock(&self.grounds.places).extend(nearest.map(Path::to_owned));
    }

    /// Variables that programs were run with.
    pub(crate) fn read_variables(&self) -> Vec<String> {
        lock(&self.grounds.variables).iter().cloned().collect()
    }

    pub(super) fn note_variables(&self, needs: &[(Signature, Need)]) {
        for (_, need) in needs {
            if let Need::Trial(trial) = need
                && let Goal::Run { variables, .. } = &trial.goal
            {
                lock(&self.grounds.variables).extend(variables.iter().cloned());
            }
        }
    }

    pub(super) fn keep_with(&self, key: &Signature, answer: &Answered, inputs: Inputs) {
        let Some(store) = &self.store else { return };
        let Ok(bytes) = postcard::to_stdvec(answer) else { return };
        self.watch(&inputs);
        store.create_softly();
        if let Err(error) = store.keep_answer(key, Answer { bytes, inputs }) {
            log::debug!("an answer cannot be kept: {error}");
        }
    }
}
