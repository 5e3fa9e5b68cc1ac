//! Macros and rules for Make.

use std::fmt::Write as _;

use super::standard;
use crate::configure::outputs::Outputs;
use crate::configure::record::Record;

/// Compilers and flags, then what modules want.
pub(in crate::configure) fn make_macros(project: &str, record: &Record, outputs: &Outputs) -> String {
    let mut text = begin(project);
    for (name, value) in standard(record, outputs) {
        if !outputs.make_macros.contains_key(&name) {
            let _ = writeln!(text, "{name} = {}", escaped(&value));
        }
    }
    for (name, wanted) in &outputs.make_macros {
        let why =
            if wanted.why.is_empty() { String::new() } else { format!("{} ", wanted.why.replace('\n', " ")) };
        let _ = writeln!(text, "# {why}({})\n{name} = {}", wanted.by, escaped(&wanted.value));
    }
    text
}

pub(in crate::configure) fn make_rules(project: &str, outputs: &Outputs) -> String {
    let mut text = begin(project);
    for (target, rule) in &outputs.make_rules {
        let _ = writeln!(text, "\n# {}\n{target}: {}", rule.by, rule.prerequisites.join(" "));
        for line in &rule.recipe {
            let _ = writeln!(text, "\t{line}");
        }
    }
    text
}

fn begin(project: &str) -> String {
    format!("# {project}: written by its configuration; changes will be lost.\n")
}

/// A hash would begin a comment. Dollars stay: a value may refer to another macro.
fn escaped(value: &str) -> String {
    value.replace('#', "\\#")
}
