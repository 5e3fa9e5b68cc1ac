//! Private working directories for builds, and the removal of those whose program was killed.
//!
//! A working directory is alive while somebody holds the `flock` on it, which the system releases however
//! the program ends. So there is no age to guess and no process id to mistrust.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rustix::fs::{CWD, FileType, FlockOperation, Mode, OFlags};
use rustix::io::Errno;

use super::{Fs, Kind, Mount, Stamp};

/// A name that nobody gives to a directory of their own: a sweep removes by it.
const PREFIX: &str = "dijitso-build-";
const RANDOM: usize = 10;

/// On network file systems a lock may be visible to one machine only; there only age tells.
const ABANDONED: Duration = Duration::from_secs(24 * 3600);

/// An empty directory that only we can enter, removed when dropped.
#[derive(Debug)]
pub(crate) struct Scratch {
    // `None` only while dropping. Declared before the lock: removed while still locked.
    dir: Option<tempfile::TempDir>,
    path: PathBuf,
    _lock: OwnedFd,
    fs: Fs,
    /// A forked child must not remove its parent's directory.
    owner: u32,
}

impl Scratch {
    /// In the first of `candidates` where it can be created.
    pub(crate) fn new(fs: &Fs, candidates: &[PathBuf]) -> io::Result<Scratch> {
        let mut first_error = None;
        for candidate in candidates {
            match Scratch::create(fs, candidate) {
                Ok(scratch) => return Ok(scratch),
                Err(error) => first_error = first_error.or(Some(error)),
            }
        }
        Err(first_error.unwrap_or_else(|| io::ErrorKind::NotFound.into()))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    fn create(fs: &Fs, parent: &Path) -> io::Result<Scratch> {
        // A sweep can come between `mkdir` and `flock` and take the directory for abandoned. Then it holds
        // the lock or has removed the name, both of which show here.
        for _ in 0..8 {
            fs.counters.file_changes.one();
            let dir = tempfile::Builder::new()
                .prefix(PREFIX)
                .rand_bytes(RANDOM)
                .permissions(std::fs::Permissions::from_mode(0o700))
                .tempdir_in(parent)?;
            let Ok(lock) = open_directory(dir.path()) else { continue };
            let locked = rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive);
            // Any other error: no locks on this file system. Then sweeps cannot lock either, and leave it.
            if locked == Err(Errno::WOULDBLOCK) {
                continue;
            }
            if is_named(&lock, dir.path()) {
                let path = dir.path().to_owned();
                return Ok(Scratch {
                    dir: Some(dir),
                    path,
                    _lock: lock,
                    fs: fs.clone(),
                    owner: std::process::id(),
                });
            }
        }
        Err(io::Error::other("working directories are removed as fast as they are created"))
    }

    /// Removes the working directories that killed programs left in `dir`.
    ///
    /// Never an error: what cannot be removed now is for the next sweep. Returns how many were removed.
    pub(crate) fn sweep(fs: &Fs, dir: &Path) -> usize {
        Mount::of(dir).map_or(0, |mount| sweep(fs, dir, mount.kind, |_| false))
    }

    /// Removes unlocked files, too, if they are named as `ours`: for directories of the cache, which is on a file system
    /// of this `kind`.
    pub(crate) fn sweep_all(fs: &Fs, dir: &Path, kind: Kind, ours: fn(&str) -> bool) -> usize {
        sweep(fs, dir, kind, ours)
    }
}

/// Whether a name is that of a working directory.
pub(crate) fn is_working_directory(name: &str) -> bool {
    let random = name.strip_prefix(PREFIX);
    random.is_some_and(|rest| rest.len() == RANDOM && rest.bytes().all(|b| b.is_ascii_alphanumeric()))
}

fn sweep(fs: &Fs, dir: &Path, kind: Kind, is_file_of_ours: fn(&str) -> bool) -> usize {
    let Ok(names) = fs.list(dir) else { return 0 };
    let abandoned = names.iter().filter(|name| {
        let path = dir.join(name);
        match name.to_str() {
            Some(name) if is_working_directory(name) => sweep_directory(fs, &path, kind),
            name => name.is_some_and(is_file_of_ours) && sweep_file(fs, &path, kind),
        }
    });
    abandoned.count()
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let Some(dir) = self.dir.take() else { return };
        if self.owner == std::process::id() {
            self.fs.counters.file_changes.one();
            drop(dir);
        } else {
            let _ = dir.keep();
        }
    }
}

fn open_directory(path: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(rustix::fs::openat(CWD, path, flags, Mode::empty())?)
}

/// Whether `path` still names the open file.
fn is_named(file: &OwnedFd, path: &Path) -> bool {
    match (rustix::fs::fstat(file), rustix::fs::lstat(path)) {
        (Ok(open), Ok(named)) => open.st_ino == named.st_ino && open.st_dev == named.st_dev,
        _ => false,
    }
}

fn sweep_directory(fs: &Fs, path: &Path, kind: Kind) -> bool {
    let Ok(lock) = open_directory(path) else { return false };
    // Ours and closed to others, as we create them: in a shared directory like /tmp names prove nothing.
    let ours = std::fs::symlink_metadata(path)
        .is_ok_and(|data| data.uid() == rustix::process::geteuid().as_raw() && data.mode() & 0o77 == 0);
    ours && is_abandoned(&lock, path, kind) && fs.remove_tree(path).is_ok()
}

fn sweep_file(fs: &Fs, path: &Path, kind: Kind) -> bool {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let Ok(lock) = rustix::fs::openat(CWD, path, flags, Mode::empty()) else { return false };
    let file =
        rustix::fs::fstat(&lock).is_ok_and(|s| FileType::from_raw_mode(s.st_mode) == FileType::RegularFile);
    file && is_abandoned(&lock, path, kind) && fs.remove(path).is_ok()
}

/// Whether nobody works on it. If so, `lock` now holds its lock: whoever created it a moment ago cannot get
/// it any more and starts over, so it may be removed.
fn is_abandoned(lock: &OwnedFd, path: &Path, kind: Kind) -> bool {
    if kind == Kind::Network {
        let Ok(stat) = rustix::fs::fstat(lock) else { return false };
        let long_ago = SystemTime::now() - ABANDONED;
        if Stamp::of(&stat).changed_after(long_ago) {
            return false;
        }
    }
    rustix::fs::flock(lock, FlockOperation::NonBlockingLockExclusive).is_ok() && is_named(lock, path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::RecvTimeoutError;

    fn fs() -> Fs {
        Fs::new(Default::default())
    }

    #[test]
    fn a_working_directory_is_private_and_goes_away() {
        let dir = tempfile::tempdir().unwrap();
        let scratch = Scratch::new(&fs(), &["/no/such/place".into(), dir.path().into()]).unwrap();
        let mode = std::fs::metadata(scratch.path()).unwrap().mode();
        assert_eq!(mode & 0o7777, 0o700);
        std::fs::write(scratch.path().join("a.o"), b"x").unwrap();
        drop(scratch);
        assert!(fs().list(dir.path()).unwrap().is_empty());
        assert!(Scratch::new(&fs(), &[]).is_err());
        assert!(Scratch::new(&fs(), &["/no/such/place".into()]).is_err());
    }

    #[test]
    fn a_sweep_takes_what_was_abandoned_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let alive = Scratch::new(&fs(), &[dir.path().into()]).unwrap();
        let mut killed = Scratch::new(&fs(), &[dir.path().into()]).unwrap();
        let left = killed.dir.take().unwrap().keep();
        std::fs::write(left.join("a.o"), b"x").unwrap();
        drop(killed);
        for theirs in ["dijitso-build-notes", "dijitso-build-0123456789x", "dijitso-out"] {
            std::fs::create_dir(dir.path().join(theirs)).unwrap();
        }
        let open = dir.path().join("dijitso-build-0123456789");
        std::fs::create_dir(&open).unwrap();
        std::fs::set_permissions(&open, std::fs::Permissions::from_mode(0o755)).unwrap();
        std::os::unix::fs::symlink("/tmp", dir.path().join("dijitso-build-abcdefghij")).unwrap();
        std::fs::write(dir.path().join("new-file"), b"x").unwrap();

        assert_eq!(Scratch::sweep(&fs(), dir.path()), 1);
        assert!(!left.exists() && alive.path().exists() && open.exists());
        assert!(dir.path().join("new-file").exists());
        assert_eq!(Scratch::sweep_all(&fs(), dir.path(), Kind::Local, |_| true), 1);
        assert!(!dir.path().join("new-file").exists());
        assert_eq!(Scratch::sweep(&fs(), Path::new("/no/such/place")), 0);
    }

    #[test]
    fn creating_and_sweeping_at_once_never_takes_a_live_directory() {
        let dir = tempfile::tempdir().unwrap();
        let sweeping = dir.path();
        let (alive, done) = std::sync::mpsc::channel::<()>();
        std::thread::scope(|scope| {
            // One after the other, and not so fast that nobody else gets a turn; it ends with us, however we end.
            scope.spawn(move || {
                while done.recv_timeout(std::time::Duration::from_millis(5)) == Err(RecvTimeoutError::Timeout)
                {
                    Scratch::sweep_all(&fs(), sweeping, Kind::Local, |_| true);
                }
            });
            for n in 0..600 {
                let scratch = Scratch::new(&fs(), &[dir.path().into()]).unwrap();
                std::fs::write(scratch.path().join("a"), b"x").unwrap();
                let dest = dir.path().join("sub/dest");
                fs().replace(dir.path(), &dest, b"x").unwrap();
                assert!(scratch.path().join("a").exists(), "round {n}");
            }
            drop(alive);
        });
    }
}
