//! A directory that is filled for a person: new, with nothing in it replaced, and nothing followed.

use std::io::{self, Write as _};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags};

use super::Fs;

/// An empty directory that is open, so that whatever happens to its path meanwhile, files go into it.
#[derive(Debug)]
pub(crate) struct NewFolder {
    fs: Fs,
    path: PathBuf,
    dir: OwnedFd,
    /// It was not there before.
    created: bool,
    written: Vec<String>,
}

impl NewFolder {
    /// Creates the directory, or takes one that is empty. Its parent must be there.
    ///
    /// # Errors
    /// `AlreadyExists` if anything else is there: a file, a symbolic link, or a directory with something in it.
    pub(crate) fn new(fs: &Fs, path: &Path) -> io::Result<NewFolder> {
        fs.counters.file_changes.one();
        let created = match rustix::fs::mkdir(path, Mode::from_raw_mode(0o777)) {
            Ok(()) => true,
            Err(rustix::io::Errno::EXIST) => false,
            Err(error) => return Err(error.into()),
        };
        let occupied = |what| io::Error::new(io::ErrorKind::AlreadyExists, what);
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let dir = rustix::fs::openat(CWD, path, flags, Mode::empty())
            .map_err(|_| occupied("something is there that is no directory"))?;
        if !created && !fs.list(path)?.is_empty() {
            return Err(occupied("the directory is not empty"));
        }
        Ok(NewFolder { fs: fs.clone(), path: path.to_owned(), dir, created, written: Vec::new() })
    }

    /// Writes a file that is not there yet; `name` must be a single component.
    pub(crate) fn write(&mut self, name: &str, bytes: &[u8], executable: bool) -> io::Result<()> {
        if !is_component(name) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, format!("`{name}` is no file name")));
        }
        self.fs.counters.file_changes.one();
        self.fs.counters.bytes_written.add(bytes.len() as u64);
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mode = Mode::from_raw_mode(if executable { 0o777 } else { 0o666 });
        let file = rustix::fs::openat(&self.dir, name, flags, mode)?;
        self.written.push(name.to_owned());
        std::fs::File::from(file).write_all(bytes)
    }

    /// Removes what was written, after an error: half a directory would only be in the way of the next try.
    pub(crate) fn undo(self) {
        for name in &self.written {
            let _ = rustix::fs::unlinkat(&self.dir, name, rustix::fs::AtFlags::empty());
        }
        if self.created {
            let _ = rustix::fs::rmdir(&self.path);
        }
    }
}

/// Whether a name stays in the directory it is put into, on every system and in every script.
pub(crate) fn is_component(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 255
        && !matches!(name, "." | "..")
        && !name.contains(['/', '\\', '\0', '\n'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_replaced_and_nothing_followed() {
        let dir = tempfile::tempdir().unwrap();
        let fs = Fs::new(Default::default());
        let mut folder = NewFolder::new(&fs, &dir.path().join("new")).unwrap();
        folder.write("a", b"1", false).unwrap();
        assert_eq!(folder.write("a", b"2", false).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        let outside = dir.path().join("outside");
        std::os::unix::fs::symlink(&outside, dir.path().join("new/link")).unwrap();
        assert!(folder.write("link", b"3", false).is_err() && !outside.exists());
        for name in ["", ".", "..", "../x", "/x", "a/b", "a\0"] {
            assert!(folder.write(name, b"", false).is_err(), "{name:?}");
        }
        let kind = |path: &Path| NewFolder::new(&fs, path).unwrap_err().kind();
        assert_eq!(kind(&dir.path().join("new")), io::ErrorKind::AlreadyExists, "not empty");
        assert_eq!(kind(&dir.path().join("new/a")), io::ErrorKind::AlreadyExists, "a file");
        std::fs::create_dir(&outside).unwrap();
        assert_eq!(
            kind(&dir.path().join("new/link")),
            io::ErrorKind::AlreadyExists,
            "a link to an empty one"
        );
        assert_eq!(kind(&dir.path().join("a/b")), io::ErrorKind::NotFound, "the parent must be there");
        NewFolder::new(&fs, &outside).unwrap();
    }

    #[test]
    fn what_failed_half_way_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let fs = Fs::new(Default::default());
        let path = dir.path().join("new");
        let mut folder = NewFolder::new(&fs, &path).unwrap();
        folder.write("a", b"1", false).unwrap();
        folder.undo();
        assert!(!path.exists());
    }
}
