//! What an option may be.

use std::fmt;
use std::marker::PhantomData;
use std::panic::Location;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{Declared, Download};

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
    /// Where it is declared.
    at: &'static Location<'static>,
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
    Download,
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
    /// For the link.
    Words(Vec<String>),
    Download(Download),
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
    Download: Download;
}

impl sealed::Sealed for Vec<String> {}
impl OptionValue for Vec<String> {
    #[allow(private_interfaces)]
    fn of(value: &Value) -> Option<Vec<String>> {
        match value {
            Value::List(words) | Value::Words(words) => Some(words.clone()),
            _ => None,
        }
    }
}

impl<T> Opt<T> {
    #[track_caller]
    pub(super) const fn new(name: &'static str, help: &'static str, kind: Kind) -> Opt<T> {
        let at = Location::caller();
        Opt { name, help, kind, variable: None, secret: false, at, value: PhantomData }
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

    /// Its value is written to no log and no record, from whatever source it is, nor is any that a stronger source
    /// overruled. Of one or two characters it is no secret: every word has them.
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
        let Opt { name, help, kind, variable, secret, at, .. } = *self;
        Declared { name, help, kind, variable, secret, at, section }
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
    #[track_caller]
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
    #[track_caller]
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
    #[track_caller]
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
    #[track_caller]
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
    #[track_caller]
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
    #[track_caller]
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
    #[track_caller]
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
    #[track_caller]
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
    #[track_caller]
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
    #[track_caller]
    pub const fn list(name: &'static str, default: &'static str, help: &'static str) -> Opt<Vec<String>> {
        Opt::new(name, help, Kind::List(default))
    }

    /// Libraries: names, paths, and words for the link, with blanks or commas between them, and quotes where a word has such.
    /// In words like `-Wl,-z,now` commas are their own.
    ///
    /// BuildSystem: `nargs.ArgLibrary`.
    ///
    /// ```
    /// use dijitso::configure::Opt;
    /// const BLAS: Opt<Vec<String>> = Opt::library("with-blas-lib", "", "the BLAS");
    /// ```
    #[track_caller]
    pub const fn library(name: &'static str, default: &'static str, help: &'static str) -> Opt<Vec<String>> {
        Opt::new(name, help, Kind::Library(default))
    }
}
