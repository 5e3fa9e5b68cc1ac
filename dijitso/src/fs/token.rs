//! A file that is there to be seen: whether others find its name tells whether they look into the same directory.

use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, FlockOperation, Mode, OFlags};

use super::Fs;

/// An empty file, removed when dropped. What a killed program leaves is for the sweep, like everything in its directory.
#[derive(Debug)]
pub(crate) struct Token {
    fs: Fs,
    path: PathBuf,
    /// Tells a sweep that somebody still needs it.
    lock: OwnedFd,
    /// A forked child must not remove its parent's file.
    owner: u32,
}

impl Fs {
    /// Creates `path`, which nobody may have looked up before: clients of file servers remember what was not there.
    ///
    /// # Errors
    /// Whatever the system says: there already, read-only, no such directory.
    pub(crate) fn token(&self, path: &Path) -> io::Result<Token> {
        self.counters.file_changes.one();
        let flags = OFlags::RDONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let lock = rustix::fs::openat(CWD, path, flags, Mode::RUSR | Mode::WUSR)?;
        // A sweep that comes before the lock removes the file. Then it is not seen, which costs an unnecessary copy.
        let _ = rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive);
        Ok(Token { fs: self.clone(), path: path.to_owned(), lock, owner: std::process::id() })
    }
}

impl Token {
    /// Whether the name still means this file: somebody may have taken us for killed, and have one of their own there.
    fn is_named(&self) -> bool {
        match (rustix::fs::fstat(&self.lock), rustix::fs::lstat(&self.path)) {
            (Ok(open), Ok(named)) => open.st_ino == named.st_ino && open.st_dev == named.st_dev,
            _ => false,
        }
    }
}

impl Drop for Token {
    fn drop(&mut self) {
        if self.owner == std::process::id() && self.is_named() {
            let _ = self.fs.remove(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Kind, Scratch};
    use super::*;

    #[test]
    fn a_token_stays_as_long_as_it_is_held() {
        let dir = tempfile::tempdir().unwrap();
        let fs = Fs::new(Default::default());
        let path = dir.path().join("token");
        let token = fs.token(&path).unwrap();
        assert_eq!(Scratch::sweep_all(&fs, dir.path(), Kind::Local, |_| true), 0);
        assert_eq!(fs.token(&path).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert!(fs.exists(&path));
        drop(token);
        assert!(!fs.exists(&path));
        let robbed = fs.token(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        let thief = fs.token(&path).unwrap();
        drop(robbed);
        assert!(fs.exists(&path), "it is somebody else's");
        drop(thief);
        assert!(fs.token(Path::new("/no/such/directory/token")).is_err());
    }

    #[test]
    fn what_a_killed_program_left_is_swept() {
        let dir = tempfile::tempdir().unwrap();
        let fs = Fs::new(Default::default());
        let mut left = fs.token(&dir.path().join("token")).unwrap();
        left.owner = 0;
        drop(left);
        assert_eq!(Scratch::sweep_all(&fs, dir.path(), Kind::Local, |_| true), 1);
    }
}
