//! Flags with their provenance: text, language, stage, and who asked.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::config::origin::{Flag, Origin};
use crate::probe::{Language, Settings};
use crate::toolchain::takes_a_word;

/// For which step a flag is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Stage {
    /// The compiler.
    Compile,
    /// The link, before the objects.
    Link,
    /// The link, behind the objects.
    Libraries,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Stage::Compile => "compile",
            Stage::Link => "link",
            Stage::Libraries => "libraries",
        })
    }
}

/// A flag that a configuration came to.
///
/// BuildSystem joins flags to strings (`CPPFLAGS`, `LIBS`); where one comes from is in the log, if anywhere.
///
/// ```
/// use dijitso::configure::{GivenFlag, Stage};
/// use dijitso::{Origin, probe::Language};
///
/// let flag = GivenFlag::new("-O3", Some(Language::Cxx), Stage::Compile, Origin::OptionGiven("with-opt".to_owned()));
/// assert_eq!(flag.to_string(), "-O3: compile, C++, from option --with-opt");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct GivenFlag {
    /// The word, as a compiler gets it.
    pub text: String,
    /// `None`: for all languages.
    pub language: Option<Language>,
    /// For which step.
    pub stage: Stage,
    /// Who asked for it.
    pub origin: Origin,
}

impl GivenFlag {
    /// A flag.
    ///
    /// ```
    /// use dijitso::configure::{GivenFlag, Stage};
    /// let flag = GivenFlag::new("-lm", None, Stage::Libraries, dijitso::Origin::Default);
    /// ```
    pub fn new(
        text: impl Into<String>,
        language: Option<Language>,
        stage: Stage,
        origin: Origin,
    ) -> GivenFlag {
        GivenFlag { text: text.into(), language, stage, origin }
    }
}

impl fmt::Display for GivenFlag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}, ", self.text, self.stage)?;
        match self.language {
            Some(language) => write!(f, "{language}, ")?,
            None => f.write_str("all languages, ")?,
        }
        write!(f, "from {}", self.origin)
    }
}

/// The flags of a configuration, in the order in which they were asked for.
///
/// ```
/// use dijitso::configure::{Flags, GivenFlag, Stage};
/// use dijitso::{Origin, probe::Language};
///
/// let mut flags = Flags::default();
/// flags.add(GivenFlag::new("-std=c++17", Some(Language::Cxx), Stage::Compile, Origin::Default));
/// flags.add(GivenFlag::new("-std=c++20", Some(Language::Cxx), Stage::Compile, Origin::Builder));
/// assert_eq!(flags.conflicts().len(), 1);
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flags(Vec<GivenFlag>);

impl Flags {
    /// Adds one, unless that would change nothing: the same flag stands directly before it, its directory is searched
    /// already, its macro has this value already.
    ///
    /// A flag that takes another word (`-isystem`, `-Xlinker`) is added before that word.
    ///
    /// ```
    /// use dijitso::configure::{Flags, GivenFlag, Stage};
    /// let mut flags = Flags::default();
    /// flags.add(GivenFlag::new("-Wall", None, Stage::Compile, dijitso::Origin::Default));
    /// assert_eq!(flags.iter().count(), 1);
    /// ```
    pub fn add(&mut self, flag: GivenFlag) {
        if !self.has(&flag) {
            self.0.push(flag);
        }
    }

    /// Whether one more would change nothing.
    fn has(&self, flag: &GivenFlag) -> bool {
        let together = |unit: &Unit<'_>| unit.flag.stage == flag.stage && overlap(unit.flag, flag);
        let units: Vec<Unit<'_>> = self.units().into_iter().filter(together).collect();
        let own = |unit: &&Unit<'_>| unit.flag.language == flag.language;
        let open = units.iter().rev().find(own).is_some_and(Unit::is_open);
        if open || takes_argument(&flag.text) {
            return false;
        }
        let same = |unit: &Unit<'_>| {
            let covers = unit.flag.language.is_none() || unit.flag.language == flag.language;
            covers && unit.argument.is_none() && unit.flag.text == flag.text
        };
        let about = Unit { flag, argument: None }.subject();
        match flag.text.get(..2) {
            // The first place of a directory counts, and threads cannot be taken back.
            Some("-I" | "-L") => units.iter().any(same),
            _ if flag.text == "-pthread" => units.iter().any(same),
            // The last word about a macro counts.
            Some("-D") => units.iter().rev().find(|unit| unit.subject() == about).is_some_and(same),
            // `-O2 -O3 -O2` is not `-O2 -O3`, and libraries may have to stand twice.
            _ => units.last().is_some_and(same),
        }
    }

    /// All, each with the word that belongs to it.
    pub(super) fn units(&self) -> Vec<Unit<'_>> {
        let mut units: Vec<Unit<'_>> = Vec::new();
        for flag in &self.0 {
            let mut of_same = units
                .iter_mut()
                .rev()
                .filter(|unit| (unit.flag.stage, unit.flag.language) == (flag.stage, flag.language));
            match of_same.next() {
                Some(unit) if unit.is_open() => unit.argument = Some(flag),
                _ => units.push(Unit { flag, argument: None }),
            }
        }
        units
    }

    /// These behind those that compilers are given anyway.
    pub(super) fn behind(&self, compilers: &BTreeMap<Language, Settings>) -> Flags {
        let mut all = Flags::default();
        compilers.iter().for_each(|(language, settings)| all.add_settings(Some(*language), settings));
        all.0.extend(self.0.iter().cloned());
        all
    }

    /// Adds what a question was answered with.
    ///
    /// ```
    /// use dijitso::{configure::Flags, probe::{Language, Settings}};
    /// let mut flags = Flags::default();
    /// flags.add_settings(Some(Language::C), &Settings::new().lib("m"));
    /// assert_eq!(flags.words(Language::C, dijitso::configure::Stage::Libraries), ["-lm"]);
    /// ```
    pub fn add_settings(&mut self, language: Option<Language>, settings: &Settings) {
        let given = |flag: Flag, stage| GivenFlag::new(flag.text, language, stage, flag.origin);
        settings.compile_words().for_each(|flag| self.add(given(flag, Stage::Compile)));
        settings.link_flags().for_each(|flag| self.add(given(flag, Stage::Link)));
        settings.libraries().for_each(|flag| self.add(given(flag, Stage::Libraries)));
    }

    /// All, in their order.
    ///
    /// ```
    /// assert_eq!(dijitso::configure::Flags::default().iter().count(), 0);
    /// ```
    pub fn iter(&self) -> impl Iterator<Item = &GivenFlag> {
        self.0.iter()
    }

    /// The words for one step in one language.
    ///
    /// ```
    /// use dijitso::{configure::{Flags, Stage}, probe::Language};
    /// assert!(Flags::default().words(Language::C, Stage::Compile).is_empty());
    /// ```
    pub fn words(&self, language: Language, stage: Stage) -> Vec<&str> {
        let fits = |flag: &&GivenFlag| flag.stage == stage && flag.language.is_none_or(|own| own == language);
        self.0.iter().filter(fits).map(|flag| flag.text.as_str()).collect()
    }

    /// One line for each flag with this text, or with a text that begins so: who asked for it.
    ///
    /// ```
    /// use dijitso::configure::{Flags, GivenFlag, Stage};
    /// let mut flags = Flags::default();
    /// flags.add(GivenFlag::new("-O3", None, Stage::Compile, dijitso::Origin::Environment("CFLAGS".to_owned())));
    /// assert_eq!(flags.explain("-O"), ["-O3: compile, all languages, from environment variable CFLAGS"]);
    /// ```
    pub fn explain(&self, text: &str) -> Vec<String> {
        self.0.iter().filter(|flag| flag.text.starts_with(text)).map(ToString::to_string).collect()
    }
}

/// A flag, and the word that belongs to it: `-isystem` and its directory.
#[derive(Debug, Clone, Copy)]
pub(super) struct Unit<'a> {
    pub(super) flag: &'a GivenFlag,
    pub(super) argument: Option<&'a GivenFlag>,
}

impl<'a> Unit<'a> {
    /// One or two.
    pub(super) fn words(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        [Some(self.flag), self.argument].into_iter().flatten().map(|flag| flag.text.as_str())
    }

    /// Whether its word is missing yet.
    fn is_open(&self) -> bool {
        self.argument.is_none() && takes_argument(&self.flag.text)
    }
}

/// Whether there is a language that both are for.
pub(super) fn overlap(one: &GivenFlag, two: &GivenFlag) -> bool {
    one.language.is_none() || two.language.is_none() || one.language == two.language
}

/// Whether the next word belongs to a flag: those of kernels, and others that a project may have.
fn takes_argument(flag: &str) -> bool {
    const OTHERS: [&str; 10] = [
        "-F",
        "-J",
        "-e",
        "-iwithprefix",
        "-iwithprefixbefore",
        "-imultilib",
        "-Xarch_device",
        "-Xarch_host",
        "-framework",
        "-arch",
    ];
    takes_a_word(flag) || OTHERS.contains(&flag)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(texts: &[&str], stage: Stage) -> Vec<String> {
        let mut flags = Flags::default();
        for (n, text) in texts.iter().enumerate() {
            flags.add(GivenFlag::new(*text, Some(Language::Cxx), stage, Origin::Module(format!("m{n}"))));
        }
        assert!(flags.words(Language::C, stage).is_empty());
        flags.words(Language::Cxx, stage).into_iter().map(str::to_owned).collect()
    }

    #[test]
    fn a_flag_keeps_the_word_that_belongs_to_it() {
        for texts in [
            &["-isystem", "/a", "-isystem", "/b"][..],
            &["-Xpreprocessor", "-fopenmp", "-Xpreprocessor", "-DX"],
            &["-include", "a.h", "-include", "b.h", "-include", "a.h"],
            &["-framework", "A", "-framework", "B", "-framework", "A"],
            &["-I", "/a", "-I", "/b"],
            &["-include", "x.o", "x.o"],
        ] {
            assert_eq!(words(texts, Stage::Compile), texts);
            assert_eq!(words(texts, Stage::Link), texts);
        }
        let linker = ["-Xlinker", "-rpath", "-Xlinker", "/a", "-Xlinker", "-rpath", "-Xlinker", "/b"];
        assert_eq!(words(&linker, Stage::Link), linker);
    }

    #[test]
    fn a_flag_is_left_out_only_where_that_changes_nothing() {
        let compile = |texts: &[&str]| words(texts, Stage::Compile).join(" ");
        assert_eq!(compile(&["-O2", "-O3", "-O2"]), "-O2 -O3 -O2", "the last one holds");
        assert_eq!(
            compile(&["-ffast-math", "-fno-signed-zeros", "-ffast-math"]).matches("-ffast").count(),
            2
        );
        assert_eq!(compile(&["-Wall", "-Wall", "-O2"]), "-Wall -O2");
        assert_eq!(compile(&["-I/a", "-I/b", "-I/a", "-pthread", "-g", "-pthread"]), "-I/a -I/b -pthread -g");
        assert_eq!(compile(&["-DX=1", "-DY", "-DX=1"]), "-DX=1 -DY");
        assert_eq!(compile(&["-DX=1", "-UX", "-DX=1"]), "-DX=1 -UX -DX=1");
        assert_eq!(words(&["-la", "-lb", "-la", "-la"], Stage::Libraries), ["-la", "-lb", "-la"]);
    }

    #[test]
    fn flags_of_all_languages_and_of_one_are_told_apart() {
        let mut flags = Flags::default();
        let mut add = |text: &str, language| {
            flags.add(GivenFlag::new(text, language, Stage::Compile, Origin::Builder));
        };
        add("-DX=1", Some(Language::C));
        add("-UX", None);
        add("-DX=1", Some(Language::C));
        add("-I/a", None);
        add("-I/a", Some(Language::C));
        assert_eq!(flags.words(Language::C, Stage::Compile), ["-DX=1", "-UX", "-DX=1", "-I/a"]);
        assert_eq!(flags.explain("-U"), ["-UX: compile, all languages, from builder"]);
    }
}
