//! The cache on disk: entries, the index that leads to them, and what they depend on.

mod archive;
mod entry;
mod index;
mod inputs;
mod lock;
mod seal;
mod site;
mod store;
mod wire;

pub(crate) use entry::{Defect, EntryMeta, VerifiedEntry, encode};
pub(crate) use index::{Dependency, Index, Variant, VariantOutcome};
pub(crate) use inputs::{Collected, Holds, Inputs, asked_in};
pub(crate) use lock::Lock;
pub(crate) use seal::MACHINE;
pub(crate) use site::{Site, SiteExport, SiteKernel, Sites, archive_at};
pub(crate) use store::Store;
