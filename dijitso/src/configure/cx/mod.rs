//! What a module sees: its questions, its options, the other modules, and what it wants written.

mod emit;
mod place;

use std::any::{Any, TypeId};
use std::cell::RefCell;
use std::sync::Arc;

pub(super) use place::PREFIX;

use super::failed::{Failed, FailureKind};
use super::framework::{Framework, lock};
use super::module::{Child, Module};
use super::options::{Opt, OptionValue};
use super::outputs::{Put, mistake};
use crate::config::origin::Origin;
use crate::probe::{Probes, Question, Questions, Settings, Verdict};

/// A module's view of the configuration.
///
/// It stays on the thread of its module: what can run side by side is put into one [`all`](Self::all).
///
/// ```compile_fail,E0277
/// fn shared_by_threads<T: Sync>() {}
/// shared_by_threads::<dijitso::configure::Cx<'static>>();
/// ```
///
/// BuildSystem: `self` of a configure object, and `self.framework`.
pub struct Cx<'f> {
    framework: &'f Framework,
    /// The modules that are being configured, this one last.
    path: Vec<String>,
    /// What is to be written, if the module does not fail.
    puts: RefCell<Vec<Put>>,
}

impl std::fmt::Debug for Cx<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cx").field("path", &self.path).finish_non_exhaustive()
    }
}

impl<'f> Cx<'f> {
    pub(super) fn new(framework: &'f Framework, path: Vec<String>) -> Cx<'f> {
        Cx { framework, path, puts: RefCell::default() }
    }

    pub(super) fn into_puts(self) -> Vec<Put> {
        self.puts.into_inner()
    }

    /// The name of this module.
    ///
    /// ```
    /// # fn f(cx: &dijitso::configure::Cx<'_>) {
    /// assert!(!cx.module().is_empty());
    /// # }
    /// ```
    pub fn module(&self) -> &str {
        self.path.last().map_or("", String::as_str)
    }

    /// The result of another module, which is configured now if it was not before.
    ///
    /// BuildSystem: `framework.require`.
    ///
    /// # Errors
    /// That module failed, or requires this one.
    ///
    /// ```
    /// use dijitso::configure::{Cx, Failed, Mpi};
    /// fn configure(cx: &Cx<'_>) -> Result<bool, Failed> {
    ///     Ok(cx.require::<Mpi>()?.fortran)
    /// }
    /// ```
    pub fn require<M: Module>(&self) -> Result<Arc<M>, Failed> {
        self.framework.module::<M>(&self.path)
    }

    /// The same of a module that one can do without: that it is not there is no failure of this one. If the user asked for
    /// it (see [`Failed::demanded`]), the configuration fails nevertheless.
    ///
    /// # Errors
    /// Nobody could say whether it is there (the machine was in trouble), or the modules have a mistake: that must not
    /// become a feature that is missing.
    ///
    /// ```
    /// use dijitso::configure::{Cx, Failed, Mpi};
    /// fn has_mpi(cx: &Cx<'_>) -> Result<bool, Failed> {
    ///     Ok(cx.optional::<Mpi>()?.is_some())
    /// }
    /// ```
    pub fn optional<M: Module>(&self) -> Result<Option<Arc<M>>, Failed> {
        match self.framework.module::<M>(&self.path) {
            Ok(module) => Ok(Some(module)),
            Err(failed) if failed.is_absence() => {
                self.note(format!("does without {}: {failed}", M::NAME));
                Ok(None)
            }
            Err(failed) => Err(failed),
        }
    }

    /// One module of a kind, by its key.
    ///
    /// BuildSystem: `framework.addChild`, and `require` in a loop.
    ///
    /// # Errors
    /// That module failed, or requires this one.
    ///
    /// ```
    /// # use dijitso::configure::{Child, Cx, Failed};
    /// fn all<C: Child<Key = String>>(cx: &Cx<'_>, names: &[String]) -> Result<(), Failed> {
    ///     names.iter().try_for_each(|name| cx.child::<C>(name).map(|_| ()))
    /// }
    /// ```
    pub fn child<C: Child>(&self, key: &C::Key) -> Result<Arc<C>, Failed> {
        self.framework.child::<C>(key, &self.path)
    }

    /// The session that questions are put to.
    ///
    /// ```
    /// # fn f(cx: &dijitso::configure::Cx<'_>) {
    /// println!("{} processes so far", cx.probes().stats().processes);
    /// # }
    /// ```
    pub fn probes(&self) -> &Probes {
        &self.framework.probes
    }

    /// Asks one question.
    ///
    /// ```
    /// use dijitso::{configure::Cx, probe::Header};
    /// fn has_mpi(cx: &Cx<'_>) -> bool {
    ///     cx.ask(&Header::new("mpi.h")).is_yes()
    /// }
    /// ```
    pub fn ask<Q: Question>(&self, question: &Q) -> Verdict<Q::Answer> {
        let mut notes = Vec::new();
        let verdict = self.framework.probes.ask_one_noted(question, &mut notes);
        self.framework.log.questions(self.module(), notes);
        verdict
    }

    /// Asks several questions side by side: a tuple, an array, a `Vec`.
    ///
    /// ```
    /// use dijitso::{configure::Cx, probe::{Header, Size}};
    /// fn ask(cx: &Cx<'_>) {
    ///     let (header, int) = cx.all((Header::new("mpi.h"), Size::new("int")));
    /// }
    /// ```
    pub fn all<Q: Questions>(&self, questions: Q) -> Q::Verdicts {
        let mut notes = Vec::new();
        let verdicts = self.framework.probes.ask_noted(&questions, &mut notes);
        self.framework.log.questions(self.module(), notes);
        verdicts
    }

    /// What must be so.
    ///
    /// # Errors
    /// The answer is no yes.
    ///
    /// ```
    /// use dijitso::{configure::{Cx, Failed}, probe::Size};
    /// fn bytes(cx: &Cx<'_>) -> Result<u64, Failed> {
    ///     cx.need(&Size::new("long"))
    /// }
    /// ```
    pub fn need<Q: Question>(&self, question: &Q) -> Result<Q::Answer, Failed> {
        match self.ask(question) {
            Verdict::Yes(answer) => Ok(answer),
            Verdict::No(reason) => {
                Err(Failed::of_question(question.describe(), reason, false).within(self.module()))
            }
            Verdict::Unknown(reason) => {
                Err(Failed::of_question(question.describe(), reason, true).within(self.module()))
            }
        }
    }

    /// What may be so.
    ///
    /// # Errors
    /// Nobody could say: that must not become a feature that is missing.
    ///
    /// ```
    /// use dijitso::{configure::{Cx, Failed}, probe::CompilerFlag};
    /// fn flag(cx: &Cx<'_>) -> Result<bool, Failed> {
    ///     Ok(cx.want(&CompilerFlag::new("-fopenmp").defines("_OPENMP"))?.is_some())
    /// }
    /// ```
    pub fn want<Q: Question>(&self, question: &Q) -> Result<Option<Q::Answer>, Failed> {
        match self.ask(question) {
            Verdict::Yes(answer) => Ok(Some(answer)),
            Verdict::No(_) => Ok(None),
            Verdict::Unknown(reason) => {
                Err(Failed::of_question(question.describe(), reason, true).within(self.module()))
            }
        }
    }

    /// The value of an option.
    ///
    /// # Errors
    /// No module has declared it: it is missing in [`Module::options`].
    ///
    /// ```
    /// use dijitso::configure::{Cx, Failed, Opt};
    /// const LEVEL: Opt<i64> = Opt::int("with-level", 2, 0, 9, "how much is checked");
    /// fn level(cx: &Cx<'_>) -> Result<i64, Failed> {
    ///     cx.get(&LEVEL)
    /// }
    /// ```
    pub fn get<T: OptionValue>(&self, option: &Opt<T>) -> Result<T, Failed> {
        let (value, _) = self.looked_up(option)?;
        T::of(&value)
            .ok_or_else(|| mistake(format!("the option --{} is declared with another type", option.name())))
    }

    /// Who set an option.
    ///
    /// # Errors
    /// No module has declared it.
    ///
    /// ```
    /// # use dijitso::configure::{Cx, Failed, Opt};
    /// # const LEVEL: Opt<i64> = Opt::int("with-level", 2, 0, 9, "how much is checked");
    /// fn told(cx: &Cx<'_>) -> Result<String, Failed> {
    ///     Ok(format!("{} ({})", cx.get(&LEVEL)?, cx.origin(&LEVEL)?))
    /// }
    /// ```
    pub fn origin<T: OptionValue>(&self, option: &Opt<T>) -> Result<Origin, Failed> {
        self.looked_up(option).map(|(_, origin)| origin)
    }

    fn looked_up<T>(&self, option: &Opt<T>) -> Result<(super::options::Value, Origin), Failed> {
        let declared = self.framework.options.get(option.name()).ok_or_else(|| {
            let name = option.name();
            mistake(format!("the option --{name} is used by {} and declared by no module", self.module()))
        })?;
        Ok(self.framework.given.value(declared))
    }

    /// What must not be written down.
    pub(super) fn secrets(&self) -> &super::log::Secrets {
        self.framework.log.secrets()
    }

    /// Gives a value to all modules that ask for its type: the architecture, the precision, a directory.
    ///
    /// BuildSystem: provider modules (`archProvider`, `precisionProvider`, `installDirProvider`).
    ///
    /// # Errors
    /// Somebody else provides a value of this type.
    ///
    /// ```
    /// use dijitso::configure::{Cx, Failed};
    /// struct Precision(&'static str);
    /// fn configure(cx: &Cx<'_>) -> Result<(), Failed> {
    ///     cx.provide(Precision("double"))
    /// }
    /// ```
    pub fn provide<T: Any + Send + Sync>(&self, value: T) -> Result<(), Failed> {
        let mut provided = lock(&self.framework.provided);
        if let Some((_, by)) = provided.get(&TypeId::of::<T>()) {
            let kind = std::any::type_name::<T>();
            return Err(mistake(format!("{kind} is provided by {by} and by {}", self.module())));
        }
        provided.insert(TypeId::of::<T>(), (Arc::new(value), self.module().to_owned()));
        Ok(())
    }

    /// A value that the program or another module provides.
    ///
    /// # Errors
    /// Nobody does.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use dijitso::configure::{Cx, Failed};
    /// struct Precision(&'static str);
    /// fn precision(cx: &Cx<'_>) -> Result<Arc<Precision>, Failed> {
    ///     cx.provided::<Precision>()
    /// }
    /// ```
    pub fn provided<T: Any + Send + Sync>(&self) -> Result<Arc<T>, Failed> {
        let value = lock(&self.framework.provided).get(&TypeId::of::<T>()).map(|(value, _)| value.clone());
        value.and_then(|value| value.downcast().ok()).ok_or_else(|| {
            let kind = std::any::type_name::<T>();
            mistake(format!(
                "{} needs a {kind}, which nobody provides: require the module that does, or give one to the builder",
                self.module()
            ))
        })
    }

    /// Builds a package from its tarball, unless that was done before with the same tarball, arguments and compilers; the
    /// answer has its directories, and lacks its libraries.
    ///
    /// BuildSystem: `--download-x`.
    ///
    /// # Errors
    /// The tarball is not what its digest says, a step of the build fails, or the configuration has no
    /// [directory](super::Configure::dir).
    ///
    /// ```no_run
    /// use dijitso::{configure::{BuildWith, Cx, Failed, Recipe}, probe::Settings};
    /// fn build(cx: &Cx<'_>, sha256: &str) -> Result<Settings, Failed> {
    ///     Ok(cx.build(&Recipe::new("x", "/src/x-1.0.tar.gz", sha256, BuildWith::Autotools))?.lib("x"))
    /// }
    /// ```
    pub fn build(&self, recipe: &super::packages::Recipe) -> Result<Settings, Failed> {
        super::packages::build(self, recipe, self.framework.probes.session().jobs())
    }

    /// Whether a flag came with the configuration, and not from where every `Jit` has it, too.
    pub(in crate::configure) fn is_own(&self, origin: &Origin) -> bool {
        match origin {
            Origin::Environment(name) => !matches!(name.as_str(), "CXXFLAGS" | "CPPFLAGS" | "LDFLAGS"),
            Origin::ConfigFile(path, _) => self.framework.options_file.as_ref() == Some(path),
            _ => true,
        }
    }

    /// A failure of this module, in its own words.
    ///
    /// ```
    /// # use dijitso::configure::{Cx, Failed};
    /// fn configure(cx: &Cx<'_>) -> Result<(), Failed> {
    ///     Err(cx.fail("this machine is too small"))
    /// }
    /// ```
    pub fn fail(&self, text: impl Into<String>) -> Failed {
        Failed::new(FailureKind::No, text).within(self.module())
    }

    /// Says something in the log.
    ///
    /// BuildSystem: `self.logPrint`.
    ///
    /// ```
    /// # fn f(cx: &dijitso::configure::Cx<'_>) {
    /// cx.note("looks at the old place, too");
    /// # }
    /// ```
    pub fn note(&self, text: impl Into<String>) {
        self.framework.log.note(self.module(), &text.into());
    }
}
