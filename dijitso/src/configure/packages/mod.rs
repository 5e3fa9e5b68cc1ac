//! Packages: where one may be, in order, and the test that each place has to pass.
//!
//! What a file says about a package (pkg-config, a wrapper's flags, a variable) is only a candidate. Each is tested with
//! the package's own questions before it is believed, and what was refused is told with the reason. What the user asked for
//! by an option is there, or the configuration fails.

mod blas;
mod build;
mod candidate;
mod choose;
mod mpi;
mod openmp;
mod pkg_config;
mod places;
mod threads;
mod tools;
mod tree;
mod unpack;
mod work;

pub use blas::Blas;
pub(super) use build::build;
pub use build::{BuildWith, Recipe};
pub use choose::Candidates;
pub use mpi::Mpi;
pub use openmp::OpenMp;
pub use places::PackageOptions;
pub use threads::Threads;
