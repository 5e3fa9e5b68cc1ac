//! Loaded libraries: giving verified bytes to the dynamic loader, and asking what they export.
//!
//! A library is never unloaded. A function pointer that outlives its code is the worst bug a kernel could
//! have, kernels hand out pointers freely, and the memory of a kernel is small.

mod build_id;
pub(crate) mod elf;
#[allow(clippy::module_inception)]
mod library;
mod memfd;
mod memory_file;
mod parts;
mod room;
#[cfg(test)]
mod tiny;

pub(crate) use build_id::{build_id_of, object_of};
pub(crate) use elf::SymbolKind;
pub(crate) use library::{Library, LoadError};
pub(crate) use memory_file::{SealedFile, Spool};
pub(crate) use parts::Shared;
