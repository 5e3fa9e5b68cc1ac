//! What is done for the cache once nobody waits for a kernel: its bound, its statistics, and the daily housekeeping.

use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::engine::Engine;

impl Engine {
    /// What is due after a load. On several ranks: after the load of all, since all wait for whoever builds, and on every rank that
    /// has put something into its cache, be it built or received. Where nothing was added it costs nothing.
    pub(crate) fn upkeep(&self) {
        // This is a part of another load, or others wait for what is built at the moment: then it is done after that.
        if self.collection.is_wanted() || self.flights.is_working() {
            return;
        }
        let added = self.counters.compiled.get() + self.counters.published.get();
        if self.kept_up.swap(added, Ordering::Relaxed) != added {
            self.record();
            self.tidy();
        }
        self.store.evict_if_full();
    }

    /// Adds what was done to the cache's statistics. A forked child has its parent's numbers, which the parent adds; and a derived
    /// engine those of its base, which adds them to its own cache.
    ///
    /// Who is the first on this day does the housekeeping, too: a cache that is only read would else have none.
    fn record(&self) {
        let mine = self.owner == std::process::id() && self.base.is_none();
        if mine && self.store.record_all(&self.counters) {
            self.tidy();
        }
    }

    /// The daily housekeeping. Whether it is due is asked once an hour: programs run for months.
    fn tidy(&self) {
        const HOUR: Duration = Duration::from_secs(3600);
        let due = {
            let mut asked = self.tidied.lock().unwrap_or_else(PoisonError::into_inner);
            let due = asked.is_none_or(|asked| asked.elapsed() >= HOUR);
            if due {
                *asked = Some(Instant::now());
            }
            due
        };
        if due {
            self.store.tidy_daily();
        }
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.record();
    }
}
