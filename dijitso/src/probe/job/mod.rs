//! One trial on its way through compiler, linker and machine, and what it read on that way.
//!
//! A job is a small state machine, as one of the engine's builds is: it says which program to run next and is told how
//! that went, so one thread drives many. Its directory is private and goes with it.

mod ending;
mod link;

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

pub(super) use ending::is_from_outside;
use ending::{header_missing, object_name};

use super::object;
use super::surroundings::Surroundings;
use super::told::{Problem, Step, Told, kept_of_compiler, macros_in, whole};
use super::trial::{Goal, Trial, asked_by};
use crate::fs::Scratch;
use crate::process::{Command, Output, Status};
use crate::toolchain::{Line, Linker, SearchPath, Trouble, depfile, may_pass, traced_files, trouble};

/// What a job wants next.
#[derive(Debug)]
pub(super) enum Next {
    Run(Command),
    Done(Ended),
}

/// What came of a trial, and what has to stay as it is for that to stay true.
#[derive(Debug)]
pub(super) struct Ended {
    /// Else the machine was in trouble.
    pub(super) told: Result<Told, Problem>,
    pub(super) trace: Trace,
}

/// What a trial read, and where it looked in vain.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Trace {
    pub(super) started: SystemTime,
    pub(super) files: Vec<PathBuf>,
    /// Names of headers, and absolute paths.
    pub(super) asked: Vec<String>,
    pub(super) search: SearchPath,
    /// Some of it is not known, so the answer cannot be kept.
    pub(super) incomplete: bool,
}

impl Trace {
    /// Of a program that is not compiled: what was read, and what was looked for in vain.
    pub(super) fn of(files: Vec<PathBuf>, absent: Vec<PathBuf>) -> Trace {
        Trace {
            started: SystemTime::now(),
            files,
            asked: absent.into_iter().map(|path| path.to_string_lossy().into_owned()).collect(),
            search: SearchPath::default(),
            incomplete: false,
        }
    }

    /// Whether a header is there depends on nothing but its own places.
    pub(super) fn rests_on_header(&mut self, name: &str) {
        self.files.clear();
        self.asked = vec![name.to_owned()];
    }
}

#[derive(Debug, Clone, Copy)]
enum Stage {
    Compile(usize),
    /// Asking what a text that does not compile has read.
    Headers,
    Link,
    /// Asking what the program is loaded with.
    Libraries,
    Run,
}

#[derive(Debug)]
pub(super) struct Job {
    around: Surroundings,
    trial: Trial,
    scratch: Option<Scratch>,
    stage: Stage,
    current: String,
    /// The words of the link.
    line: Line,
    linker: Linker,
    told: Told,
    trace: Trace,
}

/// What is linked.
pub(super) const PROGRAM: &str = "program";

impl Job {
    pub(super) fn new(around: Surroundings, trial: Trial) -> Job {
        let trace = Trace {
            started: SystemTime::now(),
            files: Vec::new(),
            asked: Vec::new(),
            search: SearchPath::default(),
            incomplete: false,
        };
        Job {
            around,
            trial,
            scratch: None,
            stage: Stage::Compile(0),
            current: String::new(),
            line: Line::default(),
            linker: Linker::default(),
            told: Told::default(),
            trace,
        }
    }

    /// Writes the texts, and says how to begin.
    pub(super) fn begin(&mut self) -> Next {
        let scratch = match Scratch::new(&self.around.fs, &self.around.places) {
            Ok(scratch) => scratch,
            Err(error) => {
                let tried: Vec<String> = self.around.places.iter().map(|p| p.display().to_string()).collect();
                let tried = tried.join(", ");
                return self.unknown(format!(
                    "there is no place to work in: {error} (tried {tried}); set TMPDIR to a directory with free space"
                ));
            }
        };
        self.trace.started = SystemTime::now();
        for (n, unit) in self.trial.units.iter().enumerate() {
            if let Err(error) =
                self.around.fs.write(&scratch.path().join(self.trial.file(n)), unit.text.as_bytes())
            {
                return self.unknown(format!("cannot write into {}: {error}", scratch.path().display()));
            }
        }
        self.scratch = Some(scratch);
        self.collect_questions();
        self.compile(0)
    }

    /// The step that was asked for has ended.
    pub(super) fn advance(&mut self, output: Output) -> Next {
        let dir = self.dir();
        if let Stage::Headers = self.stage {
            return self.headers_told(&output);
        }
        if let Stage::Libraries = self.stage {
            let (program, fs) = (dir.join(PROGRAM), self.around.fs.clone());
            let library_path = self.around.config.library_path.clone();
            self.trace.is_loaded_with(&program, &output.stdout, library_path.as_deref(), &fs);
            self.trace.asked.retain(|name| !Path::new(name).starts_with(&dir));
            self.trace.incomplete |= !output.status.success();
            return self.execute();
        }
        let runs = matches!(self.stage, Stage::Run);
        let (name, timeout) = match self.stage {
            Stage::Compile(unit) => {
                (format!("{} compiler", self.trial.units[unit].language), self.around.timeout)
            }
            Stage::Link => ("linker".to_owned(), self.around.timeout),
            _ => ("program".to_owned(), self.around.timeout),
        };
        let mut step = Step {
            command: std::mem::take(&mut self.current),
            status: match output.status {
                Status::Exited(code) => code,
                Status::Signaled(signal) => -signal,
                Status::TimedOut => i32::MIN,
            },
            stdout: String::new(),
            stderr: kept_of_compiler(&output.stderr, &dir.to_string_lossy()),
        };
        if matches!(self.stage, Stage::Link) {
            step.stderr = link::without_trace(&step.stderr);
        }
        let answers = runs || matches!(self.trial.goal, Goal::Preprocess);
        if answers {
            // The answer itself, of which nothing may be missing.
            step.stdout = whole(&output.stdout, &dir.to_string_lossy());
        }
        if runs {
            step.stderr = whole(&output.stderr, &dir.to_string_lossy());
        }
        self.told.steps.push(step);
        if output.cut && (answers || matches!(self.trial.goal, Goal::Macros(_))) {
            return self.unknown(format!(
                "the {name} printed more than {} MiB, of which an answer cannot be made: ask for less",
                Command::LONGEST_ANSWER >> 20
            ));
        }
        // What a loader or a shell says that could not begin: it may be another thing tomorrow.
        self.trace.incomplete |= runs && matches!(output.status, Status::Exited(126 | 127));
        match trouble(&name, &output, timeout) {
            // A program may end as it likes, as long as nobody ended it.
            Some(Trouble::Machine(problem)) if !runs || is_from_outside(output.status) => {
                self.unknown(problem)
            }
            Some(Trouble::Space(problem)) => self.unknown(problem),
            None => self.succeeded(&output),
            Some(_) => self.failed(&output),
        }
    }

    pub(super) fn cannot_start(&mut self, error: &std::io::Error) -> Ended {
        let program = self.current.split(' ').next().unwrap_or_default().to_owned();
        self.end(Err(format!("cannot start {program}: {error}")))
    }

    fn succeeded(&mut self, output: &Output) -> Next {
        match self.stage {
            Stage::Compile(unit) => {
                self.read_list(&format!("u{unit}.d"));
                let next = unit + 1;
                match &self.trial.goal {
                    Goal::Preprocess => self.done(true),
                    Goal::Macros(names) => {
                        self.told.macros = macros_in(&output.stdout, names);
                        self.done(true)
                    }
                    _ if !self.wrote(&object_name(unit)) => {
                        let language = self.trial.units[unit].language;
                        self.unknown(format!(
                            "the {language} compiler says that it compiled, and wrote no object file"
                        ))
                    }
                    Goal::Compile => self.done(true),
                    Goal::Object => self.look_into(unit),
                    Goal::Fused => {
                        let bytes =
                            self.around.fs.read(&self.dir().join(object_name(unit))).unwrap_or_default();
                        self.told.undefined =
                            object::contents(&bytes).map(|contents| contents.undefined).unwrap_or_default();
                        self.link()
                    }
                    Goal::Link | Goal::Run { .. } if next < self.trial.units.len() => self.compile(next),
                    Goal::Link | Goal::Run { .. } => self.link(),
                }
            }
            Stage::Link => {
                self.linked(output);
                if !self.wrote(PROGRAM) {
                    return self.unknown("the linker says that it linked, and wrote no file".to_owned());
                }
                match (&self.trial.goal, &self.trial.keep_program) {
                    (Goal::Run { .. }, Some(place)) => self.keep_program(&place.clone()),
                    (Goal::Run { .. }, None) => self.list_libraries(),
                    _ => self.done(true),
                }
            }
            _ => self.done(true),
        }
    }

    fn failed(&mut self, output: &Output) -> Next {
        if !matches!(self.stage, Stage::Run) {
            self.trace.incomplete |= may_pass(&String::from_utf8_lossy(&output.stderr));
        }
        let stage = self.stage;
        match stage {
            // gcc writes its list after most errors, too.
            Stage::Compile(unit) if self.read_list(&format!("u{unit}.d")) => self.done(false),
            Stage::Compile(unit) => {
                let compiler = self.around.compiler(self.trial.units[unit].language);
                let words = compiler.flags.all().chain(self.trial.settings.all());
                match self.trial.reads_headers(words) && self.trial.traced {
                    true => self.ask_for_headers(unit),
                    false => self.done(false),
                }
            }
            Stage::Link => {
                self.linked(output);
                self.done(false)
            }
            _ => self.done(false),
        }
    }

    fn look_into(&mut self, unit: usize) -> Next {
        let bytes = self.around.fs.read(&self.dir().join(object_name(unit))).unwrap_or_default();
        match object::contents(&bytes) {
            Ok(contents) => {
                self.told.values = contents.values;
                self.told.undefined = contents.undefined;
                self.done(true)
            }
            Err(problem) => self.unknown(format!("the object file {problem}")),
        }
    }

    fn compile(&mut self, unit: usize) -> Next {
        self.stage = Stage::Compile(unit);
        let (dir, file) = (self.dir(), self.trial.file(unit));
        let language = self.trial.units[unit].language;
        let command = self.compiler(unit, &dir).args(["-MD", "-MF", &format!("u{unit}.d")]);
        let command = command.args(["-x", language.dialect()]);
        self.run(match &self.trial.goal {
            Goal::Preprocess => command.args(["-E", &file]).for_an_answer(),
            Goal::Macros(_) => command.args(["-dM", "-E", &file]).for_an_answer(),
            _ => command.args(["-c", &file, "-o", &object_name(unit)]),
        })
    }

    /// The driver with all flags for a unit.
    fn compiler(&self, unit: usize, dir: &Path) -> Command {
        let compiler = self.around.compiler(self.trial.units[unit].language);
        let command = compiler.toolchain.question(dir, self.around.timeout);
        let flags = compiler.flags.compile_words().chain(self.trial.settings.compile_words());
        command.args(flags.map(|flag| flag.text)).args(&self.trial.extra)
    }

    /// Compilers write no list of what they read if they fail. `-H` tells every header as it is opened.
    fn ask_for_headers(&mut self, unit: usize) -> Next {
        self.stage = Stage::Headers;
        let dir = self.dir();
        let language = self.trial.units[unit].language;
        let file = self.trial.file(unit);
        let command = self.compiler(unit, &dir).args(["-H", "-E", "-x", language.dialect(), &file]);
        Next::Run(command.args(["-o", "/dev/null"]))
    }

    fn headers_told(&mut self, output: &Output) -> Next {
        self.trace.incomplete |= !matches!(output.status, Status::Exited(_));
        let text = String::from_utf8_lossy(&output.stderr);
        for line in text.lines() {
            if let Some(path) = line.strip_prefix('.').map(|rest| rest.trim_start_matches('.').trim_start())
                && path.starts_with('/')
            {
                self.trace.files.push(path.into());
            }
            self.trace.asked.extend(header_missing(line));
        }
        self.done(false)
    }

    /// What the program will be loaded with decides what it does, too.
    fn list_libraries(&mut self) -> Next {
        let dir = self.dir();
        let linker = self.around.compiler(self.trial.linker).toolchain.clone();
        match linker.lister(&dir.join(PROGRAM)) {
            Some(loader) => {
                self.stage = Stage::Libraries;
                let command = linker.beside(&loader, &dir, self.around.timeout);
                Next::Run(command.arg("--list").arg(dir.join(PROGRAM)))
            }
            None => self.execute(),
        }
    }

    /// It is run elsewhere.
    fn keep_program(&mut self, place: &Path) -> Next {
        let parent = place.parent().unwrap_or(place);
        let fs = &self.around.fs;
        let bytes = fs.read(&self.dir().join(PROGRAM));
        let kept = bytes.and_then(|bytes| {
            fs.create_dir_all_public(parent)?;
            fs.write(place, &bytes)?;
            fs.make_executable(place)
        });
        match kept {
            Ok(()) => self.done(true),
            Err(error) => self.unknown(format!("cannot write {}: {error}", place.display())),
        }
    }

    fn execute(&mut self) -> Next {
        self.stage = Stage::Run;
        let Goal::Run { args, variables } = &self.trial.goal else { return self.done(true) };
        let dir = self.dir();
        let mut command = Command::new(dir.join(PROGRAM), &dir, self.around.run_timeout).alone();
        for (name, value) in self.around.run_environment(variables) {
            command = command.set(name, value);
        }
        command = command.set("TMPDIR", Some(&dir)).args(args);
        command = command.for_an_answer().with_all_it_started();
        self.run(command)
    }

    fn run(&mut self, command: Command) -> Next {
        self.current = command.to_string().replace(&*self.dir().to_string_lossy(), ".");
        Next::Run(command)
    }
}

/// How long a program that somebody wrote for a question may run.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);
