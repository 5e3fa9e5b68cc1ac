//! One unit on its way through compiler and linker.
//!
//! A job is a small state machine: it says which command to run next and is told how it went, so one
//! thread can drive many. Its directory is private, removed with the job, and swept by the next run
//! if this process is killed.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::diagnose::{Trouble, blames_the_text, trouble, undefined_symbols};
use super::linked::Linked;
use super::unit::Unit;
use super::{bundle, depfile};
use crate::cache::without_directory;
use crate::error::Error;
use crate::fs::{Fs, Scratch};
use crate::library::elf;
use crate::process::{Command, Output};
use crate::toolchain::{LinkRequest, Toolchain, traced_files};

/// A finished library, not yet named after its content.
#[derive(Debug)]
pub(crate) struct Built {
    pub(crate) elf: Vec<u8>,
    /// What the compiler and the linker printed.
    pub(crate) log: String,
    /// Every file they read, outside the job's directory.
    pub(crate) inputs: Vec<PathBuf>,
    /// When the first of them was started: a file changed later may or may not be in the library.
    pub(crate) started: SystemTime,
    pub(crate) compile: Duration,
    pub(crate) link: Duration,
    /// What was run, in a directory that is gone: `.` in its place.
    pub(crate) commands: Vec<String>,
}

/// A failure, and whether an unchanged retry can only fail again.
#[derive(Debug)]
pub(crate) struct Failed {
    pub(crate) error: Error,
    /// The text is wrong: remember it, as long as `inputs` stay as they are.
    pub(crate) lasting: bool,
    pub(crate) inputs: Vec<PathBuf>,
    /// Headers that were not found anywhere.
    pub(crate) missing: Vec<String>,
    pub(crate) started: SystemTime,
}

/// What a job wants next.
#[derive(Debug)]
pub(super) enum Step {
    Run(Command),
    Done(Result<Built, Failed>),
}

#[derive(Debug)]
enum Stage {
    Compile,
    /// Asking the preprocessor what a failed unit depends on.
    Dependencies(Error),
    Link {
        tried: usize,
    },
}

/// Where and with what a job works.
#[derive(Debug, Clone)]
pub(crate) struct Bench {
    pub(crate) fs: Fs,
    pub(crate) toolchain: Toolchain,
    /// Directories for scratch space, best first.
    pub(crate) places: Vec<PathBuf>,
    pub(crate) timeout: Duration,
    /// Where failure bundles go.
    pub(crate) failures: Option<PathBuf>,
    /// Variables that compilers read, as they are set here.
    pub(crate) environment: Vec<(String, String)>,
}

#[derive(Debug)]
pub(crate) struct Job {
    bench: Bench,
    unit: Arc<Unit>,
    linked: Vec<Linked>,
    scratch: Option<Scratch>,
    next_place: usize,
    stage: Stage,
    started: SystemTime,
    log: String,
    compile: Duration,
    link: Duration,
    links: Vec<Command>,
    /// What a linker that writes no dependency file said it read.
    traced: Vec<PathBuf>,
    current: Option<Command>,
    commands: Vec<String>,
}

const OBJECT: &str = "unit.o";
const COMPILE_DEPS: &str = "unit.d";
const LINK_DEPS: &str = "link.d";
const LIBRARY: &str = "unit.so";
/// The linker's version script: what the library exports.
pub(crate) const EXPORTS: &str = "exports.map";

impl Job {
    pub(crate) fn new(bench: Bench, unit: Arc<Unit>, linked: Vec<Linked>) -> Job {
        Job {
            bench,
            unit,
            linked,
            scratch: None,
            next_place: 0,
            stage: Stage::Compile,
            started: SystemTime::now(),
            log: String::new(),
            compile: Duration::ZERO,
            link: Duration::ZERO,
            links: Vec::new(),
            traced: Vec::new(),
            current: None,
            commands: Vec::new(),
        }
    }

    /// Writes the files and says how to compile them; after a full disk, in the next place.
    pub(super) fn begin(&mut self) -> Step {
        let mut last = std::io::Error::other("no directory for temporary files is configured");
        while let Some(place) = self.bench.places.get(self.next_place) {
            self.next_place += 1;
            self.scratch = None;
            match Scratch::new(&self.bench.fs, std::slice::from_ref(place)).and_then(|s| self.fill(s)) {
                Ok(()) => {
                    let dir = self.dir();
                    self.stage = Stage::Compile;
                    self.started = SystemTime::now();
                    let (main, language) = (&self.unit.rendered.main, self.unit.language);
                    let (toolchain, flags) = (&self.bench.toolchain, &self.unit.flags);
                    let command =
                        toolchain.compile_command(flags, language, main, OBJECT, COMPILE_DEPS, &dir);
                    return self.run(command);
                }
                Err(error) => last = error,
            }
        }
        let tried: Vec<String> = self.bench.places.iter().map(|p| p.display().to_string()).collect();
        self.fail(
            format!(
                "there is no place to compile in: {last} (tried {}); set TMPDIR to a directory with free space",
                tried.join(", ")
            ),
            false,
        )
    }

    fn fill(&mut self, scratch: Scratch) -> std::io::Result<()> {
        let dir = scratch.path().to_owned();
        self.scratch = Some(scratch);
        for (name, text) in self.texts() {
            self.bench.fs.write(&dir.join(name), text.as_bytes())?;
        }
        for linked in self.linked.iter().filter(|l| !l.headers_only) {
            self.bench.fs.write(&dir.join(&linked.soname), &linked.elf)?;
        }
        self.bench.fs.write(&dir.join(EXPORTS), self.unit.rendered.version_script.as_bytes())
    }

    /// All sources and headers that the compiler sees in its directory.
    fn texts(&self) -> Vec<(&str, &str)> {
        let own = self.unit.rendered.files.iter();
        let theirs = self.linked.iter().flat_map(|l| &l.headers);
        // Ours last: a dependency's header must not take the place of a file of this unit.
        theirs.chain(own).map(|(name, text)| (name.as_str(), text.as_str())).collect()
    }

    /// The step that was asked for has ended.
    pub(super) fn advance(&mut self, output: Output) -> Step {
        let log =
            String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
        match std::mem::replace(&mut self.stage, Stage::Compile) {
            Stage::Compile => {
                self.compile += output.elapsed;
                self.log = log;
                match trouble("compiler", &output, self.bench.timeout) {
                    None => self.compiled(),
                    Some(Trouble::Text) => self.refused(),
                    Some(Trouble::Space(problem)) => self.elsewhere(problem),
                    Some(Trouble::Machine(problem)) => self.fail(problem, true),
                }
            }
            Stage::Dependencies(error) => self.explained(error, &output),
            Stage::Link { tried } => {
                self.link += output.elapsed;
                match trouble("linker", &output, self.bench.timeout) {
                    None => {
                        self.traced = traced_files(&output.stdout);
                        self.log.push_str(&String::from_utf8_lossy(&output.stderr));
                        self.linked()
                    }
                    // The fast link leaves out what it thinks is not needed; the driver has the last word.
                    Some(_) if tried + 1 < self.links.len() => {
                        // It is no part of how the library was made, or of how the next one failed.
                        self.commands.pop();
                        self.link(tried + 1)
                    }
                    Some(Trouble::Text) => {
                        let undefined = undefined_symbols(&log);
                        self.log.push_str(&log);
                        let error = Error::Link {
                            kernel: self.unit.at.clone(),
                            log,
                            undefined,
                            command: self.command_text(),
                            bundle: self.bundle(),
                        };
                        let inputs = self.dependencies();
                        // A linker that fails does not say which libraries it read, or where it looked for
                        // one: only a unit without any can but fail again.
                        let lasting = !self.unit.names_libraries();
                        self.failed(error, lasting, inputs, Vec::new())
                    }
                    Some(Trouble::Space(problem)) => self.elsewhere(problem),
                    Some(Trouble::Machine(problem)) => {
                        self.log.push_str(&log);
                        self.fail(problem, true)
                    }
                }
            }
        }
    }

    pub(super) fn cannot_start(&self, command: &Command, error: &std::io::Error) -> Failed {
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

    fn compiled(&mut self) -> Step {
        let bytes = match self.bench.fs.read(&self.dir().join(OBJECT)) {
            Ok(bytes) if !bytes.is_empty() => bytes,
            _ => return self.fail("the compiler reported success but wrote no object file".to_owned(), true),
        };
        let needs = match elf::link_needs(&bytes) {
            Ok(needs) => needs,
            Err(problem) => {
                return self
                    .fail(format!("the compiler reported success, but its object file {problem}"), true);
            }
        };
        let dir = self.dir();
        let libraries: Vec<String> =
            self.linked.iter().filter(|l| !l.headers_only).map(|l| l.soname.clone()).collect();
        let request = LinkRequest {
            object: OBJECT,
            libraries: &libraries,
            link_dirs: &self.unit.link_dirs,
            links: &self.unit.links,
            soname: &self.unit.placeholder_soname(),
            version_script: EXPORTS,
            output: LIBRARY,
            depfile: LINK_DEPS,
            needs: &needs,
            cwd: &dir,
        };
        self.links = self.bench.toolchain.link_commands(&self.unit.flags, &request);
        self.link(0)
    }

    fn link(&mut self, tried: usize) -> Step {
        let Some(command) = self.links.get(tried).cloned() else {
            return self.fail("the toolchain gave no way to link".to_owned(), false);
        };
        let _ = std::fs::remove_file(self.dir().join(LINK_DEPS));
        self.stage = Stage::Link { tried };
        self.run(command)
    }

    fn linked(&mut self) -> Step {
        let elf = match self.bench.fs.read(&self.dir().join(LIBRARY)) {
            Ok(bytes) if !bytes.is_empty() => bytes,
            _ => return self.fail("the linker reported success but wrote no library".to_owned(), true),
        };
        if let Some(symbol) = &self.unit.symbol
            && !elf::exports(&elf).iter().any(|e| e.name == *symbol)
        {
            let problem = format!("the linker reported success, but the library does not export `{symbol}`");
            return self.fail(problem, true);
        }
        Step::Done(Ok(Built {
            elf,
            log: std::mem::take(&mut self.log),
            inputs: self.dependencies(),
            started: self.started,
            compile: self.compile,
            link: self.link,
            commands: without_directory(&self.commands, &self.dir().display().to_string()),
        }))
    }

    /// The compiler refused the text. To remember that, we must know which files would change its mind.
    fn refused(&mut self) -> Step {
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

    fn explained(&mut self, error: Error, output: &Output) -> Step {
        let known = trouble("preprocessor", output, self.bench.timeout).is_none();
        let (missing, inputs) = self.dependencies().into_iter().partition::<Vec<_>, _>(|p| p.is_relative());
        let missing = missing.into_iter().map(|p| p.to_string_lossy().into_owned()).collect();
        self.failed(error, known, inputs, missing)
    }

    /// Files the tools read, without those in our own directory; relative ones were not found.
    fn dependencies(&self) -> Vec<PathBuf> {
        let dir = self.dir();
        // Thousands with some libraries, and comparing paths is slow.
        let mut seen = HashSet::new();
        let mut files = Vec::new();
        let listed = [COMPILE_DEPS, LINK_DEPS].iter().flat_map(|list| {
            self.bench.fs.read(&dir.join(list)).map(|text| depfile::parse(&text)).unwrap_or_default()
        });
        for file in listed.chain(self.traced.iter().cloned()) {
            let ours = file.starts_with(&dir) || (file.is_relative() && dir.join(&file).exists());
            if !ours && seen.insert(file.clone()) {
                files.push(file);
            }
        }
        files
    }

    fn run(&mut self, mut command: Command) -> Step {
        command.timeout = self.bench.timeout;
        self.commands.push(command.to_string());
        self.current = Some(command.clone());
        Step::Run(command)
    }

    fn elsewhere(&mut self, problem: String) -> Step {
        if self.next_place < self.bench.places.len() {
            log::warn!("kernel {}: {problem}; trying another directory", self.unit.at);
            self.commands.clear();
            return self.begin();
        }
        self.fail(format!("{problem}; set TMPDIR to a directory with free space"), false)
    }

    /// The machinery failed: never remembered.
    fn fail(&mut self, problem: String, with_bundle: bool) -> Step {
        let bundle = if with_bundle { self.bundle() } else { None };
        let error = Error::Compiler {
            kernel: self.unit.at.clone(),
            problem,
            log: std::mem::take(&mut self.log),
            bundle,
        };
        self.failed(error, false, Vec::new(), Vec::new())
    }

    fn failed(&mut self, error: Error, lasting: bool, inputs: Vec<PathBuf>, missing: Vec<String>) -> Step {
        self.scratch = None;
        Step::Done(Err(Failed { error, lasting, inputs, missing, started: self.started }))
    }

    fn bundle(&self) -> Option<PathBuf> {
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

    fn command_text(&self) -> String {
        self.current.as_ref().map(ToString::to_string).unwrap_or_default()
    }

    fn dir(&self) -> PathBuf {
        self.scratch.as_ref().map_or_else(PathBuf::new, |s| Path::to_owned(s.path()))
    }
}
