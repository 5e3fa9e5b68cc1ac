//! C++ text in pieces, some of which know the line of the Rust file they were written on.

use std::fmt;
use std::ops::{Add, AddAssign};

/// Generated C++ text.
///
/// Plain strings become text by themselves. What is written with [`cxx!`](crate::cxx) remembers its
/// place in the Rust file, so that the compiler's messages name the line in the generator. Pieces
/// are joined with `+`, [`push`](Self::push), or `write!`. dijitso's sources are plain strings.
///
/// ```
/// use std::fmt::Write as _;
/// use dijitso::Text;
///
/// let mut text = Text::new();
/// for i in 0..2 {
///     writeln!(text, "static const int value_{i} = {};", i * i)?;
/// }
/// let text = text + "int sum() { return value_0 + value_1; }\n";
/// assert!(text.to_string().contains("value_1 = 1;"));
/// # Ok::<(), std::fmt::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Text {
    pieces: Vec<Piece>,
}

/// A stretch of text from one place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) text: String,
    /// File and line (from 1) of the first character.
    pub(super) place: Option<(&'static str, u32)>,
}

impl Text {
    /// Empty text.
    ///
    /// ```
    /// assert!(dijitso::Text::new().is_empty());
    /// ```
    pub fn new() -> Text {
        Text::default()
    }

    /// What `cxx!` expands to.
    #[doc(hidden)]
    pub fn located(text: &str, file: &'static str, line: u32) -> Text {
        Text { pieces: vec![Piece { text: text.to_owned(), place: Some((file, line)) }] }
    }

    /// In bytes.
    pub(crate) fn len(&self) -> usize {
        self.pieces.iter().map(|piece| piece.text.len()).sum()
    }

    /// Appends more text.
    ///
    /// ```
    /// let mut text = dijitso::Text::from("int a");
    /// text.push(" = 1;");
    /// assert_eq!(text.to_string(), "int a = 1;");
    /// ```
    pub fn push(&mut self, more: impl Into<Text>) {
        for piece in more.into().pieces {
            match self.pieces.last_mut() {
                Some(last) if last.place.is_none() && piece.place.is_none() => {
                    last.text.push_str(&piece.text)
                }
                _ => self.pieces.push(piece),
            }
        }
    }

    /// Whether there is no character in it.
    ///
    /// ```
    /// assert!(!dijitso::Text::from("int a;").is_empty());
    /// ```
    pub fn is_empty(&self) -> bool {
        self.pieces.iter().all(|piece| piece.text.is_empty())
    }

    pub(super) fn pieces(&self) -> &[Piece] {
        &self.pieces
    }

    pub(super) fn is_located(&self) -> bool {
        self.pieces.iter().any(|piece| piece.place.is_some())
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Text {
        text.to_owned().into()
    }
}

impl From<&String> for Text {
    fn from(text: &String) -> Text {
        text.clone().into()
    }
}

impl From<String> for Text {
    fn from(text: String) -> Text {
        Text { pieces: vec![Piece { text, place: None }] }
    }
}

impl<T: Into<Text>> Add<T> for Text {
    type Output = Text;

    fn add(mut self, more: T) -> Text {
        self.push(more);
        self
    }
}

impl<T: Into<Text>> AddAssign<T> for Text {
    fn add_assign(&mut self, more: T) {
        self.push(more);
    }
}

impl fmt::Write for Text {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        match self.pieces.last_mut() {
            Some(last) if last.place.is_none() => last.text.push_str(text),
            _ => self.pieces.push(Piece { text: text.to_owned(), place: None }),
        }
        Ok(())
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.pieces.iter().try_for_each(|piece| f.write_str(&piece.text))
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    #[test]
    fn plain_pieces_merge_and_located_ones_stay() {
        let mut text = Text::from("a") + "b".to_owned();
        assert_eq!(text.pieces().len(), 1);
        text += Text::located("c", "k.rs", 3);
        text.push("d");
        write!(text, "{}", 5).unwrap();
        assert_eq!(text.to_string(), "abcd5");
        assert_eq!(text.pieces().len(), 3);
        assert!(text.is_located() && !text.is_empty());
    }
}
