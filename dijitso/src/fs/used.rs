//! When a file was last used: its modification time, moved at most once a day.
//!
//! Not its access time: many file systems keep none, and backups and searches move it as much as loading a kernel
//! does. What lies in a cache is never changed in place, so its modification time is free for this.

use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime};

use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, UTIME_NOW, UTIME_OMIT};

use super::stamp::nanoseconds;
use super::{Fs, Opened, Stamp};

/// How exactly last uses are known: a file that is read all day long is marked once.
pub(crate) const EXACTNESS: Duration = Duration::from_secs(24 * 3600);

/// The modification time becomes that of the file server, or of this machine; the access time stays.
const NOW: Timestamps = Timestamps {
    last_access: Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT },
    last_modification: Timespec { tv_sec: 0, tv_nsec: UTIME_NOW },
};

impl Stamp {
    /// Whether it was not marked as used for this long before `now`. What claims to come from later was used just now: one of two
    /// clocks is wrong, and if that is ours, all that others use claims so.
    pub(crate) fn is_unused_for(&self, time: Duration, now: SystemTime) -> bool {
        nanoseconds(now).saturating_sub(self.mtime_ns) >= length(time)
    }

    /// Whether it claims to come from later than tomorrow. Unless it is marked anew once the time is known, it will be the last that
    /// goes, for ever.
    pub(crate) fn is_ahead_of(&self, now: SystemTime) -> bool {
        self.mtime_ns.saturating_sub(nanoseconds(now)) > length(EXACTNESS)
    }

    /// For an order by last use.
    pub(crate) fn order_of_use(&self, now: SystemTime) -> i64 {
        self.mtime_ns.min(nanoseconds(now))
    }

    /// When it was last marked as used.
    pub(crate) fn used(&self) -> SystemTime {
        let since = Duration::from_nanos(u64::try_from(self.mtime_ns).unwrap_or_default());
        SystemTime::UNIX_EPOCH.checked_add(since).unwrap_or(SystemTime::UNIX_EPOCH)
    }
}

fn length(time: Duration) -> i64 {
    i64::try_from(time.as_nanos()).unwrap_or(i64::MAX)
}

impl Opened {
    /// Marks the file as used, if that was not done today. Whether it was done now: with the stamp that is known
    /// already, a file that is marked costs no system call.
    pub(crate) fn mark_used(&self) -> io::Result<bool> {
        // What claims to come from the future stays: our clock may be the wrong one, and would lose what others know.
        if !self.stamp.is_unused_for(EXACTNESS, SystemTime::now()) {
            return Ok(false);
        }
        self.counters.file_changes.one();
        rustix::fs::futimens(&self.fd, &NOW)?;
        Ok(true)
    }
}

impl Fs {
    /// Gives a file the last use that another one had, in whose place it is.
    pub(crate) fn set_used(&self, path: &Path, before: &Stamp) -> io::Result<()> {
        const SECOND: i64 = 1_000_000_000;
        self.counters.file_changes.one();
        let (seconds, rest) = (before.mtime_ns.div_euclid(SECOND), before.mtime_ns.rem_euclid(SECOND));
        let then = Timespec { tv_sec: seconds, tv_nsec: rest };
        let times = Timestamps { last_modification: then, ..NOW };
        Ok(rustix::fs::utimensat(CWD, path, &times, AtFlags::empty())?)
    }

    /// Marks a file or directory as used.
    pub(crate) fn mark_used(&self, path: &Path) -> io::Result<()> {
        self.counters.file_changes.one();
        Ok(rustix::fs::utimensat(CWD, path, &NOW, AtFlags::empty())?)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use std::fs::File;

    /// As if it had been used so long ago.
    pub(crate) fn age(path: &Path, by: Duration) {
        let then = SystemTime::now() - by;
        File::open(path).unwrap().set_modified(then).unwrap();
    }

    #[test]
    fn a_use_is_marked_once_a_day() {
        let dir = tempfile::tempdir().unwrap();
        let fs = Fs::new(Default::default());
        let path = dir.path().join("file");
        std::fs::write(&path, b"x").unwrap();
        let mark = || fs.open(&path).unwrap().mark_used().unwrap();
        assert!(!mark());
        let later = SystemTime::now() + 3 * EXACTNESS;
        File::open(&path).unwrap().set_modified(later).unwrap();
        assert!(!mark(), "whose clock is wrong?");
        assert!(fs.stamp(&path).unwrap().unwrap().is_ahead_of(SystemTime::now()));
        age(&path, EXACTNESS - Duration::from_secs(60));
        assert!(!mark());
        age(&path, EXACTNESS + Duration::from_secs(1));
        let accessed = path.metadata().unwrap().accessed().unwrap();
        assert!(mark() && !mark());
        assert_eq!(path.metadata().unwrap().accessed().unwrap(), accessed);
        age(&path, 2 * EXACTNESS);
        fs.mark_used(&path).unwrap();
        assert!(fs.stamp(&path).unwrap().unwrap().used() > SystemTime::now() - EXACTNESS);
        assert_eq!(fs.counters().snapshot().file_changes, 2);
    }
}
