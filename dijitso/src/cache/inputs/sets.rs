//! Sets of the compiler's own headers: one file each, shared by all kernels that read the same ones.
//!
//! `<cmath>` alone reads 94 files. Looked at on every hit they would cost more than everything else
//! together, and stored in every index file they would make it ten times as long.

use std::collections::HashMap;
use std::ffi::OsString;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::change::Change;
use super::glance::Glance;
use super::record::{Check, Record};
use crate::cache::Store;
use crate::cache::wire::{Reader, Writer};
use crate::signature::Signature;

const MAGIC: &[u8; 8] = b"djset 1\n";
/// No compiler has so many headers; a larger file is none of ours.
const LARGEST: usize = 64 << 20;

/// A set that was found to hold, in this process.
#[derive(Debug)]
pub(super) struct Set {
    record: Record,
    /// The names for which the user's directories are watched on its behalf.
    pub(super) names: Vec<OsString>,
}

type Verdict = Result<Arc<Set>, Change>;

/// What is known about sets, in the whole process: they are named by their content, so it does not matter
/// which cache they are in. It outlives the cache directory, too.
static KNOWN: Mutex<Option<HashMap<Signature, Known>>> = Mutex::new(None);

/// What was found, and during which [`LOOK`].
#[derive(Debug, Clone)]
struct Known {
    verdict: Verdict,
    look: u64,
}

/// How often somebody wanted everything to be looked at again.
static LOOK: AtomicU64 = AtomicU64::new(0);

fn known() -> MutexGuard<'static, Option<HashMap<Signature, Known>>> {
    KNOWN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Every set is checked once more, when it is needed next: somebody may have installed something, and a configuration
/// that is begun now must see it.
pub(crate) fn look_again() {
    LOOK.fetch_add(1, Ordering::Relaxed);
}

fn remember(signature: &Signature, verdict: Verdict, look: u64) {
    known().get_or_insert_default().insert(*signature, Known { verdict, look });
}

/// The set, if it holds; else the reason why not. Looks at its files once per process.
pub(super) fn check(store: &Store, signature: &Signature, glance: &Glance) -> Verdict {
    let look = LOOK.load(Ordering::Relaxed);
    let before = known().as_ref().and_then(|known| known.get(signature).cloned());
    let record = match before {
        Some(Known { verdict, look: then }) if then == look => return verdict,
        Some(Known { verdict: Ok(set), .. }) => set.record.clone(),
        // What cannot be read is not remembered: the next build stores it again.
        _ => read(store, signature)?,
    };
    let verdict = match record.check(store.fs(), glance, store.is_shared(), &[]) {
        Check::Yes => Ok(record),
        Check::Restamped(record) => {
            let _ = store.replace(&store.set_path(signature), &encode(&record));
            Ok(record)
        }
        Check::No(reason) => Err(reason),
    };
    let verdict = verdict.map(|record| Arc::new(Set { names: record.names(), record }));
    remember(signature, verdict.clone(), look);
    verdict
}

/// Takes a set that was just collected; it holds.
pub(super) fn insert(record: Record) -> Option<Signature> {
    let signature = record.identity()?;
    let set = Arc::new(Set { names: record.names(), record });
    remember(&signature, Ok(set), LOOK.load(Ordering::Relaxed));
    Some(signature)
}

/// Writes the set's file, unless it is there.
pub(super) fn keep(store: &Store, signature: &Signature) -> io::Result<()> {
    let path = store.set_path(signature);
    if store.fs().exists(&path) {
        return Ok(());
    }
    let set = known().as_ref().and_then(|known| known.get(signature)?.verdict.clone().ok());
    // Unknown here means that it was read from there a moment ago; then there is nothing to do about it.
    set.map_or(Ok(()), |set| store.replace(&path, &encode(&set.record)))
}

/// The set's file, for a cache on another machine; `None` if nobody here knows it any more.
pub(in crate::cache) fn export(store: &Store, signature: &Signature) -> Option<Vec<u8>> {
    let set = known().as_ref().and_then(|known| known.get(signature)?.verdict.clone().ok());
    match set {
        Some(set) => Some(encode(&set.record)),
        None => read(store, signature).ok().map(|record| encode(&record)),
    }
}

/// Writes the file of a set that another process exported, unless it is there. Whether the set holds here is another
/// question, asked when a kernel needs it.
pub(in crate::cache) fn import(store: &Store, signature: &Signature, bytes: &[u8]) -> io::Result<()> {
    let path = store.set_path(signature);
    if decode(bytes).and_then(|record| record.identity()).as_ref() != Some(signature) {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "a list of system headers arrived damaged"));
    }
    if store.fs().exists(&path) { Ok(()) } else { store.replace(&path, bytes) }
}

fn encode(record: &Record) -> Vec<u8> {
    let mut writer = Writer::default();
    writer.raw(MAGIC);
    writer.block(record.as_bytes());
    writer.finish_sealed()
}

fn read(store: &Store, signature: &Signature) -> Result<Record, Change> {
    let bytes = store
        .read_marked(&store.set_path(signature), LARGEST)
        .map_err(|_| Change::Unknown("the list of system headers is gone"))?;
    decode(&bytes)
        .filter(|record| record.identity().as_ref() == Some(signature))
        .ok_or(Change::Unknown("the list of system headers is damaged"))
}

fn decode(bytes: &[u8]) -> Option<Record> {
    let mut reader = Reader::open_sealed(bytes)?;
    (reader.raw(MAGIC.len())? == MAGIC).then_some(())?;
    let record = Record::from_bytes(reader.block()?);
    reader.is_empty().then_some(record)
}

/// Forgets a set, as a new process would.
#[cfg(test)]
pub(super) fn forget(signature: &Signature) {
    known().get_or_insert_default().remove(signature);
}
