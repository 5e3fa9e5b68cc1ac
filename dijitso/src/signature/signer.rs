//! The one hasher: type-tagged, length-prefixed fields into SHA-256, and beside it a short text.

use std::fmt;

use sha2::{Digest as _, Sha256};

use super::text::{Opened, Text};
use super::{Sign, Signature};

/// What comes next in the stream. Every item starts with one of these, and all of them end
/// themselves (fixed size, a length in front, or [`Tag::End`]), so no two different sequences of
/// items have the same bytes.
#[derive(Clone, Copy)]
#[repr(u8)]
pub(super) enum Tag {
    End = 0,
    Bool = 1,
    Char = 2,
    U8 = 3,
    U16 = 4,
    U32 = 5,
    U64 = 6,
    U128 = 7,
    Usize = 8,
    I8 = 9,
    I16 = 10,
    I32 = 11,
    I64 = 12,
    I128 = 13,
    Isize = 14,
    F32 = 15,
    F64 = 16,
    Str = 17,
    Bytes = 18,
    Sequence = 19,
    Tuple = 20,
    Structure = 21,
    Variant = 22,
    Field = 23,
    Type = 24,
}

/// Collects what makes two things equal or different, and ends in a [`Signature`].
///
/// Each method signs one value together with its type, so `1u32`, `1i32` and `1u64` differ, and so
/// do `("ab", "c")` and `("a", "bc")`. Beside the digest the signer writes a short text, like
/// `Unrolled(8)` or `Point { x: 1.0 }`, for messages.
///
/// ```
/// use dijitso::{Sign, Signer};
///
/// /// How a loop is written.
/// struct Loop { unroll: u32 }
///
/// // What #[derive(Sign)] writes:
/// impl Sign for Loop {
///     fn sign_type(signer: &mut Signer) {
///         signer.type_named("Loop", |_| {});
///     }
///     fn sign(&self, signer: &mut Signer) {
///         signer.structure("Loop", |signer| signer.field("unroll", &self.unroll));
///     }
/// }
///
/// let mut signer = Signer::new("example");
/// Loop { unroll: 8 }.sign(&mut signer);
/// let (signature, text) = signer.finish_with_text();
/// assert_eq!(text, "Loop { unroll: 8 }");
/// assert_eq!(signature.to_hex().len(), 64);
/// ```
pub struct Signer {
    hasher: Sha256,
    text: Text,
}

macro_rules! scalars {
    ($($name:ident $type:ident $tag:ident;)*) => {$(
        #[doc = concat!("Signs one `", stringify!($type), "`.")]
        ///
        /// ```
        #[doc = concat!("dijitso::Signer::new(\"example\").", stringify!($name), "(1 as ", stringify!($type), ");")]
        /// ```
        pub fn $name(&mut self, value: $type) {
            self.tag(Tag::$tag);
            self.hasher.update(value.to_le_bytes());
            self.text.value(format_args!("{value:?}"));
        }
    )*};
}

impl Signer {
    /// A signer for one kind of thing; signers of different domains never give equal signatures.
    ///
    /// ```
    /// let a = dijitso::Signer::new("source").finish();
    /// let b = dijitso::Signer::new("toolchain").finish();
    /// assert_ne!(a, b);
    /// ```
    pub fn new(domain: &str) -> Signer {
        let mut signer = Signer { hasher: Sha256::new(), text: Text::default() };
        signer.raw(b"dijitso signature 1\n");
        signer.length_and(domain.as_bytes());
        signer
    }

    /// A signer that writes no text beside: most texts are never read, and they cost as much as the hash.
    pub(crate) fn quiet(domain: &str) -> Signer {
        let mut signer = Signer::new(domain);
        signer.text.silent = true;
        signer
    }

    scalars! {
        u8 u8 U8;
        u16 u16 U16;
        u32 u32 U32;
        u64 u64 U64;
        u128 u128 U128;
        i8 i8 I8;
        i16 i16 I16;
        i32 i32 I32;
        i64 i64 I64;
        i128 i128 I128;
    }

    /// Signs one `usize`: a type of its own, with a 64-bit value on every machine.
    ///
    /// ```
    /// dijitso::Signer::new("example").usize(3);
    /// ```
    pub fn usize(&mut self, value: usize) {
        self.tag(Tag::Usize);
        self.raw(&(value as u64).to_le_bytes());
        self.text.value(format_args!("{value}"));
    }

    /// Signs one `isize`: a type of its own, with a 64-bit value on every machine.
    ///
    /// ```
    /// dijitso::Signer::new("example").isize(-3);
    /// ```
    pub fn isize(&mut self, value: isize) {
        self.tag(Tag::Isize);
        self.raw(&(value as i64).to_le_bytes());
        self.text.value(format_args!("{value}"));
    }

    /// Signs one `f32` by its bits: `0.0` and `-0.0` differ, a NaN equals itself.
    ///
    /// ```
    /// dijitso::Signer::new("example").f32(0.5);
    /// ```
    pub fn f32(&mut self, value: f32) {
        self.tag(Tag::F32);
        self.raw(&value.to_bits().to_le_bytes());
        self.text.value(format_args!("{value:?}"));
    }

    /// Signs one `f64` by its bits: `0.0` and `-0.0` differ, a NaN equals itself.
    ///
    /// ```
    /// dijitso::Signer::new("example").f64(0.5);
    /// ```
    pub fn f64(&mut self, value: f64) {
        self.tag(Tag::F64);
        self.raw(&value.to_bits().to_le_bytes());
        self.text.value(format_args!("{value:?}"));
    }

    /// Signs one `bool`.
    ///
    /// ```
    /// dijitso::Signer::new("example").bool(true);
    /// ```
    pub fn bool(&mut self, value: bool) {
        self.tag(Tag::Bool);
        self.raw(&[u8::from(value)]);
        self.text.value(format_args!("{value}"));
    }

    /// Signs one `char`.
    ///
    /// ```
    /// dijitso::Signer::new("example").char('x');
    /// ```
    pub fn char(&mut self, value: char) {
        self.tag(Tag::Char);
        self.raw(&u32::from(value).to_le_bytes());
        self.text.value(format_args!("{value:?}"));
    }

    /// Signs a text with its length.
    ///
    /// ```
    /// dijitso::Signer::new("example").str("triangle");
    /// ```
    pub fn str(&mut self, value: &str) {
        self.tag(Tag::Str);
        self.length_and(value.as_bytes());
        self.text.value(format_args!("{value:?}"));
    }

    /// Signs bytes with their number, as one value (a `&[u8]` that is signed by [`Sign`] is a
    /// sequence of `u8` instead).
    ///
    /// ```
    /// dijitso::Signer::new("example").bytes(b"\x7fELF");
    /// ```
    pub fn bytes(&mut self, value: &[u8]) {
        self.tag(Tag::Bytes);
        self.length_and(value);
        self.text.value(format_args!("[{} bytes]", value.len()));
    }

    /// Signs `len` items, which `items` signs one after another.
    ///
    /// ```
    /// use dijitso::{Sign, Signer};
    /// let names = ["x", "y"];
    /// let mut signer = Signer::new("example");
    /// signer.seq(names.len(), |signer| names.iter().for_each(|name| name.sign(signer)));
    /// assert_eq!(signer.finish_with_text().1, r#"["x", "y"]"#);
    /// ```
    pub fn seq(&mut self, len: usize, items: impl FnOnce(&mut Signer)) {
        self.tag(Tag::Sequence);
        self.raw(&(len as u64).to_le_bytes());
        self.group(Opened::with("[", "]"), items);
    }

    /// A path or the like: named bytes, whose text is the path itself.
    pub(super) fn os_str(&mut self, of: &str, value: &[u8]) {
        self.tag(Tag::Structure);
        self.length_and(of.as_bytes());
        self.tag(Tag::Bytes);
        self.length_and(value);
        self.tag(Tag::End);
        self.text.value(format_args!("\"{}\"", value.escape_ascii()));
    }

    pub(super) fn signature(&mut self, value: &Signature) {
        self.tag(Tag::Structure);
        self.length_and(b"Signature");
        self.raw(value.as_bytes());
        self.tag(Tag::End);
        self.text.value(format_args!("{}", value.short()));
    }

    pub(super) fn tuple(&mut self, len: usize, items: impl FnOnce(&mut Signer)) {
        self.tag(Tag::Tuple);
        self.raw(&(len as u64).to_le_bytes());
        self.group(Opened::with("(", ")"), items);
    }

    /// Signs a struct: its name, and what `fields` signs ([`field`](Self::field) by field, or
    /// value by value for a tuple struct).
    ///
    /// ```
    /// use dijitso::{Sign, Signer};
    /// let mut signer = Signer::new("example");
    /// signer.structure("Degree", |signer| 2u32.sign(signer));
    /// assert_eq!(signer.finish_with_text().1, "Degree(2)");
    /// ```
    pub fn structure(&mut self, name: &str, fields: impl FnOnce(&mut Signer)) {
        self.tag(Tag::Structure);
        self.length_and(name.as_bytes());
        self.text.value(format_args!("{name}"));
        self.group(Opened::later(), fields);
    }

    /// Signs a variant of an enum: both names, and what `fields` signs.
    ///
    /// ```
    /// use dijitso::{Sign, Signer};
    /// let mut signer = Signer::new("example");
    /// signer.variant("Loop", "Unrolled", |signer| 8u32.sign(signer));
    /// assert_eq!(signer.finish_with_text().1, "Unrolled(8)");
    /// ```
    pub fn variant(&mut self, of: &str, name: &str, fields: impl FnOnce(&mut Signer)) {
        self.tag(Tag::Variant);
        self.length_and(of.as_bytes());
        self.length_and(name.as_bytes());
        self.text.value(format_args!("{name}"));
        self.group(Opened::later(), fields);
    }

    /// Signs a named value: renaming the field changes the signature.
    ///
    /// ```
    /// let mut signer = dijitso::Signer::new("example");
    /// signer.field("unroll", &8u32);
    /// assert_eq!(signer.finish_with_text().1, "unroll: 8");
    /// ```
    pub fn field<T: Sign + ?Sized>(&mut self, name: &str, value: &T) {
        self.tag(Tag::Field);
        self.length_and(name.as_bytes());
        self.text.label(name);
        value.sign(self);
    }

    /// Signs the name of a type, and what `arguments` signs of its generic arguments
    /// (`T::sign_type(signer)` for a type, `N.sign(signer)` for a constant).
    ///
    /// This is the body of [`Sign::sign_type`]; it leaves no trace in the text.
    ///
    /// ```
    /// let mut signer = dijitso::Signer::new("example");
    /// signer.type_named("Loop", |_| {});
    /// assert_eq!(signer.finish_with_text().1, "");
    /// ```
    pub fn type_named(&mut self, name: &str, arguments: impl FnOnce(&mut Signer)) {
        self.tag(Tag::Type);
        self.length_and(name.as_bytes());
        let silent = std::mem::replace(&mut self.text.silent, true);
        arguments(self);
        self.text.silent = silent;
        self.tag(Tag::End);
    }

    /// The signature of all that was signed.
    ///
    /// ```
    /// let signature = dijitso::Signer::new("example").finish();
    /// ```
    pub fn finish(self) -> Signature {
        Signature(self.hasher.finalize().into())
    }

    /// The signature, and the short text of what was signed (about 160 characters at most; then it
    /// ends in `..`).
    ///
    /// ```
    /// let mut signer = dijitso::Signer::new("example");
    /// signer.u32(8);
    /// let (_signature, text) = signer.finish_with_text();
    /// assert_eq!(text, "8");
    /// ```
    pub fn finish_with_text(self) -> (Signature, String) {
        (Signature(self.hasher.finalize().into()), self.text.buffer)
    }

    fn group(&mut self, opened: Opened, items: impl FnOnce(&mut Signer)) {
        let outer = self.text.open(opened);
        items(self);
        self.text.close(outer);
        self.tag(Tag::End);
    }

    fn tag(&mut self, tag: Tag) {
        self.raw(&[tag as u8]);
    }

    fn length_and(&mut self, bytes: &[u8]) {
        self.raw(&(bytes.len() as u64).to_le_bytes());
        self.raw(bytes);
    }

    fn raw(&mut self, bytes: &[u8]) {
        self.hasher.update(bytes);
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signer").field("text", &self.text.buffer).finish_non_exhaustive()
    }
}
