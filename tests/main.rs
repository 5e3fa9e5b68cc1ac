//! All integration tests. Each file holds one area; `harness` is what they share.

mod cache;
mod corpus;
mod cxx_errors;
mod engine;
mod faults;
mod floors;
mod harness;
mod identity;
mod jit;
mod params;
mod race;
mod signatures;
mod toolchain;
mod ui_tests;
