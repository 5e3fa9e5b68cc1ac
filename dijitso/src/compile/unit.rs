//! A translation unit that is ready to be compiled, and its signature.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::config::Config;
use crate::error::Error;
use crate::signature::{Sign as _, Signature, Signer};
use crate::source::{AnySpec, Language, Parts, Rendered, render};
use crate::stats::Counters;
use crate::toolchain::{FlagSet, Toolchain};

/// What one compiler call makes one library from.
#[derive(Debug)]
pub(crate) struct Unit {
    pub(crate) name: String,
    /// As errors name the kernel.
    pub(crate) at: String,
    pub(crate) signature: Signature,
    /// Identity of the toolchain that it was signed with.
    pub(crate) toolchain: Signature,
    /// The exported entry, named by the signature; `None` for a unit with exports only.
    pub(crate) symbol: Option<String>,
    pub(crate) rendered: Rendered,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) flags: FlagSet,
    pub(crate) language: Language,
    pub(crate) links: Vec<String>,
    pub(crate) link_dirs: Vec<PathBuf>,
    /// What it has in common with the units that may be compiled together with it.
    pub(crate) pack: Option<Signature>,
    /// What went into the signature, in words, for `explain`.
    pub(crate) ingredients: BTreeMap<String, String>,
}

/// What a unit is signed with beside its own text and flags.
pub(crate) struct Surroundings<'a> {
    pub(crate) config: &'a Config,
    pub(crate) toolchain: &'a Toolchain,
    pub(crate) counters: &'a Counters,
    /// Variables that compilers read, as they are set here, sorted by name.
    pub(crate) environment: &'a [(String, String)],
    /// Content signatures of the dependencies, in the order of their declaration.
    pub(crate) dependencies: &'a [Signature],
}

impl Unit {
    /// Resolves the flags, renders the text and signs everything that decides what the compiler will do.
    pub(crate) fn prepare(spec: &AnySpec, parts: &Parts, around: &Surroundings<'_>) -> Result<Unit, Error> {
        let toolchain = around.toolchain;
        let flags = toolchain.flags(around.config, spec.name(), parts, around.counters)?;
        let plain = render(parts, spec.name(), &symbol_name(spec.name(), "signature"), false);

        // The number changes with what we give to compilers and linkers for every kernel.
        let mut signer = Signer::quiet("dijitso unit 2");
        plain.sign(&mut signer);
        signer.field("headers", &parts.headers);
        signer.field("toolchain", &toolchain.identity());
        signer.field("target", toolchain.target());
        flags.sign(&mut signer);
        signer.field("environment", around.environment);
        signer.field("links", &parts.links);
        signer.field("link_dirs", &parts.link_dirs);
        signer.field("dependencies", around.dependencies);
        let signature = signer.finish();

        let full = symbol_name(spec.name(), &signature.to_hex());
        let symbol = parts.abi.is_some().then(|| full.clone());
        let mut ingredients: BTreeMap<String, String> = toolchain.ingredients().into_iter().collect();
        for (name, value) in around.environment {
            ingredients.insert(format!("environment {name}"), value.clone());
        }
        ingredients.insert("flags".into(), flags.text());
        ingredients.insert("cpu".into(), flags.cpu_text.clone());
        for (i, dependency) in around.dependencies.iter().enumerate() {
            ingredients.insert(format!("dependency {i}"), dependency.to_hex());
        }
        let rendered = match parts.is_located() {
            true => render(parts, spec.name(), &full, true),
            false => plain.with_symbol(parts, spec.name(), &full),
        };
        Ok(Unit {
            pack: super::pack::key(parts, &rendered, &flags),
            name: spec.name().to_owned(),
            at: spec.at(),
            signature,
            toolchain: toolchain.identity(),
            symbol,
            rendered,
            headers: parts.headers.clone(),
            flags,
            language: parts.language,
            links: parts.links.clone(),
            link_dirs: parts.link_dirs.clone(),
            ingredients,
        })
    }

    /// Whether libraries other than the compiler's own and other kernels' take part in the link.
    pub(super) fn names_libraries(&self) -> bool {
        let words = || self.flags.link.iter().map(|flag| flag.text.as_str());
        !self.links.is_empty()
            || !self.flags.libraries.is_empty()
            || words()
                .any(|word| word.starts_with("-l") || word.starts_with("-Wl,") || !word.starts_with('-'))
    }

    /// The SONAME given to the linker. The real one contains the digests of the libraries that the linker
    /// reads, so it is known only afterwards and has the same length; see [`Unit::name_library`].
    pub(super) fn placeholder_soname(&self) -> String {
        let mut signer = Signer::quiet("dijitso soname placeholder");
        signer.field("unit", &self.signature);
        soname(&signer.finish())
    }

    /// Puts the real SONAME in the place of the placeholder.
    pub(crate) fn name_library(&self, elf: &mut [u8], content: &Signature) -> Result<String, Error> {
        let (from, to) = (self.placeholder_soname(), soname(content));
        match *occurrences(elf, from.as_bytes()) {
            [at] => {
                elf[at..at + to.len()].copy_from_slice(to.as_bytes());
                Ok(to)
            }
            _ => Err(Error::Compiler {
                kernel: self.at.clone(),
                problem: "the linker did not write the SONAME it was given (-soname)".to_owned(),
                log: String::new(),
                bundle: None,
            }),
        }
    }
}

/// The name under which the loader knows a kernel's library: two states of a header never share one.
pub(crate) fn soname(content: &Signature) -> String {
    format!("{content}.so")
}

/// The exported entry of a kernel: unique, so that many kernels can share a binary.
pub(crate) fn symbol_name(kernel: &str, signature: &str) -> String {
    format!("dijitso_{kernel}_{signature}")
}

fn occurrences(haystack: &[u8], needle: &[u8]) -> Vec<usize> {
    let Some((first, _)) = needle.split_first() else { return Vec::new() };
    let candidates = haystack.iter().enumerate().filter(|(_, byte)| *byte == first);
    candidates.map(|(at, _)| at).filter(|&at| haystack[at..].starts_with(needle)).collect()
}
