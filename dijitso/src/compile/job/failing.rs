//! How a job ends that came to nothing: what is told, what is remembered, and what is kept to repeat it.

use std::path::PathBuf;

use super::super::bundle;
use super::super::ended::{Ended, Failed};
use super::{COMPILE_DEPS, EXPORTS, Job, Stage, Step};
use crate::error::Error;
use crate::process::{Command, Output};
use crate::toolchain::{blames_the_text, trouble};

impl Job {
    pub(in crate::compile) fn cannot_start(&self, command: &Command, error: &std::io::Error) -> Failed {
        let program = command.program.display();
        Failed {
            error: Error::Compiler {
                kernel: self.unit.at.clone(),
                problem: format!("cannot start {program}: {error}"),
                log: String::new(),
                bundle: None,
            },
            lasting: false,
            inputs: Vec::new(),
            missing: Vec::new(),
            started: self.started,
        }
    }

    /// The compiler refused the text. To remember that, we must know which files would change its mind.
    pub(super) fn refused(&mut self) -> Step {
        let lasting = blames_the_text(&self.log);
        let error = Error::Compile {
            kernel: self.unit.at.clone(),
            log: self.log.clone(),
            command: self.command_text(),
            bundle: self.bundle(),
        };
        if !lasting || self.dir().join(COMPILE_DEPS).exists() {
            let inputs = self.dependencies();
            return self.failed(error, lasting, inputs, Vec::new());
        }
        let (main, language, dir) = (&self.unit.rendered.main, self.unit.language, self.dir());
        let command =
            self.bench.toolchain.dependency_command(&self.unit.flags, language, main, COMPILE_DEPS, &dir);
        self.stage = Stage::Dependencies(error);
        Step::Run(command)
    }

    pub(super) fn explained(&mut self, error: Error, output: &Output) -> Step {
        let known = trouble("preprocessor", output, self.bench.timeout).is_none();
        let (missing, inputs) = self.dependencies().into_iter().partition::<Vec<_>, _>(|p| p.is_relative());
        let missing = missing.into_iter().map(|p| p.to_string_lossy().into_owned()).collect();
        self.failed(error, known, inputs, missing)
    }

    pub(super) fn elsewhere(&mut self, problem: String) -> Step {
        if self.next_place < self.bench.places.len() {
            log::warn!("kernel {}: {problem}; trying another directory", self.unit.at);
            self.commands.clear();
            return self.begin();
        }
        self.fail(format!("{problem}; set TMPDIR to a directory with free space"), false)
    }

    /// The machinery failed: never remembered.
    pub(super) fn fail(&mut self, problem: String, with_bundle: bool) -> Step {
        let bundle = if with_bundle { self.bundle() } else { None };
        let error = Error::Compiler {
            kernel: self.unit.at.clone(),
            problem,
            log: std::mem::take(&mut self.log),
            bundle,
        };
        self.failed(error, false, Vec::new(), Vec::new())
    }

    pub(super) fn failed(
        &mut self,
        error: Error,
        lasting: bool,
        inputs: Vec<PathBuf>,
        missing: Vec<String>,
    ) -> Step {
        self.scratch = None;
        if self.pack.is_some() {
            return Step::Done(Ended::Alone);
        }
        if let Some(sources) = self.sources.take() {
            let _ = self.bench.fs.remove_tree(&sources);
        }
        Step::Done(Ended::Failed(Failed { error, lasting, inputs, missing, started: self.started }))
    }

    pub(super) fn bundle(&self) -> Option<PathBuf> {
        if self.pack.is_some() {
            return None;
        }
        let (failures, command) = (self.bench.failures.as_ref()?, self.current.as_ref()?);
        let libraries: Vec<(&str, &[u8])> = self
            .linked
            .iter()
            .filter(|l| !l.headers_only)
            .map(|l| (l.soname.as_str(), l.elf.as_slice()))
            .chain([(EXPORTS, self.unit.rendered.version_script.as_bytes())])
            .collect();
        let contents = bundle::Contents {
            name: &format!("{}-{}", self.unit.name, self.unit.signature.short()),
            at: &self.unit.at,
            texts: &self.texts(),
            binaries: &libraries,
            commands: &self.commands,
            environment: &self.bench.environment,
            cwd: &self.dir(),
            log: &self.log,
            last: command,
        };
        match bundle::save(&self.bench.fs, failures, &contents) {
            Ok(path) => Some(path),
            Err(error) => {
                log::warn!("cannot keep the failure of {} in {}: {error}", self.unit.at, failures.display());
                None
            }
        }
    }

    pub(super) fn command_text(&self) -> String {
        self.current.as_ref().map(ToString::to_string).unwrap_or_default()
    }
}
