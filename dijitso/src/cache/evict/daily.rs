//! The daily housekeeping, and what time it is.
//!
//! The file `v1/tidied` says when it was done last, by its modification time, and until when time is in doubt. If a clock was moved, or nobody
//! was there for weeks, all that lies in the cache looks unused, and most of it will be wanted again. So for as long as unused
//! things are kept nothing goes by its age then; meanwhile whoever uses something marks it.

use std::io;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use super::Bin;
use super::tidy::{Tidy, UNREAD};
use crate::cache::Store;
use crate::fs::Stamp;
use crate::fs::used::EXACTNESS;

/// Half as long as what nobody uses is kept.
const AWAY: Duration = Duration::from_secs(15 * 24 * 3600);

/// What time it is for whoever keeps the files: a clock of ours that is a month ahead would have everything removed that others use.
#[derive(Debug, Clone, Copy)]
pub(super) struct Today {
    pub(super) now: SystemTime,
    /// Whether ages can be believed.
    pub(super) is_certain: bool,
}

impl Today {
    /// For whoever only looks, and changes nothing.
    pub(super) fn by_our_clock() -> Today {
        Today { now: SystemTime::now(), is_certain: true }
    }
}

impl Store {
    fn tidied_path(&self) -> PathBuf {
        self.v1().join("tidied")
    }

    /// Says that the day's housekeeping is done, after a `last` one.
    pub(super) fn begin_tidying(&self) -> io::Result<Today> {
        let path = self.tidied_path();
        let last = self.fs().stamp(&path)?;
        let doubt = self.doubt();
        // For the time of whoever keeps the files.
        self.replace(&path, &encode(doubt))?;
        let now = self.fs().stamp(&path)?.map_or_else(SystemTime::now, |stamp| stamp.used());
        if last.is_some_and(|last| is_strange(&last, now)) {
            self.replace(&path, &encode(now.checked_add(UNREAD)))?;
            return Ok(Today { now, is_certain: false });
        }
        Ok(Today { now, is_certain: doubt.is_none_or(|until| until < now) })
    }

    /// What time it is at a moment that whoever keeps the files has named.
    pub(super) fn today_at(&self, now: SystemTime) -> Today {
        let last = self.fs().stamp(&self.tidied_path()).ok().flatten();
        let strange = last.is_some_and(|last| is_strange(&last, now));
        Today { now, is_certain: !strange && self.doubt().is_none_or(|until| until < now) }
    }

    fn doubt(&self) -> Option<SystemTime> {
        self.fs().read_small(&self.tidied_path(), 64).ok().and_then(|bytes| decode(&bytes))
    }

    /// The housekeeping that no bound asks for: once a day, by whoever comes first, in some of the folders.
    pub(crate) fn tidy_daily(&self) {
        if !self.is_due() {
            return;
        }
        let Ok(_guard) = self.guard("evict") else { return };
        // Again: whoever had it before us may have done it.
        if !self.is_due() || !self.is_tagged_by_now() {
            return;
        }
        // First, so that nobody else begins, and not again today whatever goes wrong.
        let Ok(today) = self.begin_tidying() else { return };
        let mut bin = Bin::new(self);
        Tidy::new(&mut bin, today).some();
        self.fold_statistics(today.now);
        log::debug!("cache {}: tidied, {:?} less", self.root().display(), bin.evicted);
    }

    fn is_due(&self) -> bool {
        let now = SystemTime::now();
        let due = |last: Stamp| last.is_unused_for(EXACTNESS, now) || last.is_ahead_of(now);
        self.fs().stamp(&self.tidied_path()).is_ok_and(|last| last.is_none_or(due))
    }
}

/// Whether that was the last housekeeping of a cache in daily use.
fn is_strange(last: &Stamp, now: SystemTime) -> bool {
    last.is_unused_for(AWAY, now) || last.is_ahead_of(now)
}

fn encode(doubt: Option<SystemTime>) -> Vec<u8> {
    let since = doubt.and_then(|until| until.duration_since(SystemTime::UNIX_EPOCH).ok());
    since.map_or_else(Vec::new, |since| format!("in doubt until {}\n", since.as_secs()).into_bytes())
}

fn decode(bytes: &[u8]) -> Option<SystemTime> {
    let text = std::str::from_utf8(bytes).ok()?;
    let seconds = text.strip_prefix("in doubt until ")?.trim_end().parse().ok()?;
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds))
}
