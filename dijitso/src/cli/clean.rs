//! `dijitso clean`

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use serde_json::{Value, json};

use super::Global;
use super::measures::{age, count, size};
use super::screen::{Screen, Tone};
use super::text::{line, path};
use super::trouble::{Answer, DONE, FAILED, Trouble};
use crate::cache::{Cache, CacheKind, Clean as Cleaning, Removed, RemovedFile};
use crate::error::{Error, Result};
use crate::signature::Signature;

/// Remove kernels, failures and leftovers from the cache; what programs have loaded stays loaded
#[derive(Debug, clap::Args)]
pub(super) struct Clean {
    /// Tell what would be removed, and remove nothing
    #[arg(long)]
    dry_run: bool,
    /// Only these kinds, separated by commas: entry, damaged, index, failure, source, site, toolchain, temporary
    #[arg(long, value_parser = Kinds::parse, value_name = "LIST")]
    categories: Option<Kinds>,
    /// Only what was built so long ago (30d, 12h)
    #[arg(long, value_parser = age, value_name = "AGE")]
    older_than: Option<Duration>,
    /// Only what was not used for so long
    #[arg(long, value_parser = age, value_name = "AGE")]
    unused_for: Option<Duration>,
    /// Only kernels of this name, or with these arguments; several times for several
    #[arg(long, value_name = "KERNEL")]
    kernel: Vec<String>,
    /// Only the kernel with this signature, or its beginning; several times for several
    #[arg(long, value_name = "SIGNATURE")]
    signature: Vec<String>,
    /// Everything but what is known about compilers (`--categories toolchain`) and the statistics (`stats --zero`)
    #[arg(long, conflicts_with_all = ["categories", "older_than", "unused_for", "kernel", "signature"])]
    all: bool,
    /// Ask nothing
    #[arg(long, short)]
    yes: bool,
}

const KINDS: [CacheKind; 8] = [
    CacheKind::Entry,
    CacheKind::Damaged,
    CacheKind::Index,
    CacheKind::Failure,
    CacheKind::Source,
    CacheKind::Site,
    CacheKind::Toolchain,
    CacheKind::Temporary,
];

#[derive(Debug, Clone)]
struct Kinds(Vec<CacheKind>);

impl Kinds {
    fn parse(text: &str) -> Result<Kinds, String> {
        let kind = |word: &str| {
            if ["inc", "src", "lib", "log"].contains(&word) {
                return Err(format!(
                    "`{word}` is a part of an entry, which is one file and removed whole; write entry"
                ));
            }
            let found = KINDS.into_iter().find(|kind| kind.to_string() == word);
            let names = || KINDS.map(|kind| kind.to_string()).join(", ");
            found.ok_or_else(|| format!("`{}` is no kind; there are {}", line(word), names()))
        };
        text.split(',').map(str::trim).map(kind).collect::<Result<_, _>>().map(Kinds)
    }
}

impl Clean {
    pub(super) fn run(self, global: &Global, screen: &mut Screen) -> Answer {
        let cache = global.cache_that_is_there(screen)?;
        let chosen = self.chosen(&cache)?;
        if !(self.all || self.dry_run || self.has_condition() || screen.asks()) {
            return Err(Trouble::Usage("say what to remove, or --all for all kernels".to_owned()));
        }
        if !self.dry_run && !self.yes && screen.cannot_ask() {
            return Err(Trouble::Usage("say --yes: the question cannot be asked".to_owned()));
        }
        if !self.dry_run && !self.yes && screen.asks() {
            let would = self.cleaning(&cache, &chosen).dry_run(true).run();
            if would.files.is_empty() && would.failed.is_empty() {
                screen.line("There is nothing to remove.")?;
                return Ok(DONE);
            }
            let question = format!("Remove {} from {}?", amount(&would), path(cache.dir()));
            if !screen.confirm(&question)? {
                screen.line("Nothing was removed.")?;
                return Ok(DONE);
            }
        }
        let removed = self.cleaning(&cache, &chosen).dry_run(self.dry_run).run();
        match screen.is_json() {
            true => self.json(&cache, &removed, screen)?,
            false => self.print(&cache, &removed, screen)?,
        }
        Ok(if removed.failed.is_empty() { DONE } else { FAILED })
    }

    fn has_condition(&self) -> bool {
        self.categories.is_some()
            || self.older_than.is_some()
            || self.unused_for.is_some()
            || !self.kernel.is_empty()
            || !self.signature.is_empty()
    }

    /// The signatures that are meant; a name that nothing has is an error, not nothing to do.
    fn chosen(&self, cache: &Cache) -> Result<Vec<Signature>> {
        let failures = cache.failures().unwrap_or_default();
        for kernel in &self.kernel {
            if failures.iter().all(|failure| failure.kernel() != kernel) {
                let found = cache.find_all(kernel)?;
                if found.iter().all(|entry| entry.name() != kernel && entry.description() != kernel) {
                    let problem =
                        format!("no kernel is named `{kernel}`; for signatures there is --signature");
                    return Err(Error::Entry { query: kernel.clone(), problem, candidates: Vec::new() });
                }
            }
        }
        self.signature.iter().map(|query| cache.find(query).map(|entry| entry.signature())).collect()
    }

    fn cleaning<'a>(&self, cache: &Cache, chosen: &'a [Signature]) -> Cleaning<'a> {
        let mut cleaning = cache.clean();
        if let Some(kinds) = &self.categories {
            cleaning = cleaning.kinds(&kinds.0);
        }
        for kernel in &self.kernel {
            cleaning = cleaning.kernel(kernel);
        }
        if let Some(age) = self.older_than {
            cleaning = cleaning.older_than(age);
        }
        if let Some(age) = self.unused_for {
            cleaning = cleaning.unused_for(age);
        }
        if !chosen.is_empty() {
            cleaning = cleaning.matching(|entry| chosen.contains(&entry.signature()));
        }
        cleaning
    }

    fn print(&self, cache: &Cache, removed: &Removed, screen: &mut Screen) -> io::Result<()> {
        let detailed = self.dry_run && !screen.is_quiet();
        for file in removed.files.iter().filter(|_| detailed) {
            screen.line(format_args!("{:<10}{:>9}  {}", file.kind, size(file.bytes), path(&file.path)))?;
        }
        let verb = if self.dry_run { "Would remove" } else { "Removed" };
        screen.line(format_args!("{verb} {} from {}.", amount(removed), path(cache.dir())))?;
        for (file, problem) in &removed.failed {
            let text = format!("not removed: {}: {}", path(file), line(problem));
            screen.line(screen.toned(Tone::Bad, text))?;
        }
        Ok(())
    }

    fn json(&self, cache: &Cache, removed: &Removed, screen: &mut Screen) -> io::Result<()> {
        screen.answer(&json!({
            "cache": cache.dir().to_string_lossy(),
            "dry_run": self.dry_run,
            "removed": files(removed),
            "bytes": removed.bytes,
            "shortened": removed.shortened,
            "failed": failures(removed),
        }))
    }
}

/// `3 entries, 5 index files (1.4 MB)`.
pub(super) fn amount(removed: &Removed) -> String {
    let mut counts: BTreeMap<CacheKind, usize> = BTreeMap::new();
    for file in &removed.files {
        *counts.entry(file.kind).or_default() += 1;
    }
    if counts.is_empty() {
        return "nothing".to_owned();
    }
    let words = |kind: &CacheKind| match kind {
        CacheKind::Entry => ("kernel", "kernels"),
        CacheKind::Damaged => ("damaged entry", "damaged entries"),
        CacheKind::Index => ("index file", "index files"),
        CacheKind::Failure => ("failure", "failures"),
        CacheKind::Source => ("directory of sources", "directories of sources"),
        CacheKind::Site => ("unpacked site cache", "unpacked site caches"),
        CacheKind::Toolchain => ("file about compilers", "files about compilers"),
        CacheKind::Temporary => ("temporary file", "temporary files"),
    };
    let parts: Vec<String> =
        counts.iter().map(|(kind, number)| count(*number, words(kind).0, words(kind).1)).collect();
    format!("{} ({})", parts.join(", "), size(removed.bytes))
}

/// What was removed, for programs.
pub(super) fn files(removed: &Removed) -> Vec<Value> {
    let file = |file: &RemovedFile| json!({ "kind": file.kind.to_string(), "path": file.path.to_string_lossy(), "bytes": file.bytes });
    removed.files.iter().map(file).collect()
}

/// What was not.
pub(super) fn failures(removed: &Removed) -> Vec<Value> {
    let failed = removed.failed.iter();
    failed.map(|(path, problem)| json!({ "path": path.to_string_lossy(), "problem": problem })).collect()
}
