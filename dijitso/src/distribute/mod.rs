//! Loading kernels together: one engine over MPI, over threads, and in one process.
//!
//! [`communicator`] says what is asked of a communicator, [`tree`] is the shape in which ranks talk. [`layout`] says who is where,
//! with [`slots`] (compilers for each rank) and [`roles`] (builders, receivers, waiters).

mod communicator;
mod layout;
mod roles;
mod slots;
mod tree;

pub use communicator::{Channel, Communicator, Idle, LARGEST_MESSAGE, Lost};
pub use roles::Role;
