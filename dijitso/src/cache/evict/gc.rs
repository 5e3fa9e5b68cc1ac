//! Making room when somebody asks for it.

use std::io;
use std::time::{Duration, Instant};

use super::daily::Today;
use super::growth::{self, Amount, Bound};
use super::scan::{Aged, FOLDERS, Folders, What};
use super::tidy::Tidy;
use super::{Bin, select};
use crate::cache::{Cache, Removed, site};
use crate::stats::Stats;

/// As long somebody else may take to make room.
const PATIENCE: Duration = Duration::from_secs(10);
const BUSY: &str = "another program is making room in it, and takes long; try again later";

/// Brings a cache within its bound, and removes what nobody needs any more: what a program does by itself as it adds
/// kernels, now and completely.
///
/// If more is there than allowed, kernels and index files go that were used least recently (see
/// [`Entry::last_used`](crate::Entry::last_used)), until 80 % of the bound are left. In any case go: index files that lead
/// nowhere or were not read for 30 days, what killed programs left, entries that were set aside a week ago, failures
/// older than 30 days or beyond the last 100, sources and lists of headers that belong to nothing, what is known about compilers that
/// are gone, and unpacked archives that were not used for 30 days.
///
/// By age alone nothing goes but what [`max_age`](Gc::max_age) says, for a month after a clock was moved or the cache was not in use
/// for two weeks: all looks unused then, until whoever uses it has marked it.
///
/// It may run while others use the cache: what is loaded stays loaded, and what is wanted later is built again.
///
/// ccache: `--cleanup`, `--trim-max-size`, `--evict-older-than`. dijitso has no counterpart.
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
/// let removed = cache.gc().max_size(1 << 30).max_age(Duration::from_secs(90 * 86_400)).run();
/// assert_eq!(removed.count(CacheKind::Entry), 0);
/// let would = cache.gc().max_size(1).dry_run(true).run();
/// assert_eq!((would.count(CacheKind::Entry), cache.entries().count()), (1, 1));
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
#[must_use = "call `.run()`"]
pub struct Gc {
    cache: Cache,
    bound: Bound,
    max_age: Option<Duration>,
    dry_run: bool,
}

impl Cache {
    /// Chooses how much may be left; [`run`](Gc::run) removes the rest.
    ///
    /// If nothing is said, the bound of the [`Jit`](crate::Jit) that the cache is of, or of
    /// [`open_default`](Cache::open_default); a cache that was opened by its path has none.
    ///
    /// ```
    /// # fn main() -> dijitso::Result<()> {
    /// let removed = dijitso::Cache::open("/nonexistent/cache")?.gc().run();
    /// assert_eq!((removed.bytes, removed.failed.len()), (0, 0));
    /// # Ok(()) }
    /// ```
    pub fn gc(&self) -> Gc {
        Gc { cache: self.clone(), bound: self.store.bound, max_age: None, dry_run: false }
    }
}

impl Gc {
    /// The most bytes that kernels and index may take; 0: without bound.
    pub fn max_size(mut self, bytes: u64) -> Gc {
        self.bound.size = bytes;
        self
    }

    /// The most files of these two; 0: without bound. A kernel has one, and two or more in the index.
    pub fn max_files(mut self, files: u64) -> Gc {
        self.bound.files = files;
        self
    }

    /// Removes kernels that were not used for so long, too, however much room there is. Uses are known to the day.
    pub fn max_age(mut self, age: Duration) -> Gc {
        self.max_age = Some(age);
        self
    }

    /// Whether to return what would be removed, and remove nothing.
    pub fn dry_run(mut self, dry: bool) -> Gc {
        self.dry_run = dry;
        self
    }

    /// Removes what must go, and returns what that was. What cannot be removed is in [`Removed::failed`], and the rest is
    /// removed all the same. Nothing is removed from a directory that others can write to, nor from a site cache.
    pub fn run(self) -> Removed {
        let store = &*self.cache.store;
        let mut bin = Bin::new(store);
        (bin.dry_run, bin.list) = (self.dry_run, Some(Removed::default()));
        let refused = self.cache.refuses_removal();
        let exists = refused.is_none() && self.cache.exists();
        // Two at once would both count what only one of them removes.
        let guard = (exists && !self.dry_run).then(|| waited_for(PATIENCE, || store.guard("evict")));
        let busy = guard.as_ref().is_some_and(|guard| guard.as_ref().is_err_and(is_busy));
        let refused = refused.or_else(|| busy.then(|| BUSY.to_owned()));
        if exists && !busy {
            let noted = growth::read(store.fs(), &store.growth_path()).unwrap_or_default();
            let today = match self.dry_run {
                true => Today::by_our_clock(),
                false => store.begin_tidying().unwrap_or_else(|_| Today::by_our_clock()),
            };
            let left = self.evict(&mut bin, today);
            let evicted = bin.evicted;
            Tidy::new(&mut bin, today).all();
            if !self.dry_run {
                // What was added meanwhile was seen in part; to count all of it makes the next look a little earlier.
                let added = growth::read(store.fs(), &store.growth_path()).unwrap_or_default().minus(noted);
                store.set_growth(left.minus(bin.evicted.minus(evicted)).plus(added));
                site::forget_gone(store);
                store.fold_statistics(today.now);
                let Amount { bytes, files } = bin.evicted;
                store.record(&Stats { evicted: files, evicted_bytes: bytes, ..Stats::default() });
            }
        }
        let mut removed = bin.list.take().unwrap_or_default();
        removed.failed.extend(refused.map(|why| (self.cache.dir().to_owned(), why)));
        removed
    }

    /// Returns how much is left.
    fn evict(&self, bin: &mut Bin<'_>, today: Today) -> Amount {
        let store = bin.store;
        let mut files: Vec<Aged> = Vec::new();
        let mut amount = Amount::default();
        let folders = Folders::of(store);
        for folder in 0..FOLDERS {
            amount = amount.plus(folders.look(folder, &mut files));
        }
        let gone = match self.bound.is_exceeded_by(amount) {
            true => select::least_recently_used(&mut files, amount, self.bound.target(), today.now),
            false => 0,
        };
        let is_old = |file: &Aged| {
            self.max_age.is_some_and(|age| file.stamp.is_unused_for(age, today.now))
                && matches!(file.what, What::Entry(_) | What::Aside(_))
        };
        for (at, file) in files.iter().enumerate() {
            if at < gone || is_old(file) {
                bin.evict(file);
            }
        }
        bin.correct(&files[gone..], today);
        amount.minus(bin.evicted)
    }
}

fn waited_for<T>(patience: Duration, attempt: impl Fn() -> io::Result<T>) -> io::Result<T> {
    let deadline = Instant::now() + patience;
    loop {
        match attempt() {
            Err(error) if is_busy(&error) && Instant::now() < deadline => {
                std::thread::sleep(Duration::from_millis(10));
            }
            decided => return decided,
        }
    }
}

fn is_busy(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::WouldBlock
}
