//! A small reader of C++ text: enough to tell code from comments and literals.
//!
//! Two questions need it: where is a preprocessor directive that must not be there (an `#include`
//! inside a namespace compiles into nonsense, or does not compile with pages of errors), and where
//! may a `#line` be put without changing what the text means.

/// What was found in a text.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Scan {
    pub(super) directives: Vec<Directive>,
    /// Byte offsets of line starts where a directive of ours would be read as one.
    pub(super) breaks: Vec<usize>,
}

/// A preprocessor directive.
#[derive(Debug, PartialEq)]
pub(super) struct Directive {
    /// From 1.
    pub(super) line: usize,
    pub(super) name: String,
    /// The whole line, trimmed.
    pub(super) text: String,
}

/// Reads `text`, whatever it is: on malformed text the answer may be short, never wrong in the
/// sense of a panic or an endless loop.
pub(super) fn scan(text: &str) -> Scan {
    let mut reader = Reader { bytes: text.as_bytes(), at: 0, line: 1, fresh: true, found: Scan::default() };
    reader.found.breaks.push(0);
    while reader.at < reader.bytes.len() {
        reader.step(text);
    }
    reader.found
}

/// The text with everything that is no code (comments, literals, directives) as spaces, so that what is
/// found in it is found in the text, at the same place.
pub(crate) fn code_only(text: &str) -> String {
    let mut reader = Reader { bytes: text.as_bytes(), at: 0, line: 1, fresh: true, found: Scan::default() };
    let mut code = text.as_bytes().to_vec();
    let mut directive = false;
    while reader.at < reader.bytes.len() {
        let (start, first) = (reader.at, reader.peek(0));
        let (next, fresh) = (reader.peek(1), reader.fresh);
        reader.step(text);
        // A directive goes to the end of its line; lines that a backslash joins are stepped over at once.
        directive =
            (directive && first != b'\n') || (fresh && (first == b'#' || (first == b'%' && next == b':')));
        let literal = code[start..reader.at].iter().any(|b| matches!(b, b'"' | b'\''))
            && !first.is_ascii_digit()
            && first != b'.';
        let comment = first == b'/' && matches!(next, b'/' | b'*');
        if directive || literal || comment {
            code[start..reader.at].iter_mut().filter(|b| **b != b'\n').for_each(|b| *b = b' ');
        }
    }
    // Whole characters were replaced or kept.
    String::from_utf8(code).unwrap_or_default()
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    line: usize,
    /// Only white space and comments since the start of the line.
    fresh: bool,
    found: Scan,
}

impl Reader<'_> {
    fn peek(&self, ahead: usize) -> u8 {
        self.bytes.get(self.at + ahead).copied().unwrap_or(0)
    }

    /// Moves on, counting lines.
    fn skip(&mut self, count: usize) {
        let end = (self.at + count).min(self.bytes.len());
        self.line += self.bytes[self.at..end].iter().filter(|&&b| b == b'\n').count();
        self.at = end;
    }

    fn step(&mut self, text: &str) {
        match self.peek(0) {
            b'\n' => {
                self.skip(1);
                self.fresh = true;
                self.found.breaks.push(self.at);
            }
            // A spliced line: the next one belongs to this one, and is no place for a directive.
            b'\\' if self.splice() > 0 => self.skip(self.splice()),
            b' ' | b'\t' | b'\r' | b'\x0b' | b'\x0c' => self.skip(1),
            b'/' if self.peek(1) == b'/' => self.line_comment(),
            b'/' if self.peek(1) == b'*' => self.block_comment(),
            b'#' if self.fresh => self.directive(text, 1),
            b'%' if self.fresh && self.peek(1) == b':' => self.directive(text, 2),
            b'"' => self.quoted(b'"'),
            b'\'' => self.quoted(b'\''),
            b'0'..=b'9' => self.number(),
            b'.' if self.peek(1).is_ascii_digit() => self.number(),
            b if is_word(b) => self.word(),
            _ => {
                self.fresh = false;
                self.skip(1);
            }
        }
    }

    /// The length of a backslash with the line end after it, 0 if there is none here.
    fn splice(&self) -> usize {
        match (self.peek(0), self.peek(1), self.peek(2)) {
            (b'\\', b'\n', _) => 2,
            (b'\\', b'\r', b'\n') => 3,
            _ => 0,
        }
    }

    /// Up to the end of the line, which a backslash moves one further.
    fn line_comment(&mut self) {
        while self.at < self.bytes.len() && self.peek(0) != b'\n' {
            self.skip(self.splice().max(1));
        }
    }

    fn block_comment(&mut self) {
        self.skip(2);
        while self.at < self.bytes.len() {
            if self.peek(0) == b'*' && self.peek(1) == b'/' {
                self.skip(2);
                return;
            }
            self.skip(1);
        }
    }

    /// A string or character literal. An unfinished one ends with its line, as for compilers.
    fn quoted(&mut self, quote: u8) {
        self.fresh = false;
        self.skip(1);
        while self.at < self.bytes.len() && self.peek(0) != b'\n' {
            let b = self.peek(0);
            if b == b'\\' {
                self.skip(self.splice().max(2));
            } else {
                self.skip(1);
                if b == quote {
                    return;
                }
            }
        }
    }

    /// Numbers are read whole because of their digit separators: `1'000'000` holds no character
    /// literal.
    fn number(&mut self) {
        self.fresh = false;
        while is_word(self.peek(0))
            || self.peek(0) == b'.'
            || (self.peek(0) == b'\'' && is_word(self.peek(1)))
            || (matches!(self.peek(0), b'+' | b'-') && matches!(self.before(), b'e' | b'E' | b'p' | b'P'))
        {
            self.skip(1);
        }
    }

    fn before(&self) -> u8 {
        self.at.checked_sub(1).map_or(0, |i| self.bytes[i])
    }

    /// An identifier, or the prefix of a raw string.
    fn word(&mut self) {
        self.fresh = false;
        let start = self.at;
        while is_word(self.peek(0)) {
            self.skip(1);
        }
        if self.peek(0) == b'"'
            && matches!(&self.bytes[start..self.at], b"R" | b"u8R" | b"uR" | b"UR" | b"LR")
        {
            self.raw_string();
        }
    }

    /// `"delimiter( .. )delimiter"`; inside, neither quotes nor backslashes mean anything.
    fn raw_string(&mut self) {
        let rest = &self.bytes[self.at + 1..];
        let Some(open) = rest.iter().take(17).position(|&b| b == b'(') else {
            return self.quoted(b'"');
        };
        let mut close = vec![b')'];
        close.extend_from_slice(&rest[..open]);
        close.push(b'"');
        let body = &rest[open + 1..];
        let length = body.windows(close.len()).position(|window| window == close).unwrap_or(body.len());
        self.skip(1 + open + 1 + length + close.len());
    }

    /// The name of a directive; what follows it is read as any text.
    fn directive(&mut self, text: &str, introducer: usize) {
        let line = self.line;
        let start = self.at;
        self.fresh = false;
        self.skip(introducer);
        loop {
            match self.peek(0) {
                b' ' | b'\t' => self.skip(1),
                b'\\' if self.splice() > 0 => self.skip(self.splice()),
                b'/' if self.peek(1) == b'*' => self.block_comment(),
                _ => break,
            }
        }
        let name = self.at;
        while is_word(self.peek(0)) {
            self.skip(1);
        }
        // Byte offsets next to ASCII are character boundaries; `get` keeps that from being a promise.
        let name = text.get(name..self.at).unwrap_or_default().to_owned();
        let end =
            self.bytes[start..].iter().position(|&b| b == b'\n').map_or(self.bytes.len(), |n| start + n);
        let whole = text.get(start..end).unwrap_or_default().trim().to_owned();
        // In `#include <a'b>` and `#error don't` a quote opens nothing.
        if matches!(name.as_str(), "include" | "include_next" | "import" | "error" | "warning") {
            self.line_comment_like();
        }
        self.found.directives.push(Directive { line, name, text: whole });
    }

    /// Skips to the end of the line, but for a block comment that may go beyond it.
    fn line_comment_like(&mut self) {
        while self.at < self.bytes.len() && self.peek(0) != b'\n' {
            if self.peek(0) == b'/' && self.peek(1) == b'*' {
                self.block_comment();
            } else {
                self.skip(self.splice().max(1));
            }
        }
    }
}

fn is_word(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b == b'_' || b >= 0x80
}

#[cfg(test)]
mod tests {
    use super::*;

    fn includes(text: &str) -> Vec<usize> {
        scan(text).directives.iter().filter(|d| d.name == "include").map(|d| d.line).collect()
    }

    #[test]
    fn includes_are_found_however_they_are_written() {
        assert_eq!(includes("#include <cmath>"), [1]);
        assert_eq!(includes("int a;\n  #  include \"x.h\"\n"), [2]);
        assert_eq!(includes("/* a\n b */ # /* c */ include <x>\n"), [2]);
        assert_eq!(includes("%: include <x>\n"), [1]);
        assert_eq!(includes("#\\\ninclude <x>\n"), [1]);
        assert_eq!(includes("const char *s = \"\";\r\n#include <x>\r\n"), [2]);
        assert_eq!(includes("long a = 1'000;\n#include <x>\n"), [2]);
        assert_eq!(includes("char c = '\"';\n#include <x>\n"), [2]);
        assert_eq!(includes("double a = 0x1p-3, b = 1e+5;\n#include <x>\n"), [2]);
        assert_eq!(includes("#error don't\n#include <x>\n"), [2]);
        assert_eq!(includes("auto s = R\"(\n)\"; int b;\n#include <x>\n"), [3]);
    }

    #[test]
    fn what_only_looks_like_an_include_is_not_one() {
        for text in [
            "// #include <x>\n",
            "// a \\\n#include <x>\n",
            "/*\n#include <x>\n*/",
            "const char *s = \"\\\n#include <x>\";\n",
            "const char *s = R\"(\n#include <x>\n)\";",
            "auto s = u8R\"d(\n#include <x>\n)\" )d\";",
            "int a; #include <x>\n",
            "#define X \\\n#include <x>\n",
            "#ifdef include\n",
            "R\"(\n#include <x>\n",
        ] {
            assert_eq!(includes(text), [0usize; 0], "{text}");
        }
    }

    #[test]
    fn breaks_are_line_starts_of_plain_code() {
        let text = "a\n/*\n*/ b\n\"x\\\ny\"\nR\"(\n)\"\n#define A \\\n 1\nend\n";
        let breaks: Vec<&str> =
            scan(text).breaks.iter().map(|&at| text[at..].lines().next().unwrap_or("")).collect();
        assert_eq!(breaks, ["a", "/*", "\"x\\", "R\"(", "#define A \\", "end", ""]);
    }

    #[test]
    fn only_code_is_left_and_stays_where_it_is() {
        for (text, code) in [
            ("a /* } */ b // }\nc", "a         b     \nc"),
            ("x = \"}\"; y = '}';", "x =    ; y =    ;"),
            ("R\"x(})\" z\")x\" w", "              w"),
            ("n = 1'000'000;", "n = 1'000'000;"),
            ("#define F {\\\n{\nint g;", "            \n \nint g;"),
            ("  # if x /* }\n} */ {\n}", "             \n      \n}"),
            ("é = \"é\";", "é =     ;"),
        ] {
            assert_eq!(code_only(text), code, "{text}");
        }
    }

    #[test]
    fn any_bytes_are_read_to_their_end() {
        for text in
            ["\\", "'", "\"", "R\"", "R\"(", "/*", "#", "%:", "é#include", "0'", "/", "\\\r", "u8R\"é(", "\0"]
        {
            scan(text);
            assert_eq!(code_only(text).len(), text.len());
        }
        // Every prefix of a nasty text.
        let text = "#include <é> /* x */ R\"ab(c)ab\" 'x' \"y\\\"\" 1'0 \\\n# define é \\\r\n//\n";
        for (end, _) in text.char_indices() {
            scan(&text[..end]);
            assert_eq!(code_only(&text[..end]).len(), end);
        }
    }
}
