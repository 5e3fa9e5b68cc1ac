//! Loading kernels together: one engine over MPI, over threads, and in one process.
//!
//! From below: [`communicator`] says what is asked of a communicator: messages from rank to rank. [`solo`], [`threads`] and
//! `mpi` (with the feature) have it. [`tree`] is the shape in which ranks talk, [`session`] one collective call in progress ([`values`]; [`stream`]:
//! bytes of any number; [`message`]: what stands in front of each), [`waiting`] how to wait for a rank.
//!
//! [`layout`] says who is where, with [`roles`] (builders, receivers, waiters). Ranks [`discover`] it together: [`node`] is what
//! one knows about itself, [`sharing`] which cache directories are the same, [`slots`] who may run how many compilers. A
//! [`team`] are the ranks that build together; [`scene`] is all that, known from one load to the next.
//!
//! [`collective`] is what users call: it lets all ranks [`agree`] ([`request`]: or hear that they do not) and then each [`member`] go
//! its steps ([`inside`]: none in the middle of another). [`building`] is of what no cache has, by a [`plan`]; a [`delivery`] brings [`parcel`]s to all ([`packing`], [`unpacking`], [`handout`]; [`ahead`]),
//! but for what is [`unsent`]. [`by_hand`] is the form without a communicator.

mod agree;
mod ahead;
mod building;
mod by_hand;
mod collective;
mod communicator;
mod delivery;
mod discover;
#[cfg(test)]
mod discover_tests;
#[cfg(test)]
mod giving_up_tests;
mod handout;
mod inside;
#[cfg(test)]
mod large_tests;
mod layout;
mod member;
mod message;
#[cfg(feature = "mpi")]
#[allow(unsafe_code)]
// A second handle to a communicator; bytes that MPI reads after the call that sent them.
mod mpi;
mod node;
mod packing;
mod parcel;
mod plan;
mod request;
mod roles;
mod scene;
mod session;
#[cfg(test)]
mod session_tests;
mod sharing;
mod slots;
mod solo;
mod stream;
mod team;
mod threads;
mod tree;
mod unpacking;
mod unsent;
mod values;
mod waiting;

pub use by_hand::Part;
pub use collective::Collective;
pub use communicator::{Calls, Channel, Communicator, Idle, LARGEST_MESSAGE, Lost};
pub use roles::Role;
pub use solo::Solo;
pub use threads::{ThreadGroup, Threads, Traffic};
