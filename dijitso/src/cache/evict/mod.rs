//! How a cache keeps its bound.
//!
//! Nobody knows how much lies in a cache without looking at every file of it, which no process may do whenever it starts
//! or publishes; and most processes are short, so that none of them sees much of what is added. What is added is
//! therefore *estimated*, by chance, in one small file ([`growth`]):
//!
//! * The bound is divided into 512 units. A file of `s` bytes is noted with the chance `s / unit`, as a whole unit. So the
//!   notes stand for what was added, on average exactly, whoever added it in whatever portions; and of 512 units that are added
//!   some 512 additions cost a note, which is an `open`, a `write` and a `read`.
//! * When the notes reach the bound, whoever noted last looks at the files ([`scan`]), removes the least recently used ones
//!   ([`select`]), down to 80 % of the bound, and writes how much is left. From there to the bound are 102 units, so that the
//!   notes are wrong by `sqrt(102)` units, 2 % of the bound (one standard deviation). A look finds out how much is there: if that
//!   is still below the bound, it says so, and the next one comes after the difference has been added. An excess of 10 % would take 51 units
//!   more than 102 that nobody notes: five standard deviations, one eviction in three million.
//! * A look takes folders (there are 256, and signatures spread evenly) in random order until it has seen [`SAMPLE`] files: all of
//!   a small cache; of a large one so many that the estimate is good to a percent. It removes from the folders that it has seen only, and
//!   goes on to the next ones while the whole is above the bound. Its time is bounded therefore (20,000 `stat`, 30 ms), and so is its
//!   memory (1.5 MB), whatever the size of the cache. For every kernel that is added, between two evictions of a cache that
//!   is seen whole, the files of five kernels are looked at; ccache's counters in each folder would cost a lock and a write for each.
//!
//! So a cache of more files than [`SAMPLE`] goes down to 80 % in the part that was seen, and is at the bound as a whole: the next look
//! comes sooner, at another part, and costs as much for each kernel that is added.
//!
//! Only names are removed: what is mapped stays mapped. Whoever looks for a removed entry builds it again, also if it is one that
//! others are linked to. Uses are marked once a day: if more than 80 % of the bound is used within a day,
//! what was marked first goes first, though it may have been used a minute ago; then the bound comes first.
//!
//! One process at a time evicts. On network file systems, where locks mean nothing, the name of an empty file says who; an hour
//! later that one is taken for killed. If two do it at once, they remove from different folders mostly, and a file that is gone is no error.

mod automatic;
mod bin;
mod daily;
mod gc;
mod growth;
mod scan;
mod select;
#[cfg(test)]
mod tests;
mod tidy;

pub use gc::Gc;
pub(crate) use growth::Bound;

use bin::Bin;

/// Files that one look takes in.
const SAMPLE: usize = 20_000;
/// The same where each may cost a question to a server.
const SAMPLE_OF_NETWORK: usize = 2_000;
