//! One unit on its way through compiler and linker.
//!
//! A job is a small state machine: it says which command to run next and is told how it went, so one
//! thread can drive many. Its directory is private, removed with the job, and swept by the next run
//! if this process is killed.

mod failing;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::bench::Bench;
use super::ended::{Built, Ended};
use super::linked::Linked;
use super::pack::Member;
use super::unit::Unit;
use crate::cache::without_directory;
use crate::error::Error;
use crate::fs::Scratch;
use crate::library::elf;
use crate::process::{Command, Output};
use crate::toolchain::{LinkRequest, Trouble, depfile, traced_files, trouble, undefined_symbols};

/// What a job wants next.
#[derive(Debug)]
pub(in crate::compile) enum Step {
    Run(Command),
    Done(Ended),
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

#[derive(Debug)]
pub(crate) struct Job {
    bench: Bench,
    unit: Arc<Unit>,
    linked: Vec<Linked>,
    /// The object that was compiled already, together with other units.
    pack: Option<Member>,
    /// What debuggers would be shown: of no use without a library.
    sources: Option<PathBuf>,
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

pub(in crate::compile) const OBJECT: &str = "unit.o";
pub(in crate::compile) const COMPILE_DEPS: &str = "unit.d";
// As seen from the directory of a pack's member.
const PACK_OBJECT: &str = "../unit.o";
const PACK_DEPS: &str = "../unit.d";
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
            pack: None,
            sources: None,
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

    /// A job that only links: its unit is in an object that several share.
    pub(in crate::compile) fn of_pack(bench: Bench, unit: Arc<Unit>, member: Member) -> Job {
        let mut job = Job::new(bench, unit, Vec::new());
        (job.started, job.compile) = (member.pack.started, member.compile);
        // As it would be compiled alone, which gives the same and is what somebody can repeat.
        job.commands.push(job.compile_command(&member.dir(), Path::new(".")).to_string());
        job.pack = Some(member);
        job
    }

    /// Writes the files and says how to compile them; after a full disk, in the next place.
    pub(in crate::compile) fn begin(&mut self) -> Step {
        if let Some(member) = &self.pack {
            let script = self.unit.rendered.version_script.as_bytes();
            return match self.bench.fs.write(&member.dir().join(EXPORTS), script) {
                Ok(()) => self.compiled(),
                Err(_) => Step::Done(Ended::Alone),
            };
        }
        let mut last = std::io::Error::other("no directory for temporary files is configured");
        while let Some(place) = self.bench.places.get(self.next_place) {
            self.next_place += 1;
            self.scratch = None;
            match Scratch::new(&self.bench.fs, std::slice::from_ref(place)).and_then(|s| self.fill(s)) {
                Ok(()) => {
                    let dir = self.dir();
                    let sources = self.bench.keep_sources(&self.unit, &self.texts());
                    let known_as = sources.as_ref().map_or(Path::new("."), |(place, _)| place).to_owned();
                    self.sources = sources.and_then(|(place, new)| new.then_some(place));
                    self.stage = Stage::Compile;
                    self.started = SystemTime::now();
                    let command = self.compile_command(&dir, &known_as);
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

    fn compile_command(&self, dir: &Path, known_as: &Path) -> Command {
        let (main, language) = (&self.unit.rendered.main, self.unit.language);
        let (toolchain, flags) = (&self.bench.toolchain, &self.unit.flags);
        let command = toolchain.compile_command(flags, language, main, OBJECT, COMPILE_DEPS, dir, known_as);
        // As in a pack, so that the same comes out.
        let command = command.args(if self.unit.pack.is_some() { toolchain.apart() } else { &[] });
        // Beside the unit, where `#include ".."` looks first. `<..>` does only if told to, and last: a header may
        // have the name of one that a system header includes.
        let includes = self.linked.iter().any(|linked| !linked.headers.is_empty());
        command.args(if includes { &["-idirafter", "."][..] } else { &[] })
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
    pub(in crate::compile) fn advance(&mut self, output: Output) -> Step {
        let log =
            String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
        match std::mem::replace(&mut self.stage, Stage::Compile) {
            Stage::Compile => {
                self.compile += output.elapsed;
                self.bench.trace.ran("compile", output.elapsed, || self.unit.at.clone());
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
                self.bench.trace.ran("link", output.elapsed, || self.unit.at.clone());
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
                    Some(_) if self.pack.is_some() => Step::Done(Ended::Alone),
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

    fn compiled(&mut self) -> Step {
        let needs = match &self.pack {
            Some(member) => member.needs.clone(),
            None => match self.bench.fs.read(&self.dir().join(OBJECT)) {
                Ok(bytes) if !bytes.is_empty() => match elf::link_needs(&bytes) {
                    Ok(needs) => needs,
                    Err(problem) => {
                        let problem = format!("the compiler reported success, but its object file {problem}");
                        return self.fail(problem, true);
                    }
                },
                _ => {
                    let problem = "the compiler reported success but wrote no object file";
                    return self.fail(problem.to_owned(), true);
                }
            },
        };
        let dir = self.dir();
        let libraries: Vec<String> =
            self.linked.iter().filter(|l| !l.headers_only).map(|l| l.soname.clone()).collect();
        let request = LinkRequest {
            object: if self.pack.is_some() { PACK_OBJECT } else { OBJECT },
            apart: self.unit.pack.is_some(),
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
        Step::Done(Ended::Built(Built {
            elf,
            log: std::mem::take(&mut self.log),
            inputs: self.dependencies(),
            started: self.started,
            compile: self.compile,
            link: self.link,
            commands: self.commands_to_repeat(),
        }))
    }

    /// What somebody can run again, in a directory with the sources: a pack's member by itself.
    fn commands_to_repeat(&self) -> Vec<String> {
        let mut commands = without_directory(&self.commands, &self.dir().display().to_string());
        if self.pack.is_some() {
            for command in &mut commands {
                *command = command.replace(PACK_OBJECT, OBJECT);
            }
        }
        commands
    }

    /// Files the tools read, without those in our own directory; relative ones were not found.
    fn dependencies(&self) -> Vec<PathBuf> {
        let (of_compile, shared) = match &self.pack {
            Some(_) => (PACK_DEPS, true),
            None => (COMPILE_DEPS, false),
        };
        let traced = self.traced.iter().cloned();
        depfile::foreign(&self.bench.fs, &self.dir(), [of_compile, LINK_DEPS], traced, shared)
    }

    fn run(&mut self, mut command: Command) -> Step {
        command.timeout = self.bench.timeout;
        self.commands.push(command.to_string());
        self.current = Some(command.clone());
        Step::Run(command)
    }

    fn dir(&self) -> PathBuf {
        match &self.pack {
            Some(member) => member.dir(),
            None => self.scratch.as_ref().map_or_else(PathBuf::new, |s| s.path().to_owned()),
        }
    }
}
