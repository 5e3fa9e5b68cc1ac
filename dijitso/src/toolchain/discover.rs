//! Finding the compiler: which candidates there are, and why one is refused.

use std::path::Path;

use super::Language;
use super::ask::characterise;
use super::driver::{Driver, which};
use super::record::{Record, Shelf};
use super::tools::Now;
use crate::config::origin::Origin;
use crate::config::{Config, Sourced};
use crate::fs::Fs;
use crate::stats::Counters;

/// A compiler that works, and what is known about it.
#[derive(Debug)]
pub(super) struct Discovered {
    pub(super) driver: Driver,
    pub(super) record: Record,
    pub(super) shelf: Option<Shelf>,
}

/// The first usable candidate, or every one with the reason why it was refused.
///
/// A compiler that was `named` is taken or refused; another one would be a surprise.
pub(super) fn discover(
    language: Language,
    named: Option<&Sourced<Vec<String>>>,
    config: &Config,
    fs: &Fs,
    counters: &Counters,
    memo_dir: Option<&Path>,
) -> Result<Discovered, Vec<(String, String)>> {
    let mut refused = Vec::new();
    let candidates = match named {
        Some(named) => vec![named.value.clone()],
        None => language.candidates().iter().map(|name| vec![(*name).to_owned()]).collect(),
    };
    let origin = named.map_or(Origin::Default, |named| named.origin.clone());
    for words in candidates {
        let name = match named {
            Some(named) => format!("{} ({})", words.join(" "), named.origin),
            None => words.join(" "),
        };
        match try_candidate(language, &words, &origin, config, fs, counters, memo_dir) {
            Ok(found) => return Ok(found),
            Err(reason) => refused.push((name, reason)),
        }
    }
    Err(refused)
}

fn try_candidate(
    language: Language,
    words: &[String],
    origin: &Origin,
    config: &Config,
    fs: &Fs,
    counters: &Counters,
    memo_dir: Option<&Path>,
) -> Result<Discovered, String> {
    let path = config.path.clone().unwrap_or_default();
    let first = words.first().map(String::as_str).unwrap_or_default();
    let found = which(first, &path, fs)?;
    let driver = Driver::new(language, words, origin.clone(), found.path.clone(), config);
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
