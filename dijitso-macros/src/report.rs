//! Errors are collected, not returned at the first one: whoever declares a kernel sees everything
//! that is wrong with it in one compile.

use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::Error;

/// The errors of one macro call, in source order.
#[derive(Default)]
pub(crate) struct Report {
    errors: Option<Error>,
}

impl Report {
    /// Adds `message`, shown under `tokens` (from their first to their last).
    pub(crate) fn at(&mut self, tokens: impl ToTokens, message: impl std::fmt::Display) {
        self.push(Error::new_spanned(tokens, message));
    }

    /// Adds an error that already knows its place.
    pub(crate) fn push(&mut self, error: Error) {
        match &mut self.errors {
            Some(errors) => errors.combine(error),
            none => *none = Some(error),
        }
    }

    /// Adds the errors of a part.
    pub(crate) fn append(&mut self, part: Report) {
        part.errors.into_iter().for_each(|error| self.push(error));
    }

    /// Whether nothing was wrong so far.
    pub(crate) fn is_empty(&self) -> bool {
        self.errors.is_none()
    }

    /// One `compile_error!` for each error; nothing if there were none.
    pub(crate) fn into_tokens(self) -> TokenStream {
        self.errors.map(Error::into_compile_error).unwrap_or_default()
    }
}

/// The known word that was probably meant by `word`.
pub(crate) fn closest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    let near = |name: &&&str| distance(word, name) <= 1 + name.len() / 4;
    known.iter().filter(near).min_by_key(|name| distance(word, name)).copied()
}

/// Number of inserted, removed, changed or swapped letters between two words.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows: Vec<Vec<usize>> = vec![(0..=b.len()).collect()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let above = &rows[i - 1];
            let mut best =
                (above[j] + 1).min(row[j - 1] + 1).min(above[j - 1] + usize::from(a[i - 1] != b[j - 1]));
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typo_finds_the_word_and_a_different_word_finds_none() {
        let known = ["name", "version", "crate"];
        assert_eq!(closest("nmae", &known), Some("name"));
        assert_eq!(closest("versoin", &known), Some("version"));
        assert_eq!(closest("krate", &known), Some("crate"));
        assert_eq!(closest("language", &known), None);
    }
}
