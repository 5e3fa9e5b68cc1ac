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
    pub(crate) fn miss(&self, reason: &str) {
        *lock(&self.misses).entry(reason.to_owned()).or_default() += 1;
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
