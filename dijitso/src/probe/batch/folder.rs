//! The directory of one job: what is submitted, and what comes back.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::Serialize;

use super::entry::{Entry, nanoseconds};
use super::launcher::Launcher;
use super::script::{quoted, script};
use crate::cache::Lock;
use crate::fs::Fs;
use crate::probe::told::Told;
use crate::signature::digest;

/// One job of a batch directory. They have numbers; nothing of one is ever written by another.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Folder {
    number: u64,
    pub(super) dir: PathBuf,
}

/// A job that somebody is at work on: putting it together, submitting it, or waiting for it.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) folder: Folder,
    _lock: Lock,
}

/// For people, and for whoever looks what a job was.
#[derive(Debug, Serialize)]
struct Manifest<'a> {
    dijitso: &'static str,
    launcher: String,
    programs: BTreeMap<&'a String, Program<'a>>,
}

#[derive(Debug, Serialize)]
struct Program<'a> {
    question: &'a str,
    arguments: &'a [String],
    /// Their values are in the script.
    variables: Vec<String>,
    sha256: &'a str,
}

const FINISHED: &str = "finished";
const ENDED: &str = "ended";
const SUBMITTED: &str = "submitted";
const ID: &str = "id";
const LOCK: &str = "lock";
const MANIFEST: &str = "manifest.json";
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

    /// A new one, which no other process has. Only we can enter it: values of variables are in it, which may be secret.
    pub(super) fn create(fs: &Fs, dir: &Path) -> io::Result<Held> {
        fs.create_dir_all_public(dir)?;
        let mut number = Folder::all(fs, dir).first().map_or(0, |newest| newest.number);
        loop {
            number += 1;
            let folder = Folder::of(dir, number);
            match fs.create_dir_private(&folder.dir) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                result => result?,
            }
            // Somebody who sweeps can be faster with the lock; then the directory is gone, or will be.
            if let Some(lock) = Lock::try_new(fs, &folder.dir.join(LOCK))
                && fs.exists(&folder.dir)
            {
                return Ok(Held { folder, _lock: lock });
            }
        }
    }

    /// Whether somebody is at work on it; `None` where there are no locks.
    pub(super) fn is_held(&self, fs: &Fs) -> Option<bool> {
        let path = self.dir.join(LOCK);
        if !fs.exists(&path) {
            return Some(false);
        }
        match Lock::try_new(fs, &path) {
            None => Some(true),
            Some(lock) if lock.excludes() => Some(false),
            Some(_) => None,
        }
    }

    /// Removes it, unless somebody is at work on it. Whoever gets hold of it meanwhile sees that it is gone.
    pub(super) fn sweep(&self, fs: &Fs) -> bool {
        let Some(lock) = Lock::try_new(fs, &self.dir.join(LOCK)) else { return false };
        let swept = self.dir.with_file_name(format!("swept-{}-{}", self.number, std::process::id()));
        let removed = fs.rename(&self.dir, &swept).and_then(|()| fs.remove_tree(&swept)).is_ok();
        drop(lock);
        removed
    }

    pub(super) fn place(&self, key: &str) -> PathBuf {
        self.dir.join(key)
    }

    /// The questions that it has programs for.
    pub(super) fn keys(&self, fs: &Fs) -> Vec<String> {
        let names = fs.folders(&self.dir).unwrap_or_default();
        names.into_iter().filter_map(|name| name.into_string().ok()).collect()
    }

    pub(super) fn keep(&self, fs: &Fs, key: &str, entry: &Entry) -> io::Result<()> {
        let bytes = postcard::to_stdvec(entry).map_err(io::Error::other)?;
        fs.write(&self.place(key).join("question"), &bytes)
    }

    pub(super) fn entry(&self, fs: &Fs, key: &str) -> Option<Entry> {
        let bytes = fs.read_at_most(&self.place(key).join("question"), LARGEST).ok()?;
        postcard::from_bytes(&bytes).ok()
    }

    /// What came of a question. Who was ended from outside has said nothing.
    pub(super) fn told(&self, fs: &Fs, key: &str, entry: &Entry) -> Option<Told> {
        entry.read(fs, &self.place(key))
    }

    /// Whether a program was ended from outside.
    pub(super) fn was_ended(&self, fs: &Fs, key: &str) -> bool {
        fs.exists(&self.place(key).join("ended/status"))
    }

    /// Whether its script has come to its end.
    pub(super) fn has_finished(&self, fs: &Fs) -> bool {
        fs.exists(&self.dir.join(FINISHED))
    }

    /// Whether nothing of it is running any more.
    pub(super) fn has_ended(&self, fs: &Fs) -> bool {
        self.has_finished(fs) || fs.exists(&self.dir.join(ENDED))
    }

    /// Whoever waited for it knows that it has.
    pub(super) fn end(&self, fs: &Fs) {
        let _ = fs.write(&self.dir.join(ENDED), b"");
    }

    /// Whether it was put together as a whole.
    pub(super) fn is_whole(&self, fs: &Fs) -> bool {
        fs.exists(&self.dir.join(MANIFEST))
    }

    /// By which the queue knows it, if it was submitted so that another process can take its answers.
    pub(super) fn submitted(&self, fs: &Fs) -> Option<String> {
        self.line(fs, SUBMITTED)
    }

    /// What the queue calls it: `17`, or `17;cluster`. Nobody knows before it was submitted.
    pub(super) fn id(&self, fs: &Fs) -> Option<String> {
        self.line(fs, ID)
    }

    fn line(&self, fs: &Fs, name: &str) -> Option<String> {
        let text = fs.read_at_most(&self.dir.join(name), 4096).ok()?;
        Some(String::from_utf8_lossy(&text).trim().to_owned())
    }

    /// Says that it is about to be submitted.
    pub(super) fn claim(&self, fs: &Fs, name: &str) -> io::Result<()> {
        fs.write(&self.dir.join(SUBMITTED), format!("{name}\n").as_bytes())
    }

    pub(super) fn identify(&self, fs: &Fs, id: &str) {
        let _ = fs.replace(&self.dir, &self.dir.join(ID), format!("{id}\n").as_bytes());
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
        fs.write(&run, &script(&self.dir, pending)?)?;
        fs.make_executable(&run)?;
        let text = launcher.script(&quoted(&run)?)?;
        let job = text.as_ref().map_or(run, |_| self.dir.join("job.sh"));
        if let Some(text) = text {
            fs.write(&job, text.as_bytes())?;
            fs.make_executable(&job)?;
        }
        let names = |entry: &Entry| {
            entry.variables.iter().map(|(name, _)| name.to_string_lossy().into_owned()).collect()
        };
        let programs = pending.iter().map(|(key, entry)| {
            let program = Program {
                question: &entry.question,
                arguments: &entry.args,
                variables: names(entry),
                sha256: &entry.digest,
            };
            (key, program)
        });
        let manifest = Manifest {
            dijitso: env!("CARGO_PKG_VERSION"),
            launcher: launcher.to_string(),
            programs: programs.collect(),
        };
        let manifest = serde_json::to_vec_pretty(&manifest).map_err(io::Error::other)?;
        fs.write(&self.dir.join(MANIFEST), &manifest)?;
        Ok(job)
    }

    /// Somebody has taken an answer from it.
    pub(super) fn mark_used(&self, fs: &Fs) {
        let _ = fs.mark_used(&self.dir.join(MANIFEST));
    }

    /// Its manifest, which tells when it was last of use.
    pub(super) fn used(&self) -> PathBuf {
        self.dir.join(MANIFEST)
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
