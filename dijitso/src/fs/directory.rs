//! A directory held open: its names, and its files without walking down to them again each time.

use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStringExt as _;
use std::path::Path;
use std::sync::Arc;

use rustix::fs::{AtFlags, CWD, Dir, Mode, OFlags};
use rustix::io::Errno;

use super::{Fs, Opened, Stamp};
use crate::stats::Counters;

#[derive(Debug)]
pub(crate) struct Directory {
    fd: OwnedFd,
    counters: Arc<Counters>,
}

impl Fs {
    /// Opens a directory, and nothing that only leads to one.
    pub(crate) fn directory_at(&self, path: &Path) -> io::Result<Directory> {
        self.counters.opens.one();
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::DIRECTORY | OFlags::NOFOLLOW;
        let fd = rustix::fs::openat(CWD, path, flags, Mode::empty())?;
        Ok(Directory { fd, counters: self.counters.clone() })
    }
}

impl Directory {
    /// The names in it, sorted.
    pub(crate) fn names(&self) -> io::Result<Vec<OsString>> {
        let mut names = Vec::new();
        for entry in Dir::read_from(&self.fd)? {
            let name = entry?.file_name().to_bytes().to_owned();
            if name != b"." && name != b".." {
                names.push(OsString::from_vec(name));
            }
        }
        names.sort_unstable();
        Ok(names)
    }

    /// How many names are in it.
    pub(crate) fn count(&self) -> io::Result<usize> {
        let mut count = 0;
        for entry in Dir::read_from(&self.fd)? {
            let name = entry?;
            count += usize::from(!matches!(name.file_name().to_bytes(), b"." | b".."));
        }
        Ok(count)
    }

    /// Opens one of them without a trace, see [`Fs::open_unnoticed`].
    pub(crate) fn open_unnoticed(&self, name: &OsString) -> io::Result<Opened> {
        self.counters.opens.one();
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
        let open = |flags| rustix::fs::openat(&self.fd, name, flags, Mode::empty());
        let fd = match open(flags | OFlags::NOATIME) {
            // Only a file's owner may read it unnoticed.
            Err(Errno::PERM) => open(flags)?,
            result => result?,
        };
        Opened::new(fd, &self.counters)
    }

    /// The size of one of them; `None` if it is gone.
    pub(crate) fn size(&self, name: &OsString) -> Option<u64> {
        self.counters.file_stats.one();
        let stat = rustix::fs::statat(&self.fd, name, AtFlags::SYMLINK_NOFOLLOW).ok()?;
        u64::try_from(stat.st_size).ok()
    }

    /// What is known of one of them without opening it; `None` if it is gone.
    pub(crate) fn stamp(&self, name: &OsString) -> Option<Stamp> {
        self.counters.file_stats.one();
        rustix::fs::statat(&self.fd, name, AtFlags::SYMLINK_NOFOLLOW).ok().map(|stat| Stamp::of(&stat))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_it_is_found_by_name() {
        let dir = tempfile::tempdir().unwrap();
        let fs = Fs::new(Arc::default());
        for name in ["b", "a"] {
            fs.write(&dir.path().join(name), name.as_bytes()).unwrap();
        }
        let open = fs.directory_at(dir.path()).unwrap();
        assert_eq!(open.names().unwrap(), ["a", "b"]);
        assert_eq!((open.names().unwrap().len(), open.count().unwrap()), (2, 2), "as often as one asks");
        assert_eq!(open.open_unnoticed(&"a".into()).unwrap().read_at(0, 1).unwrap(), b"a");
        assert_eq!(open.stamp(&"b".into()), fs.stamp(&dir.path().join("b")).unwrap());
        assert_eq!((open.size(&"b".into()), open.size(&"c".into())), (Some(1), None));
        assert!(open.open_unnoticed(&"c".into()).is_err());
        let link = dir.path().join("link");
        std::os::unix::fs::symlink(dir.path(), &link).unwrap();
        assert!(fs.directory_at(&link).is_err(), "a link is no directory");
    }
}
