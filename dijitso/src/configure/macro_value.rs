//! What a macro of the header is: C has only texts, but Rust and cargo have types.
//!
//! A constant must not change its type with its value: what reads `LEVEL` would then compile on some machines only. So
//! whoever defines a macro says what it is, by the type of the value.

use std::fmt;
use std::iter::Peekable;
use std::str::Bytes;

use serde::{Deserialize, Serialize};

/// The value of a macro, see [`Cx::define`](super::Cx::define).
///
/// ```
/// use dijitso::configure::MacroValue;
/// assert_eq!(MacroValue::from(true).to_string(), "1");
/// assert_eq!(MacroValue::from(8_u64), MacroValue::Integer(8));
/// assert_eq!(MacroValue::from(0.5).to_string(), "0.5");
/// assert_eq!(MacroValue::from("\"text\"").to_string(), "\"text\"");
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum MacroValue {
    /// Something that is there, or not: 1 or undefined in C, a `bool` in Rust, a `cfg` for cargo.
    Feature(bool),
    /// A whole number.
    Integer(i128),
    /// Another number.
    Real(f64),
    /// A text of C, which may be anything: a number, a literal in its quotes, a type, nothing.
    Text(String),
}

/// What a value is, when it is a text.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Form {
    Feature,
    Integer,
    Real,
    #[default]
    Text,
}

impl MacroValue {
    pub(super) fn form(&self) -> Form {
        match self {
            MacroValue::Feature(_) => Form::Feature,
            MacroValue::Integer(_) => Form::Integer,
            MacroValue::Real(_) => Form::Real,
            MacroValue::Text(_) => Form::Text,
        }
    }
}

/// As C has it.
impl fmt::Display for MacroValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MacroValue::Feature(is_there) => u8::from(*is_there).fmt(f),
            MacroValue::Integer(value) => value.fmt(f),
            // A whole one keeps its point.
            MacroValue::Real(value) => write!(f, "{value:?}"),
            MacroValue::Text(text) => f.write_str(text),
        }
    }
}

macro_rules! from {
    ($($variant:ident: $($type:ty),*;)*) => {$($(
        impl From<$type> for MacroValue {
            fn from(value: $type) -> MacroValue {
                MacroValue::$variant(value.into())
            }
        }
    )*)*};
}

from! {
    Feature: bool;
    Integer: i8, i16, i32, i64, i128, u8, u16, u32, u64;
    Real: f32, f64;
    Text: String, &String, &str;
}

impl From<usize> for MacroValue {
    fn from(value: usize) -> MacroValue {
        MacroValue::from(value as u64)
    }
}

/// What a literal of C says; `None` if the text is none, or says what no text of Rust can.
pub(super) fn literal(text: &str) -> Option<String> {
    let inner = text.strip_prefix('"')?.strip_suffix('"')?;
    let mut said = Vec::new();
    let mut rest = inner.bytes().peekable();
    while let Some(byte) = rest.next() {
        match byte {
            // Two literals side by side.
            b'"' => return None,
            b'\\' => said.push(escape(&mut rest)?),
            other => said.push(other),
        }
    }
    String::from_utf8(said).ok()
}

fn escape(rest: &mut Peekable<Bytes<'_>>) -> Option<u8> {
    Some(match rest.next()? {
        b'n' => b'\n',
        b't' => b'\t',
        b'r' => b'\r',
        b'a' => 7,
        b'b' => 8,
        b'v' => 11,
        b'f' => 12,
        same @ (b'\\' | b'"' | b'\'' | b'?') => same,
        b'x' => digits(rest, 16, usize::MAX, None)?,
        first @ b'0'..=b'7' => digits(rest, 8, 2, Some(first - b'0'))?,
        _ => return None,
    })
}

fn digits(rest: &mut Peekable<Bytes<'_>>, radix: u32, most: usize, first: Option<u8>) -> Option<u8> {
    let mut value = first.map(u32::from);
    for _ in 0..most {
        let Some(digit) = rest.peek().and_then(|byte| char::from(*byte).to_digit(radix)) else { break };
        value = Some(value.unwrap_or(0).checked_mul(radix)?.checked_add(digit)?);
        rest.next();
    }
    u8::try_from(value?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_of_c_are_read() {
        let read = |text: &str| literal(text).unwrap_or_else(|| panic!("{text}"));
        assert_eq!(read(r#""a b""#), "a b");
        assert_eq!(read(r#""a\n\t\"\\\'\?""#), "a\n\t\"\\'?");
        assert_eq!(read(r#""\x41\102\0""#), "AB\0");
        assert_eq!(read(r#""\xc3\xa9é""#), "éé");
        for none in ["a", "\"", r#""a" "b""#, r#""\xff""#, r#""\q""#, r#""\x""#, r#""a\""#, r#""\777""#] {
            assert_eq!(literal(none), None, "{none}");
        }
    }
}
