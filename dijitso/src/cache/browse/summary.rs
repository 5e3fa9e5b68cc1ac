//! What a cache holds, in numbers.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;

use super::listing::is_folder;
use super::side_by_side::side_by_side;
use super::{Cache, Listing};
use crate::cache::{VariantOutcome, site};
use crate::fs::Fs;

/// Files and their bytes.
///
/// ```
/// assert_eq!(dijitso::Usage::default().bytes, 0);
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Usage {
    /// How many files (or bundles).
    pub files: usize,
    /// How many bytes.
    pub bytes: u64,
}

impl Usage {
    pub(super) fn add(&mut self, bytes: u64) {
        self.files += 1;
        self.bytes = self.bytes.saturating_add(bytes);
    }
}

/// What [`Cache::summary`] counted (dijitso: `dijitso show`, which counts files).
///
/// ```
/// # fn main() -> dijitso::Result<()> {
/// let summary = dijitso::Cache::open("/nonexistent/cache")?.summary();
/// assert_eq!(summary.total().files, 0);
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Summary {
    /// Cached kernels.
    pub entries: Usage,
    /// Of these, the libraries.
    pub libraries: u64,
    /// Of these, everything else: texts, logs, facts.
    pub archives: u64,
    /// Cached kernels by name.
    pub kernels: BTreeMap<String, Usage>,
    /// What is no intact entry, and entries that were set aside.
    pub damaged: Usage,
    /// Index files; of a site cache, its table.
    pub index: Usage,
    /// Whether the bytes of these were estimated by the sizes of 20,000 of them.
    pub index_is_estimated: bool,
    /// Failures that are remembered in the index, so that an unchanged retry need not compile.
    pub remembered_failures: usize,
    /// Directories that failed builds left.
    pub failures: Usage,
    /// Directories with the sources that debuggers show.
    pub sources: Usage,
    /// Archives of site caches, unpacked.
    pub sites: Usage,
    /// What is known about compilers and their headers.
    pub toolchains: Usage,
    /// What was done with the cache, by days.
    pub statistics: Usage,
    /// Files that are being written, or that killed programs left.
    pub temporary: Usage,
}

/// Index files whose sizes are asked for.
const MEASURED: usize = 20_000;

impl Summary {
    /// Everything together.
    ///
    /// ```
    /// assert_eq!(dijitso::Summary::default().total(), dijitso::Usage::default());
    /// ```
    pub fn total(&self) -> Usage {
        let all = [
            self.entries,
            self.damaged,
            self.index,
            self.failures,
            self.sources,
            self.sites,
            self.toolchains,
            self.statistics,
            self.temporary,
        ];
        all.iter().fold(Usage::default(), |sum, one| Usage {
            files: sum.files + one.files,
            bytes: sum.bytes.saturating_add(one.bytes),
        })
    }
}

impl Cache {
    /// Counts everything that is there. Reads as much as [`list`](Self::list), and the index.
    ///
    /// ```
    /// # fn main() -> dijitso::Result<()> {
    /// let summary = dijitso::Cache::open("/nonexistent/cache")?.summary();
    /// println!("{} kernels, {} bytes", summary.entries.files, summary.total().bytes);
    /// # Ok(()) }
    /// ```
    pub fn summary(&self) -> Summary {
        let mut summary = self.summary_of(&self.list());
        self.index_files(&mut |_, _, index| {
            let variants = index.iter().flatten().flat_map(|index| &index.variants);
            summary.remembered_failures +=
                variants.filter(|v| matches!(v.outcome, VariantOutcome::Failure(_))).count();
        });
        summary
    }

    /// The same for what was listed, without reading the index: its failures are not counted.
    pub(crate) fn summary_of(&self, listing: &Listing) -> Summary {
        let (store, fs) = (&self.store, self.store.fs());
        let mut summary = Summary::default();
        for entry in &listing.entries {
            summary.entries.add(entry.bytes);
            summary.libraries = summary.libraries.saturating_add(entry.library);
            summary.archives = summary.archives.saturating_add(entry.bytes.saturating_sub(entry.library));
            match summary.kernels.get_mut(&entry.name) {
                Some(usage) => usage.add(entry.bytes),
                None => summary.kernels.entry(entry.name.clone()).or_default().add(entry.bytes),
            }
        }
        for damaged in &listing.damaged {
            summary.damaged.add(size(fs, &damaged.path));
        }
        for path in &listing.set_aside {
            summary.damaged.add(size(fs, path));
        }
        (summary.index, summary.index_is_estimated) = index_of(fs, &store.index_dir());
        for table in site::table_of(store).into_iter().chain(site::imported(store).map(|(path, _)| path)) {
            summary.index.add(size(fs, &table));
        }
        let each = |usage: &mut Usage, dir: &Path| {
            for name in fs.list(dir).unwrap_or_default() {
                usage.add(size(fs, &dir.join(name)));
            }
        };
        each(&mut summary.failures, &store.failures_dir());
        each(&mut summary.sources, &store.sources_dir());
        each(&mut summary.sites, &store.sites_dir());
        each(&mut summary.toolchains, &store.toolchains_dir());
        each(&mut summary.toolchains, &store.sets_dir());
        each(&mut summary.toolchains, &store.answers_dir());
        each(&mut summary.statistics, &store.statistics_dir());
        each(&mut summary.temporary, &store.tmp_dir());
        each(&mut summary.temporary, &store.locks_dir());
        summary
    }
}

/// How many index files there are, and how large they are; of more than [`MEASURED`] that is estimated by some folders, among which
/// they are spread evenly, and `true` says so. There are two for each entry, and to ask for each would take as long as all the rest.
fn index_of(fs: &Fs, index: &Path) -> (Usage, bool) {
    let mut folders = fs.list(index).unwrap_or_default();
    folders.retain(|name| name.to_str().is_some_and(is_folder));
    let count = |folder: &OsString| {
        fs.directory_at(&index.join(folder)).and_then(|dir| dir.count()).unwrap_or_default()
    };
    let counts: Vec<usize> = side_by_side(&folders, count);
    let files = counts.iter().sum();
    let mut seen = 0;
    let enough = counts.iter().take_while(|count| {
        seen += **count;
        seen <= MEASURED
    });
    let enough = enough.count().clamp(1, folders.len().max(1)).min(folders.len());
    let folders = &folders[..enough];
    let mut measured = Usage::default();
    for usage in side_by_side(folders, |folder| sizes_in(fs, &index.join(folder))) {
        measured.files += usage.files;
        measured.bytes = measured.bytes.saturating_add(usage.bytes);
    }
    if measured.files >= files || measured.files == 0 {
        return (Usage { files: files.max(measured.files), ..measured }, false);
    }
    let bytes = u128::from(measured.bytes) * files as u128 / measured.files as u128;
    (Usage { files, bytes: u64::try_from(bytes).unwrap_or(u64::MAX) }, true)
}

/// The files of a directory that has no further ones.
fn sizes_in(fs: &Fs, folder: &Path) -> Usage {
    let mut usage = Usage::default();
    if let Ok(directory) = fs.directory_at(folder) {
        for name in directory.names().unwrap_or_default() {
            usage.add(directory.size(&name).unwrap_or_default());
        }
    }
    usage
}

/// The bytes of a file, or of all files in a directory and below it; links are not followed.
pub(in crate::cache) fn size(fs: &Fs, path: &Path) -> u64 {
    let mut bytes = 0u64;
    let mut todo = vec![path.to_owned()];
    while let Some(path) = todo.pop() {
        if fs.is_directory_itself(&path) {
            todo.extend(fs.list(&path).unwrap_or_default().into_iter().map(|name| path.join(name)));
        } else if let Some(stamp) = fs.stamp_itself(&path) {
            bytes = bytes.saturating_add(stamp.size);
        }
    }
    bytes
}
