//! The traits, and a type's spelling in C++ and C.

#![allow(unsafe_code)] // The implementations are the claim that Rust and C++ agree.

use std::fmt::Write as _;
use std::sync::Arc;

use super::Language;
use super::layout::Layouts;
use super::scalar::Scalar;
use crate::signature::{Sign, Signer};

/// A type with the same size, alignment and meaning in Rust and in C++.
///
/// | Rust | C++ | C |
/// |---|---|---|
/// | `f32`, `f64` | `float`, `double` | the same |
/// | `i8` `i16` `i32` `i64` `isize` | `signed char` `short` `int` `long` `long` | the same |
/// | `u8` `u16` `u32` `u64` `usize` | `unsigned char` .. `unsigned long` (`std::size_t`) | the same |
/// | `bool` | `bool` | `_Bool` |
/// | [`CChar`](crate::CChar) | `char` | the same |
/// | [`CLongLong`](crate::CLongLong), [`CULongLong`](crate::CULongLong) | `long long`, `unsigned long long` | the same |
/// | [`Complex32`](crate::Complex32), [`Complex64`](crate::Complex64) | `std::complex<float>`, `std::complex<double>` | `float _Complex`, `double _Complex` |
/// | `*const T`, `*mut T` | `const T *`, `T *` | the same |
/// | `[T; N]` in a struct or behind a pointer | `T[N]` | the same |
/// | `extern "C" fn(..) -> R`, `Option` of it | `R (*)(..)` | the same |
/// | [`c_void`](std::ffi::c_void) behind a pointer | `void` | the same |
///
/// Derive it for your own structs: `#[derive(CxxType)] #[repr(C)]`. The definition is rendered into
/// the C++ text; size, alignment and offsets are asserted there. dijitso has no counterpart: it
/// hands out untyped pointers.
///
/// # Safety
///
/// The type's layout must be the one that [`expr`](Self::expr) describes, and any bytes that C++
/// may leave in such a place must be a valid value. Use the derive.
///
/// ```
/// fn spelled_in_cxx<T: dijitso::CxxType>() {}
/// spelled_in_cxx::<*const [f64; 3]>();
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no C++ counterpart",
    label = "not a C++ type",
    note = "use scalars, raw pointers, arrays, `extern \"C\"` function pointers, or your own `#[repr(C)]` structs \
            with `#[derive(dijitso::CxxType)]`"
)]
pub unsafe trait CxxType: 'static {
    #[doc(hidden)]
    fn expr(layouts: &mut Layouts) -> CxxExpr;
}

/// A [`CxxType`] that a kernel may take as an argument or return: everything but arrays and
/// `c_void`, which C++ passes by pointer only.
///
/// # Safety
///
/// As for [`CxxType`], and the type must be passed in calls as C++ passes it. Use the derive.
///
/// ```
/// fn passed<T: dijitso::CxxArgument>() {}
/// passed::<*const f64>();
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be an argument or the result of a kernel",
    label = "cannot be passed to C++",
    note = "pass scalars, raw pointers, `extern \"C\"` function pointers, or your own `#[repr(C)]` structs with \
            `#[derive(dijitso::CxxType)]`; for arrays, slices and vectors pass a pointer and a length"
)]
pub unsafe trait CxxArgument: CxxType {}

/// Plain data without pointers: what a kernel of safe type, `extern "C" fn(..)`, may take and
/// return.
///
/// Scalars, and derived structs of such. A kernel that follows pointers has the type
/// `unsafe extern "C" fn(..)`, because only its caller can know that they are valid.
///
/// # Safety
///
/// No bytes of the type are, or hold, an address. Implemented by the derive where it holds.
///
/// ```
/// fn plain<T: dijitso::ByValue>() {}
/// plain::<f64>();
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not plain by-value data, so a kernel that takes or returns it is not safe to call",
    label = "holds a pointer, or cannot be passed",
    note = "write the kernel's type as `unsafe extern \"C\" fn(..)`"
)]
pub unsafe trait ByValue {}

// SAFETY: there is nothing in it; it stands for `void` as a result.
unsafe impl ByValue for () {}

// SAFETY: an array holds what its items hold.
unsafe impl<T: ByValue, const N: usize> ByValue for [T; N] {}

// SAFETY: Rust and C++ lay arrays out alike.
unsafe impl<T: CxxType, const N: usize> CxxType for [T; N] {
    fn expr(layouts: &mut Layouts) -> CxxExpr {
        if N == 0 {
            layouts.problem("an array of length 0 has no C++ counterpart; leave it out".to_owned());
        }
        let of = T::expr(layouts);
        layouts.refuse_void(&of, "an array");
        CxxExpr::Array { of: Box::new(of), len: N }
    }
}

// SAFETY: only ever behind a pointer: `Layouts` refuses it as a field, and it is no `CxxArgument`.
unsafe impl CxxType for std::ffi::c_void {
    fn expr(_: &mut Layouts) -> CxxExpr {
        CxxExpr::Void
    }
}

macro_rules! pointers {
    ($($pointer:ty, $constant:literal;)*) => {$(
        // SAFETY: thin pointers (`T` is `Sized`) are one address in both languages, null included.
        unsafe impl<T: CxxType> CxxType for $pointer {
            fn expr(layouts: &mut Layouts) -> CxxExpr {
                CxxExpr::Pointer { to: Box::new(T::expr(layouts)), constant: $constant }
            }
        }

        // SAFETY: as above.
        unsafe impl<T: CxxType> CxxArgument for $pointer {}
    )*};
}
pointers! {
    *const T, true;
    *mut T, false;
}

/// A C++ type, as a tree.
#[doc(hidden)]
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum CxxExpr {
    Void,
    Scalar(&'static Scalar),
    /// `constant`: the pointee is `const`.
    Pointer {
        to: Box<CxxExpr>,
        constant: bool,
    },
    Array {
        of: Box<CxxExpr>,
        len: usize,
    },
    /// A pointer to a function.
    Function {
        args: Vec<CxxExpr>,
        ret: Box<CxxExpr>,
    },
    Struct(Arc<str>),
}

impl CxxExpr {
    /// The declaration of `declarator` with this type: `double (*x)[3]` for `x`.
    pub(crate) fn declare(&self, language: Language, declarator: &str) -> String {
        self.declaration(language, declarator.to_owned(), false, &|name| name.to_owned())
    }

    /// The declaration, with struct names rewritten by `rename` (to qualify them).
    pub(crate) fn declare_with(
        &self,
        language: Language,
        declarator: &str,
        rename: &dyn Fn(&str) -> String,
    ) -> String {
        self.declaration(language, declarator.to_owned(), false, rename)
    }

    /// C writes a declaration inside out: the declarator grows from the name, and what it finally
    /// meets is the innermost type.
    fn declaration(
        &self,
        language: Language,
        mut declarator: String,
        constant: bool,
        rename: &dyn Fn(&str) -> String,
    ) -> String {
        let base = match self {
            CxxExpr::Void => "void".to_owned(),
            CxxExpr::Scalar(scalar) => scalar.name(language).to_owned(),
            CxxExpr::Struct(name) => rename(name),
            CxxExpr::Pointer { to, constant: pointee } => {
                declarator.insert_str(0, if constant { "*const " } else { "*" });
                if matches!(**to, CxxExpr::Array { .. }) {
                    declarator = format!("({})", declarator.trim_end());
                }
                return to.declaration(language, declarator, *pointee, rename);
            }
            CxxExpr::Array { of, len } => {
                let _ = write!(declarator, "[{len}]");
                return of.declaration(language, declarator, constant, rename);
            }
            CxxExpr::Function { args, ret } => {
                let star = if constant { "*const " } else { "*" };
                let args = parameters(language, args, rename);
                let declarator = format!("({}{})({args})", star, declarator).replace("*const )", "*const)");
                return ret.declaration(language, declarator, false, rename);
            }
        };
        let constant = if constant { "const " } else { "" };
        let space = if declarator.is_empty() { "" } else { " " };
        format!("{constant}{base}{space}{declarator}").trim_end().to_owned()
    }

    /// The structs that must be complete before this type can be a member.
    pub(crate) fn held_by_value(&self) -> Option<&str> {
        match self {
            CxxExpr::Struct(name) => Some(name),
            CxxExpr::Array { of, .. } => of.held_by_value(),
            _ => None,
        }
    }

    /// Calls `visit` with every scalar of this type.
    pub(crate) fn scalars(&self, visit: &mut dyn FnMut(&'static Scalar)) {
        match self {
            CxxExpr::Void | CxxExpr::Struct(_) => {}
            CxxExpr::Scalar(scalar) => visit(scalar),
            CxxExpr::Pointer { to: of, .. } | CxxExpr::Array { of, .. } => of.scalars(visit),
            CxxExpr::Function { args, ret } => {
                args.iter().for_each(|arg| arg.scalars(visit));
                ret.scalars(visit);
            }
        }
    }
}

/// `double, const double *` (`void` for none in C, where `()` would mean "any").
pub(crate) fn parameters(language: Language, args: &[CxxExpr], rename: &dyn Fn(&str) -> String) -> String {
    if args.is_empty() && language == Language::C {
        return "void".to_owned();
    }
    let args: Vec<String> = args.iter().map(|arg| arg.declare_with(language, "", rename)).collect();
    args.join(", ")
}

impl Sign for CxxExpr {
    fn sign_type(signer: &mut Signer) {
        signer.type_named("CxxExpr", |_| {});
    }
    fn sign(&self, signer: &mut Signer) {
        match self {
            CxxExpr::Void => signer.variant("CxxExpr", "Void", |_| {}),
            CxxExpr::Scalar(scalar) => signer.variant("CxxExpr", "Scalar", |s| s.str(scalar.cxx)),
            CxxExpr::Pointer { to, constant } => signer.variant("CxxExpr", "Pointer", |s| {
                s.field("to", to);
                s.field("constant", constant);
            }),
            CxxExpr::Array { of, len } => signer.variant("CxxExpr", "Array", |s| {
                s.field("of", of);
                s.field("len", len);
            }),
            CxxExpr::Function { args, ret } => signer.variant("CxxExpr", "Function", |s| {
                s.field("args", args);
                s.field("ret", ret);
            }),
            CxxExpr::Struct(name) => signer.variant("CxxExpr", "Struct", |s| name.sign(s)),
        }
    }
}
