//! A file being written whose lines may say where they really come from.

use std::fmt::Write as _;

use super::scan::scan;
use super::text::Text;

/// Collects the text of one file. Text that knows its Rust file is preceded by `#line`, and what
/// follows it by another one that leads back to the lines of the file itself, which the compiler
/// quotes in its messages.
pub(super) struct Lines<'a> {
    out: String,
    file: &'a str,
    /// Whether `#line` is written at all.
    lines: bool,
    /// The line of `file` that the next character is on.
    line: usize,
    /// The compiler believes to be in another file.
    away: bool,
}

impl<'a> Lines<'a> {
    pub(super) fn new(file: &'a str, lines: bool) -> Lines<'a> {
        Lines { out: String::new(), file, lines, line: 1, away: false }
    }

    /// Text of our own, in whole lines.
    pub(super) fn code(&mut self, code: &str) {
        self.back();
        self.put(code);
    }

    /// Generated text, from the start of a line.
    pub(super) fn text(&mut self, text: &Text) {
        self.out.reserve(text.len() + 1);
        if !self.lines || !text.is_located() {
            text.pieces().iter().for_each(|piece| self.put(&piece.text));
            return;
        }
        let whole = text.to_string();
        let breaks = scan(&whole).breaks;
        let mut start = 0;
        for piece in text.pieces() {
            let end = start + piece.text.len();
            // A piece may begin within a line, a literal or a macro: its place is told at the first
            // line where a directive changes nothing, and not at all if there is none.
            let first = breaks.partition_point(|&at| at < start);
            match breaks.get(first).copied().filter(|&at| at < end) {
                Some(at) => {
                    self.put(&whole[start..at]);
                    match piece.place {
                        Some((file, line)) => {
                            let above = whole[start..at].matches('\n').count();
                            self.directive(line as usize + above, file);
                            self.away = true;
                        }
                        None => self.back(),
                    }
                    self.put(&whole[at..end]);
                }
                None => self.put(&piece.text),
            }
            start = end;
        }
    }

    /// Ends an unfinished line.
    pub(super) fn end_line(&mut self) {
        if !self.out.is_empty() && !self.out.ends_with('\n') {
            self.put("\n");
        }
    }

    pub(super) fn finish(self) -> String {
        self.out
    }

    fn back(&mut self) {
        if self.away {
            self.directive(self.line + 1, self.file);
            self.away = false;
        }
    }

    fn directive(&mut self, line: usize, file: &str) {
        let mut directive = String::new();
        // A path with a quote or backslash in it must not end the literal.
        let file = file.replace('\\', "\\\\").replace('"', "\\\"");
        let _ = writeln!(directive, "#line {line} \"{file}\"");
        self.put(&directive);
    }

    fn put(&mut self, text: &str) {
        self.line += text.matches('\n').count();
        self.out.push_str(text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(text: &Text, lines: bool) -> String {
        let mut out = Lines::new("axpy.cpp", lines);
        out.text(text);
        out.end_line();
        out.code("END\n");
        out.finish()
    }

    #[test]
    fn located_text_is_led_out_and_back() {
        let text = Text::from("a\nb\n") + Text::located("c\nd\n", "src/k.rs", 10) + "e\n";
        assert_eq!(
            rendered(&text, true),
            "a\nb\n#line 10 \"src/k.rs\"\nc\nd\n#line 7 \"axpy.cpp\"\ne\nEND\n"
        );
        assert_eq!(rendered(&text, false), "a\nb\nc\nd\ne\nEND\n");
    }

    #[test]
    fn pieces_within_a_line_are_told_from_the_next_line_on() {
        let text = Text::from("int x = ") + Text::located("1 +\n2;\n", "k.rs", 5);
        assert_eq!(rendered(&text, true), "int x = 1 +\n#line 6 \"k.rs\"\n2;\n#line 5 \"axpy.cpp\"\nEND\n");
        let text = Text::from("int x = ") + Text::located("1", "k.rs", 5) + ";\nint y;\n";
        assert_eq!(rendered(&text, true), "int x = 1;\nint y;\nEND\n");
    }

    #[test]
    fn no_directive_breaks_a_macro_a_comment_or_a_literal() {
        for inside in
            ["#define A \\\n", "/*\n", "// \\\n", "const char *s = R\"(\n", "const char *s = \"\\\n"]
        {
            let text = Text::from(inside) + Text::located("1", "k.rs", 5) + "\n";
            assert!(!rendered(&text, true).contains("#line"), "{inside}");
        }
    }
}
