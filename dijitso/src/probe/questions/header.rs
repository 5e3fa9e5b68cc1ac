//! Whether a header is there, and whether it can be used.

use super::{Knowledge, Question, Sealed, Stop, Verdict, common, line};
use crate::probe::fact::{Fact, Group};
use crate::probe::settings::Settings;
use crate::probe::trial::{Goal, Trial};
use crate::toolchain::Language;

/// Whether there is a header of this name where the compiler looks.
///
/// Any number of these is one text and one process. That a header is there does not say that it can be included
/// without others before it: [`compiled`](Self::compiled) asks that, with a process of its own.
///
/// BuildSystem: `headers.check`, and `headers.haveHeaders` for many.
///
/// ```no_run
/// use dijitso::probe::{Header, Probes};
///
/// # fn f(probes: &Probes) {
/// let names = ["unistd.h", "mpi.h", "omp.h"];
/// for (name, there) in names.iter().zip(probes.ask_all(names.map(Header::new))) {
///     println!("{name}: {}", there.word());
/// }
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct Header {
    name: String,
    language: Language,
    settings: Settings,
    prelude: Vec<String>,
    compiled: bool,
}

common!(Header, "Header::new(\"mpi.h\")");

impl Header {
    /// A header, as it stands between `<` and `>`.
    ///
    /// ```
    /// let question = dijitso::probe::Header::new("mpi.h");
    /// ```
    pub fn new(name: impl Into<String>) -> Header {
        Header {
            name: name.into(),
            language: Language::C,
            settings: Settings::new(),
            prelude: Vec::new(),
            compiled: false,
        }
    }

    /// Whether it can be included, not only whether it is there.
    ///
    /// ```
    /// let question = dijitso::probe::Header::new("jpeglib.h").after("stdio.h").compiled();
    /// ```
    pub fn compiled(mut self) -> Self {
        self.compiled = true;
        self
    }

    /// What has to be included before it; then it is [compiled](Self::compiled).
    ///
    /// ```
    /// let question = dijitso::probe::Header::new("jpeglib.h").after("stdio.h");
    /// ```
    pub fn after(mut self, header: impl AsRef<str>) -> Self {
        self.prelude.push(line(header.as_ref()));
        self.compiled()
    }
}

impl Question for Header {
    type Answer = ();

    fn describe(&self) -> String {
        let Header { name, language, settings, compiled, .. } = self;
        let kind = if *compiled { "usable header" } else { "header" };
        super::worded(format!("{kind} <{name}> ({language})"), settings)
    }

    fn evaluate(&self, known: &mut Knowledge<'_>) -> Result<Verdict<()>, Stop> {
        if self.compiled {
            let prelude = Group::new(self.language, &self.prelude, &Settings::new()).prelude;
            let text = format!("{prelude}#include <{}>\n", self.name);
            let trial = Trial::new(Goal::Compile, self.language, text, &self.settings);
            let what = format!("<{}> cannot be included", self.name);
            return Ok(known.accepts(&trial, &what)?.map(|_| ()));
        }
        let group = Group::new(self.language, &[], &self.settings.of_compile());
        Ok(known.believed(&group, &Fact::Header(self.name.clone()))?.map(|_| ()))
    }

    fn show((): &()) -> String {
        String::new()
    }
}
