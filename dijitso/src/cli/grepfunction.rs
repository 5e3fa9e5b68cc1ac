//! `dijitso grepfunction`

use regex::Regex;
use serde_json::{Value, json};

use super::Global;
use super::choose::{self, Categories};
use super::screen::{Screen, Tone};
use super::text::{line, lines};
use super::trouble::{Answer, DONE, FAILED, Trouble};
use crate::cache::{Cache, Entry, Function};
use crate::error::Error;

/// A function, and the entry that it is in.
type Found = (Entry, Function);

/// Print functions as they are written in the sources of cached kernels
#[derive(Debug, clap::Args)]
pub(super) struct Grepfunction {
    /// The function's name: tabulate, poisson::tabulate
    #[arg(value_name = "NAME", required_unless_present = "name_option")]
    name: Option<String>,
    /// The same, as an option
    #[arg(long = "name", value_name = "NAME", conflicts_with = "name")]
    name_option: Option<String>,
    /// Where to search: src, inc
    #[arg(long, value_parser = Categories::parse, default_value = "src", value_name = "LIST")]
    categories: Categories,
    /// Only kernels with this name or signature
    #[arg(long, value_name = "SIGNATURE")]
    signature: Vec<String>,
    /// The name is a regular expression, which must match the whole name, without namespace: `tabulate_.*`
    #[arg(long)]
    regexmode: bool,
    /// Show the number of each line
    #[arg(long)]
    linenumbers: bool,
    /// Show only how many functions each file has
    #[arg(long, conflicts_with = "filesonly")]
    countonly: bool,
    /// Show only which files have any
    #[arg(long)]
    filesonly: bool,
    /// Leave the bodies out
    #[arg(long)]
    no_body: bool,
}

impl Grepfunction {
    pub(super) fn run(self, global: &Global, screen: &mut Screen) -> Answer {
        let name = self.name.as_ref().or(self.name_option.as_ref()).cloned().unwrap_or_default();
        let regex = match self.regexmode {
            true => Some(
                Regex::new(&format!("^(?:{name})$"))
                    .map_err(|error| Trouble::Usage(format!("the name is no regular expression: {error}")))?,
            ),
            false => None,
        };
        let cache = global.cache(screen)?;
        let found = self.search(&cache, &name, regex.as_ref())?;
        match self.countonly || self.filesonly {
            true => self.count(&found, screen)?,
            false => self.show(&found, screen)?,
        }
        Ok(if found.is_empty() { FAILED } else { DONE })
    }

    fn search(&self, cache: &Cache, name: &str, regex: Option<&Regex>) -> Result<Vec<Found>, Trouble> {
        let wanted = |entry: &Entry| match regex {
            None => entry.extract_function(name, &self.categories.0),
            Some(regex) => entry.functions_named(&|name| regex.is_match(name), &self.categories.0),
        };
        let mut found = Vec::new();
        let mut add = |entry: &Entry, functions: Vec<Function>| {
            found.extend(functions.into_iter().map(|function| (entry.clone(), function)));
        };
        for entry in choose::entries(cache, &self.signature)? {
            add(&entry, wanted(&entry)?);
        }
        if !self.signature.is_empty() {
            return Ok(found);
        }
        for entry in cache.entries() {
            // A damaged entry hides no other.
            match entry.map_err(Error::from).and_then(|entry| Ok((wanted(&entry)?, entry))) {
                Ok((functions, entry)) => add(&entry, functions),
                Err(Error::Io { kind: std::io::ErrorKind::NotFound, .. }) => {}
                Err(error) => log::warn!("{error}"),
            }
        }
        Ok(found)
    }

    fn show(&self, found: &[Found], screen: &mut Screen) -> std::io::Result<()> {
        if screen.is_json() {
            let functions: Vec<Value> =
                found.iter().map(|(entry, function)| self.json(entry, function)).collect();
            return screen.answer(&json!({ "functions": functions }));
        }
        for (number, (entry, function)) in found.iter().enumerate() {
            if number > 0 && !self.no_body {
                screen.line("")?;
            }
            let (kernel, file) = (line(entry.description()), line(&function.file));
            let place = format!("{} {kernel} {file}:{}", entry.signature().short(), function.line);
            screen.line(screen.toned(Tone::Name, place))?;
            let text = if self.no_body { &function.head } else { &function.text };
            match self.linenumbers {
                false => screen.line(lines(text))?,
                true => {
                    for (number, text) in text.lines().enumerate() {
                        screen.line(format_args!("{:>5}: {}", function.line + number, line(text)))?;
                    }
                }
            }
        }
        Ok(())
    }

    /// How many there are in each file.
    fn count(&self, found: &[Found], screen: &mut Screen) -> std::io::Result<()> {
        let mut files: Vec<(&Entry, &str, usize)> = Vec::new();
        for (entry, function) in found {
            match files.last_mut() {
                Some((last, file, count))
                    if last.signature() == entry.signature() && *file == function.file =>
                {
                    *count += 1;
                }
                _ => files.push((entry, &function.file, 1)),
            }
        }
        if screen.is_json() {
            let file = |(entry, file, count): &(&Entry, &str, usize)| {
                let mut value = json!({
                    "signature": entry.signature().to_hex(),
                    "kernel": entry.description(),
                    "file": file,
                });
                if self.countonly {
                    value["count"] = (*count).into();
                }
                value
            };
            return screen.answer(&json!({ "files": files.iter().map(file).collect::<Vec<_>>() }));
        }
        for (entry, file, count) in files {
            let place = format!("{} {} {}", entry.signature().short(), line(entry.description()), line(file));
            match self.countonly {
                true => screen.line(format_args!("{place}: {count}"))?,
                false => screen.line(place)?,
            }
        }
        Ok(())
    }

    fn json(&self, entry: &Entry, function: &Function) -> Value {
        let mut value = json!({
            "signature": entry.signature().to_hex(),
            "kernel": entry.description(),
            "file": function.file,
            "line": function.line,
            "head": function.head,
        });
        if !self.no_body {
            value["text"] = function.text.clone().into();
        }
        value
    }
}
