//! `Jit`: from a kernel spec to a loaded kernel, through memory, the disk cache and the compiler.
//!
//! The way of one kernel: [`Jit::load`] looks into the memory table and the prebuilt kernels; [`batch`] takes what
//! is not there; [`lookup`] asks the disk, [`sites`] the site caches; the spec's generator runs; [`engine`] prepares
//! the unit; `compile` builds it; [`publish`] names, seals, stores and loads it.

mod batch;
mod builder;
mod cached;
mod check;
mod derived;
mod engine;
mod export;
mod facts;
mod failures;
mod flags;
mod flight;
mod held;
mod lookup;
mod luggage;
mod memory;
mod needed;
mod opening;
mod outdated;
mod publish;
mod received;
mod sealed;
mod sites;
mod specs;
#[cfg(test)]
mod tests;
mod together;
mod upkeep;

use std::path::Path;
use std::sync::Arc;

pub use builder::JitBuilder;
pub use specs::Specs;

use crate::cache::{Bound, Cache};
use crate::config::settings::{Setting, settings};
use crate::cxx::KernelFn;
use crate::error::Result;
use crate::kernel::{Kernel, Loaded};
use crate::report::KernelOrigin;
use crate::source::{AnySpec, KernelSpec};
use crate::stats::Stats;
use batch::{Batch, Beforehand};
pub(crate) use derived::Derivation;
pub(crate) use engine::Engine;
pub(crate) use facts::{Facts, Packed};
pub(crate) use flags::Flags;
pub(crate) use flight::is_generating;
pub(crate) use lookup::{Found, Whose};
pub(crate) use luggage::Luggage;
pub(crate) use memory::claim;
pub(crate) use received::Place;
pub(crate) use sealed::combined;

/// What became of one spec.
pub(crate) type Outcome = Result<(Arc<Loaded>, KernelOrigin)>;

/// Loads kernels: from memory, from the cache, or by compiling them.
///
/// A `Jit` is a handle: clones share one memory table, one set of counters and one configuration, and
/// may be used from any thread. dijitso's counterpart is the function `jit` with its parameter sets.
///
/// ```no_run
/// # fn main() -> dijitso::Result<()> {
/// # type F = unsafe extern "C" fn(f64) -> f64;
/// # let spec = dijitso::spec!(F, "twice", (), || unsafe { dijitso::Source::new("double twice(double x) { return 2 * x; }") });
/// let jit = dijitso::Jit::builder().build()?;
/// let twice = jit.load(&spec)?;
/// // SAFETY: `twice` takes any number.
/// assert_eq!(unsafe { twice.call(21.0) }, 42.0);
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct Jit(Arc<Engine>);

impl Jit {
    /// A builder with everything at its default.
    ///
    /// ```no_run
    /// # fn main() -> dijitso::Result<()> {
    /// let jit = dijitso::Jit::builder().profile(dijitso::Profile::Debug).build()?;
    /// # Ok(()) }
    /// ```
    pub fn builder() -> JitBuilder {
        JitBuilder::default()
    }

    /// Loads one kernel: memory, then the kernels that are part of the program, then the cache, then site caches, then
    /// generating and compiling it.
    ///
    /// Blocks until the kernel is there. Other threads and processes that want the same kernel at the
    /// same time share the work. dijitso calls this `jit`.
    ///
    /// # Errors
    /// Whatever stands in the way, see [`Error`](crate::Error); nothing is left half done.
    ///
    /// ```
    /// # fn main() -> dijitso::Result<()> {
    /// # let cache = tempfile::tempdir().unwrap();
    /// # type Twice = extern "C" fn(f64) -> f64;
    /// # let spec = dijitso::spec!(Twice, "twice", (), || unsafe { dijitso::Source::new("double twice(double x) { return 2 * x; }") });
    /// let jit = dijitso::Jit::builder().cache_dir(cache.path()).build()?;
    /// assert_eq!(jit.load(&spec)?.call(21.0), 42.0);
    /// # Ok(()) }
    /// ```
    pub fn load<F: KernelFn>(&self, spec: &KernelSpec<F>) -> Result<Kernel<F>> {
        let any = spec.any();
        let acting = self.0.acting();
        let engine = acting.as_ref().unwrap_or(&self.0);
        let (loaded, origin) = match engine.held(any)? {
            Some(held) => held,
            None => engine.load_others(&[any]).pop().unwrap_or_else(|| Err(batch::lost(any)))?,
        };
        Ok(Kernel::new(loaded, origin))
    }

    /// Loads many kernels at once, with compilers side by side: an array, slice or vector of specs of
    /// one type, or a tuple of references to specs of different types.
    ///
    /// # Errors
    /// The first failure in the order of the request (as [`Error::Batch`](crate::Error::Batch) if there were
    /// more); the other kernels are built and cached all the same. In a [sealed](JitBuilder::sealed) program
    /// [`Error::Sealed`](crate::Error::Sealed), which lists all kernels that are missing.
    ///
    /// ```no_run
    /// # type F = unsafe extern "C" fn(f64) -> f64;
    /// # type G = extern "C" fn() -> i32;
    /// # use dijitso::Source;
    /// # fn scale(a: u32) -> dijitso::KernelSpec<F> {
    /// #     dijitso::spec!(F, "scale", a, move || unsafe { Source::new(format!("double scale(double x) {{ return {a} * x; }}")) })
    /// # }
    /// # fn count() -> dijitso::KernelSpec<G> { dijitso::spec!(G, "count", (), || unsafe { Source::new("int count() { return 3; }") }) }
    /// # fn main() -> dijitso::Result<()> {
    /// let jit = dijitso::Jit::builder().build()?;
    /// let scales = jit.load_all(&[scale(1), scale(2), scale(3)])?;
    /// let (two, counter) = jit.load_all((&scale(2), &count()))?;
    /// # Ok(()) }
    /// ```
    pub fn load_all<S: Specs>(&self, specs: S) -> Result<S::Kernels> {
        let any = specs.any();
        let acting = self.0.acting();
        let mut outcomes = acting.as_ref().unwrap_or(&self.0).load_any(&any).into_iter();
        let mut loaded = Vec::with_capacity(any.len());
        let mut errors = Vec::new();
        for outcome in &mut outcomes {
            match outcome {
                Ok(kernel) => loaded.push(kernel),
                Err(error) => errors.push(error),
            }
        }
        match sealed::combined(errors) {
            None => Ok(specs.kernels(loaded)),
            Some(error) => Err(error),
        }
    }

    /// What this `Jit` and its clones did so far, counted.
    ///
    /// ```no_run
    /// # fn main() -> dijitso::Result<()> {
    /// let jit = dijitso::Jit::builder().build()?;
    /// assert_eq!(jit.stats().compiled, 0);
    /// # Ok(()) }
    /// ```
    pub fn stats(&self) -> Stats {
        self.0.counters.snapshot()
    }

    /// The cache directory (dijitso's `cache_dir`), whether or not it exists. A path where nothing can be, if nobody
    /// named one and `HOME` is not set.
    ///
    /// ```
    /// # fn main() -> dijitso::Result<()> {
    /// # let cache = tempfile::tempdir().unwrap();
    /// let jit = dijitso::Jit::builder().cache_dir(cache.path()).build()?;
    /// assert_eq!(jit.cache_dir(), cache.path());
    /// # Ok(()) }
    /// ```
    pub fn cache_dir(&self) -> &Path {
        &self.0.config.cache.root.value
    }

    /// The parameters that are in force, each with who set it.
    ///
    /// dijitso: what `validate_params` returns; `dijitso config` shows it.
    ///
    /// ```no_run
    /// # fn main() -> dijitso::Result<()> {
    /// for setting in dijitso::Jit::builder().cxxflag("-g").build()?.settings() {
    ///     println!("{setting}"); // build.cxxflags = -g (builder)
    /// }
    /// # Ok(()) }
    /// ```
    pub fn settings(&self) -> Vec<Setting> {
        settings(&self.0.config)
    }

    /// The cache directory, to look into: what is there, from what it was made, how large it is.
    ///
    /// ```no_run
    /// # fn main() -> dijitso::Result<()> {
    /// let jit = dijitso::Jit::builder().build()?;
    /// println!("{} kernels", jit.cache().entries().count());
    /// # Ok(()) }
    /// ```
    pub fn cache(&self) -> Cache {
        let cache = &self.0.config.cache;
        let bound = Bound { size: cache.max_size.value, files: cache.max_files.value };
        Cache::of(self.cache_dir(), cache.network.value, bound)
    }

    /// The kernel, if it is loaded, or part of the program, or in the cache and everything that it was made from still
    /// holds, or in a site cache. Nothing is generated (unless checking is on), nothing compiled, and nobody waited for.
    ///
    /// dijitso calls this `lookup_lib` (and `load_library` for what is on disk).
    ///
    /// # Errors
    /// A kernel that is there and cannot be used: [`Error::Load`](crate::Error::Load),
    /// [`Error::TooManyLibraries`](crate::Error::TooManyLibraries),
    /// [`Error::Collision`](crate::Error::Collision), [`Error::Stale`](crate::Error::Stale).
    ///
    /// ```
    /// # fn main() -> dijitso::Result<()> {
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let jit = dijitso::Jit::builder().cache_dir(dir.path().join("cache")).build()?;
    /// # let spec = dijitso::spec!(extern "C" fn() -> i32, "three", (), || unsafe { dijitso::Source::new("int three() { return 3; }") });
    /// assert!(jit.lookup(&spec)?.is_none());
    /// jit.load(&spec)?;
    /// assert_eq!(jit.lookup(&spec)?.map(|kernel| kernel.call()), Some(3));
    /// # Ok(()) }
    /// ```
    pub fn lookup<F: KernelFn>(&self, spec: &KernelSpec<F>) -> Result<Option<Kernel<F>>> {
        let any = spec.any();
        let acting = self.0.acting();
        let engine = acting.as_ref().unwrap_or(&self.0);
        if let Some((loaded, origin)) = engine.held(any)? {
            return Ok(Some(Kernel::new(loaded, origin)));
        }
        let found = engine.look_only(any)?;
        Ok(found.map(|(loaded, origin)| {
            engine.flights.loaded(any, loaded.content);
            Kernel::new(loaded, origin)
        }))
    }

    /// What clones share.
    pub(crate) fn engine(&self) -> &Arc<Engine> {
        &self.0
    }
}

impl Engine {
    pub(crate) fn load_any(&self, specs: &[&AnySpec]) -> Vec<Outcome> {
        if self.prebuilt.is_empty() {
            return self.load_others(specs);
        }
        let prebuilt = |spec: &&AnySpec| match self.memory.get(spec) {
            Ok(None) => self.part_of_program(spec).transpose(),
            // The batch counts it, or reports it.
            _ => None,
        };
        let found: Vec<Option<Result<Arc<Loaded>>>> = specs.iter().map(prebuilt).collect();
        let others: Vec<&AnySpec> =
            specs.iter().zip(&found).filter(|(_, found)| found.is_none()).map(|(spec, _)| *spec).collect();
        let mut others = self.load_others(&others).into_iter();
        let outcome = |(spec, found): (&&AnySpec, Option<Result<Arc<Loaded>>>)| match found {
            Some(found) => found.map(|loaded| (loaded, KernelOrigin::Prebuilt)),
            None => others.next().unwrap_or_else(|| Err(batch::lost(spec))),
        };
        specs.iter().zip(found).map(outcome).collect()
    }

    fn load_others(&self, specs: &[&AnySpec]) -> Vec<Outcome> {
        let _acting = self.act();
        let outcomes = Batch::load(self, specs, Beforehand::default());
        self.note_loads(specs, &outcomes);
        self.upkeep();
        outcomes
    }
}
