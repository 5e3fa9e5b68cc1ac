//! What the expansions of the macros call. Not part of the public API: it changes with them.

use std::marker::PhantomData;
use std::sync::Arc;

pub use crate::cxx::{CxxExpr, Layouts};
pub use crate::source::Declaration;
pub use dijitso_macros::cxx;

use crate::cxx::{ByValue, KernelFn};
use crate::error::Result;
use crate::signature::{Sign, Signer};
use crate::source::{Generated, KernelSpec, render};

/// What a function with `#[kernel]` returns: the spec of whatever kernel its source is of.
pub type Declared<G> = KernelSpec<<G as Generated>::Kernel>;

/// Declares a kernel.
///
/// `F` follows from the return type of the calling function. Were it asked of `G` here, a generator
/// that returns something else would be reported twice.
pub fn kernel<A, G, F>(
    declaration: &'static Declaration,
    arguments: A,
    generator: fn(A) -> G,
) -> KernelSpec<F>
where
    A: Sign + Clone + Send + Sync + 'static,
    G: Generated<Kernel = F> + 'static,
{
    declared(declaration, arguments, generator)
}

fn declared<A, G>(declaration: &'static Declaration, arguments: A, generator: fn(A) -> G) -> Declared<G>
where
    A: Sign + Clone + Send + Sync + 'static,
    G: Generated + 'static,
{
    KernelSpec::declared(declaration, arguments, generator)
}

/// For the benches, which cannot see these steps from outside: generates and renders, and returns the bytes.
///
/// # Errors
/// As the generator's.
pub fn rendered<F: KernelFn>(spec: &KernelSpec<F>) -> Result<usize> {
    let parts = spec.any().generate()?;
    let symbol = format!("dijitso_{}_signature", spec.name());
    Ok(render(&parts, spec.name(), &symbol, false).files.iter().map(|(_, text)| text.len()).sum())
}

/// Outside of cargo there is no package, and the kernel's name has to do.
pub const fn package(named: Option<&'static str>) -> &'static str {
    match named {
        Some(name) => name,
        None => "",
    }
}

/// One argument of a generator, kept until it is called.
///
/// It has every property that a kernel spec needs whatever `T` is, so [`argument`] is the one place
/// that asks for them, and a type that lacks one is reported once, where it is written.
pub struct Argument<T>(Arc<dyn Kept<T>>);

/// Keeps an argument of a generator.
pub fn argument<T: Sign + Clone + Send + Sync + 'static>(value: T) -> Argument<T> {
    Argument(Arc::new(value))
}

trait Kept<T>: Send + Sync {
    fn sign(&self, signer: &mut Signer);
    fn value(&self) -> T;
}

impl<T: Sign + Clone + Send + Sync> Kept<T> for T {
    fn sign(&self, signer: &mut Signer) {
        Sign::sign(self, signer);
    }

    fn value(&self) -> T {
        self.clone()
    }
}

impl<T> Argument<T> {
    /// The value, for one call of the generator.
    pub fn value(self) -> T {
        self.0.value()
    }
}

impl<T> Clone for Argument<T> {
    fn clone(&self) -> Self {
        Argument(self.0.clone())
    }
}

impl<T> Sign for Argument<T> {
    // Asked only of the items of containers, and no container holds these.
    fn sign_type(signer: &mut Signer) {
        signer.type_named("Argument", |_| {});
    }

    fn sign(&self, signer: &mut Signer) {
        self.0.sign(signer);
    }
}

/// `Member<'_, T>: Plain` says that a field of type `T` is by-value data, with a lifetime in it; see
/// the expansion of `#[derive(CxxType)]` for what the lifetime is for.
pub struct Member<'field, T: ?Sized>(PhantomData<&'field ()>, PhantomData<T>);

/// See [`Member`].
pub trait Plain {}

impl<T: ByValue + ?Sized> Plain for Member<'_, T> {}

/// C++ text that knows its place: the compiler's messages about it name this Rust file.
///
/// Takes one string literal, most often a raw one, and gives a [`Text`](crate::Text). Text that
/// depends on values is put together from pieces, with `+`, `push` or `write!`. dijitso shows
/// messages about a file in the cache only.
///
/// ```
/// use dijitso::{Source, cxx};
///
/// #[dijitso::kernel]
/// fn square(offset: i32) -> Source<extern "C" fn(f64) -> f64> {
///     let text = cxx!(r"
///         static double squared(double x) {
///             return x * x;
///         }
///     ") + format!("double square(double x) {{ return squared(x) + {offset}; }}");
///     // SAFETY: arithmetic only.
///     unsafe { Source::new(text) }
/// }
/// # let _ = square(1);
/// ```
// Here and not a procedural macro alone, because only `macro_rules` knows its own crate's name.
#[macro_export]
macro_rules! cxx {
    ($($text:tt)*) => {
        $crate::private::cxx!($crate; $($text)*)
    };
}
