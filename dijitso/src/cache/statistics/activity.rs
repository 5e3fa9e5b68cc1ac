//! What was done, in numbers.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::stats::Stats;

/// What programs did with a cache, day by day: [`Cache::statistics`](crate::Cache::statistics).
///
/// ```
/// let statistics = dijitso::Statistics::default();
/// assert_eq!(statistics.total(), dijitso::Activity::default());
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Statistics {
    /// The days on which anything was done, oldest first.
    pub days: Vec<DayStatistics>,
}

impl Statistics {
    /// All days together.
    ///
    /// ```
    /// # fn main() -> dijitso::Result<()> {
    /// let total = dijitso::Cache::open("/nonexistent/cache")?.statistics().total();
    /// println!("{} of {} found, {:?} saved", total.hits(), total.hits() + total.built, total.saved_time());
    /// # Ok(()) }
    /// ```
    pub fn total(&self) -> Activity {
        let mut total = Activity::default();
        for day in &self.days {
            total.add(&day.activity);
        }
        total
    }
}

/// One day.
///
/// ```
/// # fn main() -> dijitso::Result<()> {
/// for day in dijitso::Cache::open("/nonexistent/cache")?.statistics().days {
///     println!("{}: {} built", day.date, day.activity.built);
/// }
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DayStatistics {
    /// The day in UTC: `2026-11-28`.
    pub date: String,
    /// What was done.
    pub activity: Activity,
}

macro_rules! activity {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// What was done in a time.
        ///
        /// As JSON it has the names of its fields; those that are 0 are left out.
        ///
        /// ```
        /// let activity: dijitso::Activity = serde_json::from_str(r#"{"disk_hits": 3, "saved_us": 51000}"#).unwrap();
        /// assert_eq!((activity.hits(), activity.saved_time().as_millis()), (3, 51));
        /// ```
        #[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
        #[non_exhaustive]
        pub struct Activity {
            $($(#[$doc])* #[serde(default, skip_serializing_if = "is_zero")] pub $name: u64,)*
            /// Kernels that were not in the cache, by the reason.
            #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
            pub misses: BTreeMap<String, u64>,
        }

        impl Activity {
            pub(super) fn of(done: &Stats) -> Activity {
                let mut misses = BTreeMap::new();
                for (reason, count) in &done.misses {
                    *misses.entry(class(reason).to_owned()).or_default() += count;
                }
                Activity { $($name: done.$name,)* misses }
            }

            pub(super) fn add(&mut self, other: &Activity) {
                $(self.$name = self.$name.saturating_add(other.$name);)*
                for (reason, count) in &other.misses {
                    let sum = self.misses.entry(reason.clone()).or_default();
                    *sum = sum.saturating_add(*count);
                }
            }
        }
    };
}

activity! {
    /// Kernels that a `Jit` had loaded already.
    memory_hits,
    /// Kernels that were part of the program.
    prebuilt_hits,
    /// Kernels that were loaded from the cache.
    disk_hits,
    /// Kernels that were loaded from site caches.
    site_hits,
    /// Kernels that came from other ranks.
    received,
    /// Kernels that were built.
    built,
    /// Failures that were remembered, and therefore not compiled again.
    negative_hits,
    /// Microseconds that compilers and linkers ran for what was built.
    compile_us,
    /// Microseconds that they had run, when they were built, for the kernels that were loaded from the cache.
    saved_us,
    /// Entries that were added to the cache.
    published,
    /// Their bytes.
    published_bytes,
    /// Entries and index files that were removed because the cache had reached its bound, or that [`Gc`](crate::Gc) removed.
    evicted,
    /// Their bytes.
    evicted_bytes,
    /// Entries that were found damaged.
    quarantined,
}

impl Activity {
    /// Kernels that did not have to be built.
    pub fn hits(&self) -> u64 {
        self.memory_hits + self.prebuilt_hits + self.disk_hits + self.site_hits + self.received
    }

    /// How long compilers and linkers ran.
    pub fn compile_time(&self) -> Duration {
        Duration::from_micros(self.compile_us)
    }

    /// How long they would have run for what was in the cache.
    pub fn saved_time(&self) -> Duration {
        Duration::from_micros(self.saved_us)
    }

    pub(super) fn concerns_the_disk(&self) -> bool {
        let hits = self.disk_hits + self.site_hits + self.negative_hits;
        hits + self.built + self.published + self.evicted > 0 || !self.misses.is_empty()
    }
}

/// A reason without what is particular in it: with its paths and names there would be no end of reasons.
fn class(reason: &str) -> &'static str {
    const CLASSES: &[(&str, &str)] = &[
        ("changed: ", "a file that it was made from changed"),
        ("removed: ", "a file that it was made from changed"),
        ("would now be found earlier", "a file that it was made from changed"),
        ("cannot be read: ", "a file that it was made from changed"),
        ("entry was removed", "its entry was removed"),
        ("file is gone", "its entry was removed"),
        ("entry is damaged", "its entry is damaged"),
        ("system headers", "its list of headers is gone"),
        ("was rebuilt", "a kernel that it needs was built anew"),
        ("was built anew", "a kernel that it needs was built anew"),
        ("for a processor with", "another processor"),
        ("another compiler or processor", "another compiler or processor"),
        ("not in the cache", "not in the cache"),
    ];
    // What site caches say about it comes after the cache's own reason.
    let own = reason.split("; ").next().unwrap_or(reason);
    CLASSES.iter().find(|(part, _)| own.contains(part)).map_or("other", |(_, class)| class)
}

fn is_zero(n: &u64) -> bool {
    *n == 0
}
