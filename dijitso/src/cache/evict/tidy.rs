//! What nobody needs any more, however small the cache is.

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::Bin;
use super::daily::Today;
use super::scan::{self, Aged, Folders, What};
use crate::cache::browse::size;
use crate::cache::store::bundle;
use crate::cache::{CacheKind, Index, VariantOutcome, unit_key};
use crate::fs::Stamp;
use crate::signature::Signature;
use crate::toolchain::memo_is_outdated;

const DAY: Duration = Duration::from_secs(24 * 3600);
/// So old is what nobody can be about to use any more: an index names what it needs a moment after that.
const SETTLED: Duration = Duration::from_secs(3600);
/// An index file that nobody reads belongs to a program that was rebuilt since, or that nobody runs; the same holds for unpacked archives.
pub(super) const UNREAD: Duration = DAY.saturating_mul(30);
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
    today: Today,
    /// What was read and removed, and the most of it that may be done.
    done: usize,
    most: usize,
    /// Sets that the index names, if all of it was read.
    sets: HashSet<Signature>,
    illegible: bool,
}

impl<'b, 's> Tidy<'b, 's> {
    pub(super) fn new(bin: &'b mut Bin<'s>, today: Today) -> Tidy<'b, 's> {
        let folders = Folders::of(bin.store);
        Tidy { bin, folders, today, done: 0, most: usize::MAX, sets: HashSet::new(), illegible: false }
    }

    /// As much as one program may be asked to do.
    pub(super) fn some(mut self) {
        self.most = if self.bin.store.is_shared() { READ_FROM_NETWORK } else { READ };
        for folder in scan::shuffled() {
            self.folder(folder);
            if self.is_enough() {
                break;
            }
        }
        self.done = 0;
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
        // Another part of a large folder every day.
        let files = self.folders.look_at_some(number, self.most - self.done, |what| {
            !matches!(what, What::Entry(_)) && !self.bin.is_gone(what)
        });
        for file in &files {
            let Aged { stamp, what } = *file;
            let goes = match what {
                What::Entry(_) => false,
                // Its modification time is that of the entry it was.
                What::Aside(_) => {
                    let then = self.today.now.checked_sub(ASIDE);
                    self.today.is_certain && then.is_some_and(|then| !stamp.changed_after(then))
                }
                What::Index(key) => {
                    let index = self.read_index(&key);
                    let goes = self.is_unused_for(UNREAD, &stamp)
                        || (self.is_settled(&stamp) && self.leads_nowhere(&index));
                    match index {
                        Ok(Some(index)) if !goes => {
                            self.sets.extend(index.variants.iter().filter_map(|v| v.inputs.set()))
                        }
                        _ if !goes => self.illegible = true,
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

    fn read_index(&mut self, key: &Signature) -> io::Result<Option<Index>> {
        self.done += 1;
        self.bin.store.index_seen(key)
    }

    /// What cannot be read now, or is of another version, may lead somewhere.
    fn leads_nowhere(&self, index: &io::Result<Option<Index>>) -> bool {
        index.as_ref().is_ok_and(|index| index.as_ref().is_none_or(|index| self.is_void(index)))
    }

    /// Whether all that it names is gone. A remembered failure is something.
    fn is_void(&self, index: &Index) -> bool {
        let store = self.bin.store;
        index.variants.iter().all(|variant| match &variant.outcome {
            VariantOutcome::Content(content) => {
                self.bin.is_gone(&What::Entry(*content)) || store.is_gone(content)
            }
            VariantOutcome::Failure(_) => false,
        })
    }

    fn is_enough(&self) -> bool {
        self.done >= self.most
    }

    fn rest(&mut self, whole: bool) {
        self.failures();
        self.sources();
        self.toolchains();
        self.answers();
        self.sets(whole);
        self.sites();
        self.temporary();
    }

    fn failures(&mut self) {
        let mut bundles = self.files(&self.bin.store.failures_dir());
        bundles.retain(|(path, _)| {
            path.file_name().and_then(|name| name.to_str()).is_some_and(|name| bundle(name).is_some())
        });
        bundles.sort_unstable_by_key(|(_, stamp)| std::cmp::Reverse(stamp.mtime_ns));
        for (at, (path, stamp)) in bundles.into_iter().enumerate() {
            if at >= FAILURES || self.is_unused_for(OLD_FAILURE, &stamp) {
                self.remove(CacheKind::Failure, &path);
            }
        }
    }

    /// What debuggers are shown goes with the last entry that was made of it.
    fn sources(&mut self) {
        for (unit, path, stamp) in self.signed(&self.bin.store.sources_dir()) {
            if self.is_enough() {
                return;
            }
            if !self.is_settled(&stamp) {
                continue;
            }
            let index = self.read_index(&unit_key(&unit));
            if self.leads_nowhere(&index) {
                self.remove(CacheKind::Source, &path);
            }
        }
    }

    fn toolchains(&mut self) {
        for (_, path, stamp) in self.signed(&self.bin.store.toolchains_dir()) {
            if self.is_enough() {
                return;
            }
            self.done += 1;
            if self.is_settled(&stamp) && memo_is_outdated(&path, self.bin.store.fs()) {
                self.remove(CacheKind::Toolchain, &path);
            }
        }
    }

    /// Lists of the compiler's headers that no index names.
    fn sets(&mut self, whole: bool) {
        if whole {
            self.sets.extend(self.bin.store.sets_of_answers());
        }
        for (set, path, stamp) in self.signed(&self.bin.store.sets_dir()) {
            let unnamed = whole && self.is_settled(&stamp) && !self.sets.contains(&set);
            if unnamed || self.is_unused_for(UNREAD_SET, &stamp) {
                self.remove(CacheKind::Toolchain, &path);
            }
        }
    }

    /// Answers of compilers that nobody asked for.
    fn answers(&mut self) {
        for (_, path, stamp) in self.signed(&self.bin.store.answers_dir()) {
            if self.is_unused_for(UNREAD, &stamp) {
                self.remove(CacheKind::Toolchain, &path);
            }
        }
    }

    fn sites(&mut self) {
        for (_, path, stamp) in self.signed(&self.bin.store.sites_dir()) {
            if self.is_unused_for(UNREAD, &stamp) {
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
        if self.is_enough() {
            return;
        }
        self.done += 1;
        let bytes = size(self.bin.store.fs(), path);
        self.bin.remove(kind, path, bytes);
    }

    /// What is named by a signature, in random order: nothing else is ours.
    fn signed(&self, dir: &Path) -> Vec<(Signature, PathBuf, Stamp)> {
        let signed = |(path, stamp): (PathBuf, Stamp)| {
            let name = path.file_name()?.to_str()?;
            let signature = Signature::from_hex(name).filter(|signature| signature.to_hex() == name)?;
            Some((signature, path, stamp))
        };
        let mut signed: Vec<_> = self.files(dir).into_iter().filter_map(signed).collect();
        // So that what one day does not come to, another one does.
        scan::shuffle(&mut signed);
        signed
    }

    fn files(&self, dir: &Path) -> Vec<(PathBuf, Stamp)> {
        let mut files = Vec::new();
        if self.bin.store.fs().is_directory_itself(dir) {
            let _ = self.bin.store.fs().each_in(dir, &mut |name, stamp| files.push((dir.join(name), stamp)));
        }
        files
    }

    fn is_unused_for(&self, time: Duration, stamp: &Stamp) -> bool {
        self.today.is_certain && stamp.is_unused_for(time, self.today.now)
    }

    fn is_settled(&self, stamp: &Stamp) -> bool {
        stamp.is_unused_for(SETTLED, self.today.now)
    }
}
