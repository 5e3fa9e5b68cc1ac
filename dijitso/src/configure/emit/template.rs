//! Templates: `@X@` becomes what somebody said that it stands for.

use std::collections::BTreeMap;
use std::path::Path;

use super::standard;
use crate::config::suggest::nearest;
use crate::configure::failed::Failed;
use crate::configure::outputs::{Outputs, is_identifier, mistake};
use crate::configure::record::Record;

/// Fills a template in.
///
/// # Errors
/// A placeholder that nobody gives a value to, with file and line.
pub(in crate::configure) fn template(
    path: &Path,
    text: &str,
    record: &Record,
    outputs: &Outputs,
) -> Result<String, Failed> {
    let mut values: BTreeMap<String, String> = standard(record, outputs).into_iter().collect();
    values.insert("PROJECT".to_owned(), record.project.clone());
    let own = outputs.substitutions.iter().chain(&outputs.make_macros);
    for (name, wanted) in own {
        values.insert(name.clone(), wanted.value.clone());
    }
    let mut filled = String::with_capacity(text.len());
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
            let Some(value) = values.get(name) else {
                let meant = nearest(name, values.keys().map(String::as_str));
                let meant = meant.map(|meant| format!("; did you mean @{meant}@?")).unwrap_or_default();
                let text =
                    format!("{}:{}: nobody says what @{name}@ stands for{meant}", path.display(), n + 1);
                return Err(mistake(text));
            };
            filled.push_str(value);
            rest = &behind[end + 2..];
        }
        filled.push_str(rest);
    }
    Ok(filled)
}
