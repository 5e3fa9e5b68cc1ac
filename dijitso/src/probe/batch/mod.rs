//! Programs that can only be run in a job: collected, submitted once, and their answers taken when they are there.
//!
//! Few questions need a run. Those that do are compiled and linked here, and put into a directory with a script that runs
//! them all: it needs nothing of ours, and no compiler. The directory is also what a later process resumes from.
//!
//! ```text
//! <dir>/job-<n>/run.sh            runs everything; `finished` is there when it has
//! <dir>/job-<n>/job.sh            of a template: the user's script, which calls it
//! <dir>/job-<n>/manifest.json     which program answers which question
//! <dir>/job-<n>/lock              of who puts it together, submits it or waits for it
//! <dir>/job-<n>/submitted         it is under way, by this name; `ended` is there if somebody saw that it is not any more
//! <dir>/job-<n>/id                what the queue calls it
//! <dir>/job-<n>/<key>/program     whose digest is in the manifest
//! <dir>/job-<n>/<key>/question    what has to be known to take the answer
//! <dir>/job-<n>/<key>/told/       and after the run, at once: stdout, stderr, status, node
//! ```
//!
//! A job is its directory, and no two share one: configurations may share `<dir>`, a script is never changed while it is run,
//! nor a program, and what an older job says late is its own. Answers are taken from the newest job that has one, program by
//! program, so one that was cut off is no loss; but none from a program whose headers or libraries have changed since, and none
//! from one that somebody ended. What a killed process has left, and what nobody has needed for long, is swept away.

mod entry;
mod folder;
mod launcher;
mod link;
mod queue;
mod script;
mod site;
mod sweep;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, Once, PoisonError};
use std::time::{Duration, Instant};

use entry::Entry;
use folder::{Folder, Held};
pub use launcher::Launcher;
use link::{Link, link, track};
use queue::Life;

use super::job::Trace;
use super::need::Need;
use super::told::Told;
use super::trial::{Goal, Trial};
use crate::cache::{Inputs, Store};
use crate::fs::Fs;
use crate::process::{Output, Status};
use crate::signature::Signature;
use crate::stats::Counters;
use crate::toolchain::which;

/// Where a session's programs are run, if not here.
#[derive(Debug)]
pub(crate) struct Batch {
    dir: PathBuf,
    launcher: Launcher,
    /// With the cluster, as they were at the beginning.
    identity: String,
    state: Mutex<State>,
    sweep: Once,
}

#[derive(Debug, Default)]
struct State {
    /// The job that is being put together, and its programs: linked, and not submitted yet.
    next: Option<Held>,
    pending: BTreeMap<String, Entry>,
    /// Questions whose programs are in jobs that are under way.
    waiting: BTreeMap<Folder, BTreeSet<String>>,
    /// What was asked how it is.
    lives: BTreeMap<Folder, Option<Life>>,
    /// What this session has submitted itself, and waited for: nobody else removes it while we may need it.
    own: Vec<Held>,
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

/// What a program that is not run here yet is answered with.
pub(crate) const WAITS: &str = "its program waits for the batch job";
/// So late a file server may show what was written on another machine.
const LATE: Duration = Duration::from_secs(5);

impl Batch {
    pub(in crate::probe) fn new(dir: PathBuf, launcher: Launcher) -> Batch {
        let dir = std::path::absolute(&dir).unwrap_or(dir);
        let identity = launcher.identity(&Fs::new(Default::default()));
        Batch { dir, launcher, identity, state: Mutex::default(), sweep: Once::new() }
    }

    /// Part of the key of an answer: another machine gives it.
    pub(in crate::probe) fn name(&self) -> &str {
        &self.identity
    }

    /// Where the linked program of a question is to be put.
    ///
    /// # Errors
    /// The directory cannot be created.
    pub(in crate::probe) fn program(&self, around: &Around<'_>, key: &Signature) -> std::io::Result<PathBuf> {
        let mut state = lock(&self.state);
        self.sweep.call_once(|| sweep::sweep(around, &self.dir, &self.launcher));
        let held = match state.next.take() {
            Some(held) => held,
            None => Folder::create(around.fs, &self.dir)?,
        };
        Ok(state.next.insert(held).folder.place(&key.to_hex()).join("program"))
    }

    /// What the jobs so far say to a question.
    pub(in crate::probe) fn find(&self, around: &Around<'_>, key: &Signature) -> Found {
        let (fs, key) = (around.fs, key.to_hex());
        let mut state = lock(&self.state);
        // Somebody has asked the same.
        if state.pending.contains_key(&key) {
            return Found::Waits;
        }
        let answer = |folder: &Folder, entry: Entry, told: Told, inputs: Option<Inputs>| {
            folder.mark_used(fs);
            Found::Answer(Box::new((told, entry.trace, inputs)))
        };
        let mut open = Vec::new();
        for folder in Folder::all(fs, &self.dir) {
            let own = state.own.iter().any(|held| held.folder == folder);
            let being_made = state.next.as_ref().is_some_and(|held| held.folder == folder);
            // Nobody has the patience to ask anew what is not waited for.
            if being_made || !own && around.anew && self.launcher.waits() {
                continue;
            }
            let Some(entry) = folder.entry(fs, &key) else { continue };
            let inputs = match link(around, &key, &entry) {
                Link::Holds(inputs) => inputs,
                // As for every answer: what changes while it is asked for is for the next session.
                Link::Stale if own => None,
                Link::Stale => continue,
            };
            match folder.told(fs, &key, &entry) {
                Some(told) => return answer(&folder, entry, told, inputs),
                None if own => {}
                None => open.push((folder, entry, inputs)),
            }
        }
        // No answer yet: it is worth asking who still works on one.
        for (folder, entry, inputs) in open {
            if self.life(around, &mut state, &folder) == Some(Life::UnderWay) {
                state.waiting.entry(folder).or_default().insert(key);
                return Found::Waits;
            }
            // It may have ended just now.
            let _ = fs.list(&folder.place(&key));
            if let Some(told) = folder.told(fs, &key, &entry) {
                return answer(&folder, entry, told, inputs);
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
        trial: &Trial,
        variables: Vec<(OsString, OsString)>,
        told: Told,
        trace: Trace,
    ) -> std::io::Result<()> {
        let Goal::Run { args, .. } = &trial.goal else { return Ok(()) };
        let mut state = lock(&self.state);
        if let Some(Held { folder, .. }) = &state.next {
            let question = Need::Trial(trial.clone()).describe();
            let key = key.to_hex();
            let digest = around.fs.digest(&folder.place(&key).join("program"))?.to_hex();
            let args = args.clone();
            let mut entry = Entry { question, args, variables, digest, told, trace, tracked: false };
            entry.tracked = track(around, &key, &entry).is_some();
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
        let lives = std::mem::take(&mut state.lives);
        let next = state.next.take();
        drop(state);
        // Until it is submitted, or has ended if it is waited for.
        let Some(held) = next.filter(|held| {
            // Nothing of it was linked.
            pending.is_empty().then(|| held.folder.remove(fs)).is_none()
        }) else {
            return Ok(match waiting.is_empty() {
                true => Progress::Nothing,
                false => Progress::Waiting(self.advice(&waiting)),
            });
        };
        let folder = held.folder.clone();
        let output = folder
            .write(fs, &self.launcher, &pending)
            .map_err(|error| format!("cannot write the job to {}: {error}", folder.dir.display()))
            .and_then(|script| self.submit(around, &folder, &script))
            .inspect_err(|_| folder.remove(fs))?;
        for old in Folder::all(fs, &self.dir).into_iter().filter(|old| *old < folder) {
            // Somebody may just be reading what it says.
            if old.is_held(fs) == Some(true) {
                continue;
            }
            if old.has_ended(fs) || lives.get(&old) == Some(&Some(Life::Ended)) {
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
            lock(&self.state).own.push(held);
            return Ok(Progress::Done);
        };
        const TOLD: usize = 5;
        let questions: Vec<&str> =
            missing.iter().take(TOLD).map(|key| pending[*key].question.trim()).collect();
        let more = match missing.len().saturating_sub(TOLD) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let why = match folder.was_ended(fs, first) {
            true => "; a program was killed, or ran for too long".to_owned(),
            false => refused.map_or(String::new(), |why| format!("; the launcher {why}")),
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

    /// How a job is that was submitted so that others find it.
    fn life(&self, around: &Around<'_>, state: &mut State, folder: &Folder) -> Option<Life> {
        if let Some(known) = state.lives.get(folder) {
            return *known;
        }
        let life = folder.life(around, &self.launcher);
        state.lives.insert(folder.clone(), life);
        life
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
        let output = running.into_output();
        let id = self.launcher.id(&output.stdout);
        if let Some(id) = &id {
            folder.identify(around.fs, id);
        }
        // `sbatch` comes back when there is nothing to wait for any more; not if it was killed itself.
        if self.launcher.waits() && id.is_some() && matches!(output.status, Status::Exited(_)) {
            folder.end(around.fs);
        }
        Ok(output)
    }
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
        let missing = pending.iter().filter(|(key, entry)| folder.told(fs, key, entry).is_none());
        let missing: Vec<&String> = missing.map(|(key, _)| key).collect();
        let late: Vec<&&String> = missing.iter().filter(|key| !folder.was_ended(fs, key)).collect();
        if late.is_empty() || started.elapsed() >= patience {
            return missing;
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(500));
        // A client of a file server remembers what was not there until it reads the directory.
        for key in late {
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
        if let Some(Held { folder, .. }) = &state.next {
            folder.remove(&Fs::new(Default::default()));
        }
    }
}
