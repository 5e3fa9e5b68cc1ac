//! What a generator may return, and how it may fail.

use std::any::Any;
use std::error::Error as StdError;
use std::fmt::Display;

use super::parts::Parts;
use super::source::Source;
use crate::cxx::KernelFn;
use crate::error::Error;

/// What a generator returns: a [`Source`], or a `Result` of one with any error that prints.
///
/// ```
/// use dijitso::{Generated, Source};
///
/// fn kernel_of<G: Generated>(_: fn() -> G) {}
///
/// fn generate() -> Result<Source<()>, std::fmt::Error> {
///     // SAFETY: returns a number.
///     Ok(unsafe { Source::translation_unit("extern \"C\" int answer() { return 42; }") }.export("answer"))
/// }
/// kernel_of(generate);
/// ```
#[diagnostic::on_unimplemented(
    message = "a generator cannot return `{Self}`",
    label = "not a `Source<F>`",
    note = "return `dijitso::Source<F>`, where `F` is the kernel's type, or `Result<Source<F>, E>` with an error \
            that implements `Display`"
)]
pub trait Generated {
    /// The type of the kernel.
    type Kernel: KernelFn;

    #[doc(hidden)]
    fn into_generated(self) -> Result<Source<Self::Kernel>, Failure>;
}

impl<F: KernelFn> Generated for Source<F> {
    type Kernel = F;

    fn into_generated(self) -> Result<Source<F>, Failure> {
        Ok(self)
    }
}

impl<F: KernelFn, E: Display + 'static> Generated for Result<Source<F>, E> {
    type Kernel = F;

    fn into_generated(self) -> Result<Source<F>, Failure> {
        self.map_err(|error| Failure::of(&error))
    }
}

/// Why a generator gave no source.
#[doc(hidden)]
#[derive(Debug)]
pub enum Failure {
    /// Its own error, as text.
    Failed(String),
    /// It loads a kernel that (by way of others) loads this one. That is an error of them all, so it
    /// keeps its kind while it passes through each of them.
    Cycle(Error),
}

impl Failure {
    /// Errors of dijitso itself are recognised, also when boxed, so that a cycle stays one.
    fn of<E: Display + 'static>(error: &E) -> Failure {
        let any: &dyn Any = error;
        let boxed = any
            .downcast_ref::<Box<dyn StdError + Send + Sync>>()
            .map(|error| &**error as &(dyn StdError + 'static))
            .or_else(|| any.downcast_ref::<Box<dyn StdError>>().map(|error| &**error));
        let own =
            any.downcast_ref::<Error>().or_else(|| boxed.and_then(|error| error.downcast_ref::<Error>()));
        match own {
            Some(cycle @ Error::Cycle { .. }) => Failure::Cycle(cycle.clone()),
            // The alternate form, because error types that keep a chain print it there.
            _ => Failure::Failed(format!("{error:#}")),
        }
    }
}

/// Runs one generator to its parts.
pub(super) fn parts_of<G: Generated>(generated: G) -> Result<Parts, Failure> {
    Ok(generated.into_generated()?.into_parts())
}

/// What a panic said, for messages.
pub(super) fn panic_text(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().copied();
    let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    match text {
        Some(text) => format!("panicked: {text}"),
        None => "panicked, with a value that is no text".to_owned(),
    }
}
