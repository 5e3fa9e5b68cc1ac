//! The files a toolchain consists of, known by content and recognised by stamp.
//!
//! The driver alone is not the compiler: g++ is 1 MB in front of a 35 MB cc1plus, clang 140 kB in front of
//! 160 MB of libraries. Any of them replaced in place is another compiler. A fingerprint tells: SHA-256 would take
//! half of a first start, and guard against nobody who could not change the compiler itself.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use crate::fs::{Fs, Stamp};
use crate::signature::Signature;

/// One file of a toolchain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ToolFile {
    /// What it is to the toolchain: `driver`, `cc1plus`, `ld`, `library`, ..
    pub(crate) role: String,
    pub(crate) path: PathBuf,
    pub(crate) fingerprint: Signature,
    stamp: Stamp,
    /// Whether an equal stamp proves equal content: not if the file was written a moment before.
    settled: bool,
}

/// What has to stay as it is for an answer to stay true.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Tools {
    pub(crate) files: Vec<ToolFile>,
    /// Where a program or directory would be found earlier, if it were installed.
    absent: Vec<PathBuf>,
    /// Directories whose entries decided something.
    dirs: Vec<(PathBuf, Option<Stamp>)>,
}

/// Whether [`Tools`] are still what they were.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Now {
    Same,
    /// The same contents under new stamps: what is remembered should be written again.
    Restamped,
    Changed,
}

impl Tools {
    /// Adds a file unless it is there already. `known` are tools of an earlier look, whose fingerprints are taken
    /// over where the stamp proves them.
    pub(crate) fn add(&mut self, role: &str, path: &Path, known: &Tools, fs: &Fs) -> std::io::Result<()> {
        if self.files.iter().any(|file| file.path == path) {
            return Ok(());
        }
        let now = SystemTime::now();
        let missing = || std::io::Error::from(std::io::ErrorKind::NotFound);
        let stamp = fs.stamp(path)?.ok_or_else(missing)?;
        let known = known.files.iter().find(|file| file.path == path && file.stamp == stamp && file.settled);
        let (stamp, fingerprint) = match known {
            Some(file) => (stamp, file.fingerprint),
            None => fs.stamp_and_fingerprint(path)?,
        };
        let (role, path, settled) = (role.to_owned(), path.to_owned(), stamp.settled(now));
        self.files.push(ToolFile { role, path, fingerprint, stamp, settled });
        Ok(())
    }

    pub(crate) fn must_stay_absent(&mut self, paths: impl IntoIterator<Item = PathBuf>) {
        for path in paths {
            if !self.absent.contains(&path) {
                self.absent.push(path);
            }
        }
    }

    pub(crate) fn absent(&self) -> &[PathBuf] {
        &self.absent
    }

    pub(crate) fn must_stay_unchanged(&mut self, dir: &Path, fs: &Fs) {
        if !self.dirs.iter().any(|(known, _)| known == dir) {
            self.dirs.push((dir.to_owned(), fs.stamp(dir).unwrap_or_default()));
        }
    }

    /// Looks at everything again: one `stat` each, and a fingerprint only where the stamp proves nothing.
    pub(crate) fn check(&mut self, fs: &Fs) -> Now {
        let mut answer = Now::Same;
        if self.absent.iter().any(|path| fs.exists(path)) {
            return Now::Changed;
        }
        if self.dirs.iter().any(|(dir, stamp)| fs.stamp(dir).unwrap_or_default() != *stamp) {
            return Now::Changed;
        }
        for file in &mut self.files {
            let now = SystemTime::now();
            let Ok(Some(stamp)) = fs.stamp(&file.path) else { return Now::Changed };
            if stamp == file.stamp && file.settled {
                continue;
            }
            match fs.stamp_and_fingerprint(&file.path) {
                Ok((stamp, fingerprint)) if fingerprint == file.fingerprint => {
                    answer = Now::Restamped;
                    file.settled = stamp.settled(now);
                    file.stamp = stamp;
                }
                _ => return Now::Changed,
            }
        }
        answer
    }

    /// One fingerprint over the contents, in an order that does not depend on how they were found.
    pub(crate) fn sorted(&self) -> Vec<(&str, Signature)> {
        let mut files: Vec<_> =
            self.files.iter().map(|file| (file.role.as_str(), file.fingerprint)).collect();
        files.sort();
        files.dedup();
        files
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn old(path: &Path) {
        let then = SystemTime::now() - std::time::Duration::from_secs(100);
        std::fs::File::options().write(true).open(path).unwrap().set_modified(then).unwrap();
    }

    #[test]
    fn a_tool_replaced_in_place_is_noticed_and_a_touched_one_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let fs = Fs::new(Arc::default());
        let path = dir.path().join("cc1plus");
        std::fs::write(&path, "one").unwrap();
        let mut tools = Tools::default();
        tools.add("cc1plus", &path, &Tools::default(), &fs).unwrap();
        assert!(!tools.files[0].settled, "it was written just now");
        assert_eq!(tools.check(&fs), Now::Restamped);
        old(&path);
        assert_eq!(tools.check(&fs), Now::Restamped, "touched, not changed");
        std::fs::write(&path, "two").unwrap();
        assert_eq!(tools.check(&fs), Now::Changed);
        std::fs::remove_file(&path).unwrap();
        assert_eq!(tools.check(&fs), Now::Changed);
    }

    #[test]
    fn settled_stamps_cost_one_stat_and_no_reading() {
        let fs = Fs::new(Arc::default());
        let mut tools = Tools::default();
        tools.add("sh", Path::new("/bin/sh"), &Tools::default(), &fs).unwrap();
        let before = fs.counters().snapshot();
        assert_eq!(tools.check(&fs), Now::Same);
        let mut again = Tools::default();
        again.add("sh", Path::new("/bin/sh"), &tools, &fs).unwrap();
        let after = fs.counters().snapshot();
        assert_eq!((after.opens, after.file_stats), (before.opens, before.file_stats + 2));
        assert_eq!(again, tools);
    }

    #[test]
    fn an_earlier_candidate_and_a_changed_directory_are_noticed() {
        let dir = tempfile::tempdir().unwrap();
        let fs = Fs::new(Arc::default());
        let mut tools = Tools::default();
        tools.must_stay_absent([dir.path().join("as")]);
        tools.must_stay_unchanged(dir.path(), &fs);
        assert_eq!(tools.check(&fs), Now::Same);
        let mut one = tools.clone();
        one.dirs.clear();
        std::fs::write(dir.path().join("as"), "").unwrap();
        assert_eq!(one.check(&fs), Now::Changed);
        tools.absent.clear();
        assert_eq!(tools.check(&fs), Now::Changed);
    }
}
