//! The parameters a caller may set, in dijitso's three categories.
//!
//! Every field is optional: what is left out comes from the environment, the user's configuration
//! file or the default, in this order. Lists add up instead of replacing each other, because a
//! compiler lets the last flag win and the first directory: a program that adds one flag must not
//! lose the `CXXFLAGS` of the site it runs on.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// All parameters; pass them with [`JitBuilder::params`](crate::JitBuilder::params).
///
/// dijitso: the dictionary that `validate_params` takes, with its categories `cache`, `build` and
/// `generator`.
///
/// ```
/// use dijitso::{BuildParams, Params, Profile};
///
/// let build = BuildParams { profile: Some(Profile::Debug), ..BuildParams::default() };
/// let params = Params { build, ..Params::default() };
/// assert_eq!(params.cache.dir, None); // left to the environment, the file or the default
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Params {
    /// Where and how kernels are kept.
    pub cache: CacheParams,
    /// How kernels are compiled.
    pub build: BuildParams,
    /// How generators are run.
    pub generator: GeneratorParams,
}

/// Where and how kernels are kept.
///
/// dijitso: `cache_params`.
///
/// ```
/// let cache = dijitso::CacheParams { durable: Some(true), ..Default::default() };
/// assert_eq!(cache.load, None);
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CacheParams {
    /// The cache directory, an absolute path (dijitso: `cache_dir`).
    pub dir: Option<PathBuf>,
    /// Site caches, each a directory or archive that [`Jit::export`](crate::Jit::export) wrote; read after the
    /// cache directory, in this order.
    pub sites: Vec<PathBuf>,
    /// How kernels get from the cache into the process (default: [`Load::Auto`]).
    pub load: Option<Load>,
    /// Flush every new entry to the disk before it is used (default: no; an entry that a power
    /// failure damaged is detected and built again).
    pub durable: Option<bool>,
    /// How long to wait for another process or thread that builds the same kernel before building it here
    /// (default: 300 s).
    pub lock_wait: Option<Duration>,
    /// Keep a directory with everything needed to reproduce each failed build (default: yes;
    /// dijitso: `fail_dir_root`).
    pub failures: Option<bool>,
    /// Whether the cache directory is on a network file system (default: [`Network::Auto`]).
    pub network: Option<Network>,
    /// The most bytes that cached kernels and their index may take: when they are reached, what was used least recently is removed, down to
    /// 80 % (default: 5 GiB; 0: without bound; ccache: `max_size`).
    pub max_size: Option<u64>,
    /// The most files of these, likewise (default: 0, without bound; ccache: `max_files`).
    pub max_files: Option<u64>,
}

/// How kernels are compiled.
///
/// Flags are given in the order default, configuration file, environment, this, kernel; directories
/// and libraries in the opposite order: so what is closer to the program wins.
///
/// dijitso: `build_params`.
///
/// ```
/// let build = dijitso::BuildParams { cxxflags: vec!["-O2".into()], ..Default::default() };
/// assert!(build.cxx.is_none());
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
pub struct BuildParams {
    /// The compiler and the words before its flags, such as `["ccache", "g++"]` (default: the first usable of
    /// `c++`, `g++`, `clang++`).
    pub cxx: Option<Vec<String>>,
    /// Flags for compiling C.
    pub cflags: Vec<String>,
    /// Flags for compiling C++.
    pub cxxflags: Vec<String>,
    /// Flags for compiling either.
    pub cppflags: Vec<String>,
    /// Flags for linking.
    pub ldflags: Vec<String>,
    /// Directories searched for headers.
    pub include_dirs: Vec<PathBuf>,
    /// Directories searched for libraries when linking.
    pub lib_dirs: Vec<PathBuf>,
    /// Libraries to link, by name (`m`) or path.
    pub libs: Vec<String>,
    /// Directories searched for shared libraries when loading.
    pub rpath_dirs: Vec<PathBuf>,
    /// The C++ standard, such as `c++20` (default: the compiler's).
    pub std: Option<String>,
    /// Compile nothing, see [`JitBuilder::sealed`](crate::JitBuilder::sealed) (default: no).
    pub sealed: Option<bool>,
    /// Optimised or for a debugger (default: [`Profile::Optimized`]).
    pub profile: Option<Profile>,
    /// The processor to compile for (default: [`Cpu::Native`]).
    pub cpu: Option<Cpu>,
    /// How long one compiler or linker may run (default: 600 s).
    pub timeout: Option<Duration>,
    /// How many compilers may run at once (default: as many as there are cores).
    pub jobs: Option<usize>,
    /// Bytes of memory one compiler is expected to need; fewer are started when memory is short
    /// (default: 1 GiB; 0: memory is not looked at).
    pub memory_per_job: Option<u64>,
    /// Which ranks build for a communicator (default: [`BuildOn::Root`] for one kernel, [`BuildOn::Spread`] for several).
    pub build_on: Option<BuildOn>,
    /// A file for a trace of what was done when, see [`JitBuilder::trace`](crate::JitBuilder::trace) (default: none).
    pub trace: Option<PathBuf>,
}

/// How generators are run.
///
/// dijitso: `generator_params`.
///
/// ```
/// let generator = dijitso::GeneratorParams { check: Some(true), ..Default::default() };
/// assert_eq!(generator.log_source, None);
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
pub struct GeneratorParams {
    /// On every hit of the disk cache run the generator nevertheless, and fail if its text is not
    /// the one in the cache (default: no).
    pub check: Option<bool>,
    /// Write every generated text to the log (level info; default: no).
    pub log_source: Option<bool>,
}

/// How kernels get from the cache into the process.
///
/// ```
/// let jit = dijitso::Jit::builder().load_mode(dijitso::Load::Memory);
/// # let _ = jit;
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Load {
    /// From their file if the cache is on a local filesystem that permits it, else from memory.
    #[default]
    Auto,
    /// Always from their file.
    File,
    /// Always from a sealed copy in memory.
    Memory,
}

/// Whether a cache directory is on a network file system.
///
/// There other machines may see it and change it, so libraries are loaded from memory, locks are not relied upon, and ranks
/// on several machines find out whether they share it.
///
/// ```
/// let jit = dijitso::Jit::builder().network(dijitso::Network::Yes);
/// # let _ = jit;
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Network {
    /// As the type of its file system says.
    #[default]
    Auto,
    /// It is, although its type is not known as one.
    Yes,
    /// It is not, although its type could be one (FUSE serves local disks, too): no other machine sees it.
    No,
}

/// Which ranks of a communicator build what no cache has. What they built travels to the others.
///
/// dijitso: the argument `buildon` of `create_comms_and_role`; written here as there: `root`, `node`, `process`.
/// `DIJITSO_BUILD_ON` sets it from outside.
///
/// ```
/// use dijitso::BuildOn;
///
/// let strategy: BuildOn = "node".parse()?;
/// assert_eq!((strategy, strategy.to_string()), (BuildOn::Node, "node".to_owned()));
/// assert!("nodes".parse::<BuildOn>().unwrap_err().to_string().contains("root, node, process, spread"));
/// # Ok::<(), dijitso::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[non_exhaustive]
pub enum BuildOn {
    /// Rank 0.
    Root,
    /// The lowest rank of each physical cache directory.
    Node,
    /// Every rank, for itself.
    Process,
    /// All ranks that have cores to build on: each kernel is built once, by one of them.
    Spread,
}

impl BuildOn {
    pub(crate) const NAMES: [(&str, BuildOn); 4] = [
        ("root", BuildOn::Root),
        ("node", BuildOn::Node),
        ("process", BuildOn::Process),
        ("spread", BuildOn::Spread),
    ];
}

impl fmt::Display for BuildOn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = BuildOn::NAMES.iter().find(|(_, named)| named == self).map_or("", |(name, _)| name);
        f.write_str(name)
    }
}

impl FromStr for BuildOn {
    type Err = Error;

    fn from_str(text: &str) -> Result<BuildOn> {
        let found = BuildOn::NAMES.iter().find(|(name, _)| *name == text);
        found.map(|(_, named)| *named).ok_or_else(|| Error::Config {
            problem: format!("`{text}` is no strategy; write one of root, node, process, spread"),
            origin: "build_on".to_owned(),
        })
    }
}

/// Optimised or for a debugger.
///
/// dijitso: the build parameter `debug`.
///
/// ```
/// let jit = dijitso::Jit::builder().profile(dijitso::Profile::Debug);
/// # let _ = jit;
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Profile {
    /// `-O3 -fno-math-errno -fno-trapping-math`: fast, and still IEEE arithmetic.
    #[default]
    Optimized,
    /// `-g -O0`.
    Debug,
}

/// The processor to compile for.
///
/// ```
/// use dijitso::Cpu;
///
/// let jit = dijitso::Jit::builder().cpu(Cpu::Named("x86-64-v3".into()));
/// # let _ = jit;
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Cpu {
    /// This machine's; stored as the features it has, and checked before a kernel is loaded.
    #[default]
    Native,
    /// The compiler's own default, which runs on every machine of the architecture.
    Generic,
    /// One that the compiler knows by this name (`-march=` on x86-64, `-mcpu=` on aarch64).
    Named(String),
}
