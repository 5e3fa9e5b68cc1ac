//! What in a cache directory is ours. Whoever says that somebody else's directory is the cache may lose nothing by it.

use std::path::{Path, PathBuf};

use super::{Store, TAG};
use crate::cache::browse::size;
use crate::fs::{Scratch, is_working_directory};
use crate::signature::Signature;

/// Whether we give a file such a name.
type IsOurs = fn(&str) -> bool;

/// The file at the root that says whose directory it is.
const TAG_NAME: &str = "CACHEDIR.TAG";
/// What lies beside the folders of entries.
const NAMES: [&str; 15] = [
    "index",
    "imported",
    "sets",
    "probes",
    "toolchains",
    "failures",
    "sources",
    "sites",
    "locks",
    "growth",
    "tidied",
    "statistics",
    "tmp",
    "table",
    "lock",
];

impl Store {
    /// Whether it says of itself that it is a cache of ours: nothing is removed from any other.
    pub(in crate::cache) fn is_tagged(&self) -> bool {
        let tag = self.fs.read_small(&self.root.join(TAG_NAME), 4096).unwrap_or_default();
        let standard = TAG.lines().next().unwrap_or(TAG).as_bytes();
        tag.starts_with(standard) && tag.windows(b"dijitso".len()).any(|part| part == b"dijitso")
    }

    pub(super) fn tag(&self) -> std::io::Result<()> {
        self.fs.publish(&self.root, &self.root.join(TAG_NAME), TAG.as_bytes(), false).map(|_| ())
    }

    /// Whether it is tagged; it is now, if whoever created it was killed before that and all in it is ours.
    pub(in crate::cache) fn is_tagged_by_now(&self) -> bool {
        let is_ours = |name: &str| NAMES.contains(&name) || is_folder(name);
        let all_ours = || {
            let names = self.fs.list(&self.v1).unwrap_or_default();
            names.iter().all(|name| name.to_str().is_some_and(is_ours))
        };
        self.is_tagged() || (all_ours() && self.tag().is_ok() && self.is_tagged())
    }

    /// What in one of our directories is named by a signature, as everything is that we put there. Nothing if the directory
    /// itself is a link.
    pub(in crate::cache) fn signed_in(&self, dir: &Path) -> Vec<(Signature, PathBuf)> {
        if !self.fs.is_directory_itself(dir) {
            return Vec::new();
        }
        let names = self.fs.list(dir).unwrap_or_default().into_iter();
        names.filter_map(|name| Some((signature(name.to_str()?)?, dir.join(name)))).collect()
    }

    /// The directories that only hold what somebody works on, and which names are such.
    fn places_of_work(&self) -> impl Iterator<Item = (PathBuf, IsOurs)> {
        let places = [(self.tmp_dir(), is_temporary as IsOurs), (self.locks_dir(), is_lock)];
        places.into_iter().filter(|(dir, _)| self.fs.is_directory_itself(dir))
    }

    /// Removes what killed programs left behind; never what somebody still works on. Returns how many files
    /// and directories.
    pub(crate) fn sweep(&self) -> usize {
        let kind = self.mount().kind;
        self.places_of_work().map(|(dir, ours)| Scratch::sweep_all(&self.fs, &dir, kind, ours)).sum()
    }

    /// The same, and says what it was and how large.
    pub(in crate::cache) fn sweep_listed(&self) -> Vec<(PathBuf, u64)> {
        let mut gone = Vec::new();
        for (dir, ours) in self.places_of_work() {
            let sized = |name| (size(&self.fs, &dir.join(&name)), dir.join(name));
            let there: Vec<_> = self.fs.list(&dir).unwrap_or_default().into_iter().map(sized).collect();
            Scratch::sweep_all(&self.fs, &dir, self.mount().kind, ours);
            let left = there.into_iter().filter(|(_, path)| self.fs.stamp_itself(path).is_none());
            gone.extend(left.map(|(bytes, path)| (path, bytes)));
        }
        gone
    }
}

/// A signature as we write it.
fn signature(name: &str) -> Option<Signature> {
    Signature::from_hex(name).filter(|signature| signature.to_hex() == name)
}

fn is_folder(name: &str) -> bool {
    name.len() == 2 && name.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

/// Files that are being written, tokens, and working directories.
fn is_temporary(name: &str) -> bool {
    name.starts_with("new-")
        || name.starts_with("shared-")
        || matches!(name, "evict" | "statistics")
        || is_working_directory(name)
}

fn is_lock(name: &str) -> bool {
    matches!(name, "evict" | "statistics" | "lock") || signature(name).is_some()
}

/// Whether a name is that of what a failed build left: `<kernel>-<12 hex>`, in these two parts.
pub(in crate::cache) fn bundle(name: &str) -> Option<(&str, &str)> {
    let (kernel, unit) = name.rsplit_once('-')?;
    let digits = unit.len() == 12 && unit.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    digits.then_some((kernel, unit))
}

#[cfg(test)]
mod tests {
    use super::super::tests::store;
    use super::*;

    #[test]
    fn a_directory_is_ours_if_it_says_so_or_if_all_in_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let store = store(&dir.path().join("cache"));
        store.create().unwrap();
        assert!(store.is_tagged());
        // As if whoever created it had been killed.
        let tag = store.root().join(TAG_NAME);
        std::fs::remove_file(&tag).unwrap();
        assert!(!store.is_tagged() && store.is_tagged_by_now() && store.is_tagged());
        std::fs::remove_file(&tag).unwrap();
        std::fs::write(store.v1().join("routes.py"), "precious").unwrap();
        assert!(!store.is_tagged_by_now() && !tag.exists());
        std::fs::write(&tag, "Signature: 8a477f597d28d172789f06886806bc55\n# another program's\n").unwrap();
        assert!(!store.is_tagged(), "another program's cache");
    }
}
