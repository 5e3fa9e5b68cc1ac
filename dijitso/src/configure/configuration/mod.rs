//! What came of a configuration: results by type, and everything that can be written.

mod write;

use std::collections::HashMap;
use std::path::PathBuf;

use serde_json::Value as Json;

use super::emit;
use super::flags::Flags;
use super::framework::{Framework, lock};
use super::module::{Child, Module};
use super::options::Sources;
use super::outputs::Outputs;
use super::record::Record;
use super::watched::Watched;
use crate::error::Error;
use crate::fs::Fs;
use crate::probe::{Language, Probes};

/// The result of a configuration.
///
/// ```no_run
/// use dijitso::configure::{Configure, Mpi};
///
/// # fn main() -> Result<(), dijitso::configure::Failed> {
/// let configuration = Configure::new("Demo").optional::<Mpi>().run()?;
/// if let Some(mpi) = configuration.get::<Mpi>() {
///     println!("{}", mpi.settings);
/// }
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct Configuration {
    project: String,
    record: Record,
    outputs: Outputs,
    /// Results as they were written down, by name.
    results: HashMap<String, Json>,
    readable: String,
    events: String,
    dir: Option<PathBuf>,
    source_dir: PathBuf,
    changes: Vec<String>,
    had_record: bool,
    /// `--diff`: nothing is written.
    only_looks: bool,
    fs: Fs,
    /// Files and variables that answers rest on.
    watched: Watched,
    variables: Vec<String>,
    probes: Option<Probes>,
}

impl Configuration {
    pub(super) fn of(
        framework: &Framework,
        sources: &Sources,
        program: Vec<String>,
        dir: Option<PathBuf>,
        source_dir: PathBuf,
        before: Option<Record>,
    ) -> Configuration {
        let mut outputs = lock(&framework.outputs).clone();
        let secrets = framework.log.secrets();
        for (_, name, value) in &mut outputs.summary {
            (*name, *value) = (secrets.hide(name), secrets.hide(value));
        }
        let record = Record::of(framework, sources, program, &outputs);
        let session = framework.probes.session();
        let mut watched = Watched { files: session.watched(), places: session.watched_places() };
        for compiler in session.compilers().values() {
            watched.add_tools(compiler.toolchain.files());
        }
        watched.files.extend(sources.file.clone());
        watched.files.extend(outputs.templates.iter().map(|template| source_dir.join(&template.from)));
        watched.files.extend(framework.read_files());
        watched.places.extend(framework.places());
        let variables = framework.variables(sources);
        Configuration {
            project: framework.project.clone(),
            changes: before.as_ref().map(|before| record.changes_since(before)).unwrap_or_default(),
            had_record: before.is_some(),
            only_looks: false,
            results: framework.results().into_iter().collect(),
            readable: framework.log.readable(),
            events: framework.log.events(),
            record,
            outputs,
            dir,
            source_dir,
            fs: Fs::new(Default::default()),
            watched,
            variables,
            probes: Some(framework.probes.clone()),
        }
    }

    /// As `--diff` has it.
    pub(super) fn that_only_looks(mut self) -> Configuration {
        self.only_looks = true;
        self
    }

    /// The result of a module; `None` if it was not configured, or failed.
    ///
    /// ```no_run
    /// # use dijitso::configure::{Configuration, Mpi};
    /// # fn f(configuration: &Configuration) {
    /// let mpi = configuration.get::<Mpi>();
    /// # }
    /// ```
    pub fn get<M: Module>(&self) -> Option<M> {
        self.read(M::NAME)
    }

    /// The result of one module of a kind, by its key.
    ///
    /// ```no_run
    /// # use dijitso::configure::{Child, Configuration};
    /// # fn f<C: Child<Key = String>>(configuration: &Configuration) -> Option<C> {
    /// configuration.child::<C>(&"a".to_owned())
    /// # }
    /// ```
    pub fn child<C: Child>(&self, key: &C::Key) -> Option<C> {
        self.read(&format!("{}[{key}]", C::NAME))
    }

    fn read<R: serde::de::DeserializeOwned>(&self, name: &str) -> Option<R> {
        serde_json::from_value(self.results.get(name)?.clone()).ok()
    }

    /// The flags that the modules came to, with who asked for each.
    ///
    /// ```no_run
    /// # fn f(configuration: &dijitso::configure::Configuration) {
    /// for line in configuration.flags().explain("-l") {
    ///     println!("{line}");
    /// }
    /// # }
    /// ```
    pub fn flags(&self) -> &Flags {
        &self.outputs.flags
    }

    /// A table of what was found, for people; with `--diff` what changed, instead.
    ///
    /// BuildSystem: `framework.printSummary`.
    ///
    /// ```no_run
    /// # fn f(configuration: &dijitso::configure::Configuration) {
    /// println!("{}", configuration.summary());
    /// # }
    /// ```
    pub fn summary(&self) -> String {
        match self.only_looks {
            true => emit::difference(&self.record, &self.changes),
            false => emit::summary(&self.record, &self.outputs),
        }
    }

    /// What changed since the configuration that was written here before; nothing if there was none.
    ///
    /// ```no_run
    /// # fn f(configuration: &dijitso::configure::Configuration) {
    /// for line in configuration.changes() {
    ///     println!("{line}");
    /// }
    /// # }
    /// ```
    pub fn changes(&self) -> &[String] {
        &self.changes
    }

    /// Whether the option `--diff` was given: nothing is written then, and whoever writes is told what would have changed.
    ///
    /// ```no_run
    /// # fn f(configuration: &dijitso::configure::Configuration) -> Result<(), dijitso::configure::Failed> {
    /// if configuration.write_header("demo_config.h")? && configuration.only_looks() {
    ///     println!("demo_config.h would change");
    /// }
    /// # Ok(()) }
    /// ```
    pub fn only_looks(&self) -> bool {
        self.only_looks
    }

    /// Whether there was one.
    ///
    /// ```no_run
    /// # fn f(configuration: &dijitso::configure::Configuration) {
    /// assert!(configuration.is_first() || configuration.changes().is_empty());
    /// # }
    /// ```
    pub fn is_first(&self) -> bool {
        !self.had_record
    }

    /// The readable log: a section for each module, each behind those that it needs; no times.
    ///
    /// BuildSystem: `configure.log`.
    ///
    /// ```no_run
    /// # fn f(configuration: &dijitso::configure::Configuration) {
    /// print!("{}", configuration.log());
    /// # }
    /// ```
    pub fn log(&self) -> &str {
        &self.readable
    }

    /// The event log: a line of JSON for each thing that happened.
    ///
    /// ```no_run
    /// # fn f(configuration: &dijitso::configure::Configuration) {
    /// for line in configuration.events().lines() {
    ///     println!("{line}");
    /// }
    /// # }
    /// ```
    pub fn events(&self) -> &str {
        &self.events
    }

    /// The session that answered, for more questions; `None` if the configuration was received.
    ///
    /// ```no_run
    /// # fn f(configuration: &dijitso::configure::Configuration) {
    /// println!("{:?}", configuration.probes().map(|probes| probes.stats().processes));
    /// # }
    /// ```
    pub fn probes(&self) -> Option<&Probes> {
        self.probes.as_ref()
    }

    /// The compiler for a language, as its words; `None` if nobody asked for it.
    ///
    /// ```no_run
    /// use dijitso::probe::Language;
    /// # fn f(configuration: &dijitso::configure::Configuration) {
    /// println!("{:?}", configuration.compiler(Language::Cxx));
    /// # }
    /// ```
    pub fn compiler(&self, language: Language) -> Option<&[String]> {
        self.record.compilers.get(language.variable()).map(|compiler| compiler.words.as_slice())
    }

    /// Everything as bytes, for other processes: one MPI rank configures, and the others receive, which starts no process.
    ///
    /// ```no_run
    /// use dijitso::configure::Configuration;
    /// # fn f(configuration: &Configuration) {
    /// let received = Configuration::from_bytes(&configuration.to_bytes()).unwrap();
    /// assert_eq!(received.summary(), configuration.summary());
    /// # }
    /// ```
    pub fn to_bytes(&self) -> Vec<u8> {
        let all = (&self.project, &self.record, &self.outputs, &self.results, &self.readable);
        // All names in it are texts, and paths that are none have a form of their own.
        serde_json::to_vec(&all).expect("a configuration has a form in JSON")
    }

    /// What [`to_bytes`](Self::to_bytes) gave, on another rank. It has no session, and no directory.
    ///
    /// # Errors
    /// [`Error::Configure`] if these are no such bytes.
    ///
    /// ```
    /// assert!(dijitso::configure::Configuration::from_bytes(b"garbage").is_err());
    /// ```
    pub fn from_bytes(bytes: &[u8]) -> Result<Configuration, Error> {
        let (project, record, outputs, results, readable) =
            serde_json::from_slice(bytes).map_err(|error| Error::Configure {
                problem: format!("what was received is no configuration of this version: {error}"),
                card: String::new(),
            })?;
        Ok(Configuration {
            project,
            record,
            outputs,
            results,
            readable,
            events: String::new(),
            dir: None,
            source_dir: PathBuf::from("."),
            changes: Vec::new(),
            had_record: false,
            only_looks: false,
            fs: Fs::new(Default::default()),
            watched: Watched::default(),
            variables: Vec::new(),
            probes: None,
        })
    }
}
