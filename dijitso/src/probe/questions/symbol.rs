//! Whether a name that is no function is declared, or defined by what is linked.

use super::{Knowledge, Question, Sealed, Stop, Verdict, after, common, line, worded};
use crate::probe::fact::{Fact, Group};
use crate::probe::settings::Settings;
use crate::toolchain::Language;

/// Whether what is linked defines a symbol: a variable, or anything else that has an address. C and C++.
///
/// Without a header it is looked for by its name. With one ([`after`](Self::after)) it must be declared there, too; and
/// whether it is [only declared](Self::declared), as a variable, a function, an enumerator or a macro, is asked without a
/// link. Functions have a question of their own: [`Function`](super::Function).
///
/// Autoconf: `AC_CHECK_DECL`; BuildSystem writes such tests with `checkCompile` and `checkLink`.
///
/// ```no_run
/// use dijitso::probe::{Probes, Symbol};
///
/// # fn f(probes: &Probes) {
/// let (environ, fileno) = probes.ask_all((
///     Symbol::new("environ"),
///     Symbol::new("fileno").after("stdio.h").declared(),
/// ));
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct Symbol {
    name: String,
    declared: bool,
    language: Language,
    settings: Settings,
    prelude: Vec<String>,
}

common!(Symbol, "Symbol::new(\"environ\")");
after!(Symbol, "Symbol::new(\"environ\")");

impl Symbol {
    /// A symbol by its name.
    ///
    /// ```
    /// let question = dijitso::probe::Symbol::new("environ");
    /// ```
    pub fn new(name: impl Into<String>) -> Symbol {
        let (settings, prelude) = (Settings::new(), Vec::new());
        Symbol { name: name.into(), declared: false, language: Language::C, settings, prelude }
    }

    /// Whether it is declared is enough; a macro is, too. Nothing is linked.
    ///
    /// ```
    /// let question = dijitso::probe::Symbol::new("EOWNERDEAD").after("errno.h").declared();
    /// ```
    pub fn declared(mut self) -> Self {
        self.declared = true;
        self
    }

    fn fact(&self) -> Fact {
        let name = &self.name;
        if self.declared {
            return Fact::Accepts(format!("#ifndef {name}\nstatic void @(void) {{ (void){name}; }}\n#endif"));
        }
        let (declaration, address) = match self.prelude.is_empty() {
            // In C++ it stands behind `extern "C"`, which says it already.
            true if self.language == Language::Cxx => (format!("char {name}[];"), name.clone()),
            true => (format!("extern char {name}[];"), name.clone()),
            false => (String::new(), format!("&{name}")),
        };
        // It is stored, or no symbol would be asked for.
        let call = format!(
            "const volatile void *volatile dijitso_p = (const volatile void *){address}; (void)dijitso_p;"
        );
        Fact::Function { declaration, call }
    }
}

impl Question for Symbol {
    type Answer = ();

    fn describe(&self) -> String {
        let Symbol { name, language, settings, .. } = self;
        let kind = if self.declared { "declaration of" } else { "symbol" };
        worded(format!("{kind} {name} ({language})"), settings)
    }

    fn evaluate(&self, known: &mut Knowledge<'_>) -> Result<Verdict<()>, Stop> {
        let settings = if self.declared { self.settings.of_compile() } else { self.settings.clone() };
        let group = Group::new(self.language, &self.prelude, &settings);
        Ok(known.believed(&group, &self.fact())?.map(|_| ()))
    }

    fn show((): &()) -> String {
        String::new()
    }
}
