//! For `dijitso` only: makes cargo run the build script of `dijitso-mpi-check` before that of `mpi-sys`.
//!
//! Neither depends on the other, and cargo begins with what most others wait for. Behind `mpi-sys` these are four: itself, the
//! build script and the library of `mpi`, and `dijitso`. With this package between, five wait for the check: its library, the
//! build script here, compiled and run, the library here, and `dijitso`.
