//! Texts that are linked, and perhaps run.

use super::text::{named, program};
use super::{Knowledge, Question, Sealed, Stop, Verdict};
use crate::probe::settings::Settings;
use crate::probe::told::Told;
use crate::probe::trial::{Goal, Trial, Unit};
use crate::toolchain::Language;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

macro_rules! several_texts {
    ($name:ident) => {
        impl $name {
            /// One more text, in any language: compiled by its own compiler, and linked to the others.
            ///
            /// ```
            /// use dijitso::probe::*;
            #[doc = concat!("let question = ", stringify!($name), "::new(Language::C, \"void f_(void); int main(void) { f_(); return 0; }\\n\")")]
            ///     .unit(Language::Fortran, "subroutine f()\nend subroutine\n")
            ///     .linked_by(Language::Fortran);
            /// ```
            pub fn unit(mut self, language: Language, text: impl Into<String>) -> Self {
                self.units.push(Unit { language, text: text.into() });
                self
            }

            /// Whose compiler links (default: that of the first text).
            ///
            /// ```
            /// use dijitso::probe::*;
            #[doc = concat!("let question = ", stringify!($name), "::new(Language::C, \"int main(void) { return 0; }\\n\").linked_by(Language::Cxx);")]
            /// ```
            pub fn linked_by(mut self, language: Language) -> Self {
                self.linker = language;
                self
            }

            /// With flags, directories and libraries of its own.
            ///
            /// ```
            /// use dijitso::probe::*;
            /// let m = Settings::new().lib("m");
            #[doc = concat!("let question = ", stringify!($name), "::new(Language::C, \"int main(void) { return 0; }\\n\").with(&m);")]
            /// ```
            pub fn with(mut self, settings: &Settings) -> Self {
                self.settings = std::mem::take(&mut self.settings).and(settings);
                self
            }

            /// What it asks, for logs and cards.
            ///
            /// ```
            /// use dijitso::probe::*;
            #[doc = concat!("let question = ", stringify!($name), "::new(Language::C, \"int main(void) { return 0; }\\n\").named(\"nothing\");")]
            /// assert_eq!(question.describe(), "nothing");
            /// ```
            pub fn named(mut self, name: impl Into<String>) -> Self {
                self.name = Some(name.into());
                self
            }

            fn trial(&self, goal: Goal) -> Trial {
                let mut trial = Trial::new(goal, self.linker, "", &self.settings);
                trial.units = self.units.clone();
                trial
            }
        }

        impl Sealed for $name {}
    };
}

/// Whether texts link to a program.
///
/// The texts may be in several languages: each is compiled by its own compiler, and one of these links.
///
/// BuildSystem: `checkLink` is [`is_yes`](Verdict::is_yes), `outputLink` the answer, or the reason.
///
/// ```no_run
/// use dijitso::probe::{Language, Link, Probes, Settings};
///
/// # fn f(probes: &Probes) {
/// let text = Link::body(Language::C, "#include <math.h>", "volatile double x = 1; return cos(x) > 2;");
/// let verdict = probes.ask(&text.with(&Settings::new().lib("m")));
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct Link {
    units: Vec<Unit>,
    linker: Language,
    settings: Settings,
    name: Option<String>,
}

several_texts!(Link);

impl Link {
    /// A whole text, with `main`.
    ///
    /// ```
    /// use dijitso::probe::{Language, Link};
    /// let question = Link::new(Language::C, "int main(void) { return 0; }\n");
    /// ```
    pub fn new(language: Language, text: impl Into<String>) -> Link {
        let units = vec![Unit { language, text: text.into() }];
        Link { units, linker: language, settings: Settings::new(), name: None }
    }

    /// A program made of includes and the body of `main`. BuildSystem: the two arguments of `checkLink`.
    ///
    /// ```
    /// use dijitso::probe::{Language, Link};
    /// let question = Link::body(Language::C, "#include <stdlib.h>", "exit(0);");
    /// ```
    pub fn body(language: Language, includes: &str, body: &str) -> Link {
        Link::new(language, program(language, includes, body))
    }
}

impl Question for Link {
    type Answer = String;

    fn describe(&self) -> String {
        self.name.clone().unwrap_or_else(|| named("link", &self.units, &self.settings))
    }

    fn evaluate(&self, known: &mut Knowledge<'_>) -> Result<Verdict<String>, Stop> {
        let verdict = known.accepts(&self.trial(Goal::Link), "it does not link")?;
        Ok(verdict.map(|told| told.complaints()))
    }

    fn show(said: &String) -> String {
        said.lines().next().unwrap_or_default().to_owned()
    }
}

/// What a program does that is compiled, linked and run.
///
/// It sees of the environment `PATH`, `LD_LIBRARY_PATH`, `TMPDIR` and what [`variable`](Self::variable) names, and is
/// ended after a minute. It must not depend on anything else that may change: its answer is remembered for this
/// machine's processor.
///
/// BuildSystem: `checkRun` is [`is_yes`](Verdict::is_yes), `outputRun` the answer, or the reason.
///
/// ```no_run
/// use dijitso::probe::{Language, Probes, Run};
///
/// # fn f(probes: &Probes) {
/// let program = Run::body(Language::C, "#include <stdio.h>", "printf(\"%d\", (int)sizeof(long));");
/// println!("{}", probes.ask(&program).yes().unwrap().stdout);
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct Run {
    units: Vec<Unit>,
    linker: Language,
    settings: Settings,
    name: Option<String>,
    args: Vec<String>,
    variables: Vec<String>,
    any_status: bool,
}

several_texts!(Run);

/// How a program ended, and what it printed.
///
/// ```
/// let ran = dijitso::probe::Ran { status: 0, stdout: "8\n".to_owned(), stderr: String::new() };
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ran {
    /// Of its exit; the number of the signal that ended it, negative.
    pub status: i32,
    /// What it printed.
    pub stdout: String,
    /// What it printed as errors.
    pub stderr: String,
}

impl Run {
    /// A whole text, with `main`.
    ///
    /// ```
    /// use dijitso::probe::{Language, Run};
    /// let question = Run::new(Language::C, "int main(void) { return 0; }\n");
    /// ```
    pub fn new(language: Language, text: impl Into<String>) -> Run {
        let units = vec![Unit { language, text: text.into() }];
        Run {
            units,
            linker: language,
            settings: Settings::new(),
            name: None,
            args: Vec::new(),
            variables: Vec::new(),
            any_status: false,
        }
    }

    /// A program made of includes and the body of `main`. BuildSystem: the two arguments of `checkRun`.
    ///
    /// ```
    /// use dijitso::probe::{Language, Run};
    /// let question = Run::body(Language::C, "#include <stdio.h>", "puts(\"yes\");");
    /// ```
    pub fn body(language: Language, includes: &str, body: &str) -> Run {
        Run::new(language, program(language, includes, body))
    }

    /// An argument for the program.
    ///
    /// ```
    /// use dijitso::probe::{Language, Run};
    /// let question = Run::new(Language::C, "int main(int c, char **v) { return c - 2; }\n").arg("x");
    /// ```
    pub fn arg(mut self, arg: impl Into<String>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// A variable of the environment that the program sees, and that its answer depends on.
    ///
    /// ```
    /// use dijitso::probe::{Language, Run};
    /// let question = Run::new(Language::C, "int main(void) { return 0; }\n").variable("OMP_NUM_THREADS");
    /// ```
    pub fn variable(mut self, name: impl Into<String>) -> Self {
        self.variables.push(name.into());
        self
    }

    /// However it ends is a yes: the status is what is asked for. One that cannot be loaded has not begun, and is a no.
    ///
    /// ```
    /// use dijitso::probe::{Language, Run};
    /// let question = Run::new(Language::C, "int main(void) { return 3; }\n").any_status();
    /// ```
    pub fn any_status(mut self) -> Self {
        self.any_status = true;
        self
    }
}

/// Whether a program did not begin, because a library or a symbol is missing.
fn is_of_loader(ran: &Ran) -> bool {
    let words = ["error while loading shared libraries", "symbol lookup error"];
    ran.status == 127 && words.iter().any(|words| ran.stderr.contains(words))
}

impl Question for Run {
    type Answer = Ran;

    fn describe(&self) -> String {
        self.name.clone().unwrap_or_else(|| named("run", &self.units, &self.settings))
    }

    fn evaluate(&self, known: &mut Knowledge<'_>) -> Result<Verdict<Ran>, Stop> {
        let given = self.name.as_ref().and_then(|name| known.session.given.get(name));
        if let Some((status, stdout)) = given {
            let ran = Ran { status: *status, stdout: stdout.clone(), stderr: String::new() };
            return Ok(match *status == 0 || self.any_status {
                true => Verdict::Yes(ran),
                false => Verdict::No(crate::probe::Reason::new("it is known to fail")),
            });
        }
        let goal = Goal::Run { args: self.args.clone(), variables: self.variables.clone() };
        let trial = Trial { name: self.name.clone(), ..self.trial(goal) };
        let ran = |told: &Arc<Told>| {
            let last = told.steps.last();
            last.map(|step| Ran {
                status: step.status,
                stdout: step.stdout.clone(),
                stderr: step.stderr.clone(),
            })
        };
        if self.any_status {
            let told = known.trial(&trial)?;
            // A unit each, the link, and the run.
            if told.steps.len() == self.units.len() + 2
                && let Some(ran) = ran(&told)
                && !is_of_loader(&ran)
            {
                return Ok(Verdict::Yes(ran));
            }
        }
        Ok(match known.accepts(&trial, "it does not run")? {
            Verdict::Yes(told) => match ran(&told) {
                Some(ran) => Verdict::Yes(ran),
                None => Verdict::Unknown(crate::probe::Reason::new("nothing was run")),
            },
            Verdict::No(reason) => Verdict::No(reason),
            Verdict::Unknown(reason) => Verdict::Unknown(reason),
        })
    }

    fn show(ran: &Ran) -> String {
        match ran.status {
            0 => ran.stdout.lines().next().unwrap_or_default().to_owned(),
            status => format!("status {status}"),
        }
    }
}
