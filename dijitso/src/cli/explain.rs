//! `dijitso explain`

use std::io;

use serde_json::{Value, json};

use super::Global;
use super::measures::{ago, count, duration, size, unix};
use super::screen::{Screen, Tone, cut};
use super::text::{line, path};
use super::trouble::{Answer, DONE, Trouble};
use crate::cache::{Cache, Difference, Entry};

/// Show from what a kernel was made, and why it was not one that was there already
#[derive(Debug, clap::Args)]
pub(super) struct Explain {
    /// The kernel: its name, with arguments, or the beginning of its signature; of several the newest
    #[arg(value_name = "KERNEL")]
    kernel: String,
    /// Compare with this one (default: its nearest relative)
    #[arg(long, value_name = "OTHER")]
    against: Option<String>,
    /// Show the commands and every file that compiler and linker read, too
    #[arg(long)]
    files: bool,
}

impl Explain {
    pub(super) fn run(self, global: &Global, screen: &mut Screen) -> Answer {
        let cache = global.cache(screen)?;
        let mut found = cache.find_all(&self.kernel)?;
        let others = found.len() - 1;
        let newest = (0..found.len()).max_by_key(|&at| found[at].built()).unwrap_or_default();
        let entry = found.swap_remove(newest);
        let relative = match &self.against {
            Some(query) => Some(cache.find(query)?),
            None => cache.nearest(&entry)?,
        };
        let differences = relative.as_ref().map(|relative| entry.differences(relative)).unwrap_or_default();
        if screen.is_json() {
            screen.answer(&self.json(&entry, relative.as_ref(), &differences))?;
            return Ok(DONE);
        }
        if others > 0 {
            let also = count(others, "other is", "others are");
            screen.note(&format!("This is the newest that fits `{}`; {also} older.", line(&self.kernel)))?;
        }
        self.print(&cache, &entry, screen)?;
        print_differences(relative.as_ref(), &differences, screen)?;
        Ok(DONE)
    }

    fn print(&self, cache: &Cache, entry: &Entry, screen: &mut Screen) -> Result<(), Trouble> {
        let used = entry
            .last_used()
            .map_or_else(|| "at an unknown time".to_owned(), |used| format!("{} ago", ago(used)));
        let times = format!(
            "compiled in {}, linked in {}",
            duration(entry.compile_time()),
            duration(entry.link_time())
        );
        let rows = [
            ("signature", entry.signature().to_hex()),
            ("unit", entry.unit_signature().to_hex()),
            ("spec", entry.spec_signature().to_hex()),
            ("generated at", line(entry.location())),
            ("file", format!("{} ({})", path(entry.path()), size(entry.sizes().file))),
            ("built", format!("{} ago by {}, {times}", ago(entry.built()), line(entry.creator()))),
            ("last used", used),
            ("needs", needs(entry)),
        ];
        screen.line(screen.toned(Tone::Head, line(entry.description())))?;
        for (name, value) in rows {
            row(screen, name, &value)?;
        }
        screen.line(screen.toned(Tone::Head, "Made from"))?;
        for (name, value) in
            entry.ingredients().iter().filter(|(name, value)| *name != "flags" && !value.is_empty())
        {
            let value = line(value);
            // A generator's text has hundreds of lines.
            let value = if self.files { value } else { cut(value, 100) };
            row(screen, &line(name), &value)?;
        }
        for signature in entry.dependencies() {
            let name = cache.entry(signature).ok().flatten().map(|below| line(below.description()));
            let name = name.unwrap_or_else(|| "which is not in the cache".to_owned());
            row(screen, "linked to", &format!("{} {name}", signature.short()))?;
        }
        screen.line(screen.toned(Tone::Head, "Flags"))?;
        // `native` alone becomes ninety flags.
        for group in entry.flags().chunk_by(|a, b| a.origin == b.origin) {
            let words: Vec<String> = group.iter().map(|flag| line(&flag.text)).collect();
            let width = screen.width().unwrap_or(100);
            wrapped(screen, &words, width)?;
            screen.line(format_args!(
                "      {}",
                screen.toned(Tone::Faint, line(&group[0].origin.to_string()))
            ))?;
        }
        if !self.files {
            let files = count(entry.inputs().len(), "file was", "files were");
            screen.line(format_args!("{files} read; --files lists them."))?;
            return Ok(());
        }
        screen.line(screen.toned(Tone::Head, "Commands"))?;
        for command in entry.commands() {
            screen.line(format_args!("  {}", line(command)))?;
        }
        screen.line(screen.toned(Tone::Head, "Files that were read"))?;
        for (name, digest) in entry.inputs() {
            screen.line(format_args!("  {} {}", digest.short(), line(name)))?;
        }
        Ok(())
    }

    fn json(&self, entry: &Entry, relative: Option<&Entry>, differences: &[Difference]) -> Value {
        let flags: Vec<Value> = entry
            .flags()
            .iter()
            .map(|flag| json!({ "flag": flag.text, "origin": flag.origin.to_string() }))
            .collect();
        let dependencies: Vec<String> = entry.dependencies().iter().map(|d| d.to_hex()).collect();
        let inputs: serde_json::Map<String, Value> =
            entry.inputs().iter().map(|(path, digest)| (path.clone(), digest.to_hex().into())).collect();
        let differences: Vec<Value> = differences
            .iter()
            .map(|d| json!({ "ingredient": d.ingredient, "this": d.this, "other": d.other }))
            .collect();
        json!({
            "signature": entry.signature().to_hex(),
            "unit": entry.unit_signature().to_hex(),
            "spec": entry.spec_signature().to_hex(),
            "kernel": entry.name(),
            "description": entry.description(),
            "location": entry.location(),
            "path": entry.path().to_string_lossy(),
            "built": unix(entry.built()),
            "last_used": entry.last_used().map(unix),
            "compile_seconds": entry.compile_time().as_secs_f64(),
            "link_seconds": entry.link_time().as_secs_f64(),
            "creator": entry.creator(),
            "cpu_features": entry.cpu_features(),
            "ingredients": entry.ingredients(),
            "flags": flags,
            "commands": entry.commands(),
            "inputs": inputs,
            "dependencies": dependencies,
            "against": relative.map(|relative| json!({
                "signature": relative.signature().to_hex(),
                "description": relative.description(),
            })),
            "differences": differences,
        })
    }
}

/// Words in lines of this width.
fn wrapped(screen: &mut Screen, words: &[String], width: usize) -> io::Result<()> {
    let mut text = String::from(" ");
    for word in words {
        if text.len() > 1 && text.len() + 1 + word.len() > width {
            screen.line(&text)?;
            text.truncate(1);
        }
        text.push(' ');
        text += word;
    }
    screen.line(text)
}

fn needs(entry: &Entry) -> String {
    let features = entry.cpu_features();
    if features.is_empty() {
        return "any processor of its architecture".to_owned();
    }
    format!("a processor with {}", line(&features.join(", ")))
}

fn row(screen: &mut Screen, name: &str, value: &str) -> io::Result<()> {
    screen.line(format_args!("  {name:<20} {value}"))
}

fn print_differences(
    relative: Option<&Entry>,
    differences: &[Difference],
    screen: &mut Screen,
) -> io::Result<()> {
    let Some(relative) = relative else {
        return screen
            .line("No other entry is of this kernel, so there was nothing that could have been used.");
    };
    let name = format!("{} {}", relative.signature().short(), line(relative.description()));
    screen.line(
        screen.toned(Tone::Head, format_args!("Different from {name}, built {} ago", ago(relative.built()))),
    )?;
    for difference in differences {
        let shown = |value: &Option<String>| value.as_ref().map(|value| cut(line(value), 160));
        let value = match (shown(&difference.this), shown(&difference.other)) {
            (Some(this), Some(other)) => format!("{this}, there {other}"),
            (Some(this), None) => format!("{this}, there none"),
            (None, Some(other)) => format!("none, there {other}"),
            (None, None) => continue,
        };
        let ingredient = line(&difference.ingredient);
        screen
            .line(format_args!("  {} {value}", screen.toned(Tone::Warn, format_args!("{ingredient:<20}"))))?;
    }
    if differences.is_empty() {
        screen.line("  Nothing: either serves, whichever is found first.")?;
    }
    Ok(())
}
