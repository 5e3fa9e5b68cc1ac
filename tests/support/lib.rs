//! What the tests and the programs they run share: kernels, real and small, and how the programs are
//! told what to do.
//!
//! Kernels are declared here and not in the tests, because a warm start is a matter between two runs
//! of one executable: the `client` program loads them, twice.

pub mod corpus;
pub mod denied;
pub mod disagreement;
pub mod endurance;
pub mod kernels;
pub mod looks;
pub mod losing;
pub mod matrix;
pub mod mixture;
pub mod patience;
pub mod protocol;
pub mod small_forms;
pub mod starts;
pub mod tap;
pub mod trouble;
