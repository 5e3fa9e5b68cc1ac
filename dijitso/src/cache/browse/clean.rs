//! Removing from a cache, while others use it.

use std::collections::HashSet;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::summary::size;
use super::{Cache, CacheKind, Entry, Removed, RemovedFile};
use crate::cache::{Index, Variant, VariantOutcome, site};
use crate::signature::Signature;

/// So old is what nobody can be about to use any more: an index names what it needs a moment after that.
const SETTLED: Duration = Duration::from_secs(3600);

type Condition<'a> = Box<dyn Fn(&Entry) -> bool + 'a>;

/// What to remove from a cache. Without a condition: all kernels, damaged entries, failures, what the index
/// knows of them, unpacked archives of site caches, and what killed programs left; what is known about compilers
/// stays, and so do files that are no part of a cache.
///
/// A kernel that a program has loaded stays loaded: its file loses its name, not its content. A program that
/// loads one later builds it again. What is removed is also forgotten by the index, and so are remembered
/// failures whose bundle is removed.
///
/// dijitso: `clean_cache`; `dijitso clean` on the command line.
///
/// ```
/// use std::time::Duration;
/// use dijitso::CacheKind;
///
/// # fn main() -> dijitso::Result<()> {
/// # let dir = tempfile::tempdir().unwrap();
/// # let jit = dijitso::Jit::builder().cache_dir(dir.path().join("cache")).build()?;
/// # let spec = dijitso::spec!(extern "C" fn() -> i32, "nine", (), || unsafe { dijitso::Source::new("int nine() { return 9; }") });
/// let nine = jit.load(&spec)?;
/// let cache = jit.cache();
///
/// let old = cache.clean().older_than(Duration::from_secs(3600)).run();
/// assert_eq!(old.count(CacheKind::Entry), 0);
/// let would = cache.clean().kernel("nine").dry_run(true).run();
/// assert_eq!(would.files[0].path, nine.path().unwrap());
/// let removed = cache.clean().kernel("nine").run();
/// assert_eq!((removed.count(CacheKind::Entry), cache.entries().count()), (1, 0));
/// assert_eq!(nine.call(), 9); // it stays loaded
/// # Ok(()) }
/// ```
#[must_use = "call `.run()`"]
pub struct Clean<'a> {
    cache: Cache,
    kinds: Option<Vec<CacheKind>>,
    kernels: Vec<String>,
    before: Option<SystemTime>,
    unused_since: Option<SystemTime>,
    matching: Vec<Condition<'a>>,
    dry_run: bool,
}

impl Cache {
    /// Chooses what to remove; [`run`](Clean::run) removes it.
    ///
    /// ```
    /// # fn main() -> dijitso::Result<()> {
    /// let removed = dijitso::Cache::open("/nonexistent/cache")?.clean().run();
    /// assert_eq!(removed.bytes, 0);
    /// # Ok(()) }
    /// ```
    pub fn clean<'a>(&self) -> Clean<'a> {
        Clean {
            cache: self.clone(),
            kinds: None,
            kernels: Vec::new(),
            before: None,
            unused_since: None,
            matching: Vec::new(),
            dry_run: false,
        }
    }
}

impl<'a> Clean<'a> {
    /// Only these kinds. [`CacheKind::Index`] stands for index files that are illegible or lead nowhere: what
    /// names something that is removed always goes with it. [`CacheKind::Toolchain`] goes only if it is named.
    pub fn kinds(mut self, kinds: &[CacheKind]) -> Clean<'a> {
        self.kinds = Some(kinds.to_vec());
        self
    }

    /// Only the kernels of this name (`axpy`), and their failures, or those with these arguments (`axpy(Unrolled(8))`); of several
    /// names each.
    pub fn kernel(mut self, name: impl Into<String>) -> Clean<'a> {
        self.kernels.push(name.into());
        self
    }

    /// Only what was built, or failed, at least so long ago.
    pub fn older_than(mut self, age: Duration) -> Clean<'a> {
        self.before = Some(ago(age));
        self
    }

    /// Only kernels that were not loaded for so long, to the day, see [`Entry::last_used`]; and failures so old.
    pub fn unused_for(mut self, time: Duration) -> Clean<'a> {
        self.unused_since = Some(ago(time));
        self
    }

    /// Only kernels for which `holds` is true; failures stay.
    pub fn matching(mut self, holds: impl Fn(&Entry) -> bool + 'a) -> Clean<'a> {
        self.matching.push(Box::new(holds));
        self
    }

    /// Whether to return what would be removed, and remove nothing.
    pub fn dry_run(mut self, dry: bool) -> Clean<'a> {
        self.dry_run = dry;
        self
    }

    /// Removes what was chosen and returns what that was. What cannot be removed is in
    /// [`Removed::failed`], and the rest is removed all the same. From a directory that others can write to
    /// nothing is removed: a link in it could lead anywhere; nor from a site cache, which others read.
    pub fn run(self) -> Removed {
        let mut work = Work {
            clean: &self,
            removed: Removed::default(),
            gone: HashSet::new(),
            units: HashSet::new(),
            kept: HashSet::new(),
            bundles: HashSet::new(),
        };
        if let Some(why) = self.cache.refuses_removal() {
            work.removed.failed.push((self.cache.dir().to_owned(), why));
            return work.removed;
        }
        work.entries();
        work.sources();
        // What is no entry has no name, age or use, so it goes only if nothing of these is asked.
        if self.wants(CacheKind::Damaged) && self.unconditional() {
            work.damaged();
        }
        if self.wants(CacheKind::Failure) && self.matching.is_empty() {
            work.failures();
        }
        work.index();
        if self.wants(CacheKind::Site) && self.unconditional() {
            work.sites();
        }
        if self.wanted(CacheKind::Toolchain) && self.unconditional() {
            work.toolchains();
        }
        if self.wants(CacheKind::Temporary) && self.unconditional() {
            work.temporary();
        }
        work.removed
    }

    fn wants(&self, kind: CacheKind) -> bool {
        self.kinds.as_ref().is_none_or(|kinds| kinds.contains(&kind))
    }

    /// Asked for by its name.
    fn wanted(&self, kind: CacheKind) -> bool {
        self.kinds.as_ref().is_some_and(|kinds| kinds.contains(&kind))
    }

    fn unconditional(&self) -> bool {
        self.kernels.is_empty()
            && self.before.is_none()
            && self.unused_since.is_none()
            && self.matching.is_empty()
    }

    fn fits(&self, names: &[&str], built: SystemTime, used: SystemTime) -> bool {
        (self.kernels.is_empty() || self.kernels.iter().any(|kernel| names.contains(&kernel.as_str())))
            && self.before.is_none_or(|before| built <= before)
            && self.unused_since.is_none_or(|since| used <= since)
    }
}

struct Work<'c, 'a> {
    clean: &'c Clean<'a>,
    removed: Removed,
    gone: HashSet<Signature>,
    /// Units of entries that were removed, and of those that were not.
    units: HashSet<Signature>,
    kept: HashSet<Signature>,
    bundles: HashSet<PathBuf>,
}

impl Work<'_, '_> {
    fn entries(&mut self) {
        for entry in self.clean.cache.entries().flatten() {
            let used = entry.last_used().unwrap_or_else(|| entry.built());
            let fits = self.clean.fits(&[entry.name(), entry.description()], entry.built(), used);
            if fits
                && self.clean.wants(CacheKind::Entry)
                && self.clean.matching.iter().all(|holds| holds(&entry))
                && self.remove(CacheKind::Entry, entry.path())
            {
                self.gone.insert(entry.signature());
                self.units.insert(entry.unit_signature());
            } else {
                self.kept.insert(entry.unit_signature());
            }
        }
    }

    /// What debuggers show goes with the last entry that was made of it.
    fn sources(&mut self) {
        let dir = self.clean.cache.store.sources_dir();
        let tidy = self.clean.wants(CacheKind::Source) && self.clean.unconditional();
        for (unit, path) in self.clean.cache.store.signed_in(&dir) {
            if !self.kept.contains(&unit) && (tidy || self.units.contains(&unit)) {
                self.remove(CacheKind::Source, &path);
            }
        }
    }

    fn damaged(&mut self) {
        let cache = self.clean.cache.clone();
        for damaged in cache.entries().filter_map(Result::err) {
            // What is not named as an entry is not ours to remove.
            let Some(signature) = damaged.signature else { continue };
            // What cannot be read now may be sound: only who removes everything removes that.
            if damaged.unreadable && self.clean.kinds.is_some() {
                continue;
            }
            if self.remove(CacheKind::Damaged, &damaged.path) && cache.place(&signature) == damaged.path {
                self.gone.insert(signature);
            }
        }
        cache.set_aside(&mut |path, _| {
            self.remove(CacheKind::Damaged, path);
        });
    }

    fn failures(&mut self) {
        for failure in self.clean.cache.failures().unwrap_or_default() {
            let (name, when) = (failure.kernel(), failure.when());
            if self.clean.fits(&[name], when, when) && self.remove(CacheKind::Failure, failure.path()) {
                self.bundles.insert(failure.path().to_owned());
            }
        }
    }

    /// Forgets what was removed, and what leads nowhere if that is asked for.
    fn index(&mut self) {
        let cache = self.clean.cache.clone();
        let (store, fs) = (&cache.store, cache.store.fs());
        let tidy = self.clean.wants(CacheKind::Index) && self.clean.unconditional();
        let (mut read, mut sets) = (true, HashSet::new());
        cache.index_files(&mut |path, key, index| {
            // What is not named as an index file is not ours to remove.
            let Some(key) = key else { return };
            // What another version wrote, or what cannot be read now, is not ours to judge.
            let Ok(index) = index else {
                read = false;
                return;
            };
            let Some(mut index) = index else {
                if tidy {
                    self.remove(CacheKind::Index, path);
                } else {
                    read = false;
                }
                return;
            };
            let before = index.variants.len();
            index.variants.retain(|variant| {
                let nowhere = || leads_nowhere(variant, |c| !store.is_gone(c));
                let goes = self.names_removed(variant) || (tidy && nowhere());
                !goes
            });
            sets.extend(index.variants.iter().filter_map(|variant| variant.inputs.set()));
            if index.variants.is_empty() && before > 0 {
                self.remove(CacheKind::Index, path);
            } else if index.variants.len() < before {
                self.shorten(path, &key, &index);
            }
        });
        if tidy && let Some((path, Ok(leads))) = site::imported(store) {
            // A dry run has removed nothing of what it leads to.
            let gone = self.clean.dry_run && self.kept.is_empty();
            if !leads || gone {
                self.remove(CacheKind::Index, &path);
            }
        }
        // Lists of the compiler's headers that no index names any more.
        if read && tidy {
            sets.extend(store.sets_of_answers());
            let dir = store.sets_dir();
            for (set, path) in store.signed_in(&dir) {
                let old = fs.stamp(&path).is_ok_and(|s| s.is_some_and(|s| !s.changed_after(ago(SETTLED))));
                if !sets.contains(&set) && old {
                    self.remove(CacheKind::Toolchain, &path);
                }
            }
        }
    }

    fn names_removed(&self, variant: &Variant) -> bool {
        match &variant.outcome {
            VariantOutcome::Content(content) => self.gone.contains(content),
            VariantOutcome::Failure(text) => {
                bundle_of(text).is_some_and(|bundle| self.bundles.contains(&bundle))
            }
        }
    }

    fn shorten(&mut self, path: &Path, key: &Signature, index: &Index) {
        if !self.clean.dry_run
            && let Err(error) = self.clean.cache.store.shrink_index(key, index)
        {
            return self.removed.failed.push((path.to_owned(), error.to_string()));
        }
        self.removed.shortened += 1;
    }

    fn sites(&mut self) {
        let dir = self.clean.cache.store.sites_dir();
        for (_, path) in self.clean.cache.store.signed_in(&dir) {
            self.remove(CacheKind::Site, &path);
        }
    }

    fn toolchains(&mut self) {
        let dir = self.clean.cache.store.toolchains_dir();
        for (_, path) in self.clean.cache.store.signed_in(&dir) {
            self.remove(CacheKind::Toolchain, &path);
        }
    }

    /// What is locked is in use; of the rest the sweep says only how much it was.
    fn temporary(&mut self) {
        if self.clean.dry_run {
            return;
        }
        for (path, bytes) in self.clean.cache.store.sweep_listed() {
            self.removed.bytes = self.removed.bytes.saturating_add(bytes);
            self.removed.files.push(RemovedFile { kind: CacheKind::Temporary, path, bytes });
        }
    }

    /// Whether it is gone, or would be.
    fn remove(&mut self, kind: CacheKind, path: &Path) -> bool {
        let store = &self.clean.cache.store;
        let bytes = size(store.fs(), path);
        if !self.clean.dry_run {
            let removed = match store.fs().is_directory_itself(path) {
                true => store.remove_tree(path),
                false => store.fs().remove(path),
            };
            if let Err(error) = removed {
                self.removed.failed.push((path.to_owned(), error.to_string()));
                return false;
            }
        }
        self.removed.bytes = self.removed.bytes.saturating_add(bytes);
        self.removed.files.push(RemovedFile { kind, path: path.to_owned(), bytes });
        true
    }
}

fn leads_nowhere(variant: &Variant, exists: impl Fn(&Signature) -> bool) -> bool {
    matches!(&variant.outcome, VariantOutcome::Content(content) if !exists(content))
}

/// The directory that a remembered failure points to.
fn bundle_of(failure: &str) -> Option<PathBuf> {
    #[derive(serde::Deserialize)]
    struct Failure {
        bundle: Option<PathBuf>,
    }
    serde_json::from_str::<Failure>(failure).ok()?.bundle
}

/// A time that long ago; what began before all clocks is older than everything.
fn ago(age: Duration) -> SystemTime {
    SystemTime::now().checked_sub(age).unwrap_or(SystemTime::UNIX_EPOCH)
}

impl fmt::Debug for Clean<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Clean")
            .field("cache", &self.cache.dir())
            .field("kinds", &self.kinds)
            .field("kernels", &self.kernels)
            .field("before", &self.before)
            .field("unused_since", &self.unused_since)
            .field("conditions", &self.matching.len())
            .field("dry_run", &self.dry_run)
            .finish()
    }
}
