//! What programs did with a cache, by days.
//!
//! ```text
//! <root>/v1/statistics/2026-11-28          one line for each `Jit` that ended, and for each batch that built something
//! <root>/v1/statistics/2026-11-28.<host>   the same on a network file system
//! <root>/v1/statistics/summary             earlier days, one line each
//! ```
//!
//! A line is one append, which local file systems keep whole; on a network file system each machine has a file of its own. So
//! nobody waits for a lock, nothing is written while kernels are loaded, and a kill loses what was not written yet, and no more.
//! A line begins with the end of the one before it: what a full disk cut off spoils no other.

mod activity;
mod date;
mod files;

use std::time::SystemTime;

pub use activity::{Activity, DayStatistics, Statistics};
#[cfg(feature = "cli")]
pub(crate) use date::date;

use super::browse::Cache;
use super::store::Store;
use crate::error::{Error, Result};
use crate::fs::Absent;
use crate::stats::{Counters, Stats};

impl Cache {
    /// What programs did with this cache, day by day.
    ///
    /// A program says so when its last [`Jit`](crate::Jit) is dropped, and after loads that built something; a `Jit` in a `static` is
    /// never dropped. What came from memory or was part of the program is counted if anything was looked for on the
    /// disk. Nothing is counted where the cache cannot be written.
    ///
    /// ccache: `--show-stats`. dijitso has no counterpart.
    ///
    /// ```
    /// # fn main() -> dijitso::Result<()> {
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let spec = dijitso::spec!(extern "C" fn() -> i32, "nine", (), || unsafe { dijitso::Source::new("int nine() { return 9; }") });
    /// let jit = dijitso::Jit::builder().cache_dir(dir.path().join("cache")).build()?;
    /// jit.load(&spec)?;
    /// jit.load(&spec)?;
    /// let cache = jit.cache();
    /// drop(jit);
    ///
    /// let total = cache.statistics().total();
    /// assert_eq!((total.built, total.memory_hits, total.misses["not in the cache"]), (1, 1, 1));
    /// cache.zero_statistics()?;
    /// assert!(cache.statistics().days.is_empty());
    /// # Ok(()) }
    /// ```
    pub fn statistics(&self) -> Statistics {
        self.store.statistics()
    }

    /// Begins to count anew.
    ///
    /// ccache: `--zero-stats`.
    ///
    /// # Errors
    /// [`Error::Io`] if what was counted cannot be removed, [`Error::CacheDir`] for a directory that others can write to.
    ///
    /// ```
    /// # fn main() -> dijitso::Result<()> {
    /// dijitso::Cache::open("/nonexistent/cache")?.zero_statistics()?;
    /// # Ok(()) }
    /// ```
    pub fn zero_statistics(&self) -> Result<()> {
        if let Some(problem) = self.refuses_removal() {
            return Err(Error::CacheDir { path: self.dir().to_owned(), problem });
        }
        let dir = self.store.statistics_dir();
        self.store.zero_statistics().map_err(|error| Error::io("cannot zero the statistics in", &dir, &error))
    }
}

impl Store {
    /// Adds what a program did to what was done today, as far as it was not added before. Whether that was the first of the
    /// day (of this machine, on a network file system).
    pub(crate) fn record_all(&self, counters: &Counters) -> bool {
        let mut first = false;
        counters.record_with(|all, new| {
            // Who only uses what is in memory leaves no trace on any disk; of others that counts, too.
            let counts = Activity::of(all).concerns_the_disk() && Activity::of(new) != Activity::default();
            // What could not be added (a full disk) is added the next time.
            let added = if counts { self.record(new) } else { None };
            first = added == Some(true);
            added.is_some()
        });
        first
    }

    /// Adds to what was done today, and says whether that was the first. That this is not possible is nobody's business: `None`.
    pub(in crate::cache) fn record(&self, done: &Stats) -> Option<bool> {
        let activity = Activity::of(done);
        if activity == Activity::default() {
            return Some(false);
        }
        let json = serde_json::to_string(&activity).ok()?;
        let line = format!("\n{json}");
        let path = self.statistics_dir().join(files::name_for(SystemTime::now(), self.is_shared()));
        let append = |absent| self.fs().append(&path, line.as_bytes(), absent);
        let appended = append(Absent::Refuse).map(|()| false).or_else(|error| {
            // A cache that is not there is not created for this.
            if error.kind() != std::io::ErrorKind::NotFound || !self.fs().exists(self.v1()) {
                return Err(error);
            }
            self.fs().create_dir_all_private(&self.statistics_dir())?;
            append(Absent::Create).map(|()| true)
        });
        match appended {
            Ok(first) => Some(first),
            // A part of it is there, which nobody can read; once more, and it would perhaps be counted twice.
            Err(error) if error.kind() == std::io::ErrorKind::WriteZero => Some(false),
            Err(error) => {
                log::debug!("cannot count in {}: {error}", path.display());
                None
            }
        }
    }
}

#[cfg(test)]
mod tests;
