//! A source without its type: what the compile step works on.

use std::path::PathBuf;

use super::any::AnySpec;
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
}
