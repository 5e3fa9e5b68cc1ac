//! Adding to a file that others add to, and looking at all files of a folder.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use rustix::fs::{CWD, FileType, FlockOperation, Mode, OFlags};

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

    /// Opens a file to add to as long as this process runs, emptied; `None` if another process has it open so. What it begins with
    /// must be one of ours, as `is_ours` says.
    ///
    /// # Errors
    /// `AlreadyExists` for somebody else's file, which stays as it is.
    pub(crate) fn open_own_log(&self, path: &Path, is_ours: fn(&[u8]) -> bool) -> io::Result<Option<OwnLog>> {
        self.counters.file_changes.one();
        let flags = OFlags::CREATE | OFlags::APPEND | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let mode = Mode::from_raw_mode(0o666);
        let open = |access| rustix::fs::openat(CWD, path, flags | access, mode);
        // A pipe that is open for reading, too, would have us as its reader.
        let regular = |file: &OwnedFd| {
            let stat = rustix::fs::fstat(file)?;
            Ok::<_, io::Error>(FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile)
        };
        let mut file = open(OFlags::WRONLY)?;
        let regular = regular(&file)?;
        if regular {
            file = open(OFlags::RDWR)?;
        }
        // Where there are no locks there is no telling either.
        let locked = rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive);
        if locked == Err(rustix::io::Errno::WOULDBLOCK) {
            return Ok(None);
        }
        // What is no regular file (`/dev/stderr`, a pipe) cannot be emptied.
        if regular {
            let mut head = [0; 512];
            let len = rustix::io::pread(&file, &mut head, 0)?;
            if len > 0 && !is_ours(&head[..len]) {
                let text = "there is a file of this name that is no trace, and it is left as it is";
                return Err(io::Error::new(io::ErrorKind::AlreadyExists, text));
            }
            rustix::fs::ftruncate(&file, 0)?;
        }
        Ok(Some(OwnLog { file, length: Mutex::new(regular.then_some(0)) }))
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
pub(crate) struct OwnLog {
    file: OwnedFd,
    /// How long it is, if it is a regular file.
    length: Mutex<Option<u64>>,
}

impl OwnLog {
    /// In one write, so that what was added before a kill is whole; if it does not fit on the disk, not a part of it.
    pub(crate) fn add(&self, bytes: &[u8]) -> io::Result<()> {
        let mut length = self.length.lock().unwrap_or_else(PoisonError::into_inner);
        let written = rustix::io::write(&self.file, bytes)?;
        let Some(before) = *length else { return Ok(()) };
        if written < bytes.len() {
            rustix::fs::ftruncate(&self.file, before)?;
            return Err(io::ErrorKind::StorageFull.into());
        }
        *length = Some(before + written as u64);
        Ok(())
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
        let open = |path: &Path| fs.open_own_log(path, |head| head.starts_with(b"one"));
        let log = open(&path).unwrap().unwrap();
        log.add(b"one").unwrap();
        log.add(b" two").unwrap();
        assert!(open(&path).unwrap().is_none());
        assert_eq!(std::fs::read(&path).unwrap(), b"one two");
        drop(log);
        open(&path).unwrap().unwrap().add(b"2").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"2");
        assert_eq!(open(&path).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(std::fs::read(&path).unwrap(), b"2", "what is not ours stays");
        assert!(open(dir.path()).is_err());
        open(Path::new("/dev/null")).unwrap().unwrap().add(b"x").unwrap();
        assert!(open(Path::new("/dev/full")).unwrap().unwrap().add(b"x").is_err());
    }
}
