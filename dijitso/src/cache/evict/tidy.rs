//! What nobody needs any more, however small the cache is.

use std::collections::HashSet;
use std::path::Path;
use std::time::{Duration, SystemTime};

use super::Bin;
use super::scan::{self, Aged, Folders, What};
use crate::cache::browse::size;
use crate::cache::{CacheKind, Index, VariantOutcome, unit_key};
use crate::fs::Stamp;
use crate::signature::Signature;
use crate::toolchain::memo_is_outdated;

const DAY: Duration = Duration::from_secs(24 * 3600);
/// So old is what nobody can be about to use any more: an index names what it needs a moment after that.
const SETTLED: Duration = Duration::from_secs(3600);
/// An index file that nobody reads belongs to a program that was rebuilt since, or that nobody runs; the same holds for unpacked archives.
const UNREAD: Duration = DAY.saturating_mul(30);
/// A set is read whenever an index file that names it is.
const UNREAD_SET: Duration = DAY.saturating_mul(32);
/// Whoever wants to know what was wrong with an entry has looked by then.
const ASIDE: Duration = DAY.saturating_mul(7);
const OLD_FAILURE: Duration = DAY.saturating_mul(30);
/// Failures that are kept, the last ones.
const FAILURES: usize = 100;
/// Index files that are read in one day's housekeeping: 50 ms.
const READ: usize = 5_000;
/// The same where each costs questions to a server.
const READ_FROM_NETWORK: usize = 250;

pub(super) struct Tidy<'b, 's> {
    bin: &'b mut Bin<'s>,
    folders: Folders<'s>,
    now: SystemTime,
    read: usize,
    /// Sets that the index names, if all of it was read.
    sets: HashSet<Signature>,
    illegible: bool,
}

impl<'b, 's> Tidy<'b, 's> {
    pub(super) fn new(bin: &'b mut Bin<'s>, now: SystemTime) -> Tidy<'b, 's> {
        let folders = Folders::of(bin.store);
        Tidy { bin, folders, now, read: 0, sets: HashSet::new(), illegible: false }
    }

    /// As much as may be done while somebody waits for a kernel.
    pub(super) fn some(mut self) {
        let most = if self.bin.store.is_shared() { READ_FROM_NETWORK } else { READ };
        for folder in scan::shuffled() {
            self.folder(folder);
            if self.read >= most {
                break;
            }
        }
        self.rest(false);
    }

    /// Everything.
    pub(super) fn all(mut self) {
        for folder in 0..scan::FOLDERS {
            self.folder(folder);
        }
        let whole = !self.illegible;
        self.rest(whole);
    }

    fn folder(&mut self, number: usize) {
        let mut files: Vec<Aged> = Vec::new();
        self.folders.look(number, &mut files);
        files.retain(|file| !self.bin.is_gone(&file.what));
        for file in &files {
            let Aged { stamp, what } = *file;
            let goes = match what {
                What::Entry(_) => false,
                // Its modification time is that of the entry it was.
                What::Aside(_) => self.now.checked_sub(ASIDE).is_some_and(|then| !stamp.changed_after(then)),
                What::Index(key) => {
                    let index = self.read_index(&key);
                    let goes = stamp.is_unused_for(UNREAD, self.now)
                        || (self.is_settled(&stamp)
                            && index.as_ref().is_none_or(|index| self.is_void(index)));
                    match index {
                        Some(index) if !goes => {
                            self.sets.extend(index.variants.iter().filter_map(|v| v.inputs.set()))
                        }
                        None if !goes => self.illegible = true,
                        _ => {}
                    }
                    goes
                }
            };
            if goes {
                self.bin.evict(file);
            }
        }
    }

    fn read_index(&mut self, key: &Signature) -> Option<Index> {
        self.read += 1;
        self.bin.store.index_unmarked(key)
    }

    /// Whether all that it names is gone. A remembered failure is something.
    fn is_void(&self, index: &Index) -> bool {
        let store = self.bin.store;
        index.variants.iter().all(|variant| match &variant.outcome {
            VariantOutcome::Content(content) => {
                self.bin.is_gone(&What::Entry(*content)) || !store.fs().exists(&store.entry_path(content))
            }
            VariantOutcome::Failure(_) => false,
        })
    }

    fn rest(&mut self, whole: bool) {
        self.failures();
        self.sources();
        self.toolchains();
        self.sets(whole);
        self.sites();
        self.temporary();
    }

    fn failures(&mut self) {
        let mut bundles = self.files(&self.bin.store.failures_dir());
        bundles.sort_unstable_by_key(|(_, stamp)| std::cmp::Reverse(stamp.mtime_ns));
        for (at, (path, stamp)) in bundles.into_iter().enumerate() {
            if at >= FAILURES || stamp.is_unused_for(OLD_FAILURE, self.now) {
                self.remove(CacheKind::Failure, &path);
            }
        }
    }

    /// What debuggers are shown goes with the last entry that was made of it.
    fn sources(&mut self) {
        for (path, stamp) in self.files(&self.bin.store.sources_dir()) {
            let unit = path.file_name().and_then(|name| name.to_str()).and_then(Signature::from_hex);
            let Some(unit) = unit.filter(|_| self.is_settled(&stamp)) else { continue };
            if self.read_index(&unit_key(&unit)).is_none_or(|index| self.is_void(&index)) {
                self.remove(CacheKind::Source, &path);
            }
        }
    }

    fn toolchains(&mut self) {
        for (path, stamp) in self.files(&self.bin.store.toolchains_dir()) {
            if self.is_settled(&stamp) && memo_is_outdated(&path, self.bin.store.fs()) {
                self.remove(CacheKind::Toolchain, &path);
            }
        }
    }

    /// Lists of the compiler's headers that no index names.
    fn sets(&mut self, whole: bool) {
        for (path, stamp) in self.files(&self.bin.store.sets_dir()) {
            let set = path.file_name().and_then(|name| name.to_str()).and_then(Signature::from_hex);
            let unnamed = whole && self.is_settled(&stamp) && set.is_none_or(|set| !self.sets.contains(&set));
            if unnamed || stamp.is_unused_for(UNREAD_SET, self.now) {
                self.remove(CacheKind::Toolchain, &path);
            }
        }
    }

    fn sites(&mut self) {
        for (path, stamp) in self.files(&self.bin.store.sites_dir()) {
            if stamp.is_unused_for(UNREAD, self.now) {
                self.remove(CacheKind::Site, &path);
            }
        }
    }

    /// What killed programs left; of what is locked nobody says that it is there.
    fn temporary(&mut self) {
        if !self.bin.dry_run {
            for (path, bytes) in self.bin.store.sweep_listed() {
                self.bin.was_removed(CacheKind::Temporary, path, bytes);
            }
        }
    }

    fn remove(&mut self, kind: CacheKind, path: &Path) {
        let bytes = size(self.bin.store.fs(), path);
        self.bin.remove(kind, path, bytes);
    }

    fn files(&self, dir: &Path) -> Vec<(std::path::PathBuf, Stamp)> {
        let mut files = Vec::new();
        if self.bin.store.fs().is_directory_itself(dir) {
            let _ = self.bin.store.fs().each_in(dir, &mut |name, stamp| files.push((dir.join(name), stamp)));
        }
        files
    }

    fn is_settled(&self, stamp: &Stamp) -> bool {
        stamp.is_unused_for(SETTLED, self.now)
    }
}
