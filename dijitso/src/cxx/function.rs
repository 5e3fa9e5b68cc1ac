//! Function types: what a kernel takes and returns.

#![allow(unsafe_code)] // The implementations are the claim that Rust and C++ agree.

use std::fmt::Write as _;

use super::Language;
use super::layout::{Layouts, StructLayout};
use super::types::{ByValue, CxxArgument, CxxExpr, CxxType, parameters};
use crate::signature::{Sign, Signer};

/// The type of a kernel.
///
/// * `unsafe extern "C" fn(A, ..) -> R` with up to 15 arguments, where every `A` is a
///   [`CxxArgument`] and `R` is one too, or nothing;
/// * `extern "C" fn(A, ..) -> R`, safe to call, for [`ByValue`] data only;
/// * `()` for a kernel without an entry: a library of exported functions and data, reached through
///   `function` and `data`. dijitso's modules are of this kind.
///
/// # Safety
///
/// The implementation must describe the very ABI of the type. It is complete; there is nothing to
/// implement.
///
/// ```
/// fn kernel_type<F: dijitso::KernelFn>() {}
/// kernel_type::<unsafe extern "C" fn(n: usize, a: f64, x: *const f64, y: *mut f64)>();
/// kernel_type::<extern "C" fn(f64) -> f64>();
/// kernel_type::<()>();
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not the type of a kernel",
    label = "not a kernel's type",
    note = "write `unsafe extern \"C\" fn(..)` with at most 15 arguments (scalars, raw pointers, \
            `#[derive(dijitso::CxxType)]` structs; no references), `extern \"C\" fn(..)` for by-value data only, \
            or `()` for a kernel without an entry"
)]
pub unsafe trait KernelFn: Copy + Send + Sync + 'static {
    #[doc(hidden)]
    fn abi() -> Option<FnAbi>;

    /// # Safety
    ///
    /// At `address` is a function of this type (anything for `()`).
    #[doc(hidden)]
    unsafe fn from_address(address: *const ()) -> Self;
}

/// What a kernel may return: any [`CxxArgument`], or `()`.
///
/// # Safety
///
/// As for [`CxxArgument`].
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the result of a kernel",
    label = "cannot be returned from C++",
    note = "return a scalar, a raw pointer, a `#[derive(dijitso::CxxType)]` struct, or nothing"
)]
pub unsafe trait CxxReturn: 'static {
    fn result(layouts: &mut Layouts) -> CxxExpr;
}

// SAFETY: `void`.
unsafe impl CxxReturn for () {
    fn result(_: &mut Layouts) -> CxxExpr {
        CxxExpr::Void
    }
}

// SAFETY: passed and returned alike.
unsafe impl<T: CxxArgument> CxxReturn for T {
    fn result(layouts: &mut Layouts) -> CxxExpr {
        T::expr(layouts)
    }
}

/// A function's ABI: everything that C++ and Rust must agree on.
#[doc(hidden)]
#[derive(Debug, Clone, PartialEq)]
pub struct FnAbi {
    pub(crate) args: Vec<CxxExpr>,
    pub(crate) ret: CxxExpr,
    /// Each after those that it holds by value.
    pub(crate) structs: Vec<StructLayout>,
    /// Why this type cannot be rendered, in words.
    pub(crate) problems: Vec<String>,
}

impl FnAbi {
    fn collect(describe: impl FnOnce(&mut Layouts) -> (Vec<CxxExpr>, CxxExpr)) -> FnAbi {
        let mut layouts = Layouts::default();
        let (args, ret) = describe(&mut layouts);
        let (structs, problems) = layouts.finish();
        FnAbi { args, ret, structs, problems }
    }
}

impl FnAbi {
    /// The type in words, with the layout of its structs.
    pub(crate) fn summary(&self) -> String {
        let plain = |name: &str| name.to_owned();
        let args = parameters(Language::Cxx, &self.args, &plain);
        let mut text = self.ret.declare(Language::Cxx, &format!("({args})"));
        for layout in &self.structs {
            let _ = write!(text, "; {} {{", layout.name);
            for field in &layout.fields {
                let _ =
                    write!(text, " {} at {};", field.expr.declare(Language::Cxx, &field.name), field.offset);
            }
            let _ = write!(text, " }} of {} bytes, aligned to {}", layout.size, layout.align);
        }
        text
    }
}

impl Sign for FnAbi {
    fn sign_type(signer: &mut Signer) {
        signer.type_named("FnAbi", |_| {});
    }
    fn sign(&self, signer: &mut Signer) {
        signer.structure("FnAbi", |signer| {
            signer.field("args", &self.args);
            signer.field("ret", &self.ret);
            signer.field("structs", &self.structs);
        });
    }
}

// SAFETY: there is no entry, so nothing to describe and nothing to call.
unsafe impl KernelFn for () {
    fn abi() -> Option<FnAbi> {
        None
    }

    unsafe fn from_address(_: *const ()) -> Self {}
}

macro_rules! functions {
    ($(($($arg:ident)*))*) => {$(
        // SAFETY: the arguments and the result are described one by one, by their own types.
        unsafe impl<R: CxxReturn, $($arg: CxxArgument),*> KernelFn for unsafe extern "C" fn($($arg),*) -> R {
            fn abi() -> Option<FnAbi> {
                Some(FnAbi::collect(|_layouts| (vec![$($arg::expr(_layouts)),*], R::result(_layouts))))
            }

            unsafe fn from_address(address: *const ()) -> Self {
                // SAFETY: the caller promises a function of this type; both are one address.
                unsafe { std::mem::transmute::<*const (), Self>(address) }
            }
        }

        // SAFETY: as above; that calling it is safe is the promise of `Source::new`.
        unsafe impl<R: CxxReturn + ByValue, $($arg: CxxArgument + ByValue),*> KernelFn
            for extern "C" fn($($arg),*) -> R
        {
            fn abi() -> Option<FnAbi> {
                <unsafe extern "C" fn($($arg),*) -> R>::abi()
            }

            unsafe fn from_address(address: *const ()) -> Self {
                // SAFETY: as above.
                unsafe { std::mem::transmute::<*const (), Self>(address) }
            }
        }

        callbacks! { (unsafe extern "C" fn($($arg),*) -> R) $($arg)* }
        callbacks! { (extern "C" fn($($arg),*) -> R) $($arg)* }
    )*};
}

/// Function pointers as arguments and fields; `Option` for those that may be null.
macro_rules! callbacks {
    (($function:ty) $($arg:ident)*) => {
        // SAFETY: a function pointer is one address in both languages.
        unsafe impl<R: CxxReturn, $($arg: CxxArgument),*> CxxType for $function {
            fn expr(layouts: &mut Layouts) -> CxxExpr {
                let args = vec![$($arg::expr(layouts)),*];
                CxxExpr::Function { args, ret: Box::new(R::result(layouts)) }
            }
        }

        // SAFETY: as above.
        unsafe impl<R: CxxReturn, $($arg: CxxArgument),*> CxxArgument for $function {}

        // SAFETY: `None` is the null pointer, as Rust guarantees for function pointers.
        unsafe impl<R: CxxReturn, $($arg: CxxArgument),*> CxxType for Option<$function> {
            fn expr(layouts: &mut Layouts) -> CxxExpr {
                <$function>::expr(layouts)
            }
        }

        // SAFETY: as above.
        unsafe impl<R: CxxReturn, $($arg: CxxArgument),*> CxxArgument for Option<$function> {}
    };
}

functions! {
    ()
    (A)
    (A B)
    (A B C)
    (A B C D)
    (A B C D E)
    (A B C D E F)
    (A B C D E F G)
    (A B C D E F G H)
    (A B C D E F G H I)
    (A B C D E F G H I J)
    (A B C D E F G H I J K)
    (A B C D E F G H I J K L)
    (A B C D E F G H I J K L M)
    (A B C D E F G H I J K L M N)
    (A B C D E F G H I J K L M N O)
}
