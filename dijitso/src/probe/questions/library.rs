//! Whether a library is there and has what is wanted of it.

use super::{Function, Knowledge, Question, Sealed, Stop, Verdict, common, worded};
use crate::config::origin::Flag;
use crate::probe::control;
use crate::probe::settings::{Settings, here, library};
use crate::probe::trial::Goal;
use crate::probe::verdict::Reason;
use crate::toolchain::Language;

/// Whether a library can be linked and defines some functions; the answer is what to link with.
///
/// Several names are candidates in order, asked side by side. The settings it is asked [with](Self::with) hold for all,
/// and are part of the answer: libraries that it needs itself are behind it.
///
/// BuildSystem: `libraries.check` and `libraries.add`.
///
/// ```no_run
/// use dijitso::probe::{Function, Library, Probes};
///
/// # fn f(probes: &Probes) {
/// let blas = Library::any(["openblas", "blas"]).function(Function::new("ddot_"));
/// if let Some(settings) = probes.ask(&blas).yes() {
///     println!("{settings}"); // -lopenblas
/// }
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct Library {
    candidates: Vec<Flag>,
    functions: Vec<Function>,
    language: Language,
    settings: Settings,
}

common!(Library, "Library::new(\"m\")");

impl Library {
    /// A library by its name or path.
    ///
    /// ```
    /// let question = dijitso::probe::Library::new("m");
    /// ```
    #[track_caller]
    pub fn new(name: impl Into<String>) -> Library {
        let candidates = vec![Flag::new(library(name.into()), here())];
        Library { candidates, functions: Vec::new(), language: Language::C, settings: Settings::new() }
    }

    /// The first of several.
    ///
    /// ```
    /// let question = dijitso::probe::Library::any(["openblas", "blas"]);
    /// ```
    #[track_caller]
    pub fn any<N: Into<String>>(names: impl IntoIterator<Item = N>) -> Library {
        let at = here();
        let candidates = names.into_iter().map(|name| Flag::new(library(name.into()), at.clone())).collect();
        Library { candidates, functions: Vec::new(), language: Language::C, settings: Settings::new() }
    }

    /// It must define this, too.
    ///
    /// ```
    /// use dijitso::probe::{Function, Library};
    /// let question = Library::new("m").function(Function::new("cosh").after("math.h"));
    /// ```
    pub fn function(mut self, function: Function) -> Self {
        self.functions.push(function);
        self
    }

    fn candidate(&self, known: &mut Knowledge<'_>, lib: &Flag) -> Result<Verdict<Settings>, Stop> {
        let settings = Settings { libs: vec![lib.clone()], ..Settings::default() }.and(&self.settings);
        let trial = control::empty(Goal::Link, self.language, &settings);
        let linked = known.accepts(&trial, &format!("{} cannot be linked", lib.text));
        // All, so that they are asked together.
        let functions: Vec<Result<Verdict<()>, Stop>> =
            self.functions.iter().map(|function| function.verdict(known, &settings)).collect();
        let linked = linked?;
        if !linked.is_yes() {
            return Ok(linked.map(|_| settings));
        }
        for (verdict, function) in functions.into_iter().zip(&self.functions) {
            match verdict? {
                Verdict::Yes(()) => {}
                Verdict::No(reason) => {
                    let text = format!("{} does not have {}: {reason}", lib.text, function.name());
                    return Ok(Verdict::No(reason.because(text)));
                }
                Verdict::Unknown(reason) => return Ok(Verdict::Unknown(reason)),
            }
        }
        Ok(Verdict::Yes(settings))
    }
}

impl Question for Library {
    type Answer = Settings;

    fn describe(&self) -> String {
        let names: Vec<&str> = self.candidates.iter().map(|lib| lib.text.as_str()).collect();
        let functions: Vec<&str> = self.functions.iter().map(Function::name).collect();
        let of = if functions.is_empty() { String::new() } else { format!(" with {}", functions.join(", ")) };
        worded(format!("library {}{of} ({})", names.join(" or "), self.language), &self.settings)
    }

    fn evaluate(&self, known: &mut Knowledge<'_>) -> Result<Verdict<Settings>, Stop> {
        let asked: Vec<_> = self.candidates.iter().map(|lib| self.candidate(known, lib)).collect();
        let mut refused: Vec<(String, Reason)> = Vec::new();
        for (verdict, lib) in asked.into_iter().zip(&self.candidates) {
            match verdict? {
                Verdict::No(reason) => refused.push((lib.text.clone(), reason)),
                other => return Ok(other),
            }
        }
        Ok(Verdict::No(super::first_of::none(refused)))
    }

    fn show(settings: &Settings) -> String {
        settings.to_string()
    }
}
