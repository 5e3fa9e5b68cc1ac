//! Configuring a project: modules that find out what a machine has, and everything that is written from it.
//!
//! A configuration is a graph of [`Module`]s. Each is a Rust type whose fields are its results; it asks
//! [questions](crate::probe), requires other modules by type, and says what is to be written: macros, Make variables,
//! cargo's directives, constants. Answers are remembered with what they depend on, so a second run with nothing changed
//! starts no process, and a compiler that was upgraded is asked again.
//!
//! ```no_run
//! use dijitso::configure::{Configure, Cx, Failed, Module, Mpi, Options};
//! use dijitso::probe::Size;
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Serialize, Deserialize)]
//! struct Demo { index_bytes: u64 }
//!
//! impl Module for Demo {
//!     const NAME: &'static str = "demo";
//!
//!     fn options(options: &mut Options) {
//!         options.of::<Mpi>();
//!     }
//!
//!     fn configure(cx: &Cx<'_>) -> Result<Demo, Failed> {
//!         let mpi = cx.require::<Mpi>()?;
//!         cx.settings(None, &mpi.settings);
//!         let index_bytes = cx.need(&Size::new("ptrdiff_t").after("stddef.h"))?;
//!         cx.define("SIZEOF_INDEX", index_bytes.to_string(), "bytes of an index");
//!         Ok(Demo { index_bytes })
//!     }
//! }
//!
//! # fn main() -> Result<(), Failed> {
//! let configuration = Configure::new("Demo").with::<Demo>().dir("build").run()?;
//! configuration.write_header("demo_config.h")?;
//! configuration.write_make_macros("demo_variables")?;
//! configuration.cargo().iter().for_each(|line| println!("{line}"));
//! # Ok(()) }
//! ```
//!
//! BuildSystem: `config.framework.Framework` and `config.base.Configure`.

mod builder;
mod compilers;
mod configuration;
mod conflict;
mod cx;
mod emit;
mod failed;
mod flags;
mod framework;
mod launchers;
mod log;
mod macro_value;
mod module;
mod modules;
mod options;
mod outputs;
mod packages;
mod record;
#[cfg(test)]
mod tests;
mod watched;

pub use builder::Configure;
pub use configuration::Configuration;
pub use conflict::Conflict;
pub use cx::Cx;
pub use failed::{Failed, FailureKind};
pub use flags::{Flags, GivenFlag, Stage};
pub use macro_value::MacroValue;
pub use module::{Child, Module, Order};
pub use modules::KernelCompiler;
pub use options::{Auto, Download, Opt, OptionValue, Options};
pub use packages::{Blas, BuildWith, Candidates, Mpi, OpenMp, PackageOptions, Recipe, Threads};
