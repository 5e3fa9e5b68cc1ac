//! Everything that touches files: counted, and written so that a reader never sees half a file.
//!
//! The rest of the crate reads and writes through [`Fs`]. That keeps the hard-won rules in one place: how
//! to publish on a network file system, when a stamp proves anything, whom to trust, what a killed process
//! leaves behind and who cleans it up.

mod append;
mod directory;
mod folder;
mod kind;
mod opened;
mod publish;
mod scratch;
mod stamp;
mod token;
mod trust;
pub(crate) mod used;

use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{CWD, FileType, Mode, OFlags};
use rustix::io::Errno;

pub(crate) use append::{Absent, OwnLog};
pub(crate) use directory::Directory;
pub(crate) use folder::{NewFolder, is_component};
pub(crate) use kind::{Kind, Mount};
pub(crate) use opened::Opened;
pub(crate) use publish::{Content, Published};
pub(crate) use scratch::{Scratch, is_working_directory};
pub(crate) use stamp::Stamp;
pub(crate) use token::Token;
pub(crate) use trust::{Descent, check_installed, check_trusted};

use crate::signature::Signature;
use crate::stats::Counters;

/// File operations, counted for one `Jit`.
#[derive(Debug, Clone)]
pub(crate) struct Fs {
    counters: Arc<Counters>,
}

impl Fs {
    pub(crate) fn new(counters: Arc<Counters>) -> Fs {
        Fs { counters }
    }

    pub(crate) fn counters(&self) -> &Arc<Counters> {
        &self.counters
    }

    /// The whole of a small file, with one `open` and, if it fits, one `read`; at most `limit` bytes.
    pub(crate) fn read_small(&self, path: &Path, limit: usize) -> io::Result<Vec<u8>> {
        self.counters.opens.one();
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
        self.read_to_end(&rustix::fs::openat(CWD, path, flags, Mode::empty())?, limit)
    }

    /// The same, and marks the file as used, which takes an `fstat`. What is wrong with the mark is no error.
    pub(crate) fn read_small_marked(&self, path: &Path, limit: usize) -> io::Result<Vec<u8>> {
        let file = self.open(path)?;
        let bytes = self.read_to_end(&file.fd, limit)?;
        let _ = file.mark_used();
        Ok(bytes)
    }

    fn read_to_end(&self, fd: &OwnedFd, limit: usize) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::with_capacity(8192);
        loop {
            match rustix::io::read(fd, rustix::buffer::spare_capacity(&mut bytes)) {
                // Only the end makes a read of a file shorter than asked; what lies has a checksum.
                Ok(_) if bytes.len() < bytes.capacity() => break,
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
            if bytes.len() > limit {
                return Err(io::ErrorKind::FileTooLarge.into());
            }
            bytes.reserve(bytes.len());
        }
        self.counters.bytes_read.add(bytes.len() as u64);
        Ok(bytes)
    }

    /// Opens for reading, with one `open` and one `fstat`.
    ///
    /// Non-blocking, so that a pipe lying where a file should be cannot hang the program.
    pub(crate) fn open(&self, path: &Path) -> io::Result<Opened> {
        self.counters.opens.one();
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
        self.opened(rustix::fs::openat(CWD, path, flags, Mode::empty())?)
    }

    /// The same for somebody who only looks around: reading does not count as a use of the file.
    pub(crate) fn open_unnoticed(&self, path: &Path) -> io::Result<Opened> {
        self.counters.opens.one();
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::NOATIME;
        match rustix::fs::openat(CWD, path, flags, Mode::empty()) {
            Ok(fd) => self.opened(fd),
            // Only a file's owner may read it unnoticed.
            Err(Errno::PERM) => self.open(path),
            Err(error) => Err(error.into()),
        }
    }

    /// The same for what is open already.
    pub(crate) fn opened(&self, fd: OwnedFd) -> io::Result<Opened> {
        Opened::new(fd, &self.counters)
    }

    /// The whole file.
    pub(crate) fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.read_at_most(path, u64::MAX)
    }

    /// The whole file, unless it is larger than `limit` bytes: then an error, not an allocation.
    pub(crate) fn read_at_most(&self, path: &Path, limit: u64) -> io::Result<Vec<u8>> {
        self.open(path)?.read_at_most(limit)
    }

    /// The first bytes of a file.
    pub(crate) fn read_head(&self, path: &Path, most: u64) -> io::Result<Vec<u8>> {
        let file = self.open(path)?;
        file.read_at(0, most.min(file.stamp.size))
    }

    /// The file's SHA-256, without holding it in memory.
    pub(crate) fn digest(&self, path: &Path) -> io::Result<Signature> {
        self.open(path)?.digest()
    }

    /// The file's fingerprint, and the stamp of the very file that was read: between a `stat` and a later `open`
    /// the path can come to lead to another file.
    pub(crate) fn stamp_and_fingerprint(&self, path: &Path) -> io::Result<(Stamp, Signature)> {
        let opened = self.open(path)?;
        Ok((opened.stamp, opened.fingerprint()?))
    }

    /// Writes a plain file, where no other process looks (a working directory).
    pub(crate) fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        self.counters.file_changes.one();
        self.counters.bytes_written.add(bytes.len() as u64);
        std::fs::write(path, bytes)
    }

    /// Everybody may run it; what everybody may run already is not touched.
    pub(crate) fn make_executable(&self, path: &Path) -> io::Result<()> {
        use std::os::unix::fs::PermissionsExt as _;
        const RUN: u32 = 0o555;
        self.counters.file_stats.one();
        if std::fs::metadata(path)?.permissions().mode() & RUN == RUN {
            return Ok(());
        }
        self.counters.file_changes.one();
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755))
    }

    /// What `stat` says (of a symlink's target); `None` if nothing is there.
    pub(crate) fn stamp(&self, path: &Path) -> io::Result<Option<Stamp>> {
        self.counters.file_stats.one();
        match rustix::fs::stat(path) {
            Ok(stat) => Ok(Some(Stamp::of(&stat))),
            Err(Errno::NOENT | Errno::NOTDIR) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// The device and the stamp of a directory, or of the one that a link leads to; `None` if there is none.
    pub(crate) fn directory(&self, path: &Path) -> io::Result<Option<(u64, Stamp)>> {
        self.counters.file_stats.one();
        match rustix::fs::stat(path) {
            Ok(stat) if FileType::from_raw_mode(stat.st_mode) == FileType::Directory => {
                Ok(Some((stat.st_dev, Stamp::of(&stat))))
            }
            Ok(_) | Err(Errno::NOENT | Errno::NOTDIR) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// What `lstat` says: of a symlink itself. What cannot be asked counts as absent.
    pub(crate) fn stamp_itself(&self, path: &Path) -> Option<Stamp> {
        self.counters.file_stats.one();
        rustix::fs::lstat(path).ok().map(|stat| Stamp::of(&stat))
    }

    /// Where a symbolic link leads, as it is written; `None` if it is none.
    pub(crate) fn link_target(&self, path: &Path) -> Option<PathBuf> {
        self.counters.file_stats.one();
        std::fs::read_link(path).ok()
    }

    /// Whether anything is there; what cannot be asked counts as absent.
    pub(crate) fn exists(&self, path: &Path) -> bool {
        matches!(self.stamp(path), Ok(Some(_)))
    }

    /// Whether it is a file, or a link to one.
    pub(crate) fn is_file(&self, path: &Path) -> bool {
        self.counters.file_stats.one();
        rustix::fs::stat(path).is_ok_and(|s| FileType::from_raw_mode(s.st_mode) == FileType::RegularFile)
    }

    /// Whether it is a directory, and no link to one.
    pub(crate) fn is_directory_itself(&self, path: &Path) -> bool {
        self.counters.file_stats.one();
        rustix::fs::lstat(path).is_ok_and(|s| FileType::from_raw_mode(s.st_mode) == FileType::Directory)
    }

    /// The path without links and `..`, if it leads anywhere.
    pub(crate) fn canonical(&self, path: &Path) -> Option<PathBuf> {
        self.counters.file_stats.one();
        std::fs::canonicalize(path).ok()
    }

    /// The names in a directory, in no order; empty if there is no such directory.
    pub(crate) fn list(&self, dir: &Path) -> io::Result<Vec<OsString>> {
        self.counters.opens.one();
        match std::fs::read_dir(dir) {
            Ok(entries) => entries.map(|entry| Ok(entry?.file_name())).collect(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }

    /// Creates a directory and its missing parents, each readable by the owner only.
    pub(crate) fn create_dir_all_private(&self, path: &Path) -> io::Result<()> {
        use std::os::unix::fs::DirBuilderExt as _;
        self.counters.file_changes.one();
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
    }

    /// Creates a directory and its missing parents, as far as the umask permits readable by everybody, and
    /// writable by the owner only.
    pub(crate) fn create_dir_all_public(&self, path: &Path) -> io::Result<()> {
        use std::os::unix::fs::DirBuilderExt as _;
        self.counters.file_changes.one();
        std::fs::DirBuilder::new().recursive(true).mode(0o755).create(path)
    }

    /// Creates a directory, which must not be there, readable by the owner only.
    pub(crate) fn create_dir_private(&self, path: &Path) -> io::Result<()> {
        use std::os::unix::fs::DirBuilderExt as _;
        self.counters.file_changes.one();
        std::fs::DirBuilder::new().mode(0o700).create(path)
    }

    /// Removes a file; that it is already gone is no error.
    pub(crate) fn remove(&self, path: &Path) -> io::Result<()> {
        self.counters.file_changes.one();
        gone(std::fs::remove_file(path))
    }

    /// Removes a file, and says whether it was there.
    pub(crate) fn remove_if_there(&self, path: &Path) -> io::Result<bool> {
        self.counters.file_changes.one();
        match std::fs::remove_file(path) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Removes a directory and all below it; that it is already gone is no error.
    pub(crate) fn remove_tree(&self, path: &Path) -> io::Result<()> {
        self.counters.file_changes.one();
        gone(std::fs::remove_dir_all(path))
    }

    pub(crate) fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.counters.file_changes.one();
        std::fs::rename(from, to)
    }
}

fn gone(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fs() -> Fs {
        Fs::new(Arc::default())
    }

    #[test]
    fn reading_is_exact_and_bounded() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        fs().write(&path, b"0123456789").unwrap();
        assert_eq!(fs().read(&path).unwrap(), b"0123456789");
        assert_eq!(fs().read_at_most(&path, 9).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
        let opened = fs().open(&path).unwrap();
        assert_eq!(opened.read_at(2, 3).unwrap(), b"234");
        assert_eq!(opened.read_at(0, 0).unwrap(), b"");
        assert_eq!(opened.read_at(5, 6).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        assert!(opened.read_at(0, u64::MAX).is_err(), "no allocation, no panic");
        assert!(!fs().read(Path::new("/proc/self/stat")).unwrap().is_empty(), "files that claim to be empty");
        assert!(fs().read(dir.path()).is_err());
        assert_eq!(fs().digest(&path).unwrap(), crate::signature::digest(b"0123456789"));
    }

    #[test]
    fn a_pipe_in_place_of_a_file_does_not_hang() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pipe");
        rustix::fs::mknodat(CWD, &path, FileType::Fifo, Mode::RWXU, 0).unwrap();
        assert!(!fs().open(&path).unwrap().regular);
        assert_eq!(fs().read(&path).unwrap(), b"");
    }

    #[test]
    fn what_is_absent_is_no_error() {
        let dir = tempfile::tempdir().unwrap();
        let absent = dir.path().join("absent/deeper");
        assert_eq!(fs().stamp(&absent).unwrap(), None);
        assert!(!fs().exists(&absent));
        assert!(fs().list(&absent).unwrap().is_empty());
        fs().remove(&absent).unwrap();
        fs().remove_tree(&absent).unwrap();
        fs().create_dir_all_private(&absent).unwrap();
        fs().create_dir_all_private(&absent).unwrap();
        assert!(fs().exists(&absent));
        let file = absent.join("file");
        fs().write(&file, b"x").unwrap();
        assert_eq!(fs().stamp(&file.join("below")).unwrap(), None);
        assert_eq!(fs().list(&absent).unwrap(), ["file"]);
    }

    #[test]
    fn operations_are_counted() {
        let dir = tempfile::tempdir().unwrap();
        let fs = fs();
        fs.write(&dir.path().join("a"), b"abc").unwrap();
        fs.read(&dir.path().join("a")).unwrap();
        fs.exists(dir.path());
        let stats = fs.counters().snapshot();
        assert_eq!((stats.opens, stats.file_stats, stats.file_changes), (1, 1, 1));
        assert_eq!((stats.bytes_read, stats.bytes_written), (3, 3));
    }
}
