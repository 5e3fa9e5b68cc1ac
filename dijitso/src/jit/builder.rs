//! The program's say in a `Jit`'s parameters.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::Jit;
use super::engine::Engine;
use crate::config::origin::Origin;
use crate::config::params::{BuildOn, Cpu, Load, Network, Params, Profile};
use crate::error::{Error, Result};
use crate::prebuilt::{Prebuilt, Tables};
use crate::toolchain::KernelCompiler;

/// Sets parameters, then builds a [`Jit`]. What is not set here comes from the environment, then from
/// the user's configuration file, then from the defaults.
///
/// dijitso's counterpart is the dictionary given to `validate_params`.
///
/// ```no_run
/// # fn main() -> dijitso::Result<()> {
/// use std::time::Duration;
/// let jit = dijitso::Jit::builder()
///     .cxx("ccache g++")
///     .cxxflag("-ffast-math")
///     .include_dir("/opt/ufc/include")
///     .timeout(Duration::from_secs(120))
///     .build()?;
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, Default)]
#[must_use = "call `.build()`"]
pub struct JitBuilder {
    params: Params,
    words: Option<String>,
    prebuilt: Vec<&'static Prebuilt>,
}

impl JitBuilder {
    /// Replaces all parameters that were set so far by `params`.
    pub fn params(mut self, params: Params) -> Self {
        self.params = params;
        self.words = None;
        self
    }

    /// Kernels that `build.rs` made part of the program, see [`include_prebuilt!`](crate::include_prebuilt). They
    /// are asked right after the memory table. Each crate of a program may bring its own; the first one that has a
    /// kernel serves it.
    pub fn prebuilt(mut self, table: &'static Prebuilt) -> Self {
        self.prebuilt.push(table);
        self
    }

    /// The cache directory, an absolute path (`cache_dir` in dijitso).
    pub fn cache_dir(mut self, dir: impl AsRef<Path>) -> Self {
        self.params.cache.dir = Some(dir.as_ref().to_owned());
        self
    }

    /// One more site cache, a directory or archive that [`Jit::export`] wrote: kernels that the cache directory does
    /// not have are looked for there, before they are compiled. Several are searched in the order of the calls,
    /// those of the environment (`DIJITSO_SITE_CACHE`) and the configuration file after them.
    ///
    /// A kernel is found by its spec alone, see [the guide](crate::guide::clusters). A site cache is only read. It must
    /// belong to root or to you, and others must not be able to write to it; one that cannot be used is worth a
    /// warning.
    ///
    /// ```
    /// # fn main() -> dijitso::Result<()> {
    /// # let cache = tempfile::tempdir().unwrap();
    /// let builder = dijitso::Jit::builder().site_cache("/opt/solver/kernels");
    /// # let jit = builder.cache_dir(cache.path()).build()?;
    /// # Ok(()) }
    /// ```
    pub fn site_cache(mut self, path: impl Into<PathBuf>) -> Self {
        self.params.cache.sites.push(path.into());
        self
    }

    /// Forbids compiling: no compiler is looked for, no generator runs, no process is started. Kernels come from
    /// the program itself, the cache directory and site caches; those that are in none of them are an error, which
    /// lists them all: [`Error::Sealed`]. (`DIJITSO_SEALED=1` does the same to any program.)
    ///
    /// In the cache directory the flags and headers of a kernel must be what they are here, as always, but any
    /// compiler may have built it. Without a home directory there is no cache, which is no error then. With
    /// [`check`](Self::check) generators do run. In a load on several ranks nobody compiles if one of them is sealed.
    ///
    /// ```
    /// # type F = extern "C" fn(f64) -> f64;
    /// # fn scale(a: u32) -> dijitso::KernelSpec<F> {
    /// #     dijitso::spec!(F, "scale", a, move || unsafe { dijitso::Source::new(format!("double scale(double x) {{ return {a} * x; }}")) })
    /// # }
    /// # fn main() -> dijitso::Result<()> {
    /// # let empty = tempfile::tempdir().unwrap();
    /// # let builder = dijitso::Jit::builder().cache_dir(empty.path());
    /// let jit = builder.sealed().build()?;
    /// let Err(dijitso::Error::Sealed { missing, .. }) = jit.load_all(&[scale(1), scale(2)]) else { panic!() };
    /// assert_eq!(missing.len(), 2);
    /// # Ok(()) }
    /// ```
    pub fn sealed(mut self) -> Self {
        self.params.build.sealed = Some(true);
        self
    }

    /// How libraries are given to the loader; [`Load::Auto`] if nothing is said (dijitso's `lib_loader` chose between ctypes and import).
    pub fn load_mode(mut self, load: Load) -> Self {
        self.params.cache.load = Some(load);
        self
    }

    /// Whether entries are forced to the disk (`fsync`) before they become visible; no if nothing is said.
    pub fn durable(mut self, durable: bool) -> Self {
        self.params.cache.durable = Some(durable);
        self
    }

    /// Whether a failed build leaves its sources and a script behind, in `<cache>/v1/failures`; yes if nothing is
    /// said (dijitso's `fail_dir_root`).
    pub fn keep_failures(mut self, keep: bool) -> Self {
        self.params.cache.failures = Some(keep);
        self
    }

    /// Whether the cache directory is on a network file system; as its type says, if nothing is said.
    ///
    /// [`Network::Yes`] is for clusters with a file system that is not known here, [`Network::No`] for a local one that
    /// looks like one of those.
    ///
    /// ```
    /// # fn main() -> dijitso::Result<()> {
    /// # let cache = tempfile::tempdir().unwrap();
    /// let builder = dijitso::Jit::builder().network(dijitso::Network::Yes);
    /// # let jit = builder.cache_dir(cache.path()).build()?;
    /// # Ok(()) }
    /// ```
    pub fn network(mut self, network: Network) -> Self {
        self.params.cache.network = Some(network);
        self
    }

    /// The most bytes that cached kernels and their index may take, 0 for no bound; 5 GiB if nothing is said. When they are
    /// reached, what was used least recently is removed, down to 80 % (`max_size` in ccache; dijitso has no bound).
    ///
    /// ```
    /// # fn main() -> dijitso::Result<()> {
    /// # let cache = tempfile::tempdir().unwrap();
    /// let builder = dijitso::Jit::builder().max_size(500 << 20).max_files(20_000);
    /// # let jit = builder.cache_dir(cache.path()).build()?;
    /// # Ok(()) }
    /// ```
    pub fn max_size(mut self, bytes: u64) -> Self {
        self.params.cache.max_size = Some(bytes);
        self
    }

    /// The most files of these, 0 for no bound, as if nothing is said (`max_files` in ccache). A kernel
    /// takes three: its entry, and two of the index.
    pub fn max_files(mut self, files: u64) -> Self {
        self.params.cache.max_files = Some(files);
        self
    }

    /// How long to wait for another process or thread that builds the same kernel, before building it too;
    /// 300 s if nothing is said.
    pub fn lock_wait(mut self, wait: Duration) -> Self {
        self.params.cache.lock_wait = Some(wait);
        self
    }

    /// The compiler, with words before it if need be: `"ccache g++"`; quotes as in a shell (`cxx` in dijitso).
    pub fn cxx(mut self, command: impl Into<String>) -> Self {
        self.words = Some(command.into());
        self
    }

    /// The compiler and the flags that a configuration found and tested.
    ///
    /// dijitso has no counterpart.
    ///
    /// ```no_run
    /// use dijitso::{Jit, configure::{Configure, KernelCompiler}};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let configuration = Configure::new("Demo").with::<KernelCompiler>().run()?;
    /// let compiler = configuration.get::<KernelCompiler>().unwrap();
    /// let jit = Jit::builder().toolchain(&compiler).build()?;
    /// # Ok(()) }
    /// ```
    pub fn toolchain(mut self, compiler: &KernelCompiler) -> Self {
        self.words = None;
        self.params.build.cxx = Some(compiler.cxx.clone());
        self.params.build.cxxflags.extend_from_slice(&compiler.cxxflags);
        self.params.build.ldflags.extend_from_slice(&compiler.ldflags);
        self
    }

    /// One more flag for compiling C++, one word a call; it comes after those of the environment, and before the
    /// kernel's own (`cxxflags` in dijitso).
    pub fn cxxflag(mut self, flag: impl Into<String>) -> Self {
        self.params.build.cxxflags.push(flag.into());
        self
    }

    /// One more flag for compiling C.
    pub fn cflag(mut self, flag: impl Into<String>) -> Self {
        self.params.build.cflags.push(flag.into());
        self
    }

    /// One more flag for compiling C++ and C.
    pub fn cppflag(mut self, flag: impl Into<String>) -> Self {
        self.params.build.cppflags.push(flag.into());
        self
    }

    /// One more flag for linking.
    pub fn ldflag(mut self, flag: impl Into<String>) -> Self {
        self.params.build.ldflags.push(flag.into());
        self
    }

    /// One more directory for headers, searched before those of the environment and after the kernel's own
    /// (`include_dirs` in dijitso). A relative one is relative to the program's working directory now.
    pub fn include_dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.params.build.include_dirs.push(dir.into());
        self
    }

    /// One more directory for libraries (`lib_dirs` in dijitso).
    pub fn lib_dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.params.build.lib_dirs.push(dir.into());
        self
    }

    /// One more library for every kernel: a name as after `-l`, or a path (`libs` in dijitso).
    pub fn lib(mut self, lib: impl Into<String>) -> Self {
        self.params.build.libs.push(lib.into());
        self
    }

    /// One more directory in which kernels find their libraries when loaded (`rpath_dirs` in dijitso).
    pub fn rpath_dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.params.build.rpath_dirs.push(dir.into());
        self
    }

    /// The C++ standard of kernels that do not name one: `"c++17"`. Kernels in C do not look at it.
    pub fn std(mut self, std: impl Into<String>) -> Self {
        self.params.build.std = Some(std.into());
        self
    }

    /// Optimized or debug kernels; optimized if nothing is said (`debug` in dijitso).
    pub fn profile(mut self, profile: Profile) -> Self {
        self.params.build.profile = Some(profile);
        self
    }

    /// The processor to compile for; this one if nothing is said.
    pub fn cpu(mut self, cpu: Cpu) -> Self {
        self.params.build.cpu = Some(cpu);
        self
    }

    /// How long one compiler or linker may run; 600 s if nothing is said. Zero is refused by [`build`](Self::build).
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.params.build.timeout = Some(timeout);
        self
    }

    /// How many compilers may run at once, at least 1; if nothing is said, as many as there are cores that this
    /// process may use. Fewer run while memory is short.
    pub fn jobs(mut self, jobs: usize) -> Self {
        self.params.build.jobs = Some(jobs);
        self
    }

    /// Which ranks of a communicator build; if nothing is said, rank 0 for one kernel and all for several (`buildon` in
    /// dijitso's `create_comms_and_role`).
    pub fn build_on(mut self, strategy: BuildOn) -> Self {
        self.params.build.build_on = Some(strategy);
        self
    }

    /// A file for a trace: what was done for which kernel and when (generate, compile, link, publish, load, wait), as
    /// Perfetto (<https://ui.perfetto.dev>) and `chrome://tracing` show it. None if nothing is said. (`DIJITSO_TRACE` does the
    /// same to any program; dijitso has no counterpart.)
    ///
    /// `%r` in its name stands for the rank, `%p` for the process. Without these, what is done on a communicator goes to
    /// `<file>.<rank>`, and a process that finds the file in use by another one takes `<file>.<process>`. A trace
    /// whose program was killed can be read as far as it got.
    ///
    /// ```
    /// # fn main() -> dijitso::Result<()> {
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let spec = dijitso::spec!(extern "C" fn() -> i32, "five", (), || unsafe { dijitso::Source::new("int five() { return 5; }") });
    /// let file = dir.path().join("trace.json");
    /// let jit = dijitso::Jit::builder().trace(&file).cache_dir(dir.path().join("cache")).build()?;
    /// jit.load(&spec)?;
    /// assert!(std::fs::read_to_string(&file).unwrap().contains("\"compile\""));
    /// # Ok(()) }
    /// ```
    pub fn trace(mut self, file: impl Into<PathBuf>) -> Self {
        self.params.build.trace = Some(file.into());
        self
    }

    /// Whether disk hits run the generator all the same and fail with [`Error::Stale`] if the text is another one; no
    /// if nothing is said.
    pub fn check(mut self, check: bool) -> Self {
        self.params.generator.check = Some(check);
        self
    }

    /// Resolves the parameters, and looks whether the cache directory may be trusted. Nothing is created or
    /// started: the compiler is looked for when a kernel is wanted that is not part of the program.
    ///
    /// Without a cache directory, because nobody named one and `HOME` is not set, kernels are built in memory, with
    /// one warning.
    ///
    /// # Errors
    /// [`Error::Config`](crate::Error::Config) for a parameter that makes no sense, wherever it was set;
    /// [`Error::CacheDir`](crate::Error::CacheDir) for a directory that must not be trusted. A missing
    /// compiler, or one that refuses its flags, is no error here: kernels that are in the cache load without one.
    pub fn build(mut self) -> Result<Jit> {
        if let Some(words) = self.words.take() {
            self.params.build.cxx = Some(shlex::split(&words).ok_or_else(|| Error::Config {
                problem: format!("the compiler `{words}` has a quote without its partner"),
                origin: Origin::Builder.to_string(),
            })?);
        }
        Ok(Jit(Arc::new(Engine::new(self.params, Tables::new(&self.prebuilt))?)))
    }
}
