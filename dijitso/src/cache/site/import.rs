//! A site cache whose entries become those of a cache of one's own.
//!
//! They lie among the cache's other entries; `v1/imported` is their table, which is asked as that of a site cache is.

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::super::Store;
use super::super::archive::Archive;
use super::super::entry::{self, Defect};
use super::super::index::VariantOutcome;
use super::super::unit_key;
use super::pack::Most;
use super::rows::Rows;
use super::table::{self, SiteKernel, Table};
use super::write::{extended, lock};
use super::{TABLE, entry_path, is_archive, unpack};
use crate::fs::{Fs, Scratch, check_installed};
use crate::signature::Signature;

/// The table of what was imported, below `v1`.
pub(in crate::cache) const IMPORTED: &str = "imported";

const KEPT_BYTES: &str = ", 80 % of what the cache may hold; raise cache.max_size (DIJITSO_MAX_SIZE)";
const KEPT_FILES: &str =
    ", 80 % of the files that the cache may have; raise cache.max_files (DIJITSO_MAX_FILES)";

/// What is to be taken in, verified.
pub(in crate::cache) struct Incoming {
    fs: Fs,
    v1: PathBuf,
    table: Table,
    /// Holds what was unpacked.
    _unpacked: Option<Scratch>,
}

impl Incoming {
    /// Opens a directory or unpacks an archive beside the cache, and verifies all of it.
    pub(in crate::cache) fn open(store: &Store, path: &Path) -> Result<Incoming, String> {
        let fs = store.fs();
        check_installed(path)?;
        let (bytes, files) = store.most_at_once();
        let most = Most { bytes, why: KEPT_BYTES };
        let (root, unpacked) = match is_archive(path) {
            false => (path.to_owned(), None),
            true => {
                store.create().map_err(|error| format!("there is no place to unpack it: {error}"))?;
                let scratch = unpack::into_scratch(fs, path, &[store.tmp_dir()], most)?;
                (scratch.path().to_owned(), Some(scratch))
            }
        };
        let v1 = root.join("v1");
        let name = v1.join(TABLE);
        if !fs.is_file(&name) {
            return Err(
                "it is no site cache: it has no table (v1/table), which `dijitso export` writes".to_owned()
            );
        }
        // Not only the directory: who can replace what is in it could do so between looks.
        check_installed(&name)?;
        let bytes = fs
            .read_at_most(&name, table::LARGEST)
            .map_err(|error| format!("its table cannot be read: {error}"))?;
        let incoming = Incoming { fs: fs.clone(), v1, table: Table::decode(bytes)?, _unpacked: unpacked };
        let kernels = incoming.contents().count();
        if kernels as u64 > files {
            return Err(format!("it has {kernels} kernels, more than {files}{KEPT_FILES}"));
        }
        let mut total = 0u64;
        for content in incoming.contents() {
            let path = entry_path(&incoming.v1, &content);
            if let Ok(Some(stamp)) = fs.stamp(&path) {
                check_installed(&path)?;
                total = total.saturating_add(stamp.size);
                if total > most.bytes {
                    return Err(most.exceeded());
                }
            }
            Archive::open(fs, &path, &content)
                .map_err(|defect| format!("its entry {} is not used: {defect}", content.short()))?;
        }
        Ok(incoming)
    }

    /// What its table leads to.
    pub(in crate::cache) fn contents(&self) -> impl Iterator<Item = Signature> {
        self.table.contents()
    }

    /// A whole entry, verified in the form in which it is taken.
    pub(in crate::cache) fn read(&self, content: &Signature) -> Result<Vec<u8>, Defect> {
        let file = entry::open(&self.fs, &entry_path(&self.v1, content))?;
        let found = file.stamp;
        let bytes = file.read_at(0, found.size).map_err(|error| entry::unreadable(error, found))?;
        Archive::of_bytes(&bytes, content)?;
        Ok(bytes)
    }

    /// The last step: lets the specs of this site cache lead to the entries, which are in the cache now.
    pub(in crate::cache) fn lead_here(&self, store: &Store, patience: Duration) -> io::Result<()> {
        let locks = store.locks_dir();
        self.fs.create_dir_all_private(&locks)?;
        let _lock = lock(&self.fs, &locks, patience)?;
        let table = store.v1().join(IMPORTED);
        let mut rows = Rows::of(&self.table);
        rows.forget(&self.known_to(store));
        let rows = extended(&self.fs, &table, rows)?;
        if rows.is_empty() && !self.fs.exists(&table) {
            return Ok(());
        }
        store.replace(&table, &rows.encode())
    }

    /// What the cache has built itself: of these its index knows what they were made from, and specs lead to them by that. The
    /// table would lead to them whatever has changed since.
    fn known_to(&self, store: &Store) -> HashSet<Signature> {
        let known = |kernel: &SiteKernel| {
            let outcome = VariantOutcome::Content(kernel.content);
            let index = store.index_seen(&unit_key(&kernel.unit));
            matches!(index, Ok(Some(index)) if index.variants.iter().any(|variant| variant.outcome == outcome))
        };
        let kernels = (0..self.table.kernels).filter_map(|number| self.table.kernel(number));
        kernels.filter(known).map(|kernel| kernel.content).collect()
    }
}

/// The table of what was imported, if anything was: its path, and whether it still leads anywhere; an error if it cannot be
/// read or is of another version, so that nobody knows.
pub(in crate::cache) fn imported(store: &Store) -> Option<(PathBuf, Result<bool, String>)> {
    let path = store.v1().join(IMPORTED);
    store.fs().stamp_itself(&path)?;
    let leads =
        match store.fs().read_at_most(&path, table::LARGEST) {
            Err(error) => Err(format!("it cannot be read: {error}")),
            Ok(bytes) if table::is_of_another_version(&bytes) => {
                Err("it is of another version of dijitso".to_owned())
            }
            // One that is illegible leads nowhere.
            Ok(bytes) => Ok(Table::decode(bytes)
                .is_ok_and(|table| table.contents().any(|content| !store.is_gone(&content)))),
        };
    Some((path, leads))
}

/// Lets the table of what was imported forget what is not there any more. Nothing is lost if that cannot be done now.
pub(in crate::cache) fn forget_gone(store: &Store) {
    let path = store.v1().join(IMPORTED);
    if store.fs().exists(&path)
        && let Err(error) = shrink(store, &path)
    {
        log::debug!("cannot shorten {}: {error}", path.display());
    }
}

fn shrink(store: &Store, path: &Path) -> io::Result<()> {
    let _lock = lock(store.fs(), &store.locks_dir(), Duration::ZERO)?;
    let bytes = store.fs().read_at_most(path, table::LARGEST)?;
    if table::is_of_another_version(&bytes) {
        return Ok(());
    }
    let table = Table::decode(bytes).map_err(io::Error::other)?;
    let gone: HashSet<Signature> = table.contents().filter(|content| store.is_gone(content)).collect();
    if gone.is_empty() {
        return Ok(());
    }
    let mut rows = Rows::of(&table);
    rows.forget(&gone);
    match rows.is_empty() {
        true => store.fs().remove(path),
        false => store.replace(path, &rows.encode()),
    }
}
