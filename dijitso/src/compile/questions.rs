//! What a build looked for and did not find, as far as its tools do not say so themselves.
//!
//! A dependency file lists what was read. What would change the result by appearing must be watched,
//! too: a header that the text asks for with `__has_include`, a library in a directory that is searched
//! earlier than the one it was found in.

use std::path::PathBuf;

use super::unit::Unit;
use crate::cache::asked_in;

/// Names of headers, and absolute paths of libraries, whose appearance would make another kernel.
pub(crate) fn questions(unit: &Unit, library_path: Option<&str>) -> Vec<String> {
    let texts = unit.rendered.files.iter().flat_map(|(_, text)| asked_in(text.as_bytes()));
    let mut questions: Vec<String> = texts.collect();
    let words = || unit.flags.link.iter().chain(&unit.flags.libraries).map(|flag| flag.text.as_str());
    let given = words().filter_map(|word| word.strip_prefix("-L")).filter(|dir| !dir.is_empty());
    let listed = library_path.into_iter().flat_map(|list| list.split(':')).filter(|dir| !dir.is_empty());
    let dirs: Vec<PathBuf> =
        unit.link_dirs.iter().cloned().chain(given.chain(listed).map(PathBuf::from)).collect();
    let named = unit.links.iter().map(String::as_str).filter(|link| is_name(link));
    for name in named.chain(words().filter_map(|word| word.strip_prefix("-l"))) {
        let candidates =
            dirs.iter().flat_map(|dir| ["so", "a"].map(|end| dir.join(format!("lib{name}.{end}"))));
        for absent in candidates.filter(|path| path.is_absolute()).take_while(|path| !path.exists()) {
            questions.push(absent.to_string_lossy().into_owned());
        }
    }
    questions
}

fn is_name(link: &str) -> bool {
    !link.contains('/')
        && ![".a", ".so", ".o"].iter().any(|end| link.ends_with(end))
        && !link.starts_with('-')
}
