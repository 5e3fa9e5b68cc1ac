//! Describing and running a configuration.

use std::any::{Any, TypeId};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::compilers;
use super::configuration::Configuration;
use super::cx::PREFIX;
use super::failed::{Failed, FailureKind};
use super::framework::{Framework, Registered, checked, lock};
use super::launchers;
use super::log::{Log, Secrets, card, keep};
use super::module::Module;
use super::options::{Given, Opt, OptionValue, Options, Sources};
use super::outputs::{Outputs, as_identifier};
use super::record::Record;
use crate::config::env::Environment;
use crate::fs::Fs;
use crate::probe::{Probes, ProbesBuilder, Progress};

const JOBS: Opt<i64> = Opt::int("jobs", 0, 0, 4096, "compilers that may run at once; 0: one for each core");
const SHADOW: Opt<bool> =
    Opt::boolean("shadow", false, "ask everything, and fail if a remembered answer is wrong");
const DIFF: Opt<bool> =
    Opt::boolean("diff", false, "tell what changed since the last configuration here, and write nothing");
/// Where a failure can be repeated, in the directory of a configuration.
const FAILURE: &str = "failure";

/// A configuration to be run: its modules, where options come from, where it is written.
///
/// BuildSystem: `config.framework.Framework`, made and run by `configure.py`.
///
/// ```no_run
/// use dijitso::configure::{Blas, Configure, Mpi};
///
/// # fn main() -> Result<(), dijitso::configure::Failed> {
/// let configuration = Configure::new("Demo")
///     .with::<Blas>()
///     .optional::<Mpi>()
///     .arguments(std::env::args().skip(1))
///     .dir("build")
///     .run()?;
/// configuration.write_header("demo_config.h")?;
/// println!("{}", configuration.summary());
/// # Ok(()) }
/// ```
#[derive(Debug)]
#[must_use = "call `.run()`"]
pub struct Configure {
    project: String,
    modules: Vec<Registered>,
    sources: Sources,
    provided: Vec<(TypeId, Arc<dyn Any + Send + Sync>)>,
    probes: ProbesBuilder,
    dir: Option<PathBuf>,
    source_dir: PathBuf,
    name: Option<String>,
    define_prefix: String,
    program: Vec<String>,
}

impl Configure {
    /// For a project of this name; in capitals it is the prefix of its macros and variables.
    ///
    /// ```
    /// let configure = dijitso::configure::Configure::new("Demo");
    /// ```
    pub fn new(project: &str) -> Configure {
        let capitals = as_identifier(project);
        Configure {
            project: project.to_owned(),
            modules: Vec::new(),
            sources: Sources { prefix: capitals.clone(), ..Sources::default() },
            provided: Vec::new(),
            probes: Probes::builder(),
            dir: None,
            source_dir: PathBuf::from("."),
            name: None,
            define_prefix: format!("{capitals}_"),
            program: Vec::new(),
        }
    }

    /// With a module, which must not fail.
    ///
    /// ```
    /// use dijitso::configure::{Blas, Configure};
    /// let configure = Configure::new("Demo").with::<Blas>();
    /// ```
    pub fn with<M: Module>(mut self) -> Self {
        self.modules.push(Registered::of::<M>(false));
        self
    }

    /// With a module that may fail: then those that require it do, too, and nothing else. If the user asked for it by an option
    /// (`--with-mpi=yes`, `--with-mpi-dir=..`), its failure is the configuration's; see [`Failed::demanded`].
    ///
    /// ```
    /// use dijitso::configure::{Configure, Mpi};
    /// let configure = Configure::new("Demo").optional::<Mpi>();
    /// ```
    pub fn optional<M: Module>(mut self) -> Self {
        self.modules.push(Registered::of::<M>(true));
        self
    }

    /// The command line, without the program's name. It is stronger than environment, file and [`option`](Self::option).
    ///
    /// ```
    /// let configure = dijitso::configure::Configure::new("Demo").arguments(["--prefix=/opt/demo", "CC=clang"]);
    /// ```
    pub fn arguments<A: Into<String>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        self.sources.arguments.extend(arguments.into_iter().map(Into::into));
        self
    }

    /// The project's own choice for an option, which every user may change.
    ///
    /// ```
    /// let configure = dijitso::configure::Configure::new("Demo").option("prefix", "/opt/demo");
    /// ```
    pub fn option(mut self, name: &str, value: &str) -> Self {
        self.sources.program.push((name.to_owned(), value.to_owned()));
        self
    }

    /// A file of options, in TOML: `with-mpi = true`.
    ///
    /// ```
    /// let configure = dijitso::configure::Configure::new("Demo").options_file("site.toml");
    /// ```
    pub fn options_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.sources.file = Some(path.into());
        self
    }

    /// A value for all modules that ask for its type, see [`Cx::provided`](super::Cx::provided).
    ///
    /// ```
    /// struct Precision(&'static str);
    /// let configure = dijitso::configure::Configure::new("Demo").provide(Precision("double"));
    /// ```
    pub fn provide<T: Any + Send + Sync>(mut self, value: T) -> Self {
        self.provided.push((TypeId::of::<T>(), Arc::new(value)));
        self
    }

    /// How questions are put: compilers, cache, jobs.
    ///
    /// ```
    /// use dijitso::{configure::Configure, probe::Probes};
    /// let configure = Configure::new("Demo").probes(Probes::builder().without_cache());
    /// ```
    pub fn probes(mut self, probes: ProbesBuilder) -> Self {
        self.probes = probes;
        self
    }

    /// Where everything is written: logs, record, headers. Without one nothing is written but what is asked for.
    ///
    /// ```
    /// let configure = dijitso::configure::Configure::new("Demo").dir("build");
    /// ```
    pub fn dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.dir = Some(dir.into());
        self
    }

    /// Where templates are (default: the working directory).
    ///
    /// ```
    /// let configure = dijitso::configure::Configure::new("Demo").source_dir(".");
    /// ```
    pub fn source_dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.source_dir = dir.into();
        self
    }

    /// One of several configurations side by side: it is written to a directory of this name in
    /// [`dir`](Self::dir).
    ///
    /// BuildSystem: `PETSC_ARCH`.
    ///
    /// ```
    /// let configure = dijitso::configure::Configure::new("Demo").dir("build").named("linux-debug");
    /// ```
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// What stands before the name of every macro (default: the project's name in capitals and `_`).
    ///
    /// BuildSystem: `headerPrefix`.
    ///
    /// ```
    /// let configure = dijitso::configure::Configure::new("Demo").define_prefix("");
    /// ```
    pub fn define_prefix(mut self, prefix: &str) -> Self {
        self.define_prefix = prefix.to_owned();
        self
    }

    /// The words that run this program, for the script `reconfigure` (default: this executable).
    ///
    /// ```
    /// let configure = dijitso::configure::Configure::new("Demo").program(["cargo", "run", "--"]);
    /// ```
    pub fn program<W: Into<String>>(mut self, words: impl IntoIterator<Item = W>) -> Self {
        self.program = words.into_iter().map(Into::into).collect();
        self
    }

    /// The names of the configurations that are side by side in a directory.
    ///
    /// ```
    /// assert!(dijitso::configure::Configure::names("/no/such/directory").is_empty());
    /// ```
    pub fn names(dir: impl AsRef<Path>) -> Vec<String> {
        let fs = Fs::new(Default::default());
        let folders = fs.folders(dir.as_ref()).unwrap_or_default().into_iter();
        let named = folders.filter(|name| fs.is_file(&dir.as_ref().join(name).join(Record::FILE)));
        let mut names: Vec<String> = named.filter_map(|name| name.into_string().ok()).collect();
        names.sort();
        names
    }

    fn options(&self) -> Options {
        let mut options = Options::default();
        options.section("Configuration").add(&PREFIX).add(&JOBS).add(&SHADOW).add(&DIFF);
        compilers::options(&mut options);
        launchers::options(&mut options);
        for module in &self.modules {
            (module.options)(&mut options);
        }
        options
    }

    /// The text of `--help`.
    ///
    /// ```
    /// let help = dijitso::configure::Configure::new("Demo").help();
    /// assert!(help.contains("--prefix=<path>"));
    /// ```
    pub fn help(&self) -> String {
        format!(
            "Options of {}, each as --name=value; --name and --no-name for yes and no.\n\n{}",
            self.project,
            self.options().help()
        )
    }

    /// Configures every module, and checks what they want written.
    ///
    /// # Errors
    /// The first module that failed and must not, after all others were configured; or what is wrong with the options.
    /// Its [card](Failed::card) tells how to find the cause.
    ///
    /// ```no_run
    /// use dijitso::configure::{Configure, FailureKind};
    ///
    /// match Configure::new("Demo").arguments(std::env::args().skip(1)).run() {
    ///     Ok(configuration) => println!("{}", configuration.summary()),
    ///     Err(failed) if failed.kind() == FailureKind::Help => println!("{failed}"),
    ///     Err(failed) => eprintln!("{failed}\n{}", failed.card()),
    /// }
    /// ```
    pub fn run(mut self) -> Result<Configuration, Failed> {
        let environment = Environment::of_process();
        self.sources.path = environment.get("PATH").map(ToOwned::to_owned).unwrap_or_default();
        let options = self.options();
        options.checked()?;
        let fs = Fs::new(Default::default());
        let given = Given::read(&self.sources, &options, &fs).map_err(|wrong| {
            Failed::new(FailureKind::Options, wrong.join("\n")).hidden(&Secrets::new(Vec::new()))
        })?;
        if given.help {
            return Err(Failed::new(FailureKind::Help, self.help()));
        }
        let secrets = Secrets::new(given.secrets.clone());
        let truth =
            |option: &Opt<bool>| options.get(option.name()).and_then(|it| bool::of(&given.value(it).0));
        let jobs = options.get(JOBS.name()).and_then(|it| i64::of(&given.value(it).0));
        let probes = compilers::choose(self.probes.clone(), &options, &given)?;
        let mut probes = launchers::choose(probes, &options, &given, self.dir.as_deref(), &fs)?;
        if let Some(jobs) = jobs.filter(|jobs| *jobs > 0) {
            probes = probes.jobs(usize::try_from(jobs).unwrap_or(1));
        }
        if truth(&SHADOW) == Some(true) {
            probes = probes.shadow();
        }
        let probes = probes.build()?;
        let dir = self.dir.as_ref().map(|dir| match &self.name {
            Some(name) => dir.join(name),
            None => dir.clone(),
        });
        let before = dir.as_ref().and_then(|dir| Record::read(&fs, dir));
        let only_looks = truth(&DIFF) == Some(true);
        if only_looks && before.is_none() {
            let place =
                dir.as_ref().map_or("without a directory".to_owned(), |dir| format!("in {}", dir.display()));
            let problem =
                format!("--diff has nothing to compare with: no configuration was written {place} before");
            return Err(Failed::new(FailureKind::Options, problem));
        }
        let modules = std::mem::take(&mut self.modules);
        let provided = std::mem::take(&mut self.provided);
        let (framework, outcome) = loop {
            let mut framework = Framework::new(
                self.project.clone(),
                dir.clone(),
                probes.clone(),
                options.clone(),
                given.clone(),
                Log::new(secrets.clone()),
                Outputs { define_prefix: self.define_prefix.clone(), ..Outputs::default() },
                modules.clone(),
            );
            framework.options_file = self.sources.file.clone();
            framework.name = self.name.clone();
            for (kind, value) in &provided {
                lock(&framework.provided).insert(*kind, (value.clone(), "the program".to_owned()));
            }
            let outcome = framework.run().and_then(|()| checked(&framework));
            // Programs of all modules are one job. With its answers all modules are configured again, from what is known.
            match probes.session().go_on() {
                Ok(Progress::Done) => continue,
                Ok(Progress::Nothing) => break (framework, outcome),
                Ok(Progress::Waiting(text)) => {
                    break (framework, Err(Failed::new(FailureKind::Waiting, text)));
                }
                Err(problem) => break (framework, Err(Failed::new(FailureKind::Unknown, problem))),
            }
        };
        let words = match self.program.is_empty() {
            true => {
                std::env::current_exe().into_iter().map(|path| path.to_string_lossy().into_owned()).collect()
            }
            false => self.program.clone(),
        };
        let configuration =
            Configuration::of(&framework, &self.sources, words, dir.clone(), self.source_dir, before);
        let configuration = if only_looks { configuration.that_only_looks() } else { configuration };
        match outcome {
            Ok(()) => {
                configuration.write_logs();
                configuration.write_record();
                if let Some(dir) = dir.filter(|_| !only_looks) {
                    // That of an earlier failure is none of this configuration.
                    let _ = fs.remove_tree(&dir.join(FAILURE));
                }
                Ok(configuration)
            }
            Err(failed) => {
                configuration.write_logs();
                let environment = &framework.probes.session().config.compiler_env;
                let environment: Vec<(String, String)> = environment
                    .iter()
                    .map(|(name, value)| ((*name).to_owned(), value.to_string_lossy().into_owned()))
                    .collect();
                // Without a directory of its own it is kept where failures of kernels are.
                let place = match dir {
                    Some(dir) if !only_looks => Some(dir.join(FAILURE)),
                    _ => framework.probes.session().failure_dir(&self.project, &failed.to_string()),
                };
                let kept = place.and_then(|dir| keep(&failed, &framework.log, &fs, &dir, &environment));
                let card = card(&failed, &framework.log, &framework.probes, kept.as_ref());
                Err(failed.with_card(card).hidden(&secrets))
            }
        }
    }
}
