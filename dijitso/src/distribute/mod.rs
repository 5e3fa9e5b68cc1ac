//! Loading kernels together: one engine over MPI, over threads, and in one process.
//!
//! From below: [`communicator`] says what is asked of a communicator: messages from rank to rank. [`solo`], [`threads`] and
//! `mpi` (with the feature) have it. [`tree`] is the shape in which ranks talk, [`session`] one collective call in progress (values; [`stream`]:
//! bytes of any number; [`message`]: what stands in front of each), [`waiting`] how to wait for a rank.

#![allow(dead_code)] // until the collective calls use all of it

mod communicator;
mod message;
#[cfg(feature = "mpi")]
#[allow(unsafe_code)] // A second handle to a communicator.
mod mpi;
mod session;
#[cfg(test)]
mod session_tests;
mod solo;
mod stream;
mod threads;
mod tree;
mod waiting;

pub use communicator::{Channel, Communicator, Idle, LARGEST_MESSAGE, Lost};
pub use solo::Solo;
pub use threads::{ThreadGroup, Threads, Traffic};
