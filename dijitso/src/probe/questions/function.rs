//! Whether a function can be called: by its name, or by what a header declares.

use super::{Knowledge, Question, Sealed, Stop, Verdict, after, common, line, worded};
use crate::probe::control;
use crate::probe::fact::{Fact, Group};
use crate::probe::settings::Settings;
use crate::probe::trial::{Goal, Trial};
use crate::toolchain::Language;

/// Whether a function is defined by what is linked.
///
/// Without a header it is looked for by its name, as Autoconf does. With one ([`after`](Self::after)) it must be
/// declared there, too; and a call ([`called`](Self::called)) asks for an overloaded function, a method, a template.
/// Each question brings its own libraries. Those with the same headers and settings are one text and one link.
///
/// BuildSystem: `functions.check`, and `libraries.check` with a prototype and a call.
///
/// ```no_run
/// use dijitso::probe::{Function, Language, Probes, Settings};
///
/// # fn f(probes: &Probes) {
/// let m = Settings::new().lib("m");
/// let (cosh, sqrt) = probes.ask_all((
///     Function::new("cosh").after("math.h").with(&m),
///     Function::called("std::sqrt(std::complex<double>(-1.0))").after("complex").in_language(Language::Cxx),
/// ));
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct Function {
    name: String,
    /// Whether `name` is a call.
    call: bool,
    language: Language,
    settings: Settings,
    prelude: Vec<String>,
}

common!(Function, "Function::new(\"cosh\")");
after!(Function, "Function::new(\"cosh\")");

impl Function {
    /// A function by its name; in Fortran a subroutine, called without arguments.
    ///
    /// ```
    /// let question = dijitso::probe::Function::new("gethostname");
    /// ```
    pub fn new(name: impl Into<String>) -> Function {
        let (settings, prelude) = (Settings::new(), Vec::new());
        Function { name: name.into(), call: false, language: Language::C, settings, prelude }
    }

    /// Whatever an expression calls.
    ///
    /// ```
    /// let question = dijitso::probe::Function::called("pthread_self()").after("pthread.h");
    /// ```
    pub fn called(expression: impl Into<String>) -> Function {
        Function { call: true, ..Function::new(expression) }
    }

    fn fact(&self) -> Fact {
        let name = &self.name;
        let (declaration, call) = if self.call {
            (String::new(), format!("(void)({name});"))
        } else if self.prelude.is_empty() {
            // No builtin gets in the way: they are switched off.
            (format!("char {name}(void);"), format!("{name}();"))
        } else {
            // Its address, because its arguments are not known. It is stored, or no symbol would be asked for.
            let pointer = "void (*volatile dijitso_p)(void)";
            (String::new(), format!("{pointer} = (void (*)(void))&{name}; (void)dijitso_p;"))
        };
        Fact::Function { declaration, call }
    }

    /// The same question in a program of its own: Fortran calls are not fused.
    fn program(&self) -> Trial {
        let prelude: String = self.prelude.iter().map(|line| format!("{line}\n")).collect();
        let call = if self.call { self.name.clone() } else { format!("call {}()", self.name) };
        let text = format!("program dijitso_call\n{prelude}{call}\nend program\n");
        Trial::new(Goal::Link, Language::Fortran, text, &self.settings)
    }

    /// With the settings of what it is looked for in, and its own.
    pub(super) fn verdict(&self, known: &mut Knowledge<'_>, around: &Settings) -> Result<Verdict<()>, Stop> {
        let settings = &around.clone().and(&self.settings);
        if self.language == Language::Fortran {
            let asked = Function { settings: settings.clone(), ..self.clone() };
            let verdict = known.accepts(&asked.program(), &format!("{} cannot be called", self.name));
            let misses = control::misses(known, self.language, settings);
            let verdict = verdict?;
            misses?;
            return Ok(verdict.map(|_| ()));
        }
        let group = Group::new(self.language, &self.prelude, settings);
        Ok(known.believed(&group, &self.fact())?.map(|_| ()))
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }
}

impl Question for Function {
    type Answer = ();

    fn describe(&self) -> String {
        let Function { name, language, settings, .. } = self;
        worded(format!("function {name} ({language})"), settings)
    }

    fn evaluate(&self, known: &mut Knowledge<'_>) -> Result<Verdict<()>, Stop> {
        self.verdict(known, &Settings::new())
    }

    fn show((): &()) -> String {
        String::new()
    }
}
