//! The scalar types, and those that Rust has no type of its own for.

#![allow(unsafe_code)] // The implementations are the claim that Rust and C++ agree.

use super::Language;
use super::layout::Layouts;
use super::types::{ByValue, CxxArgument, CxxExpr, CxxType};
use crate::signature::{Sign, Signer};

/// The names of one scalar type.
#[doc(hidden)]
#[derive(Debug, PartialEq)]
pub struct Scalar {
    pub(crate) cxx: &'static str,
    pub(crate) c: &'static str,
    /// The C++ header that defines it.
    pub(crate) include: Option<&'static str>,
    pub(crate) size: usize,
}

impl Scalar {
    pub(crate) fn name(&self, language: Language) -> &'static str {
        match language {
            Language::Cxx => self.cxx,
            Language::C => self.c,
        }
    }
}

macro_rules! scalars {
    ($($type:ident $cxx:literal $c:literal $include:expr;)*) => {$(
        // SAFETY: on every supported target (64-bit Linux) the two types have the same size,
        // alignment, values and place in a call; the sizes are asserted in the rendered text.
        unsafe impl CxxType for $type {
            fn expr(_: &mut Layouts) -> CxxExpr {
                static SCALAR: Scalar =
                    Scalar { cxx: $cxx, c: $c, include: $include, size: size_of::<$type>() };
                CxxExpr::Scalar(&SCALAR)
            }
        }

        // SAFETY: as above.
        unsafe impl CxxArgument for $type {}

        // SAFETY: numbers only.
        unsafe impl ByValue for $type {}
    )*};
}

scalars! {
    bool "bool" "_Bool" None;
    f32 "float" "float" None;
    f64 "double" "double" None;
    i8 "signed char" "signed char" None;
    i16 "short" "short" None;
    i32 "int" "int" None;
    i64 "long" "long" None;
    isize "long" "long" None;
    u8 "unsigned char" "unsigned char" None;
    u16 "unsigned short" "unsigned short" None;
    u32 "unsigned int" "unsigned int" None;
    u64 "unsigned long" "unsigned long" None;
    usize "unsigned long" "unsigned long" None;
    CChar "char" "char" None;
    CLongLong "long long" "long long" None;
    CULongLong "unsigned long long" "unsigned long long" None;
    Complex32 "std::complex<float>" "float _Complex" Some("<complex>");
    Complex64 "std::complex<double>" "double _Complex" Some("<complex>");
}

/// C++'s `char`, which is neither `signed char` nor `unsigned char`: use it behind pointers to
/// text, as in `*const CChar` for `const char *`.
///
/// ```
/// type Print = unsafe extern "C" fn(text: *const dijitso::CChar);
/// let text = c"hello";
/// let pointer = text.as_ptr().cast::<dijitso::CChar>();
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[repr(transparent)]
pub struct CChar(pub std::ffi::c_char);

/// C++'s `long long`, which differs from `long` (Rust's `i64`) as a type, not in size.
///
/// ```
/// assert_eq!(dijitso::CLongLong(3).0 + 1, 4);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[repr(transparent)]
pub struct CLongLong(pub i64);

/// C++'s `unsigned long long`, which differs from `unsigned long` (Rust's `u64`) as a type, not in
/// size.
///
/// ```
/// assert_eq!(dijitso::CULongLong(3).0 + 1, 4);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[repr(transparent)]
pub struct CULongLong(pub u64);

macro_rules! complex {
    ($($name:ident $real:ident $cxx:literal $c:literal;)*) => {$(
        #[doc = concat!("C++'s `", $cxx, "`, C's `", $c, "`: the real part, then the imaginary part.")]
        ///
        /// Laid out as in `num_complex`, so slices of one can be cast to the other.
        ///
        /// ```
        #[doc = concat!("let i = dijitso::", stringify!($name), " { re: 0.0, im: 1.0 };")]
        /// assert_eq!(i.im, 1.0);
        /// ```
        #[derive(Debug, Clone, Copy, PartialEq, Default)]
        #[repr(C)]
        pub struct $name {
            /// The real part.
            pub re: $real,
            /// The imaginary part.
            pub im: $real,
        }

        impl Sign for $name {
            fn sign_type(signer: &mut Signer) {
                signer.type_named(stringify!($name), |_| {});
            }
            fn sign(&self, signer: &mut Signer) {
                signer.structure(stringify!($name), |signer| {
                    signer.field("re", &self.re);
                    signer.field("im", &self.im);
                });
            }
        }
    )*};
}
complex! {
    Complex32 f32 "std::complex<float>" "float _Complex";
    Complex64 f64 "std::complex<double>" "double _Complex";
}
