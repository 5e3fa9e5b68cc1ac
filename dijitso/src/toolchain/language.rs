//! The languages that probes speak, as the command lines of compilers know them.
//!
//! Kernels are C++ or C ([`crate::cxx::Language`]); questions are put to Fortran compilers, too. A language
//! is all that tells one driver's questions from another's, so one more (CUDA, HIP) is one more line in each
//! table below.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A language that a compiler can be asked about.
///
/// BuildSystem has the names `C`, `Cxx` and `FC`, and a stack of them in each configure object.
///
/// ```
/// use dijitso::probe::Language;
/// assert_eq!(Language::Cxx.to_string(), "C++");
/// assert_eq!(Language::Fortran.variable(), "FC");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Language {
    /// C.
    C,
    /// C++.
    Cxx,
    /// Fortran, from Fortran 90 on.
    Fortran,
}

impl Language {
    /// All of them.
    ///
    /// ```
    /// assert!(dijitso::probe::Language::ALL.contains(&dijitso::probe::Language::C));
    /// ```
    pub const ALL: [Language; 3] = [Language::C, Language::Cxx, Language::Fortran];

    /// As people write it: `C++`.
    ///
    /// ```
    /// assert_eq!(dijitso::probe::Language::C.name(), "C");
    /// ```
    pub fn name(self) -> &'static str {
        match self {
            Language::C => "C",
            Language::Cxx => "C++",
            Language::Fortran => "Fortran",
        }
    }

    /// The environment variable, and Make's, that names its compiler: `CXX`.
    ///
    /// ```
    /// assert_eq!(dijitso::probe::Language::Cxx.variable(), "CXX");
    /// ```
    pub fn variable(self) -> &'static str {
        match self {
            Language::C => "CC",
            Language::Cxx => "CXX",
            Language::Fortran => "FC",
        }
    }

    /// The variable that holds its flags: `CXXFLAGS`.
    ///
    /// ```
    /// assert_eq!(dijitso::probe::Language::Fortran.flags_variable(), "FCFLAGS");
    /// ```
    pub fn flags_variable(self) -> &'static str {
        match self {
            Language::C => "CFLAGS",
            Language::Cxx => "CXXFLAGS",
            Language::Fortran => "FCFLAGS",
        }
    }

    /// What is tried where nobody names a compiler.
    pub(crate) fn candidates(self) -> &'static [&'static str] {
        match self {
            Language::C => &["cc", "gcc", "clang"],
            Language::Cxx => &["c++", "g++", "clang++"],
            Language::Fortran => &["gfortran", "flang"],
        }
    }

    /// Behind `-x`. Fortran goes through the preprocessor, as `.F90` does: that is how lines get their names.
    pub(crate) fn dialect(self) -> &'static str {
        match self {
            Language::C => "c",
            Language::Cxx => "c++",
            Language::Fortran => "f95-cpp-input",
        }
    }

    /// Of a file with a text in it.
    pub(crate) fn extension(self) -> &'static str {
        match self {
            Language::C => "c",
            Language::Cxx => "cpp",
            Language::Fortran => "F90",
        }
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl From<crate::cxx::Language> for Language {
    fn from(language: crate::cxx::Language) -> Language {
        match language {
            crate::cxx::Language::C => Language::C,
            crate::cxx::Language::Cxx => Language::Cxx,
        }
    }
}
