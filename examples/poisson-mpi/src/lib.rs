#![doc = include_str!("../README.md")]

#[cfg(feature = "mpi")]
mod halo;
mod partition;
#[cfg(feature = "mpi")]
mod table;
#[cfg(feature = "mpi")]
mod words;

pub use partition::{Link, Partition};
#[cfg(feature = "mpi")]
pub use {halo::Halo, table::Table, words::words};
