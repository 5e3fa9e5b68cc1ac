//! Whether a flag is accepted, and whether it does anything.

use super::{Knowledge, Question, Sealed, Stop, Verdict, common, worded};
use crate::config::origin::{Flag, Origin};
use crate::probe::control;
use crate::probe::settings::{Settings, here};
use crate::probe::told::Told;
use crate::probe::trial::{Goal, Trial};
use crate::probe::verdict::{Reason, first_error};
use crate::toolchain::Language;

/// Whether a compiler accepts a flag, without a word, and perhaps whether that has an effect.
///
/// Compilers answer flags they do not know with an error, a warning, a remark, or not at all. So an empty program is
/// compiled with the flag and without, and any new word is a no; a flag that cannot exist must be refused in the same
/// way; and [`defines`](Self::defines) asks for what only a flag in effect brings about. Flags are never asked together:
/// nobody could tell whose complaint it is.
///
/// BuildSystem: `compilers.checkCompilerFlag`, with a list of words that a complaint may contain.
///
/// ```no_run
/// use dijitso::probe::{CompilerFlag, Language, Probes};
///
/// # fn f(probes: &Probes) {
/// let openmp = probes.ask(&CompilerFlag::new("-fopenmp").in_language(Language::Cxx).defines("_OPENMP"));
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct CompilerFlag {
    flag: Flag,
    defines: Vec<String>,
    language: Language,
    settings: Settings,
}

common!(CompilerFlag, "CompilerFlag::new(\"-Wall\")");

impl CompilerFlag {
    /// A flag for the compiler.
    ///
    /// ```
    /// let question = dijitso::probe::CompilerFlag::new("-fno-math-errno");
    /// ```
    #[track_caller]
    pub fn new(flag: impl Into<String>) -> CompilerFlag {
        CompilerFlag {
            flag: Flag::new(flag, here()),
            defines: Vec::new(),
            language: Language::C,
            settings: Settings::new(),
        }
    }

    /// It must make the compiler define this macro.
    ///
    /// ```
    /// let question = dijitso::probe::CompilerFlag::new("-mavx2").defines("__AVX2__");
    /// ```
    pub fn defines(mut self, name: impl Into<String>) -> Self {
        self.defines.push(name.into());
        self
    }

    /// The same flag as a compiler would complain about: of `-Wno-x` gcc says nothing, whatever `x` is.
    fn asked(&self) -> Flag {
        let text = &self.flag.text;
        match text.strip_prefix("-Wno-") {
            Some(warning) if !warning.starts_with("error") => {
                Flag::new(format!("-W{warning}"), self.flag.origin.clone())
            }
            _ => self.flag.clone(),
        }
    }

    fn trial(&self, goal: Goal, flag: Option<Flag>) -> Trial {
        let mut settings = self.settings.clone();
        settings.compile.extend(flag);
        control::empty(goal, self.language, &settings)
    }
}

impl Question for CompilerFlag {
    type Answer = Flag;

    fn describe(&self) -> String {
        let effect: Vec<String> = self.defines.iter().map(|name| format!(" defining {name}")).collect();
        worded(format!("flag {}{} ({})", self.flag.text, effect.concat(), self.language), &self.settings)
    }

    fn evaluate(&self, known: &mut Knowledge<'_>) -> Result<Verdict<Flag>, Stop> {
        let wrong = Flag::new(control::NO_FLAG, self.flag.origin.clone());
        let asked = self.trial(Goal::Compile, Some(self.asked()));
        let without = known.trial(&self.trial(Goal::Compile, None));
        let with = known.trial(&asked);
        let refused = known.trial(&self.trial(Goal::Compile, Some(wrong)));
        let goal = Goal::Macros(self.defines.clone());
        let effect = self.trial(goal, Some(self.flag.clone()));
        let macros = if self.defines.is_empty() { None } else { Some(known.trial(&effect)) };
        let (without, with, refused) = (without?, with?, refused?);
        sound(known, &asked, &without, &refused, "compiler")?;
        if let Some(why) = complaint(&with, &without) {
            let text = format!("the {} compiler does not accept {}: {why}", self.language, self.flag.text);
            return Ok(Verdict::No(known.reason(text, &asked, &with)));
        }
        if let Some(macros) = macros {
            let macros = macros?;
            if let Some(missing) = self.defines.iter().find(|name| !macros.macros.contains_key(*name)) {
                let text =
                    format!("{} is accepted and has no effect: {missing} is not defined", self.flag.text);
                return Ok(Verdict::No(known.reason(text, &effect, &macros)));
            }
        }
        Ok(Verdict::Yes(found(self, &self.flag)))
    }

    fn show(flag: &Flag) -> String {
        flag.text.clone()
    }
}

/// Whether a linker accepts a flag, given to the driver, without a word.
///
/// BuildSystem: `setCompilers.checkLinkerFlag`.
///
/// ```no_run
/// use dijitso::probe::{LinkerFlag, Probes};
///
/// # fn f(probes: &Probes) {
/// let now = probes.ask(&LinkerFlag::new("-Wl,-z,now"));
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct LinkerFlag {
    flag: Flag,
    language: Language,
    settings: Settings,
}

common!(LinkerFlag, "LinkerFlag::new(\"-Wl,-z,now\")");

impl LinkerFlag {
    /// A flag for the link.
    ///
    /// ```
    /// let question = dijitso::probe::LinkerFlag::new("-fuse-ld=lld");
    /// ```
    #[track_caller]
    pub fn new(flag: impl Into<String>) -> LinkerFlag {
        LinkerFlag { flag: Flag::new(flag, here()), language: Language::C, settings: Settings::new() }
    }

    fn trial(&self, flag: Option<Flag>) -> Trial {
        let mut settings = self.settings.clone();
        settings.link.extend(flag);
        control::empty(Goal::Link, self.language, &settings)
    }
}

impl Question for LinkerFlag {
    type Answer = Flag;

    fn describe(&self) -> String {
        worded(format!("link flag {} ({})", self.flag.text, self.language), &self.settings)
    }

    fn evaluate(&self, known: &mut Knowledge<'_>) -> Result<Verdict<Flag>, Stop> {
        let wrong = Flag::new(control::NO_LINK_FLAG, self.flag.origin.clone());
        let asked = self.trial(Some(self.flag.clone()));
        let without = known.trial(&self.trial(None));
        let with = known.trial(&asked);
        let refused = known.trial(&self.trial(Some(wrong)));
        let (without, with, refused) = (without?, with?, refused?);
        sound(known, &asked, &without, &refused, "linker")?;
        match complaint(&with, &without) {
            None => Ok(Verdict::Yes(found(self, &self.flag))),
            Some(why) => {
                let text = format!("the {} linker does not accept {}: {why}", self.language, self.flag.text);
                Ok(Verdict::No(known.reason(text, &asked, &with)))
            }
        }
    }

    fn show(flag: &Flag) -> String {
        flag.text.clone()
    }
}

/// Who uses it can tell by what question it was found, and who asked.
fn found(question: &impl Question, flag: &Flag) -> Flag {
    Flag::new(flag.text.clone(), Origin::Probe(format!("{}, {}", question.describe(), flag.origin)))
}

/// Whether it works without the flag, and refuses one that cannot exist.
fn sound(
    known: &Knowledge<'_>,
    asked: &Trial,
    without: &Told,
    refused: &Told,
    tool: &str,
) -> Result<(), Stop> {
    let language = asked.units[0].language;
    if !without.success {
        let text = format!("the {language} {tool} fails without the flag, too: {}", without.first_error());
        return Err(Stop::Unknown(known.reason(text, asked, without)));
    }
    if complaint(refused, without).is_none() {
        let text = format!("the {language} {tool} accepts flags that cannot exist: its answers mean nothing");
        return Err(Stop::Unknown(Reason::new(text)));
    }
    Ok(())
}

/// What it says with the flag and does not say without.
fn complaint(with: &Told, without: &Told) -> Option<String> {
    let (with_said, before) = (with.complaints(), without.complaints());
    let new: Vec<&str> =
        with_said.lines().filter(|line| !before.lines().any(|known| known == *line)).collect();
    let new = new.join("\n");
    match (with.success, new.trim().is_empty()) {
        (true, true) => None,
        (_, false) => Some(first_error(&new).to_owned()),
        (false, true) => Some(format!("it exits with status {}", with.status())),
    }
}
