//! What every compiler must be able to do, and must not be able to do, before its answers are believed.
//!
//! A compiler that refuses an empty program has not said anything about a library; one that links a library that
//! cannot exist has not said anything either. Both are met: a wrapper of an uninstalled compiler, a cross compiler
//! without its start files, a linker that was told to ignore what is missing.

use super::ask::{Knowledge, Stop};
use super::fact::{Fact, Group};
use super::settings::Settings;
use super::trial::{Goal, Trial};
use crate::config::origin::{Flag, Origin};
use crate::toolchain::Language;

/// No library is called so.
const NO_LIBRARY: &str = "dijitso_there_is_no_such_library";

/// No function is called so.
const NO_FUNCTION: &str = "dijitso_there_is_no_such_function";

/// An empty program, taken as far as that.
pub(crate) fn empty(goal: Goal, language: Language, settings: &Settings) -> Trial {
    let text = match language {
        Language::Fortran => "program dijitso_empty\nend program\n",
        _ => "int main(void) { return 0; }\n",
    };
    Trial::new(goal, language, text, settings)
}

/// Whether, with the flags that every question has, an empty program comes as far as this trial should have.
///
/// `steps` are the programs that were run for it: what does not link needs nothing that runs.
pub(crate) fn works(known: &mut Knowledge<'_>, trial: &Trial, steps: usize) -> Result<(), Stop> {
    let goal = match &trial.goal {
        Goal::Run { .. } if steps < trial.units.len() + 2 => Goal::Link,
        Goal::Object | Goal::Compile => Goal::Compile,
        Goal::Fused | Goal::Link => Goal::Link,
        Goal::Macros(_) | Goal::Preprocess => Goal::Preprocess,
        Goal::Run { .. } => Goal::Run { args: Vec::new(), variables: Vec::new() },
    };
    let mut languages: Vec<Language> = trial.units.iter().map(|unit| unit.language).collect();
    if goal.links() {
        languages.push(trial.linker);
    }
    languages.dedup();
    for language in languages {
        let mut control = empty(goal.clone(), language, &Settings::default());
        control.name = Some(format!("an empty {language} program"));
        let told = known.trial(&control)?;
        if !told.success {
            let verb = match goal {
                Goal::Preprocess => "preprocess",
                Goal::Compile => "compile",
                Goal::Link => "link",
                _ => "run",
            };
            let text = format!(
                "the {language} compiler cannot even {verb} an empty program: {}",
                told.first_error()
            );
            return Err(Stop::Unknown(known.reason(text, &control, &told)));
        }
    }
    Ok(())
}

/// Whether what is wrong is refused: a text with `#error` in it, a library that cannot exist.
pub(crate) fn refuses(known: &mut Knowledge<'_>, trial: &Trial) -> Result<(), Stop> {
    let language = trial.units[0].language;
    let (control, wrong) = if trial.goal.links() {
        let settings = Settings::new().lib(NO_LIBRARY).asked_by(Origin::Default);
        (empty(Goal::Link, trial.linker, &settings), "links a library that cannot exist")
    } else {
        let text = match language {
            Language::Fortran => "program dijitso_wrong\nthis is no fortran\nend program\n",
            _ => "#error dijitso asks whether this is refused\n",
        };
        (Trial::new(Goal::Compile, language, text, &Settings::default()), "compiles a text that is wrong")
    };
    let told = known.trial(&control)?;
    match told.success {
        false => Ok(()),
        true => {
            let text = format!("the {language} compiler {wrong}: its answers mean nothing");
            Err(Stop::Unknown(known.reason(text, &control, &told)))
        }
    }
}

/// Whether a symbol that nobody defines is missed, by a link with the flags that a question's own link has.
///
/// It has the form of the questions whose answers rest on it: a linker that drops what it need not keep, or is told to
/// let symbols be, treats both alike.
pub(crate) fn misses(known: &mut Knowledge<'_>, language: Language, settings: &Settings) -> Result<(), Stop> {
    let settings = flags_of_link(settings);
    let control = match language {
        Language::Fortran => {
            let text = "program dijitso_wrong\ncall dijitso_there_is_no_such_function()\nend program\n";
            Trial::new(Goal::Link, language, text, &settings)
        }
        _ => {
            let fact = Fact::Function {
                declaration: format!("char {NO_FUNCTION}(void);"),
                call: format!("{NO_FUNCTION}();"),
            };
            Group::new(language, &[], &settings).trial(fact.class(), &[(0, &fact)])
        }
    };
    let told = known.trial(&control)?;
    match told.success {
        false => Ok(()),
        true => {
            let text = format!(
                "the {language} linker does not miss a function that nobody defines: its answers mean nothing"
            );
            Err(Stop::Unknown(known.reason(text, &control, &told)))
        }
    }
}

/// Without headers and libraries, which decide nothing about what a linker does with a symbol that is missing: so many
/// questions have one control.
fn flags_of_link(settings: &Settings) -> Settings {
    let is_flag = |lib: &&Flag| lib.text.starts_with('-') && !lib.text.starts_with("-l");
    Settings {
        libs: settings.libs.iter().filter(is_flag).cloned().collect(),
        include_dirs: Vec::new(),
        lib_dirs: Vec::new(),
        compile: settings.compile.iter().filter(|flag| !flag.text.starts_with("-D")).cloned().collect(),
        ..settings.clone()
    }
}

/// Whether a flag that cannot exist is refused, by complaint or by exit: else flags cannot be asked about.
pub(crate) const NO_FLAG: &str = "-fdijitso-there-is-no-such-flag";
pub(crate) const NO_LINK_FLAG: &str = "-Wl,--dijitso-there-is-no-such-flag";
