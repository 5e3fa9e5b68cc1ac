//! Asking: the session as programs see it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::ask::Knowledge;
use super::batch::{Batch, Launcher, Progress};
use super::memory::{Disagreement, Memory};
use super::questions::{Note, Question, Questions, evaluate};
use super::session::{Choices, Session};
use super::settings::{Settings, push};
use super::verdict::Verdict;
use crate::config::env::Environment;
use crate::config::origin::{Flag, Origin};
use crate::config::params::Params;
use crate::config::{Config, Sourced};
use crate::error::{Error, Result};
use crate::stats::Stats;
use crate::toolchain::{Language, absolute_paths};

/// A session of questions: compilers, flags that every question has, and what is known. Cheap to clone.
///
/// The compilers are `CC`, `CXX` and `FC`, else those that are usual; each is looked for when it is first needed.
/// Every question has the flags of `CFLAGS`, `CXXFLAGS` or `FCFLAGS`, `CPPFLAGS` and `LDFLAGS`, and those of the
/// builder. Within a session the environment is that of its beginning, and nothing is asked twice.
///
/// BuildSystem has the modules `setCompilers` and `compilers` for it.
///
/// ```no_run
/// use dijitso::probe::{Probes, Size};
///
/// # fn main() -> dijitso::Result<()> {
/// let probes = Probes::builder().build()?;
/// assert_eq!(probes.ask(&Size::new("double")).yes(), Some(8));
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct Probes(Arc<Session>);

impl Probes {
    /// A session to be described.
    ///
    /// ```
    /// let builder = dijitso::probe::Probes::builder().jobs(2);
    /// ```
    pub fn builder() -> ProbesBuilder {
        ProbesBuilder::default()
    }

    /// Asks one question.
    ///
    /// ```no_run
    /// # fn f(probes: &dijitso::probe::Probes) {
    /// let there = probes.ask(&dijitso::probe::Header::new("mpi.h"));
    /// println!("{}", there.word());
    /// # }
    /// ```
    pub fn ask<Q: Question>(&self, question: &Q) -> Verdict<Q::Answer> {
        self.until_known(|known, notes| evaluate(question, known, notes), &mut Vec::new())
    }

    /// Asks many questions, side by side: a tuple, an array, or a `Vec` of them.
    ///
    /// ```no_run
    /// use dijitso::probe::{Header, Size};
    /// # fn f(probes: &dijitso::probe::Probes) {
    /// let (long, pointer) = probes.ask_all((Size::new("long"), Size::new("void *")));
    /// let there = probes.ask_all(["math.h", "mpi.h"].map(Header::new));
    /// # }
    /// ```
    pub fn ask_all<Q: Questions>(&self, questions: Q) -> Q::Verdicts {
        self.until_known(|known, notes| questions.evaluate_all(known, notes), &mut Vec::new())
    }

    /// The same, with a note about each question for whoever writes a log.
    pub(crate) fn ask_noted<Q: Questions>(&self, questions: &Q, notes: &mut Vec<Note>) -> Q::Verdicts {
        self.until_known(|known, notes| questions.evaluate_all(known, notes), notes)
    }

    pub(crate) fn ask_one_noted<Q: Question>(
        &self,
        question: &Q,
        notes: &mut Vec<Note>,
    ) -> Verdict<Q::Answer> {
        self.until_known(|known, notes| evaluate(question, known, notes), notes)
    }

    fn until_known<A>(
        &self,
        evaluate: impl Fn(&mut Knowledge<'_>, &mut Vec<Note>) -> Option<A>,
        notes: &mut Vec<Note>,
    ) -> A {
        loop {
            let mut known = Knowledge { session: &self.0, needs: Vec::new(), used: Vec::new() };
            let mut new = Vec::new();
            if let Some(answers) = evaluate(&mut known, &mut new) {
                notes.append(&mut new);
                self.0.forget_unknown();
                return answers;
            }
            self.0.find_out(known.needs);
        }
    }

    /// Submits the job for the programs that wait for one, and waits for it if its launcher does. Whether it has run: then
    /// the questions can be asked again.
    ///
    /// # Errors
    /// [`Error::Configure`]: the job cannot be submitted, or ended without an answer.
    ///
    /// ```no_run
    /// # fn f(probes: &dijitso::probe::Probes, question: &dijitso::probe::Run) -> dijitso::Result<()> {
    /// let mut verdict = probes.ask(question);
    /// if probes.run_batch()? {
    ///     verdict = probes.ask(question);
    /// }
    /// # Ok(()) }
    /// ```
    pub fn run_batch(&self) -> Result<bool> {
        match self.0.go_on() {
            Ok(Progress::Done) => Ok(true),
            Ok(Progress::Nothing | Progress::Waiting(_)) => Ok(false),
            Err(problem) => Err(Error::Configure { problem, card: String::new() }),
        }
    }

    /// What was remembered and turned out to be wrong, of a [shadow](ProbesBuilder::shadow) session.
    ///
    /// ```no_run
    /// # fn f(probes: &dijitso::probe::Probes) {
    /// assert!(probes.disagreements().is_empty());
    /// # }
    /// ```
    pub fn disagreements(&self) -> Vec<Disagreement> {
        self.0.disagreements()
    }

    /// What was done in this session: `processes` counts every program that was started.
    ///
    /// ```no_run
    /// # fn f(probes: &dijitso::probe::Probes) {
    /// println!("{} processes", probes.stats().processes);
    /// # }
    /// ```
    pub fn stats(&self) -> Stats {
        self.0.counters.snapshot()
    }

    /// The commands that answers rest on.
    pub(crate) fn commands_of(&self, used: &[crate::signature::Signature]) -> Vec<String> {
        let known = used.iter().filter_map(|key| self.0.known(key)?.ok());
        known.flat_map(|answer| answer.commands()).collect()
    }

    pub(crate) fn session(&self) -> &Session {
        &self.0
    }
}

/// Describes a session of questions.
///
/// ```no_run
/// use dijitso::probe::{Language, Probes};
///
/// # fn main() -> dijitso::Result<()> {
/// let probes = Probes::builder().compiler(Language::Cxx, "clang++").compile_flag(Language::Cxx, "-O2").build()?;
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, Default)]
#[must_use = "call `.build()`"]
pub struct ProbesBuilder {
    params: Params,
    compilers: BTreeMap<Language, (String, Origin)>,
    flags: BTreeMap<Language, Settings>,
    memory: Memory,
    alone: bool,
    /// Instead of the process's own.
    environment: Option<Environment>,
    batch: Option<(PathBuf, Launcher)>,
    given: BTreeMap<String, (i32, String)>,
}

impl ProbesBuilder {
    /// The compiler for a language, with words before it if need be.
    ///
    /// ```
    /// use dijitso::probe::{Language, Probes};
    /// let builder = Probes::builder().compiler(Language::C, "ccache gcc");
    /// ```
    pub fn compiler(self, language: Language, command: impl Into<String>) -> Self {
        self.compiler_from(language, command, Origin::Builder)
    }

    pub(crate) fn compiler_from(
        mut self,
        language: Language,
        command: impl Into<String>,
        origin: Origin,
    ) -> Self {
        self.compilers.insert(language, (command.into(), origin));
        self
    }

    /// A flag that every compile of a language has, after those of the environment.
    ///
    /// ```
    /// use dijitso::probe::{Language, Probes};
    /// let builder = Probes::builder().compile_flag(Language::C, "-std=c99");
    /// ```
    pub fn compile_flag(self, language: Language, flag: impl Into<String>) -> Self {
        self.compile_flag_from(language, Flag::new(flag, Origin::Builder))
    }

    pub(crate) fn compile_flag_from(mut self, language: Language, flag: Flag) -> Self {
        push(&mut self.flags.entry(language).or_default().compile, flag);
        self
    }

    /// A flag that every link by a language's compiler has.
    ///
    /// ```
    /// use dijitso::probe::{Language, Probes};
    /// let builder = Probes::builder().link_flag(Language::C, "-fuse-ld=lld");
    /// ```
    pub fn link_flag(self, language: Language, flag: impl Into<String>) -> Self {
        self.link_flag_from(language, Flag::new(flag, Origin::Builder))
    }

    pub(crate) fn link_flag_from(mut self, language: Language, flag: Flag) -> Self {
        push(&mut self.flags.entry(language).or_default().link, flag);
        self
    }

    /// Where answers are remembered (default: dijitso's cache directory).
    ///
    /// ```
    /// let builder = dijitso::probe::Probes::builder().cache_dir("/tmp/probes");
    /// ```
    pub fn cache_dir(mut self, dir: impl AsRef<Path>) -> Self {
        self.params.cache.dir = Some(dir.as_ref().to_owned());
        self
    }

    /// How many programs may run at once (default: one for each core).
    ///
    /// ```
    /// let builder = dijitso::probe::Probes::builder().jobs(1);
    /// ```
    pub fn jobs(mut self, jobs: usize) -> Self {
        self.params.build.jobs = Some(jobs);
        self
    }

    /// How long one compiler may run (default: 600 s; a program that is asked to run: at most 60 s).
    ///
    /// ```
    /// let builder = dijitso::probe::Probes::builder().timeout(std::time::Duration::from_secs(30));
    /// ```
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.params.build.timeout = Some(timeout);
        self
    }

    /// Asks everything, and compares it with what is remembered and should still hold: see
    /// [`Probes::disagreements`].
    ///
    /// ```
    /// let builder = dijitso::probe::Probes::builder().shadow();
    /// ```
    pub fn shadow(mut self) -> Self {
        self.memory = Memory::Shadow;
        self
    }

    /// Asks everything, and remembers nothing.
    ///
    /// ```
    /// let builder = dijitso::probe::Probes::builder().without_cache();
    /// ```
    pub fn without_cache(mut self) -> Self {
        self.memory = Memory::None;
        self
    }

    /// Takes no compiler and no flag from the environment and the user's configuration file.
    ///
    /// ```
    /// let builder = dijitso::probe::Probes::builder().without_environment_flags();
    /// ```
    pub fn without_environment_flags(mut self) -> Self {
        self.alone = true;
        self
    }

    /// Programs that are asked to run are run by this launcher, in one job, and not on this machine. What belongs to the
    /// job is in `dir`, from which a later process takes the answers.
    ///
    /// ```
    /// use dijitso::probe::{Launcher, Probes};
    /// let builder = Probes::builder().launcher("batch", Launcher::slurm());
    /// ```
    pub fn launcher(mut self, dir: impl Into<PathBuf>, launcher: Launcher) -> Self {
        self.batch = Some((dir.into(), launcher));
        self
    }

    pub(crate) fn without_launcher(mut self) -> Self {
        self.batch = None;
        self
    }

    /// The answer of a program that is known, by the [name](super::Run::named) of the question: it is not run.
    ///
    /// ```
    /// let builder = dijitso::probe::Probes::builder().known("page size", 0, "4096");
    /// ```
    pub fn known(mut self, question: impl Into<String>, status: i32, stdout: impl Into<String>) -> Self {
        self.given.insert(question.into(), (status, stdout.into()));
        self
    }

    /// In another environment than this process's.
    #[cfg(test)]
    pub(crate) fn in_environment(mut self, environment: Environment) -> Self {
        self.environment = Some(environment);
        self
    }

    /// Begins the session. No process is started before the first question.
    ///
    /// # Errors
    /// [`Error::Config`] if the environment, the configuration file or a compiler's words cannot be understood,
    /// [`Error::CacheDir`] if others could write to the cache directory.
    ///
    /// ```no_run
    /// # fn main() -> dijitso::Result<()> {
    /// let probes = dijitso::probe::Probes::builder().build()?;
    /// # Ok(()) }
    /// ```
    pub fn build(self) -> Result<Probes> {
        let environment = self.environment.unwrap_or_else(Environment::of_process);
        let config = Config::resolve_in(self.params, &environment)?;
        let mut named: BTreeMap<Language, Sourced<Vec<String>>> = BTreeMap::new();
        let mut flags: BTreeMap<Language, Settings> = BTreeMap::new();
        if !self.alone {
            named.extend(config.build.cxx.clone().map(|words| (Language::Cxx, words)));
            named.extend(environment.words("CC")?.map(|words| (Language::C, words)));
            named.extend(environment.words("FC")?.map(|words| (Language::Fortran, words)));
            let fortran = environment.words("FCFLAGS")?;
            let fortran = fortran.map_or(Vec::new(), |words| {
                words.value.iter().map(|word| Flag::new(word, words.origin.clone())).collect()
            });
            for language in Language::ALL {
                let own = match language {
                    Language::C => &config.build.cflags,
                    Language::Cxx => &config.build.cxxflags,
                    Language::Fortran => &fortran,
                };
                let settings = flags.entry(language).or_default();
                settings.compile.extend_from_slice(&config.build.cppflags);
                settings.compile.extend_from_slice(own);
                settings.link.extend_from_slice(&config.build.ldflags);
                settings.compile = absolute_paths(std::mem::take(&mut settings.compile));
                settings.link = absolute_paths(std::mem::take(&mut settings.link));
            }
        }
        for (language, (command, origin)) in self.compilers {
            let value =
                shlex::split(&command).filter(|words| !words.is_empty()).ok_or_else(|| Error::Config {
                    problem: format!("the {language} compiler `{command}` is no command"),
                    origin: origin.to_string(),
                })?;
            named.insert(language, Sourced { value, origin });
        }
        for (language, settings) in self.flags {
            let all = flags.entry(language).or_default();
            *all = std::mem::take(all).and(&settings);
        }
        let session = Session::new(Choices {
            config,
            memory: self.memory,
            named,
            flags,
            batch: self.batch.map(|(dir, launcher)| Batch::new(dir, launcher)),
            given: self.given,
        })?;
        Ok(Probes(Arc::new(session)))
    }
}
