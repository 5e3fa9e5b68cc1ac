//! The cache on disk: entries, the index that leads to them, and what they depend on.

mod archive;
mod browse;
pub(crate) mod elf;
mod entry;
mod index;
mod inputs;
mod lock;
mod script;
mod seal;
mod site;
mod store;
mod wire;

pub use browse::{
    Cache, CacheKind, Category, Clean, Damaged, Entries, Entry, EntryFile, Extracted, FailureBundle,
    Function, Grep, Integrity, Match, Pattern, Problem, ProblemKind, Removed, RemovedFile, Sizes, Summary,
    Usage,
};
pub(crate) use entry::{Defect, EntryMeta, Texts, VerifiedEntry, encode};
pub(crate) use index::{Dependency, Index, Variant, VariantOutcome};
pub(crate) use inputs::{Collected, Holds, Inputs, asked_in};
pub(crate) use lock::Lock;
pub(crate) use script::{script, without_directory};
pub(crate) use seal::MACHINE;
pub(crate) use site::{Site, SiteExport, SiteKernel, Sites, archive_at};
pub(crate) use store::Store;
