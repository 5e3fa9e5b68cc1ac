//! The table at the end.

use std::fmt::Write as _;

use crate::configure::outputs::Outputs;
use crate::configure::record::Record;

/// What `--diff` shows.
pub(in crate::configure) fn difference(record: &Record, changes: &[String]) -> String {
    match changes {
        [] => format!("{}: nothing changed since the last configuration\n", record.project),
        _ => {
            format!("{}: changed since the last configuration:\n  {}\n", record.project, changes.join("\n  "))
        }
    }
}

pub(in crate::configure) fn summary(record: &Record, outputs: &Outputs) -> String {
    let mut rows: Vec<(String, String, String)> = Vec::new();
    for (variable, compiler) in &record.compilers {
        let text = format!("{} ({})", compiler.words.join(" "), compiler.version);
        rows.push(("Compilers".to_owned(), variable.clone(), text));
        if !compiler.flags.is_empty() {
            rows.push(("Compilers".to_owned(), format!("{variable} flags"), compiler.flags.join(" ")));
        }
    }
    for (name, (value, origin)) in
        record.options.iter().filter(|(_, (_, origin))| !origin.starts_with("default"))
    {
        rows.push(("Options".to_owned(), format!("--{name}"), format!("{value} ({origin})")));
    }
    rows.extend(outputs.summary.iter().cloned());
    for conflict in &record.conflicts {
        rows.push(("Conflicts".to_owned(), "flags".to_owned(), conflict.clone()));
    }
    let width = rows.iter().map(|(_, name, _)| name.chars().count()).max().unwrap_or(0);
    let mut text = format!("{}\n", record.project);
    let mut section = "";
    for (of, name, value) in &rows {
        if of != section {
            let _ = writeln!(text, "{of}:");
            section = of;
        }
        let _ = writeln!(text, "  {name:<width$}  {value}");
    }
    text
}
