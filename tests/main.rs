//! All integration tests. Each file holds one area; `harness` is what they share.

mod browse;
mod cache;
mod calls;
mod clean;
mod consumer;
mod corpus;
mod cxx_errors;
mod engine;
mod faults;
mod floors;
mod harness;
mod identity;
mod inputs;
mod jit;
mod mpi;
mod names;
mod packs;
mod params;
mod peers;
mod prebuild;
mod race;
mod signatures;
mod site;
mod toolchain;
mod ui_tests;
