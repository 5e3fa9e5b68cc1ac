//! From a declaration to a translation unit.
//!
//! A [`KernelSpec`] is declared with a generator; called on a miss, the generator returns a
//! [`Source`]; checked, that becomes [`Parts`]; and [`render`] makes the files that are compiled.

mod any;
mod check;
mod generated;
mod lines;
mod parts;
mod render;
pub(crate) mod scan;
#[allow(clippy::module_inception)]
mod source;
mod spec;
mod structs;
#[cfg(test)]
mod tests;
mod text;

pub(crate) use any::{AnySpec, GeneratorId};
pub(crate) use parts::{Parts, reaches};
pub(crate) use render::{Rendered, render};

pub use crate::cxx::Language;
pub use generated::Generated;
pub use source::Source;
pub use spec::{Declaration, KernelSpec};
pub use text::Text;
