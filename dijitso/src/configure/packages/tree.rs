//! One attempt to build a package, and how far it is.

use std::path::{Path, PathBuf};

use super::work::{Problem, io};
use crate::fs::Fs;

/// One attempt: the source, where it is built, and how far that is.
pub(super) struct Tree<'a> {
    dir: PathBuf,
    fs: &'a Fs,
}

impl<'a> Tree<'a> {
    const STEPS: [&'static str; 3] = ["extracted", "configured", "built"];

    pub(super) fn new(dir: PathBuf, fs: &'a Fs) -> Tree<'a> {
        Tree { dir, fs }
    }

    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    pub(super) fn source(&self) -> PathBuf {
        self.dir.join("source")
    }

    pub(super) fn cmake(&self) -> PathBuf {
        self.dir.join("cmake")
    }

    /// The directory in which the package is: the only one, mostly.
    pub(super) fn top(&self) -> PathBuf {
        let source = self.source();
        match &self.fs.list(&source).unwrap_or_default()[..] {
            [only] if self.fs.is_directory_itself(&source.join(only)) => source.join(only),
            _ => source,
        }
    }

    /// What is changed by building, as far as it is there.
    pub(super) fn parts(&self) -> Vec<PathBuf> {
        [self.source(), self.cmake()].into_iter().filter(|part| self.fs.exists(part)).collect()
    }

    /// Where a copy of it is.
    pub(super) fn saved(&self) -> PathBuf {
        self.dir.join("saved")
    }

    pub(super) fn saved_parts(&self) -> Vec<PathBuf> {
        let parts = ["source", "cmake"].map(|part| self.saved().join(part));
        parts.into_iter().filter(|part| self.fs.exists(part)).collect()
    }

    /// Only `make` was killed, and what it began with is there.
    pub(super) fn can_be_restored(&self) -> bool {
        let [extracted, configured, built] = Tree::STEPS.map(|step| self.fs.exists(&self.begun(step)));
        built && !extracted && !configured && self.fs.exists(&self.saved())
    }

    pub(super) fn forget_killed(&self) -> std::io::Result<()> {
        self.fs.remove(&self.begun("built"))
    }

    fn begun(&self, step: &str) -> PathBuf {
        self.dir.join(format!("{step}.begun"))
    }

    /// A step neither succeeded nor failed.
    pub(super) fn was_killed(&self) -> bool {
        Tree::STEPS.iter().any(|step| self.fs.exists(&self.begun(step)))
    }

    pub(super) fn step(&self, name: &str, run: impl FnOnce() -> Result<(), Problem>) -> Result<(), Problem> {
        let mark = self.dir.join(name);
        if self.fs.exists(&mark) {
            return Ok(());
        }
        let begun = self.begun(name);
        self.fs.write(&begun, b"").map_err(io)?;
        match run() {
            Ok(()) => Ok(self.fs.rename(&begun, &mark).map_err(io)?),
            Err(problem) => {
                if !problem.was_killed {
                    self.fs.remove(&begun).map_err(io)?;
                }
                Err(problem)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_that_failed_is_done_again_and_one_that_was_killed_makes_the_tree_worthless() {
        let dir = tempfile::tempdir().unwrap();
        let fs = Fs::new(Default::default());
        let tree = Tree::new(dir.path().to_owned(), &fs);
        let fails = |was_killed| move || Err(Problem { text: "no".to_owned(), was_killed });
        tree.step("built", fails(false)).unwrap_err();
        assert!(!tree.was_killed());
        tree.step("built", || Ok(())).unwrap();
        tree.step("built", fails(true)).unwrap();
        tree.step("extracted", fails(true)).unwrap_err();
        assert!(tree.was_killed());
    }
}
