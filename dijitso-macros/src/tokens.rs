//! The digest of a generator's tokens: what "the generator changed" means.
//!
//! It must be the same in build.rs and in the crate, and not change with layout; so it sees words and
//! operators, never spaces, comments, documentation or spans. (A comma that rustfmt adds at the end of
//! a list is a word: a changed signature costs one more run of the generator, and compiles nothing.)

use std::fmt::Write as _;

use proc_macro2::{Delimiter, Group, Spacing, TokenStream, TokenTree};
use sha2::{Digest, Sha256};

/// SHA-256 of `tokens`, as 64 hexadecimal digits.
pub(crate) fn digest(tokens: TokenStream) -> String {
    let mut flat = Flat { hasher: Sha256::new() };
    flat.stream(tokens);
    flat.hasher.finalize().iter().fold(String::with_capacity(64), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

struct Flat {
    hasher: Sha256,
}

impl Flat {
    /// Length first, so that two lists of words never run together into the same bytes.
    fn word(&mut self, word: &str) {
        self.hasher.update((word.len() as u64).to_le_bytes());
        self.hasher.update(word.as_bytes());
    }

    fn stream(&mut self, tokens: TokenStream) {
        let trees: Vec<TokenTree> = tokens.into_iter().collect();
        let mut at = 0;
        while let Some(tree) = trees.get(at) {
            let rest = &trees[at..];
            at += match tree {
                TokenTree::Punct(_) => {
                    let doc = documentation(rest);
                    if doc > 0 { doc } else { self.operator(rest) }
                }
                TokenTree::Group(group) => {
                    self.group(group);
                    1
                }
                word => {
                    self.word(&word.to_string());
                    1
                }
            };
        }
    }

    fn group(&mut self, group: &Group) {
        let (open, close) = match group.delimiter() {
            Delimiter::Parenthesis => ("(", ")"),
            Delimiter::Brace => ("{", "}"),
            Delimiter::Bracket => ("[", "]"),
            // A `macro_rules` variable. One word is just that word; around more the boundary is part
            // of the meaning: `$a * $b` with `1 + 2` for `$a` is not `1 + 2 * $b`.
            Delimiter::None if group.stream().into_iter().nth(1).is_none() => ("", ""),
            Delimiter::None => ("$(", ")"),
        };
        if open.is_empty() {
            return self.stream(group.stream());
        }
        self.word(open);
        self.stream(group.stream());
        self.word(close);
    }

    /// One operator, as the language reads it: `a && -b` and `a &&-b` are the same, `a & &b` is not
    /// `a && b`. Returns how many tokens it took.
    fn operator(&mut self, rest: &[TokenTree]) -> usize {
        let mut run = String::new();
        for tree in rest {
            let TokenTree::Punct(punct) = tree else { break };
            run.push(punct.as_char());
            if punct.spacing() == Spacing::Alone {
                break;
            }
        }
        let operator = OPERATORS.iter().find(|operator| run.starts_with(**operator));
        let taken = operator.map_or(1, |operator| operator.len());
        self.word(&run[..taken.min(run.len())]);
        taken
    }
}

/// Rust's operators of several characters, longest first. Those that begin with `>` are missing on
/// purpose: `Vec<Vec<u8>>` and `Vec<Vec<u8> >` are one type, and `> >` means nothing else.
const OPERATORS: [&str; 21] = [
    "<<=", "...", "..=", "<<", "<=", "==", "!=", "&&", "||", "+=", "-=", "*=", "/=", "%=", "^=", "&=", "|=",
    "->", "=>", "::", "..",
];

/// How many tokens of documentation (`#[doc ..]`, `#![doc ..]`) `rest` begins with.
fn documentation(rest: &[TokenTree]) -> usize {
    let is = |index: usize, wanted: char| matches!(rest.get(index), Some(TokenTree::Punct(p)) if p.as_char() == wanted);
    let bracket = match (is(0, '#'), is(1, '!')) {
        (false, _) => return 0,
        (true, true) => 2,
        (true, false) => 1,
    };
    match rest.get(bracket) {
        Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Bracket => {
            match group.stream().into_iter().next() {
                Some(TokenTree::Ident(word)) if word == "doc" => bracket + 1,
                _ => 0,
            }
        }
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> String {
        digest(text.parse().unwrap())
    }

    #[test]
    fn spaces_comments_and_documentation_do_not_count() {
        let plain = of("fn f(n: u32) -> Source<F> { let x = -1; g::<Vec<Vec<u8>>>(&&x, n) }");
        assert_eq!(plain, of("/// Doc.\nfn f(n:u32)->Source<F>{let x=-1;g::<Vec<Vec<u8> > >(&&x,n)}"));
        assert_eq!(
            plain,
            of("#[doc = \"d\"] fn f ( n : u32 ) -> Source < F > { //! inner\n /* c */ let x = - 1 ; \
                /// statement\n g :: < Vec < Vec < u8 >> > ( &&x , n ) }")
        );
        assert_eq!(plain.len(), 64);
    }

    #[test]
    fn every_word_operator_and_nesting_counts() {
        let texts = [
            "a && b",
            "a & &b",
            "a & b",
            "a b",
            "ab",
            "a (b)",
            "a [b]",
            "a {b}",
            "(a) b",
            "\"a\" b",
            "a << b",
            "a < < b",
            "a .. b",
            "a ..= b",
            "r#a b",
            "'a b",
            "#[allow(x)] a",
            "#![doc] a",
            "a 1.0",
            "a 1.00",
        ];
        for (i, one) in texts.iter().enumerate() {
            for other in &texts[..i] {
                assert_ne!(of(one), of(other), "{one} / {other}");
            }
        }
    }

    #[test]
    fn the_invisible_group_of_one_word_is_the_word_and_of_more_keeps_its_boundary() {
        let invisible = |text: &str| {
            let group = Group::new(Delimiter::None, text.parse().unwrap());
            let rest: TokenStream = "* 3".parse().unwrap();
            digest(std::iter::once(TokenTree::Group(group)).chain(rest).collect())
        };
        assert_eq!(invisible("a"), of("a * 3"));
        assert_ne!(invisible("1 + 2"), of("1 + 2 * 3"));
    }
}
