//! The trait of everything that may be an argument of a generator.

use super::Signer;

/// A value that can be part of a kernel's identity.
///
/// Derive it for your own types: `#[derive(Sign)]` signs the type's name, every field's or
/// variant's name, and every value, so a renamed field, another type with the same bits, or another
/// value each make another kernel. Where dijitso hashes `repr(params)`, this looks at the values
/// themselves.
///
/// Implemented for the standard types whose value is their identity; not for `HashMap` and
/// `HashSet`, whose order changes from run to run (use `BTreeMap`, `BTreeSet`), nor for raw pointers
/// and functions, whose address does.
///
/// ```
/// use dijitso::{Sign, Signer};
///
/// fn signature(value: &impl Sign) -> dijitso::Signature {
///     let mut signer = Signer::new("example");
///     value.sign(&mut signer);
///     signer.finish()
/// }
///
/// assert_eq!(signature(&vec![1u32, 2]), signature(&vec![1u32, 2]));
/// assert_ne!(signature(&1u32), signature(&1i32));
/// assert_ne!(signature(&("ab", "c")), signature(&("a", "bc")));
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be part of a kernel's signature",
    label = "not `Sign`",
    note = "add `#[derive(dijitso::Sign)]` to your own type",
    note = "a `HashMap` or `HashSet` has no stable order: use `BTreeMap` or `BTreeSet`",
    note = "sign the path or the contents of a file, not an open file or a pointer"
)]
pub trait Sign {
    /// Signs the type without a value, through [`Signer::type_named`]: an empty `Vec<f32>` must
    /// differ from an empty `Vec<f64>`.
    ///
    /// ```
    /// use dijitso::{Sign, Signer};
    /// let mut signer = Signer::new("example");
    /// <Option<f64>>::sign_type(&mut signer);
    /// ```
    fn sign_type(signer: &mut Signer);

    /// Signs the value: everything on which equality of two kernels depends.
    ///
    /// ```
    /// use dijitso::{Sign, Signer};
    /// let mut signer = Signer::new("example");
    /// Some(0.5f64).sign(&mut signer);
    /// ```
    fn sign(&self, signer: &mut Signer);
}
