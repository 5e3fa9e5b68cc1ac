//! Questions with a text of one's own.

use super::{Knowledge, Question, Sealed, Stop, Verdict, worded};
use crate::probe::settings::Settings;
use crate::probe::trial::{Goal, Trial, Unit};
use crate::signature::digest;
use crate::toolchain::Language;

/// A program of includes and a body.
pub(super) fn program(language: Language, includes: &str, body: &str) -> String {
    match language {
        Language::Fortran => format!("program dijitso_program\n{includes}\n{body}\nend program\n"),
        _ => format!("{includes}\nint main(void) {{\n{body}\nreturn 0; }}\n"),
    }
}

pub(super) fn named(what: &str, units: &[Unit], settings: &Settings) -> String {
    let texts =
        units.iter().map(|unit| format!("{} text {}", unit.language, digest(unit.text.as_bytes()).short()));
    let texts: Vec<String> = texts.collect();
    worded(format!("{what} {}", texts.join(" and ")), settings)
}

macro_rules! one_text {
    ($(#[$doc:meta])* $name:ident, $lower:literal, $buildsystem:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        #[must_use]
        pub struct $name {
            unit: Unit,
            settings: Settings,
            name: Option<String>,
        }

        impl $name {
            /// A whole text.
            ///
            /// ```
            /// use dijitso::probe::*;
            #[doc = concat!("let question = ", stringify!($name), "::new(Language::C, \"int x;\\n\");")]
            /// ```
            pub fn new(language: Language, text: impl Into<String>) -> $name {
                $name { unit: Unit { language, text: text.into() }, settings: Settings::new(), name: None }
            }

            /// A program made of includes and the body of `main`.
            #[doc = concat!("BuildSystem: the two arguments of `", $buildsystem, "`.")]
            ///
            /// ```
            /// use dijitso::probe::*;
            #[doc = concat!(
                "let question = ",
                stringify!($name),
                "::body(Language::C, \"#include <math.h>\", \"double y = cos(0.5);\");"
            )]
            /// ```
            pub fn body(language: Language, includes: &str, body: &str) -> $name {
                $name::new(language, program(language, includes, body))
            }

            /// With flags and directories of its own.
            ///
            /// ```
            /// use dijitso::probe::*;
            /// let settings = Settings::new().define("N", "3");
            #[doc = concat!("let question = ", stringify!($name), "::new(Language::C, \"int x[N];\\n\").with(&settings);")]
            /// ```
            pub fn with(mut self, settings: &Settings) -> Self {
                self.settings = std::mem::take(&mut self.settings).and(settings);
                self
            }

            /// What it asks, for logs and cards.
            ///
            /// ```
            /// use dijitso::probe::*;
            #[doc = concat!("let question = ", stringify!($name), "::new(Language::C, \"int x;\\n\").named(\"integers\");")]
            /// assert_eq!(question.describe(), "integers");
            /// ```
            pub fn named(mut self, name: impl Into<String>) -> Self {
                self.name = Some(name.into());
                self
            }

            fn words(&self) -> String {
                let named = || named($lower, std::slice::from_ref(&self.unit), &self.settings);
                self.name.clone().unwrap_or_else(named)
            }

            fn trial(&self, goal: Goal) -> Trial {
                Trial::new(goal, self.unit.language, self.unit.text.clone(), &self.settings)
            }
        }

        impl Sealed for $name {}
    };
}

one_text! {
    /// What the preprocessor makes of a text.
    ///
    /// BuildSystem: `checkPreprocess` is [`is_yes`](Verdict::is_yes), `outputPreprocess` and `preprocess` the answer.
    ///
    /// ```no_run
    /// use dijitso::probe::{Language, Preprocess, Probes};
    ///
    /// # fn f(probes: &Probes) {
    /// let text = probes.ask(&Preprocess::new(Language::C, "#include <limits.h>\nINT_MAX\n")).yes();
    /// # }
    /// ```
    Preprocess, "preprocess", "preprocess"
}

impl Question for Preprocess {
    type Answer = String;

    fn describe(&self) -> String {
        self.words()
    }

    fn evaluate(&self, known: &mut Knowledge<'_>) -> Result<Verdict<String>, Stop> {
        let verdict = known.accepts(&self.trial(Goal::Preprocess), "it cannot be preprocessed")?;
        Ok(verdict.map(|told| told.stdout().to_owned()))
    }

    fn show(text: &String) -> String {
        format!("{} lines", text.lines().count())
    }
}

one_text! {
    /// Whether a text compiles; the answer is what the compiler said, its warnings.
    ///
    /// BuildSystem: `checkCompile` is [`is_yes`](Verdict::is_yes), `outputCompile` the answer, or the
    /// [reason](Verdict::reason).
    ///
    /// ```no_run
    /// use dijitso::probe::{Compile, Language, Probes};
    ///
    /// # fn f(probes: &Probes) {
    /// let inline = probes.ask(&Compile::new(Language::C, "static inline int f(void) { return 1; }\n"));
    /// # }
    /// ```
    Compile, "compile", "checkCompile"
}

impl Question for Compile {
    type Answer = String;

    fn describe(&self) -> String {
        self.words()
    }

    fn evaluate(&self, known: &mut Knowledge<'_>) -> Result<Verdict<String>, Stop> {
        let verdict = known.accepts(&self.trial(Goal::Compile), "it does not compile")?;
        Ok(verdict.map(|told| told.complaints()))
    }

    fn show(said: &String) -> String {
        said.lines().next().unwrap_or_default().to_owned()
    }
}
