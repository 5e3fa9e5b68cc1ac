#![doc = include_str!("../README.md")]

mod args;
mod basis;
mod cxx;
mod generic;
mod load;
mod mesh;
mod problem;
mod quadrature;
mod ranks;
mod solution;
mod stiffness;
mod study;
mod system;
mod vtu;

pub use args::Args;
pub use basis::Basis;
pub use generic::race;
pub use load::{Load, load};
pub use mesh::{Block, Mesh};
pub use ranks::{Alone, Ranks};
pub use solution::Solution;
pub use stiffness::{Stiffness, stiffness};
pub use study::Study;
pub use system::{Kernels, System};
pub use vtu::write as write_vtu;
