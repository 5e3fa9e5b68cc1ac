//! A source without its type: what the compile step works on.

use std::path::PathBuf;

use super::any::AnySpec;
use super::scan::code_only;
use super::text::Text;
use crate::cxx::{FnAbi, Language};
use crate::signature::Signature;

/// Everything a generator said about one translation unit.
#[derive(Debug, Clone)]
pub(crate) struct Parts {
    pub(crate) kind: Kind,
    pub(crate) text: Text,
    pub(crate) language: Language,
    pub(crate) std: Option<String>,
    /// The function to call. As given; after [`check`](super::check::complete) the kernel's name if
    /// nothing was given, `None` for a kernel without an entry.
    pub(crate) entry: Option<String>,
    /// Macros, rendered in front of everything (they are not on the command line).
    pub(crate) defines: Vec<(String, String)>,
    /// Includes and preambles, in the order given, each once.
    pub(crate) preamble: Vec<Preamble>,
    pub(crate) flags: Vec<String>,
    /// Library names (`m`), or absolute paths of libraries, archives and objects.
    pub(crate) links: Vec<String>,
    pub(crate) link_dirs: Vec<PathBuf>,
    pub(crate) include_dirs: Vec<PathBuf>,
    /// File name and text.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) exports: Vec<String>,
    pub(crate) dependencies: Vec<AnySpec>,
    /// Kernels that the generator loaded while it ran, and what it got: what it wrote can depend on them.
    pub(crate) consulted: Vec<(AnySpec, Signature)>,
    /// `None` for a kernel without an entry.
    pub(crate) abi: Option<FnAbi>,
}

/// How the text becomes a translation unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Inside a namespace of its own: `Source::new`.
    Enclosed,
    /// As it is: `Source::translation_unit`.
    Whole,
}

/// Text in front of the generated text, outside of any namespace.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Preamble {
    /// `<cmath>` or `"file.h"`, with its brackets or quotes.
    Include(String),
    Text(Text),
}

impl Parts {
    pub(super) fn new(kind: Kind, text: Text, abi: Option<FnAbi>) -> Parts {
        Parts {
            kind,
            text,
            language: Language::default(),
            std: None,
            entry: None,
            defines: Vec::new(),
            preamble: Vec::new(),
            flags: Vec::new(),
            links: Vec::new(),
            link_dirs: Vec::new(),
            include_dirs: Vec::new(),
            headers: Vec::new(),
            exports: Vec::new(),
            dependencies: Vec::new(),
            consulted: Vec::new(),
            abi,
        }
    }

    /// Whether any of its text knows its line in a Rust file.
    pub(crate) fn is_located(&self) -> bool {
        let located = |preamble: &Preamble| matches!(preamble, Preamble::Text(text) if text.is_located());
        self.text.is_located() || self.preamble.iter().any(located)
    }

    /// Whether a compiler that meets it together with others of its kind makes of each what it would make
    /// of it alone: C++ in its own namespace, with nothing in front of it but includes, one exported
    /// function, no word that reaches further, and at most `longest` bytes.
    pub(crate) fn keeps_to_itself(&self, longest: usize) -> bool {
        let standard = |preamble: &Preamble| matches!(preamble, Preamble::Include(header) if STANDARD.contains(&header.as_str()));
        self.kind == Kind::Enclosed
            && self.language == Language::Cxx
            && self.abi.is_some()
            && self.preamble.iter().all(standard)
            && (self.defines.is_empty() && self.headers.is_empty() && self.exports.is_empty())
            && (self.links.is_empty() && self.link_dirs.is_empty() && self.dependencies.is_empty())
            && self.text.len() <= longest
            && stays_inside(&self.text.to_string())
    }
}

/// Headers that may come in front of units that are compiled together: read a second time they do nothing, and
/// none of their macros is one of the words below (as `assert` is, which shows the file's name). Nobody knows
/// that of other headers.
const STANDARD: [&str; 38] = [
    "<algorithm>",
    "<array>",
    "<bit>",
    "<bitset>",
    "<climits>",
    "<cmath>",
    "<complex>",
    "<concepts>",
    "<cstddef>",
    "<cstdint>",
    "<cstdlib>",
    "<cstring>",
    "<deque>",
    "<functional>",
    "<initializer_list>",
    "<iterator>",
    "<limits>",
    "<list>",
    "<map>",
    "<memory>",
    "<new>",
    "<numbers>",
    "<numeric>",
    "<optional>",
    "<random>",
    "<ratio>",
    "<set>",
    "<span>",
    "<stdexcept>",
    "<string>",
    "<string_view>",
    "<tuple>",
    "<type_traits>",
    "<unordered_map>",
    "<utility>",
    "<valarray>",
    "<variant>",
    "<vector>",
];

/// Whether a word does what no namespace keeps inside: linkage, assembly, pragmas; or tells of files, lines and
/// counters, which would be others.
pub(crate) fn reaches(text: &str) -> bool {
    const WORDS: [&str; 10] = [
        "retain",
        "extern",
        "asm",
        "_Pragma",
        "__FILE__",
        "__BASE_FILE__",
        "__COUNTER__",
        "__INCLUDE_LEVEL__",
        "__builtin_FILE",
        "source_location",
    ];
    WORDS.iter().any(|word| text.contains(word))
}

/// Whether a text ends in the namespace in which it began, and reaches nothing outside.
fn stays_inside(text: &str) -> bool {
    // `#` and its other spellings; lines joined within a word; other spellings of braces.
    let disguised = ["#", "%:", "??", "\\\n", "\\\r", "<%", "%>"];
    if reaches(text) || disguised.iter().any(|part| text.contains(part)) {
        return false;
    }
    let mut depth = 0usize;
    for byte in code_only(text).bytes() {
        match byte {
            b'{' => depth += 1,
            b'}' if depth == 0 => return false,
            b'}' => depth -= 1,
            _ => {}
        }
    }
    depth == 0
}
