//! What earlier runs of the build script compiled, and whether it still holds.
//!
//! Each kernel has a directory with its sources, its object as the compiler left it, and beside it a record: what
//! was asked of the compiler, the stamps of all files that it read, and where it looked for them in vain.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use super::cargo::Cargo;
use super::searched::Vain;
use super::symbols::Linked;
use crate::error::{Error, Result};
use crate::fs::{Fs, Stamp};
use crate::signature::{Signature, digest};
use crate::toolchain::CpuFeatures;

#[derive(Debug)]
pub(super) struct Shelf {
    fs: Fs,
    dir: PathBuf,
    out_dir: PathBuf,
    /// Headers are read by many kernels.
    stamps: Mutex<HashMap<PathBuf, Option<Stamp>>>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Record {
    /// Text, command and environment.
    pub(super) key: Signature,
    pub(super) inputs: Vec<(PathBuf, Stamp)>,
    /// Where a header would be found earlier than one of these.
    pub(super) absent: BTreeSet<PathBuf>,
    /// Directories of the user in which one may appear.
    pub(super) dirs: BTreeSet<PathBuf>,
    pub(super) features: CpuFeatures,
    /// Of the object: it was not written in one step, nor by us.
    object: Signature,
}

const OBJECT: &str = "unit.o";

impl Shelf {
    pub(super) fn new(cargo: &Cargo) -> Shelf {
        Shelf {
            fs: cargo.fs.clone(),
            dir: cargo.shelf(),
            out_dir: cargo.out_dir.clone(),
            stamps: Mutex::default(),
        }
    }

    /// Where a kernel, known by its symbol, is compiled and kept.
    pub(super) fn dir(&self, symbol: &str) -> PathBuf {
        self.dir.join(symbol)
    }

    fn record(&self, symbol: &str) -> PathBuf {
        self.dir.join(format!("{symbol}.json"))
    }

    /// The object of a kernel, if it would be compiled from the same to the same.
    pub(super) fn get(&self, symbol: &str, key: &Signature) -> Option<(Record, Vec<u8>)> {
        let record: Record = serde_json::from_slice(&self.fs.read(&self.record(symbol)).ok()?).ok()?;
        let holds = record.key == *key
            && record.inputs.iter().all(|(path, then)| self.now(path) == Some(*then))
            && record.absent.iter().all(|path| self.now(path).is_none());
        let object = self.fs.read(&self.dir(symbol).join(OBJECT)).ok().filter(|_| holds)?;
        (digest(&object) == record.object).then_some((record, object))
    }

    fn now(&self, path: &Path) -> Option<Stamp> {
        if path.starts_with(&self.out_dir) {
            return self.content(path);
        }
        let mut stamps = self.stamps.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        *stamps.entry(path.to_owned()).or_insert_with(|| self.fs.stamp(path).ok().flatten())
    }

    /// What the build script writes itself has new times whenever it runs: its content counts.
    fn content(&self, path: &Path) -> Option<Stamp> {
        let bytes = self.fs.read(path).ok()?;
        let (mut ino, digest) = ([0; 8], digest(&bytes));
        ino.copy_from_slice(&digest.as_bytes()[..8]);
        Some(Stamp { ino: u64::from_le_bytes(ino), size: bytes.len() as u64, mtime_ns: 0, ctime_ns: 0 })
    }

    /// An empty directory with these files, to compile a kernel in.
    pub(super) fn prepare(&self, symbol: &str, files: &[(&str, &str)]) -> Result<PathBuf> {
        let dir = self.dir(symbol);
        let fresh = self
            .fs
            .remove(&self.record(symbol))
            .and_then(|()| self.fs.remove_tree(&dir))
            .and_then(|()| self.fs.create_dir_all_private(&dir))
            .and_then(|()| {
                files.iter().try_for_each(|(name, text)| self.fs.write(&dir.join(name), text.as_bytes()))
            });
        fresh.map(|()| dir.clone()).map_err(|error| Error::io("cannot write to", &dir, &error))
    }

    /// What was compiled since `started`, with the files that were read. It is not remembered if one of these has
    /// changed since then.
    pub(super) fn put(
        &self,
        symbol: &str,
        key: Signature,
        mut read: Vec<PathBuf>,
        vain: Vain,
        features: CpuFeatures,
        started: SystemTime,
    ) -> Result<(Record, Vec<u8>)> {
        let path = self.dir(symbol).join(OBJECT);
        let object = self.fs.read(&path).map_err(|error| Error::io("cannot read", &path, &error))?;
        read.extend(vain.asked.iter().cloned());
        let stamps: Vec<_> =
            read.into_iter().map(|path| (self.fs.stamp(&path).ok().flatten(), path)).collect();
        let settled =
            stamps.iter().all(|(stamp, _)| stamp.is_some_and(|stamp| !stamp.changed_after(started)));
        let Vain { absent, dirs, changed, .. } = vain;
        let lasting = |(stamp, path): (Option<Stamp>, PathBuf)| {
            let own = path.starts_with(&self.out_dir);
            let stamp = if own { self.content(&path) } else { stamp };
            Some((path, stamp?))
        };
        let inputs = stamps.into_iter().filter_map(lasting).collect();
        let record = Record { key, inputs, absent, dirs, features, object: digest(&object) };
        if settled
            && !changed
            && let Ok(text) = serde_json::to_vec(&record)
        {
            // Without it the kernel is compiled again next time.
            let _ = self.fs.write(&self.record(symbol), &text);
        }
        Ok((record, object))
    }

    /// Removes what belongs to kernels that are not wanted any more.
    pub(super) fn remove_others(&self, linked: &[Linked]) {
        for name in self.fs.list(&self.dir).unwrap_or_default() {
            let text = name.to_string_lossy();
            let symbol = text.strip_suffix(".json").or_else(|| text.strip_suffix(".o")).unwrap_or(&text);
            if symbol.starts_with("dijitso_") && linked.iter().all(|linked| linked.symbol != symbol) {
                let path = self.dir.join(&name);
                let _ = self.fs.remove(&path).or_else(|_| self.fs.remove_tree(&path));
            }
        }
    }
}
