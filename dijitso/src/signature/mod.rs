//! Identity: SHA-256 digests over typed fields.
//!
//! Two kernels are the same exactly if their signatures are equal, in any process on any machine.
//! What enters a signature is therefore explicit ([`Sign`]), tagged by type and prefixed by length
//! ([`Signer`]): never a printed form, a concatenation or [`std::hash::Hash`], which all let
//! different things look equal.

mod impls;
mod sign;
mod signer;
#[cfg(test)]
mod tests;
mod text;

use std::fmt;
use std::io::{self, Read};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest as _, Sha256};
use xxhash_rust::xxh3::Xxh3;

pub use sign::Sign;
pub use signer::Signer;

/// A SHA-256 identity of a kernel, a toolchain or a file.
///
/// Prints as 64 lower-case hexadecimal digits; orders and compares by its bytes. dijitso calls it
/// the signature too, but takes it from the name the user gave.
///
/// ```
/// use dijitso::{Sign, Signature, Signer};
///
/// let mut signer = Signer::new("mesh");
/// (3u32, "triangle").sign(&mut signer);
/// let signature: Signature = signer.finish();
///
/// assert_eq!(signature.to_string().len(), 64);
/// assert_eq!(Signature::from_hex(&signature.to_hex()), Some(signature));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Signature([u8; 32]);

impl Signature {
    /// The signature with these bytes.
    ///
    /// ```
    /// const ZERO: dijitso::Signature = dijitso::Signature::from_bytes([0; 32]);
    /// assert_eq!(ZERO.short(), "000000000000");
    /// ```
    pub const fn from_bytes(bytes: [u8; 32]) -> Signature {
        Signature(bytes)
    }

    /// The 32 bytes.
    ///
    /// ```
    /// let signature = dijitso::Signature::from_bytes([7; 32]);
    /// assert_eq!(signature.as_bytes(), &[7; 32]);
    /// ```
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The 64 hexadecimal digits that file names and symbols carry.
    ///
    /// ```
    /// let signature = dijitso::Signature::from_bytes([0xab; 32]);
    /// assert_eq!(signature.to_hex(), "ab".repeat(32));
    /// ```
    pub fn to_hex(&self) -> String {
        hex(&self.0)
    }

    /// The first 12 hexadecimal digits, for messages.
    ///
    /// ```
    /// assert_eq!(dijitso::Signature::from_bytes([0xab; 32]).short(), "abababababab");
    /// ```
    pub fn short(&self) -> String {
        hex(&self.0[..6])
    }

    /// Reads 64 hexadecimal digits, as [`to_hex`](Self::to_hex) writes them (upper case too);
    /// `None` for anything else.
    ///
    /// ```
    /// use dijitso::Signature;
    /// assert_eq!(Signature::from_hex(&"ab".repeat(32)), Some(Signature::from_bytes([0xab; 32])));
    /// assert_eq!(Signature::from_hex("abc"), None);
    /// ```
    pub fn from_hex(text: &str) -> Option<Signature> {
        let digits = text.as_bytes();
        if digits.len() != 64 {
            return None;
        }
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = nibble(pair[0])? << 4 | nibble(pair[1])?;
        }
        Some(Signature(bytes))
    }
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    let text: Vec<u8> = digits.map(|digit| DIGITS[usize::from(digit)]).collect();
    String::from_utf8(text).unwrap_or_default()
}

fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.to_hex())
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signature({})", self.short())
    }
}

/// As hexadecimal digits where people read it, as its bytes between programs.
impl Serialize for Signature {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match serializer.is_human_readable() {
            true => serializer.serialize_str(&self.to_hex()),
            false => self.0.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Signature {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if !deserializer.is_human_readable() {
            return <[u8; 32]>::deserialize(deserializer).map(Signature);
        }
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Signature::from_hex(&text)
            .ok_or_else(|| serde::de::Error::custom("a signature is 64 hexadecimal digits"))
    }
}

/// The plain SHA-256 of a file's or library's contents.
pub(crate) fn digest(bytes: &[u8]) -> Signature {
    Signature(Sha256::digest(bytes).into())
}

/// [`digest`] of everything that `reader` yields, without holding it all.
pub(crate) fn digest_reader(reader: impl Read) -> io::Result<Signature> {
    let mut hasher = Sha256::new();
    by_pieces(reader, |piece| hasher.update(piece))?;
    Ok(Signature(hasher.finalize().into()))
}

/// Tells contents apart that nobody made to be taken for each other, ten times as fast as [`digest`]: the XXH3-128 of
/// everything that `reader` yields, in the form of a signature.
pub(crate) fn fingerprint_reader(reader: impl Read) -> io::Result<Signature> {
    let mut hasher = Xxh3::new();
    by_pieces(reader, |piece| hasher.update(piece))?;
    Ok(digest(&hasher.digest128().to_le_bytes()))
}

fn by_pieces(mut reader: impl Read, mut take: impl FnMut(&[u8])) -> io::Result<()> {
    let mut buffer = vec![0; 128 * 1024];
    loop {
        match reader.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(n) => take(&buffer[..n]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// A reader that knows the [`digest`] of what was read.
pub(crate) struct Digested<R> {
    reader: R,
    hasher: Sha256,
}

impl<R: Read> Digested<R> {
    pub(crate) fn new(reader: R) -> Digested<R> {
        Digested { reader, hasher: Sha256::new() }
    }

    /// Of all that was read so far.
    pub(crate) fn signature(self) -> Signature {
        Signature(self.hasher.finalize().into())
    }
}

impl<R: Read> Read for Digested<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.reader.read(buffer)?;
        self.hasher.update(&buffer[..n]);
        Ok(n)
    }
}

#[cfg(test)]
mod encoding_tests {
    use super::*;

    #[test]
    fn digest_is_plain_sha256() {
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(digest(b"").to_hex(), empty);
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(digest_reader(&b"abc"[..]).unwrap().to_hex(), abc);
    }

    #[test]
    fn a_fingerprint_is_that_of_all_pieces() {
        let bytes: Vec<u8> = (0..500_000_u32).map(|n| (n % 251) as u8).collect();
        let of = |bytes: &[u8]| fingerprint_reader(bytes).unwrap();
        let known = digest(&xxhash_rust::xxh3::xxh3_128(&bytes).to_le_bytes());
        assert_eq!(of(&bytes), known);
        for at in [0, 128 * 1024 - 1, 128 * 1024, 499_999] {
            let mut other = bytes.clone();
            other[at] ^= 1;
            assert_ne!(of(&other), known, "{at}");
        }
        assert_ne!(of(&bytes[1..]), known);
    }

    #[test]
    fn hex_round_trips_and_refuses_everything_else() {
        let signature = digest(b"x");
        assert_eq!(Signature::from_hex(&signature.to_hex()), Some(signature));
        assert_eq!(Signature::from_hex(&signature.to_hex().to_uppercase()), Some(signature));
        for bad in ["", "ab", &"g".repeat(64), &"a".repeat(63), &"a".repeat(65), &"é".repeat(32)] {
            assert_eq!(Signature::from_hex(bad), None, "{bad}");
        }
    }

    #[test]
    fn serde_uses_the_hex_form() {
        let signature = digest(b"x");
        let json = serde_json::to_string(&signature).unwrap();
        assert_eq!(json, format!("\"{signature}\""));
        assert_eq!(serde_json::from_str::<Signature>(&json).unwrap(), signature);
        assert!(serde_json::from_str::<Signature>("\"12\"").is_err());
    }
}
