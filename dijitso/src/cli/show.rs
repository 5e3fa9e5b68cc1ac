//! `dijitso show`

use std::cmp::Reverse;
use std::collections::HashSet;
use std::io;

use clap::ValueEnum;
use serde::Serialize;
use serde_json::{Value, json};

use super::Global;
use super::choose::{self, Categories, word};
use super::measures::{ago, count, size, unix};
use super::screen::{Screen, Tone, cut};
use super::text::{line, path};
use super::trouble::{Answer, DONE};
use crate::cache::{Cache, Category, Damaged, Entry, Listed, Listing, Summary, Usage};
use crate::signature::Signature;

/// List what is in the cache, and how much it is
#[derive(Debug, clap::Args)]
pub(super) struct Show {
    /// Only these parts in `--files` and in the summary: inc, src, lib, log, facts, separated by commas
    #[arg(long, value_parser = Categories::parse, default_value = "all", value_name = "LIST")]
    categories: Categories,
    /// List the files that are in each entry
    #[arg(long, conflicts_with = "signatures")]
    files: bool,
    /// List whole signatures and nothing else
    #[arg(long)]
    signatures: bool,
    /// The order: by signature, or with the largest, last used or newest first
    #[arg(long, value_enum, default_value_t, value_name = "ORDER")]
    sort: Sort,
    /// Only the first so many entries
    #[arg(long, value_name = "NUMBER")]
    limit: Option<usize>,
    /// Leave the summary out
    #[arg(long)]
    no_summary: bool,
    /// Only these kernels: names, with arguments, or signatures
    #[arg(value_name = "KERNEL")]
    kernels: Vec<String>,
}

#[derive(Debug, Clone, Copy, Default, ValueEnum)]
enum Sort {
    #[default]
    Signature,
    Size,
    Used,
    Built,
}

impl Show {
    pub(super) fn run(self, global: &Global, screen: &mut Screen) -> Answer {
        let cache = global.cache(screen)?;
        let mut listing = cache.list();
        // Of all, whatever is listed of it.
        let summary = (!self.no_summary && !self.signatures).then(|| cache.summary_of(&listing));
        if !self.kernels.is_empty() {
            let named = choose::entries(&cache, &self.kernels)?;
            let named: HashSet<Signature> = named.iter().map(Entry::signature).collect();
            listing.entries.retain(|entry| named.contains(&entry.signature));
        }
        self.sort(&mut listing.entries);
        listing.entries.truncate(self.limit.unwrap_or(usize::MAX));
        match screen.is_json() {
            true => self.json(&cache, &listing, summary.as_ref(), screen)?,
            false => self.print(&cache, &listing, summary.as_ref(), screen)?,
        }
        Ok(DONE)
    }

    fn sort(&self, entries: &mut [Listed]) {
        match self.sort {
            Sort::Signature => {}
            Sort::Size => entries.sort_by_key(|entry| Reverse(entry.bytes)),
            Sort::Built => entries.sort_by_key(|entry| Reverse(entry.built)),
            Sort::Used => entries.sort_by_key(|entry| Reverse(entry.last_used.unwrap_or(entry.built))),
        }
    }

    fn print(
        &self,
        cache: &Cache,
        listing: &Listing,
        summary: Option<&Summary>,
        screen: &mut Screen,
    ) -> io::Result<()> {
        if self.signatures {
            for entry in &listing.entries {
                screen.line(entry.signature)?;
            }
            return Ok(());
        }
        if self.files {
            self.print_files(cache, &listing.entries, screen)?;
        } else {
            table(&listing.entries, screen)?;
        }
        for damaged in &listing.damaged {
            screen.line(screen.toned(Tone::Bad, line(&damaged.to_string())))?;
        }
        let Some(summary) = summary else { return Ok(()) };
        if !listing.entries.is_empty() {
            screen.line("")?;
        }
        self.print_summary(cache, listing, summary, screen)
    }

    fn print_files(&self, cache: &Cache, entries: &[Listed], screen: &mut Screen) -> io::Result<()> {
        for listed in entries {
            // Removed since it was listed, or damaged and reported as that.
            let Ok(Some(entry)) = cache.entry(&listed.signature) else { continue };
            screen.line(screen.toned(Tone::Name, line(entry.description())))?;
            if self.categories.0.contains(&Category::Library) {
                let library = size(entry.sizes().library);
                screen.line(format_args!("    {library:>9}  lib    {}", path(entry.path())))?;
            }
            for file in entry.files().iter().filter(|file| self.categories.0.contains(&file.category)) {
                let (bytes, word) = (size(file.bytes), word(file.category));
                screen.line(format_args!("    {bytes:>9}  {word:<7}{}", line(&file.name)))?;
            }
        }
        Ok(())
    }

    fn print_summary(
        &self,
        cache: &Cache,
        listing: &Listing,
        summary: &Summary,
        screen: &mut Screen,
    ) -> io::Result<()> {
        let dir = path(cache.dir());
        if !cache.exists() {
            return screen.line(format_args!("There is no cache in {dir}."));
        }
        let total = summary.total();
        screen.line(format_args!(
            "{}: {}, {} in {}",
            screen.toned(Tone::Head, dir),
            count(summary.entries.files, "kernel", "kernels"),
            size(total.bytes),
            count(total.files, "file", "files"),
        ))?;
        for (category, bytes) in self.parts(listing, summary) {
            screen.line(format_args!("    {:<12}{:>9}", word(category), size(bytes)))?;
        }
        for (what, usage) in others(summary).into_iter().filter(|(_, usage)| usage.files > 0) {
            let about = if what == "index" && summary.index_is_estimated { ", by estimate" } else { "" };
            screen.line(format_args!("    {what:<12}{:>9}  ({}{about})", size(usage.bytes), usage.files))?;
        }
        Ok(())
    }

    /// Bytes of the parts of entries; of texts, as they are when they are read.
    fn parts(&self, listing: &Listing, summary: &Summary) -> Vec<(Category, u64)> {
        let sum = |part: fn(&Listed) -> u64| listing.entries.iter().map(part).fold(0, u64::saturating_add);
        let all = [
            (Category::Library, summary.libraries),
            (Category::Source, sum(|entry| entry.sources)),
            (Category::Header, sum(|entry| entry.headers)),
            (Category::Log, sum(|entry| entry.log)),
        ];
        all.into_iter().filter(|(category, _)| self.categories.0.contains(category)).collect()
    }

    fn json(
        &self,
        cache: &Cache,
        listing: &Listing,
        summary: Option<&Summary>,
        screen: &mut Screen,
    ) -> io::Result<()> {
        let entries: Vec<Row<'_>> = listing.entries.iter().map(|entry| self.row(cache, entry)).collect();
        screen.answer(&Shown {
            cache: cache.dir().to_string_lossy().into_owned(),
            exists: cache.exists(),
            newer_formats: cache.newer_formats(),
            entries,
            damaged: listing.damaged.iter().map(damaged).collect(),
            summary: summary.map(|summary| self.summary_json(listing, summary)),
        })
    }

    fn row<'a>(&self, cache: &Cache, entry: &'a Listed) -> Row<'a> {
        let files = self.files.then(|| {
            let found = cache.entry(&entry.signature).ok().flatten();
            let files = found.iter().flat_map(|entry| entry.files());
            let wanted = files.filter(|file| self.categories.0.contains(&file.category));
            wanted
                .map(
                    |file| json!({ "category": word(file.category), "name": file.name, "bytes": file.bytes }),
                )
                .collect()
        });
        Row {
            signature: entry.signature.to_hex(),
            kernel: &entry.name,
            description: &entry.description,
            bytes: entry.bytes,
            library_bytes: entry.library,
            source_bytes: entry.sources,
            header_bytes: entry.headers,
            log_bytes: entry.log,
            built: unix(entry.built),
            last_used: entry.last_used.map(unix),
            compile_seconds: entry.compile_time.as_secs_f64(),
            compiler: &entry.compiler,
            files,
        }
    }

    fn summary_json(&self, listing: &Listing, summary: &Summary) -> Value {
        let usage = |usage: Usage| json!({ "files": usage.files, "bytes": usage.bytes });
        let parts = self.parts(listing, summary).into_iter();
        let parts: serde_json::Map<String, Value> =
            parts.map(|(category, bytes)| (word(category).to_owned(), bytes.into())).collect();
        let mut all = json!({
            "entries": usage(summary.entries),
            "total": usage(summary.total()),
            "parts": parts,
        });
        for (what, used) in others(summary) {
            all[what] = usage(used);
        }
        all["index_is_estimated"] = summary.index_is_estimated.into();
        all
    }
}

#[derive(Serialize)]
struct Shown<'a> {
    cache: String,
    exists: bool,
    newer_formats: Vec<String>,
    entries: Vec<Row<'a>>,
    damaged: Vec<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    summary: Option<Value>,
}

#[derive(Serialize)]
struct Row<'a> {
    signature: String,
    kernel: &'a str,
    description: &'a str,
    bytes: u64,
    library_bytes: u64,
    source_bytes: u64,
    header_bytes: u64,
    log_bytes: u64,
    built: u64,
    last_used: Option<u64>,
    compile_seconds: f64,
    compiler: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    files: Option<Vec<Value>>,
}

/// What is no entry.
fn others(summary: &Summary) -> [(&'static str, Usage); 8] {
    [
        ("damaged", summary.damaged),
        ("index", summary.index),
        ("failures", summary.failures),
        ("sources", summary.sources),
        ("sites", summary.sites),
        ("toolchains", summary.toolchains),
        ("statistics", summary.statistics),
        ("temporary", summary.temporary),
    ]
}

pub(super) fn damaged(damaged: &Damaged) -> Value {
    json!({
        "path": damaged.path.to_string_lossy(),
        "signature": damaged.signature.map(|signature| signature.to_hex()),
        "problem": damaged.problem,
    })
}

const HEADS: [&str; 6] = ["SIGNATURE", "SIZE", "BUILT", "USED", "KERNEL", "COMPILER"];

fn table(entries: &[Listed], screen: &mut Screen) -> io::Result<()> {
    if entries.is_empty() {
        return Ok(());
    }
    let longest = entries.iter().map(|entry| entry.description.chars().count()).max().unwrap_or_default();
    let width = screen.width();
    // Arguments can be long; in a pipe nothing is cut.
    let kernel =
        longest.clamp(HEADS[4].len(), width.map_or(60, |width| width.saturating_sub(60).clamp(12, 60)));
    let heads = format!(
        "{:<13} {:>9} {:>7} {:>7}  {:<kernel$}  {}",
        HEADS[0], HEADS[1], HEADS[2], HEADS[3], HEADS[4], HEADS[5]
    );
    screen.line(screen.toned(Tone::Head, heads))?;
    for entry in entries {
        let name = line(&entry.description);
        let name = if width.is_some() { cut(name, kernel) } else { name };
        let used = entry.last_used.map_or_else(|| "-".to_owned(), ago);
        let compiler = line(&entry.compiler);
        let compiler =
            width.map_or(compiler.clone(), |width| cut(compiler, width.saturating_sub(43 + kernel).max(10)));
        let signature = screen.toned(Tone::Name, format_args!("{:<13}", entry.signature.short()));
        screen.line(format_args!(
            "{signature} {:>9} {:>7} {used:>7}  {name:<kernel$}  {compiler}",
            size(entry.bytes),
            ago(entry.built),
        ))?;
    }
    Ok(())
}
