//! What a kernel was compiled from, and whether that is still so.
//!
//! A cached kernel is right only as long as every file that the compiler and the linker read has the same
//! content, and no header has appeared that would now be found earlier. Both are checked on every hit, so
//! both must cost next to nothing: a file or directory that has the stamp it had proves itself.
//!
//! Headers under the compiler's own directories are many and change with the compiler at most. They form
//! *sets* that many kernels share and that are checked once per process.

mod asked;
mod change;
mod collect;
mod content;
mod glance;
mod record;
mod sets;
#[cfg(test)]
mod tests;

use super::Store;
use super::wire::{Reader, Writer};
use crate::signature::Signature;
use record::{Check, Record};

pub(crate) use asked::asked_in;
pub(crate) use change::Change;
pub(crate) use glance::Glance;
pub(crate) use sets::look_again;
pub(super) use sets::{export as export_set, import as import_set};

/// The files and absences that a kernel depends on.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Inputs {
    record: Record,
    /// The set of the compiler's own headers, by its identity.
    system: Option<Signature>,
}

/// Whether inputs are what they were.
#[derive(Debug)]
pub(crate) enum Holds {
    Yes,
    /// They are; and these, in their place, will prove it without reading files again.
    Restamped(Inputs),
    /// They are not, for this reason.
    No(Change),
}

impl Inputs {
    /// Checks everything; what belongs to the system set was perhaps checked earlier in this process.
    pub(crate) fn holds(&self, store: &Store) -> Holds {
        self.holds_at(store, &Glance::each())
    }

    /// The same for one of many answers that are checked at once.
    pub(crate) fn holds_at(&self, store: &Store, glance: &Glance) -> Holds {
        let set = match &self.system {
            None => None,
            Some(signature) => match sets::check(store, signature, glance) {
                Ok(set) => Some(set),
                Err(reason) => return Holds::No(reason),
            },
        };
        let system = set.as_ref().map_or(&[][..], |set| &set.names);
        match self.record.check(store.fs(), glance, store.is_shared(), system) {
            Check::Yes => Holds::Yes,
            Check::Restamped(record) => Holds::Restamped(Inputs { record, system: self.system }),
            Check::No(reason) => Holds::No(reason),
        }
    }

    /// The files that are the user's own, and not the compiler's.
    pub(crate) fn files(&self) -> Vec<std::path::PathBuf> {
        self.record.files()
    }

    /// The directories in which something had to be missing.
    pub(crate) fn places(&self) -> Vec<std::path::PathBuf> {
        self.record.places()
    }

    /// The set of system headers that these inputs refer to.
    pub(super) fn set(&self) -> Option<Signature> {
        self.system
    }

    /// Makes sure that other processes find the set that these inputs refer to.
    pub(super) fn keep(&self, store: &Store) -> std::io::Result<()> {
        self.system.map_or(Ok(()), |signature| sets::keep(store, &signature))
    }

    pub(super) fn encode(&self, writer: &mut Writer) {
        match &self.system {
            None => writer.u8(0),
            Some(signature) => {
                writer.u8(1);
                writer.signature(signature);
            }
        }
        writer.block(self.record.as_bytes());
    }

    pub(super) fn decode(reader: &mut Reader<'_>) -> Option<Inputs> {
        let system = match reader.u8()? {
            0 => None,
            1 => Some(reader.signature()?),
            _ => return None,
        };
        Some(Inputs { record: Record::from_bytes(reader.block()?), system })
    }
}
