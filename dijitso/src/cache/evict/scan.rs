//! The files of one folder, each with its size and its last use.

use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use super::growth::Amount;
use crate::cache::{CacheKind, Store};
use crate::fs::Stamp;
use crate::signature::Signature;

/// There are so many folders of entries, and as many of the index.
pub(super) const FOLDERS: usize = 256;

/// A file that can be removed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Aged {
    pub(super) stamp: Stamp,
    pub(super) what: What,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum What {
    Entry(Signature),
    /// An entry that was set aside.
    Aside(Signature),
    /// By its key.
    Index(Signature),
}

impl What {
    pub(super) fn kind(self) -> CacheKind {
        match self {
            What::Entry(_) => CacheKind::Entry,
            What::Aside(_) => CacheKind::Damaged,
            What::Index(_) => CacheKind::Index,
        }
    }

    pub(super) fn path(self, store: &Store) -> PathBuf {
        match self {
            What::Entry(content) => store.entry_path(&content),
            What::Aside(content) => store.aside_path(&content),
            What::Index(key) => store.index_path(&key),
        }
    }
}

/// The folders that are there. Two listings tell; to ask for each of 512 would be most of the work in a small cache.
pub(super) struct Folders<'s> {
    store: &'s Store,
    entries: HashSet<OsString>,
    index: HashSet<OsString>,
}

impl<'s> Folders<'s> {
    pub(super) fn of(store: &'s Store) -> Folders<'s> {
        let names = |dir: &Path| store.fs().folders(dir).unwrap_or_default().into_iter().collect();
        Folders { store, entries: names(store.v1()), index: names(&store.index_dir()) }
    }

    /// Adds the files of the folders with this number, and says how much they are. What is not named as a file of a cache is
    /// none of ours.
    pub(super) fn look(&self, number: usize, files: &mut Vec<Aged>) -> Amount {
        let mut amount = Amount::default();
        let name = format!("{number:02x}");
        for (folders, dir, in_index) in self.both() {
            if !folders.contains(OsStr::new(&name)) {
                continue;
            }
            let dir = dir.join(&name);
            let looked = self.store.fs().each_in(&dir, &mut |file, stamp| {
                if let Some(what) = what(file, &name, in_index) {
                    amount.add(stamp.size);
                    files.push(Aged { stamp, what });
                }
            });
            if let Err(error) = looked {
                log::debug!("cannot look into {}: {error}", dir.display());
            }
        }
        amount
    }

    /// Of the files in the folders with this number that are `wanted`, so many as chance has it: only these cost a question each.
    pub(super) fn look_at_some(
        &self,
        number: usize,
        most: usize,
        wanted: impl Fn(&What) -> bool,
    ) -> Vec<Aged> {
        let mut found = Vec::new();
        let name = format!("{number:02x}");
        for (folders, dir, in_index) in self.both() {
            if !folders.contains(OsStr::new(&name)) {
                continue;
            }
            let Ok(directory) = self.store.fs().directory_at(&dir.join(&name)) else { continue };
            let mut files: Vec<(OsString, What)> = Vec::new();
            for file in directory.names().unwrap_or_default() {
                if let Some(what) = what(&file, &name, in_index).filter(&wanted) {
                    files.push((file, what));
                }
            }
            shuffle(&mut files);
            files.truncate(most.saturating_sub(found.len()));
            let looked = files
                .iter()
                .filter_map(|(file, what)| directory.stamp(file).map(|stamp| Aged { stamp, what: *what }));
            found.extend(looked);
        }
        found
    }

    /// Those of entries, and of the index.
    fn both(&self) -> [(&HashSet<OsString>, PathBuf, bool); 2] {
        let (entries, index) = (self.store.v1().to_owned(), self.store.index_dir());
        [(&self.entries, entries, false), (&self.index, index, true)]
    }
}

/// What a folder has by this name; what is not named as a file of a cache is none of ours.
fn what(file: &OsStr, folder: &str, in_index: bool) -> Option<What> {
    let file = file.to_str().filter(|file| file.starts_with(folder))?;
    let signature = |digits: &str| Signature::from_hex(digits).filter(|s| s.to_hex() == digits);
    if in_index {
        return signature(file).map(What::Index);
    }
    match file.strip_suffix(".so") {
        Some(digits) => signature(digits).map(What::Entry),
        None => signature(file.strip_suffix(".so.corrupt")?).map(What::Aside),
    }
}

/// All folders, in random order: two that evict at once begin in different ones.
pub(super) fn shuffled() -> Vec<usize> {
    let mut folders: Vec<usize> = (0..FOLDERS).collect();
    shuffle(&mut folders);
    folders
}

pub(super) fn shuffle<T>(items: &mut [T]) {
    for last in (1..items.len()).rev() {
        let other = (super::growth::dice() * (last + 1) as f64) as usize;
        items.swap(last, other.min(last));
    }
}
