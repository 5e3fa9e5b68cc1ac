//! What came of a configuration: results by type, and everything that can be written.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use serde_json::Value as Json;

use super::emit;
use super::failed::Failed;
use super::flags::Flags;
use super::framework::{Framework, lock};
use super::module::{Child, Module};
use super::options::Sources;
use super::outputs::Outputs;
use super::record::Record;
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
    fs: Fs,
    /// Files and variables that answers rest on.
    watched: Vec<PathBuf>,
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
        let outputs = lock(&framework.outputs).clone();
        let record = Record::of(framework, sources, program, &outputs);
        let session = framework.probes.session();
        let mut watched = session.watched();
        for compiler in session.compilers().values() {
            watched.extend(compiler.toolchain.files());
        }
        watched.sort();
        watched.dedup();
        let declared = framework.options.all();
        let mut variables: Vec<String> = declared
            .flat_map(|declared| {
                let own = declared.name.replace(['-', '.'], "_").to_ascii_uppercase();
                declared.variable.map(str::to_owned).into_iter().chain([format!("{}_{own}", sources.prefix)])
            })
            .collect();
        variables.extend(crate::config::env::COMPILER_VARIABLES.iter().map(|name| (*name).to_owned()));
        variables.push("PATH".to_owned());
        variables.sort();
        variables.dedup();
        Configuration {
            project: framework.project.clone(),
            changes: before.as_ref().map(|before| record.changes_since(before)).unwrap_or_default(),
            had_record: before.is_some(),
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

    /// A table of what was found, for people.
    ///
    /// BuildSystem: `framework.printSummary`.
    ///
    /// ```no_run
    /// # fn f(configuration: &dijitso::configure::Configuration) {
    /// println!("{}", configuration.summary());
    /// # }
    /// ```
    pub fn summary(&self) -> String {
        emit::summary(&self.record, &self.outputs)
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

    /// Everything as bytes, for other processes: one MPI rank configures, and the others receive.
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
        serde_json::to_vec(&all).unwrap_or_default()
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
            fs: Fs::new(Default::default()),
            watched: Vec::new(),
            variables: Vec::new(),
            probes: None,
        })
    }

    /// Writes the header of macros; whether it changed.
    ///
    /// Every macro is guarded, has the prefix, and a comment that says why; they are sorted, so that two configurations
    /// can be compared.
    ///
    /// BuildSystem: `framework.outputHeader`.
    ///
    /// # Errors
    /// The file cannot be written.
    ///
    /// ```no_run
    /// # fn f(configuration: &dijitso::configure::Configuration) -> Result<(), dijitso::configure::Failed> {
    /// configuration.write_header("demo_config.h")?;
    /// # Ok(()) }
    /// ```
    pub fn write_header(&self, path: impl AsRef<Path>) -> Result<bool, Failed> {
        self.write(path.as_ref(), &emit::header(&self.project, path.as_ref(), &self.outputs))
    }

    /// Writes the header of types and prototypes; whether it changed.
    ///
    /// BuildSystem: `framework.outputCHeader`.
    ///
    /// # Errors
    /// The file cannot be written.
    ///
    /// ```no_run
    /// # fn f(configuration: &dijitso::configure::Configuration) -> Result<(), dijitso::configure::Failed> {
    /// configuration.write_types("demo_types.h")?;
    /// # Ok(()) }
    /// ```
    pub fn write_types(&self, path: impl AsRef<Path>) -> Result<bool, Failed> {
        self.write(path.as_ref(), &emit::types(&self.project, path.as_ref(), &self.outputs))
    }

    /// Writes the header from a template of `#undef` lines, as Autoconf does; whether it changed.
    ///
    /// BuildSystem: its mode for Autoconf's files.
    ///
    /// # Errors
    /// The template cannot be read, or the file not be written.
    ///
    /// ```no_run
    /// # fn f(configuration: &dijitso::configure::Configuration) -> Result<(), dijitso::configure::Failed> {
    /// configuration.write_header_from("config.h.in", "config.h")?;
    /// # Ok(()) }
    /// ```
    pub fn write_header_from(
        &self,
        template: impl AsRef<Path>,
        path: impl AsRef<Path>,
    ) -> Result<bool, Failed> {
        let text = self.read_source(template.as_ref())?;
        self.write(path.as_ref(), &emit::undefs(&text, &self.outputs))
    }

    /// Writes the macros for Make, with compilers and flags; whether it changed.
    ///
    /// BuildSystem: `framework.outputMakeMacros`.
    ///
    /// # Errors
    /// The file cannot be written.
    ///
    /// ```no_run
    /// # fn f(configuration: &dijitso::configure::Configuration) -> Result<(), dijitso::configure::Failed> {
    /// configuration.write_make_macros("demo_variables")?;
    /// # Ok(()) }
    /// ```
    pub fn write_make_macros(&self, path: impl AsRef<Path>) -> Result<bool, Failed> {
        self.write(path.as_ref(), &emit::make_macros(&self.project, &self.record, &self.outputs))
    }

    /// Writes the rules for Make; whether it changed.
    ///
    /// BuildSystem: `framework.outputMakeRules`.
    ///
    /// # Errors
    /// The file cannot be written.
    ///
    /// ```no_run
    /// # fn f(configuration: &dijitso::configure::Configuration) -> Result<(), dijitso::configure::Failed> {
    /// configuration.write_make_rules("demo_rules")?;
    /// # Ok(()) }
    /// ```
    pub fn write_make_rules(&self, path: impl AsRef<Path>) -> Result<bool, Failed> {
        self.write(path.as_ref(), &emit::make_rules(&self.project, &self.outputs))
    }

    /// Fills in all templates that modules named; how many files changed.
    ///
    /// BuildSystem: `framework.substituteFile`.
    ///
    /// # Errors
    /// A template cannot be read, has a placeholder that nobody gives a value to, or a file cannot be written.
    ///
    /// ```no_run
    /// # fn f(configuration: &dijitso::configure::Configuration) -> Result<(), dijitso::configure::Failed> {
    /// configuration.write_templates()?;
    /// # Ok(()) }
    /// ```
    pub fn write_templates(&self) -> Result<usize, Failed> {
        let mut changed = 0;
        for template in &self.outputs.templates {
            changed += usize::from(self.write_template(&template.from, &template.to)?);
        }
        Ok(changed)
    }

    /// Fills in one template; whether the file changed.
    ///
    /// # Errors
    /// As [`write_templates`](Self::write_templates).
    ///
    /// ```no_run
    /// # fn f(configuration: &dijitso::configure::Configuration) -> Result<(), dijitso::configure::Failed> {
    /// configuration.write_template("demo.conf.in", "demo.conf")?;
    /// # Ok(()) }
    /// ```
    pub fn write_template(&self, from: impl AsRef<Path>, to: impl AsRef<Path>) -> Result<bool, Failed> {
        let text = self.read_source(from.as_ref())?;
        let filled = emit::template(from.as_ref(), &text, &self.record, &self.outputs)?;
        self.write(to.as_ref(), &filled)
    }

    /// Writes the pkg-config file that a module described; whether it changed.
    ///
    /// # Errors
    /// No module described one, or the file cannot be written.
    ///
    /// ```no_run
    /// # fn f(configuration: &dijitso::configure::Configuration) -> Result<(), dijitso::configure::Failed> {
    /// configuration.write_pkg_config("demo.pc")?;
    /// # Ok(()) }
    /// ```
    pub fn write_pkg_config(&self, path: impl AsRef<Path>) -> Result<bool, Failed> {
        self.write(path.as_ref(), &emit::pkg_config(&self.record, &self.outputs)?)
    }

    /// Writes a Rust module with a constant for each macro; whether it changed.
    ///
    /// A macro that is defined as 1, or as nothing, is `true`; one that is not defined `false`; other numbers are `i64`,
    /// texts `&str`.
    ///
    /// # Errors
    /// The file cannot be written.
    ///
    /// ```no_run
    /// # fn f(configuration: &dijitso::configure::Configuration) -> Result<(), dijitso::configure::Failed> {
    /// configuration.write_rust("config.rs")?; // include!(concat!(env!("OUT_DIR"), "/config.rs"))
    /// # Ok(()) }
    /// ```
    pub fn write_rust(&self, path: impl AsRef<Path>) -> Result<bool, Failed> {
        self.write(path.as_ref(), &emit::rust(&self.project, &self.outputs))
    }

    /// The lines for cargo, for a build script to print: what to link, `cfg`s, metadata for dependent packages, and what
    /// the answers rest on, compilers among it.
    ///
    /// ```no_run
    /// # fn f(configuration: &dijitso::configure::Configuration) {
    /// for line in configuration.cargo() {
    ///     println!("{line}");
    /// }
    /// # }
    /// ```
    pub fn cargo(&self) -> Vec<String> {
        emit::cargo(&self.outputs, &self.watched, &self.variables)
    }

    /// The record of machine, process, options and results, as JSON.
    ///
    /// BuildSystem: `Dump`, and the information about machine and process that PETSc adds.
    ///
    /// ```no_run
    /// # fn f(configuration: &dijitso::configure::Configuration) {
    /// println!("{}", configuration.dump());
    /// # }
    /// ```
    pub fn dump(&self) -> String {
        self.record.text()
    }

    /// Writes the script that configures again with the same options; `--diff` then tells what changed.
    ///
    /// # Errors
    /// The file cannot be written.
    ///
    /// ```no_run
    /// # fn f(configuration: &dijitso::configure::Configuration) -> Result<(), dijitso::configure::Failed> {
    /// configuration.write_reconfigure("reconfigure")?;
    /// # Ok(()) }
    /// ```
    pub fn write_reconfigure(&self, path: impl AsRef<Path>) -> Result<bool, Failed> {
        let written = self.write(path.as_ref(), &emit::reconfigure(&self.record))?;
        let path = self.place(path.as_ref());
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(&path, mode)
            .map_err(|error| Error::io("cannot make executable", &path, &error))?;
        Ok(written)
    }

    fn place(&self, path: &Path) -> PathBuf {
        self.dir.as_ref().map_or_else(|| path.to_owned(), |dir| dir.join(path))
    }

    fn read_source(&self, path: &Path) -> Result<String, Failed> {
        let path = self.source_dir.join(path);
        let bytes = self.fs.read(&path).map_err(|error| Error::io("cannot read", &path, &error))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Only if it is another text: who depends on the file need not be built again.
    fn write(&self, path: &Path, text: &str) -> Result<bool, Failed> {
        let path = self.place(path);
        if self.fs.read(&path).is_ok_and(|known| known == text.as_bytes()) {
            return Ok(false);
        }
        let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let written =
            self.fs.create_dir_all_public(dir).and_then(|()| self.fs.replace(dir, &path, text.as_bytes()));
        written.map_err(|error| Error::io("cannot write", &path, &error))?;
        Ok(true)
    }

    /// Logs that cannot be written are no reason to fail; the card and the events are there in any case.
    pub(super) fn write_logs(&self) {
        if self.dir.is_some() {
            for (name, text) in [("configure.log", &self.readable), ("configure.events", &self.events)] {
                if let Err(failed) = self.write(Path::new(name), text) {
                    log::warn!("the log is not written: {failed}");
                }
            }
        }
    }

    pub(super) fn write_record(&self) {
        if self.dir.is_some()
            && let Err(failed) = self.write(Path::new(Record::FILE), &self.record.text())
        {
            log::warn!("the record is not written: {failed}");
        }
    }
}
