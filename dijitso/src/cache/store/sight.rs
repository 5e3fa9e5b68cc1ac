//! What one process sees of its cache directory, to be compared with what others see of theirs.

use std::io;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::Store;
use crate::fs::{Kind, Stamp, Token, is_component};

/// A cache directory, as seen from one machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Sight {
    /// Its device, a number that means something on one machine only.
    pub(crate) device: u64,
    pub(crate) stamp: Stamp,
    /// The number of the file system's type.
    pub(crate) file_system: u32,
    /// Whether other machines may see it.
    pub(crate) network: bool,
}

impl Store {
    /// The directory; `None` if there is none, or if it cannot be asked.
    ///
    /// One that is not there yet is created: the first kernel would do that, too.
    pub(crate) fn sight(&self) -> Option<Sight> {
        let look = || self.fs.directory(&self.v1).unwrap_or_default();
        let (device, stamp) = look().or_else(|| {
            self.create_to_write();
            look()
        })?;
        let mount = self.mount();
        let network = mount.kind == Kind::Network;
        Some(Sight { device, stamp, file_system: mount.file_system, network })
    }

    /// Puts up a token for others to [see](Self::sees).
    pub(crate) fn token(&self, name: &str) -> io::Result<Token> {
        let path = self.token_path(name)?;
        match self.fs.token(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.create_to_write();
                self.fs.token(&path)
            }
            result => result,
        }
    }

    fn create_to_write(&self) {
        if self.writes {
            self.create_softly();
        }
    }

    /// Whether somebody has put up a token of this name in this directory. May be asked once for each name, or the client
    /// of a file server could give its old answer.
    pub(crate) fn sees(&self, name: &str) -> bool {
        self.token_path(name).is_ok_and(|path| self.fs.exists(&path))
    }

    /// Among the files that are being written, so that sweeps take it.
    fn token_path(&self, name: &str) -> io::Result<PathBuf> {
        // Names come from other ranks.
        match is_component(name) {
            true => Ok(self.tmp_dir().join(name)),
            false => Err(io::Error::new(io::ErrorKind::InvalidInput, format!("`{name}` is no file name"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{params, store};
    use super::*;
    use crate::fs::Fs;

    #[test]
    fn one_directory_by_two_paths_is_one() {
        let dir = tempfile::tempdir().unwrap();
        let (real, link) = (dir.path().join("real"), dir.path().join("link"));
        let one = store(&real);
        std::os::unix::fs::symlink(&real, &link).unwrap();
        let two = store(&link);
        assert_eq!(one.sight().unwrap(), two.sight().unwrap());
        let other = store(&dir.path().join("other")).sight().unwrap();
        assert_ne!(one.sight().unwrap().stamp.ino, other.stamp.ino);
        let token = one.token("shared-1").unwrap();
        assert!(two.sees("shared-1") && !two.sees("shared-2"));
        drop(token);
        assert!(!two.sees("shared-1"));
        assert!(one.token("../shared-1").is_err() && !one.sees("../tmp"));
    }

    #[test]
    fn a_directory_that_is_missing_is_created_unless_it_is_only_read() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("cache");
        let writing = Store::open(&root, &Fs::new(Default::default()), &params()).unwrap();
        let reading = Store::open_to_read(&root, &Fs::new(Default::default()), &params()).unwrap();
        assert_eq!(reading.sight(), None);
        assert!(reading.token("shared-1").is_err() && !root.exists());
        assert!(writing.sight().is_some() && reading.sight().is_some());
        std::fs::remove_dir_all(&root).unwrap();
        let token = writing.token("shared-1").unwrap();
        assert!(reading.sees("shared-1"));
        drop(token);
        std::fs::remove_dir_all(&root).unwrap();
        std::fs::write(&root, b"in the way").unwrap();
        assert_eq!(writing.sight(), None);
    }
}
