//! The layout rule of ARCHITECTURE.md: a module uses only its own and lower floors.
//!
//! Reads every `crate::` and `super::` path in `dijitso/src`, in macros too, and fails on an edge that
//! points upward. A module that is not in the table fails as well, so that new ones get a floor.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// The top-level modules, ground floor first.
const FLOORS: &[&[&str]] = &[
    &["error", "stats", "signature", "cxx", "report"],
    &["fs", "process", "config", "trace"],
    &["toolchain", "source"],
    &["cache", "probe"],
    &["compile", "library"],
    &["kernel", "prebuilt"],
    &["jit"],
    &["distribute", "prebuild", "configure"],
    &["cli"],
    // What macro expansions call: it may use everything, and nothing may use it.
    &["private"],
    // Documentation only.
    &["guide"],
];

fn floor(module: &str) -> Option<usize> {
    FLOORS.iter().position(|floor| floor.contains(&module))
}

#[test]
fn no_module_uses_a_higher_floor() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../dijitso/src");
    let mut wrong = Vec::new();
    let files = sources(&root);
    assert!(files.len() > 20, "only {} files found below {}", files.len(), root.display());
    for file in files {
        let module = module_path(file.strip_prefix(&root).unwrap());
        // The root only lists the others; a program only calls one of them.
        if !module.is_empty() && module[0] != "bin" {
            wrong.extend(upward_edges(&module, &std::fs::read_to_string(&file).unwrap()));
        }
    }
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

#[test]
fn the_check_finds_upward_edges_however_they_are_written() {
    let found = |module: &[&str], text: &str| {
        let module: Vec<String> = module.iter().map(|m| (*m).to_owned()).collect();
        upward_edges(&module, text)
    };
    assert_eq!(found(&["cache", "entry"], "use crate::jit::Jit;").len(), 1);
    assert_eq!(
        found(&["cache", "entry"], "use crate::{error::Error, kernel::{Kernel, self}, jit};").len(),
        2
    );
    assert_eq!(found(&["cache"], "use super::jit::Jit;").len(), 1);
    assert_eq!(found(&["cache", "entry"], "fn f() { super::super::library::open() }").len(), 1);
    assert_eq!(found(&["cache"], "fn f() { println!(\"{}\", crate::compile::X) }").len(), 1);
    assert_eq!(found(&["cache"], "mod tests { use super::super::jit::Jit; }").len(), 1);
    assert_eq!(found(&["error"], "use crate::config::Config;").len(), 1);
    assert_eq!(found(&["cache"], "use crate::Kernel;").len(), 1, "the root's list hides the floor");
    assert_eq!(found(&["cache"], "fn f(x: super::jit::Jit) {}").len(), 1);
    assert_eq!(found(&["cache"], "use crate::*;").len(), 1, "so does everything at once");
    assert_eq!(found(&["attic"], "").len(), 1, "a module without a floor");
}

#[test]
fn the_check_accepts_downward_and_own_edges() {
    let found = |module: &[&str], text: &str| {
        let module: Vec<String> = module.iter().map(|m| (*m).to_owned()).collect();
        upward_edges(&module, text)
    };
    assert!(
        found(&["jit", "builder"], "use crate::{cache::Store, error::Result}; use super::flight;").is_empty()
    );
    assert!(
        found(&["cache", "entry"], "mod tests { use super::*; use super::super::index::Index; }").is_empty()
    );
    assert!(
        found(&["cache"], "// crate::jit\n/// [`crate::jit::Jit`]\nfn f() { \"crate::jit\"; }").is_empty()
    );
    assert!(found(&["source"], "fn f() { crate::spec!(F, \"f\", (), g) }").is_empty());
    assert!(found(&["source"], "macro_rules! spec { () => { $crate::KernelSpec::new() } }").is_empty());
    assert!(found(&["config"], "pub(crate) fn f() {} pub(super) fn g() {}").is_empty());
}

fn sources(dir: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut dirs = vec![dir.to_owned()];
    while let Some(dir) = dirs.pop() {
        for entry in std::fs::read_dir(&dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                dirs.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}

fn module_path(file: &Path) -> Vec<String> {
    let mut parts: Vec<String> =
        file.with_extension("").iter().map(|p| p.to_str().unwrap().to_owned()).collect();
    if parts.last().is_some_and(|last| last == "mod" || last == "lib") {
        parts.pop();
    }
    parts
}

/// One message for each path in `text`, the source of `module`, that leads to a higher floor.
fn upward_edges(module: &[String], text: &str) -> Vec<String> {
    let Some(own) = floor(&module[0]) else {
        return vec![format!("module `{}` has no floor: add it to FLOORS in tests/floors.rs", module[0])];
    };
    let tokens: TokenStream = text.parse().expect("Rust source");
    let mut targets = BTreeSet::new();
    collect(tokens, module, &mut targets);
    let mut wrong = Vec::new();
    for (target, line) in targets {
        let place = format!("{}.rs:{line}", module.join("/"));
        match floor(&target) {
            Some(other) if other <= own => {}
            Some(other) => wrong.push(format!(
                "{place}: `{}` (floor {own}) uses `{target}` (floor {other}); arrows point down",
                module[0]
            )),
            None => wrong.push(format!("{place}: `crate::{target}` is no module; name the module it is in")),
        }
    }
    wrong
}

/// The first segment below the crate's root of every path in `tokens`, with its line.
fn collect(tokens: TokenStream, module: &[String], targets: &mut BTreeSet<(String, usize)>) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let mut i = 0;
    while i < tokens.len() {
        let own_path =
            |name: &str| ident(&tokens[i]).is_some_and(|id| id == name) && is_path(&tokens[i + 1..]);
        let macro_variable = i > 0 && punct(&tokens[i - 1], '$');
        if own_path("crate") && !macro_variable {
            first_segments(&tokens[i + 3..], &[], targets);
        } else if own_path("super") && !(i > 1 && punct(&tokens[i - 1], ':') && punct(&tokens[i - 2], ':')) {
            let mut base = module.to_vec();
            let mut at = i;
            while ident(&tokens[at]).is_some_and(|id| id == "super") && is_path(&tokens[at + 1..]) {
                base.pop();
                at += 3;
            }
            first_segments(&tokens[at..], &base, targets);
        }
        if let TokenTree::Group(group) = &tokens[i] {
            // `mod name { .. }`: what is inside is one level deeper.
            let inline = group.delimiter() == Delimiter::Brace
                && i >= 2
                && ident(&tokens[i - 2]).is_some_and(|id| id == "mod")
                && ident(&tokens[i - 1]).is_some();
            let mut inner = module.to_vec();
            if inline {
                inner.extend(ident(&tokens[i - 1]));
            }
            collect(group.stream(), &inner, targets);
        }
        i += 1;
    }
}

/// What follows `crate::` (or a `super::` that stands for `base`): a name, or a `{..}` of names.
fn first_segments(rest: &[TokenTree], base: &[String], targets: &mut BTreeSet<(String, usize)>) {
    let Some(first) = rest.first() else { return };
    let line = first.span().start().line;
    if let Some(top) = base.first() {
        targets.insert((top.clone(), line));
        return;
    }
    if let Some(name) = ident(first) {
        // A macro that is exported lives at the root, wherever it was written.
        if !rest.get(1).is_some_and(|next| punct(next, '!')) {
            targets.insert((name, line));
        }
    } else if punct(first, '*') {
        targets.insert(("*".to_owned(), line));
    } else if let TokenTree::Group(group) = first {
        let inner: Vec<TokenTree> = group.stream().into_iter().collect();
        for item in inner.split(|token| punct(token, ',')) {
            first_segments(item, base, targets);
        }
    }
}

fn ident(token: &TokenTree) -> Option<String> {
    match token {
        TokenTree::Ident(ident) => Some(ident.to_string()),
        _ => None,
    }
}

fn punct(token: &TokenTree, character: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == character)
}

fn is_path(rest: &[TokenTree]) -> bool {
    rest.len() >= 3 && punct(&rest[0], ':') && punct(&rest[1], ':')
}
