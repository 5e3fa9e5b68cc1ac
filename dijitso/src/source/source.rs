//! What a generator returns: C++ text, and what it needs to compile.

#![allow(unsafe_code)] // The constructors are `unsafe fn`: promises about the text.

use std::fmt::{self, Display};
use std::marker::PhantomData;
use std::path::PathBuf;

use super::parts::{Kind, Parts, Preamble};
use super::spec::KernelSpec;
use super::text::Text;
use crate::cxx::{KernelFn, Language};

/// The C++ (or C) source of one kernel of type `F`.
///
/// A generator returns it. No method fails: what cannot be used (a header name with `/`, an
/// `#include` in the wrong place) is reported when the kernel is loaded, as
/// [`Error::Declaration`](crate::Error::Declaration).
///
/// In dijitso a generator returns the triple `(header, source, dependencies)`.
///
/// ```
/// use dijitso::Source;
///
/// type Norm = unsafe extern "C" fn(n: usize, x: *const f64) -> f64;
///
/// let text = "double norm(std::size_t n, const double *x) {
///   double sum = 0;
///   for (std::size_t i = 0; i < n; ++i) sum += x[i] * x[i];
///   return std::sqrt(sum);
/// }";
/// // SAFETY: reads x[..n], keeps no state.
/// let source: Source<Norm> = unsafe { Source::new(text) }.include("<cstddef>").include("<cmath>");
/// ```
pub struct Source<F> {
    parts: Parts,
    kernel: PhantomData<fn() -> F>,
}

impl<F: KernelFn> Source<F> {
    /// A source whose text is placed inside a namespace of its own, where no name of it can meet
    /// another kernel's.
    ///
    /// The text defines the function that is called: by default one with the kernel's name, and with
    /// exactly the type `F` (overloads and templates are resolved by it). It holds no `#include`:
    /// that is what [`include`](Self::include) and [`preamble`](Self::preamble) are for. Structs of
    /// `#[derive(CxxType)]` are defined already. In C there is no namespace; the entry becomes
    /// `static`.
    ///
    /// # Safety
    ///
    /// The text's function must be what `F` says: for an `unsafe extern "C" fn`, sound under
    /// conditions that its callers are told; for a safe `extern "C" fn`, sound for all arguments.
    /// It must be callable from any thread, and not let exceptions or `longjmp` out (an exception
    /// that escapes terminates the program).
    ///
    /// ```
    /// use dijitso::Source;
    ///
    /// // SAFETY: arithmetic only.
    /// let source: Source<extern "C" fn(f64) -> f64> = unsafe { Source::new("double twice(double x) { return 2 * x; }") };
    /// ```
    pub unsafe fn new(text: impl Into<Text>) -> Source<F> {
        Source::of_kind(Kind::Enclosed, text.into())
    }

    /// A source whose text stays whole: it has its own includes, classes and `extern "C"`
    /// functions, as the output of FFC or FFCx has.
    ///
    /// The library exports only the entry and what [`export`](Self::export) names. Structs of
    /// `#[derive(CxxType)]` are defined by the text (or its headers); their layout is checked.
    ///
    /// This is the only form that dijitso has.
    ///
    /// # Safety
    ///
    /// As for [`new`](Self::new); and what the text runs at load time (constructors of global
    /// objects) must be sound at any time, on any thread.
    ///
    /// ```
    /// use dijitso::Source;
    ///
    /// let text = "extern \"C\" int answer() { return 42; }";
    /// // SAFETY: returns a number.
    /// let source: Source<()> = unsafe { Source::translation_unit(text) }.export("answer");
    /// ```
    pub unsafe fn translation_unit(text: impl Into<Text>) -> Source<F> {
        Source::of_kind(Kind::Whole, text.into())
    }

    fn of_kind(kind: Kind, text: Text) -> Source<F> {
        Source { parts: Parts::new(kind, text, F::abi()), kernel: PhantomData }
    }

    /// Includes a header before the text: `"<cmath>"`, or `"\"file.h\""` with quotes.
    ///
    /// ```
    /// # use dijitso::Source;
    /// # fn f(source: Source<()>) -> Source<()> {
    /// source.include("<cmath>").include("\"ufc.h\"")
    /// # }
    /// ```
    pub fn include(self, header: impl Into<String>) -> Self {
        let include = Preamble::Include(header.into());
        self.once(include)
    }

    /// Puts text before the generated text, outside of its namespace: macros, `using` of a library,
    /// definitions that a header of yours expects. Includes and preambles keep their order.
    ///
    /// ```
    /// # use dijitso::Source;
    /// # fn f(source: Source<()>) -> Source<()> {
    /// source.preamble("#define EIGEN_NO_MALLOC\n").include("<Eigen/Dense>")
    /// # }
    /// ```
    pub fn preamble(self, text: impl Into<Text>) -> Self {
        let text = Preamble::Text(text.into());
        self.once(text)
    }

    fn once(self, preamble: Preamble) -> Self {
        self.with(|parts| {
            if !parts.preamble.contains(&preamble) {
                parts.preamble.push(preamble);
            }
        })
    }

    /// Defines a macro before everything else (before the includes too).
    ///
    /// ```
    /// # use dijitso::Source;
    /// # fn f(source: Source<()>) -> Source<()> {
    /// source.define("ORDER", 3).define("NDEBUG", "")
    /// # }
    /// ```
    pub fn define(self, name: impl Into<String>, value: impl Display) -> Self {
        let define = (name.into(), value.to_string());
        self.with(|parts| parts.defines.push(define))
    }

    /// Passes one more word to the compiler, after all others. dijitso: `cxxflags`.
    ///
    /// ```
    /// # use dijitso::Source;
    /// # fn f(source: Source<()>) -> Source<()> {
    /// source.flag("-ffp-contract=off").flag("-funroll-loops")
    /// # }
    /// ```
    pub fn flag(self, flag: impl Into<String>) -> Self {
        let flag = flag.into();
        self.with(|parts| parts.flags.push(flag))
    }

    /// Links a library: by name (`m` for `-lm`), or by the absolute path of a library, archive or
    /// object file. dijitso: `libs`.
    ///
    /// ```
    /// # use dijitso::Source;
    /// # fn f(source: Source<()>) -> Source<()> {
    /// source.link("blas").link("/opt/solver/lib/libsolver.a")
    /// # }
    /// ```
    pub fn link(self, library: impl Into<String>) -> Self {
        let library = library.into();
        self.with(|parts| parts.links.push(library))
    }

    /// Adds a directory, by absolute path, in which [`link`](Self::link) finds libraries, when the
    /// kernel is built and when it is loaded. dijitso: `lib_dirs` and `rpath_dirs`.
    ///
    /// ```
    /// # use dijitso::Source;
    /// # fn f(source: Source<()>) -> Source<()> {
    /// source.link_dir("/opt/solver/lib").link("solver")
    /// # }
    /// ```
    pub fn link_dir(self, directory: impl Into<PathBuf>) -> Self {
        let directory = directory.into();
        self.with(|parts| parts.link_dirs.push(directory))
    }

    /// Adds a directory, by absolute path, in which headers are found. dijitso: `include_dirs`.
    ///
    /// ```
    /// # use dijitso::Source;
    /// # fn f(source: Source<()>) -> Source<()> {
    /// source.include_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/include"))
    /// # }
    /// ```
    pub fn include_dir(self, directory: impl Into<PathBuf>) -> Self {
        let directory = directory.into();
        self.with(|parts| parts.include_dirs.push(directory))
    }

    /// Adds a header beside the text, under exactly this file name; kernels that
    /// [depend](Self::depends_on) on this one find it too. dijitso: the header that a generator
    /// returns.
    ///
    /// ```
    /// # use dijitso::Source;
    /// # fn f(source: Source<()>) -> Source<()> {
    /// source.header("element.h", "extern \"C\" void *create_element();\n")
    /// # }
    /// ```
    pub fn header(self, file_name: impl Into<String>, text: impl Into<String>) -> Self {
        let header = (file_name.into(), text.into());
        self.with(|parts| {
            if !parts.headers.contains(&header) {
                parts.headers.push(header);
            }
        })
    }

    /// Exports a function or a data object of the text under its linker symbol (for C, and for C++
    /// with `extern "C"`, its name), for `kernel.function`, `kernel.data`, and kernels that depend
    /// on this one.
    ///
    /// A `*` stands for any characters. Kernels that use each other's C++ classes need that: the class
    /// `element` comes as many symbols, and all of them have `element` in their mangled names.
    ///
    /// ```
    /// # use dijitso::Source;
    /// # fn f(source: Source<()>) -> Source<()> {
    /// source.export("create_element").export("form_object").export("*element*")
    /// # }
    /// ```
    pub fn export(self, symbol: impl Into<String>) -> Self {
        let symbol = symbol.into();
        self.with(|parts| {
            if !parts.exports.contains(&symbol) {
                parts.exports.push(symbol);
            }
        })
    }

    /// Names the function to call, where it has another name than the kernel; in C++ it may be
    /// qualified (`solver::axpy`).
    ///
    /// ```
    /// # use dijitso::Source;
    /// # type Axpy = unsafe extern "C" fn(usize, f64, *const f64, *mut f64);
    /// # fn f(source: Source<Axpy>) -> Source<Axpy> {
    /// source.entry("daxpy")
    /// # }
    /// ```
    pub fn entry(self, function: impl Into<String>) -> Self {
        let function = function.into();
        self.with(|parts| parts.entry = Some(function))
    }

    /// Builds and links another kernel first: its exported functions can be called, its headers included by the names that
    /// it gave them, as `"element.h"`, or as `<element.h>` where no directory that is searched has one of this name.
    /// dijitso: the dependencies that a generator returns.
    ///
    /// ```
    /// # use dijitso::{KernelSpec, Source};
    /// # fn f(source: Source<()>, element: &KernelSpec<()>) -> Source<()> {
    /// source.include("\"element.h\"").depends_on(element)
    /// # }
    /// ```
    pub fn depends_on<G: KernelFn>(self, other: &KernelSpec<G>) -> Self {
        let other = other.any().clone();
        self.with(|parts| parts.dependencies.push(other))
    }

    /// The language of the text; C++ if nothing is said.
    ///
    /// ```
    /// # use dijitso::{Language, Source};
    /// # fn f(source: Source<()>) -> Source<()> {
    /// source.language(Language::C)
    /// # }
    /// ```
    pub fn language(self, language: Language) -> Self {
        self.with(|parts| parts.language = language)
    }

    /// The language standard: `c++11`, `gnu++17`, `c17` and the like (C++11 and C11 at least).
    /// dijitso: `-std=..` in `cxxflags`.
    ///
    /// ```
    /// # use dijitso::Source;
    /// # fn f(source: Source<()>) -> Source<()> {
    /// source.std("c++20")
    /// # }
    /// ```
    pub fn std(self, standard: impl Into<String>) -> Self {
        let standard = standard.into();
        self.with(|parts| parts.std = Some(standard))
    }

    fn with(mut self, change: impl FnOnce(&mut Parts)) -> Self {
        change(&mut self.parts);
        self
    }

    pub(super) fn into_parts(self) -> Parts {
        self.parts
    }
}

#[cfg(feature = "cli")]
impl Source<()> {
    /// A whole text that a user hands over to be compiled, not to be called from here: nothing is promised of it, and
    /// a kernel of this type has no entry that could be called.
    pub(crate) fn of_file(text: impl Into<Text>) -> Source<()> {
        Source::of_kind(Kind::Whole, text.into())
    }
}

impl<F> Clone for Source<F> {
    fn clone(&self) -> Self {
        Source { parts: self.parts.clone(), kernel: PhantomData }
    }
}

impl<F> fmt::Debug for Source<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source")
            .field("language", &self.parts.language)
            .field("text", &self.parts.text.to_string())
            .finish_non_exhaustive()
    }
}
