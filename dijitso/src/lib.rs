#![doc = include_str!("../README.md")]
//!
//! How to use it, chapter by chapter: the [guide].
#![deny(unsafe_code)]

#[cfg(not(all(
    target_os = "linux",
    target_env = "gnu",
    target_endian = "little",
    any(target_arch = "x86_64", target_arch = "aarch64")
)))]
compile_error!("dijitso runs on Linux with glibc, on x86-64 and aarch64 only");

mod cache;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod cli;
mod compile;
mod config;
pub mod configure;
mod cxx;
mod distribute;
mod error;
mod fs;
mod jit;
#[allow(unsafe_code)] // Calls through the typed pointer.
mod kernel;
mod library;
mod prebuild;
mod prebuilt;
pub mod probe;
mod process;
mod report;
mod signature;
mod source;
mod stats;
mod toolchain;
mod trace;

#[doc(hidden)]
pub mod private;

#[cfg(any(doc, doctest))]
pub mod guide;

pub use dijitso_macros::{CxxType, Sign, kernel};

pub use crate::cache::{
    Activity, Cache, CacheKind, Category, Clean, Damaged, DayStatistics, Difference, Entries, Entry,
    EntryFile, Exported, Extracted, FailureBundle, Function, Gc, Grep, Imported, Integrity, Listed, Listing,
    Match, Pattern, Problem, ProblemKind, Progress, Removed, RemovedFile, Sizes, Statistics, Summary, Usage,
};
pub use crate::config::origin::{Flag, Origin};
pub use crate::config::params::{
    BuildOn, BuildParams, CacheParams, Cpu, GeneratorParams, Load, Network, Params, Profile,
};
pub use crate::config::settings::Setting;
pub use crate::cxx::{
    ByValue, CChar, CLongLong, CULongLong, Complex32, Complex64, CxxArgument, CxxType, KernelFn,
};
pub use crate::distribute::{
    Calls, Channel, Collective, Communicator, Idle, LARGEST_MESSAGE, Lost, Part, Role, Solo, ThreadGroup,
    Threads, Traffic,
};
pub use crate::error::{Error, MissingKernel, Result};
pub use crate::jit::{Jit, JitBuilder, Specs};
pub use crate::kernel::Kernel;
pub use crate::prebuild::{Prebuild, prebuild};
pub use crate::prebuilt::Prebuilt;
pub use crate::process::terminate_children;
pub use crate::report::{KernelOrigin, Report};
pub use crate::signature::{Sign, Signature, Signer};
pub use crate::source::{Generated, KernelSpec, Language, Source, Text};
pub use crate::stats::Stats;
