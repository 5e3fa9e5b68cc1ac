//! Finding the compiler: which candidates there are, and why one is refused.

use std::path::Path;

use super::ask::characterise;
use super::driver::{Driver, which};
use super::record::{Record, Shelf};
use super::tools::Now;
use crate::config::Config;
use crate::fs::Fs;
use crate::stats::Counters;

/// What is tried where nobody named a compiler.
const CANDIDATES: [&str; 3] = ["c++", "g++", "clang++"];

/// A compiler that works, and what is known about it.
#[derive(Debug)]
pub(super) struct Discovered {
    pub(super) driver: Driver,
    pub(super) record: Record,
    pub(super) shelf: Option<Shelf>,
}

/// The first usable candidate, or every one with the reason why it was refused.
pub(super) fn discover(
    config: &Config,
    fs: &Fs,
    counters: &Counters,
    memo_dir: Option<&Path>,
) -> Result<Discovered, Vec<(String, String)>> {
    let mut refused = Vec::new();
    for words in candidates(config) {
        let name = match &config.build.cxx {
            Some(cxx) => format!("{} ({})", words.join(" "), cxx.origin),
            None => words.join(" "),
        };
        match try_candidate(&words, config, fs, counters, memo_dir) {
            Ok(found) => return Ok(found),
            Err(reason) => refused.push((name, reason)),
        }
    }
    Err(refused)
}

/// A compiler that was named is taken or refused; another one would be a surprise.
fn candidates(config: &Config) -> Vec<Vec<String>> {
    match &config.build.cxx {
        Some(cxx) => vec![cxx.value.clone()],
        None => CANDIDATES.iter().map(|name| vec![(*name).to_owned()]).collect(),
    }
}

fn try_candidate(
    words: &[String],
    config: &Config,
    fs: &Fs,
    counters: &Counters,
    memo_dir: Option<&Path>,
) -> Result<Discovered, String> {
    let path = config.path.clone().unwrap_or_default();
    let first = words.first().map(String::as_str).unwrap_or_default();
    let found = which(first, &path, fs)?;
    let driver = Driver::new(words, found.path.clone(), config);
    let shelf = memo_dir.map(|dir| Shelf::new(dir, &driver, config));
    let mut old = shelf.as_ref().and_then(|shelf| shelf.read(fs));
    if let Some(record) = &mut old {
        let now = record.check(fs);
        if now == Now::Restamped
            && let Some(shelf) = &shelf
        {
            shelf.write(record, fs);
        }
        if now != Now::Changed
            && let Some(record) = old.take()
        {
            return Ok(Discovered { driver, record, shelf });
        }
    }
    let record = characterise(&driver, &found, old.as_ref(), config, fs, counters)?;
    if let Some(shelf) = &shelf {
        shelf.write(&record, fs);
    }
    Ok(Discovered { driver, record, shelf })
}
