//! Where CMake looks for the files of packages.

use std::path::{Path, PathBuf};

use super::PREFIXES;
use crate::config::env;
use crate::fs::Fs;

/// The file that describes a package, where CMake would find it.
pub(in crate::probe) fn find(
    fs: &Fs,
    name: &str,
    first: &[PathBuf],
    path: &std::ffi::OsStr,
    target: &str,
) -> Option<PathBuf> {
    let own = [format!("{name}Config.cmake"), format!("{}-config.cmake", name.to_ascii_lowercase())];
    let in_dir = |dir: &Path| own.iter().map(|file| dir.join(file)).find(|path| fs.is_file(path));
    let named = env::named(&format!("{name}_DIR")).map(PathBuf::from).filter(|dir| dir.is_absolute());
    if let Some(found) = named.as_deref().and_then(in_dir) {
        return Some(found);
    }
    let begins = |entry: &std::ffi::OsString| {
        let text = entry.to_str()?.to_ascii_lowercase();
        text.starts_with(&name.to_ascii_lowercase()).then(|| entry.clone())
    };
    // Those of this package in a directory.
    let below = |dir: &Path| -> Vec<PathBuf> {
        let mut names: Vec<_> = fs.list(dir).unwrap_or_default().iter().filter_map(begins).collect();
        names.sort();
        names.iter().map(|name| dir.join(name)).collect()
    };
    let libraries =
        [format!("lib/{}", target.replace("-pc-", "-")), "lib".into(), "lib64".into(), "share".into()];
    let in_prefix = |prefix: &Path| {
        for library in &libraries {
            let library = prefix.join(library);
            for dir in below(&library.join("cmake")).iter().chain(&below(&library)) {
                let found =
                    [dir.clone(), dir.join("cmake"), dir.join("CMake")].iter().find_map(|dir| in_dir(dir));
                if found.is_some() {
                    return found;
                }
            }
        }
        [prefix.to_owned(), prefix.join("cmake"), prefix.join("CMake")].iter().find_map(|dir| in_dir(dir))
    };
    for prefix in first.iter().cloned().chain(prefixes(path, name)) {
        let own = below(&prefix);
        let found = in_prefix(&prefix).or_else(|| own.iter().find_map(|dir| in_prefix(dir)));
        if found.is_some() {
            return found;
        }
    }
    None
}

/// Directories below which CMake looks, in its order.
fn prefixes(path: &std::ffi::OsStr, name: &str) -> Vec<PathBuf> {
    let mut all = Vec::new();
    let variables = [format!("{name}_ROOT"), format!("{}_ROOT", name.to_ascii_uppercase())];
    for variable in variables.iter().map(String::as_str).chain([PREFIXES]) {
        let list = env::named(variable).unwrap_or_default();
        all.extend(std::env::split_paths(&list).filter(|dir| dir.is_absolute()));
    }
    for dir in std::env::split_paths(path).filter(|dir| dir.is_absolute()) {
        let is_programs = dir.ends_with("bin") || dir.ends_with("sbin");
        all.extend(if is_programs { dir.parent().map(Path::to_owned) } else { Some(dir) });
    }
    all.extend(["/usr/local", "/usr", "/", "/opt"].map(PathBuf::from));
    let mut seen = std::collections::BTreeSet::new();
    all.retain(|dir| seen.insert(dir.clone()));
    all
}
