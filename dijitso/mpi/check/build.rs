//! The crate `mpi` needs an MPI installation and libclang. Where they are missing its build ends in a page of text; this one
//! says it in a line.
//!
//! It asks what `build-probe-mpi` and `clang-sys` ask, and is silent where it cannot tell: whatever could be built without it
//! can be built with it.
#![allow(clippy::disallowed_methods)] // A build script, which has no configuration but its variables.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

const VARIABLES: [&str; 9] = [
    "MPICC",
    "PATH",
    "PKG_CONFIG_PATH",
    "PKG_CONFIG_LIBDIR",
    "CRAY_MPICH_DIR",
    "LIBCLANG_PATH",
    "LLVM_CONFIG_PATH",
    "LD_LIBRARY_PATH",
    "LIBRARY_PATH",
];

/// What is missing, and the Debian package that has it.
struct Missing {
    what: String,
    package: &'static str,
}

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    for variable in VARIABLES {
        println!("cargo::rerun-if-env-changed={variable}");
    }
    // Elsewhere dijitso does not run, and libclang has other names.
    if !cfg!(target_os = "linux") {
        return;
    }
    let missing: Vec<Missing> = [mpi(), libclang()].into_iter().flatten().collect();
    if !missing.is_empty() {
        let list =
            |pick: fn(&Missing) -> &str, between| missing.iter().map(pick).collect::<Vec<_>>().join(between);
        println!(
            "cargo::error=dijitso's feature `mpi` needs {}; on Debian: apt install {}",
            list(|missing| &missing.what, ", and "),
            list(|missing| missing.package, " ")
        );
    }
}

fn mpi() -> Option<Missing> {
    // Whoever took another way hears from the crate `mpi` whether it leads anywhere.
    let usual = |name: &str| ["PKG_CONFIG_PATH", "PKG_CONFIG_LIBDIR"].contains(&name);
    let other = |name: &str| name == "CRAY_MPICH_DIR" || name.contains("PKG_CONFIG") && !usual(name);
    if env::vars_os().any(|(name, _)| name.to_str().is_some_and(other)) {
        return None;
    }
    let named = env::var("MPICC");
    let wrapper = named.as_deref().unwrap_or("mpicc");
    let starts = |program: &str, words: &[&str]| Command::new(program).args(words).output();
    let knows = |program: &str, library| {
        starts(program, &["--libs", "--cflags", library]).is_ok_and(|output| output.status.success())
    };
    let packaged = |library| knows("pkg-config", library) || knows("pkgconf", library);
    if starts(wrapper, &["-show"]).is_ok() || packaged("mpich") || packaged("ompi") {
        return None;
    }
    let what = match &named {
        Ok(named) => format!("an MPI compiler wrapper (`{named}`, which MPICC names, cannot be run)"),
        Err(_) => "an MPI compiler wrapper (`mpicc` is not on PATH; MPICC may name another)".to_owned(),
    };
    Some(Missing { what, package: "libopenmpi-dev" })
}

fn libclang() -> Option<Missing> {
    let (found, what) = match env::var("LIBCLANG_PATH") {
        Ok(named) => {
            let path = Path::new(&named);
            let itself =
                path.is_file() && path.file_name().is_some_and(|name| is_libclang(&name.to_string_lossy()));
            (
                itself || has_libclang(path),
                format!("libclang (it is not in `{named}`, which LIBCLANG_PATH names)"),
            )
        }
        Err(_) => {
            let found = configured().iter().any(|dir| has_libclang(dir)) || usual();
            (found, "libclang (not found; LIBCLANG_PATH may name its directory)".to_owned())
        }
    };
    (!found).then_some(Missing { what, package: "libclang-dev" })
}

/// Directories that the installation or a variable names.
fn configured() -> Vec<PathBuf> {
    let config = env::var("LLVM_CONFIG_PATH").unwrap_or_else(|_| "llvm-config".to_owned());
    let prefix =
        Command::new(config).arg("--prefix").output().map(|output| output.stdout).unwrap_or_default();
    let prefix = String::from_utf8_lossy(&prefix).lines().next().map(PathBuf::from);
    let below = prefix.iter().flat_map(|prefix| ["bin", "lib", "lib64"].map(|name| prefix.join(name)));
    let variables = ["LD_LIBRARY_PATH", "LIBRARY_PATH"].into_iter().filter_map(env::var_os);
    below.chain(variables.flat_map(|paths| env::split_paths(&paths).collect::<Vec<_>>())).collect()
}

/// Whether it is in `/usr/lib*`, `/usr/local/lib*`, up to two levels below these, or in `/usr/local/llvm*/lib*`.
fn usual() -> bool {
    let usr = [PathBuf::from("/usr"), PathBuf::from("/usr/local")];
    let mut level: Vec<PathBuf> = usr.iter().flat_map(|dir| below(dir, "lib")).collect();
    level.extend(below(&usr[1], "llvm").iter().flat_map(|dir| below(dir, "lib")));
    for _ in 0..3 {
        if level.iter().any(|dir| has_libclang(dir)) {
            return true;
        }
        level = level.iter().flat_map(|dir| below(dir, "")).collect();
    }
    false
}

/// The directories in one whose names begin so.
fn below(dir: &Path, begin: &str) -> Vec<PathBuf> {
    let paths = dir.read_dir().into_iter().flatten().flatten().map(|entry| entry.path());
    let name = |path: &PathBuf| path.file_name().map(|name| name.to_string_lossy().to_ascii_lowercase());
    paths.filter(|path| name(path).is_some_and(|name| name.starts_with(begin)) && path.is_dir()).collect()
}

fn has_libclang(dir: &Path) -> bool {
    dir.read_dir()
        .into_iter()
        .flatten()
        .flatten()
        .any(|entry| is_libclang(&entry.file_name().to_string_lossy()))
}

fn is_libclang(name: &str) -> bool {
    let rest = name.strip_prefix("libclang").unwrap_or_default();
    (rest.starts_with(".so") || rest.starts_with('-') && rest.contains(".so")) && !rest.contains("-cpp.")
}
