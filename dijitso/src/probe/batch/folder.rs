//! The directory of one job: what is submitted, and what comes back.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::launcher::Launcher;
use crate::fs::Fs;
use crate::probe::job::{PATIENCE, Trace};
use crate::probe::told::{Step, Told, kept};
use crate::signature::{Signature, Signer, digest};

/// What has to be known of a program to take its answer later.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Entry {
    pub(super) question: String,
    pub(super) args: Vec<String>,
    /// Compiler and linker.
    pub(super) told: Told,
    pub(super) trace: Trace,
    /// Whether the store knows what it was made from.
    pub(super) tracked: bool,
}

impl Entry {
    /// Under which the store knows what this very program was made from.
    pub(super) fn link(&self, key: &str) -> Signature {
        let mut signer = Signer::quiet("dijitso program for a job 1");
        signer.field("question", key);
        signer.field("linked", &nanoseconds(self.trace.started));
        signer.finish()
    }
}

/// One job of a batch directory. They have numbers; nothing of one is ever written by another.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Folder {
    number: u64,
    pub(super) dir: PathBuf,
}

const FINISHED: &str = "finished";
const SUBMITTED: &str = "submitted";
const PREFIX: &str = "job-";
const LARGEST: u64 = 64 << 20;

impl Folder {
    /// All that there are, the newest first.
    pub(super) fn all(fs: &Fs, dir: &Path) -> Vec<Folder> {
        let names = fs.folders(dir).unwrap_or_default().into_iter();
        let number = |name: &str| name.strip_prefix(PREFIX)?.parse().ok();
        let numbers = names.filter_map(|name| number(name.to_str()?));
        let mut all: Vec<Folder> = numbers.map(|number| Folder::of(dir, number)).collect();
        all.sort();
        all.reverse();
        all
    }

    fn of(dir: &Path, number: u64) -> Folder {
        Folder { number, dir: dir.join(format!("{PREFIX}{number}")) }
    }

    /// A new one, which no other process has.
    pub(super) fn create(fs: &Fs, dir: &Path) -> io::Result<Folder> {
        fs.create_dir_all_public(dir)?;
        let mut number = Folder::all(fs, dir).first().map_or(0, |newest| newest.number);
        loop {
            number += 1;
            let folder = Folder::of(dir, number);
            match fs.create_dir(&folder.dir) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                result => return result.map(|()| folder),
            }
        }
    }

    pub(super) fn place(&self, key: &str) -> PathBuf {
        self.dir.join(key)
    }

    pub(super) fn keep(&self, fs: &Fs, key: &str, entry: &Entry) -> io::Result<()> {
        let bytes = postcard::to_stdvec(entry).map_err(io::Error::other)?;
        fs.write(&self.place(key).join("question"), &bytes)
    }

    pub(super) fn entry(&self, fs: &Fs, key: &str) -> Option<Entry> {
        let bytes = fs.read_at_most(&self.place(key).join("question"), LARGEST).ok()?;
        postcard::from_bytes(&bytes).ok()
    }

    /// The status of a program that has run to its end. Who was ended from outside has said nothing.
    pub(super) fn status(&self, fs: &Fs, key: &str) -> Option<i32> {
        const KILLED: i32 = 128 + 9;
        const TERMINATED: i32 = 128 + 15;
        self.written_status(fs, key).filter(|status| !matches!(*status, KILLED | TERMINATED))
    }

    /// As the shell tells it.
    pub(super) fn written_status(&self, fs: &Fs, key: &str) -> Option<i32> {
        let status = fs.read_at_most(&self.place(key).join("status"), 64).ok()?;
        std::str::from_utf8(&status).ok()?.trim().parse().ok()
    }

    /// All that came of a question whose program ended so.
    pub(super) fn told(&self, fs: &Fs, key: &str, entry: &Entry, status: i32) -> Told {
        let dir = self.place(key);
        let dir_text = dir.to_string_lossy();
        let read =
            |name: &str| kept(&fs.read_at_most(&dir.join(name), LARGEST).unwrap_or_default(), &dir_text);
        let mut told = entry.told.clone();
        told.steps.push(Step {
            command: shell_words(&entry.args),
            // A shell tells a signal so; there are 64.
            status: if (129..=192).contains(&status) { 128 - status } else { status },
            stdout: read("stdout"),
            stderr: read("stderr"),
        });
        told.success = status == 0;
        told
    }

    pub(super) fn has_finished(&self, fs: &Fs) -> bool {
        fs.exists(&self.dir.join(FINISHED))
    }

    /// By which the queue knows it, if it was submitted so that another process can take its answers.
    pub(super) fn submitted(&self, fs: &Fs) -> Option<String> {
        let name = fs.read_at_most(&self.dir.join(SUBMITTED), 4096).ok()?;
        Some(String::from_utf8_lossy(&name).trim().to_owned())
    }

    /// Says that it is about to be submitted.
    pub(super) fn claim(&self, fs: &Fs, name: &str) -> io::Result<()> {
        fs.write(&self.dir.join(SUBMITTED), format!("{name}\n").as_bytes())
    }

    /// It was not.
    pub(super) fn give_up(&self, fs: &Fs) {
        let _ = fs.remove(&self.dir.join(SUBMITTED));
    }

    /// A name that no other job has, even if this directory was there before.
    pub(super) fn name(&self) -> String {
        let now = nanoseconds(SystemTime::now());
        format!("dijitso-{}", digest(format!("{} {now}", self.dir.display()).as_bytes()).short())
    }

    /// What is given to the launcher.
    pub(super) fn write(
        &self,
        fs: &Fs,
        launcher: &Launcher,
        pending: &BTreeMap<String, Entry>,
    ) -> io::Result<PathBuf> {
        let run = self.dir.join("run.sh");
        let questions: BTreeMap<&String, &String> =
            pending.iter().map(|(key, entry)| (key, &entry.question)).collect();
        let manifest = serde_json::to_vec_pretty(&questions).map_err(io::Error::other)?;
        fs.write(&self.dir.join("manifest.json"), &manifest)?;
        fs.write(&run, self.script(pending)?.as_bytes())?;
        fs.make_executable(&run)?;
        let Some(text) = launcher.script(&quoted(&run)?)? else { return Ok(run) };
        let job = self.dir.join("job.sh");
        fs.write(&job, text.as_bytes())?;
        fs.make_executable(&job)?;
        Ok(job)
    }

    /// Needs a shell and, so that no program holds up the others, `timeout` where there is one.
    fn script(&self, pending: &BTreeMap<String, Entry>) -> io::Result<String> {
        let mut script = format!(
            "#!/bin/sh\n# Runs {} programs of a configuration; each leaves what it says, and its status.\n\
             cd {} || exit 1\nexport LC_ALL=C\nlimit=\n\
             if timeout -s KILL 60 true 2>/dev/null; then limit='timeout -s KILL {}'; fi\n",
            pending.len(),
            quoted(&self.dir)?,
            PATIENCE.as_secs(),
        );
        for (key, entry) in pending {
            let args = shell_words(&entry.args);
            let _ = writeln!(
                script,
                "(cd {key} && {{ $limit {args} >stdout 2>stderr </dev/null; echo $? >status.part; mv status.part status; }})"
            );
        }
        let _ = writeln!(script, ": >{FINISHED}");
        Ok(script)
    }

    /// Forgets programs that a newer job runs again, and itself with the last of them.
    pub(super) fn forget<'a>(&self, fs: &Fs, keys: impl Iterator<Item = &'a String>) {
        let there: Vec<PathBuf> = keys.map(|key| self.place(key)).filter(|dir| fs.exists(dir)).collect();
        for dir in &there {
            let _ = fs.remove_tree(dir);
        }
        if !there.is_empty() && fs.folders(&self.dir).is_ok_and(|rest| rest.is_empty()) {
            self.remove(fs);
        }
    }

    pub(super) fn remove(&self, fs: &Fs) {
        let _ = fs.remove_tree(&self.dir);
    }
}

/// For a shell, exactly.
fn quoted(path: &Path) -> io::Result<String> {
    let text = path.to_str().and_then(|text| shlex::try_quote(text).ok());
    text.map(std::borrow::Cow::into_owned).ok_or_else(|| {
        io::Error::new(io::ErrorKind::InvalidInput, "a script cannot name this directory; choose another one")
    })
}

fn shell_words(args: &[String]) -> String {
    let quoted = args.iter().map(|arg| shlex::try_quote(arg).unwrap_or_default().into_owned());
    std::iter::once("./program".to_owned()).chain(quoted).collect::<Vec<_>>().join(" ")
}

fn nanoseconds(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    since.as_secs().wrapping_mul(1_000_000_000) + u64::from(since.subsec_nanos())
}
