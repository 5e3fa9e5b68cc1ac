//! What a `stat` says about a file, and when equal stamps mean equal content.

use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

/// A file that was changed this recently can change again without its times moving: file systems tick in
/// milliseconds, some in seconds, and their clock can be another machine's.
const SETTLING: Duration = Duration::from_secs(2);

/// The identity and times of a file or directory (of what a symlink points to).
///
/// The device number is left out, as git leaves it out: network file systems and containers number their
/// devices anew at every mount, and inode, size and both times together tell files apart well enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Stamp {
    pub(crate) ino: u64,
    pub(crate) size: u64,
    pub(crate) mtime_ns: i64,
    pub(crate) ctime_ns: i64,
}

impl Stamp {
    pub(super) fn of(stat: &rustix::fs::Stat) -> Stamp {
        let nanoseconds =
            |seconds: i64, rest: u64| seconds.saturating_mul(1_000_000_000).saturating_add(rest as i64);
        Stamp {
            ino: stat.st_ino,
            size: stat.st_size as u64,
            mtime_ns: nanoseconds(stat.st_mtime, stat.st_mtime_nsec),
            ctime_ns: nanoseconds(stat.st_ctime, stat.st_ctime_nsec),
        }
    }

    /// Whether, taken at `now`, this stamp proves: as long as a file has an equal stamp, it has the same
    /// content.
    ///
    /// A file written twice within one tick of the clock keeps its stamp. So a stamp counts only if the
    /// last change was already well past when it was taken ("racy git" is the same problem). `now` must
    /// have been read before the file was.
    pub(crate) fn settled(&self, now: SystemTime) -> bool {
        let latest = nanoseconds(now).saturating_sub(SETTLING.as_nanos() as i64);
        self.mtime_ns <= latest && self.ctime_ns <= latest
    }

    /// Whether the last change was one of the content: a move or another mode does not touch the
    /// modification time.
    pub(crate) fn is_filled(&self) -> bool {
        self.mtime_ns == self.ctime_ns
    }

    /// Whether the file was changed after `then`, as far as its file system's clock can tell.
    ///
    /// The change time decides: the modification time can be set to anything.
    pub(crate) fn changed_after(&self, then: SystemTime) -> bool {
        self.ctime_ns > nanoseconds(then)
    }
}

pub(super) fn nanoseconds(time: SystemTime) -> i64 {
    match time.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_nanos()).unwrap_or(i64::MAX),
        Err(before) => i64::try_from(before.duration().as_nanos()).map_or(i64::MIN, |n| -n),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamp(mtime: i64, ctime: i64) -> Stamp {
        Stamp { ino: 1, size: 2, mtime_ns: mtime * 1_000_000_000, ctime_ns: ctime * 1_000_000_000 }
    }

    #[test]
    fn a_stamp_settles_two_seconds_after_the_last_change() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(100);
        assert!(stamp(98, 98).settled(now));
        assert!(!stamp(98, 99).settled(now));
        assert!(!stamp(99, 98).settled(now));
        assert!(!stamp(1000, 98).settled(now), "a modification time in the future never settles");
    }

    #[test]
    fn the_change_time_says_when_a_file_changed() {
        let then = SystemTime::UNIX_EPOCH + Duration::from_secs(100);
        assert!(stamp(1, 101).changed_after(then));
        assert!(!stamp(1000, 100).changed_after(then));
        assert!(!stamp(0, 0).changed_after(SystemTime::UNIX_EPOCH));
    }
}
