//! What the tests and the programs they run share: kernels, real and small, and how the programs are
//! told what to do.
//!
//! Kernels are declared here and not in the tests, because a warm start is a matter between two runs
//! of one executable: the `client` program loads them, twice.

pub mod corpus;
pub mod kernels;
pub mod losing;
pub mod protocol;
pub mod small_forms;
