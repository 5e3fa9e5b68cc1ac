//! The make rule that compilers (`-MD`) and linkers (`--dependency-file`) write about what they read.

use std::collections::HashSet;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};

use crate::fs::Fs;

/// Files that `lists` in `dir` name, and `more`, each once, without those in `dir` itself. Relative ones were
/// not found, unless `shared` says that `dir` is one of several in which the compiler worked.
pub(crate) fn foreign(
    fs: &Fs,
    dir: &Path,
    lists: [&str; 2],
    more: impl Iterator<Item = PathBuf>,
    shared: bool,
) -> Vec<PathBuf> {
    let listed = lists
        .into_iter()
        .flat_map(|list| fs.read(&dir.join(list)).map(|text| parse(&text)).unwrap_or_default());
    // Thousands with some libraries, and comparing paths is slow.
    let mut seen = HashSet::new();
    let ours =
        |file: &PathBuf| file.starts_with(dir) || (file.is_relative() && (shared || dir.join(file).exists()));
    listed.chain(more).filter(|file| !ours(file) && seen.insert(file.clone())).collect()
}

/// The prerequisites of the first rule. Make's escapes are undone: `\ ` is a blank, `\#` a hash, `$$`
/// a dollar sign, a backslash before a line end continues the line.
pub(crate) fn parse(text: &[u8]) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut word: Vec<u8> = Vec::new();
    let mut in_target = true;
    let mut bytes = text.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        match (byte, bytes.peek().copied()) {
            (b'\\', Some(b'\n')) => {
                bytes.next();
                end(&mut word, &mut files, in_target);
            }
            (b'\\', Some(next @ (b' ' | b'#' | b':' | b'\\'))) => {
                word.push(next);
                bytes.next();
            }
            (b'$', Some(b'$')) => {
                word.push(b'$');
                bytes.next();
            }
            (b':', None | Some(b' ' | b'\t' | b'\n' | b'\\')) if in_target => {
                word.clear();
                in_target = false;
            }
            (b'\n', _) if !in_target => {
                end(&mut word, &mut files, in_target);
                break;
            }
            (b' ' | b'\t' | b'\n', _) => end(&mut word, &mut files, in_target),
            _ => word.push(byte),
        }
    }
    end(&mut word, &mut files, in_target);
    files
}

fn end(word: &mut Vec<u8>, files: &mut Vec<PathBuf>, in_target: bool) {
    let word = std::mem::take(word);
    if !in_target && !word.is_empty() {
        files.push(OsString::from_vec(word).into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_continuations_and_phony_rules_are_understood() {
        let text = b"unit.o: unit.cpp \\\n /usr/include/a\\ b.h /x/c$$d.h \\\n  /y/\\#e.h\n\n/x/phony.h:\n";
        let names: Vec<String> = parse(text).iter().map(|p| p.display().to_string()).collect();
        assert_eq!(names, ["unit.cpp", "/usr/include/a b.h", "/x/c$d.h", "/y/#e.h"]);
        assert!(parse(b"").is_empty());
        assert!(parse(b"no rule at all").is_empty());
    }
}
