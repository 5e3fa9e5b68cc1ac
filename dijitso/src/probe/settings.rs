//! What a question is asked with: flags, directories, libraries, each with who asked for it.

use std::panic::Location;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::config::origin::{Flag, Origin};
use crate::process::quoted;
use crate::signature::Signer;
use crate::toolchain::absolute_paths;

/// Flags, include directories, library directories and libraries of a question, in the order of the command line.
///
/// Everything remembers who asked for it: by default the line of the program that added it, see
/// [`asked_by`](Self::asked_by). Paths are made absolute, because compilers run in a directory of their own.
///
/// BuildSystem keeps them as one string for each kind in the configure object (`compilers.CPPFLAGS`, `LIBS`), to
/// which a test adds and from which it must remove again what it added.
///
/// ```
/// use dijitso::probe::Settings;
///
/// let settings = Settings::new().flag("-fopenmp").include_dir("/opt/x/include").lib("m");
/// assert!(settings.to_string().starts_with("-fopenmp -I/opt/x/include -lm"));
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[must_use]
pub struct Settings {
    /// For the compiler only.
    pub(crate) compile: Vec<Flag>,
    /// For the compiler and the link.
    pub(crate) both: Vec<Flag>,
    pub(crate) include_dirs: Vec<Flag>,
    /// For the link only.
    pub(crate) link: Vec<Flag>,
    pub(crate) lib_dirs: Vec<Flag>,
    pub(crate) libs: Vec<Flag>,
}

impl Settings {
    /// None.
    ///
    /// ```
    /// assert_eq!(dijitso::probe::Settings::new().to_string(), "");
    /// ```
    pub fn new() -> Settings {
        Settings::default()
    }

    /// Adds a flag that compiler and link both need, such as `-fopenmp`, `-pthread` or `-m64`.
    ///
    /// ```
    /// let settings = dijitso::probe::Settings::new().flag("-pthread");
    /// ```
    #[track_caller]
    pub fn flag(mut self, flag: impl Into<String>) -> Settings {
        push(&mut self.both, Flag::new(flag, here()));
        self
    }

    /// Adds a flag for the compiler.
    ///
    /// ```
    /// let settings = dijitso::probe::Settings::new().compile_flag("-std=c++20");
    /// ```
    #[track_caller]
    pub fn compile_flag(mut self, flag: impl Into<String>) -> Settings {
        push(&mut self.compile, Flag::new(flag, here()));
        self
    }

    /// Adds a flag for the link, before the libraries.
    ///
    /// ```
    /// let settings = dijitso::probe::Settings::new().link_flag("-Wl,-z,now");
    /// ```
    #[track_caller]
    pub fn link_flag(mut self, flag: impl Into<String>) -> Settings {
        push(&mut self.link, Flag::new(flag, here()));
        self
    }

    /// Defines a macro (`-D`). An empty value is the empty text, not 1.
    ///
    /// ```
    /// let settings = dijitso::probe::Settings::new().define("_GNU_SOURCE", "1");
    /// assert_eq!(settings.to_string(), "-D_GNU_SOURCE=1");
    /// ```
    #[track_caller]
    pub fn define(mut self, name: &str, value: &str) -> Settings {
        self.compile.push(Flag::new(format!("-D{name}={value}"), here()));
        self
    }

    /// Adds a directory for headers, and for Fortran's modules.
    ///
    /// ```
    /// let settings = dijitso::probe::Settings::new().include_dir("/opt/mpi/include");
    /// ```
    #[track_caller]
    pub fn include_dir(mut self, dir: impl AsRef<Path>) -> Settings {
        self.include_dirs.push(Flag::new(absolute(dir.as_ref()), here()));
        self
    }

    /// Adds a directory for libraries.
    ///
    /// ```
    /// let settings = dijitso::probe::Settings::new().lib_dir("/opt/mpi/lib");
    /// ```
    #[track_caller]
    pub fn lib_dir(mut self, dir: impl AsRef<Path>) -> Settings {
        self.lib_dirs.push(Flag::new(absolute(dir.as_ref()), here()));
        self
    }

    /// Adds a library: its name (`m`), its path, or a word such as `-Wl,--start-group`.
    ///
    /// ```
    /// let settings = dijitso::probe::Settings::new().lib("m").lib("/opt/x/libx.a");
    /// assert_eq!(settings.to_string(), "-lm /opt/x/libx.a");
    /// ```
    #[track_caller]
    pub fn lib(mut self, lib: impl Into<String>) -> Settings {
        self.libs.push(Flag::new(library(lib.into()), here()));
        self
    }

    /// Everything that was added so far was asked for by `origin`.
    ///
    /// ```
    /// use dijitso::{Origin, probe::Settings};
    /// let settings = Settings::new().lib("mpi").asked_by(Origin::OptionGiven("with-mpi".to_owned()));
    /// assert_eq!(settings.explain(), ["-lmpi (option --with-mpi)"]);
    /// ```
    pub fn asked_by(mut self, origin: Origin) -> Settings {
        for flag in self.all_mut() {
            flag.origin = origin.clone();
        }
        self
    }

    /// These and then those of `other`: what another module's answer needs.
    ///
    /// ```
    /// use dijitso::probe::Settings;
    /// let both = Settings::new().lib("petsc").and(&Settings::new().lib("mpi"));
    /// assert_eq!(both.to_string(), "-lpetsc -lmpi");
    /// ```
    pub fn and(mut self, other: &Settings) -> Settings {
        self.compile.extend_from_slice(&other.compile);
        self.both.extend_from_slice(&other.both);
        self.include_dirs.extend_from_slice(&other.include_dirs);
        self.link.extend_from_slice(&other.link);
        self.lib_dirs.extend_from_slice(&other.lib_dirs);
        self.libs.extend_from_slice(&other.libs);
        self
    }

    /// Whether there is nothing in it.
    ///
    /// ```
    /// assert!(dijitso::probe::Settings::new().is_empty());
    /// ```
    pub fn is_empty(&self) -> bool {
        self.all().next().is_none()
    }

    /// One line for each word, with who asked for it.
    ///
    /// ```
    /// let settings = dijitso::probe::Settings::new().flag("-fopenmp");
    /// assert!(settings.explain()[0].starts_with("-fopenmp (module "));
    /// ```
    pub fn explain(&self) -> Vec<String> {
        self.compile_words().chain(self.link_words()).map(|flag| flag.to_string()).collect()
    }

    /// What the compiler is given.
    ///
    /// ```
    /// let settings = dijitso::probe::Settings::new().flag("-pthread").lib("m");
    /// let words: Vec<String> = settings.compile_words().map(|flag| flag.text).collect();
    /// assert_eq!(words, ["-pthread"]);
    /// ```
    pub fn compile_words(&self) -> impl Iterator<Item = Flag> + '_ {
        let dirs = self.include_dirs.iter().map(|dir| prefixed("-I", dir));
        self.compile.iter().chain(&self.both).cloned().chain(dirs)
    }

    /// What the link is given: flags before the objects' libraries, then directories and libraries.
    ///
    /// ```
    /// let settings = dijitso::probe::Settings::new().flag("-pthread").lib_dir("/opt/x").lib("x");
    /// let words: Vec<String> = settings.link_words().map(|flag| flag.text).collect();
    /// assert_eq!(words, ["-pthread", "-L/opt/x", "-lx"]);
    /// ```
    pub fn link_words(&self) -> impl Iterator<Item = Flag> + '_ {
        self.link_flags().chain(self.libraries())
    }

    pub(crate) fn link_flags(&self) -> impl Iterator<Item = Flag> + '_ {
        self.both.iter().chain(&self.link).cloned()
    }

    pub(crate) fn libraries(&self) -> impl Iterator<Item = Flag> + '_ {
        let dirs = self.lib_dirs.iter().map(|dir| prefixed("-L", dir));
        dirs.chain(self.libs.iter().map(|lib| {
            let is_name = !lib.text.contains('/') && !lib.text.starts_with('-') && !is_file(&lib.text);
            if is_name { prefixed("-l", lib) } else { lib.clone() }
        }))
    }

    /// All of it as one command line has it: what compiler and link both need stands once.
    ///
    /// ```
    /// let settings = dijitso::probe::Settings::new().flag("-pthread").include_dir("/opt/x").lib("x");
    /// let words: Vec<String> = settings.words().map(|flag| flag.text).collect();
    /// assert_eq!(words, ["-pthread", "-I/opt/x", "-lx"]);
    /// ```
    pub fn words(&self) -> impl Iterator<Item = Flag> + '_ {
        self.compile_words().chain(self.link_words().skip(self.both.len()))
    }

    /// The same without what concerns the link: what a question that does not link depends on.
    pub(crate) fn of_compile(&self) -> Settings {
        Settings {
            compile: self.compile.clone(),
            both: self.both.clone(),
            include_dirs: self.include_dirs.clone(),
            ..Settings::default()
        }
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Flag> {
        let Settings { compile, both, include_dirs, link, lib_dirs, libs } = self;
        [compile, both, include_dirs, link, lib_dirs, libs].into_iter().flatten()
    }

    fn all_mut(&mut self) -> impl Iterator<Item = &mut Flag> {
        let Settings { compile, both, include_dirs, link, lib_dirs, libs } = self;
        [compile, both, include_dirs, link, lib_dirs, libs].into_iter().flatten()
    }

    /// Who asked is no part of the question.
    pub(super) fn sign(&self, signer: &mut Signer) {
        let Settings { compile, both, include_dirs, link, lib_dirs, libs } = self;
        let named = [("compile", compile), ("both", both), ("include", include_dirs), ("link", link)];
        for (name, flags) in named.into_iter().chain([("dirs", lib_dirs), ("libs", libs)]) {
            let texts: Vec<&str> = flags.iter().map(|flag| flag.text.as_str()).collect();
            signer.field(name, &texts);
        }
    }
}

/// As a shell has them: words are quoted where they need to be.
impl std::fmt::Display for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (n, flag) in self.words().enumerate() {
            write!(f, "{}{}", if n > 0 { " " } else { "" }, quoted(flag.text.as_ref()))?;
        }
        Ok(())
    }
}

fn prefixed(prefix: &str, flag: &Flag) -> Flag {
    Flag::new(format!("{prefix}{}", flag.text), flag.origin.clone())
}

/// Adds a word, whose relative path becomes absolute.
pub(super) fn push(flags: &mut Vec<Flag>, flag: Flag) {
    flags.push(flag);
    // The word before it may say that it is a path.
    *flags = absolute_paths(std::mem::take(flags));
}

/// A library as it was named; a path becomes absolute.
pub(super) fn library(lib: String) -> String {
    let is_path = !lib.starts_with('-') && (lib.contains('/') || is_file(&lib));
    if is_path { absolute(Path::new(&lib)) } else { lib }
}

fn is_file(lib: &str) -> bool {
    [".a", ".so", ".o"].iter().any(|end| lib.ends_with(end)) || lib.contains(".so.")
}

pub(super) fn absolute(path: &Path) -> String {
    let path: PathBuf = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    path.to_string_lossy().into_owned()
}

/// The line of the program that asks.
#[track_caller]
pub(crate) fn here() -> Origin {
    let at = Location::caller();
    Origin::Module(format!("at {}:{}", at.file(), at.line()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_remember_the_line_that_added_them() {
        let settings = Settings::new().compile_flag("-O1");
        let line = line!() - 1;
        let explained = settings.explain();
        assert!(explained[0].contains(&format!("settings.rs:{line})")), "{explained:?}");
    }

    #[test]
    fn words_stand_in_the_order_of_the_command_line() {
        let settings = Settings::new().lib("x").lib_dir("/l").link_flag("-s").flag("-m64").include_dir("/i");
        let link: Vec<String> = settings.link_words().map(|flag| flag.text).collect();
        assert_eq!(link, ["-m64", "-s", "-L/l", "-lx"]);
        assert_eq!(settings.to_string(), "-m64 -I/i -s -L/l -lx");
        assert!(!settings.of_compile().to_string().contains("-lx"));
        assert_eq!(Settings::new().define("NAME", "\"x y\"").to_string(), "'-DNAME=\"x y\"'");
    }

    #[test]
    fn relative_paths_are_those_of_the_program_that_asks() {
        let here = std::env::current_dir().unwrap().display().to_string();
        let settings = Settings::new()
            .compile_flag("-Iinc")
            .compile_flag("-isystem")
            .compile_flag("sys")
            .lib("build/libx.a");
        assert_eq!(settings.to_string(), format!("-I{here}/inc -isystem {here}/sys {here}/build/libx.a"));
        let settings = Settings::new().lib("liby.so").lib("m").link_flag("-Llib");
        assert_eq!(settings.to_string(), format!("-L{here}/lib {here}/liby.so -lm"));
    }

    #[test]
    fn who_asked_is_no_part_of_the_question() {
        let sign = |settings: &Settings| {
            let mut signer = Signer::quiet("test");
            settings.sign(&mut signer);
            signer.finish()
        };
        let one = Settings::new().lib("m");
        assert_eq!(sign(&one), sign(&one.clone().asked_by(Origin::Builder)));
        assert_ne!(sign(&one), sign(&Settings::new().link_flag("m")));
    }
}
