//! Files in memory that several processes of one machine share.
//!
//! One process fills such a file and seals it, so that nobody, itself included, can change a byte any more; the others
//! open it through its `/proc/<pid>/fd`, look at its seals, and map the very same pages.

use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::fs::{CWD, FileType, MemfdFlags, Mode, OFlags, SealFlags};
use rustix::io::Errno;

use super::memfd::ourselves;
use crate::cache::Bytes;
use crate::fs::Fs;

/// For so long a file of gigabytes may be busy.
const PATIENCE: Duration = Duration::from_secs(30);

const SEALS: SealFlags =
    SealFlags::SEAL.union(SealFlags::SHRINK).union(SealFlags::GROW).union(SealFlags::WRITE);

/// A file in memory that is being written.
#[derive(Debug)]
pub(crate) struct Spool {
    file: OwnedFd,
    written: u64,
}

impl Spool {
    /// An empty one; `name` is what debuggers and `/proc/self/maps` show.
    ///
    /// # Errors
    /// Where memory files, or executable ones, are denied.
    pub(crate) fn new(name: &str) -> io::Result<Spool> {
        // The kernel allows 249 bytes.
        let name: String = name.chars().filter(|c| *c != '\0').take(60).collect();
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        // Where executable memory files must be asked for; kernels before 6.3 do not know the flag.
        let file = match rustix::fs::memfd_create(name.as_str(), flags | MemfdFlags::EXEC) {
            Err(Errno::INVAL) => rustix::fs::memfd_create(name.as_str(), flags)?,
            result => result?,
        };
        Ok(Spool { file, written: 0 })
    }

    /// Appends these bytes.
    pub(crate) fn write(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            match rustix::io::write(&self.file, bytes) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => {
                    self.written += written as u64;
                    bytes = &bytes[written..];
                }
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Ends the writing, for everybody and for ever.
    pub(crate) fn seal(self) -> io::Result<SealedFile> {
        // The kernel itself waits only for a moment until nobody else uses a page, as who looks for memory to free does.
        let patient_until = Instant::now() + PATIENCE;
        loop {
            match rustix::fs::fcntl_add_seals(&self.file, SEALS) {
                Err(Errno::BUSY) if Instant::now() < patient_until => {
                    std::thread::sleep(Duration::from_millis(20));
                }
                Err(error) => return Err(error.into()),
                Ok(()) => return Ok(SealedFile { file: self.file, len: self.written }),
            }
        }
    }
}

/// A file in memory that cannot change any more. It stays as long as anybody has it open or mapped.
#[derive(Debug)]
pub(crate) struct SealedFile {
    file: OwnedFd,
    len: u64,
}

impl SealedFile {
    /// Opens another process's file by its [`path`](Self::path).
    ///
    /// # Errors
    /// The system's refusal; a file that is not sealed, or not ours: whoever could still write to it could have it
    /// loaded.
    pub(crate) fn open(path: &Path) -> io::Result<SealedFile> {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
        let file = rustix::fs::openat(CWD, path, flags, Mode::empty())?;
        let refused =
            |problem: &str| Err(io::Error::new(io::ErrorKind::PermissionDenied, problem.to_owned()));
        // Only files in memory have seals; of others the kernel says that the question makes no sense.
        if !rustix::fs::fcntl_get_seals(&file).is_ok_and(|seals| seals.contains(SEALS)) {
            return refused("it is not a sealed file in memory");
        }
        let stat = rustix::fs::fstat(&file)?;
        if stat.st_uid != rustix::process::geteuid().as_raw() {
            return refused("it is another user's");
        }
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return refused("it is no file");
        }
        Ok(SealedFile { file, len: stat.st_size as u64 })
    }

    /// How other processes of this machine (and of this user) open it, as long as it is here.
    pub(crate) fn path(&self) -> String {
        format!("/proc/{}/fd/{}", ourselves(), self.file.as_raw_fd())
    }

    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    /// Device and number: as long as anybody has it open or mapped, no other file has these.
    pub(super) fn identity(&self) -> Option<(u64, u64)> {
        rustix::fs::fstat(&self.file).ok().map(|stat| (stat.st_dev, stat.st_ino))
    }

    pub(super) fn descriptor(&self) -> i32 {
        self.file.as_raw_fd()
    }

    /// Its content. What is read of it is not counted: it is in no cache.
    pub(crate) fn bytes(&self) -> io::Result<Bytes> {
        let file = Fs::new(Default::default()).opened(self.file.try_clone()?)?;
        Ok(Bytes::File(file.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealed(content: &[u8]) -> SealedFile {
        let mut spool = Spool::new("name").unwrap();
        content.chunks(3).for_each(|piece| spool.write(piece).unwrap());
        spool.seal().unwrap()
    }

    #[test]
    fn what_is_sealed_cannot_change_and_others_read_it() {
        let file = sealed(b"0123456789");
        assert!(rustix::io::pwrite(&file.file, b"x", 0).is_err());
        assert!(rustix::fs::ftruncate(&file.file, 0).is_err());
        let other = SealedFile::open(file.path().as_ref()).unwrap();
        assert_eq!((other.len(), file.len()), (10, 10));
        assert_eq!(**other.bytes().unwrap().whole().unwrap(), *b"0123456789");
        let (path, bytes) = (file.path(), file.bytes().unwrap());
        drop(file);
        drop(other);
        assert_eq!(&*bytes.piece(8, 2).unwrap(), b"89", "it stays while anybody has it open");
        drop(bytes);
        let gone = SealedFile::open(path.as_ref());
        assert!(gone.is_err() || gone.is_ok_and(|file| file.len() != 10), "{path}");
        assert!(Spool::new(&"n".repeat(1000)).is_ok());
    }

    #[test]
    fn what_could_still_change_is_refused() {
        let spool = Spool::new("open").unwrap();
        let path = format!("/proc/self/fd/{}", spool.file.as_raw_fd());
        let refused = SealedFile::open(path.as_ref()).unwrap_err().to_string();
        assert!(refused.contains("not a sealed file"), "{refused}");
        let dir = tempfile::tempdir().unwrap();
        let plain = dir.path().join("plain");
        std::fs::write(&plain, b"x").unwrap();
        for path in [plain.as_path(), dir.path(), Path::new("/dev/null")] {
            assert!(SealedFile::open(path).is_err(), "{}", path.display());
        }
        assert!(SealedFile::open(Path::new("/proc/self/fd/999999")).is_err());
    }
}
