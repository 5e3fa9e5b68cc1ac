//! Making a file visible: whole, or not at all.
//!
//! A reader on any machine finds either nothing or every byte. The bytes go into a file without a name (or
//! one with a temporary name, where the file system has no nameless files), which is then linked to its
//! real name. Linking never replaces: the first publisher wins, and by construction the second has the same
//! content.

use std::io::{self, Write as _};
use std::os::fd::{AsFd, AsRawFd as _, OwnedFd};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use rustix::fs::{AtFlags, CWD, FlockOperation, Mode, OFlags, RenameFlags};
use rustix::io::Errno;
use tempfile::NamedTempFile;

use super::{Fs, Opened};

/// Who made the file visible.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Published {
    /// This call.
    New,
    /// Somebody before.
    Existing,
}

/// What a file is made of.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Content<'a> {
    Bytes(&'a [u8]),
    /// What another file contains, which may be more than fits into memory.
    File(&'a Opened),
}

impl Content<'_> {
    pub(crate) fn len(self) -> u64 {
        match self {
            Content::Bytes(bytes) => bytes.len() as u64,
            Content::File(file) => file.stamp.size,
        }
    }
}

impl<'a, T: AsRef<[u8]> + ?Sized> From<&'a T> for Content<'a> {
    fn from(bytes: &'a T) -> Content<'a> {
        Content::Bytes(bytes.as_ref())
    }
}

/// Bytes that are copied at a time.
const PIECE: u64 = 1 << 20;

/// Entries are not secret, their directory is private: so that a copy of a cache can be shared.
const MODE: u32 = 0o644;

/// How often something that vanished is created again.
const ATTEMPTS: usize = 8;

impl Fs {
    /// Makes `dest` a file with these bytes, unless it exists.
    ///
    /// `tmp` must be on the same file system; it is used where nameless files are not possible. If the
    /// directories have been removed meanwhile, they are created again, once. With `durable` the bytes
    /// and the name survive a power failure; without, the content must carry its own checksum.
    ///
    /// # Errors
    /// The operating system's: no space, quota, read-only, permission.
    pub(crate) fn publish<'a>(
        &self,
        tmp: &Path,
        dest: &Path,
        bytes: impl Into<Content<'a>>,
        durable: bool,
    ) -> io::Result<Published> {
        let bytes = bytes.into();
        let published = match self.publish_nameless(dest, bytes, durable)? {
            Some(published) => published,
            None => self.again_if_gone(tmp, dest, || self.publish_named(tmp, dest, bytes, durable))?,
        };
        if durable {
            sync_parent(dest)?;
        }
        Ok(published)
    }

    /// Makes `dest` a file with these bytes, in place of what it was.
    pub(crate) fn replace(&self, tmp: &Path, dest: &Path, bytes: &[u8]) -> io::Result<()> {
        self.again_if_gone(tmp, dest, || {
            let file = self.temporary(tmp, bytes.into(), false)?;
            self.rename(file.path(), dest)?;
            // It has another name now; there is nothing to remove.
            let _ = file.into_temp_path().keep();
            Ok(())
        })
    }

    /// The same with what `write` writes, which may be more than fits into memory. Returns how many bytes these are.
    pub(crate) fn replace_with(
        &self,
        tmp: &Path,
        dest: &Path,
        write: impl FnOnce(&mut dyn io::Write) -> io::Result<()>,
    ) -> io::Result<u64> {
        let file = self.temporary(tmp, Content::Bytes(&[]), false)?;
        let mut buffered = io::BufWriter::new(file.as_file());
        write(&mut buffered)?;
        buffered.flush()?;
        drop(buffered);
        let len = file.as_file().metadata()?.len();
        self.counters.bytes_written.add(len);
        self.rename(file.path(), dest)?;
        // It has another name now; there is nothing to remove.
        let _ = file.into_temp_path().keep();
        Ok(len)
    }

    /// Runs `attempt`; as long as something is missing, creates both directories and runs it again.
    ///
    /// Somebody may have removed the whole cache, the directory may be new, and then a sweep may come in the
    /// instant before the temporary file is locked: one repetition was not enough when eight processes
    /// started at once.
    fn again_if_gone<T>(
        &self,
        tmp: &Path,
        dest: &Path,
        attempt: impl Fn() -> io::Result<T>,
    ) -> io::Result<T> {
        let mut result = attempt();
        for _ in 0..ATTEMPTS {
            match &result {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    self.create_dir_all_private(tmp)?;
                    self.create_dir_all_private(parent(dest))?;
                    result = attempt();
                }
                _ => break,
            }
        }
        result
    }

    /// `None` if it has to be done with a temporary name.
    fn publish_nameless(
        &self,
        dest: &Path,
        bytes: Content<'_>,
        durable: bool,
    ) -> io::Result<Option<Published>> {
        self.counters.file_changes.one();
        let flags = OFlags::WRONLY | OFlags::TMPFILE | OFlags::CLOEXEC;
        // Whatever the reason (no support, a missing directory), the other way finds it out again.
        let Ok(file) = rustix::fs::openat(CWD, parent(dest), flags, Mode::from_raw_mode(MODE)) else {
            return Ok(None);
        };
        self.fill(&file, bytes, durable)?;
        self.counters.file_changes.one();
        let magic = format!("/proc/self/fd/{}", file.as_raw_fd());
        let linked = match rustix::fs::linkat(CWD, magic, CWD, dest, AtFlags::SYMLINK_FOLLOW) {
            // Without /proc. The kernel allows this to few, so it is not the first choice.
            Err(Errno::NOENT) => rustix::fs::linkat(&file, "", CWD, dest, AtFlags::EMPTY_PATH),
            result => result,
        };
        Ok(match linked {
            Ok(()) => Some(Published::New),
            Err(Errno::EXIST) => Some(Published::Existing),
            Err(_) => None,
        })
    }

    fn publish_named(
        &self,
        tmp: &Path,
        dest: &Path,
        bytes: Content<'_>,
        durable: bool,
    ) -> io::Result<Published> {
        let file = self.temporary(tmp, bytes, durable)?;
        self.counters.file_changes.one();
        let Err(error) = rustix::fs::link(file.path(), dest) else { return Ok(Published::New) };
        // On NFS the reply to a link that did happen can be lost, and its repetition fails.
        if rustix::fs::fstat(file.as_file()).is_ok_and(|stat| stat.st_nlink == 2) {
            return Ok(Published::New);
        }
        match error {
            Errno::EXIST => Ok(Published::Existing),
            Errno::PERM | Errno::OPNOTSUPP | Errno::NOSYS | Errno::MLINK | Errno::INVAL | Errno::XDEV => {
                self.publish_by_rename(file, dest)
            }
            error => Err(error.into()),
        }
    }

    /// For file systems without hard links.
    fn publish_by_rename(&self, file: NamedTempFile, dest: &Path) -> io::Result<Published> {
        self.counters.file_changes.one();
        match rustix::fs::renameat_with(CWD, file.path(), CWD, dest, RenameFlags::NOREPLACE) {
            Ok(()) => {}
            Err(Errno::EXIST) => return Ok(Published::Existing),
            // Replacing is right, too: a name stands for one content.
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => rustix::fs::rename(file.path(), dest)?,
            Err(error) => return Err(error.into()),
        }
        let _ = file.into_temp_path().keep();
        Ok(Published::New)
    }

    /// A file in `tmp` with these bytes, removed when dropped.
    ///
    /// Its lock tells a sweep that somebody still works on it. A sweep that comes between creation and lock
    /// removes a live file: linking or renaming it then fails with `NotFound`, and the caller repeats.
    fn temporary(&self, tmp: &Path, bytes: Content<'_>, durable: bool) -> io::Result<NamedTempFile> {
        self.counters.file_changes.one();
        let file = tempfile::Builder::new()
            .prefix("new-")
            .permissions(std::fs::Permissions::from_mode(MODE))
            .tempfile_in(tmp)?;
        let _ = rustix::fs::flock(file.as_file(), FlockOperation::NonBlockingLockExclusive);
        self.fill(file.as_file(), bytes, durable)?;
        Ok(file)
    }

    fn fill(&self, file: impl AsFd, content: Content<'_>, durable: bool) -> io::Result<()> {
        match content {
            Content::Bytes(bytes) => self.write_all(&file, bytes)?,
            Content::File(from) => {
                let mut at = 0;
                while at < from.stamp.size {
                    let piece = from.read_at(at, PIECE.min(from.stamp.size - at))?;
                    self.write_all(&file, &piece)?;
                    at += piece.len() as u64;
                }
            }
        }
        if durable {
            rustix::fs::fsync(&file)?;
        }
        Ok(())
    }

    fn write_all(&self, file: impl AsFd, bytes: &[u8]) -> io::Result<()> {
        let mut rest = bytes;
        while !rest.is_empty() {
            match rustix::io::write(&file, rest) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => rest = &rest[written..],
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        self.counters.bytes_written.add(bytes.len() as u64);
        Ok(())
    }
}

fn parent(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new("."))
}

fn sync_parent(path: &Path) -> io::Result<()> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let dir: OwnedFd = rustix::fs::openat(CWD, parent(path), flags, Mode::empty())?;
    Ok(rustix::fs::fsync(&dir)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    struct Place {
        _dir: tempfile::TempDir,
        fs: Fs,
        tmp: PathBuf,
        dest: PathBuf,
    }

    fn place() -> Place {
        let dir = tempfile::tempdir().unwrap();
        let (tmp, dest) = (dir.path().join("tmp"), dir.path().join("ab/dest"));
        Place { _dir: dir, fs: Fs::new(Default::default()), tmp, dest }
    }

    #[test]
    fn the_first_publisher_wins_and_nothing_is_left_behind() {
        let p = place();
        for durable in [false, true] {
            let dest = p.dest.with_extension(format!("{durable}"));
            assert_eq!(p.fs.publish(&p.tmp, &dest, b"one", durable).unwrap(), Published::New);
            assert_eq!(p.fs.publish(&p.tmp, &dest, b"two", durable).unwrap(), Published::Existing);
            assert_eq!(p.fs.read(&dest).unwrap(), b"one");
        }
        assert!(p.fs.list(&p.tmp).unwrap().is_empty());
    }

    #[test]
    fn every_way_of_publishing_does_the_same() {
        let p = place();
        p.fs.create_dir_all_private(&p.tmp).unwrap();
        p.fs.create_dir_all_private(parent(&p.dest)).unwrap();
        let renamed = |dest: &Path| {
            let file = p.fs.temporary(&p.tmp, b"bytes".into(), false).unwrap();
            p.fs.publish_by_rename(file, dest).unwrap()
        };
        let named = |dest: &Path| p.fs.publish_named(&p.tmp, dest, b"bytes".into(), true).unwrap();
        let nameless = |dest: &Path| p.fs.publish_nameless(dest, b"bytes".into(), false).unwrap().unwrap();
        for (n, way) in [&renamed as &dyn Fn(&Path) -> Published, &named, &nameless].iter().enumerate() {
            let dest = p.dest.with_extension(n.to_string());
            assert_eq!(way(&dest), Published::New);
            assert_eq!(way(&dest), Published::Existing);
            assert_eq!(p.fs.read(&dest).unwrap(), b"bytes");
        }
        assert!(p.fs.list(&p.tmp).unwrap().is_empty());
    }

    #[test]
    fn directories_that_vanished_are_created_again() {
        let p = place();
        let root = p.tmp.parent().unwrap();
        p.fs.publish(&p.tmp, &p.dest, b"one", false).unwrap();
        std::fs::remove_dir_all(root).unwrap();
        assert_eq!(p.fs.publish(&p.tmp, &p.dest, b"two", false).unwrap(), Published::New);
        std::fs::remove_dir_all(root).unwrap();
        p.fs.replace(&p.tmp, &p.dest, b"three").unwrap();
        assert_eq!(p.fs.read(&p.dest).unwrap(), b"three");
    }

    #[test]
    fn a_file_is_copied_piece_by_piece() {
        let p = place();
        for len in [0, 1, PIECE - 1, PIECE, 2 * PIECE + 7] {
            let bytes: Vec<u8> = (0..len).map(|n| (n * 31 % 251) as u8).collect();
            let from = p.tmp.with_file_name("from");
            std::fs::write(&from, &bytes).unwrap();
            let dest = p.dest.with_extension(len.to_string());
            let opened = p.fs.open(&from).unwrap();
            p.fs.publish(&p.tmp, &dest, Content::File(&opened), false).unwrap();
            assert!(p.fs.read(&dest).unwrap() == bytes, "{len}");
        }
        // It shrank: better no file than half of one.
        let from = p.tmp.with_file_name("from");
        let opened = p.fs.open(&from).unwrap();
        std::fs::write(&from, b"short").unwrap();
        let dest = p.dest.with_extension("short");
        assert!(p.fs.publish(&p.tmp, &dest, Content::File(&opened), false).is_err());
        assert!(!p.fs.exists(&dest) && p.fs.list(&p.tmp).unwrap().is_empty());
    }

    #[test]
    fn replacing_replaces() {
        let p = place();
        p.fs.replace(&p.tmp, &p.dest, b"one").unwrap();
        p.fs.replace(&p.tmp, &p.dest, b"two").unwrap();
        assert_eq!(p.fs.read(&p.dest).unwrap(), b"two");
        assert!(p.fs.list(&p.tmp).unwrap().is_empty());
    }

    #[test]
    fn what_the_system_refuses_is_an_error() {
        let p = place();
        for dest in ["/proc/nowhere/file", "/dev/null/file"] {
            assert!(p.fs.publish(&p.tmp, Path::new(dest), b"x", false).is_err());
            assert!(p.fs.replace(&p.tmp, Path::new(dest), b"x").is_err());
        }
        p.fs.publish(&p.tmp, &p.dest, b"file", false).unwrap();
        assert!(p.fs.publish(&p.tmp, &p.dest.join("below"), b"x", false).is_err());
        p.fs.create_dir_all_private(&p.dest.with_extension("dir")).unwrap();
        assert!(p.fs.replace(&p.tmp, &p.dest.with_extension("dir"), b"x").is_err());
        assert!(p.fs.list(&p.tmp).unwrap().is_empty(), "no leftovers after failures");
    }
}
