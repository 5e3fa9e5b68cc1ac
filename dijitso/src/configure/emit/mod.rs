//! What a configuration is written as: each file a plain function from what was collected to text.

mod cargo;
mod header;
mod make;
mod pkg_config;
mod rust;
mod script;
mod summary;
mod template;

pub(super) use cargo::cargo;
pub(super) use header::{header, types, undefs};
pub(super) use make::{make_macros, make_rules};
pub(super) use pkg_config::pkg_config;
pub(super) use rust::rust;
pub(super) use script::reconfigure;
pub(super) use summary::{difference, summary};
pub(super) use template::template;

use super::failed::Failed;
use super::flags::{Stage, Unit};
use super::outputs::{Outputs, mistake};
use super::record::Record;
use crate::probe::Language;

/// What modules want for one step, in all languages: what two of them want one after the other stands once.
fn units(outputs: &Outputs, stage: Stage) -> Vec<Unit<'_>> {
    let mut units = outputs.flags.units();
    units.retain(|unit| unit.flag.stage == stage);
    units.dedup_by(|two, one| two.words().eq(one.words()));
    units
}

/// The variables that Make and templates know without being told: compilers and flags, as a shell reads them.
///
/// # Errors
/// A word has a line break: there is no line of a file that could have it.
fn standard(record: &Record, outputs: &Outputs) -> Result<Vec<(String, String)>, Failed> {
    let mut all = Vec::new();
    let mut lists: Vec<&Vec<String>> = Vec::new();
    for language in Language::ALL {
        let Some(compiler) = record.compilers.get(language.variable()) else { continue };
        all.push((language.variable(), for_shell(&compiler.words)));
        let own = compiler.flags.iter().map(String::as_str);
        all.push((
            language.flags_variable(),
            for_shell(own.chain(outputs.flags.words(language, Stage::Compile))),
        ));
        // Mostly the same for each language. Words in it may have to stand twice.
        if !lists.contains(&&compiler.link_flags) {
            lists.push(&compiler.link_flags);
        }
    }
    let link = units(outputs, Stage::Link);
    let own = lists.into_iter().flatten().map(String::as_str);
    all.push(("LDFLAGS", for_shell(own.chain(link.iter().flat_map(Unit::words)))));
    all.push(("LIBS", for_shell(units(outputs, Stage::Libraries).iter().flat_map(Unit::words))));
    let prefix = record.options.get("prefix").map(|(value, _)| value.clone()).unwrap_or_default();
    all.push(("prefix", prefix));
    if let Some((name, value)) = all.iter().find(|(_, value)| value.contains(['\n', '\r'])) {
        let text = format!("{name} has a line break in it, which no line of a file can have: `{value}`");
        return Err(mistake(text));
    }
    Ok(all.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

/// Words as a shell reads them.
pub(super) fn for_shell<W: AsRef<str>>(words: impl IntoIterator<Item = W>) -> String {
    let quoted = words.into_iter().map(|word| crate::process::quoted(word.as_ref().as_ref()));
    quoted.collect::<Vec<String>>().join(" ")
}

/// A text that refers to no macro, as Make reads it.
pub(super) fn for_make(text: &str) -> String {
    text.replace('$', "$$")
}

/// A comment must not end where somebody else's words end it, nor seem to hold another one.
fn comment(text: &str) -> String {
    line(text).replace("*/", "* /").replace("/*", "/ *")
}

/// On one line.
fn line(text: &str) -> String {
    text.replace(['\n', '\r'], " ")
}
