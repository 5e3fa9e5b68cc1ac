//! Where CMake looks for the files of packages.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use super::PREFIXES;
use crate::config::env;
use crate::fs::Fs;

/// The directories of one search.
#[derive(Debug)]
pub(in crate::probe) struct Search<'a> {
    pub(in crate::probe) fs: &'a Fs,
    /// Prefixes before all others.
    pub(in crate::probe) first: &'a [PathBuf],
    /// `PATH`: prefixes are beside its directories.
    pub(in crate::probe) path: &'a OsStr,
    /// What the compiler compiles for.
    pub(in crate::probe) target: &'a str,
}

/// Whether variables that are named after the package say where it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::probe) enum Named {
    Yes,
    /// They do not: CMake does not see them.
    No,
}

/// The variables that say where a package is.
pub(in crate::probe) fn variables(name: &str) -> Vec<String> {
    let upper = name.to_ascii_uppercase();
    vec![format!("{name}_DIR"), format!("{name}_ROOT"), format!("{upper}_ROOT"), PREFIXES.to_owned()]
}

impl Search<'_> {
    /// The file that describes a package, where CMake would find it.
    pub(in crate::probe) fn first_of(&self, name: &str) -> Option<PathBuf> {
        self.each(name, Named::Yes).next()
    }

    /// All files that describe it, the first one first: CMake passes over those of another version.
    pub(in crate::probe) fn each<'a>(
        &'a self,
        name: &'a str,
        named: Named,
    ) -> impl Iterator<Item = PathBuf> + 'a {
        let dir = env::named(&format!("{name}_DIR")).filter(|_| named == Named::Yes).map(PathBuf::from);
        let dir = dir.filter(|dir| dir.is_absolute()).into_iter();
        let prefixes = self.first.iter().cloned().chain(self.prefixes(name, named));
        let places = dir.chain(prefixes.flat_map(|prefix| {
            let own = self.below(&prefix, name);
            self.in_prefix(prefix, name).chain(own.into_iter().flat_map(|dir| self.in_prefix(dir, name)))
        }));
        places.flat_map(|dir| self.in_dir(&dir, name))
    }

    fn in_dir(&self, dir: &Path, name: &str) -> Option<PathBuf> {
        let own = [format!("{name}Config.cmake"), format!("{}-config.cmake", name.to_ascii_lowercase())];
        own.iter().map(|file| dir.join(file)).find(|path| self.fs.is_file(path))
    }

    /// Those of this package in a directory.
    fn below(&self, dir: &Path, name: &str) -> Vec<PathBuf> {
        let name = name.to_ascii_lowercase();
        let mut names = self.fs.list(dir).unwrap_or_default();
        names.retain(|entry| {
            entry.to_str().is_some_and(|entry| entry.to_ascii_lowercase().starts_with(&name))
        });
        names.sort();
        names.iter().map(|name| dir.join(name)).collect()
    }

    /// Directories of a prefix that may have it.
    fn in_prefix<'a>(&'a self, prefix: PathBuf, name: &'a str) -> impl Iterator<Item = PathBuf> + 'a {
        let libraries = [
            format!("lib/{}", self.target.replace("-pc-", "-")),
            "lib".into(),
            "lib64".into(),
            "share".into(),
        ];
        let deep = libraries.into_iter().map({
            let prefix = prefix.clone();
            move |library| prefix.join(library)
        });
        let deep = deep.flat_map(move |library| {
            let mut dirs = self.below(&library.join("cmake"), name);
            dirs.extend(self.below(&library, name));
            dirs.into_iter().flat_map(with_cmake)
        });
        deep.chain(with_cmake(prefix))
    }

    /// Directories below which CMake looks, in its order.
    fn prefixes(&self, name: &str, named: Named) -> Vec<PathBuf> {
        let mut all = Vec::new();
        for variable in variables(name).iter().filter(|name| !name.ends_with("_DIR")) {
            if named == Named::No && variable != PREFIXES {
                continue;
            }
            let list = env::named(variable).unwrap_or_default();
            all.extend(std::env::split_paths(&list).filter(|dir| dir.is_absolute()));
        }
        for dir in std::env::split_paths(self.path).filter(|dir| dir.is_absolute()) {
            let is_programs = dir.ends_with("bin") || dir.ends_with("sbin");
            all.extend(if is_programs { dir.parent().map(Path::to_owned) } else { Some(dir) });
        }
        all.extend(["/usr/local", "/usr", "/", "/opt"].map(PathBuf::from));
        let mut seen = std::collections::BTreeSet::new();
        all.retain(|dir| seen.insert(dir.clone()));
        all
    }
}

fn with_cmake(dir: PathBuf) -> impl Iterator<Item = PathBuf> {
    let (one, two) = (dir.join("cmake"), dir.join("CMake"));
    [dir, one, two].into_iter()
}
