//! What a compiler predefines, and where it looks for headers, under given flags.
//!
//! One question answers both: `-v -dM -E` of nothing.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::cpu::CpuFeatures;
use super::driver::Transcript;
use super::search::{Place, SearchDir, SearchPath};
use crate::config::Config;
use crate::process::Output;

/// The words of the question; flags go before them.
pub(crate) fn question(language: &str) -> [&str; 6] {
    ["-v", "-dM", "-E", "-x", language, "/dev/null"]
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Predefined {
    /// The flags asked about, the language first.
    pub(crate) key: Vec<String>,
    pub(crate) features: CpuFeatures,
    pub(crate) search: SearchPath,
    /// Directories that would be searched if they existed.
    pub(crate) absent: Vec<PathBuf>,
}

impl Predefined {
    /// Reads the answer; the error says why code made with these flags could not be loaded here.
    pub(crate) fn read(key: Vec<String>, output: &Output, config: &Config) -> Result<Predefined, String> {
        let macros = String::from_utf8_lossy(&output.stdout);
        let has = |name: &str| macros.lines().any(|line| line.split(' ').nth(1) == Some(name));
        // Fortran's preprocessor tells nothing about the processor or the system.
        let fortran = has("__GFORTRAN__") || has("__flang__");
        if !fortran && (!has(ARCH_MACRO) || !has("__LP64__") || !has("__linux__")) {
            let this = std::env::consts::ARCH;
            return Err(format!(
                "it makes code for another kind of machine than this program's (64-bit Linux, {this})"
            ));
        }
        Ok(Predefined::of_any_target(key, output, config))
    }

    /// The same of a compiler whose code need not be loaded here.
    pub(crate) fn of_any_target(key: Vec<String>, output: &Output, config: &Config) -> Predefined {
        let macros = String::from_utf8_lossy(&output.stdout);
        let transcript = Transcript::new(&output.stderr);
        let users = users_dirs(&key, config);
        let (mut search, absent) = SearchPath::read(transcript.lines());
        let is_users = |dir: &Path| is_local(dir) || users.iter().any(|known| known == dir);
        for dir in search.dirs.iter_mut().filter(|dir| dir.is_builtin() && is_users(&dir.path)) {
            dir.place = Place::User;
        }
        // It does not say where it would have looked into those that are not there. What comes into one is noticed: before
        // all others, it is so for every header. The compiler's own are part of its identity, as long as no flag moves them.
        let moved = key.iter().skip(1).any(|word| !word.starts_with("-m"));
        let to_come = absent.iter().filter(|dir| moved || is_users(dir));
        let to_come = to_come.map(|dir| SearchDir { path: dir.clone(), place: Place::User });
        search.dirs.splice(0..0, to_come.collect::<Vec<_>>());
        Predefined { key, features: CpuFeatures::of_macros(&macros), search, absent }
    }
}

/// The flags that decide what is predefined or searched; the answer is shared by all that agree in these.
pub(crate) fn decides(text: &str) -> bool {
    const PREFIXES: [&str; 14] = [
        "-m",
        "--sysroot",
        "-isysroot",
        "--target",
        "-target",
        "-B",
        "-stdlib=",
        "-nostdinc",
        "-isystem",
        "-idirafter",
        "--gcc-toolchain",
        "-specs",
        "--specs",
        "-iprefix",
    ];
    PREFIXES.iter().any(|prefix| text.starts_with(prefix))
}

#[cfg(target_arch = "x86_64")]
const ARCH_MACRO: &str = "__x86_64__";
#[cfg(target_arch = "aarch64")]
const ARCH_MACRO: &str = "__aarch64__";

/// Directories people install into, though compilers search them by themselves.
fn is_local(path: &Path) -> bool {
    path.starts_with("/usr/local")
}

/// Directories that the user named, by flag or variable.
fn users_dirs(key: &[String], config: &Config) -> Vec<PathBuf> {
    let mut dirs = Vec::new();
    for name in ["CPATH", "C_INCLUDE_PATH", "CPLUS_INCLUDE_PATH"] {
        let value = config.compiler_env.get(name).map(OsString::as_os_str).unwrap_or(OsStr::new(""));
        dirs.extend(std::env::split_paths(value));
    }
    for flag in ["-isystem", "-idirafter"] {
        for (n, text) in key.iter().enumerate() {
            match text.strip_prefix(flag) {
                Some("") => dirs.extend(key.get(n + 1).map(PathBuf::from)),
                Some(dir) => dirs.push(PathBuf::from(dir)),
                None => {}
            }
        }
    }
    dirs
}
