//! A site cache whose entries become those of a cache of one's own.
//!
//! They lie among the cache's other entries; `v1/imported` is their table, which is asked as that of a site cache is.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::super::Store;
use super::super::archive::Archive;
use super::super::entry::{self, Defect};
use super::table::{self, Rows, Table};
use super::write::{extended, lock};
use super::{TABLE, entry_path, is_archive, unpack};
use crate::fs::{Fs, Scratch, check_installed};
use crate::signature::Signature;

/// The table of what was imported, below `v1`.
pub(in crate::cache) const IMPORTED: &str = "imported";

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
        let (root, unpacked) = match is_archive(path) {
            false => (path.to_owned(), None),
            true => {
                store.create().map_err(|error| format!("there is no place to unpack it: {error}"))?;
                let scratch = unpack::into_scratch(fs, path, &[store.tmp_dir()])?;
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
        let bytes = fs
            .read_at_most(&name, table::LARGEST)
            .map_err(|error| format!("its table cannot be read: {error}"))?;
        let incoming = Incoming { fs: fs.clone(), v1, table: Table::decode(bytes)?, _unpacked: unpacked };
        for content in incoming.contents() {
            let path = entry_path(&incoming.v1, &content);
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
        let rows = extended(&self.fs, &table, Rows::of(&self.table))?;
        store.replace(&table, &rows.encode())
    }
}

/// The table of what was imported, if anything was: its path, and whether it still leads anywhere.
pub(in crate::cache) fn imported(store: &Store) -> Option<(PathBuf, Result<bool, String>)> {
    let path = store.v1().join(IMPORTED);
    store.fs().stamp_itself(&path)?;
    let bytes = store.fs().read_at_most(&path, table::LARGEST);
    let table = bytes.map_err(|error| format!("it cannot be read: {error}")).and_then(Table::decode);
    let leads = |table: Table| table.contents().any(|content| store.fs().exists(&store.entry_path(&content)));
    Some((path, table.map(leads)))
}
