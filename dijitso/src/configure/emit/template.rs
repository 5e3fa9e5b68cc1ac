//! Templates: `@X@` becomes what somebody said that it stands for.

use std::collections::BTreeMap;
use std::path::Path;

use super::standard;
use crate::config::suggest::nearest;
use crate::configure::failed::Failed;
use crate::configure::outputs::{Outputs, is_identifier, mistake};
use crate::configure::record::Record;

/// Fills a template in. Compilers and flags are quoted as a shell needs it; Make's macros are there as Make reads them.
///
/// # Errors
/// Placeholders that nobody gives a value to: all of them, with file and line, and who wants the template.
pub(in crate::configure) fn template(
    path: &Path,
    text: &str,
    by: &str,
    record: &Record,
    outputs: &Outputs,
) -> Result<String, Failed> {
    let mut values: BTreeMap<String, String> = standard(record, outputs)?.into_iter().collect();
    values.insert("PROJECT".to_owned(), record.project.clone());
    let own = outputs.substitutions.iter().chain(&outputs.make_macros);
    for (name, wanted) in own {
        values.insert(name.clone(), wanted.value.clone());
    }
    let mut filled = String::with_capacity(text.len());
    let mut unknown = Vec::new();
    for (n, line) in text.split_inclusive('\n').enumerate() {
        let mut rest = line;
        while let Some(at) = rest.find('@') {
            let (before, behind) = rest.split_at(at);
            filled.push_str(before);
            let end = behind[1..].find('@').filter(|end| is_identifier(&behind[1..=*end]));
            let Some(end) = end else {
                filled.push('@');
                rest = &behind[1..];
                continue;
            };
            let name = &behind[1..=end];
            match values.get(name) {
                Some(value) => filled.push_str(value),
                None => {
                    let meant = nearest(name, values.keys().map(String::as_str));
                    let meant = meant.map(|meant| format!("; did you mean @{meant}@?")).unwrap_or_default();
                    let place = format!("{}:{}", path.display(), n + 1);
                    unknown.push(format!("{place}: nobody says what @{name}@ stands for{meant}"));
                }
            }
            rest = &behind[end + 2..];
        }
        filled.push_str(rest);
    }
    all_known(unknown, by).map(|()| filled)
}

/// Whether there is nothing that a template has and nobody knows.
pub(super) fn all_known(unknown: Vec<String>, by: &str) -> Result<(), Failed> {
    match unknown.is_empty() {
        true => Ok(()),
        false => Err(mistake(format!("{}\nthe template is wanted by {by}", unknown.join("\n")))),
    }
}
