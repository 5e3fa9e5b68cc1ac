//! What is done for the cache once nobody waits for a kernel: its statistics, and the daily housekeeping.

use super::engine::Engine;

impl Engine {
    /// Adds what was done to the cache's statistics. A forked child has its parent's numbers, which the parent adds.
    pub(super) fn record(&self) {
        if self.owner == std::process::id() {
            self.store.record_all(&self.counters);
        }
    }

    /// The daily housekeeping, once nobody waits for a kernel.
    pub(super) fn tidy(&self) {
        self.tidy.call_once(|| self.store.tidy_daily());
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.record();
    }
}
