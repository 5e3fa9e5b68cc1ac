//! The cache on disk: entries, the index that leads to them, and what they depend on.

mod answers;
mod archive;
mod browse;
mod bytes;
pub(crate) mod elf;
mod entry;
mod evict;
mod index;
mod inputs;
mod listed;
mod lock;
mod routes;
mod script;
mod seal;
mod site;
mod statistics;
mod store;
mod verifier;
mod wire;

pub(crate) use answers::Answer;
pub(crate) use archive::Archive;
pub use browse::{
    Cache, CacheKind, Category, Clean, Damaged, Difference, Entries, Entry, EntryFile, Extracted,
    FailureBundle, Function, Grep, Imported, Integrity, Listed, Listing, Match, Pattern, Problem,
    ProblemKind, Progress, Removed, RemovedFile, Sizes, Summary, Usage,
};
pub(crate) use bytes::Bytes;
#[cfg(test)]
pub(crate) use bytes::tests::with_a_hole;
pub(crate) use entry::{Defect, EntryMeta, Headers, Texts, VerifiedEntry, encode, read, seal_for_here};
pub(crate) use evict::Bound;
pub use evict::Gc;
pub(crate) use index::{Dependency, Index, Variant, VariantOutcome, unit_key};
pub(crate) use inputs::{Change, Glance, Holds, Inputs, asked_in, look_again};
pub(crate) use lock::Lock;
pub(crate) use routes::{Routes, Sets};
pub(crate) use script::{script, without_directory};
pub(crate) use seal::{LEN as SEAL_LEN, MACHINE, Seal};
pub use site::Exported;
pub(crate) use site::{Site, SiteExport, SiteKernel, Sites, archive_at};
#[cfg(feature = "cli")]
pub(crate) use statistics::date;
pub use statistics::{Activity, DayStatistics, Statistics};
#[cfg(feature = "cli")]
pub(crate) use store::as_told;
pub(crate) use store::{Sight, Store};
pub(crate) use verifier::Verifier;
