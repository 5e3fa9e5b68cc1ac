//! `dijitso grepfunction`

use serde_json::{Value, json};

use super::Global;
use super::choose::{self, Categories};
use super::screen::{Screen, Tone};
use super::text::{line, lines};
use super::trouble::{Answer, DONE, FAILED, Trouble};
use crate::cache::{Cache, Entry, Function};

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
    /// Leave the bodies out
    #[arg(long)]
    no_body: bool,
}

impl Grepfunction {
    pub(super) fn run(self, global: &Global, screen: &mut Screen) -> Answer {
        let name = self.name.as_ref().or(self.name_option.as_ref()).cloned().unwrap_or_default();
        let cache = global.cache(screen)?;
        let found = self.search(&cache, &name)?;
        if screen.is_json() {
            let functions: Vec<Value> =
                found.iter().map(|(entry, function)| self.json(entry, function)).collect();
            screen.answer(&json!({ "functions": functions }))?;
        } else {
            for (number, (entry, function)) in found.iter().enumerate() {
                if number > 0 && !self.no_body {
                    screen.line("")?;
                }
                let (kernel, file) = (line(entry.description()), line(&function.file));
                let place = format!("{} {kernel} {file}:{}", entry.signature().short(), function.line);
                screen.line(screen.toned(Tone::Name, place))?;
                let text = if self.no_body { &function.head } else { &function.text };
                screen.line(lines(text))?;
            }
        }
        Ok(if found.is_empty() { FAILED } else { DONE })
    }

    fn search(&self, cache: &Cache, name: &str) -> Result<Vec<(Entry, Function)>, Trouble> {
        let mut found = Vec::new();
        let mut add = |entry: Entry, functions: Vec<Function>| {
            found.extend(functions.into_iter().map(|function| (entry.clone(), function)));
        };
        if self.signature.is_empty() {
            for item in cache.extract_function(name, &self.categories.0) {
                match item {
                    Ok((entry, functions)) => add(entry, functions),
                    Err(damaged) => log::warn!("{damaged}"),
                }
            }
        }
        for entry in choose::entries(cache, &self.signature)? {
            let functions = entry.extract_function(name, &self.categories.0)?;
            add(entry, functions);
        }
        Ok(found)
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
