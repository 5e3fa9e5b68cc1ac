//! What a module sees: its questions, its options, the other modules, and what it wants written.

use std::any::{Any, TypeId};
use std::panic::Location;
use std::path::Path;
use std::sync::Arc;

use super::failed::{Failed, FailureKind};
use super::flags::{GivenFlag, Stage};
use super::framework::{Framework, lock};
use super::module::{Child, Module};
use super::options::{Opt, OptionValue};
use super::outputs::{PkgConfig, Rule, Template, Wanted, mistake};
use crate::config::origin::Origin;
use crate::probe::{Language, Probes, Question, Questions, Settings, Verdict};

/// A module's view of the configuration.
///
/// BuildSystem: `self` of a configure object, and `self.framework`.
pub struct Cx<'f> {
    framework: &'f Framework,
    /// The modules that are being configured, this one last.
    path: Vec<String>,
}

impl std::fmt::Debug for Cx<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cx").field("path", &self.path).finish_non_exhaustive()
    }
}

impl<'f> Cx<'f> {
    pub(super) fn new(framework: &'f Framework, path: Vec<String>) -> Cx<'f> {
        Cx { framework, path }
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

    /// The project's name.
    ///
    /// ```
    /// # fn f(cx: &dijitso::configure::Cx<'_>) {
    /// println!("{}", cx.project());
    /// # }
    /// ```
    pub fn project(&self) -> &str {
        &self.framework.project
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

    /// The same of a module that one can do without: its failure is no failure of this one.
    ///
    /// ```
    /// use dijitso::configure::{Cx, Mpi};
    /// fn has_mpi(cx: &Cx<'_>) -> bool {
    ///     cx.optional::<Mpi>().is_some()
    /// }
    /// ```
    pub fn optional<M: Module>(&self) -> Option<Arc<M>> {
        match self.framework.module::<M>(&self.path) {
            Ok(module) => Some(module),
            Err(failed) => {
                self.note(format!("does without {}: {failed}", M::NAME));
                None
            }
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

    /// Where the configuration is written, if anywhere.
    ///
    /// ```
    /// # fn f(cx: &dijitso::configure::Cx<'_>) {
    /// println!("{:?}", cx.dir());
    /// # }
    /// ```
    pub fn dir(&self) -> Option<&Path> {
        self.framework.dir.as_deref()
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

    /// A macro for the header, with what a comment says about it. The value is C's text; an empty one defines the macro
    /// as nothing.
    ///
    /// BuildSystem: `addDefine`.
    ///
    /// What is wrong (two values, no name of C) makes the configuration fail when it is written.
    ///
    /// ```
    /// # fn f(cx: &dijitso::configure::Cx<'_>) {
    /// cx.define("HAVE_MPI", "1", "MPI was found");
    /// # }
    /// ```
    #[track_caller]
    pub fn define(&self, name: &str, value: impl Into<String>, why: &str) {
        let wanted = self.wanted(value.into(), why);
        self.write(|outputs| outputs.define(name, wanted));
    }

    /// A macro that must stay undefined, with the reason: the header says so in a comment.
    ///
    /// BuildSystem: `delDefine`; Autoconf's `/* #undef X */`.
    ///
    /// ```
    /// # fn f(cx: &dijitso::configure::Cx<'_>) {
    /// cx.undefine("HAVE_MPI", "there is no <mpi.h>");
    /// # }
    /// ```
    #[track_caller]
    pub fn undefine(&self, name: &str, why: &str) {
        let wanted = self.wanted(String::new(), why);
        self.write(|outputs| outputs.undefine(name, wanted));
    }

    /// A type for the header of types: `typedef <what> <name>;`.
    ///
    /// BuildSystem: `addTypedef`.
    ///
    /// ```
    /// # fn f(cx: &dijitso::configure::Cx<'_>) {
    /// cx.typedef("demo_index", "long long", "as wide as a pointer");
    /// # }
    /// ```
    #[track_caller]
    pub fn typedef(&self, name: &str, what: &str, why: &str) {
        let wanted = self.wanted(what.to_owned(), why);
        self.write(|outputs| outputs.typedef(name, wanted));
    }

    /// A prototype for the same header; `name` is what it declares.
    ///
    /// BuildSystem: `addPrototype`.
    ///
    /// ```
    /// # fn f(cx: &dijitso::configure::Cx<'_>) {
    /// cx.prototype("usleep", "int usleep(unsigned);", "no header declares it");
    /// # }
    /// ```
    #[track_caller]
    pub fn prototype(&self, name: &str, declaration: &str, why: &str) {
        let wanted = self.wanted(declaration.to_owned(), why);
        self.write(|outputs| outputs.prototype(name, wanted));
    }

    /// A macro for Make.
    ///
    /// BuildSystem: `addMakeMacro`.
    ///
    /// ```
    /// # fn f(cx: &dijitso::configure::Cx<'_>) {
    /// cx.make_macro("MPI_LIB", "-lmpi", "from mpicc");
    /// # }
    /// ```
    #[track_caller]
    pub fn make_macro(&self, name: &str, value: impl Into<String>, why: &str) {
        let wanted = self.wanted(value.into(), why);
        self.write(|outputs| outputs.make_macro(name, wanted));
    }

    /// A rule for Make.
    ///
    /// BuildSystem: `addMakeRule`.
    ///
    /// ```
    /// # fn f(cx: &dijitso::configure::Cx<'_>) {
    /// cx.make_rule("check", &["all"], &["./run-tests"]);
    /// # }
    /// ```
    #[track_caller]
    pub fn make_rule(&self, target: &str, prerequisites: &[&str], recipe: &[&str]) {
        let own = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        let rule = Rule { prerequisites: own(prerequisites), recipe: own(recipe), by: self.by() };
        self.write(|outputs| outputs.make_rule(target, rule));
    }

    /// What `@name@` stands for in templates.
    ///
    /// BuildSystem: `addSubstitution`.
    ///
    /// ```
    /// # fn f(cx: &dijitso::configure::Cx<'_>) {
    /// cx.substitute("VERSION", "1.2", "of the project");
    /// # }
    /// ```
    #[track_caller]
    pub fn substitute(&self, name: &str, value: impl Into<String>, why: &str) {
        let wanted = self.wanted(value.into(), why);
        self.write(|outputs| outputs.substitute(name, wanted));
    }

    /// The same for the value of an option.
    ///
    /// BuildSystem: `addArgumentSubstitution`.
    ///
    /// # Errors
    /// No module has declared the option.
    ///
    /// ```
    /// use dijitso::configure::{Cx, Failed, Opt};
    /// const LEVEL: Opt<i64> = Opt::int("with-level", 2, 0, 9, "how much is checked");
    /// fn configure(cx: &Cx<'_>) -> Result<(), Failed> {
    ///     cx.substitute_option("LEVEL", &LEVEL)
    /// }
    /// ```
    #[track_caller]
    pub fn substitute_option<T: OptionValue>(&self, name: &str, option: &Opt<T>) -> Result<(), Failed> {
        let (value, origin) = self.looked_up(option)?;
        let wanted = self.wanted(value.to_string(), &format!("--{}, {origin}", option.name()));
        self.write(|outputs| outputs.substitute(name, wanted));
        Ok(())
    }

    /// A template in which placeholders are replaced when the configuration is written: `from` as seen from the source
    /// directory, `to` as seen from the build directory.
    ///
    /// BuildSystem: `addSubstitutionFile`.
    ///
    /// ```
    /// # fn f(cx: &dijitso::configure::Cx<'_>) {
    /// cx.template("demo.conf.in", "demo.conf");
    /// # }
    /// ```
    #[track_caller]
    pub fn template(&self, from: impl AsRef<Path>, to: impl AsRef<Path>) {
        let (from, to) = (from.as_ref().to_owned(), to.as_ref().to_owned());
        let template = Template { from, to, by: self.by() };
        lock(&self.framework.outputs).templates.push(template);
    }

    /// A flag that everything is compiled or linked with.
    ///
    /// ```
    /// use dijitso::{configure::{Cx, Stage}, probe::Language};
    /// fn configure(cx: &Cx<'_>) {
    ///     cx.flag(Language::C, Stage::Compile, "-fno-math-errno");
    /// }
    /// ```
    #[track_caller]
    pub fn flag(&self, language: Language, stage: Stage, text: &str) {
        let origin = Origin::Module(format!("{} at {}", self.module(), place()));
        lock(&self.framework.outputs).flags.add(GivenFlag::new(text, Some(language), stage, origin));
    }

    /// What a question was answered with, for everything in a language; `None`: in all.
    ///
    /// ```
    /// use dijitso::{configure::Cx, probe::{Language, Settings}};
    /// fn configure(cx: &Cx<'_>, mpi: &Settings) {
    ///     cx.settings(Some(Language::C), mpi);
    /// }
    /// ```
    pub fn settings(&self, language: Option<Language>, settings: &Settings) {
        lock(&self.framework.outputs).flags.add_settings(language, settings);
    }

    /// The pkg-config file of the project: its flags are those of the configuration.
    ///
    /// ```
    /// # fn f(cx: &dijitso::configure::Cx<'_>) {
    /// cx.pkg_config("demo", "A demonstration", "1.2", &["ompi"]);
    /// # }
    /// ```
    pub fn pkg_config(&self, name: &str, description: &str, version: &str, requires: &[&str]) {
        let requires = requires.iter().map(|word| (*word).to_owned()).collect();
        let [name, description, version] = [name, description, version].map(str::to_owned);
        lock(&self.framework.outputs).pkg_config = Some(PkgConfig { name, description, version, requires });
    }

    /// What packages that depend on this one are told by cargo, if its manifest has `links`.
    ///
    /// ```
    /// # fn f(cx: &dijitso::configure::Cx<'_>) {
    /// cx.metadata("version", "1.2");
    /// # }
    /// ```
    #[track_caller]
    pub fn metadata(&self, name: &str, value: impl Into<String>) {
        let wanted = self.wanted(value.into(), "");
        self.write(|outputs| outputs.metadata(name, wanted));
    }

    /// A line of the summary that is printed at the end.
    ///
    /// BuildSystem: `__str__` of a configure object.
    ///
    /// ```
    /// # fn f(cx: &dijitso::configure::Cx<'_>) {
    /// cx.summary("MPI", "Open MPI 4.1");
    /// # }
    /// ```
    pub fn summary(&self, name: &str, value: impl Into<String>) {
        let line = (self.module().to_owned(), name.to_owned(), value.into());
        lock(&self.framework.outputs).summary.push(line);
    }

    fn write(&self, put: impl FnOnce(&mut super::outputs::Outputs) -> Result<(), Failed>) {
        if let Err(failed) = put(&mut lock(&self.framework.outputs)) {
            self.framework.log.mistake(failed.within(self.module()));
        }
    }

    #[track_caller]
    fn wanted(&self, value: String, why: &str) -> Wanted {
        Wanted { value, why: why.to_owned(), by: self.by() }
    }

    #[track_caller]
    fn by(&self) -> String {
        format!("module {} at {}", self.module(), place())
    }
}

#[track_caller]
fn place() -> String {
    let at = Location::caller();
    format!("{}:{}", at.file(), at.line())
}
