//! The environment variables, and the one place that reads them.
//!
//! They are read once, when a `Jit` is built, into an [`Environment`]: a program that changes its
//! environment later cannot make two kernels of one `Jit` disagree. `clippy.toml` forbids reading
//! them anywhere else.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use super::keys::KEYS;
use super::origin::Origin;
use super::params::Params;
use super::raw::Raw;
use super::{Layer, Sourced};
use crate::error::{Error, Result};

/// A variable that changes what this library does, as the README lists it.
#[derive(Debug, Clone, Copy)]
#[cfg_attr(not(test), expect(dead_code, reason = "for people: a test compares the README with it"))]
pub(crate) struct Variable {
    pub(crate) name: &'static str,
    pub(crate) meaning: &'static str,
    pub(crate) default: &'static str,
}

/// Every variable that is read.
pub(crate) fn variables() -> &'static [Variable] {
    VARIABLES
}

/// What compilers, and what is put before them, read by themselves; it enters every kernel's signature. What a launcher sets
/// differently for each rank (`OMPI_COMM_WORLD_RANK`, `PMI_RANK`, `OMPI_MCA_..`) must not be here: all ranks have one
/// signature.
pub(crate) const COMPILER_VARIABLES: [&str; 63] = [
    "CPATH",
    "C_INCLUDE_PATH",
    "CPLUS_INCLUDE_PATH",
    "LIBRARY_PATH",
    "COMPILER_PATH",
    "GCC_EXEC_PREFIX",
    "LD_RUN_PATH",
    "SOURCE_DATE_EPOCH",
    "OMPI_CC",
    "OMPI_CXX",
    "OMPI_FC",
    "OMPI_F77",
    "OMPI_F90",
    "OMPI_CFLAGS",
    "OMPI_CXXFLAGS",
    "OMPI_FCFLAGS",
    "OMPI_FFLAGS",
    "OMPI_CPPFLAGS",
    "OMPI_LDFLAGS",
    "OMPI_LIBS",
    "OPAL_PREFIX",
    "OPAL_LIBDIR",
    "OPAL_INCLUDEDIR",
    "OPAL_PKGDATADIR",
    "MPICH_CC",
    "MPICH_CXX",
    "MPICH_FC",
    "MPICH_F77",
    "MPICH_F90",
    "MPICH_MPICC_FLAGS",
    "MPICH_MPICXX_FLAGS",
    "MPICH_MPIFORT_FLAGS",
    "I_MPI_CC",
    "I_MPI_CXX",
    "I_MPI_FC",
    "I_MPI_F77",
    "I_MPI_F90",
    "I_MPI_CC_PROFILE",
    "I_MPI_CXX_PROFILE",
    "I_MPI_FC_PROFILE",
    "I_MPI_ROOT",
    "CCACHE_COMPILER",
    "CCACHE_PATH",
    "CCACHE_PREFIX",
    "CCACHE_PREFIX_CPP",
    "CLANG_CONFIG_PATH",
    "CLANG_NO_DEFAULT_CONFIG",
    "CRAYPE_DIR",
    "CRAYPE_LINK_TYPE",
    "CRAYPE_NETWORK_TARGET",
    "CRAYPE_VERSION",
    "CRAY_ACCEL_TARGET",
    "CRAY_ADD_RPATH",
    "CRAY_CPU_TARGET",
    "CRAY_MPICH_DIR",
    "CRAY_ROOTFS",
    "PE_ENV",
    "PE_PKGCONFIG_LIBS",
    "PE_PKGCONFIG_PRODUCTS",
    "PE_PRODUCT_LIST",
    "NIX_CFLAGS_COMPILE",
    "NIX_LDFLAGS",
    "NIX_HARDENING_ENABLE",
];

macro_rules! variables {
    ($($name:literal: $meaning:literal, $default:literal;)*) => {
        const VARIABLES: &[Variable] = &[$(Variable { name: $name, meaning: $meaning, default: $default },)*];
    };
}

variables! {
    "DIJITSO_CACHE_DIR": "the cache directory, an absolute path", "see \"The cache\"";
    "DIJITSO_SITE_CACHE": "site caches, absolute paths with `:` between them", "none";
    "DIJITSO_SEALED": "`1`: compile nothing; what is missing is an error", "`0`";
    "DIJITSO_CONFIG": "the configuration file, an absolute path", "`$XDG_CONFIG_HOME/dijitso/config.toml`";
    "DIJITSO_CHECK": "`1`: on every disk hit generate nevertheless, and fail if the text is another one", "`0`";
    "DIJITSO_LOAD": "`file`: load kernels from their files; `memory`: from memory; `auto`: from files where that is safe", "`auto`";
    "DIJITSO_CACHE_NETWORK": "`yes`: the cache directory is on a network file system, `no`: it is not; `auto`: as its type says", "`auto`";
    "DIJITSO_MAX_SIZE": "the most bytes that cached kernels and their index may take, such as `5G` or `500M`; `0`: without bound", "`5G`";
    "DIJITSO_MAX_FILES": "the most files of these; `0`: without bound", "`0`";
    "DIJITSO_BUILD_ON": "which MPI ranks build: `root`, `node`, `process` or `spread`", "`root` for one kernel, `spread` for several";
    "DIJITSO_PROFILE": "`optimized` or `debug`", "`optimized`";
    "DIJITSO_CPU": "`native`, `generic`, or a name that the compiler knows", "`native`";
    "DIJITSO_JOBS": "how many compilers may run at once", "the number of cores";
    "DIJITSO_TIMEOUT": "seconds that one compiler or linker may run", "`600`";
    "DIJITSO_TRACE": "a file for a trace of all steps, see \"When something goes wrong\"", "none";
    "CXX": "the compiler, with words before it if need be (`ccache g++`)", "`c++`, `g++`, `clang++`";
    "CC": "the C compiler of `configure` (kernels in C are compiled with `CXX`)", "`cc`, `gcc`, `clang`";
    "FC": "the Fortran compiler of `configure`", "`gfortran`, `flang`";
    "CXXFLAGS": "flags for compiling C++", "none";
    "CFLAGS": "flags for compiling C", "none";
    "FCFLAGS": "flags for compiling Fortran, of `configure`", "none";
    "CPPFLAGS": "flags for compiling either", "none";
    "LDFLAGS": "flags for linking", "none";
    "VIRTUAL_ENV": "an active virtualenv, which then holds the cache", "none";
    "CONDA_PREFIX": "an active conda environment, which then holds the cache", "none";
    "XDG_CACHE_HOME": "where caches are kept", "`~/.cache`";
    "XDG_CONFIG_HOME": "where configuration files are kept", "`~/.config`";
    "HOME": "the home directory", "none";
    "TMPDIR": "where the compiler works", "`/tmp`";
    "PATH": "where the compiler is looked for", "none";
    "CPATH": "read by the compiler; part of every kernel's signature", "none";
    "C_INCLUDE_PATH": "read by the compiler; part of every kernel's signature", "none";
    "CPLUS_INCLUDE_PATH": "read by the compiler; part of every kernel's signature", "none";
    "LIBRARY_PATH": "read by the compiler; part of every kernel's signature", "none";
    "COMPILER_PATH": "read by the compiler; part of every kernel's signature", "none";
    "GCC_EXEC_PREFIX": "read by the compiler; part of every kernel's signature", "none";
    "LD_RUN_PATH": "read by the linker; part of every kernel's signature", "none";
    "SOURCE_DATE_EPOCH": "read by the compiler; part of every kernel's signature", "none";
    "OMPI_CC": "read by Open MPI's compiler wrapper; part of every kernel's signature", "none";
    "OMPI_CXX": "read by Open MPI's compiler wrapper; part of every kernel's signature", "none";
    "OMPI_FC": "read by Open MPI's compiler wrapper; part of every kernel's signature", "none";
    "OMPI_F77": "read by Open MPI's compiler wrapper; part of every kernel's signature", "none";
    "OMPI_F90": "read by Open MPI's compiler wrapper; part of every kernel's signature", "none";
    "OMPI_CFLAGS": "read by Open MPI's compiler wrapper; part of every kernel's signature", "none";
    "OMPI_CXXFLAGS": "read by Open MPI's compiler wrapper; part of every kernel's signature", "none";
    "OMPI_FCFLAGS": "read by Open MPI's compiler wrapper; part of every kernel's signature", "none";
    "OMPI_FFLAGS": "read by Open MPI's compiler wrapper; part of every kernel's signature", "none";
    "OMPI_CPPFLAGS": "read by Open MPI's compiler wrapper; part of every kernel's signature", "none";
    "OMPI_LDFLAGS": "read by Open MPI's compiler wrapper; part of every kernel's signature", "none";
    "OMPI_LIBS": "read by Open MPI's compiler wrapper; part of every kernel's signature", "none";
    "OPAL_PREFIX": "read by Open MPI's compiler wrapper; part of every kernel's signature", "none";
    "OPAL_LIBDIR": "read by Open MPI's compiler wrapper; part of every kernel's signature", "none";
    "OPAL_INCLUDEDIR": "read by Open MPI's compiler wrapper; part of every kernel's signature", "none";
    "OPAL_PKGDATADIR": "read by Open MPI's compiler wrapper; part of every kernel's signature", "none";
    "MPICH_CC": "read by MPICH's compiler wrapper; part of every kernel's signature", "none";
    "MPICH_CXX": "read by MPICH's compiler wrapper; part of every kernel's signature", "none";
    "MPICH_FC": "read by MPICH's compiler wrapper; part of every kernel's signature", "none";
    "MPICH_F77": "read by MPICH's compiler wrapper; part of every kernel's signature", "none";
    "MPICH_F90": "read by MPICH's compiler wrapper; part of every kernel's signature", "none";
    "MPICH_MPICC_FLAGS": "read by MPICH's compiler wrapper; part of every kernel's signature", "none";
    "MPICH_MPICXX_FLAGS": "read by MPICH's compiler wrapper; part of every kernel's signature", "none";
    "MPICH_MPIFORT_FLAGS": "read by MPICH's compiler wrapper; part of every kernel's signature", "none";
    "I_MPI_CC": "read by Intel MPI's compiler wrapper; part of every kernel's signature", "none";
    "I_MPI_CXX": "read by Intel MPI's compiler wrapper; part of every kernel's signature", "none";
    "I_MPI_FC": "read by Intel MPI's compiler wrapper; part of every kernel's signature", "none";
    "I_MPI_F77": "read by Intel MPI's compiler wrapper; part of every kernel's signature", "none";
    "I_MPI_F90": "read by Intel MPI's compiler wrapper; part of every kernel's signature", "none";
    "I_MPI_CC_PROFILE": "read by Intel MPI's compiler wrapper; part of every kernel's signature", "none";
    "I_MPI_CXX_PROFILE": "read by Intel MPI's compiler wrapper; part of every kernel's signature", "none";
    "I_MPI_FC_PROFILE": "read by Intel MPI's compiler wrapper; part of every kernel's signature", "none";
    "I_MPI_ROOT": "read by Intel MPI's compiler wrapper; part of every kernel's signature", "none";
    "CCACHE_COMPILER": "read by ccache; part of every kernel's signature", "none";
    "CCACHE_PATH": "read by ccache; part of every kernel's signature", "none";
    "CCACHE_PREFIX": "read by ccache; part of every kernel's signature", "none";
    "CCACHE_PREFIX_CPP": "read by ccache; part of every kernel's signature", "none";
    "CLANG_CONFIG_PATH": "read by clang; part of every kernel's signature", "none";
    "CLANG_NO_DEFAULT_CONFIG": "read by clang; part of every kernel's signature", "none";
    "CRAYPE_DIR": "read by Cray's compiler wrapper; part of every kernel's signature", "none";
    "CRAYPE_LINK_TYPE": "read by Cray's compiler wrapper; part of every kernel's signature", "none";
    "CRAYPE_NETWORK_TARGET": "read by Cray's compiler wrapper; part of every kernel's signature", "none";
    "CRAYPE_VERSION": "read by Cray's compiler wrapper; part of every kernel's signature", "none";
    "CRAY_ACCEL_TARGET": "read by Cray's compiler wrapper; part of every kernel's signature", "none";
    "CRAY_ADD_RPATH": "read by Cray's compiler wrapper; part of every kernel's signature", "none";
    "CRAY_CPU_TARGET": "read by Cray's compiler wrapper; part of every kernel's signature", "none";
    "CRAY_MPICH_DIR": "read by Cray's compiler wrapper; part of every kernel's signature", "none";
    "CRAY_ROOTFS": "read by Cray's compiler wrapper; part of every kernel's signature", "none";
    "PE_ENV": "read by Cray's compiler wrapper; part of every kernel's signature", "none";
    "PE_PKGCONFIG_LIBS": "read by Cray's compiler wrapper; part of every kernel's signature", "none";
    "PE_PKGCONFIG_PRODUCTS": "read by Cray's compiler wrapper; part of every kernel's signature", "none";
    "PE_PRODUCT_LIST": "read by Cray's compiler wrapper; part of every kernel's signature", "none";
    "NIX_CFLAGS_COMPILE": "read by Nix's compiler wrapper; part of every kernel's signature", "none";
    "NIX_LDFLAGS": "read by Nix's compiler wrapper; part of every kernel's signature", "none";
    "NIX_HARDENING_ENABLE": "read by Nix's compiler wrapper; part of every kernel's signature", "none";
    "LD_LIBRARY_PATH": "where the loader looks for the compiler's own libraries", "none";
}

/// The variables as they were at one moment.
#[derive(Debug, Clone, Default)]
pub(crate) struct Environment(BTreeMap<&'static str, OsString>);

impl Environment {
    /// The process's own.
    #[allow(clippy::disallowed_methods)]
    pub(crate) fn of_process() -> Environment {
        let set = variables().iter().filter_map(|v| std::env::var_os(v.name).map(|value| (v.name, value)));
        Environment(set.collect())
    }

    #[cfg(test)]
    pub(crate) fn of(set: &[(&'static str, &str)]) -> Environment {
        Environment(set.iter().map(|(name, value)| (*name, value.into())).collect())
    }

    /// The variable's value; an empty one counts as not set, as shells and XDG have it.
    pub(crate) fn get(&self, name: &str) -> Option<&OsStr> {
        debug_assert!(
            VARIABLES.iter().any(|v| v.name == name),
            "{name} is missing in the table of variables"
        );
        self.0.get(name).map(OsString::as_os_str).filter(|value| !value.is_empty())
    }

    /// The variable as a directory, if it is absolute; a relative one would mean another place in
    /// every working directory, and XDG says to ignore it.
    pub(super) fn directory(&self, name: &str) -> Option<PathBuf> {
        let path = PathBuf::from(self.get(name)?);
        if !path.is_absolute() {
            log::warn!("ignoring {name}={}: it must be an absolute path", path.display());
            return None;
        }
        Some(path)
    }

    /// What compilers will read, as it is set (an empty value is not always the same as none).
    pub(super) fn for_compilers(&self) -> BTreeMap<&'static str, OsString> {
        COMPILER_VARIABLES.iter().filter_map(|name| Some((*name, self.0.get(name)?.clone()))).collect()
    }

    /// The words of a variable, as a shell splits them.
    ///
    /// # Errors
    /// A quote without its partner.
    pub(crate) fn words(&self, name: &'static str) -> Result<Option<Sourced<Vec<String>>>> {
        let Some(value) = self.get(name) else { return Ok(None) };
        let origin = environment(name);
        let text = value.to_str().ok_or_else(|| Error::Config {
            problem: format!("cannot use {name}: it must be valid UTF-8"),
            origin: origin.to_string(),
        })?;
        let value = shlex::split(text).ok_or_else(|| Error::Config {
            problem: format!("cannot use {name}: it has a quote without its partner"),
            origin: origin.to_string(),
        })?;
        Ok((!value.is_empty()).then_some(Sourced { value, origin }))
    }

    /// The parameters that variables set.
    pub(super) fn layer(&self) -> Result<Layer> {
        let mut layer = Layer::new(Params::default());
        for key in KEYS {
            let Some(variable) = key.variable else { continue };
            let Some(value) = self.get(variable) else { continue };
            (key.set)(&mut layer.params, Raw::Variable(value)).map_err(|problem| Error::Config {
                problem: format!("cannot use {variable}: {problem}"),
                origin: environment(variable).to_string(),
            })?;
            layer.origins.insert(key.path(), environment(variable));
        }
        Ok(layer)
    }
}

/// A variable that an option or a question of `configure` names, now. The table above has those that this library
/// reads by itself.
#[allow(clippy::disallowed_methods)]
pub(crate) fn named(name: &str) -> Option<OsString> {
    // A name with `=` or NUL is none, and the system's function may panic on it.
    let sound = !name.is_empty() && !name.contains(['=', '\0']);
    sound.then(|| std::env::var_os(name)).flatten()
}

/// The variables whose names begin so, now: those by which a user of a batch system chooses where jobs run.
#[allow(clippy::disallowed_methods)]
pub(crate) fn starting_with(prefixes: &[&str]) -> Vec<(OsString, OsString)> {
    let begins =
        |name: &OsStr| prefixes.iter().any(|prefix| name.as_encoded_bytes().starts_with(prefix.as_bytes()));
    std::env::vars_os().filter(|(name, _)| begins(name)).collect()
}

/// The values of variables that seem to hold secrets, by their names, for whoever writes a log.
#[allow(clippy::disallowed_methods)]
pub(crate) fn secrets() -> Vec<String> {
    let all = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    all.flat_map(|(name, value)| match names_a_secret(&name) {
        true => vec![value],
        false => credentials(&value),
    })
    .collect()
}

fn names_a_secret(name: &str) -> bool {
    // `PGPASSWORD` ends with one; `TOKENIZERS` only begins so.
    const ENDS: [&str; 11] = [
        "TOKEN",
        "TOKENS",
        "SECRET",
        "SECRETS",
        "PASSWORD",
        "PASSWORDS",
        "PASSWD",
        "PASSPHRASE",
        "CREDENTIAL",
        "CREDENTIALS",
        "APIKEY",
    ];
    // Whole words: `PATH` is no `PAT`, and `PWD` alone is a directory.
    const WORDS: [&str; 6] = ["PASS", "PWD", "PAT", "AUTH", "KEY", "COOKIE"];
    let name = name.to_ascii_uppercase();
    let is_one = |word: &str| {
        ENDS.iter().any(|end| word.ends_with(end)) || (name.contains('_') && WORDS.contains(&word))
    };
    name.split('_').any(is_one)
}

/// The password in `https://user:password@host/..`, as variables for proxies and package indices have it.
fn credentials(value: &str) -> Vec<String> {
    let after_scheme = value.split("://").skip(1);
    let hosts = after_scheme.filter_map(|rest| rest.split('/').next()?.rsplit_once('@'));
    hosts.filter_map(|(user, _)| Some(user.split_once(':')?.1.to_owned())).collect()
}

pub(super) fn environment(variable: &'static str) -> Origin {
    Origin::Environment(variable.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_parameter_names_a_variable_of_the_table() {
        for variable in KEYS.iter().filter_map(|key| key.variable).chain(COMPILER_VARIABLES) {
            assert!(VARIABLES.iter().any(|v| v.name == variable), "{variable} is not in the table");
        }
    }

    #[test]
    fn nothing_that_differs_between_ranks_is_signed() {
        let of_ranks = ["COMM_WORLD", "MCA", "RANK", "LOCAL", "PMI", "NODE", "PID", "SLURM"];
        for name in COMPILER_VARIABLES {
            assert!(!of_ranks.iter().any(|part| name.contains(part)), "{name}");
        }
    }

    /// The README's table is this table; when it fails, paste what it prints.
    #[test]
    fn the_readme_lists_every_variable() {
        let rows: Vec<String> =
            variables().iter().map(|v| format!("| `{}` | {} | {} |", v.name, v.meaning, v.default)).collect();
        let table = rows.join("\n");
        let readme = include_str!("../../README.md");
        assert!(readme.contains(&table), "README.md must contain exactly this table:\n{table}\n");
    }

    #[test]
    fn variables_with_secrets_are_known_by_their_names_or_by_what_they_hold() {
        for name in [
            "GITHUB_TOKEN",
            "DB_PASS",
            "MYSQL_PWD",
            "GH_PAT",
            "AWS_ACCESS_KEY_ID",
            "npm_auth",
            "MYAPIKEY",
            "PGPASSWORD",
        ] {
            assert!(names_a_secret(name), "{name}");
        }
        for name in ["PATH", "PWD", "OLDPWD", "KEYBOARD", "MANPATH", "AUTHOR", "CXX", "TOKENIZERS_CACHE"] {
            assert!(!names_a_secret(name), "{name}");
        }
        assert_eq!(credentials("http://me:hunter2@proxy:3128/ and https://you:x@y"), ["hunter2", "x"]);
        assert!(credentials("http://proxy:3128/a@b").is_empty() && credentials("a:b@c").is_empty());
    }

    #[test]
    fn a_wrong_value_names_the_variable_and_what_is_allowed() {
        let error = Environment::of(&[("DIJITSO_TIMEOUT", "soon")]).layer().unwrap_err().to_string();
        assert!(error.contains("DIJITSO_TIMEOUT") && error.contains("number of seconds"), "{error}");
        let error = Environment::of(&[("CXXFLAGS", "-DX=\"a")]).layer().unwrap_err().to_string();
        assert!(error.contains("CXXFLAGS") && error.contains("quote"), "{error}");
        let error = Environment::of(&[("DIJITSO_LOAD", "ram")]).layer().unwrap_err().to_string();
        assert!(error.contains("auto, file, memory"), "{error}");
    }

    #[test]
    fn empty_variables_count_as_not_set() {
        let layer = Environment::of(&[("CXX", ""), ("DIJITSO_CACHE_DIR", "")]).layer().unwrap();
        assert_eq!(layer.params, Params::default());
    }

    #[test]
    fn words_are_split_as_a_shell_does() {
        let layer =
            Environment::of(&[("CXX", "ccache g++"), ("CXXFLAGS", r#"-DX="a b" -O2"#)]).layer().unwrap();
        assert_eq!(layer.params.build.cxx.unwrap(), ["ccache", "g++"]);
        assert_eq!(layer.params.build.cxxflags, ["-DX=a b", "-O2"]);
    }
}
