//! Where a flag or parameter came from.
//!
//! A kernel that is compiled with a surprising flag is explained in one line if every flag remembers who
//! asked for it; a flag without an origin would have to be searched for in four places.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize, Serializer};

/// Who set a flag or a parameter, from the weakest to the strongest.
///
/// dijitso has no counterpart: there a value's origin is lost when the parameter sets are merged.
///
/// ```
/// use dijitso::Origin;
/// assert_eq!(Origin::Environment("CXXFLAGS".to_owned()).to_string(), "environment variable CXXFLAGS");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Origin {
    /// dijitso's own default.
    Default,
    /// The user's configuration file, and the line (0 where it is not known).
    ConfigFile(#[serde(serialize_with = "as_text")] PathBuf, usize),
    /// An environment variable, by name.
    Environment(String),
    /// The program, through `Jit::builder()`.
    Builder,
    /// The source of the kernel with this name.
    Spec(String),
    /// The answer to a question that was put to the compiler, such as what `-march=native` means here.
    Probe(String),
    /// An option of `configure` that somebody gave, by name.
    OptionGiven(String),
    /// The default of an option of `configure`, with the place in the source that declares it.
    OptionDefault(String),
    /// A module or package of `configure`, with the place in its source that asked for it.
    Module(String),
}

impl Origin {
    /// The later of two layers stands later on the command line, and wins.
    pub(crate) fn layer(&self) -> u8 {
        match self {
            Origin::Default | Origin::Probe(_) | Origin::OptionDefault(_) => 0,
            Origin::ConfigFile(..) => 1,
            Origin::Environment(_) => 2,
            Origin::Builder => 3,
            Origin::Spec(_) | Origin::OptionGiven(_) | Origin::Module(_) => 4,
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Default => f.write_str("default"),
            Origin::ConfigFile(path, 0) => write!(f, "configuration file {}", path.display()),
            Origin::ConfigFile(path, line) => write!(f, "configuration file {}, line {line}", path.display()),
            Origin::Environment(name) => write!(f, "environment variable {name}"),
            Origin::Builder => f.write_str("builder"),
            Origin::Spec(kernel) => write!(f, "source of kernel {kernel}"),
            Origin::OptionGiven(name) => write!(f, "option --{name}"),
            Origin::OptionDefault(place) => write!(f, "default at {place}"),
            Origin::Module(module) => write!(f, "module {module}"),
            Origin::Probe(what) => write!(f, "asked of the compiler: {what}"),
        }
    }
}

/// A path that is no text goes nowhere by itself, and this one is only read by people.
fn as_text<S: Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&path.to_string_lossy())
}

/// One word of a compiler's command line, with its [`Origin`].
///
/// dijitso has no counterpart: there flags are bare strings in the build parameters.
///
/// ```
/// use dijitso::{Flag, Origin};
/// let flag = Flag::new("-O3", Origin::Default);
/// assert_eq!(flag.to_string(), "-O3 (default)");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Flag {
    /// The word as the compiler gets it, without shell quotes.
    pub text: String,
    /// Who asked for it.
    pub origin: Origin,
}

impl Flag {
    /// A flag and who asked for it.
    ///
    /// ```
    /// use dijitso::{Flag, Origin};
    /// assert_eq!(Flag::new("-g", Origin::Builder).origin, Origin::Builder);
    /// ```
    pub fn new(text: impl Into<String>, origin: Origin) -> Flag {
        Flag { text: text.into(), origin }
    }
}

impl fmt::Display for Flag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.text, self.origin)
    }
}
