//! Ahead of time: compiling kernels in `build.rs`, to become part of the crate.
//!
//! The specs, the generators and the rendered texts are those of the engine; the compiler and its target are
//! those that cargo is building for, as the `cc` crate finds them. [`plan`] runs the generators; [`compiler`]
//! says how to compile; [`shelf`] knows what need not be compiled again, and [`searched`] which headers must not appear;
//! [`side_by_side`] runs the rest; [`symbols`] gives every kernel names of its own; [`archive`] and [`table`] are what the crate is built with.

mod archive;
mod cargo;
mod compiler;
mod jobserver;
mod merge;
mod object;
mod plan;
mod searched;
mod shelf;
mod side_by_side;
mod symbols;
mod table;

use std::borrow::Borrow;
use std::path::PathBuf;
use std::sync::Arc;

use crate::cxx::KernelFn;
use crate::error::{Error, Result};
use crate::source::{AnySpec, KernelSpec};
use cargo::Cargo;
use compiler::Compilers;
use plan::Plan;
use shelf::Shelf;

/// Compiles kernels in `build.rs`, for [`include_prebuilt!`](crate::include_prebuilt).
///
/// A kernel is found at run time by its spec, so `build.rs` and the crate must declare it with the same
/// function: share the module of the generators by `#[path]`, or put them into a crate that both depend on.
/// See [the guide](crate::guide::ahead_of_time). dijitso (Python) has no counterpart.
///
/// ```no_run
/// // build.rs
/// mod kernels {
/// #   use dijitso::Source;
/// #   pub type Scale = extern "C" fn(f64) -> f64;
///     #[dijitso::kernel]
///     pub fn scale(factor: u32) -> Source<Scale> {
///         // SAFETY: arithmetic only.
///         unsafe { Source::new(format!("double scale(double x) {{ return {factor} * x; }}")) }
///     }
/// }
///
/// fn main() {
///     dijitso::prebuild().kernels([2, 4, 8].map(kernels::scale)).compile("demo-kernels");
/// }
/// ```
pub fn prebuild() -> Prebuild {
    Prebuild::default()
}

/// What `build.rs` is to compile, and how; made by [`prebuild`].
///
/// The compiler, the optimization level and the flags of the environment are cargo's and those of the `cc`
/// crate: `CXX`, `CXXFLAGS`, `CC`, `CFLAGS`, `AR`, `CXXSTDLIB` and their forms for one target
/// (`CXX_aarch64_unknown_linux_gnu`). To these, `-fno-math-errno -fno-trapping-math` are added where the
/// profile optimizes, as the engine's default profile does. The configuration of the engine (`DIJITSO_..`,
/// `config.toml`) is not looked at: a build must not depend on who runs it.
///
/// ```no_run
/// # type F = extern "C" fn(f64) -> f64;
/// # fn axpy(n: u32) -> dijitso::KernelSpec<F> { dijitso::spec!(F, "axpy", n, || unsafe { dijitso::Source::new("") }) }
/// dijitso::prebuild()
///     .kernel(axpy(1))
///     .kernels([2, 4, 8].map(axpy))
///     .std("c++17")
///     .flag("-ffp-contract=off")
///     .cpu(["x86-64", "x86-64-v3", "x86-64-v4"])
///     .compile("demo-kernels");
/// ```
#[derive(Debug, Clone, Default)]
#[must_use = "call `.compile(name)`"]
pub struct Prebuild {
    specs: Vec<AnySpec>,
    flags: Vec<String>,
    include_dirs: Vec<PathBuf>,
    std: Option<String>,
    cpus: Vec<String>,
}

impl Prebuild {
    /// One kernel more. The same one again, from the same generator, is compiled once.
    pub fn kernel<F: KernelFn>(mut self, spec: impl Borrow<KernelSpec<F>>) -> Self {
        self.specs.push(spec.borrow().any().clone());
        self
    }

    /// Many kernels of one type: whatever can be iterated over, of specs or of references to them.
    pub fn kernels<F, I>(mut self, specs: I) -> Self
    where
        F: KernelFn,
        I: IntoIterator,
        I::Item: Borrow<KernelSpec<F>>,
    {
        self.specs.extend(specs.into_iter().map(|spec| spec.borrow().any().clone()));
        self
    }

    /// One more flag for the compiler, one word a call. It comes before those of the environment, which are the
    /// user's, and before the kernel's own.
    pub fn flag(mut self, flag: impl Into<String>) -> Self {
        self.flags.push(flag.into());
        self
    }

    /// One more directory for headers, searched after the kernels' own. A relative one is below the package's
    /// directory.
    pub fn include_dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.include_dirs.push(dir.into());
        self
    }

    /// The C++ standard of kernels that do not name one: `"c++17"`.
    pub fn std(mut self, std: impl Into<String>) -> Self {
        self.std = Some(std.into());
        self
    }

    /// The processors to compile for: `"x86-64"`, `"x86-64-v3"`, `"haswell"`, or whatever the compiler knows
    /// (`-march=`, on aarch64 `-mcpu=`). Every kernel is compiled once for each; a program takes the most
    /// demanding form that runs on its machine. If nothing is said: what the environment's flags say, else any
    /// processor of the target.
    pub fn cpu<C: Into<String>>(mut self, cpus: impl IntoIterator<Item = C>) -> Self {
        for cpu in cpus.into_iter().map(Into::into) {
            if !self.cpus.contains(&cpu) {
                self.cpus.push(cpu);
            }
        }
        self
    }

    /// Compiles everything and writes what [`include_prebuilt!`](crate::include_prebuilt) includes. `name` is what
    /// the archive is called: letters, digits, `_` and `-`.
    ///
    /// To be called once in a `build.rs`. If anything fails it prints what, each compiler's own text first, and
    /// ends the process.
    pub fn compile(self, name: &str) {
        let made = Cargo::of_build_script(name).map_err(|error| vec![error]).and_then(|cargo| {
            self.make(&cargo)?;
            print!("{}", cargo.told());
            Ok(())
        });
        if let Err(errors) = made {
            cargo::fail(&errors);
        }
    }

    /// The same, for those who want to go on after a failure: [`include_prebuilt!`](crate::include_prebuilt) then
    /// includes a table without kernels, unless another attempt succeeds.
    ///
    /// # Errors
    /// The first failure in the order of the kernels, as [`Error::Batch`] if there were more.
    ///
    /// ```no_run
    /// # let kernels = dijitso::prebuild();
    /// if let Err(error) = kernels.try_compile("demo-kernels") {
    ///     println!("cargo::warning=without prebuilt kernels: {error}");
    /// }
    /// ```
    pub fn try_compile(self, name: &str) -> Result<()> {
        let cargo = Cargo::of_build_script(name)?;
        let made = self.make(&cargo).or_else(|errors| {
            // Not the kernels of an earlier run, which may be others.
            table::write_without_kernels(&cargo).map_err(|error| vec![error])?;
            cargo.may_try_again();
            Err(errors)
        });
        // The script goes on in any case, so cargo has to know when to run it again.
        print!("{}", cargo.told());
        made.map_err(|errors| {
            let others = errors.len().saturating_sub(1);
            match errors.into_iter().next() {
                Some(first) if others > 0 => Error::Batch { first: Arc::new(first), others },
                Some(only) => only,
                None => cargo::misused("nothing failed and nothing was made; please report this as a bug"),
            }
        })
    }

    fn make(&self, cargo: &Cargo) -> Result<(), Vec<Error>> {
        cargo.rerun_for_environment();
        let plan = Plan::new(&self.specs)?;
        let mut compilers = Compilers::new(cargo, self);
        let shelf = Shelf::new(cargo);
        let objects = side_by_side::objects(cargo, &plan, &mut compilers, &shelf)?;
        let linked = symbols::separate(cargo, &plan, &compilers, &shelf, objects)?;
        let libraries = archive::write(cargo, &plan, &compilers, &linked)?;
        table::write(cargo, &plan, &libraries, &linked).map_err(|error| vec![error])?;
        shelf.remove_others(&linked);
        Ok(())
    }
}
