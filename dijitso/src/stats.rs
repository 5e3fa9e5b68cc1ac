//! Counters: what one `Jit` and its clones did.
//!
//! Speed claims and tests rest on counts (compiles, processes, file operations), not on clocks, so
//! everything that costs time is counted where it happens.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// The live counters behind [`Stats`]; shared by everything that works for one `Jit`.
        #[derive(Debug, Default)]
        pub(crate) struct Counters {
            $(pub(crate) $name: Counter,)*
            /// What has been recorded on the disk.
            recorded: Mutex<Stats>,
            misses: Mutex<BTreeMap<String, u64>>,
        }

        /// What a [`Jit`](crate::Jit) and its clones did since it was built.
        ///
        /// dijitso has no counterpart.
        ///
        /// ```
        /// # fn main() -> dijitso::Result<()> {
        /// # let cache = tempfile::tempdir().unwrap();
        /// let jit = dijitso::Jit::builder().cache_dir(cache.path()).build()?;
        /// let stats = jit.stats();
        /// assert_eq!((stats.generated, stats.compiled, stats.misses.len()), (0, 0, 0));
        /// # Ok(()) }
        /// ```
        #[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
        #[non_exhaustive]
        pub struct Stats {
            $($(#[$doc])* pub $name: u64,)*
            /// Misses of the disk cache by reason, in words.
            pub misses: BTreeMap<String, u64>,
        }

        impl Counters {
            pub(crate) fn snapshot(&self) -> Stats {
                Stats {
                    $($name: self.$name.get(),)*
                    misses: lock(&self.misses).clone(),
                }
            }
        }

        impl Stats {
            /// What was done since `before`.
            fn since(&self, before: &Stats) -> Stats {
                let mut misses = self.misses.clone();
                for (reason, count) in &mut misses {
                    *count -= before.misses.get(reason).copied().unwrap_or(0).min(*count);
                }
                misses.retain(|_, count| *count > 0);
                Stats { $($name: self.$name.saturating_sub(before.$name),)* misses }
            }
        }
    };
}

counters! {
    /// Generator calls.
    generated,
    /// Translation units compiled (successfully or not).
    compiled,
    /// Compilers that compiled several of these at once.
    packs,
    /// Processes started, of any kind: compilers, linkers, probes.
    processes,
    /// Kernels served from this `Jit`'s memory table.
    memory_hits,
    /// Kernels that were part of the program.
    prebuilt_hits,
    /// Kernels loaded from the disk cache.
    disk_hits,
    /// Kernels loaded from site caches.
    site_hits,
    /// Kernels built by this process.
    built,
    /// Kernels that another rank of a communicator built or found.
    received,
    /// Kernels that another thread of this process was already building.
    shared,
    /// Failures reported from a negative entry, without compiling.
    negative_hits,
    /// Entries published to the cache.
    published,
    /// Their bytes.
    published_bytes,
    /// Entries and index files that were removed because the cache reached its bound.
    evicted,
    /// Their bytes.
    evicted_bytes,
    /// Microseconds that compilers and linkers ran for the kernels that were built.
    compile_us,
    /// Microseconds that they had run for the kernels that were loaded from the disk cache.
    saved_us,
    /// Entries or index files that could not be written (full disk, read-only root, ..).
    publish_failures,
    /// Entries found damaged and set aside.
    quarantined,
    /// Kernels loaded from memory (memfd) instead of from their file.
    memory_loads,
    /// Bytes read from the cache.
    bytes_read,
    /// Bytes written to the cache.
    bytes_written,
    /// Files opened.
    opens,
    /// `stat` calls on files and directories.
    file_stats,
    /// Files created, linked, renamed or removed.
    file_changes,
    /// Messages sent to other ranks.
    messages_sent,
    /// Those of more than some kilobytes: each took two short ones more, an offer and its answer.
    messages_offered,
    /// Bytes in these messages.
    message_bytes,
}

/// One monotone count.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, n: u64) {
        self.0.fetch_add(n, Relaxed);
    }

    pub(crate) fn one(&self) {
        self.add(1);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

impl Counters {
    /// Gives `record` what was done in all, and what of that it did not take before. Whether it takes it now, it says.
    pub(crate) fn record_with(&self, record: impl FnOnce(&Stats, &Stats) -> bool) {
        let mut recorded = lock(&self.recorded);
        let now = self.snapshot();
        let new = now.since(&recorded);
        if record(&now, &new) {
            *recorded = now;
        }
    }

    pub(crate) fn published(&self, bytes: u64) {
        self.published.one();
        self.published_bytes.add(bytes);
    }

    pub(crate) fn miss(&self, reason: &str) {
        *lock(&self.misses).entry(reason.to_owned()).or_default() += 1;
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
