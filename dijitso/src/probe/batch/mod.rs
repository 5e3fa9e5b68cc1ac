//! Programs that can only be run in a job: collected, submitted once, and their answers taken when they are there.
//!
//! Few questions need a run. Those that do are compiled and linked here, and put into a directory with a script that runs
//! them all: it needs nothing of ours, and no compiler. The directory is also what a later process resumes from.
//!
//! ```text
//! <dir>/run.sh               runs everything; `finished` is there when it has
//! <dir>/manifest.json        which program answers which question
//! <dir>/submitted            the questions of the job that is under way
//! <dir>/<key>/program        and after the run: stdout, stderr, status
//! <dir>/<key>/question       what has to be known to take the answer
//! ```

mod launcher;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

pub use launcher::Launcher;

use super::job::Trace;
use super::told::{Step, Told, kept};
use super::trial::{Goal, Trial};
use crate::fs::Fs;
use crate::process::Status;
use crate::signature::Signature;
use crate::stats::Counters;
use crate::toolchain::which;

/// Where a session's programs are run, if not here.
#[derive(Debug)]
pub(crate) struct Batch {
    dir: PathBuf,
    launcher: Launcher,
    /// Linked, and not answered yet.
    pending: Mutex<BTreeMap<String, Entry>>,
}

/// What has to be known of a program to take its answer later.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Entry {
    question: String,
    args: Vec<String>,
    /// Compiler and linker.
    told: Told,
    trace: Trace,
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

const FINISHED: &str = "finished";
const SUBMITTED: &str = "submitted";
/// What a program that is not run here yet is answered with.
pub(crate) const WAITS: &str = "its program waits for the batch job";

impl Batch {
    pub(in crate::probe) fn new(dir: PathBuf, launcher: Launcher) -> Batch {
        let dir = std::path::absolute(&dir).unwrap_or(dir);
        Batch { dir, launcher, pending: Mutex::default() }
    }

    /// Part of the key of an answer: another machine gives it.
    pub(in crate::probe) fn name(&self) -> String {
        self.launcher.to_string()
    }

    /// Where the linked program of a question is to be put.
    pub(in crate::probe) fn program(&self, key: &Signature) -> PathBuf {
        self.dir.join(key.to_hex()).join("program")
    }

    /// The answer of a program that has run.
    pub(in crate::probe) fn answer(&self, fs: &Fs, key: &Signature) -> Option<(Told, Trace)> {
        let dir = self.dir.join(key.to_hex());
        let status = fs.read_at_most(&dir.join("status"), 64).ok()?;
        let status: i32 = std::str::from_utf8(&status).ok()?.trim().parse().ok()?;
        let entry: Entry =
            postcard::from_bytes(&fs.read_at_most(&dir.join("question"), 64 << 20).ok()?).ok()?;
        let read = |name: &str| fs.read_at_most(&dir.join(name), 64 << 20).unwrap_or_default();
        let mut told = entry.told;
        told.steps.push(Step {
            command: shell_words(&entry.args),
            // A shell tells a signal so.
            status: if status > 128 { 128 - status } else { status },
            stdout: kept(&read("stdout"), "\0"),
            stderr: kept(&read("stderr"), "\0"),
        });
        told.success = status == 0;
        Some((told, entry.trace))
    }

    /// A program was linked, and has to be run.
    pub(in crate::probe) fn add(
        &self,
        fs: &Fs,
        key: &Signature,
        question: &str,
        trial: &Trial,
        told: Told,
        trace: Trace,
    ) -> std::io::Result<()> {
        let Goal::Run { args, .. } = &trial.goal else { return Ok(()) };
        let entry = Entry { question: question.to_owned(), args: args.clone(), told, trace };
        let bytes = postcard::to_stdvec(&entry).map_err(std::io::Error::other)?;
        fs.write(&self.dir.join(key.to_hex()).join("question"), &bytes)?;
        lock(&self.pending).insert(key.to_hex(), entry);
        Ok(())
    }

    /// Submits what is pending, unless it was submitted already; waits for it if that is how the launcher is.
    ///
    /// # Errors
    /// It cannot be written or submitted, or the job ended without an answer.
    pub(in crate::probe) fn go_on(
        &self,
        fs: &Fs,
        counters: &Counters,
        path: &OsString,
    ) -> Result<Progress, String> {
        let pending = std::mem::take(&mut *lock(&self.pending));
        if pending.is_empty() {
            return Ok(Progress::Nothing);
        }
        let keys: BTreeSet<&String> = pending.keys().collect();
        let submitted = fs.read_at_most(&self.dir.join(SUBMITTED), 1 << 20).unwrap_or_default();
        let submitted = String::from_utf8_lossy(&submitted).into_owned();
        let under_way = keys.iter().all(|key| submitted.lines().any(|line| line == key.as_str()));
        if under_way && !fs.exists(&self.dir.join(FINISHED)) {
            return Ok(Progress::Waiting(self.advice(&keys)));
        }
        // Of a job that has ended without an answer, too: it is submitted again, by this one.
        self.write(fs, &pending)
            .map_err(|error| format!("cannot write the job to {}: {error}", self.dir.display()))?;
        self.submit(fs, counters, path)?;
        let list: String = keys.iter().map(|key| format!("{key}\n")).collect();
        fs.write(&self.dir.join(SUBMITTED), list.as_bytes()).map_err(|error| error.to_string())?;
        if !self.launcher.waits() {
            return Ok(Progress::Waiting(self.advice(&keys)));
        }
        let missing = keys.iter().find(|key| !fs.exists(&self.dir.join(key.as_str()).join("status")));
        match missing {
            None => Ok(Progress::Done),
            Some(key) => Err(format!(
                "the job `{}` ended without an answer to: {}; look into {}",
                self.launcher,
                pending[key.as_str()].question,
                self.dir.display()
            )),
        }
    }

    fn advice(&self, keys: &BTreeSet<&String>) -> String {
        format!(
            "{} programs wait for a job of `{}` in {}; run the configuration again when it has ended",
            keys.len(),
            self.launcher,
            self.dir.display()
        )
    }

    fn write(&self, fs: &Fs, pending: &BTreeMap<String, Entry>) -> std::io::Result<()> {
        fs.remove(&self.dir.join(FINISHED))?;
        let here = shlex::try_quote(&self.dir.to_string_lossy()).unwrap_or_default().into_owned();
        let mut script = format!(
            "#!/bin/sh\n# Runs {} programs of a configuration; each leaves what it says, and its status.\ncd {here} || exit 1\n\
             export LC_ALL=C\n",
            pending.len()
        );
        for (key, entry) in pending {
            fs.remove(&self.dir.join(key).join("status"))?;
            let args = shell_words(&entry.args);
            let _ = writeln!(
                script,
                "(cd {key} && {{ {args} >stdout 2>stderr </dev/null; echo $? >status.part; mv status.part status; }})"
            );
        }
        let _ = writeln!(script, ": >{FINISHED}");
        let questions: BTreeMap<&String, &String> =
            pending.iter().map(|(key, entry)| (key, &entry.question)).collect();
        let manifest = serde_json::to_vec_pretty(&questions).map_err(std::io::Error::other)?;
        fs.write(&self.dir.join("manifest.json"), &manifest)?;
        fs.write(&self.dir.join("run.sh"), script.as_bytes())?;
        executable(&self.dir.join("run.sh"))?;
        if let Some(text) = self.launcher.script(&self.dir.join("run.sh")) {
            fs.write(&self.dir.join("job.sh"), text.as_bytes())?;
            executable(&self.dir.join("job.sh"))?;
        }
        Ok(())
    }

    fn submit(&self, fs: &Fs, counters: &Counters, path: &OsString) -> Result<(), String> {
        let name = if fs.exists(&self.dir.join("job.sh")) { "job.sh" } else { "run.sh" };
        let mut words = self.launcher.words(&self.dir.join(name)).into_iter();
        let first = words.next().unwrap_or_default();
        let program = which(&first.to_string_lossy(), path, fs)
            .map_err(|why| format!("the launcher {} {why}", first.to_string_lossy()))?;
        let command = self.launcher.command(program.path, words.collect(), &self.dir);
        let running =
            command.spawn(counters).map_err(|error| format!("cannot start `{command}`: {error}"))?;
        let output = running.into_output();
        match output.status {
            // Slurm's is that of the job, whose script ends well.
            Status::Exited(0) => Ok(()),
            status => Err(format!(
                "`{command}` {}: {}",
                status.describe(),
                String::from_utf8_lossy(&output.stderr).lines().next().unwrap_or_default()
            )),
        }
    }
}

fn shell_words(args: &[String]) -> String {
    let quoted = args.iter().map(|arg| shlex::try_quote(arg).unwrap_or_default().into_owned());
    std::iter::once("./program".to_owned()).chain(quoted).collect::<Vec<_>>().join(" ")
}

fn executable(path: &Path) -> std::io::Result<()> {
    std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o755))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
