//! What was removed from a cache.

use std::fmt;
use std::path::PathBuf;

/// What a file of the cache is, for [`Clean`](super::Clean) and in what it returns.
///
/// dijitso's categories (`inc`, `src`, `lib`, `log`) are parts of one file here.
///
/// ```
/// assert_eq!(dijitso::CacheKind::Entry.to_string(), "entry");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum CacheKind {
    /// A kernel.
    Entry,
    /// What is no intact entry: damaged ones, and those that were set aside.
    Damaged,
    /// An index file, which leads to kernels or to remembered failures.
    Index,
    /// The directory that a failed build left.
    Failure,
    /// The sources that debuggers show of a kernel.
    Source,
    /// The content of a site cache's archive.
    Site,
    /// What is known about a compiler, or about its headers.
    Toolchain,
    /// What a killed program left behind.
    Temporary,
}

impl fmt::Display for CacheKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            CacheKind::Entry => "entry",
            CacheKind::Damaged => "damaged",
            CacheKind::Index => "index",
            CacheKind::Failure => "failure",
            CacheKind::Source => "source",
            CacheKind::Site => "site",
            CacheKind::Toolchain => "toolchain",
            CacheKind::Temporary => "temporary",
        })
    }
}

/// A file or directory that was removed, or would be.
///
/// ```
/// # fn print(file: &dijitso::RemovedFile) {
/// println!("{} {} ({} bytes)", file.kind, file.path.display(), file.bytes);
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RemovedFile {
    /// What it was.
    pub kind: CacheKind,
    /// Where it was.
    pub path: PathBuf,
    /// Its size.
    pub bytes: u64,
}

/// What [`Clean::run`](super::Clean::run) did.
///
/// ```
/// # fn main() -> dijitso::Result<()> {
/// let removed = dijitso::Cache::open("/nonexistent/cache")?.clean().run();
/// assert_eq!((removed.files.len(), removed.bytes, removed.failed.len()), (0, 0, 0));
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Removed {
    /// What was removed, in the order in which it was.
    pub files: Vec<RemovedFile>,
    /// Their bytes together.
    pub bytes: u64,
    /// Index files that named something that was removed, and that still lead to something else.
    pub shortened: usize,
    /// What could not be removed, and why.
    pub failed: Vec<(PathBuf, String)>,
}

impl Removed {
    /// How many files of a kind were removed.
    ///
    /// ```
    /// # fn main() -> dijitso::Result<()> {
    /// let removed = dijitso::Cache::open("/nonexistent/cache")?.clean().run();
    /// assert_eq!(removed.count(dijitso::CacheKind::Entry), 0);
    /// # Ok(()) }
    /// ```
    pub fn count(&self, kind: CacheKind) -> usize {
        self.files.iter().filter(|file| file.kind == kind).count()
    }
}
