//! Macros and rules for Make.

use std::fmt::Write as _;

use super::{for_make, line, standard};
use crate::configure::failed::Failed;
use crate::configure::outputs::Outputs;
use crate::configure::record::Record;

/// Compilers and flags, then what modules want.
///
/// # Errors
/// A flag that no line can have.
pub(in crate::configure) fn make_macros(
    project: &str,
    record: &Record,
    outputs: &Outputs,
) -> Result<String, Failed> {
    let mut text = begin(project);
    for (name, value) in standard(record, outputs)? {
        if !outputs.make_macros.contains_key(&name) {
            let _ = writeln!(text, "{name} = {}", escaped(&for_make(&value)));
        }
    }
    for (name, wanted) in &outputs.make_macros {
        let why = if wanted.why.is_empty() { String::new() } else { format!("{} ", line(&wanted.why)) };
        let _ = writeln!(text, "# {why}({})\n{name} = {}", wanted.by, escaped(&wanted.value));
    }
    Ok(text)
}

pub(in crate::configure) fn make_rules(project: &str, outputs: &Outputs) -> String {
    let mut text = begin(project);
    for (target, rule) in &outputs.make_rules {
        let _ = writeln!(text, "\n# {}\n{target}: {}", rule.by, rule.prerequisites.join(" "));
        for line in rule.recipe.iter().flat_map(|lines| lines.lines()) {
            let _ = writeln!(text, "\t{line}");
        }
    }
    text
}

fn begin(project: &str) -> String {
    format!("# {}: written by its configuration; changes will be lost.\n", line(project))
}

/// A hash would begin a comment. Dollars stay: a value may refer to another macro.
fn escaped(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    let mut backslashes = 0;
    for c in value.chars() {
        if c == '#' {
            // Make takes those before a hash in pairs.
            text.push_str(&"\\".repeat(backslashes + 1));
        }
        backslashes = if c == '\\' { backslashes + 1 } else { 0 };
        text.push(c);
    }
    text
}
