//! Loading kernels together: one engine over MPI, over threads, and in one process.
//!
//! From below: [`communicator`] says what is asked of a communicator: messages from rank to rank. [`solo`], [`threads`] and
//! `mpi` have it. [`tree`] is the shape in which ranks talk, [`session`] one collective call in progress (values; [`stream`]:
//! bytes of any number; [`message`]: what stands in front of each), [`waiting`] how to wait for a rank.
//!
//! [`layout`] says who is where, with [`slots`] (compilers for each rank) and [`roles`] (builders, receivers, waiters); a
//! [`team`] are the ranks that build together. [`collective`] is what users call: it lets all ranks [`agree`] and then each
//! [`member`] go its steps: who builds what is a [`plan`], what moves are [`parcel`]s. [`by_hand`] is the form without a communicator.

mod agree;
mod by_hand;
mod collective;
mod communicator;
mod layout;
mod member;
mod message;
mod parcel;
mod plan;
mod roles;
mod session;
#[cfg(test)]
mod session_tests;
mod slots;
mod solo;
mod stream;
mod team;
mod threads;
mod tree;
mod waiting;

pub use by_hand::Part;
pub use collective::Collective;
pub use communicator::{Channel, Communicator, Idle, LARGEST_MESSAGE, Lost};
pub use roles::Role;
pub use solo::Solo;
pub use threads::{ThreadGroup, Threads, Traffic};
