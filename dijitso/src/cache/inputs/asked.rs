//! Headers that a text asks for without including them.
//!
//! `__has_include(<mkl.h>)` decides what is compiled, but a compiler does not list a header that was not
//! there among the files it read. Without this, installing it would never rebuild the kernel.

const QUESTION: &[u8] = b"__has_include";
/// Longer than any sensible name; what is behind the word may be anything.
const LONGEST: usize = 256;

/// The names in `__has_include(<name>)` and `__has_include("name")`, also where the preprocessor would
/// skip them: asking once too often costs nothing.
pub(crate) fn asked_in(text: &[u8]) -> Vec<String> {
    let mut names = Vec::new();
    let mut rest = text;
    // Texts have megabytes, and the question is rare.
    let question = memchr::memmem::Finder::new(QUESTION);
    while let Some(at) = question.find(rest) {
        rest = &rest[at + QUESTION.len()..];
        if let Some(name) = name_at(rest)
            && !names.contains(&name)
        {
            names.push(name);
        }
    }
    names
}

fn name_at(text: &[u8]) -> Option<String> {
    let text = text.strip_prefix(b"_next").unwrap_or(text).trim_ascii_start();
    let (quote, text) = text.strip_prefix(b"(")?.trim_ascii_start().split_first()?;
    let close = match quote {
        b'<' => b'>',
        b'"' => b'"',
        _ => return None,
    };
    let end = text.iter().take(LONGEST).position(|byte| *byte == close || *byte == b'\n')?;
    if end == 0 || text[end] != close {
        return None;
    }
    Some(std::str::from_utf8(&text[..end]).ok()?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_are_found() {
        let text = b"#if __has_include(<mkl.h>) || defined(__has_include) && __has_include ( \"a/b.h\" )\n\
                     #if __has_include_next(<c.h>)\n__has_include(<mkl.h>) __has_include(MACRO) __has_include(<\n>)";
        assert_eq!(asked_in(text), ["mkl.h", "a/b.h", "c.h"]);
        assert!(asked_in(b"").is_empty());
        assert!(asked_in(b"__has_include").is_empty());
        assert!(asked_in(b"__has_include(<").is_empty());
        assert!(asked_in(b"_____has_include(<>)").is_empty());
    }
}
