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

use super::flags::Stage;
use super::outputs::Outputs;
use super::record::Record;
use crate::probe::Language;

/// Of all languages.
fn libraries(outputs: &Outputs) -> Vec<String> {
    let of_stage = outputs.flags.iter().filter(|flag| flag.stage == Stage::Libraries);
    of_stage.map(|flag| flag.text.clone()).collect()
}

/// The variables that Make and templates know without being told: compilers and flags.
fn standard(record: &Record, outputs: &Outputs) -> Vec<(String, String)> {
    let mut all = Vec::new();
    let mut link = Vec::new();
    for language in Language::ALL {
        let Some(compiler) = record.compilers.get(language.variable()) else { continue };
        all.push((language.variable().to_owned(), compiler.words.join(" ")));
        let own = compiler.flags.iter().map(String::as_str);
        let words: Vec<&str> = own.chain(outputs.flags.words(language, Stage::Compile)).collect();
        all.push((language.flags_variable().to_owned(), words.join(" ")));
        for word in &compiler.link_flags {
            if !link.contains(word) {
                link.push(word.clone());
            }
        }
    }
    link.extend(outputs.flags.iter().filter(|flag| flag.stage == Stage::Link).map(|flag| flag.text.clone()));
    all.push(("LDFLAGS".to_owned(), link.join(" ")));
    all.push(("LIBS".to_owned(), libraries(outputs).join(" ")));
    let prefix = record.options.get("prefix").map(|(value, _)| value.clone()).unwrap_or_default();
    all.push(("prefix".to_owned(), prefix));
    all
}

/// A comment must not end where somebody else's words end it.
fn comment(text: &str) -> String {
    text.replace("*/", "* /").replace(['\n', '\r'], " ")
}
