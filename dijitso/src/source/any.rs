//! A kernel spec without its type: what every floor above works on.

use std::any::{TypeId, type_name};
use std::borrow::Cow;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, OnceLock};

use super::check;
use super::generated::{Failure, panic_text};
use super::parts::Parts;
use crate::cxx::FnAbi;
use crate::error::{Error, Result};
use crate::signature::{Sign, Signature, Signer};

/// File, line and column, as the compiler gives them.
pub(super) type Location = (&'static str, u32, u32);

/// A declared kernel of any type. Cloning shares it.
#[derive(Clone)]
pub(crate) struct AnySpec(Arc<SpecInner>);

#[derive(Clone)]
pub(super) struct SpecInner {
    pub(super) name: Cow<'static, str>,
    pub(super) package: Cow<'static, str>,
    pub(super) package_version: Cow<'static, str>,
    pub(super) version: u32,
    /// Set if a kernel that was built is meant, by its content, and not what a generator would write now.
    pub(super) content: Option<Signature>,
    /// The digest of the arguments, and their short text.
    key: Signature,
    arguments: String,
    abi: fn() -> Option<FnAbi>,
    /// For messages only.
    location: Location,
    id: GeneratorId,
    address: usize,
    generator: Arc<dyn Fn() -> Result<Parts, Failure> + Send + Sync>,
    /// Costs microseconds to compute and is asked for by every load, so once.
    signature: OnceLock<Signature>,
}

/// Tells generators apart within a process: two different ones must not claim one kernel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct GeneratorId {
    location: Option<Location>,
    tokens: &'static str,
    type_id: Option<TypeId>,
}

impl GeneratorId {
    /// Of a function with `#[kernel]`.
    pub(super) fn of_text(location: Location, tokens: &'static str) -> GeneratorId {
        GeneratorId { location: Some(location), tokens, type_id: None }
    }

    /// Of a closure or function given to a builder. Its type identifies it: the location would not
    /// (each caller of a `#[track_caller]` wrapper is another one), except for function pointers and
    /// boxed closures, of which many share one type.
    pub(super) fn of_type<C: 'static>(location: Location, tokens: &'static str) -> GeneratorId {
        let own_type = size_of::<C>() == 0 || type_name::<C>().ends_with("{{closure}}");
        let location = (!own_type).then_some(location);
        GeneratorId { location, tokens, type_id: Some(TypeId::of::<C>()) }
    }

    /// The generator's own text: in the signature, because another text is another kernel.
    fn tokens(&self) -> &'static str {
        self.tokens
    }
}

impl SpecInner {
    pub(super) fn new(
        name: Cow<'static, str>,
        key: &impl Sign,
        abi: fn() -> Option<FnAbi>,
        location: Location,
        id: GeneratorId,
        address: usize,
        generator: impl Fn() -> Result<Parts, Failure> + Send + Sync + 'static,
    ) -> SpecInner {
        let mut signer = Signer::new("arguments");
        key.sign(&mut signer);
        let (key, arguments) = signer.finish_with_text();
        SpecInner {
            name,
            package: Cow::Borrowed(""),
            package_version: Cow::Borrowed(""),
            version: 0,
            content: None,
            key,
            arguments,
            abi,
            location,
            id,
            address,
            generator: Arc::new(generator),
            signature: OnceLock::new(),
        }
    }

    fn sign(&self) -> Signature {
        let mut signer = Signer::quiet("kernel spec");
        signer.field("package", &*self.package);
        signer.field("package version", &*self.package_version);
        signer.field("name", &*self.name);
        signer.field("version", &self.version);
        signer.field("generator", self.id.tokens());
        signer.field("arguments", &self.key);
        signer.field("abi", &(self.abi)());
        signer.finish()
    }
}

impl AnySpec {
    pub(super) fn new(inner: SpecInner) -> AnySpec {
        AnySpec(Arc::new(inner))
    }

    /// The spec with a change; other holders keep theirs.
    pub(super) fn edited(self, change: impl FnOnce(&mut SpecInner)) -> AnySpec {
        let mut inner = Arc::unwrap_or_clone(self.0);
        change(&mut inner);
        inner.signature = OnceLock::new();
        AnySpec::new(inner)
    }

    pub(crate) fn name(&self) -> &str {
        &self.0.name
    }

    pub(crate) fn signature(&self) -> Signature {
        *self.0.signature.get_or_init(|| self.0.sign())
    }

    /// `axpy(Unrolled(8))`.
    pub(crate) fn description(&self) -> String {
        let name = check::shown(self.name());
        let arguments = &self.0.arguments;
        // A key that is no tuple has no parentheses of its own.
        if arguments.starts_with('(') { format!("{name}{arguments}") } else { format!("{name}({arguments})") }
    }

    /// `src/kernels.rs:12:5`.
    pub(crate) fn location(&self) -> String {
        let (file, line, column) = self.0.location;
        format!("{file}:{line}:{column}")
    }

    /// The kernel as errors name it: `axpy(Unrolled(8)), generated at src/kernels.rs:12:5`.
    pub(crate) fn at(&self) -> String {
        format!("{}, generated at {}", self.description(), self.location())
    }

    pub(crate) fn generator_id(&self) -> &GeneratorId {
        &self.0.id
    }

    /// An address in the program or library that holds the generator, for its build id.
    /// The kernel that is meant by its content alone.
    pub(crate) fn content(&self) -> Option<Signature> {
        self.0.content
    }

    pub(crate) fn generator_address(&self) -> usize {
        self.0.address
    }

    /// What the signature was made of, in words, for `explain`.
    pub(crate) fn ingredients(&self) -> Vec<(&'static str, String)> {
        vec![
            ("package", format!("{} {}", self.0.package, self.0.package_version)),
            ("kernel", self.name().to_owned()),
            ("version", self.0.version.to_string()),
            ("generator", self.0.id.tokens().to_owned()),
            ("arguments", self.0.arguments.clone()),
            ("arguments digest", self.0.key.to_hex()),
            ("type", (self.0.abi)().map_or_else(|| "()".to_owned(), |abi| abi.summary())),
        ]
    }

    /// Whether the name can be used in file names and symbols. Asked before anything else: a cache
    /// is never searched with a name like `../x`.
    pub(crate) fn check_name(&self) -> Result<()> {
        match check::kernel_name(self.name()) {
            Ok(()) => Ok(()),
            Err(problem) => Err(Error::Declaration {
                kernel: check::shown(self.name()),
                problem: format!("{problem} (declared at {})", self.location()),
            }),
        }
    }

    /// Calls the generator, on this thread, and checks what it returned.
    pub(crate) fn generate(&self) -> Result<Parts> {
        self.check_name()?;
        // Unwinding out of a generator can leave nothing of ours half done; what it captured is the
        // user's, who can see the panic as an error.
        let generated = catch_unwind(AssertUnwindSafe(|| (self.0.generator)()));
        let problem = match generated {
            Ok(Ok(parts)) => {
                return check::complete(parts, self.name()).map_err(|problem| self.declaration(problem));
            }
            Ok(Err(Failure::Cycle(error))) => return Err(error),
            Ok(Err(Failure::Failed(text))) => format!("failed: {text}"),
            Err(payload) => {
                let text = panic_text(&*payload);
                // A payload may panic in its own destructor, which nobody could catch.
                std::mem::forget(payload);
                text
            }
        };
        Err(Error::Generator { kernel: self.at(), problem })
    }

    fn declaration(&self, problem: String) -> Error {
        Error::Declaration { kernel: self.at(), problem }
    }
}

impl fmt::Debug for AnySpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AnySpec({}, {})", self.description(), self.signature().short())
    }
}
