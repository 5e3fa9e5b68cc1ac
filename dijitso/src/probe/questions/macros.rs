//! What a macro is worth.

use super::{Knowledge, Question, Sealed, Stop, Verdict, after, common, line, worded};
use crate::probe::fact::{Fact, Group};
use crate::probe::settings::Settings;
use crate::toolchain::Language;

/// Whether a macro is defined, and as what text.
///
/// All macros that are asked about after the same headers are one process.
///
/// BuildSystem: `outputPreprocess` of a text with the macro in it.
///
/// ```no_run
/// use dijitso::probe::{Macro, Probes};
///
/// # fn f(probes: &Probes) {
/// let version = probes.ask(&Macro::new("__GLIBC_MINOR__").after("features.h"));
/// println!("{:?}", version.yes());
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct Macro {
    name: String,
    language: Language,
    settings: Settings,
    prelude: Vec<String>,
}

common!(Macro, "Macro::new(\"_OPENMP\")");
after!(Macro, "Macro::new(\"_OPENMP\")");

impl Macro {
    /// A macro by its name.
    ///
    /// ```
    /// let question = dijitso::probe::Macro::new("__cplusplus");
    /// ```
    pub fn new(name: impl Into<String>) -> Macro {
        let (settings, prelude) = (Settings::new(), Vec::new());
        Macro { name: name.into(), language: Language::C, settings, prelude }
    }
}

impl Question for Macro {
    type Answer = String;

    fn describe(&self) -> String {
        worded(format!("macro {} ({})", self.name, self.language), &self.settings)
    }

    fn evaluate(&self, known: &mut Knowledge<'_>) -> Result<Verdict<String>, Stop> {
        let group = Group::new(self.language, &self.prelude, &self.settings.of_compile());
        let told = known.believed(&group, &Fact::Macro(self.name.clone()))?;
        Ok(told.map(|told| told.text.clone()))
    }

    fn show(text: &String) -> String {
        text.clone()
    }
}
