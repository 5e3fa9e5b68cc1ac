//! `dijitso grep`

use std::collections::BTreeMap;

use regex::Regex;
use serde_json::{Value, json};

use super::Global;
use super::choose::{self, Categories, word};
use super::screen::{Screen, Tone};
use super::text::{line, lines};
use super::trouble::{Answer, DONE, FAILED, Trouble};
use crate::cache::{Cache, Match, Pattern};
use crate::error::Error;
use crate::signature::Signature;

/// Search in the sources, headers, logs and symbols of cached kernels
#[derive(Debug, clap::Args)]
pub(super) struct Grep {
    /// What a line must contain
    #[arg(value_name = "PATTERN", required_unless_present = "pattern_option")]
    pattern: Option<String>,
    /// The same, as an option
    #[arg(long = "pattern", value_name = "PATTERN", conflicts_with = "pattern")]
    pattern_option: Option<String>,
    /// Where to search: inc, src, log, lib (names of needed libraries and exported symbols), facts, all
    #[arg(long, value_parser = Categories::parse, default_value = "inc,src", value_name = "LIST")]
    categories: Categories,
    /// The pattern is a regular expression
    #[arg(long)]
    regexmode: bool,
    /// Show the number of each line
    #[arg(long)]
    linenumbers: bool,
    /// Show only how many lines match in each file
    #[arg(long, conflicts_with = "filesonly")]
    countonly: bool,
    /// Show only which files have matches
    #[arg(long)]
    filesonly: bool,
    /// Only kernels with this name or signature
    #[arg(long, value_name = "SIGNATURE")]
    signature: Vec<String>,
}

enum Wanted {
    Text(String),
    Regex(Regex),
}

impl Pattern for &Wanted {
    fn is_match(&self, line: &str) -> bool {
        match self {
            Wanted::Text(text) => line.contains(text.as_str()),
            Wanted::Regex(regex) => regex.is_match(line),
        }
    }
}

impl Grep {
    pub(super) fn run(self, global: &Global, screen: &mut Screen) -> Answer {
        let pattern = self.pattern.as_ref().or(self.pattern_option.as_ref()).cloned().unwrap_or_default();
        let wanted =
            match self.regexmode {
                false => Wanted::Text(pattern),
                true => Wanted::Regex(Regex::new(&pattern).map_err(|error| {
                    Trouble::Usage(format!("the pattern is no regular expression: {error}"))
                })?),
            };
        let cache = global.cache(screen)?;
        let mut printer = Printer {
            grep: &self,
            screen,
            last: None,
            counts: BTreeMap::new(),
            json: Vec::new(),
            any: false,
        };
        search(&cache, &self.signature, &wanted, &self.categories, &mut printer)?;
        printer.finish()
    }
}

/// Hands over matches as they are found: who closes the pipe early need not wait for the rest.
fn search(
    cache: &Cache,
    named: &[String],
    wanted: &Wanted,
    categories: &Categories,
    printer: &mut Printer<'_>,
) -> Result<(), Trouble> {
    if named.is_empty() {
        for found in cache.grep(wanted, &categories.0) {
            match found {
                Ok(found) => printer.add(&found)?,
                // A damaged entry hides no other.
                Err(damaged) => log::warn!("{damaged}"),
            }
        }
        return Ok(());
    }
    for entry in choose::entries(cache, named)? {
        match entry.grep(wanted, &categories.0) {
            Ok(found) => found.iter().try_for_each(|found| printer.add(found))?,
            Err(error @ Error::Damaged { .. }) => log::warn!("{error}"),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

struct Printer<'a> {
    grep: &'a Grep,
    screen: &'a mut Screen,
    /// The file of the last match.
    last: Option<(Signature, String)>,
    counts: BTreeMap<(String, String), (usize, Value)>,
    json: Vec<Value>,
    any: bool,
}

impl Printer<'_> {
    fn add(&mut self, found: &Match) -> std::io::Result<()> {
        self.any = true;
        let file = json!({
            "signature": found.entry.signature().to_hex(),
            "kernel": found.entry.description(),
            "category": word(found.category),
            "file": found.file,
        });
        if self.grep.countonly || self.grep.filesonly {
            let place = (found.entry.signature().to_hex(), found.file.clone());
            self.counts.entry(place).or_insert((0, file)).0 += 1;
            return Ok(());
        }
        if self.screen.is_json() {
            let mut file = file;
            file["line"] = found.line.into();
            file["text"] = found.text.clone().into();
            self.json.push(file);
            return Ok(());
        }
        let here = (found.entry.signature(), found.file.clone());
        if self.last.as_ref() != Some(&here) {
            let (kernel, file) = (line(found.entry.description()), line(&found.file));
            let head = self.screen.toned(Tone::Name, format_args!("{} {kernel} {file}", here.0.short()));
            if self.last.is_some() {
                self.screen.line("")?;
            }
            self.screen.line(head)?;
            self.last = Some(here);
        }
        let text = lines(&found.text);
        match self.grep.linenumbers {
            true => self.screen.line(format_args!("{:>5}: {text}", found.line)),
            false => self.screen.line(format_args!("    {text}")),
        }
    }

    fn finish(mut self) -> Answer {
        if self.screen.is_json() {
            let counted = self.grep.countonly || self.grep.filesonly;
            let mut found = std::mem::take(&mut self.json);
            for (number, mut file) in std::mem::take(&mut self.counts).into_values() {
                if self.grep.countonly {
                    file["count"] = number.into();
                }
                found.push(file);
            }
            let what = if counted { "files" } else { "matches" };
            self.screen.answer(&json!({ what: found }))?;
        } else {
            for (number, file) in self.counts.values() {
                let word = |key: &str| line(file[key].as_str().unwrap_or_default());
                let mut text = format!("{} {} {}", &word("signature")[..12], word("kernel"), word("file"));
                if self.grep.countonly {
                    text += &format!(": {number}");
                }
                self.screen.line(text)?;
            }
        }
        Ok(if self.any { DONE } else { FAILED })
    }
}
