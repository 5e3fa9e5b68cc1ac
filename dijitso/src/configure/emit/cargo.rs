//! Lines for cargo.

use std::collections::{BTreeMap, HashSet};
use std::path::PathBuf;

use super::{for_shell, line, units};
use crate::configure::flags::{Stage, Unit};
use crate::configure::macro_value::{Form, literal};
use crate::configure::outputs::Outputs;

/// What is linked, what is configured, what dependent packages are told, and when to run again.
pub(in crate::configure) fn cargo(
    outputs: &Outputs,
    watched: &[PathBuf],
    variables: &[String],
) -> Vec<String> {
    let mut lines = Vec::new();
    for path in watched.iter().filter_map(|path| path.to_str()) {
        lines.push(format!("cargo::rerun-if-changed={path}"));
    }
    for name in variables {
        lines.push(format!("cargo::rerun-if-env-changed={name}"));
    }
    let others = link(&mut lines, outputs);
    cfgs(&mut lines, outputs);
    metadata(&mut lines, outputs, &others);
    let mut seen = HashSet::new();
    // What is linked may have to stand twice.
    let once = ["cargo::rerun-if-", "cargo::rustc-check-cfg=", "cargo::rustc-link-search="];
    lines.retain(|line| !once.iter().any(|name| line.starts_with(name)) || seen.insert(line.clone()));
    lines
}

/// What programs are linked with. Libraries reach those of other packages, too; flags only those of this one, so they are
/// also given back.
fn link<'a>(lines: &mut Vec<String>, outputs: &'a Outputs) -> Vec<&'a str> {
    let mut others = Vec::new();
    for unit in units(outputs, Stage::Link).into_iter().chain(units(outputs, Stage::Libraries)) {
        match library(&unit) {
            Some(found) => lines.extend(found),
            None => {
                others.extend(unit.words());
                lines.extend(unit.words().map(|word| format!("cargo::rustc-link-arg={word}")));
            }
        }
    }
    others
}

/// A directory or a library in rustc's own words.
fn library(unit: &Unit<'_>) -> Option<Vec<String>> {
    let search = |dir: &str| format!("cargo::rustc-link-search=native={dir}");
    let named = |kind: &str, name: &str| format!("cargo::rustc-link-lib={kind}{name}");
    let (flag, argument) = (unit.flag.text.as_str(), unit.argument.map(|flag| flag.text.as_str()));
    match (flag, argument) {
        ("-L", Some(dir)) => return Some(vec![search(dir)]),
        ("-l", Some(name)) => return Some(vec![named("", name)]),
        ("-framework", Some(name)) => return Some(vec![named("framework=", name)]),
        (_, Some(_)) => return None,
        (_, None) => {}
    }
    let exactly =
        |file: &str| named(if file.ends_with(".a") { "static:+verbatim=" } else { "dylib:+verbatim=" }, file);
    if let Some(dir) = flag.strip_prefix("-L") {
        return Some(vec![search(dir)]);
    }
    if let Some(name) = flag.strip_prefix("-l") {
        return Some(vec![name.strip_prefix(':').map_or_else(|| named("", name), exactly)]);
    }
    let (dir, file) = flag.rsplit_once('/').filter(|_| !flag.starts_with('-'))?;
    let name = file.strip_prefix("lib");
    let found = match (name.and_then(|it| it.strip_suffix(".a")), name.and_then(|it| it.strip_suffix(".so")))
    {
        (Some(name), _) => named("static=", name),
        (_, Some(name)) => named("dylib=", name),
        _ if file.ends_with(".a") || file.ends_with(".so") || file.contains(".so.") => exactly(file),
        _ => return None,
    };
    Some(vec![search(if dir.is_empty() { "/" } else { dir }), found])
}

/// Macros as `cfg`s, in small letters.
fn cfgs(lines: &mut Vec<String>, outputs: &Outputs) {
    let mut known: BTreeMap<String, &str> = BTreeMap::new();
    for name in outputs.defines.keys().chain(outputs.undefined.keys()) {
        let cfg = match as_cfg(name, &outputs.define_prefix) {
            Some(cfg) if known.get(&cfg).is_none_or(|of| *of == name) => cfg,
            other => {
                let why = if other.is_none() { "rustc has one of that name" } else { "another macro is it" };
                lines.push(format!("cargo::warning=the macro {name} is no cfg: {why}"));
                continue;
            }
        };
        lines.push(format!("cargo::rustc-check-cfg=cfg({cfg}, values(any()))"));
        if let Some(wanted) = outputs.defines.get(name) {
            let value = literal(&wanted.value).unwrap_or_else(|| wanted.value.clone());
            if wanted.form == Form::Feature || value.is_empty() {
                lines.push(format!("cargo::rustc-cfg={cfg}"));
            } else if !value.contains(['"', '\\', '\n', '\r']) {
                lines.push(format!("cargo::rustc-cfg={cfg}=\"{value}\""));
            }
        }
        known.insert(cfg, name);
    }
}

/// The name, with the project's before it if rustc has one of that name, which it lets nobody set.
fn as_cfg(name: &str, prefix: &str) -> Option<String> {
    let own = name.to_ascii_lowercase();
    let full = format!("{}{own}", prefix.to_ascii_lowercase());
    [own, full].into_iter().find(|cfg| !is_rustcs(cfg))
}

fn is_rustcs(cfg: &str) -> bool {
    const NAMES: [&str; 33] = [
        "test",
        "unix",
        "windows",
        "debug_assertions",
        "doc",
        "doctest",
        "docsrs",
        "feature",
        "miri",
        "clippy",
        "rustfmt",
        "panic",
        "proc_macro",
        "overflow_checks",
        "ub_checks",
        "contract_checks",
        "relocation_model",
        "sanitize",
        "sanitizer_cfi_generalize_pointers",
        "sanitizer_cfi_normalize_integers",
        "fmt_debug",
        "emscripten_wasm_eh",
        "version",
        "accessible",
        "true",
        "false",
        "all",
        "any",
        "not",
        "self",
        "super",
        "crate",
        "_",
    ];
    NAMES.contains(&cfg) || cfg.starts_with("target_")
}

/// What packages that depend on this one are told (`DEP_<LINKS>_<NAME>`): what modules say, and unless they say it
/// themselves the directories of headers and the flags for the link.
fn metadata(lines: &mut Vec<String>, outputs: &Outputs, others: &[&str]) {
    let own = |name: &str| !outputs.links_metadata.contains_key(name);
    let mut dirs: Vec<&str> = Vec::new();
    for unit in units(outputs, Stage::Compile) {
        let dir = match unit.argument {
            Some(dir) if matches!(unit.flag.text.as_str(), "-I" | "-isystem") => Some(dir.text.as_str()),
            _ => unit.flag.text.strip_prefix("-I"),
        };
        dirs.extend(dir.filter(|dir| !dir.is_empty() && !dirs.contains(dir)));
    }
    if !dirs.is_empty() && own("include") {
        lines.push(format!("cargo::metadata=include={}", line(&dirs.join(":"))));
    }
    if !others.is_empty() && own("link_args") {
        lines.push(format!("cargo::metadata=link_args={}", line(&for_shell(others))));
    }
    for (name, wanted) in &outputs.links_metadata {
        lines.push(format!("cargo::metadata={name}={}", line(&wanted.value)));
    }
}
