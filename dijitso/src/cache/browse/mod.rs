//! The cache as a thing to look into: for programs, and for the command line.
//!
//! Nothing here loads a library or runs a program, so any directory may be looked at, whoever wrote it.
//! Whatever lies in it is reported as what it is: one damaged file hides no other.

mod clean;
mod compare;
mod entry;
mod extract;
mod failures;
mod find;
mod function;
mod grep;
mod listed;
mod listing;
mod removed;
mod repair;
mod side_by_side;
mod summary;
#[cfg(test)]
mod tests;
mod texts;
mod transfer;
mod verify;
mod window;

use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use clean::Clean;
pub use compare::Difference;
pub use entry::{Entry, Sizes};
pub use extract::Extracted;
pub use failures::FailureBundle;
pub use function::Function;
pub use grep::{Grep, Match, Pattern};
pub use listed::{Listed, Listing};
pub use listing::{Damaged, Entries};
pub use removed::{CacheKind, Removed, RemovedFile};
pub(in crate::cache) use summary::size;
pub use summary::{Summary, Usage};
pub use texts::{Category, EntryFile};
pub use transfer::Imported;
pub use verify::{Integrity, Problem, ProblemKind, Progress};

use super::Store;
use super::evict::Bound;
use crate::cache::site;
use crate::config::Config;
use crate::config::params::{Network, Params};
use crate::error::{Error, Result};
use crate::fs::Fs;
use crate::signature::Signature;

/// A cache directory, to look into: its kernels, failures and sizes; to search, check and clean it.
///
/// Everything may happen while other programs use the cache: what they add or remove meanwhile is seen or
/// not, and what is removed here stays loaded where it is loaded.
///
/// dijitso has functions on `cache_params` for this (module `dijitso.cache`), and a command line on top.
///
/// ```
/// use dijitso::{Cache, Jit, Source};
///
/// # fn main() -> dijitso::Result<()> {
/// # let dir = tempfile::tempdir().unwrap();
/// type Square = extern "C" fn(f64) -> f64;
/// let spec = dijitso::spec!(Square, "square", (), || {
///     // SAFETY: arithmetic only.
///     unsafe { Source::new("double square(double x) { return x * x; }") }
/// });
/// let jit = Jit::builder().cache_dir(dir.path().join("cache")).build()?;
/// let kernel = jit.load(&spec)?;
///
/// let cache: Cache = jit.cache();
/// for entry in cache.entries() {
///     match entry {
///         Ok(entry) => println!("{} {} ({} bytes)", entry.signature().short(), entry.name(), entry.sizes().file),
///         Err(damaged) => println!("{damaged}"),
///     }
/// }
/// let entry = cache.find("square")?;
/// assert_eq!(entry.signature(), kernel.signature());
/// assert!(entry.source()?.contains("x * x"));
/// assert!(cache.verify().is_sound());
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct Cache {
    pub(in crate::cache) store: Arc<Store>,
}

impl Cache {
    /// The cache in this directory. One that is not there (yet) is an empty cache; nothing is created.
    ///
    /// # Errors
    /// [`Error::CacheDir`] if something else than a directory is there.
    ///
    /// ```
    /// # fn main() -> dijitso::Result<()> {
    /// let cache = dijitso::Cache::open("/nonexistent/cache")?;
    /// assert!(!cache.exists());
    /// assert_eq!(cache.entries().count(), 0);
    /// # Ok(()) }
    /// ```
    pub fn open(dir: impl AsRef<Path>) -> Result<Cache> {
        Cache::open_on(dir.as_ref(), Network::Auto, Bound::default())
    }

    fn open_on(dir: &Path, network: Network, bound: Bound) -> Result<Cache> {
        let root =
            std::path::absolute(dir).map_err(|error| Error::io("cannot find the cache", dir, &error))?;
        let cache = Cache::of(&root, network, bound);
        if cache.store.fs().is_file(&root) {
            return Err(Error::CacheDir { path: root, problem: "it is a file, not a directory".to_owned() });
        }
        Ok(cache)
    }

    /// The cache in this directory, which is absolute and no file.
    pub(crate) fn of(root: &Path, network: Network, bound: Bound) -> Cache {
        Cache { store: Arc::new(Store::look_at(root, &Fs::new(Arc::default()), network, bound)) }
    }

    /// The cache that a [`Jit`](crate::Jit) without a directory of its own uses: as environment, configuration
    /// file and default have it.
    ///
    /// # Errors
    /// [`Error::Config`] for settings that make no sense, and if there is no directory, not even a home.
    ///
    /// ```no_run
    /// # fn main() -> dijitso::Result<()> {
    /// println!("{}", dijitso::Cache::open_default()?.dir().display());
    /// # Ok(()) }
    /// ```
    pub fn open_default() -> Result<Cache> {
        Cache::open_as(Params::default())
    }

    /// The cache that a [`Jit`](crate::Jit) with these parameters uses, with all that is said about it elsewhere.
    pub(crate) fn open_as(params: Params) -> Result<Cache> {
        let cache = Config::resolve(params)?.cache;
        match cache.homeless() {
            Some(why) => {
                Err(Error::Config { problem: why.to_owned(), origin: cache.root.origin.to_string() })
            }
            None => {
                let bound = Bound { size: cache.max_size.value, files: cache.max_files.value };
                Cache::open_on(&cache.root.value, cache.network.value, bound)
            }
        }
    }

    /// The directory (dijitso's `cache_dir`).
    ///
    /// ```
    /// # fn main() -> dijitso::Result<()> {
    /// let cache = dijitso::Cache::open("/nonexistent/cache")?;
    /// assert_eq!(cache.dir(), std::path::Path::new("/nonexistent/cache"));
    /// # Ok(()) }
    /// ```
    pub fn dir(&self) -> &Path {
        self.store.root()
    }

    /// Whether a cache is there, in the format of this version.
    ///
    /// ```
    /// # fn main() -> dijitso::Result<()> {
    /// assert!(!dijitso::Cache::open("/nonexistent/cache")?.exists());
    /// # Ok(()) }
    /// ```
    pub fn exists(&self) -> bool {
        self.store.fs().exists(self.store.v1())
    }

    /// Caches of later formats in this directory (`v2`): they belong to newer versions of this crate, and nothing here
    /// reads or changes them.
    ///
    /// ```
    /// # fn main() -> dijitso::Result<()> {
    /// assert!(dijitso::Cache::open("/nonexistent/cache")?.newer_formats().is_empty());
    /// # Ok(()) }
    /// ```
    pub fn newer_formats(&self) -> Vec<String> {
        let mut names = self.store.fs().list(self.dir()).unwrap_or_default();
        names.sort_unstable();
        let number = |name: &str| name.strip_prefix('v')?.parse::<u32>().ok();
        let newer = |name: std::ffi::OsString| name.into_string().ok().filter(|name| number(name) > Some(1));
        names.into_iter().filter_map(newer).collect()
    }

    /// The entry with this content signature ([`Kernel::signature`](crate::Kernel::signature)), if it is there.
    ///
    /// # Errors
    /// [`Error::Damaged`] if something else is in its place.
    ///
    /// ```
    /// # fn main() -> dijitso::Result<()> {
    /// let cache = dijitso::Cache::open("/nonexistent/cache")?;
    /// assert!(cache.entry(&dijitso::Signature::from_bytes([7; 32]))?.is_none());
    /// # Ok(()) }
    /// ```
    pub fn entry(&self, signature: &Signature) -> Result<Option<Entry>> {
        Ok(Entry::open(self, signature)?)
    }

    /// Why nothing may be removed from it, if so.
    pub(in crate::cache) fn refuses_removal(&self) -> Option<String> {
        // A link in a directory that others can write to could lead anywhere.
        if let Err(error) = self.store.check_trusted() {
            return Some(error.to_string());
        }
        if site::table_of(&self.store).is_some() {
            let text = "it is a site cache, which others read; export to a new directory, and rename it";
            return Some(text.to_owned());
        }
        let text = "nothing says that it is a cache of dijitso (it has no CACHEDIR.TAG of ours), so nothing is removed from it; \
                    if it is one, building a kernel in it mends that";
        (self.exists() && !self.store.is_tagged()).then(|| text.to_owned())
    }

    /// Where the entry of this name is, or would be.
    fn place(&self, signature: &Signature) -> PathBuf {
        self.store.entry_path(signature)
    }
}
