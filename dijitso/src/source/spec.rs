//! A declared kernel: its name, its identity, and the generator that is only called on a miss.

use std::fmt;
use std::marker::PhantomData;

use super::any::{AnySpec, GeneratorId, SpecInner};
use super::generated::{Generated, parts_of};
use crate::cxx::KernelFn;
use crate::signature::{Sign, Signature};

/// A kernel of type `F` that can be loaded: known by its signature, not yet generated.
///
/// A function with `#[dijitso::kernel]` returns one, and [`spec!`](crate::spec) makes one. Cheap to
/// clone and to keep: make it once, load it often. dijitso passes its parts to `jit` one by one
/// (`jitable`, `name`, `params`, `generate`).
///
/// # Identity
///
/// Two specs are the same kernel if they have the same package (name and version), kernel name,
/// version, generator text, key (by [`Sign`]) and type (with the layout of every struct in it).
///
/// ```
/// use dijitso::{KernelSpec, Source};
///
/// type Power = extern "C" fn(f64) -> f64;
///
/// fn power(exponent: u32) -> KernelSpec<Power> {
///     dijitso::spec!(Power, "power", exponent, move || {
///         let product = vec!["x"; exponent.max(1) as usize].join(" * ");
///         // SAFETY: arithmetic only.
///         unsafe { Source::new(format!("double power(double x) {{ return {product}; }}")) }
///     })
/// }
///
/// assert_eq!(power(3).description(), "power(3)");
/// assert_eq!(power(3).signature(), power(3).signature());
/// assert_ne!(power(3).signature(), power(2).signature());
/// ```
pub struct KernelSpec<F> {
    any: AnySpec,
    kernel: PhantomData<fn() -> F>,
}

/// What `#[kernel]` knows of a generator at compile time.
#[doc(hidden)]
#[derive(Debug)]
pub struct Declaration {
    pub name: &'static str,
    pub package: &'static str,
    pub package_version: &'static str,
    pub version: u32,
    /// The digest of the generator's tokens, in hexadecimal.
    pub tokens: &'static str,
    pub file: &'static str,
    pub line: u32,
    pub column: u32,
}

impl<F: KernelFn> KernelSpec<F> {
    /// Declares a kernel by hand. `generator` is called on the thread that loads the kernel, and
    /// only if no cache has it.
    ///
    /// `key` must hold everything that the generated text depends on: what the closure captures, and
    /// what it reads. [`spec!`](crate::spec) is the better form: it adds the package and the closure's
    /// own text to the identity. With this one, call [`package`](Self::package), and
    /// [`version`](Self::version) whenever the generator changes.
    ///
    /// ```
    /// use dijitso::{KernelSpec, Source};
    ///
    /// type Scale = extern "C" fn(f64) -> f64;
    ///
    /// let factor = 3.0;
    /// let spec: KernelSpec<Scale> = KernelSpec::new("scale", factor, move || {
    ///     // SAFETY: arithmetic only.
    ///     unsafe { Source::new(format!("double scale(double x) {{ return {factor:?} * x; }}")) }
    /// })
    /// .package("my-solver", "1.2.0");
    /// assert_eq!(spec.description(), "scale(3.0)");
    /// ```
    #[track_caller]
    pub fn new<G>(
        name: impl Into<String>,
        key: impl Sign,
        generator: impl Fn() -> G + Send + Sync + 'static,
    ) -> KernelSpec<F>
    where
        G: Generated<Kernel = F>,
    {
        KernelSpec::with_tokens("", name, key, generator)
    }

    /// [`new`](Self::new) with the closure's own text, for `spec!`.
    #[doc(hidden)]
    #[track_caller]
    pub fn with_tokens<C, G>(
        tokens: &'static str,
        name: impl Into<String>,
        key: impl Sign,
        generator: C,
    ) -> KernelSpec<F>
    where
        C: Fn() -> G + Send + Sync + 'static,
        G: Generated<Kernel = F>,
    {
        let caller = std::panic::Location::caller();
        let location = (caller.file(), caller.line(), caller.column());
        let id = GeneratorId::of_type::<C>(location, tokens);
        // Instantiated with the caller's closure, so it is code of the object that holds it.
        let address = run::<C, G> as fn(&C) -> _ as *const () as usize;
        let name = name.into().into();
        KernelSpec::of(SpecInner::new(name, &key, F::abi, location, id, address, move || run(&generator)))
    }

    /// What `#[kernel]` expands to.
    #[doc(hidden)]
    pub fn declared<A, G>(
        declaration: &'static Declaration,
        arguments: A,
        generator: fn(A) -> G,
    ) -> KernelSpec<F>
    where
        A: Sign + Clone + Send + Sync + 'static,
        G: Generated<Kernel = F> + 'static,
    {
        let location = (declaration.file, declaration.line, declaration.column);
        let id = GeneratorId::of_text(location, declaration.tokens);
        let address = generator as *const () as usize;
        let name = declaration.name.into();
        let key = arguments.clone();
        let call = move || parts_of(generator(arguments.clone()));
        let mut inner = SpecInner::new(name, &key, F::abi, location, id, address, call);
        inner.package = declaration.package.into();
        inner.package_version = declaration.package_version.into();
        inner.version = declaration.version;
        KernelSpec::of(inner)
    }

    /// Stands for the kernel of this content, which was built.
    pub(crate) fn of_content(self, content: Signature) -> KernelSpec<F> {
        self.edit(|inner| inner.content = Some(content))
    }

    fn of(inner: SpecInner) -> KernelSpec<F> {
        KernelSpec { any: AnySpec::new(inner), kernel: PhantomData }
    }
}

/// Calls a builder's closure; see `with_tokens` for why it is a function of its own.
fn run<C: Fn() -> G, G: Generated>(generator: &C) -> Result<super::parts::Parts, super::generated::Failure> {
    parts_of(generator())
}

impl<F> KernelSpec<F> {
    /// Names the package that the generator belongs to, so that kernels of two packages with one
    /// name stay apart. `spec!` and `#[kernel]` do it by themselves.
    ///
    /// ```
    /// # fn f(spec: dijitso::KernelSpec<()>) -> dijitso::KernelSpec<()> {
    /// spec.package(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"))
    /// # }
    /// ```
    pub fn package(self, name: impl Into<String>, version: impl Into<String>) -> KernelSpec<F> {
        let (name, version) = (name.into(), version.into());
        self.edit(|inner| {
            inner.package = name.into();
            inner.package_version = version.into();
        })
    }

    /// Counts a change of the generator that its own text does not show (in what it calls, say):
    /// another number is another kernel. 0 if nothing is said.
    ///
    /// ```
    /// # fn f(spec: dijitso::KernelSpec<()>) -> dijitso::KernelSpec<()> {
    /// spec.version(2)
    /// # }
    /// ```
    pub fn version(self, version: u32) -> KernelSpec<F> {
        self.edit(|inner| inner.version = version)
    }

    fn edit(self, change: impl FnOnce(&mut SpecInner)) -> KernelSpec<F> {
        KernelSpec { any: self.any.edited(change), kernel: PhantomData }
    }

    /// The kernel's name, as declared.
    ///
    /// ```
    /// # fn f(spec: dijitso::KernelSpec<()>) {
    /// println!("{}", spec.name());
    /// # }
    /// ```
    pub fn name(&self) -> &str {
        self.any.name()
    }

    /// The kernel's identity: known without generating it, equal in every process.
    ///
    /// Computed at the first call; later calls read it.
    ///
    /// ```
    /// # fn f(spec: dijitso::KernelSpec<()>) {
    /// println!("{}", spec.signature());
    /// # }
    /// ```
    pub fn signature(&self) -> Signature {
        self.any.signature()
    }

    /// Name and key as messages show them: `axpy(Unrolled(8))`.
    ///
    /// ```
    /// # fn f(spec: dijitso::KernelSpec<()>) {
    /// println!("{}", spec.description());
    /// # }
    /// ```
    pub fn description(&self) -> String {
        self.any.description()
    }

    /// Where the kernel is declared: `src/kernels.rs:12:5`.
    ///
    /// ```
    /// # fn f(spec: dijitso::KernelSpec<()>) {
    /// println!("{}", spec.location());
    /// # }
    /// ```
    pub fn location(&self) -> String {
        self.any.location()
    }

    pub(crate) fn any(&self) -> &AnySpec {
        &self.any
    }
}

impl<F> Clone for KernelSpec<F> {
    fn clone(&self) -> Self {
        KernelSpec { any: self.any.clone(), kernel: PhantomData }
    }
}

impl<F> fmt::Debug for KernelSpec<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KernelSpec({}, {})", self.any.description(), self.any.signature().short())
    }
}

/// Declares a kernel by hand: its type, name, key and generator.
///
/// [`KernelSpec::new`] with the calling package and the generator's own text added to the identity,
/// so that a changed closure is another kernel. (Of functions that the closure calls, only the
/// program as a whole knows: a changed program generates once more, and compiles only what came out
/// different.)
///
/// ```
/// use dijitso::Source;
///
/// type Fill = unsafe extern "C" fn(n: usize, x: *mut f64);
///
/// let value = 1.5;
/// let spec = dijitso::spec!(Fill, "fill", value, move || {
///     // SAFETY: writes x[..n].
///     unsafe {
///         Source::new(format!(
///             "void fill(std::size_t n, double *x) {{ for (std::size_t i = 0; i < n; ++i) x[i] = {value:?}; }}"
///         ))
///     }
///     .include("<cstddef>")
/// });
/// assert_eq!(spec.description(), "fill(1.5)");
/// ```
#[macro_export]
macro_rules! spec {
    ($kernel:ty, $name:expr, $key:expr, $generator:expr $(,)?) => {
        $crate::KernelSpec::<$kernel>::with_tokens(::core::stringify!($generator), $name, $key, $generator)
            // Outside of cargo there is no package, and the kernel's name has to do.
            .package(
                ::core::option_env!("CARGO_PKG_NAME").unwrap_or_default(),
                ::core::option_env!("CARGO_PKG_VERSION").unwrap_or_default(),
            )
    };
}
