//! What an option may be.

use std::fmt;
use std::marker::PhantomData;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::Declared;

/// An option of a configuration: a constant, with its type, its range and its help.
///
/// ```
/// use std::path::PathBuf;
/// use dijitso::configure::{Auto, Opt};
///
/// const SHARED: Opt<bool> = Opt::boolean("with-shared-libraries", true, "make libraries shared");
/// const MPI: Opt<Auto> = Opt::auto("with-mpi", Auto::Auto, "use MPI");
/// const LEVEL: Opt<i64> = Opt::int("with-level", 2, 0, 9, "how much is checked");
/// const SCALE: Opt<f64> = Opt::real("with-scale", 1.0, 0.0, 10.0, "how fine");
/// const PRECISION: Opt<String> = Opt::text("with-precision", "double", "single|double|quad", "of scalars");
/// const PREFIX: Opt<Option<PathBuf>> = Opt::dir("with-data", "", "where the data is");
/// const TOOLS: Opt<Vec<String>> = Opt::list("with-tools", "", "what else is built");
/// ```
#[derive(Debug)]
pub struct Opt<T> {
    pub(super) name: &'static str,
    help: &'static str,
    kind: Kind,
    variable: Option<&'static str>,
    secret: bool,
    value: PhantomData<fn() -> T>,
}

/// Yes, no, or what turns out to be there.
///
/// ```
/// assert_eq!(dijitso::configure::Auto::Auto.to_string(), "auto");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Auto {
    /// It must be there.
    Yes,
    /// It is not wanted.
    No,
    /// If it is there.
    Auto,
}

impl fmt::Display for Auto {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Auto::Yes => "yes",
            Auto::No => "no",
            Auto::Auto => "auto",
        })
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::configure) enum Kind {
    Bool(bool),
    Auto(Auto),
    Int {
        default: i64,
        min: i64,
        max: i64,
    },
    Real {
        default: f64,
        min: f64,
        max: f64,
    },
    /// With alternatives between `|`, each with `*` for anything.
    Text {
        default: &'static str,
        pattern: &'static str,
    },
    Path {
        default: &'static str,
        must_be: MustBe,
    },
    List(&'static str),
    /// Words for the link: `-L/x -lfoo`, `foo`, `/x/libfoo.a`.
    Library(&'static str),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::configure) enum MustBe {
    Anything,
    File,
    Directory,
    /// A program, on PATH or by its path.
    Executable,
}

/// The value of an option.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(in crate::configure) enum Value {
    Bool(bool),
    Auto(Auto),
    Int(i64),
    Real(f64),
    Text(String),
    Path(Option<PathBuf>),
    List(Vec<String>),
}

mod sealed {
    pub trait Sealed {}
}

/// What an option can be read as.
pub trait OptionValue: Sized + sealed::Sealed {
    #[doc(hidden)]
    #[allow(private_interfaces)]
    fn of(value: &Value) -> Option<Self>;
}

macro_rules! values {
    ($($type:ty: $variant:ident;)*) => {$(
        impl sealed::Sealed for $type {}
        impl OptionValue for $type {
            #[allow(private_interfaces)]
            fn of(value: &Value) -> Option<$type> {
                match value {
                    Value::$variant(value) => Some(value.clone()),
                    _ => None,
                }
            }
        }
    )*};
}

values! {
    bool: Bool;
    Auto: Auto;
    i64: Int;
    f64: Real;
    String: Text;
    Option<PathBuf>: Path;
    Vec<String>: List;
}

impl<T> Opt<T> {
    const fn new(name: &'static str, help: &'static str, kind: Kind) -> Opt<T> {
        Opt { name, help, kind, variable: None, secret: false, value: PhantomData }
    }

    /// It is also read from this environment variable, beside the one that is made of the project's and its own name.
    ///
    /// ```
    /// use dijitso::configure::Opt;
    /// const CC: Opt<String> = Opt::text("with-cc", "", "*", "the C compiler").variable("CC");
    /// ```
    #[must_use]
    pub const fn variable(mut self, name: &'static str) -> Opt<T> {
        self.variable = Some(name);
        self
    }

    /// Its value is written to no log and no record.
    ///
    /// ```
    /// use dijitso::configure::Opt;
    /// const TOKEN: Opt<String> = Opt::text("with-token", "", "*", "for the download").secret();
    /// ```
    #[must_use]
    pub const fn secret(mut self) -> Opt<T> {
        self.secret = true;
        self
    }

    /// Without the dashes.
    ///
    /// ```
    /// use dijitso::configure::Opt;
    /// const LEVEL: Opt<i64> = Opt::int("with-level", 2, 0, 9, "how much is checked");
    /// assert_eq!(LEVEL.name(), "with-level");
    /// ```
    pub const fn name(&self) -> &'static str {
        self.name
    }

    pub(super) fn declared(&self, section: usize) -> Declared {
        let Opt { name, help, kind, variable, secret, .. } = *self;
        Declared { name, help, kind, variable, secret, section }
    }
}

impl Opt<bool> {
    /// `yes` or `no`.
    ///
    /// BuildSystem: `nargs.ArgBool`.
    ///
    /// ```
    /// use dijitso::configure::Opt;
    /// const SHARED: Opt<bool> = Opt::boolean("with-shared-libraries", true, "make libraries shared");
    /// ```
    pub const fn boolean(name: &'static str, default: bool, help: &'static str) -> Opt<bool> {
        Opt::new(name, help, Kind::Bool(default))
    }
}

impl Opt<Auto> {
    /// `yes`, `no` or `auto`.
    ///
    /// BuildSystem: `nargs.ArgFuzzyBool`.
    ///
    /// ```
    /// use dijitso::configure::{Auto, Opt};
    /// const X: Opt<Auto> = Opt::auto("with-x", Auto::Auto, "use X");
    /// ```
    pub const fn auto(name: &'static str, default: Auto, help: &'static str) -> Opt<Auto> {
        Opt::new(name, help, Kind::Auto(default))
    }
}

impl Opt<i64> {
    /// An integer between two others.
    ///
    /// BuildSystem: `nargs.ArgInt`.
    ///
    /// ```
    /// use dijitso::configure::Opt;
    /// const LEVEL: Opt<i64> = Opt::int("with-level", 2, 0, 9, "how much is checked");
    /// ```
    pub const fn int(name: &'static str, default: i64, min: i64, max: i64, help: &'static str) -> Opt<i64> {
        Opt::new(name, help, Kind::Int { default, min, max })
    }
}

impl Opt<f64> {
    /// A number between two others.
    ///
    /// BuildSystem: `nargs.ArgReal`.
    ///
    /// ```
    /// use dijitso::configure::Opt;
    /// const SCALE: Opt<f64> = Opt::real("with-scale", 1.0, 0.0, 10.0, "how fine");
    /// ```
    pub const fn real(name: &'static str, default: f64, min: f64, max: f64, help: &'static str) -> Opt<f64> {
        Opt::new(name, help, Kind::Real { default, min, max })
    }
}

impl Opt<String> {
    /// A text that looks like the pattern: alternatives between `|`, in each of which `*` stands for anything.
    ///
    /// BuildSystem: `nargs.ArgString` with a regular expression.
    ///
    /// ```
    /// use dijitso::configure::Opt;
    /// const PRECISION: Opt<String> = Opt::text("with-precision", "double", "single|double|quad", "of scalars");
    /// ```
    pub const fn text(
        name: &'static str,
        default: &'static str,
        pattern: &'static str,
        help: &'static str,
    ) -> Opt<String> {
        Opt::new(name, help, Kind::Text { default, pattern })
    }
}

impl Opt<Option<PathBuf>> {
    /// A path, which need not be there; an empty default is none.
    ///
    /// ```
    /// use std::path::PathBuf;
    /// use dijitso::configure::Opt;
    /// const PREFIX: Opt<Option<PathBuf>> = Opt::path("prefix", "", "where it is installed");
    /// ```
    pub const fn path(name: &'static str, default: &'static str, help: &'static str) -> Opt<Option<PathBuf>> {
        Opt::new(name, help, Kind::Path { default, must_be: MustBe::Anything })
    }

    /// A file that is there.
    ///
    /// ```
    /// use std::path::PathBuf;
    /// use dijitso::configure::Opt;
    /// const TABLE: Opt<Option<PathBuf>> = Opt::file("with-table", "", "a table of known answers");
    /// ```
    pub const fn file(name: &'static str, default: &'static str, help: &'static str) -> Opt<Option<PathBuf>> {
        Opt::new(name, help, Kind::Path { default, must_be: MustBe::File })
    }

    /// A directory that is there.
    ///
    /// BuildSystem: `nargs.ArgDir`.
    ///
    /// ```
    /// use std::path::PathBuf;
    /// use dijitso::configure::Opt;
    /// const MPI: Opt<Option<PathBuf>> = Opt::dir("with-mpi-dir", "", "where MPI is installed");
    /// ```
    pub const fn dir(name: &'static str, default: &'static str, help: &'static str) -> Opt<Option<PathBuf>> {
        Opt::new(name, help, Kind::Path { default, must_be: MustBe::Directory })
    }

    /// A program, on `PATH` or by its path.
    ///
    /// BuildSystem: `nargs.ArgExecutable`.
    ///
    /// ```
    /// use std::path::PathBuf;
    /// use dijitso::configure::Opt;
    /// const MAKE: Opt<Option<PathBuf>> = Opt::executable("with-make", "make", "the program make");
    /// ```
    pub const fn executable(
        name: &'static str,
        default: &'static str,
        help: &'static str,
    ) -> Opt<Option<PathBuf>> {
        Opt::new(name, help, Kind::Path { default, must_be: MustBe::Executable })
    }
}

impl Opt<Vec<String>> {
    /// Words with commas between them, perhaps in brackets.
    ///
    /// BuildSystem: `nargs.Arg`, which reads Python's lists.
    ///
    /// ```
    /// use dijitso::configure::Opt;
    /// const TOOLS: Opt<Vec<String>> = Opt::list("with-tools", "a,b", "what else is built");
    /// ```
    pub const fn list(name: &'static str, default: &'static str, help: &'static str) -> Opt<Vec<String>> {
        Opt::new(name, help, Kind::List(default))
    }

    /// Libraries: names, paths, and words for the link, with blanks or commas between them.
    ///
    /// BuildSystem: `nargs.ArgLibrary`.
    ///
    /// ```
    /// use dijitso::configure::Opt;
    /// const BLAS: Opt<Vec<String>> = Opt::library("with-blas-lib", "", "the BLAS");
    /// ```
    pub const fn library(name: &'static str, default: &'static str, help: &'static str) -> Opt<Vec<String>> {
        Opt::new(name, help, Kind::Library(default))
    }
}

impl Kind {
    pub(in crate::configure) fn default_value(&self) -> Value {
        match *self {
            Kind::Bool(default) => Value::Bool(default),
            Kind::Auto(default) => Value::Auto(default),
            Kind::Int { default, .. } => Value::Int(default),
            Kind::Real { default, .. } => Value::Real(default),
            Kind::Text { default, .. } => Value::Text(default.to_owned()),
            // A default that is not there is none: only what somebody asked for must be there.
            Kind::Path { default, must_be } => Value::Path(match default {
                "" => None,
                path if must_be == MustBe::Executable => Some(path.into()),
                path => Some(PathBuf::from(path)).filter(|path| must_be == MustBe::Anything || path.exists()),
            }),
            Kind::List(default) => Value::List(list(default)),
            Kind::Library(default) => Value::List(words(default)),
        }
    }

    /// Reads what somebody wrote.
    ///
    /// # Errors
    /// What is allowed instead.
    pub(in crate::configure) fn read(&self, text: &str, path: &std::ffi::OsStr) -> Result<Value, String> {
        let refused = |allowed: String| Err(format!("`{text}` is not allowed: {allowed}"));
        match *self {
            Kind::Bool(_) => match truth(text) {
                Some(value) => Ok(Value::Bool(value)),
                None => refused("write `yes` or `no`".to_owned()),
            },
            Kind::Auto(_) => match (truth(text), text) {
                (Some(true), _) => Ok(Value::Auto(Auto::Yes)),
                (Some(false), _) => Ok(Value::Auto(Auto::No)),
                (None, "auto") => Ok(Value::Auto(Auto::Auto)),
                _ => refused("write `yes`, `no` or `auto`".to_owned()),
            },
            Kind::Int { min, max, .. } => match text.parse() {
                Ok(value) if (min..=max).contains(&value) => Ok(Value::Int(value)),
                _ => refused(format!("write an integer from {min} to {max}")),
            },
            Kind::Real { min, max, .. } => match text.parse() {
                Ok(value) if (min..=max).contains(&value) => Ok(Value::Real(value)),
                _ => refused(format!("write a number from {min} to {max}")),
            },
            Kind::Text { pattern, .. } => match pattern.split('|').any(|pattern| matches(pattern, text)) {
                true => Ok(Value::Text(text.to_owned())),
                false => refused(format!("write one of {}", pattern.replace('|', ", "))),
            },
            Kind::Path { must_be, .. } => located(text, must_be, path).map(|path| Value::Path(Some(path))),
            Kind::List(_) => Ok(Value::List(list(text))),
            Kind::Library(_) => Ok(Value::List(words(text))),
        }
    }

    /// For the help.
    pub(super) fn allowed(&self) -> String {
        match *self {
            Kind::Bool(_) => "yes|no".to_owned(),
            Kind::Auto(_) => "yes|no|auto".to_owned(),
            Kind::Int { min, max, .. } => format!("{min}..{max}"),
            Kind::Real { min, max, .. } => format!("{min}..{max}"),
            Kind::Text { pattern: "*", .. } => "text".to_owned(),
            Kind::Text { pattern, .. } => pattern.to_owned(),
            Kind::Path { must_be: MustBe::Directory, .. } => "directory".to_owned(),
            Kind::Path { must_be: MustBe::Executable, .. } => "program".to_owned(),
            Kind::Path { must_be: MustBe::File, .. } => "file".to_owned(),
            Kind::Path { .. } => "path".to_owned(),
            Kind::List(_) => "word,word,..".to_owned(),
            Kind::Library(_) => "library ..".to_owned(),
        }
    }

    /// Whether the name alone means yes.
    pub(super) fn is_switch(&self) -> bool {
        matches!(self, Kind::Bool(_) | Kind::Auto(_))
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Bool(true) => f.write_str("yes"),
            Value::Bool(false) => f.write_str("no"),
            Value::Auto(value) => value.fmt(f),
            Value::Int(value) => value.fmt(f),
            Value::Real(value) => value.fmt(f),
            Value::Text(value) => f.write_str(value),
            Value::Path(path) => path.iter().try_for_each(|path| path.display().fmt(f)),
            Value::List(words) => f.write_str(&words.join(",")),
        }
    }
}

fn truth(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "yes" | "true" | "on" | "1" | "y" => Some(true),
        "no" | "false" | "off" | "0" | "n" => Some(false),
        _ => None,
    }
}

/// Whether a text looks like one alternative.
fn matches(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((before, after)) => text.strip_prefix(before).is_some_and(|rest| {
            let ends = rest.char_indices().map(|(at, _)| at).chain([rest.len()]);
            ends.into_iter().any(|at| matches(after, &rest[at..]))
        }),
    }
}

fn list(text: &str) -> Vec<String> {
    let text = text.trim().trim_start_matches('[').trim_end_matches(']');
    text.split(',')
        .map(|word| word.trim().trim_matches(['"', '\'']).to_owned())
        .filter(|w| !w.is_empty())
        .collect()
}

/// Of a command line, or a list.
fn words(text: &str) -> Vec<String> {
    if text.trim_start().starts_with('[') || (text.contains(',') && !text.contains("-Wl,")) {
        return list(text);
    }
    shlex::split(text).unwrap_or_else(|| text.split_whitespace().map(str::to_owned).collect())
}

fn located(text: &str, must_be: MustBe, search: &std::ffi::OsStr) -> Result<PathBuf, String> {
    let path = std::path::absolute(text).map_err(|error| format!("`{text}` is no path: {error}"))?;
    match must_be {
        MustBe::Anything => Ok(path),
        MustBe::File if path.is_file() => Ok(path),
        MustBe::Directory if path.is_dir() => Ok(path),
        MustBe::File => Err(format!("`{text}` is not there, or is no file")),
        MustBe::Directory => Err(format!("`{text}` is not there, or is no directory")),
        MustBe::Executable if text.contains('/') => match is_executable(&path) {
            true => Ok(path),
            false => Err(format!("`{text}` is not there, or cannot be executed")),
        },
        MustBe::Executable => std::env::split_paths(search)
            .map(|dir| dir.join(text))
            .find(|path| is_executable(path))
            .ok_or_else(|| format!("`{text}` is no program on PATH")),
    }
}

fn is_executable(path: &Path) -> bool {
    path.is_file() && rustix::fs::access(path, rustix::fs::Access::EXEC_OK).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(kind: Kind, text: &str) -> Result<Value, String> {
        kind.read(text, std::ffi::OsStr::new("/usr/bin:/bin"))
    }

    #[test]
    fn each_kind_says_what_it_allows() {
        let int = Kind::Int { default: 1, min: 0, max: 9 };
        assert_eq!(read(int, "7"), Ok(Value::Int(7)));
        assert!(read(int, "10").unwrap_err().contains("from 0 to 9"));
        assert!(read(int, "seven").is_err());
        let real = Kind::Real { default: 1.0, min: 0.0, max: 2.0 };
        assert_eq!(read(real, "1.5"), Ok(Value::Real(1.5)));
        assert!(read(real, "nan").unwrap_err().contains("from 0 to 2"));
        assert_eq!(read(Kind::Bool(true), "off"), Ok(Value::Bool(false)));
        assert!(read(Kind::Bool(true), "maybe").unwrap_err().contains("`yes` or `no`"));
        assert_eq!(read(Kind::Auto(Auto::No), "auto"), Ok(Value::Auto(Auto::Auto)));
        let text = Kind::Text { default: "a", pattern: "single|double|c++*" };
        assert_eq!(read(text, "c++20"), Ok(Value::Text("c++20".to_owned())));
        assert!(read(text, "triple").unwrap_err().contains("single, double, c++*"));
    }

    #[test]
    fn paths_must_be_what_they_are_said_to_be() {
        let path = |must_be| Kind::Path { default: "", must_be };
        assert_eq!(read(path(MustBe::Directory), "/usr"), Ok(Value::Path(Some("/usr".into()))));
        assert!(read(path(MustBe::Directory), "/bin/sh").unwrap_err().contains("no directory"));
        assert!(read(path(MustBe::File), "/no/such").unwrap_err().contains("not there"));
        assert_eq!(read(path(MustBe::Executable), "sh"), Ok(Value::Path(Some("/usr/bin/sh".into()))));
        assert!(read(path(MustBe::Executable), "dijitso-none").unwrap_err().contains("no program on PATH"));
    }

    #[test]
    fn lists_and_libraries_are_written_in_any_usual_way() {
        assert_eq!(list("[a, 'b',\"c\"]"), ["a", "b", "c"]);
        assert_eq!(words("-L/x -lfoo bar"), ["-L/x", "-lfoo", "bar"]);
        assert_eq!(words("[liba.a,b]"), ["liba.a", "b"]);
        assert_eq!(words("-Wl,-z,now foo"), ["-Wl,-z,now", "foo"]);
        assert!(list("").is_empty() && words("").is_empty());
    }
}
