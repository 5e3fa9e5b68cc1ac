//! Adding to a file that others add to, and looking at all files of a folder.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use rustix::fs::{CWD, FlockOperation, Mode, OFlags};

use super::{Fs, Stamp};

/// Whether a file is created that is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Absent {
    Create,
    /// It is an error.
    Refuse,
}

impl Fs {
    /// Adds to the end of a file in one write: on a local file system what several processes add is kept whole, in some
    /// order.
    pub(crate) fn append(&self, path: &Path, bytes: &[u8], absent: Absent) -> io::Result<()> {
        self.counters.file_changes.one();
        let flags = OFlags::WRONLY | OFlags::APPEND | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK;
        let flags = if absent == Absent::Create { flags | OFlags::CREATE } else { flags };
        let file = rustix::fs::openat(CWD, path, flags, Mode::RUSR | Mode::WUSR)?;
        let written = rustix::io::write(&file, bytes)?;
        self.counters.bytes_written.add(written as u64);
        if written == bytes.len() { Ok(()) } else { Err(io::ErrorKind::WriteZero.into()) }
    }

    /// Opens a file to add to as long as this process runs, emptied; `None` if another process has it open so.
    pub(crate) fn open_own_log(&self, path: &Path) -> io::Result<Option<OwnLog>> {
        self.counters.file_changes.one();
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::APPEND | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let file = rustix::fs::openat(CWD, path, flags, Mode::from_raw_mode(0o666))?;
        // Where there are no locks there is no telling either.
        let locked = rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive);
        if locked == Err(rustix::io::Errno::WOULDBLOCK) {
            return Ok(None);
        }
        // What is no regular file (`/dev/stderr`, a pipe) cannot be emptied.
        let _ = rustix::fs::ftruncate(&file, 0);
        Ok(Some(OwnLog(file)))
    }

    /// The names of the directories in a directory, in no order; none if there is no such directory. Links are no directories.
    pub(crate) fn folders(&self, dir: &Path) -> io::Result<Vec<OsString>> {
        self.counters.opens.one();
        let entries = match std::fs::read_dir(dir) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let mut folders = Vec::new();
        for entry in entries {
            let entry = entry?;
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                folders.push(entry.file_name());
            }
        }
        Ok(folders)
    }

    /// Calls `visit` with the name and the stamp of everything in a directory, in no order; links are not followed.
    /// What vanishes meanwhile is left out.
    pub(crate) fn each_in(&self, dir: &Path, visit: &mut dyn FnMut(&OsStr, Stamp)) -> io::Result<()> {
        self.counters.opens.one();
        let entries = match std::fs::read_dir(dir) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        };
        for entry in entries {
            let entry = entry?;
            self.counters.file_stats.one();
            // Relative to the open directory: half of what looking up the whole path costs.
            if let Ok(data) = entry.metadata() {
                let nanoseconds =
                    |seconds: i64, rest: i64| seconds.saturating_mul(1_000_000_000).saturating_add(rest);
                let stamp = Stamp {
                    ino: data.ino(),
                    size: data.len(),
                    mtime_ns: nanoseconds(data.mtime(), data.mtime_nsec()),
                    ctime_ns: nanoseconds(data.ctime(), data.ctime_nsec()),
                };
                visit(&entry.file_name(), stamp);
            }
        }
        Ok(())
    }
}

/// A file that only this process adds to.
#[derive(Debug)]
pub(crate) struct OwnLog(OwnedFd);

impl OwnLog {
    /// In one write, so that what was added before a kill is whole.
    pub(crate) fn add(&self, bytes: &[u8]) -> io::Result<()> {
        rustix::io::write(&self.0, bytes).map(|_| ()).map_err(io::Error::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_added_comes_after_what_is_there() {
        let dir = tempfile::tempdir().unwrap();
        let fs = Fs::new(Default::default());
        let path = dir.path().join("file");
        assert!(fs.append(&path, b"no", Absent::Refuse).is_err() && !path.exists());
        fs.append(&path, b"one ", Absent::Create).unwrap();
        fs.append(&path, b"two", Absent::Refuse).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"one two");
        let mut seen = Vec::new();
        fs.each_in(dir.path(), &mut |name, stamp| seen.push((name.to_owned(), stamp.size))).unwrap();
        assert_eq!(seen, [("file".into(), 7)]);
        fs.each_in(&path.join("none"), &mut |_, _| panic!()).unwrap_err();
        fs.each_in(&dir.path().join("none"), &mut |_, _| panic!()).unwrap();
        std::fs::create_dir(dir.path().join("folder")).unwrap();
        std::os::unix::fs::symlink(dir.path(), dir.path().join("link")).unwrap();
        assert_eq!(fs.folders(dir.path()).unwrap(), ["folder"]);
        assert!(
            fs.folders(&path.join("none")).is_err()
                && fs.folders(&dir.path().join("none")).unwrap().is_empty()
        );
    }

    #[test]
    fn a_log_has_one_owner_at_a_time() {
        let dir = tempfile::tempdir().unwrap();
        let fs = Fs::new(Default::default());
        let path = dir.path().join("log");
        let log = fs.open_own_log(&path).unwrap().unwrap();
        log.add(b"one").unwrap();
        assert!(fs.open_own_log(&path).unwrap().is_none());
        assert_eq!(std::fs::read(&path).unwrap(), b"one");
        drop(log);
        fs.open_own_log(&path).unwrap().unwrap().add(b"2").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"2");
        assert!(fs.open_own_log(dir.path()).is_err());
    }
}
