//! How a Fortran compiler names its procedures.

use serde::{Deserialize, Serialize};

use super::{Knowledge, Question, Sealed, Stop, Verdict};
use crate::probe::settings::Settings;
use crate::probe::trial::{Goal, Trial, Unit};
use crate::probe::verdict::Reason;
use crate::toolchain::Language;

/// How C names a Fortran procedure.
///
/// ```
/// assert_eq!(dijitso::probe::Naming::Underscore.name("ddot"), "ddot_");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Naming {
    /// `ddot_`
    Underscore,
    /// `ddot`
    Unchanged,
    /// `DDOT`
    Capitals,
}

impl Naming {
    /// A procedure's name for C.
    ///
    /// ```
    /// assert_eq!(dijitso::probe::Naming::Capitals.name("ddot"), "DDOT");
    /// ```
    pub fn name(self, procedure: &str) -> String {
        match self {
            Naming::Underscore => format!("{}_", procedure.to_ascii_lowercase()),
            Naming::Unchanged => procedure.to_ascii_lowercase(),
            Naming::Capitals => procedure.to_ascii_uppercase(),
        }
    }
}

/// How C names what Fortran defines: a C program is linked to a Fortran procedure.
///
/// BuildSystem: `compilers.checkFortranNameMangling`.
///
/// ```no_run
/// use dijitso::probe::{Mangling, Probes};
///
/// # fn f(probes: &Probes) {
/// if let Some(naming) = probes.ask(&Mangling::new()).yes() {
///     println!("{}", naming.name("dgemm"));
/// }
/// # }
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[must_use]
pub struct Mangling(());

impl Mangling {
    /// The question.
    ///
    /// ```
    /// let question = dijitso::probe::Mangling::new();
    /// ```
    pub fn new() -> Mangling {
        Mangling(())
    }
}

impl Sealed for Mangling {}

impl Question for Mangling {
    type Answer = Naming;

    fn describe(&self) -> String {
        "names of Fortran procedures in C".to_owned()
    }

    fn evaluate(&self, known: &mut Knowledge<'_>) -> Result<Verdict<Naming>, Stop> {
        const PROCEDURE: &str = "dijitsoproc";
        let all = [Naming::Underscore, Naming::Unchanged, Naming::Capitals];
        let trials = all.map(|naming| {
            let name = naming.name(PROCEDURE);
            let text = format!("void {name}(void);\nint main(void) {{ {name}(); return 0; }}\n");
            let mut trial = Trial::new(Goal::Link, Language::C, text, &Settings::new());
            let text = format!("subroutine {PROCEDURE}()\nend subroutine\n");
            trial.units.push(Unit { language: Language::Fortran, text });
            // Who has `main` links, with nothing of Fortran's: an empty procedure needs nothing.
            trial
        });
        let asked: Vec<_> = trials.iter().map(|trial| known.accepts(trial, "it is not linked")).collect();
        let mut last: Option<Reason> = None;
        for (verdict, naming) in asked.into_iter().zip(all) {
            match verdict? {
                Verdict::Yes(_) => return Ok(Verdict::Yes(naming)),
                Verdict::Unknown(reason) => return Ok(Verdict::Unknown(reason)),
                Verdict::No(reason) => last = Some(reason),
            }
        }
        let text = "C cannot call a Fortran procedure by any usual name";
        Ok(Verdict::No(last.map_or_else(|| Reason::new(text), |reason| reason.because(text))))
    }

    fn show(naming: &Naming) -> String {
        naming.name("name")
    }
}
