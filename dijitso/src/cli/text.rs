//! Texts that come from a cache, made safe for a terminal.
//!
//! Names, paths and sources are whatever somebody wrote: a name with an escape sequence could change the window's
//! title, hide lines, or type into some terminals.

use std::fmt::Write as _;
use std::path::Path;

/// On one line: what is no visible character is written as in Rust (`\u{1b}`).
pub(super) fn line(text: &str) -> String {
    escaped(text, |_| false)
}

/// With the lines and tabs that it has.
pub(super) fn lines(text: &str) -> String {
    escaped(text, |c| matches!(c, '\n' | '\t'))
}

/// A path, on one line.
pub(super) fn path(path: &Path) -> String {
    line(&path.to_string_lossy())
}

fn escaped(text: &str, kept: impl Fn(char) -> bool) -> String {
    if !text.chars().any(|c| acts(c) && !kept(c)) {
        return text.to_owned();
    }
    let mut safe = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if acts(c) && !kept(c) {
            safe.extend(c.escape_default());
        } else {
            safe.push(c);
        }
    }
    safe
}

/// Whether a terminal would do something else than show it: control characters, and those that turn the direction
/// of a text around.
fn acts(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// JSON, which may contain all of these but the first 32 as they are: written as escapes there, too, since people
/// look at it.
pub(super) fn json(text: &str) -> String {
    // Between values there is nothing but newlines, so all others are within strings.
    let acts = |c| acts(c) && c != '\n';
    if !text.chars().any(acts) {
        return text.to_owned();
    }
    let mut safe = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if acts(c) {
            let _ = write!(safe, "\\u{:04x}", u32::from(c));
        } else {
            safe.push(c);
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_act_is_shown() {
        assert_eq!(line("axpy(Unrolled(8)) äß"), "axpy(Unrolled(8)) äß");
        assert_eq!(line("\x1b]0;title\x07\n"), r"\u{1b}]0;title\u{7}\n");
        assert_eq!(line("a\u{9b}2Jb\u{202e}c\u{7f}"), r"a\u{9b}2Jb\u{202e}c\u{7f}");
        assert_eq!(lines("a\n\tb\r\x1b"), "a\n\tb\\r\\u{1b}");
    }

    #[test]
    fn json_stays_what_it_was() {
        let text = "a\u{9b}\u{202e}\u{7f}\x1b ä \u{10ffff}\n";
        let written = json(&serde_json::to_string(text).unwrap());
        assert!(!written.contains(['\u{9b}', '\u{202e}', '\u{7f}', '\x1b']));
        assert_eq!(serde_json::from_str::<String>(&written).unwrap(), text);
    }
}
