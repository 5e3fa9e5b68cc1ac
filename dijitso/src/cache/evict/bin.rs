//! Where what is removed goes: it is counted, listed if somebody wants to know, and left in place if that was only asked.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use super::daily::Today;
use super::growth::Amount;
use super::scan::{Aged, What};
use crate::cache::{CacheKind, Removed, RemovedFile, Store};

/// What is removed, or would be.
#[derive(Debug)]
pub(super) struct Bin<'s> {
    pub(super) store: &'s Store,
    /// Remove nothing.
    pub(super) dry_run: bool,
    /// Entries and index files: what counts towards the bound.
    pub(super) evicted: Amount,
    /// What would not be there any more.
    gone: HashSet<What>,
    /// For whoever asked.
    pub(super) list: Option<Removed>,
}

impl<'s> Bin<'s> {
    pub(super) fn new(store: &'s Store) -> Bin<'s> {
        Bin { store, dry_run: false, evicted: Amount::default(), gone: HashSet::new(), list: None }
    }

    /// Removes a file that counts towards the bound, unless it is gone already.
    pub(super) fn evict(&mut self, file: &Aged) {
        let Aged { stamp, what } = file;
        if !self.is_gone(what) && self.remove(what.kind(), &what.path(self.store), stamp.size) {
            self.evicted.add(stamp.size);
            if self.dry_run {
                self.gone.insert(*what);
            }
        }
    }

    /// Marks what claims to have been used later than tomorrow, by a clock that was wrong, as used today: from now on it ages
    /// like all others.
    pub(super) fn correct(&self, stay: &[Aged], today: Today) {
        let wrong = stay.iter().filter(|file| today.is_certain && file.stamp.is_ahead_of(today.now));
        for file in wrong.filter(|_| !self.dry_run) {
            let _ = self.store.fs().mark_used(&file.what.path(self.store));
        }
    }

    /// Whether it is there, and would not be.
    pub(super) fn is_gone(&self, what: &What) -> bool {
        self.gone.contains(what)
    }

    /// Removes a file, or a directory with all that is in it. Whether it was removed, or would be: what is gone already, somebody
    /// else has removed and counted.
    pub(super) fn remove(&mut self, kind: CacheKind, path: &Path, bytes: u64) -> bool {
        let fs = self.store.fs();
        if !self.dry_run {
            let is_file = matches!(
                kind,
                CacheKind::Entry | CacheKind::Damaged | CacheKind::Index | CacheKind::Toolchain
            );
            let removed = match is_file || !fs.is_directory_itself(path) {
                true => fs.remove_if_there(path),
                false => self.store.remove_tree(path).map(|()| true),
            };
            if let Ok(false) = removed {
                return false;
            }
            if let Err(error) = removed {
                log::debug!("cannot remove {}: {error}", path.display());
                if let Some(list) = &mut self.list {
                    list.failed.push((path.to_owned(), error.to_string()));
                }
                return false;
            }
        }
        self.was_removed(kind, path.to_owned(), bytes);
        true
    }

    pub(super) fn was_removed(&mut self, kind: CacheKind, path: PathBuf, bytes: u64) {
        if let Some(list) = &mut self.list {
            list.bytes = list.bytes.saturating_add(bytes);
            list.files.push(RemovedFile { kind, path, bytes });
        }
    }
}
