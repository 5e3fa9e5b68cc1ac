//! Lines for cargo.

use std::path::PathBuf;

use super::libraries;
use crate::configure::flags::Stage;
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
    for flag in outputs.flags.iter().filter(|flag| flag.stage == Stage::Link) {
        lines.push(format!("cargo::rustc-link-arg={}", flag.text));
    }
    for word in libraries(outputs) {
        if let Some(dir) = word.strip_prefix("-L") {
            lines.push(format!("cargo::rustc-link-search=native={dir}"));
        } else if let Some(name) = word.strip_prefix("-l").filter(|name| !name.starts_with(':')) {
            lines.push(format!("cargo::rustc-link-lib={name}"));
        } else {
            lines.push(format!("cargo::rustc-link-arg={word}"));
        }
    }
    let cfg = |name: &str| name.to_ascii_lowercase();
    for name in outputs.defines.keys().chain(outputs.undefined.keys()) {
        lines.push(format!("cargo::rustc-check-cfg=cfg({}, values(any()))", cfg(name)));
    }
    for (name, wanted) in &outputs.defines {
        match wanted.value.trim_matches('"') {
            "" | "1" => lines.push(format!("cargo::rustc-cfg={}", cfg(name))),
            value if !value.contains(['"', '\\', '\n']) => {
                lines.push(format!("cargo::rustc-cfg={}=\"{value}\"", cfg(name)));
            }
            _ => {}
        }
    }
    for (name, wanted) in &outputs.links_metadata {
        lines.push(format!("cargo::metadata={name}={}", wanted.value.replace('\n', " ")));
    }
    let mut seen = std::collections::HashSet::new();
    lines.retain(|line| seen.insert(line.clone()));
    lines
}
