//! Which Rust types are which C++ types: the ABI between a Rust program and its kernels.
//!
//! The type of a kernel is written once, in Rust. From it come the C++ declaration that the
//! generated function is checked against, and the part of the signature that makes a kernel with
//! another ABI another kernel. No token of a Rust type is ever read: all is found through traits, so
//! aliases and `cfg` work.

mod function;
mod layout;
mod scalar;
#[cfg(test)]
mod tests;
mod types;

use crate::signature::{Sign, Signer};

pub(crate) use function::FnAbi;
pub use function::KernelFn;
pub use layout::Layouts;
pub(crate) use layout::{StructLayout, is_identifier, is_name};
pub(crate) use scalar::Scalar;
pub use scalar::{CChar, CLongLong, CULongLong, Complex32, Complex64};
pub(crate) use types::parameters;
pub use types::{ByValue, CxxArgument, CxxExpr, CxxType};

/// The language of a source.
///
/// dijitso knows C++ only (it chooses by the ending of `src_postfix`).
///
/// ```
/// use dijitso::{Language, Source};
///
/// // SAFETY: returns its argument.
/// let source = unsafe { Source::<unsafe extern "C" fn(f64) -> f64>::new("double id(double x) { return x; }") };
/// let source = source.language(Language::C).std("c17");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Language {
    /// C++, from C++11 on.
    #[default]
    Cxx,
    /// C, from C11 on.
    C,
}

impl Language {
    /// `C++` or `C`, as messages name it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Language::Cxx => "C++",
            Language::C => "C",
        }
    }

    /// The ending of a source file, without the dot.
    pub(crate) fn extension(self) -> &'static str {
        match self {
            Language::Cxx => "cpp",
            Language::C => "c",
        }
    }
}

impl Sign for Language {
    fn sign_type(signer: &mut Signer) {
        signer.type_named("Language", |_| {});
    }
    fn sign(&self, signer: &mut Signer) {
        signer.variant("Language", self.name(), |_| {});
    }
}
