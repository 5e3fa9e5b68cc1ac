//! The macros of the [`dijitso`](https://docs.rs/dijitso) crate, which re-exports them; use them from
//! there.
//!
//! Each finds the runtime under the path `::dijitso`. A crate that renames dijitso, or a library that
//! re-exports it, says `crate = its::path`: `#[kernel(crate = my_lib::dijitso)]`,
//! `#[sign(crate = ..)]`, `#[cxx(crate = ..)]`.

#![forbid(unsafe_code)]

mod cxx;
mod cxx_type;
mod generics;
mod kernel;
mod krate;
mod names;
mod report;
mod settings;
mod sign;
mod tokens;

use proc_macro::TokenStream;

/// Turns a function that writes C++ (a generator) into one that declares a kernel.
///
/// The function returns `Source<F>`, or `Result<Source<F>, E>` with an error that prints. Seen from
/// outside it takes the same arguments and returns a `KernelSpec<F>`: calling it generates nothing;
/// the function's own text runs when the kernel is loaded and no cache has it. In dijitso this pair
/// is the `name`, `params` and `generate` arguments of `jit`.
///
/// ```
/// use dijitso::{Sign, Source};
///
/// /// `y += a * x` over `n` elements.
/// pub type Axpy = unsafe extern "C" fn(n: usize, a: f64, x: *const f64, y: *mut f64);
///
/// #[derive(Clone, Copy, Sign)]
/// pub enum Loop {
///     Plain,
///     Unrolled(u32),
/// }
///
/// #[dijitso::kernel]
/// pub fn axpy(shape: Loop) -> Source<Axpy> {
///     let unroll = match shape {
///         Loop::Plain => String::new(),
///         Loop::Unrolled(times) => format!("#pragma GCC unroll {times}"),
///     };
///     let text = format!(
///         "void axpy(std::size_t n, double a, const double *x, double *y) {{
///              {unroll}
///              for (std::size_t i = 0; i < n; ++i) y[i] += a * x[i];
///          }}"
///     );
///     // SAFETY: reads x[..n], writes y[..n], keeps no state.
///     unsafe { Source::new(text) }.include("<cstddef>")
/// }
///
/// let spec: dijitso::KernelSpec<Axpy> = axpy(Loop::Unrolled(8));
/// assert_eq!(spec.description(), "axpy(Unrolled(8))");
/// assert_ne!(spec.signature(), axpy(Loop::Plain).signature());
/// ```
///
/// # Arguments of the attribute
///
/// | written | meaning | if left out |
/// |---|---|---|
/// | `name = "axpy"` | the kernel's name, and its C++ function's | the Rust function's name |
/// | `version = 2` | counts changes that the function's own text does not show, such as in what it calls | 0 |
/// | `crate = path` | where the runtime crate is | `::dijitso` |
///
/// # What the function may be
///
/// Each argument's type is `Sign`, `Clone`, `Send`, `Sync` and `'static`: its value is part of the
/// kernel's identity, and it is kept until the kernel is needed. So arguments are owned (`Vec`,
/// `String`, `Arc`), at most 16, with any patterns. Generic parameters, `self`, `async`, `const`,
/// `unsafe`, `extern` and `impl Trait` are refused with the reason. Attributes, visibility and
/// documentation stay; `#[cfg(..)]` works.
///
/// # Identity
///
/// The function's text (arguments, return type, body; without comments, documentation and spaces) is
/// part of the signature, so a changed generator is another kernel.
#[proc_macro_attribute]
pub fn kernel(attribute: TokenStream, item: TokenStream) -> TokenStream {
    kernel::kernel(attribute.into(), item.into()).into()
}

/// Implements `Sign` for a struct or an enum, so that it can be an argument of a generator.
///
/// The type's name, the names of fields and variants, every value and the generic arguments enter
/// the signature: a renamed field is another kernel, and so is another type with the same bits.
///
/// ```
/// use dijitso::{Sign, Signer};
///
/// #[derive(Sign)]
/// struct Element<T, const DEGREE: usize> {
///     cell: Cell,
///     points: Vec<T>,
/// }
///
/// #[derive(Sign)]
/// enum Cell {
///     Interval,
///     Simplex { dimension: u32 },
/// }
///
/// fn signature(value: &impl Sign) -> dijitso::Signature {
///     let mut signer = Signer::new("example");
///     value.sign(&mut signer);
///     signer.finish()
/// }
///
/// let linear = Element::<f64, 1> { cell: Cell::Simplex { dimension: 2 }, points: vec![] };
/// let quadratic = Element::<f64, 2> { cell: Cell::Simplex { dimension: 2 }, points: vec![] };
/// assert_ne!(signature(&linear), signature(&quadratic));
/// assert_ne!(signature(&Cell::Interval), signature(&Cell::Simplex { dimension: 1 }));
/// ```
///
/// Every type parameter must be `Sign`. A field whose type is not, such as a `HashMap`, is an error
/// at that field. `#[sign(crate = path)]` on the type says where the runtime crate is.
#[proc_macro_derive(Sign, attributes(sign))]
pub fn derive_sign(item: TokenStream) -> TokenStream {
    sign::derive(item.into()).into()
}

/// Implements `CxxType` for a `#[repr(C)]` struct, so that kernels can take, return and point to it.
///
/// The struct's definition is written into the C++ text of every kernel that uses it, and the C++
/// compiler asserts size, alignment and the place of every field. A struct without pointers is also
/// `ByValue`: a kernel of safe type may take and return it.
///
/// ```
/// use dijitso::{CxxType, Source};
///
/// #[derive(Clone, Copy, CxxType)]
/// #[repr(C)]
/// struct Point {
///     x: f64,
///     y: f64,
/// }
///
/// #[derive(CxxType)]
/// #[repr(C)]
/// #[cxx(name = "Mesh")]
/// struct MeshView {
///     points: *const Point,
///     len: usize,
///     #[cxx(name = "kind")]
///     class: u32,
/// }
///
/// #[dijitso::kernel]
/// fn norm() -> Source<extern "C" fn(Point) -> f64> {
///     // SAFETY: arithmetic only.
///     unsafe { Source::new("double norm(Point p) { return std::hypot(p.x, p.y); }") }.include("<cmath>")
/// }
///
/// #[dijitso::kernel]
/// fn area() -> Source<unsafe extern "C" fn(mesh: *const MeshView) -> f64> {
///     // SAFETY: reads mesh->points[..mesh->len].
///     unsafe { Source::new("double area(const Mesh *mesh) { return mesh->len * 0.5; }") }
/// }
/// # let _ = (norm(), area());
/// ```
///
/// `#[cxx(..)]` on the type takes `name = ".."`, its name in C++ (`geometry::Point` if a header of
/// yours defines it; then it is only asserted), and `crate = path`, where the runtime crate is. On a
/// field it takes `name = ".."`, for names that are keywords in C++.
///
/// Refused, each with the reason: `packed`, fields without names, no fields, lifetimes, enums and
/// unions.
#[proc_macro_derive(CxxType, attributes(cxx))]
pub fn derive_cxx_type(item: TokenStream) -> TokenStream {
    cxx_type::derive(item.into()).into()
}

/// What `dijitso::cxx!` expands to, with the path of its crate in front.
#[doc(hidden)]
#[proc_macro]
pub fn cxx(text: TokenStream) -> TokenStream {
    cxx::cxx(text.into()).into()
}
