//! Site caches: kernels that somebody exported, for many to read.
//!
//! ```text
//! <root>/v1/table                                which spec leads to which entries
//! <root>/v1/<2 hex>/<content signature>.so       entries, as in a cache
//! ```
//!
//! The same, packed, is an archive (`.tar.gz`). A site cache answers by the spec alone, as a table of prebuilt
//! kernels does: who installed it vouches for compiler, flags and headers. It is never written by those who
//! read it, and nothing in it is believed that anybody but root and the user could have written.

mod import;
mod pack;
mod rows;
mod table;
mod unpack;
mod write;

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, Once, PoisonError};

use once_cell::sync::OnceCell;

pub(super) use import::{Incoming, forget_gone, imported};
pub(crate) use table::SiteKernel;
pub use write::Exported;
pub(crate) use write::SiteExport;

use super::Store;
use super::archive::Archive;
use super::entry::{self, Defect, VerifiedEntry};
use crate::fs::{Fs, Kind, Mount, Scratch, check_installed};
use crate::signature::Signature;
use import::IMPORTED;
use pack::Most;
use table::Table;

/// The site caches of one `Jit`, in the order of the search.
#[derive(Debug)]
pub(crate) struct Sites(Vec<Site>);

/// One of them. Opened when the first kernel is looked for, once.
#[derive(Debug)]
pub(crate) struct Site {
    path: PathBuf,
    /// It is what was imported into the cache at this path.
    own: bool,
    fs: Fs,
    opened: OnceCell<Result<Open, String>>,
    /// Whether what is missing of an unpacked archive was unpacked once more.
    restored: Once,
    /// Entries that were warned about.
    warned: Mutex<HashSet<Signature>>,
}

#[derive(Debug)]
struct Open {
    v1: PathBuf,
    table: Table,
    mount: Mount,
    /// Holds an unpacked archive that no cache could keep.
    _unpacked: Option<Scratch>,
}

impl Sites {
    /// Nothing is read before a kernel is looked for.
    pub(crate) fn new(paths: impl Iterator<Item = PathBuf>, fs: &Fs) -> Sites {
        Sites(paths.map(|path| Site::new(path, false, fs)).collect())
    }

    /// The same, and then what was imported into the cache at `root`.
    pub(crate) fn and_imported(mut self, root: &Path, fs: &Fs) -> Sites {
        self.0.push(Site::new(root.to_owned(), true, fs));
        self
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Site> {
        self.0.iter()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.iter().all(|site| !site.is_there())
    }
}

impl Site {
    fn new(path: PathBuf, own: bool, fs: &Fs) -> Site {
        Site {
            path,
            own,
            fs: fs.clone(),
            opened: OnceCell::new(),
            restored: Once::new(),
            warned: Mutex::default(),
        }
    }

    /// Whether it is worth a word: somebody named it, or imported something.
    pub(crate) fn is_there(&self) -> bool {
        !self.own || self.known().is_some()
    }

    /// Whether it is what was imported into the cache itself, which may have lost entries since.
    pub(crate) fn is_own(&self) -> bool {
        self.own
    }

    /// Reads the table, and unpacks an archive, if that was not done yet. A site cache that cannot be used is
    /// worth one warning.
    ///
    /// `store` is where archives are unpacked, or else `places`.
    pub(crate) fn open(&self, store: &Store, places: &[PathBuf]) -> bool {
        let opened = self.opened.get_or_init(|| {
            let opened = self.look(store, places);
            // Most caches have nothing that was imported.
            let none = self.own && !self.fs.exists(&store.v1().join(IMPORTED));
            if let Err(problem) = &opened
                && !none
            {
                log::warn!("site cache {} is not used: {problem}", self.path.display());
            }
            opened
        });
        opened.is_ok()
    }

    fn look(&self, store: &Store, places: &[PathBuf]) -> Result<Open, String> {
        if self.own {
            return Open::table(&self.fs, store.v1().to_owned(), IMPORTED);
        }
        if !is_archive(&self.path) {
            return Open::directory(&self.fs, &self.path);
        }
        let unpacked = unpack::unpacked(&self.fs, &self.path, store, places)?;
        Ok(Open { _unpacked: unpacked.scratch, ..Open::directory(&self.fs, &unpacked.root)? })
    }

    /// `None` if it cannot be used.
    fn known(&self) -> Option<&Open> {
        self.opened.get()?.as_ref().ok()
    }

    /// The kernels of a spec, those that use most of a processor first, whether or not they can run here.
    pub(crate) fn of_spec(&self, spec: &Signature) -> Vec<SiteKernel> {
        self.known().map(|open| open.table.of_spec(spec)).unwrap_or_default()
    }

    /// A kernel that another one needs.
    pub(crate) fn of_content(&self, content: &Signature) -> Option<SiteKernel> {
        self.known()?.table.of_content(content)
    }

    /// Reads and verifies the library of an entry; also where it is. What somebody has removed from an unpacked archive, or damaged,
    /// is unpacked once more, beside `store` or in one of `places`.
    pub(crate) fn read(
        &self,
        content: &Signature,
        store: &Store,
        places: &[PathBuf],
    ) -> Result<(VerifiedEntry, PathBuf), Defect> {
        let read = self.read_once(content);
        if !matches!(read, Err(Defect::Missing | Defect::Corrupt { .. })) || !is_archive(&self.path) {
            return read;
        }
        self.restored.call_once(|| self.restore(store, places));
        self.read_once(content)
    }

    fn restore(&self, store: &Store, places: &[PathBuf]) {
        let Some(open) = self.known() else { return };
        let places: Vec<PathBuf> = [store.tmp_dir()].into_iter().chain(places.iter().cloned()).collect();
        let restored = unpack::into_scratch(&self.fs, &self.path, &places, Most::ANY).map(|scratch| {
            let from = scratch.path().join("v1");
            let lost =
                |content: &Signature| entry::read(&self.fs, &entry_path(&open.v1, content), content).is_err();
            for content in open.table.contents().filter(lost) {
                let to = entry_path(&open.v1, &content);
                let made = to.parent().map_or(Ok(()), |dir| self.fs.create_dir_all_private(dir));
                if let Err(error) = made.and_then(|()| self.fs.rename(&entry_path(&from, &content), &to)) {
                    log::debug!("cannot restore {}: {error}", to.display());
                }
            }
        });
        if let Err(problem) = restored {
            log::debug!("site cache {}: {problem}", self.path.display());
        }
    }

    fn read_once(&self, content: &Signature) -> Result<(VerifiedEntry, PathBuf), Defect> {
        let Some(open) = self.known() else { return Err(Defect::Missing) };
        let path = entry_path(&open.v1, content);
        let file = entry::open(&self.fs, &path)?;
        // Who can replace it could do so between this look and the loader's.
        check_installed(&path).map_err(|problem| Defect::corrupt(problem, file.stamp))?;
        Ok((entry::read_opened(&file, content)?, path))
    }

    /// Where an entry is, or would be.
    pub(crate) fn path_of(&self, content: &Signature) -> Option<PathBuf> {
        self.known().map(|open| entry_path(&open.v1, content))
    }

    /// Whether libraries may be mapped from here.
    pub(crate) fn loadable_in_place(&self) -> bool {
        self.known().is_some_and(|open| open.mount.kind == Kind::Local && !open.mount.noexec)
    }

    /// Says once what is wrong with an entry, which stays where it is: it is not ours.
    pub(crate) fn warn(&self, content: &Signature, problem: &str) {
        if self.warned.lock().unwrap_or_else(PoisonError::into_inner).insert(*content) {
            log::warn!("entry {content} of the site cache {} is not used: {problem}", self.path.display());
        }
    }

    /// It, in a message.
    pub(crate) fn shown(&self) -> String {
        let path = self.path.display();
        if self.own { format!("what was imported into {path}") } else { path.to_string() }
    }

    /// For messages about kernels that are nowhere.
    pub(crate) fn describe(&self) -> String {
        let path = self.path.display();
        match self.opened.get() {
            Some(Ok(open)) if self.own => format!("{} ({} kernels)", self.shown(), open.table.len().0),
            Some(Ok(open)) => format!("site cache {path} ({} kernels)", open.table.len().0),
            Some(Err(problem)) => format!("site cache {path}, which is not used: {problem}"),
            None => format!("site cache {path}"),
        }
    }
}

impl Open {
    fn directory(fs: &Fs, root: &Path) -> Result<Open, String> {
        Open::table(fs, root.join("v1"), TABLE)
    }

    fn table(fs: &Fs, v1: PathBuf, name: &str) -> Result<Open, String> {
        let path = v1.join(name);
        // One `open`, one `fstat`, one `read`: on a network file system thousands do this at once.
        let file = match fs.open(&path) {
            Ok(file) => file,
            Err(error) => return Err(format!("{} cannot be read: {error}", path.display())),
        };
        check_installed(&path)?;
        if !file.regular {
            return Err(format!("{} is not a file", path.display()));
        }
        let bytes = file
            .read_at_most(table::LARGEST)
            .map_err(|error| format!("{} cannot be read: {error}", path.display()))?;
        let mount = Mount::of(&v1).map_err(|error| format!("{} cannot be asked: {error}", v1.display()))?;
        Ok(Open { table: Table::decode(bytes)?, v1, mount, _unpacked: None })
    }
}

/// The table's file, below `v1`.
pub(super) const TABLE: &str = "table";

/// The table of a directory that is looked at, if it is a site cache.
pub(super) fn table_of(store: &Store) -> Option<PathBuf> {
    Some(store.v1().join(TABLE)).filter(|path| store.fs().exists(path))
}

/// What is wrong with it, in words.
pub(super) fn check_table(store: &Store, path: &Path) -> Vec<String> {
    let bytes = store.fs().read_at_most(path, table::LARGEST);
    let table = bytes.map_err(|error| format!("it cannot be read: {error}")).and_then(Table::decode);
    let lost = |content: &Signature| !store.fs().exists(&store.entry_path(content));
    match table {
        Ok(table) => table
            .contents()
            .filter(lost)
            .map(|content| format!("it leads to the entry {}, which is not there", content.short()))
            .collect(),
        Err(problem) => vec![problem],
    }
}

/// Whether a path is that of an archive, by its name.
pub(crate) fn is_archive(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.ends_with(".tar.gz") || name.ends_with(".tgz")
}

/// `<2 hex>/<64 hex>.so`.
fn place(content: &Signature) -> String {
    let hex = content.to_hex();
    format!("{}/{hex}.so", &hex[..2])
}

fn entry_path(v1: &Path, content: &Signature) -> PathBuf {
    v1.join(place(content))
}

/// Everything in a loaded kernel's entry, wherever it is: in a cache, or in a site cache.
pub(crate) fn archive_at(store: &Store, path: Option<&Path>, content: &Signature) -> Result<Archive, Defect> {
    match path.filter(|path| **path != *store.entry_path(content)) {
        // The cache can have it as well, and is what gets mended.
        Some(path) => Archive::open(store.fs(), path, content).or_else(|_| store.archive(content)),
        None => store.archive(content),
    }
}
