//! Programs that can only be run in a job: collected, submitted once, and their answers taken when they are there.
//!
//! Few questions need a run. Those that do are compiled and linked here, and put into a directory with a script that runs
//! them all: it needs nothing of ours, and no compiler. The directory is also what a later process resumes from.
//!
//! ```text
//! <dir>/job-<n>/run.sh            runs everything; `finished` is there when it has
//! <dir>/job-<n>/job.sh            of a template: the user's script, which calls it
//! <dir>/job-<n>/manifest.json     which program answers which question
//! <dir>/job-<n>/submitted         it is under way, by this name
//! <dir>/job-<n>/<key>/program     and after the run: stdout, stderr, status
//! <dir>/job-<n>/<key>/question    what has to be known to take the answer
//! ```
//!
//! A job is its directory, and no two share one: configurations may share `<dir>`, a script is never changed while it is run,
//! nor a program, and what an older job says late is its own. Answers are taken from the newest job that has one, program by
//! program, so one that was cut off is no loss; but none from a program whose headers or libraries have changed since, and none
//! from one that somebody ended.

mod folder;
mod launcher;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use folder::{Entry, Folder};
pub use launcher::Launcher;

use super::job::Trace;
use super::told::Told;
use super::trial::{Goal, Trial};
use crate::cache::{Answer, Glance, Inputs, Store};
use crate::fs::Fs;
use crate::process::Output;
use crate::signature::Signature;
use crate::stats::Counters;
use crate::toolchain::which;

/// Where a session's programs are run, if not here.
#[derive(Debug)]
pub(crate) struct Batch {
    dir: PathBuf,
    launcher: Launcher,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The job that is being put together, and its programs: linked, and not submitted yet.
    next: Option<Folder>,
    pending: BTreeMap<String, Entry>,
    /// Questions whose programs are in jobs that are under way.
    waiting: BTreeMap<Folder, BTreeSet<String>>,
    /// What was asked whether it is under way.
    alive: BTreeMap<Folder, bool>,
    /// What this session has submitted itself, and waited for.
    own: BTreeSet<Folder>,
}

/// The session around it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Around<'a> {
    pub(crate) fs: &'a Fs,
    pub(crate) store: Option<&'a Store>,
    pub(crate) counters: &'a Counters,
    pub(crate) path: &'a OsStr,
    /// Whether what other sessions were told does not count.
    pub(crate) anew: bool,
}

/// How far the programs of a session are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Progress {
    /// Nothing had to be run.
    Nothing,
    /// The job has run: ask again.
    Done,
    /// It is under way; what to do is in the text.
    Waiting(String),
}

/// What jobs say to a question.
#[derive(Debug)]
pub(crate) enum Found {
    /// With what it rests on, if that is known better than by looking now.
    Answer(Box<(Told, Trace, Option<Inputs>)>),
    Waits,
    Nothing,
}

/// Whether a program is still what would be linked now.
enum Link {
    Holds(Option<Inputs>),
    Stale,
}

/// What a program that is not run here yet is answered with.
pub(crate) const WAITS: &str = "its program waits for the batch job";
/// So late a file server may show what was written on another machine.
const LATE: Duration = Duration::from_secs(5);

impl Batch {
    pub(in crate::probe) fn new(dir: PathBuf, launcher: Launcher) -> Batch {
        let dir = std::path::absolute(&dir).unwrap_or(dir);
        Batch { dir, launcher, state: Mutex::default() }
    }

    /// Part of the key of an answer: another machine gives it.
    pub(in crate::probe) fn name(&self) -> String {
        self.launcher.identity()
    }

    /// Where the linked program of a question is to be put.
    ///
    /// # Errors
    /// The directory cannot be created.
    pub(in crate::probe) fn program(&self, fs: &Fs, key: &Signature) -> std::io::Result<PathBuf> {
        let mut state = lock(&self.state);
        let folder = match state.next.take() {
            Some(folder) => folder,
            None => Folder::create(fs, &self.dir)?,
        };
        Ok(state.next.insert(folder).place(&key.to_hex()).join("program"))
    }

    /// What the jobs so far say to a question.
    pub(in crate::probe) fn find(&self, around: &Around<'_>, key: &Signature) -> Found {
        let (fs, key) = (around.fs, key.to_hex());
        let mut state = lock(&self.state);
        // Somebody has asked the same.
        if state.pending.contains_key(&key) {
            return Found::Waits;
        }
        for folder in Folder::all(fs, &self.dir) {
            let own = state.own.contains(&folder);
            let being_made = state.next.as_ref() == Some(&folder);
            // Nobody has the patience to ask anew what is not waited for.
            if being_made || !own && around.anew && self.launcher.waits() {
                continue;
            }
            let Some(entry) = folder.entry(fs, &key) else { continue };
            let link = link(around, &key, &entry);
            let mut status = folder.status(fs, &key);
            if status.is_none() && !own && matches!(link, Link::Holds(_)) {
                if self.is_under_way(around, &mut state, &folder) {
                    state.waiting.entry(folder).or_default().insert(key);
                    return Found::Waits;
                }
                // It may have ended just now.
                let _ = fs.list(&folder.place(&key));
                status = folder.status(fs, &key);
            }
            let inputs = match link {
                Link::Holds(inputs) => inputs,
                // As for every answer: what changes while it is asked for is for the next session.
                Link::Stale if own => None,
                Link::Stale => continue,
            };
            if let Some(status) = status {
                let told = folder.told(fs, &key, &entry, status);
                return Found::Answer(Box::new((told, entry.trace, inputs)));
            }
        }
        Found::Nothing
    }

    /// A program was linked, and has to be run.
    ///
    /// # Errors
    /// It cannot be written.
    pub(in crate::probe) fn add(
        &self,
        around: &Around<'_>,
        key: &Signature,
        question: &str,
        trial: &Trial,
        told: Told,
        trace: Trace,
    ) -> std::io::Result<()> {
        let Goal::Run { args, .. } = &trial.goal else { return Ok(()) };
        let key = key.to_hex();
        let (question, args) = (question.to_owned(), args.clone());
        let mut entry = Entry { question, args, told, trace, tracked: false };
        entry.tracked = track(around, &key, &entry).is_some();
        let mut state = lock(&self.state);
        if let Some(folder) = &state.next {
            folder.keep(around.fs, &key, &entry)?;
            state.pending.insert(key, entry);
        }
        Ok(())
    }

    /// Submits what is pending; waits for it if that is how the launcher is.
    ///
    /// # Errors
    /// It cannot be written or submitted, or the job ended without an answer.
    pub(in crate::probe) fn go_on(&self, around: &Around<'_>) -> Result<Progress, String> {
        let fs = around.fs;
        let mut state = lock(&self.state);
        let pending = std::mem::take(&mut state.pending);
        let mut waiting = std::mem::take(&mut state.waiting);
        let alive = std::mem::take(&mut state.alive);
        let next = state.next.take();
        drop(state);
        let Some(folder) = next.filter(|folder| {
            // Nothing of it was linked.
            pending.is_empty().then(|| folder.remove(fs)).is_none()
        }) else {
            return Ok(match waiting.is_empty() {
                true => Progress::Nothing,
                false => Progress::Waiting(self.advice(&waiting)),
            });
        };
        let output = folder
            .write(fs, &self.launcher, &pending)
            .map_err(|error| format!("cannot write the job to {}: {error}", folder.dir.display()))
            .and_then(|script| self.submit(around, &folder, &script))
            .inspect_err(|_| folder.remove(fs))?;
        for old in Folder::all(fs, &self.dir).into_iter().filter(|old| *old != folder) {
            if old.has_finished(fs) || alive.get(&old) == Some(&false) {
                old.forget(fs, pending.keys());
            }
        }
        let refused = (!output.status.success()).then(|| {
            let said = String::from_utf8_lossy(&output.stderr).trim().lines().next().map(str::to_owned);
            format!("{} {}", output.status.describe(), said.unwrap_or_default()).trim_end().to_owned()
        });
        if !self.launcher.waits() {
            if let Some(why) = refused {
                folder.give_up(fs);
                return Err(format!(
                    "the job of `{}` was not submitted: it {why}; it is in {}",
                    self.launcher,
                    folder.dir.display()
                ));
            }
            waiting.insert(folder, pending.into_keys().collect());
            return Ok(Progress::Waiting(self.advice(&waiting)));
        }
        let patience = if refused.is_none() { LATE } else { Duration::ZERO };
        let missing = missing(fs, &folder, &pending, patience);
        let Some(first) = missing.first() else {
            lock(&self.state).own.insert(folder);
            return Ok(Progress::Done);
        };
        const TOLD: usize = 5;
        let questions: Vec<&str> =
            missing.iter().take(TOLD).map(|key| pending[*key].question.trim()).collect();
        let more = match missing.len().saturating_sub(TOLD) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let why = match folder.written_status(fs, first) {
            Some(_) => "; a program was killed, or ran for too long".to_owned(),
            None => refused.map_or(String::new(), |why| format!("; the launcher {why}")),
        };
        Err(format!(
            "the job of `{}` ended without an answer to: {}{more}{why}; look into {}",
            self.launcher,
            questions.join(", "),
            folder.dir.display()
        ))
    }

    fn advice(&self, waiting: &BTreeMap<Folder, BTreeSet<String>>) -> String {
        let programs = match waiting.values().map(BTreeSet::len).sum() {
            1 => "1 program waits".to_owned(),
            more => format!("{more} programs wait"),
        };
        let places: Vec<String> = waiting.keys().map(|folder| folder.dir.display().to_string()).collect();
        let places = places.join(" and ");
        let (them, have) = if waiting.len() == 1 { ("it", "it has") } else { ("they", "they have") };
        format!(
            "{programs} for a job of `{}` in {places}; run the configuration again when {have} ended \
             (if {them} never will, remove {places} before)",
            self.launcher
        )
    }

    /// Whether a job has been submitted, and its answers can still be expected.
    fn is_under_way(&self, around: &Around<'_>, state: &mut State, folder: &Folder) -> bool {
        if let Some(known) = state.alive.get(folder) {
            return *known;
        }
        let Some(name) = folder.submitted(around.fs) else { return false };
        let alive =
            !folder.has_finished(around.fs) && self.launcher.knows(around, &name, &self.dir) != Some(false);
        state.alive.insert(folder.clone(), alive);
        alive
    }

    fn submit(&self, around: &Around<'_>, folder: &Folder, script: &Path) -> Result<Output, String> {
        let name = folder.name();
        let mut words = self.launcher.words(script, &name).into_iter();
        let first = words.next().unwrap_or_default();
        let program = which(&first.to_string_lossy(), around.path, around.fs)
            .map_err(|why| format!("the launcher {} {why}", first.to_string_lossy()))?;
        // Before it is: who is killed while it waits has submitted it nevertheless.
        if self.launcher.is_found_again() {
            folder
                .claim(around.fs, &name)
                .map_err(|error| format!("cannot write the job to {}: {error}", folder.dir.display()))?;
        }
        let command = self.launcher.command(program.path, words.collect(), &folder.dir);
        let running =
            command.spawn(around.counters).map_err(|error| format!("cannot start `{command}`: {error}"))?;
        Ok(running.into_output())
    }
}

/// Remembers what a program was made from, for whoever takes its answer.
fn track(around: &Around<'_>, key: &str, entry: &Entry) -> Option<()> {
    let store = around.store.filter(|_| !entry.trace.incomplete)?;
    let Trace { files, asked, search, started, .. } = &entry.trace;
    let collected = Inputs::collect(store, files, asked, search, *started).ok()?;
    if collected.changed.is_some() {
        return None;
    }
    store.create_softly();
    let made_from = Answer { bytes: Vec::new(), inputs: collected.inputs };
    store.keep_answer(&entry.link(key), made_from).ok()
}

fn link(around: &Around<'_>, key: &str, entry: &Entry) -> Link {
    if let Some(store) = around.store.filter(|_| entry.tracked) {
        return match store.answer(&entry.link(key), &Glance::each()) {
            Some(made_from) => Link::Holds(Some(made_from.inputs)),
            None => Link::Stale,
        };
    }
    let unchanged = |file: &PathBuf| {
        let stamp = around.fs.stamp(file).ok().flatten();
        stamp.is_some_and(|stamp| !stamp.changed_after(entry.trace.started))
    };
    if entry.trace.files.iter().all(unchanged) { Link::Holds(None) } else { Link::Stale }
}

/// The questions that a job has left open.
fn missing<'a>(
    fs: &Fs,
    folder: &Folder,
    pending: &'a BTreeMap<String, Entry>,
    patience: Duration,
) -> Vec<&'a String> {
    let started = Instant::now();
    let mut pause = Duration::from_millis(10);
    loop {
        let missing: Vec<&String> =
            pending.keys().filter(|key| folder.written_status(fs, key).is_none()).collect();
        if missing.is_empty() || started.elapsed() >= patience {
            return pending.keys().filter(|key| folder.status(fs, key).is_none()).collect();
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(500));
        // A client of a file server remembers what was not there until it reads the directory.
        for key in missing {
            let _ = fs.list(&folder.place(key));
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Drop for Batch {
    /// What was linked and never submitted is of no use to anybody.
    fn drop(&mut self) {
        let state = self.state.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some(folder) = state.next.take() {
            folder.remove(&Fs::new(Default::default()));
        }
    }
}
