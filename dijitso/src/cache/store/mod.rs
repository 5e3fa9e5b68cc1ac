//! The cache directory.
//!
//! ```text
//! <root>/CACHEDIR.TAG
//! <root>/v1/<2 hex>/<content signature>.so            an entry
//! <root>/v1/<2 hex>/<content signature>.so.corrupt    one that was set aside
//! <root>/v1/index/<2 hex>/<key>                       what a key led to
//! <root>/v1/imported                                   which specs lead to entries that were imported
//! <root>/v1/sets/<signature>                          headers of the compiler that many kernels share
//! <root>/v1/probes/<key>                              what questions to compilers were answered
//! <root>/v1/toolchains/                               what is known about compilers
//! <root>/v1/failures/<kernel>-<unit>/                 bundles that reproduce failed builds
//! <root>/v1/sources/<unit>/                           sources of kernels with debug information
//! <root>/v1/sites/<signature>/                        archives of site caches, unpacked
//! <root>/v1/locks/<signature>                         held while somebody builds
//! <root>/v1/locks/evict                               held while somebody makes room
//! <root>/v1/growth                                    how much there is, by estimate
//! <root>/v1/tidied                                    when somebody last did the daily housekeeping
//! <root>/v1/statistics/<day>                          what was done that day; `summary`: on earlier ones
//! <root>/v1/tmp/                                      files that are being written
//! ```
//!
//! A cache is a convenience: what goes wrong with it is a miss or a warning, never the program's failure.
//! The one exception is a directory that others could tamper with.

mod guard;
mod indices;
mod ours;
mod places;
mod sight;
#[cfg(test)]
pub(super) mod tests;

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Mutex, OnceLock, PoisonError};

use rustix::io::Errno;

use super::archive::Archive;
use super::bytes::Bytes;
use super::entry::{self, Defect, VerifiedEntry};
use super::evict::Bound;
use super::lock::Lock;
use crate::config::Cache;
use crate::config::params::Network;
use crate::error::Error;
use crate::fs::{Content, Descent, Fs, Kind, Mount, Published, Scratch, check_trusted};
use crate::signature::Signature;

pub(super) use ours::bundle;
pub(crate) use sight::Sight;

/// Tells backup programs to leave the directory out (<https://bford.info/cachedir/>).
const TAG: &str =
    "Signature: 8a477f597d28d172789f06886806bc55\n# Kernels that dijitso compiled; safe to delete.\n";

/// The directory of this format below the root.
const FORMAT: &str = "v1";

/// A cache directory, open for one `Jit`.
#[derive(Debug)]
pub(crate) struct Store {
    root: PathBuf,
    /// With the format's version: another format never meets these files.
    v1: PathBuf,
    fs: Fs,
    durable: bool,
    network: Network,
    /// Whether this program puts anything into it.
    writes: bool,
    /// Whether what it reads is in use from now on. What cannot be marked (read-only, somebody else's) is not.
    marks: bool,
    /// How much it may hold.
    pub(super) bound: Bound,
    /// Whether this process found it full.
    pub(super) full: AtomicBool,
    mount: OnceLock<Mount>,
    /// Entries that were warned about.
    warned: Mutex<HashSet<Signature>>,
}

impl Store {
    /// Opens the cache at `root`. Nothing is created yet, except where others could do it (`/tmp`): the first who
    /// writes does that. If it cannot be done (read-only, full), reads find nothing and writes return the system's error.
    ///
    /// # Errors
    /// [`Error::CacheDir`] if others could make this program run their code through it.
    pub(crate) fn open(root: &Path, fs: &Fs, params: &Cache) -> Result<Store, Error> {
        let store = Store {
            v1: root.join(FORMAT),
            root: root.to_owned(),
            fs: fs.clone(),
            durable: params.durable.value,
            network: params.network.value,
            writes: true,
            marks: true,
            bound: Bound { size: params.max_size.value, files: params.max_files.value },
            full: AtomicBool::new(false),
            mount: OnceLock::new(),
            warned: Mutex::default(),
        };
        if store.check_trusted()? == Descent::Claimable {
            // Now, or somebody else does, and fills it for us.
            store.create_softly();
            store.check_trusted()?;
        }
        Ok(store)
    }

    /// The same for a program that builds nothing: if there is no cache, it does without.
    pub(crate) fn open_to_read(root: &Path, fs: &Fs, params: &Cache) -> Result<Store, Error> {
        Ok(Store { writes: false, ..Store::open(root, fs, params)? })
    }

    /// Creates what is missing, if that can be done: for those who are about to write, and can do without.
    pub(crate) fn create_softly(&self) {
        if let Err(error) = self.create() {
            log::debug!("cache {}: {error}", self.root.display());
        }
    }

    /// A cache that is only looked at, wherever it is from and whoever it belongs to: nothing in it is loaded,
    /// and nothing is created.
    pub(super) fn look_at(root: &Path, fs: &Fs, network: Network, bound: Bound) -> Store {
        Store {
            v1: root.join(FORMAT),
            root: root.to_owned(),
            fs: fs.clone(),
            durable: false,
            network,
            writes: false,
            marks: false,
            bound,
            full: AtomicBool::new(false),
            mount: OnceLock::new(),
            warned: Mutex::default(),
        }
    }

    pub(super) fn check_trusted(&self) -> Result<Descent, Error> {
        // The second as well: whoever mends the directory that was refused need not think of what is in it.
        check_trusted(&self.root, Some(FORMAT))
            .map_err(|problem| Error::CacheDir { path: self.root.clone(), problem })
    }

    /// Creates what is missing.
    pub(super) fn create(&self) -> io::Result<()> {
        let tmp = self.tmp_dir();
        if self.fs.exists(&tmp) {
            return Ok(());
        }
        // First, so that whatever is in a cache of ours is in one that says so.
        self.fs.create_dir_all_private(&self.root)?;
        self.tag()?;
        self.fs.create_dir_all_private(&tmp)?;
        // Somebody else can have created it in between; whoever it was, it has to be ours now.
        self.check_trusted()
            .map(|_| ())
            .map_err(|error| io::Error::new(io::ErrorKind::PermissionDenied, error.to_string()))
    }

    pub(crate) fn fs(&self) -> &Fs {
        &self.fs
    }

    /// What it is on; until it exists, a local file system unless the user says otherwise.
    pub(crate) fn mount(&self) -> Mount {
        if let Some(mount) = self.mount.get() {
            return *mount;
        }
        match Mount::of(&self.v1) {
            Ok(mount) => *self.mount.get_or_init(|| as_told(mount, self.network)),
            Err(_) => as_told(Mount { file_system: 0, kind: Kind::Local, noexec: false }, self.network),
        }
    }

    /// The most bytes and files that may remain when room is made: more at once would be evicted before it is used.
    pub(in crate::cache) fn most_at_once(&self) -> (u64, u64) {
        let Bound { size, files } = self.bound.target();
        let or_any = |n: u64| if n == 0 { u64::MAX } else { n };
        (or_any(size), or_any(files))
    }

    /// Whether other machines may see it.
    pub(super) fn is_shared(&self) -> bool {
        self.mount().kind == Kind::Network
    }

    /// Whether libraries may be mapped from here: on a network file system another machine could change
    /// them under the running program.
    pub(crate) fn loadable_in_place(&self) -> bool {
        let mount = self.mount();
        mount.kind == Kind::Local && !mount.noexec
    }

    /// Reads and verifies an entry's library.
    pub(crate) fn read(&self, content: &Signature) -> Result<VerifiedEntry, Defect> {
        let file = entry::open(&self.fs, &self.entry_path(content))?;
        let entry = entry::read_opened(&file, content)?;
        Ok(VerifiedEntry { marked: self.marks && file.mark_used().unwrap_or(false), ..entry })
    }

    /// Reads and verifies everything in an entry.
    pub(crate) fn archive(&self, content: &Signature) -> Result<Archive, Defect> {
        Archive::open(&self.fs, &self.entry_path(content), content)
    }

    /// Makes an encoded entry visible to everybody.
    ///
    /// If something damaged is there under its name, it is set aside.
    pub(crate) fn publish<'a>(
        &self,
        content: &Signature,
        bytes: impl Into<Content<'a>>,
    ) -> io::Result<Published> {
        let (path, bytes) = (self.entry_path(content), bytes.into());
        let publish = || self.write(&path, || self.fs.publish(&self.tmp_dir(), &path, bytes, self.durable));
        let mut published = publish()?;
        if published == Published::Existing
            && let Err(defect) = Bytes::open(&self.fs, &path, content)
        {
            self.quarantine(content, &defect);
            published = publish()?;
        }
        if published == Published::New {
            self.grew(bytes.len());
        }
        Ok(published)
    }

    /// Sets a damaged entry aside, so that it is built once more and not on every call.
    pub(crate) fn quarantine(&self, content: &Signature, defect: &Defect) {
        let path = self.entry_path(content);
        let to_be_moved = match defect {
            // A link that leads nowhere keeps a new entry from being published.
            Defect::Missing => self.fs.stamp_itself(&path).is_some(),
            // Unless somebody has replaced it since.
            Defect::Corrupt { found, .. } => self.fs.stamp(&path).is_ok_and(|now| now == Some(*found)),
            Defect::Unreadable(error) => !is_shortage(error),
        };
        if !to_be_moved {
            return;
        }
        let aside = self.aside_path(content);
        let moved = self.fs.rename(&path, &aside).or_else(|error| {
            if error.kind() == io::ErrorKind::NotFound {
                return Ok(());
            }
            // An older one is in the way, and one of the two is a directory.
            let _ = self.fs.remove(&aside).or_else(|_| self.fs.remove_tree(&aside));
            self.fs.rename(&path, &aside)
        });
        if !self.warned.lock().unwrap_or_else(PoisonError::into_inner).insert(*content) {
            return;
        }
        self.fs.counters().quarantined.one();
        match moved {
            Ok(()) => {
                log::warn!(
                    "cache entry {} is not used: {defect}; it is kept as {}",
                    path.display(),
                    aside.display()
                )
            }
            Err(error) => {
                log::warn!(
                    "cache entry {} is not used: {defect}; it cannot be set aside: {error}",
                    path.display()
                )
            }
        }
    }

    /// Replaces one of the small files.
    pub(super) fn replace(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        self.write(path, || self.fs.replace(&self.tmp_dir(), path, bytes))
    }

    /// Runs `attempt` to write `path`; if a directory is in its place, or a file where its directory should
    /// be, removes that and runs it once more, or it would fail for ever.
    fn write<T>(&self, path: &Path, attempt: impl Fn() -> io::Result<T>) -> io::Result<T> {
        self.create()?;
        match attempt() {
            Err(error) if error.kind() == io::ErrorKind::IsADirectory => {
                self.fs.remove_tree(path)?;
                attempt()
            }
            Err(error)
                if matches!(error.kind(), io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists) =>
            {
                path.parent().map_or(Ok(()), |dir| self.fs.remove(dir))?;
                attempt()
            }
            result => result,
        }
    }

    /// Removes a directory with all that is in it, at once for whoever looks for it: what is killed in the middle of this leaves a
    /// working directory, and no half of what was there.
    pub(super) fn remove_tree(&self, path: &Path) -> io::Result<()> {
        let Ok(scratch) = Scratch::new(&self.fs, &[self.tmp_dir()]) else { return self.fs.remove_tree(path) };
        match self.fs.rename(path, &scratch.path().join("gone")) {
            Ok(()) => self.fs.remove_tree(scratch.path()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            // Something else is mounted there.
            Err(_) => self.fs.remove_tree(path),
        }
    }

    /// The lock of one unit; `None` while somebody else holds it.
    ///
    /// On network file systems locks may be local, slow, or wait for a server that is gone: there everybody
    /// goes ahead at once.
    pub(crate) fn try_lock(&self, unit: &Signature) -> Option<Lock> {
        self.try_lock_named(&unit.to_hex())
    }

    /// The lock of this name.
    pub(super) fn try_lock_named(&self, name: &str) -> Option<Lock> {
        if self.is_shared() {
            return Some(Lock::none());
        }
        let dir = self.v1.join("locks");
        if !self.fs.exists(&dir) && self.create().and_then(|()| self.fs.create_dir_all_private(&dir)).is_err()
        {
            return Some(Lock::none());
        }
        Lock::try_new(&self.fs, &dir.join(name))
    }
}

/// A mount with what was said about it, which its type cannot tell.
pub(crate) fn as_told(mount: Mount, network: Network) -> Mount {
    let kind = match network {
        Network::Auto => mount.kind,
        Network::Yes => Kind::Network,
        Network::No => Kind::Local,
    };
    Mount { kind, ..mount }
}

/// Whether the system is short of something or a file server forgetful, which says nothing about the file.
fn is_shortage(error: &io::Error) -> bool {
    [Errno::MFILE, Errno::NFILE, Errno::NOMEM, Errno::INTR, Errno::STALE, Errno::TIMEDOUT]
        .iter()
        .any(|e| error.raw_os_error() == Some(e.raw_os_error()))
}
