//! A lock between processes: one builds, the others wait for it.
//!
//! Locks only save double work. Nothing is wrong without them, so whatever goes wrong with a lock means:
//! go ahead. The system releases the lock of a process that was killed.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, FlockOperation, Mode, OFlags};
use rustix::io::Errno;

use crate::fs::Fs;

/// Held until dropped.
#[derive(Debug)]
pub(crate) struct Lock {
    held: Option<(PathBuf, OwnedFd, Fs)>,
}

impl Lock {
    /// A lock that excludes nobody.
    pub(in crate::cache) fn none() -> Lock {
        Lock { held: None }
    }

    /// `None` if somebody else holds it, in another process or another thread.
    pub(crate) fn try_new(fs: &Fs, path: &Path) -> Option<Lock> {
        // The holder removes the file. Who opened it before that gets the lock of a file without name, which
        // excludes nobody; then there is, or can be, a new file.
        for _ in 0..8 {
            fs.counters().file_changes.one();
            let flags = OFlags::RDWR | OFlags::CREATE | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK;
            let Ok(file) = rustix::fs::openat(CWD, path, flags, Mode::RUSR | Mode::WUSR) else {
                return Some(Lock::none());
            };
            match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => {}
                Err(Errno::WOULDBLOCK) => return None,
                Err(_) => return Some(Lock::none()),
            }
            if is_named(&file, path) {
                return Some(Lock { held: Some((path.to_owned(), file, fs.clone())) });
            }
        }
        None
    }

    /// The same lock for a process that is started: it is held until that one has ended, too, whatever becomes of this one.
    pub(crate) fn share(&self) -> Option<OwnedFd> {
        let (_, file, _) = self.held.as_ref()?;
        file.try_clone().ok()
    }

    /// Whether it excludes anybody: not where there are no locks.
    pub(crate) fn excludes(&self) -> bool {
        self.held.is_some()
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        if let Some((path, _file, fs)) = &self.held {
            // Before the lock is released, so that nobody's new file is removed.
            let _ = fs.remove(path);
        }
    }
}

/// Whether `path` names the open file.
fn is_named(file: &OwnedFd, path: &Path) -> bool {
    match (rustix::fs::fstat(file), rustix::fs::lstat(path)) {
        (Ok(open), Ok(named)) => open.st_ino == named.st_ino && open.st_dev == named.st_dev,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn one_holds_it_and_leaves_nothing_behind() {
        let dir = tempfile::tempdir().unwrap();
        let fs = Fs::new(Default::default());
        let path = dir.path().join("lock");
        let lock = Lock::try_new(&fs, &path).unwrap();
        assert!(lock.excludes());
        assert!(Lock::try_new(&fs, &path).is_none());
        drop(lock);
        assert!(!path.exists());
        assert!(Lock::try_new(&fs, &path).unwrap().excludes());
    }

    #[test]
    fn a_file_that_was_left_behind_blocks_nobody() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        std::fs::write(&path, b"").unwrap();
        assert!(Lock::try_new(&Fs::new(Default::default()), &path).unwrap().excludes());
    }

    #[test]
    fn where_locks_are_impossible_everybody_goes_ahead() {
        let fs = Fs::new(Default::default());
        let dir = tempfile::tempdir().unwrap();
        for path in [Path::new("/proc/nowhere/lock"), dir.path()] {
            assert!(!Lock::try_new(&fs, path).unwrap().excludes());
        }
    }

    #[test]
    fn it_excludes_across_threads_while_files_come_and_go() {
        let dir = tempfile::tempdir().unwrap();
        let (inside, rounds) = (AtomicUsize::new(0), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let fs = Fs::new(Default::default());
                    while rounds.load(Ordering::Relaxed) < 500 {
                        let Some(lock) = Lock::try_new(&fs, &dir.path().join("lock")) else { continue };
                        assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
                        inside.fetch_sub(1, Ordering::SeqCst);
                        rounds.fetch_add(1, Ordering::Relaxed);
                        drop(lock);
                    }
                });
            }
        });
    }
}
