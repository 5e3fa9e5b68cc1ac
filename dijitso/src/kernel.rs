//! A loaded kernel: the typed function, and what else its library exports.
//!
//! `Kernel<F>` holds the function pointer itself, so a call through it costs what a call through any
//! function pointer costs. Libraries stay mapped until the process ends, so neither the pointer nor
//! anything the kernel hands out can dangle.

use std::borrow::Cow;
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::ptr::NonNull;
use std::sync::Arc;

use once_cell::sync::OnceCell;

use crate::cache::{Bytes, Headers, Routes};
use crate::cxx::KernelFn;
use crate::error::{Error, Result};
use crate::library::elf::Export;
use crate::library::{Library, SymbolKind};
use crate::prebuilt::Variant;
use crate::report::{KernelOrigin, Report};
use crate::signature::Signature;
use crate::toolchain::CpuFeatures;

/// One library in this process, with what the rest of the engine must know about it.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) name: String,
    /// As errors name the kernel: name, arguments, place of the generator.
    pub(crate) at: String,
    pub(crate) content: Signature,
    /// What its entry is named after.
    pub(crate) unit: Signature,
    /// What its code needs of the processor.
    pub(crate) cpu: CpuFeatures,
    pub(crate) soname: String,
    pub(crate) code: Code,
    /// Address of the entry; 0 for a kernel without one.
    pub(crate) entry: usize,
    /// Direct dependencies, all loaded.
    pub(crate) dependencies: Vec<Arc<Loaded>>,
    /// The entry file, once it is in a cache.
    pub(crate) path: OnceCell<PathBuf>,
    /// Length of the whole entry in bytes; 0 if there is none.
    pub(crate) len: u64,
    /// What a dependent's build needs, and other ranks, kept only when no cache could be written.
    pub(crate) kept: OnceCell<Kept>,
    pub(crate) report: Report,
}

impl Loaded {
    /// Takes note of where its bytes are: it was built again, because they were gone, or was stored after it was loaded.
    pub(crate) fn is_now(&self, path: Option<PathBuf>, kept: Option<Kept>) {
        if let Some(path) = path {
            let _ = self.path.set(path);
        }
        if let Some(kept) = kept {
            let _ = self.kept.set(kept);
        }
    }
}

/// Where a kernel's code is.
#[derive(Debug)]
pub(crate) enum Code {
    Library(Library),
    /// In the program itself.
    Program(&'static Variant),
}

impl Code {
    pub(crate) fn exports(&self) -> Vec<Export> {
        match self {
            Code::Library(library) => library.exports(),
            Code::Program(variant) => {
                let kind = |size: Option<u64>| match size {
                    Some(size) => SymbolKind::Data { size },
                    None => SymbolKind::Function,
                };
                let exports = variant.exports.iter();
                exports.map(|e| Export { name: e.name.to_owned(), kind: kind(e.size) }).collect()
            }
        }
    }

    fn symbol(&self, name: &str) -> Option<*const ()> {
        match self {
            Code::Library(library) => library.symbol(name),
            Code::Program(variant) => variant.exports.iter().find(|e| e.name == name).map(|e| e.address.0),
        }
    }
}

/// A kernel that no file holds.
#[derive(Debug)]
pub(crate) struct Kept {
    /// Its entry; or the library alone, if no entry could be made of it.
    pub(crate) bytes: Bytes,
    pub(crate) elf_len: u64,
    pub(crate) headers: Headers,
    /// What leads to it; nothing, if it must not get into a cache.
    pub(crate) routes: Routes,
}

impl Kept {
    pub(crate) fn elf(&self) -> std::io::Result<Vec<u8>> {
        self.bytes.piece(0, self.elf_len).map(Cow::into_owned)
    }

    /// The whole entry, if there is one.
    pub(crate) fn entry(&self) -> Option<&Bytes> {
        Some(&self.bytes).filter(|bytes| bytes.len() > self.elf_len)
    }
}

/// A compiled, loaded kernel whose entry has the type `F`.
///
/// Clones share the library; it stays loaded until the process ends. dijitso (Python) returns the
/// bare `ctypes` library and the factory function.
///
/// ```no_run
/// type Scale = unsafe extern "C" fn(n: usize, a: f64, x: *mut f64);
///
/// fn scale() -> dijitso::KernelSpec<Scale> {
///     dijitso::spec!(Scale, "scale", (), || {
///         // SAFETY: writes x[..n], keeps no state.
///         unsafe { dijitso::Source::new("void scale(std::size_t n, double a, double *x) { for (std::size_t i = 0; i < n; ++i) x[i] *= a; }") }
///             .include("<cstddef>")
///     })
/// }
///
/// # fn main() -> dijitso::Result<()> {
/// let kernel = dijitso::Jit::builder().build()?.load(&scale())?;
/// let mut x = [1.0, 2.0];
/// // SAFETY: `x` has as many elements as we say.
/// unsafe { kernel.call(x.len(), 2.0, x.as_mut_ptr()) };
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Kernel<F> {
    entry: F,
    loaded: Arc<Loaded>,
    origin: KernelOrigin,
}

impl<F: KernelFn> Kernel<F> {
    /// `loaded` must have been built for a spec whose function type is `F`: its spec signature, which
    /// contains the whole ABI of `F`, was what led to it.
    pub(crate) fn new(loaded: Arc<Loaded>, origin: KernelOrigin) -> Kernel<F> {
        // SAFETY: the compiler checked the entry against the C++ form of `F` when the kernel was built,
        // the signature that selects the library contains the ABI of `F`, and the library is never unloaded.
        let entry = unsafe { F::from_address(loaded.entry as *const ()) };
        Kernel { entry, loaded, origin }
    }

    /// The entry as a plain function pointer, valid until the process ends.
    ///
    /// ```no_run
    /// # fn f(kernel: dijitso::Kernel<extern "C" fn(f64) -> f64>) {
    /// let f: extern "C" fn(f64) -> f64 = kernel.as_fn();
    /// let values: Vec<f64> = [1.0, 2.0].into_iter().map(|x| f(x)).collect();
    /// # }
    /// ```
    pub fn as_fn(&self) -> F {
        self.entry
    }

    /// Another function that the source exported (see [`Source::export`](crate::Source::export)).
    ///
    /// dijitso calls this `extract_factory_function`.
    ///
    /// # Errors
    /// [`Error::Symbol`], with the list of what the library does export.
    ///
    /// # Safety
    /// `G` must be the type of the exported function: nothing checks it.
    ///
    /// ```no_run
    /// # fn main() -> dijitso::Result<()> {
    /// # let spec: dijitso::KernelSpec<()> = dijitso::spec!((), "form", (), || unsafe { dijitso::Source::translation_unit("extern \"C\" int rank() { return 2; }") }.export("rank"));
    /// let kernel = dijitso::Jit::builder().build()?.load(&spec)?;
    /// // SAFETY: the source declares `extern "C" int rank()`.
    /// let rank = unsafe { kernel.function::<extern "C" fn() -> i32>("rank") }?;
    /// assert_eq!(rank(), 2);
    /// # Ok(()) }
    /// ```
    pub unsafe fn function<G: KernelFn>(&self, name: &str) -> Result<G> {
        let address = self.symbol(name, SymbolKind::Function)?;
        // SAFETY: the caller promises the type; the library is never unloaded.
        Ok(unsafe { G::from_address(address.as_ptr().cast_const()) })
    }

    /// The address of a variable that the source exported, valid until the process ends.
    ///
    /// Reading through it is the caller's `unsafe`: its type is not checked beyond its size.
    ///
    /// # Errors
    /// [`Error::Symbol`] if nothing of this name is exported, or if it is smaller than `T`.
    ///
    /// ```no_run
    /// # fn main() -> dijitso::Result<()> {
    /// # let spec: dijitso::KernelSpec<()> = dijitso::spec!((), "table", (), || unsafe { dijitso::Source::translation_unit("extern \"C\" { extern const double weights[2]; const double weights[2] = {0.5, 0.5}; }") }.export("weights"));
    /// let kernel = dijitso::Jit::builder().build()?.load(&spec)?;
    /// // SAFETY: the source defines `const double weights[2]`.
    /// let weights = unsafe { kernel.data::<[f64; 2]>("weights")?.as_ref() };
    /// assert_eq!(weights[0], 0.5);
    /// # Ok(()) }
    /// ```
    pub fn data<T>(&self, name: &str) -> Result<NonNull<T>> {
        let address = self.symbol(name, SymbolKind::Data { size: size_of::<T>() as u64 })?;
        Ok(address.cast())
    }

    /// Where this kernel came from, in the call of `load` that returned this handle.
    pub fn origin(&self) -> KernelOrigin {
        self.origin
    }

    /// The content signature: what names the cache entry. It changes when the text, the compiler, the
    /// flags, or any file the compiler read changes. See [`KernelSpec::signature`](crate::KernelSpec::signature)
    /// for the identity that is known without generating.
    pub fn signature(&self) -> Signature {
        self.loaded.content
    }

    /// The kernel's name.
    pub fn name(&self) -> &str {
        &self.loaded.name
    }

    /// The cache entry: a shared object that `unzip` can open, too, and whatever else is told in
    /// [the guide](crate::guide::debugging). `None` if no cache could be written, and for a kernel that is part
    /// of the program.
    pub fn path(&self) -> Option<&Path> {
        self.loaded.path.get().map(PathBuf::as_path)
    }

    /// How it was obtained and how long each step took, when this `Jit` first loaded it.
    pub fn report(&self) -> &Report {
        &self.loaded.report
    }

    /// The linker's names of what the library exports, in no order, the entry's own symbol included.
    pub fn exports(&self) -> Vec<String> {
        self.loaded.code.exports().into_iter().map(|e| e.name).collect()
    }

    fn symbol(&self, name: &str, kind: SymbolKind) -> Result<NonNull<()>> {
        let found = self.loaded.code.exports().into_iter().find(|e| e.name == name);
        let suits = found.is_some_and(|e| match (kind, e.kind) {
            (SymbolKind::Function, SymbolKind::Function) => true,
            (SymbolKind::Data { size: wanted }, SymbolKind::Data { size }) => size >= wanted,
            _ => false,
        });
        let address = if suits { self.loaded.code.symbol(name) } else { None };
        address.and_then(|a| NonNull::new(a.cast_mut())).ok_or_else(|| Error::Symbol {
            kernel: self.loaded.at.clone(),
            kind: match kind {
                SymbolKind::Function => "function",
                SymbolKind::Data { .. } => "data symbol of this size",
            },
            name: name.to_owned(),
            exports: self.exports(),
        })
    }
}

impl<F> std::fmt::Debug for Kernel<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Kernel")
            .field("kernel", &self.loaded.at)
            .field("signature", &self.loaded.content)
            .field("origin", &self.origin)
            .finish_non_exhaustive()
    }
}

macro_rules! calls {
    ($(($($arg:ident $ty:ident),*))*) => {$(
        impl<R, $($ty),*> Kernel<unsafe extern "C" fn($($ty),*) -> R> {
            /// Calls the kernel; it costs what a call through a function pointer costs.
            ///
            /// # Safety
            /// What the kernel's type asks for: pointers valid for what the generated code reads and writes.
            #[inline]
            #[allow(clippy::too_many_arguments)]
            pub unsafe fn call(&self, $($arg: $ty),*) -> R {
                // SAFETY: the caller's promise.
                unsafe { (self.entry)($($arg),*) }
            }
        }

        impl<R, $($ty),*> Kernel<extern "C" fn($($ty),*) -> R> {
            /// Calls the kernel; it takes and returns only values, so any arguments will do.
            #[inline]
            #[allow(clippy::too_many_arguments)]
            pub fn call(&self, $($arg: $ty),*) -> R {
                (self.entry)($($arg),*)
            }
        }
    )*};
}

calls! {
    ()
    (a0 A0)
    (a0 A0, a1 A1)
    (a0 A0, a1 A1, a2 A2)
    (a0 A0, a1 A1, a2 A2, a3 A3)
    (a0 A0, a1 A1, a2 A2, a3 A3, a4 A4)
    (a0 A0, a1 A1, a2 A2, a3 A3, a4 A4, a5 A5)
    (a0 A0, a1 A1, a2 A2, a3 A3, a4 A4, a5 A5, a6 A6)
    (a0 A0, a1 A1, a2 A2, a3 A3, a4 A4, a5 A5, a6 A6, a7 A7)
    (a0 A0, a1 A1, a2 A2, a3 A3, a4 A4, a5 A5, a6 A6, a7 A7, a8 A8)
    (a0 A0, a1 A1, a2 A2, a3 A3, a4 A4, a5 A5, a6 A6, a7 A7, a8 A8, a9 A9)
    (a0 A0, a1 A1, a2 A2, a3 A3, a4 A4, a5 A5, a6 A6, a7 A7, a8 A8, a9 A9, a10 A10)
    (a0 A0, a1 A1, a2 A2, a3 A3, a4 A4, a5 A5, a6 A6, a7 A7, a8 A8, a9 A9, a10 A10, a11 A11)
    (a0 A0, a1 A1, a2 A2, a3 A3, a4 A4, a5 A5, a6 A6, a7 A7, a8 A8, a9 A9, a10 A10, a11 A11, a12 A12)
    (a0 A0, a1 A1, a2 A2, a3 A3, a4 A4, a5 A5, a6 A6, a7 A7, a8 A8, a9 A9, a10 A10, a11 A11, a12 A12, a13 A13)
    (a0 A0, a1 A1, a2 A2, a3 A3, a4 A4, a5 A5, a6 A6, a7 A7, a8 A8, a9 A9, a10 A10, a11 A11, a12 A12, a13 A13, a14 A14)
}

/// Every kernel below `roots`, each once, dependencies before dependents.
pub(crate) fn closure(roots: &[Arc<Loaded>]) -> Vec<Arc<Loaded>> {
    let (mut seen, mut order) = (HashSet::new(), Vec::new());
    // A list instead of recursion: chains can be thousands of kernels long. With each kernel how many of its
    // dependencies were looked at.
    let mut stack: Vec<(&Arc<Loaded>, usize)> = Vec::new();
    for root in roots {
        if seen.insert(root.content) {
            stack.push((root, 0));
        }
        while let Some((loaded, next)) = stack.last_mut() {
            match loaded.dependencies.get(*next) {
                Some(dependency) => {
                    *next += 1;
                    if seen.insert(dependency.content) {
                        stack.push((dependency, 0));
                    }
                }
                None => {
                    order.push(Arc::clone(loaded));
                    stack.pop();
                }
            }
        }
    }
    order
}
