//! Flags with their provenance: text, language, stage, and who asked.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::config::origin::{Flag, Origin};
use crate::probe::{Language, Settings};

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
/// let flag = GivenFlag::new("-O3", Some(Language::Cxx), Stage::Compile, Origin::Option("with-opt".to_owned()));
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

/// Two flags that cannot both be meant.
///
/// ```
/// # fn f(flags: &dijitso::configure::Flags) {
/// for conflict in flags.conflicts() {
///     eprintln!("{conflict}");
/// }
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Conflict {
    /// The one that was there.
    pub first: GivenFlag,
    /// The one that takes its place, because it stands later.
    pub second: GivenFlag,
}

impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "`{}` (from {}) and `{}` (from {}) contradict each other; the second one holds",
            self.first.text, self.first.origin, self.second.text, self.second.origin
        )
    }
}

impl Flags {
    /// Adds one, unless the same stands there already.
    ///
    /// ```
    /// use dijitso::configure::{Flags, GivenFlag, Stage};
    /// let mut flags = Flags::default();
    /// flags.add(GivenFlag::new("-Wall", None, Stage::Compile, dijitso::Origin::Default));
    /// assert_eq!(flags.iter().count(), 1);
    /// ```
    pub fn add(&mut self, flag: GivenFlag) {
        let same = |known: &GivenFlag| {
            known.text == flag.text && known.language == flag.language && known.stage == flag.stage
        };
        // Libraries may have to stand several times; of anything else once is enough.
        let known = match flag.stage {
            Stage::Libraries => self.0.last().is_some_and(same),
            _ => self.0.iter().any(same),
        };
        if !known {
            self.0.push(flag);
        }
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

    /// Flags that contradict each other: two standards, two levels of optimisation, `-fx` and `-fno-x`, a macro with two
    /// values.
    ///
    /// ```
    /// assert!(dijitso::configure::Flags::default().conflicts().is_empty());
    /// ```
    pub fn conflicts(&self) -> Vec<Conflict> {
        let mut conflicts = Vec::new();
        for (n, second) in self.0.iter().enumerate() {
            let about = subject(&second.text);
            let first = self.0[..n].iter().rev().find(|first| {
                let together = match (first.language, second.language) {
                    (Some(one), Some(two)) => one == two,
                    _ => true,
                };
                together
                    && first.stage == second.stage
                    && first.text != second.text
                    && subject(&first.text) == about
            });
            if let (Some(first), Some(_)) = (first, about) {
                conflicts.push(Conflict { first: first.clone(), second: second.clone() });
            }
        }
        conflicts
    }
}

/// What a flag decides, if two that decide it contradict each other.
fn subject(text: &str) -> Option<String> {
    const ONE_OF: [&str; 9] = [
        "-std=",
        "-march=",
        "-mtune=",
        "-mcpu=",
        "-stdlib=",
        "-fuse-ld=",
        "--sysroot=",
        "-mabi=",
        "-ffp-contract=",
    ];
    if let Some(name) = ONE_OF.iter().find(|name| text.starts_with(**name)) {
        return Some((*name).to_owned());
    }
    if let Some(level) = text.strip_prefix("-O")
        && (level.is_empty() || ["0", "1", "2", "3", "s", "g", "z", "fast"].contains(&level))
    {
        return Some("-O".to_owned());
    }
    if matches!(text, "-m32" | "-m64" | "-mx32") {
        return Some("-m64".to_owned());
    }
    if let Some(defined) = text.strip_prefix("-D") {
        return Some(format!("-D{}", defined.split('=').next().unwrap_or_default()));
    }
    if let Some(undefined) = text.strip_prefix("-U") {
        return Some(format!("-D{undefined}"));
    }
    for kind in ["-f", "-m", "-W"] {
        if let Some(rest) = text.strip_prefix(kind).filter(|rest| !rest.contains(['=', ','])) {
            return Some(format!("{kind}{}", rest.strip_prefix("no-").unwrap_or(rest)));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flags(texts: &[&str]) -> Flags {
        let mut flags = Flags::default();
        for (n, text) in texts.iter().enumerate() {
            let origin = Origin::Module(format!("m{n}"));
            flags.add(GivenFlag::new(*text, Some(Language::Cxx), Stage::Compile, origin));
        }
        flags
    }

    #[test]
    fn contradictions_are_told_with_both_origins() {
        for pair in [
            ["-std=c++17", "-std=c++20"],
            ["-O2", "-O0"],
            ["-DX=1", "-DX=2"],
            ["-DX", "-UX"],
            ["-ffast-math", "-fno-fast-math"],
            ["-mno-avx2", "-mavx2"],
            ["-march=native", "-march=x86-64"],
        ] {
            let conflicts = flags(&pair).conflicts();
            assert_eq!(conflicts.len(), 1, "{pair:?}");
            let text = conflicts[0].to_string();
            assert!(text.contains("module m0") && text.contains("module m1"), "{text}");
        }
        for texts in
            [&["-O2", "-Og2"][..], &["-DX", "-DY"], &["-Wall", "-Wextra"], &["-I/a", "-I/b"], &["-g", "-g3"]]
        {
            assert!(flags(texts).conflicts().is_empty(), "{texts:?}");
        }
    }

    #[test]
    fn the_same_flag_is_kept_once_and_explained_by_who_came_first() {
        let flags = flags(&["-O2", "-Wall", "-O2"]);
        assert_eq!(flags.words(Language::Cxx, Stage::Compile), ["-O2", "-Wall"]);
        assert!(flags.words(Language::C, Stage::Compile).is_empty());
        assert_eq!(flags.explain("-O2"), ["-O2: compile, C++, from module m0"]);
    }
}
