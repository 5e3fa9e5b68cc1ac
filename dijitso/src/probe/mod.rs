//! Typed questions to compilers, and answers that know what they depend on.
//!
//! What does this machine have, and which flags work? A [`Probes`] session answers: it asks compilers side by side,
//! puts many small questions into one text, and remembers every answer together with the files it rests on, the places
//! where nothing was, and the compiler's contents. A header that is installed, a compiler that is replaced, a variable
//! that is set: each asks anew exactly what it affects. A session in which nothing has changed starts no process.
//!
//! ```no_run
//! use dijitso::probe::{CompilerFlag, Function, Header, Language, Probes, Settings, Size};
//!
//! # fn main() -> dijitso::Result<()> {
//! let probes = Probes::builder().build()?;
//! let m = Settings::new().lib("m");
//! let (header, long, cosh, fma) = probes.ask_all((
//!     Header::new("unistd.h").in_language(Language::C),
//!     Size::new("long"),
//!     Function::new("cosh").with(&m),
//!     CompilerFlag::new("-mfma").defines("__FMA__"),
//! ));
//! println!("{} {:?} {} {}", header.is_yes(), long.yes(), cosh.is_yes(), fma.is_yes());
//! # Ok(()) }
//! ```
//!
//! BuildSystem puts the same questions with `checkCompile`, `checkLink`, `outputRun` and the modules `headers`,
//! `functions`, `libraries`, `types`, `programs` and `compilerFlags`, one after the other.

mod ask;
mod batch;
mod cmake;
mod control;
mod elsewhere;
mod fact;
mod fuse;
mod grounds;
mod job;
mod loaded;
mod memory;
mod need;
mod object;
mod pool;
mod probes;
mod questions;
mod session;
mod settings;
mod surroundings;
#[cfg(test)]
mod tests;
mod told;
mod trial;
mod verdict;

pub use batch::Launcher;
pub(crate) use batch::Progress;
pub use memory::Disagreement;
pub use probes::{Probes, ProbesBuilder};
pub use questions::{
    Align, All, CMakePackage, Compile, CompilerFlag, Constant, FirstOf, Found, FoundPackage, Function,
    Header, Library, Link, LinkerFlag, Macro, Mangling, Member, Naming, Preprocess, Program, Question,
    Questions, Ran, Run, Size, Symbol, Type,
};
pub(crate) use questions::{Note, compare_versions};
pub use settings::Settings;
pub(crate) use verdict::first_error;
pub use verdict::{Reason, Verdict};

pub use crate::toolchain::Language;
