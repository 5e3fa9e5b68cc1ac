//! The steps of building a package: each once, by one process at a time, and nothing believed before the last.
//!
//! ```text
//! packages/<name>-<key>/       the key: tarball, build system, arguments, compilers, their flags and places
//!   lock                       held while somebody builds, and while what was installing for a killed one still runs
//!   build.log                  every command with what it says, as it says it
//!   tree-<n>/source, cmake     what is built, and where CMake builds it
//!   tree-<n>/extracted ..      a mark for each step that is done; `<step>.begun` while it runs
//!   tree-<n>/saved             source and cmake as they were configured
//!   prefix/                    what is installed; complete if `.dijitso-installed` is in it
//! ```
//!
//! A step that failed leaves everything as it is and is done again by the next run, as `make` is used to. After one that was
//! killed nobody knows what is half written: `make` believes half an object file. So `make` goes on from what was saved before
//! it, in the same place, and what unpacked or configured is done anew in another tree, since something that it started may
//! still be writing. What `make` and `install` started holds the lock.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::build::Recipe;
use super::tools::{Dirs, Tools};
use super::tree::Tree;
use super::unpack::unpack;
use crate::cache::Lock;
use crate::configure::log::Secrets;
use crate::configure::{Cx, Failed};
use crate::fs::{Absent, Fs};
use crate::process::{Command, Status, wait_any};
use crate::signature::{Signature, Signer};
use crate::stats::Counters;

/// The whole of a build system may take so long, and so long another process is waited for.
pub(super) const PATIENCE: Duration = Duration::from_secs(4 * 3600);
/// Lines of the log that a failure shows.
const SHOWN: usize = 15;
/// What a command says is in the log after at most so long.
const LOOK: Duration = Duration::from_millis(100);

pub(super) struct Work<'a> {
    recipe: &'a Recipe,
    tools: Tools,
    pub(super) root: PathBuf,
    pub(super) prefix: PathBuf,
    pub(super) log: PathBuf,
    fs: &'a Fs,
    counters: &'a Counters,
    secrets: Secrets,
}

impl<'a> Work<'a> {
    const INSTALLED: &'static str = ".dijitso-installed";

    pub(super) fn new(
        cx: &'a Cx<'_>,
        recipe: &'a Recipe,
        dir: &Path,
        jobs: usize,
    ) -> Result<Work<'a>, Failed> {
        let session = cx.probes().session();
        let mut signer = Signer::quiet("dijitso package 2");
        signer.field("name", &recipe.name);
        signer.field("sha256", &recipe.sha256.to_ascii_lowercase());
        signer.field("with", &format!("{:?}", recipe.with));
        signer.field("arguments", &recipe.arguments);
        let tools = Tools::new(cx, jobs, &mut signer)?;
        let key = signer.finish().short();
        let dir = std::path::absolute(dir).unwrap_or_else(|_| dir.to_owned());
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '+');
        let name = recipe.name.replace(|c: char| !is_plain(c), "_");
        let root = dir.join("packages").join(format!("{name}-{key}"));
        Ok(Work {
            recipe,
            tools,
            prefix: root.join("prefix"),
            log: root.join("build.log"),
            root,
            fs: &session.fs,
            counters: &session.counters,
            secrets: cx.secrets().clone().and(password(&recipe.location)),
        })
    }

    /// Only what was installed to its end is.
    pub(super) fn is_installed(&self) -> bool {
        self.fs.exists(&self.prefix.join(Work::INSTALLED))
    }

    /// Each step once: what a failed run has finished is not done again.
    pub(super) fn run(&self, wanted: &Signature, patience: Duration) -> Result<(), Problem> {
        self.fs.create_dir_all_public(&self.root).map_err(io)?;
        let lock = lock(self.fs, &self.root.join("lock"), patience)?;
        if self.is_installed() {
            return Ok(());
        }
        let tree = self.tree()?;
        tree.step("extracted", || self.extract(&tree, wanted, &lock))?;
        let top = tree.top();
        let (build, prefix) = (tree.cmake(), self.prefix.as_path());
        let dirs = Dirs { top: &top, build: &build, prefix };
        let [configure, make, install] = self.tools.commands(self.fs, self.recipe, &dirs)?;
        tree.step("configured", || {
            // CMake would keep what it found wrong.
            self.fs.remove_tree(&tree.cmake()).map_err(io)?;
            self.call(configure)?;
            self.save(&tree)
        })?;
        tree.step("built", || self.call(holding(make, &lock)))?;
        // What a killed run has installed is not all of it; what installed it has ended, as it held the lock.
        self.fs.remove_tree(&self.prefix).map_err(io)?;
        self.call(holding(install, &lock))?;
        if !self.fs.exists(&self.prefix) {
            let prefix = self.prefix.display();
            let text = format!(
                "`install` ended well and has put nothing into {prefix}: the package does not heed its prefix"
            );
            return Err(text.into());
        }
        self.fs.write(&self.prefix.join(Work::INSTALLED), b"").map_err(io)?;
        let _ = self.fs.remove_tree(&tree.saved());
        Ok(())
    }

    /// Copies what was configured, for a `make` that is killed; where that cannot be done such a one begins anew.
    fn save(&self, tree: &Tree<'_>) -> Result<(), Problem> {
        let part = tree.saved().with_extension("part");
        self.fs.remove_tree(&part).map_err(io)?;
        self.fs.create_dir_all_public(&part).map_err(io)?;
        match self.copy(&tree.parts(), &part) {
            Ok(()) => Ok(self.fs.rename(&part, &tree.saved()).map_err(io)?),
            Err(problem) if problem.was_killed => Err(problem),
            Err(_) => Ok(self.fs.remove_tree(&part).map_err(io)?),
        }
    }

    /// Puts back what was configured.
    fn restore(&self, tree: &Tree<'_>) -> Result<(), Problem> {
        for part in tree.parts() {
            self.fs.remove_tree(&part).map_err(io)?;
        }
        self.copy(&tree.saved_parts(), tree.dir())?;
        Ok(tree.forget_killed().map_err(io)?)
    }

    /// With times and links as they are: `make` compares the times.
    fn copy(&self, from: &[PathBuf], to: &Path) -> Result<(), Problem> {
        let command = self.tools.program(self.fs, "cp", &self.root)?.arg("-a");
        self.call(command.args(from).arg(to))
    }

    /// The tree to go on with, or a new one.
    fn tree(&self) -> Result<Tree<'a>, Problem> {
        let number = |name: &std::ffi::OsString| name.to_str()?.strip_prefix("tree-")?.parse::<u64>().ok();
        let mut all: Vec<u64> = self.fs.list(&self.root).map_err(io)?.iter().filter_map(number).collect();
        all.sort_unstable();
        let tree = |n: u64| Tree::new(self.root.join(format!("tree-{n}")), self.fs);
        let last = all.last().copied();
        if let Some(last) = last.map(tree).filter(|tree| !tree.was_killed()) {
            return Ok(last);
        }
        if let Some(last) = last.map(tree).filter(Tree::can_be_restored)
            && self.restore(&last).is_ok()
        {
            return Ok(last);
        }
        for old in all {
            // Somebody whom the killed one started may still write there; then it stays for the next time.
            let _ = self.fs.remove_tree(tree(old).dir());
        }
        let new = tree(last.map_or(0, |last| last + 1));
        self.fs.create_dir_all_public(new.dir()).map_err(io)?;
        Ok(new)
    }

    fn extract(&self, tree: &Tree<'_>, wanted: &Signature, lock: &Lock) -> Result<(), Problem> {
        let tarball = self.fetch(wanted, lock)?;
        let found = self
            .fs
            .digest(&tarball)
            .map_err(|error| format!("cannot read {}: {error}", tarball.display()))?;
        if found != *wanted {
            if tarball.starts_with(&self.root) {
                let _ = self.fs.remove(&tarball);
            }
            let tarball = tarball.display();
            let text = format!(
                "{tarball} has the SHA-256 {found}, and must have {wanted}: it is not what the recipe means"
            );
            return Err(text.into());
        }
        let source = tree.source();
        self.fs.remove_tree(&source).map_err(io)?;
        self.fs.create_dir_all_public(&source).map_err(io)?;
        Ok(unpack(self.fs, &tarball, &source, wanted)?)
    }

    /// The tarball as a file.
    fn fetch(&self, wanted: &Signature, lock: &Lock) -> Result<PathBuf, Problem> {
        let location = &self.recipe.location;
        if let Some(path) = location.strip_prefix("file://") {
            return Ok(PathBuf::from(path));
        }
        if !location.contains("://") {
            let path = std::path::absolute(location);
            return Ok(path.map_err(|error| format!("`{location}` is no path: {error}"))?);
        }
        // It ends up under this name only if all of it came.
        let (target, part) = (self.root.join("tarball"), self.root.join("tarball.part"));
        if self.fs.digest(&target).is_ok_and(|found| found == *wanted) {
            return Ok(target);
        }
        let loaders: [(&str, &[&str]); 2] = [
            ("curl", &["--fail", "--location", "--silent", "--show-error", "--output"]),
            ("wget", &["-q", "-O"]),
        ];
        for (program, options) in loaders {
            let Ok(command) = self.tools.program(self.fs, program, &self.root) else { continue };
            let command = command.args(options.iter().copied()).arg(&part).arg(location);
            self.call(holding(command, lock))?;
            self.fs.rename(&part, &target).map_err(io)?;
            return Ok(target);
        }
        let text = format!(
            "neither curl nor wget is there to fetch {location}: install one, or fetch it yourself and name its path"
        );
        Err(text.into())
    }

    /// Runs a command, and adds it and what it says to the log, line by line and without secrets.
    fn call(&self, command: Command) -> Result<(), Problem> {
        let mut log = BuildLog { work: self, begun: Vec::new() };
        log.add(format!("$ {command}\n").as_bytes());
        let shown = self.secrets.hide(&command.to_string());
        let mut running =
            command.spawn(self.counters).map_err(|error| format!("cannot start `{shown}`: {error}"))?;
        loop {
            log.add(&running.news());
            if wait_any(std::slice::from_mut(&mut running), LOOK).is_some() {
                break;
            }
        }
        log.add(&running.news());
        log.add(b"\n");
        let output = running.into_output();
        match output.status {
            Status::Exited(0) => Ok(()),
            status => {
                let said = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
                let text = self.secrets.hide(&String::from_utf8_lossy(&said));
                let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
                let last = &lines[lines.len().saturating_sub(SHOWN)..];
                let text = format!("`{shown}` {}:\n{}", status.describe(), last.join("\n"));
                Err(Problem { text, was_killed: !matches!(status, Status::Exited(_)) })
            }
        }
    }
}

/// `build.log` while a command runs.
struct BuildLog<'a> {
    work: &'a Work<'a>,
    /// A line without its end: half a secret could not be told from an innocent word.
    begun: Vec<u8>,
}

impl BuildLog<'_> {
    fn add(&mut self, bytes: &[u8]) {
        self.begun.extend_from_slice(bytes);
        let Some(end) = self.begun.iter().rposition(|byte| *byte == b'\n') else { return };
        let rest = self.begun.split_off(end + 1);
        let lines = self.work.secrets.hide(&String::from_utf8_lossy(&self.begun));
        self.begun = rest;
        if !lines.trim().is_empty() {
            let _ = self.work.fs.append(&self.work.log, lines.as_bytes(), Absent::Create);
        }
    }
}

/// What a killed builder has started goes on, and would disturb the next one.
fn holding(command: Command, lock: &Lock) -> Command {
    match lock.share() {
        Some(file) => command.holding(file),
        None => command,
    }
}

/// The secret part of `https://user:secret@place/..`.
fn password(location: &str) -> Option<String> {
    let (_, rest) = location.split_once("://")?;
    let (user, _) = rest.split('/').next()?.rsplit_once('@')?;
    let (_, password) = user.split_once(':')?;
    Some(password.to_owned())
}

/// Why a package is not built.
#[derive(Debug)]
pub(super) struct Problem {
    pub(super) text: String,
    /// What ran did not end by itself.
    pub(super) was_killed: bool,
}

impl From<String> for Problem {
    fn from(text: String) -> Problem {
        Problem { text, was_killed: false }
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

/// One process builds; others wait for it, and find its work done.
fn lock(fs: &Fs, path: &Path, patience: Duration) -> Result<Lock, String> {
    let begun = Instant::now();
    let mut pause = Duration::from_millis(5);
    loop {
        match Lock::try_new(fs, path) {
            Some(lock) if lock.excludes() => return Ok(lock),
            Some(_) => {
                return Err(format!(
                    "{} cannot be locked, and two processes that build there at once would disturb each other: let the \
                     configuration be written to another file system",
                    path.display()
                ));
            }
            None if begun.elapsed() >= patience => {
                return Err(format!(
                    "another process builds it, or what it started still does, and holds {}: end that one, or run again when \
                     it is done",
                    path.display()
                ));
            }
            None => {
                std::thread::sleep(pause);
                pause = (pause * 2).min(Duration::from_secs(1));
            }
        }
    }
}

pub(super) fn io(error: std::io::Error) -> String {
    error.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_waits_for_another_process_does_not_wait_for_ever_nor_builds_without_a_lock() {
        let dir = tempfile::tempdir().unwrap();
        let (fs, path) = (Fs::new(Default::default()), dir.path().join("lock"));
        let held = lock(&fs, &path, Duration::ZERO).unwrap();
        let problem = lock(&fs, &path, Duration::ZERO).unwrap_err();
        assert!(problem.contains("another process builds it"), "{problem}");
        drop(held);
        lock(&fs, &path, Duration::ZERO).unwrap();
        let problem = lock(&fs, Path::new("/proc/nowhere/lock"), PATIENCE).unwrap_err();
        assert!(problem.contains("cannot be locked"), "{problem}");
    }

    #[test]
    fn the_secret_of_a_url_is_found() {
        let secret = |location| password(location).unwrap_or_default();
        assert_eq!(secret("https://user:s3cret@example.org/x@1.tar.gz"), "s3cret");
        assert_eq!(secret("https://user@example.org/x.tar.gz"), "");
        assert_eq!(secret("https://example.org/a:b@c.tar.gz") + &secret("/a:b@c.tar"), "");
    }
}
