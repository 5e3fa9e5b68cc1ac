//! What a question has to know before it can be answered, and what is remembered of it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::cmake::{CMakeCall, PREFIXES};
use super::fact::{Fact, FactTold, Group};
use super::job::is_from_outside;
use super::session::Session;
use super::settings::Settings;
use super::told::{Problem, Step, Told, kept};
use super::trial::{Call, Goal, Trial};
use super::verdict::{Reason, first_error};
use crate::config::env;
use crate::process::{Command, Output, Status};
use crate::signature::{Signature, Signer, digest};
use crate::toolchain::{Language, host_name, native_digest};

/// Bump when what is asked, or how an answer is read, changes.
const VERSION: &str = "dijitso probe 2";

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Need {
    Trial(Trial),
    Fact(Group, Fact),
    Call(Call),
    CMake(CMakeCall),
}

/// An answer as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Answered {
    Trial(Told),
    Fact(FactTold),
    Call(Called),
}

/// What a program on PATH said.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Called {
    /// `None`: it is not there.
    pub(crate) path: Option<String>,
    /// Why not.
    pub(crate) why: String,
    pub(crate) step: Step,
}

impl Answered {
    pub(crate) fn agrees(&self, other: &Answered) -> bool {
        match (self, other) {
            (Answered::Trial(one), Answered::Trial(two)) => one.agrees(two),
            (Answered::Fact(one), Answered::Fact(two)) => one.agrees(two),
            (Answered::Call(one), Answered::Call(two)) => one == two,
            _ => false,
        }
    }

    /// What was run to find it out.
    pub(crate) fn commands(&self) -> Vec<String> {
        match self {
            Answered::Trial(told) => told.steps.iter().map(|step| step.command.clone()).collect(),
            Answered::Fact(told) => told.commands.clone(),
            Answered::Call(called) => vec![called.step.command.clone()],
        }
    }

    /// In words, for the message about a disagreement.
    pub(crate) fn describe(&self) -> String {
        match self {
            Answered::Trial(told) => match told.success {
                true => format!("accepted{}", told.steps.last().map(said).unwrap_or_default()),
                false => format!("refused ({})", told.first_error()),
            },
            Answered::Fact(told) if told.yes => format!("yes ({}{})", told.value, told.text),
            Answered::Fact(told) => format!("no ({})", told.why),
            Answered::Call(called) => match &called.path {
                Some(path) => format!("{path}, status {}{}", called.step.status, said(&called.step)),
                None => "not there".to_owned(),
            },
        }
    }
}

/// The beginning of what a program said, if it said anything.
fn said(step: &Step) -> String {
    let line = step.stdout.lines().chain(step.stderr.lines()).find(|line| !line.trim().is_empty());
    line.map(|line| format!(": {}", line.chars().take(80).collect::<String>())).unwrap_or_default()
}

pub(crate) type Known = Result<Arc<Answered>, Problem>;

impl Need {
    /// What an answer is kept under: everything that decides it and does not show by files.
    ///
    /// # Errors
    /// A language has no compiler.
    pub(crate) fn key(&self, session: &Session) -> Result<Signature, Reason> {
        let mut signer = Signer::quiet(VERSION);
        match self {
            Need::Trial(trial) => {
                signer.field("kind", "trial");
                sign_trial(&mut signer, trial);
                for language in trial.languages() {
                    signer.field("compiler", &session.signed(language, &trial.settings, sign_compiler)?);
                }
                if trial.goal.links() {
                    // A linker looks there, too, for what libraries need.
                    signer.field("library path", &session.config.library_path);
                }
                if let Goal::Run { args, variables } = &trial.goal {
                    signer.field("arguments", args);
                    match &session.batch {
                        Some(batch) => signer.field("launcher", batch.name()),
                        None => signer.field("machine", &native_digest()),
                    }
                    signer.field("path", &session.config.path);
                    for variable in variables {
                        signer.field(variable, &env::named(variable));
                    }
                }
            }
            Need::Fact(group, fact) => {
                signer.field("kind", "fact");
                signer.field("group", &group.signature());
                signer.field("fact", &format!("{fact:?}"));
                if matches!(fact, Fact::Function { .. }) {
                    signer.field("library path", &session.config.library_path);
                }
                signer.field("compiler", &session.signed(group.language, &group.settings, sign_compiler)?);
            }
            Need::Call(call) => {
                signer.field("kind", "call");
                for (name, value) in &session.config.compiler_env {
                    signer.field(name, value);
                }
                signer.field("program", &call.program);
                // Whether a file may be executed shows by no content.
                let found = session.locate(&call.program).map(|(path, _)| path).map_err(|(why, _)| why);
                signer.field("found", &format!("{found:?}"));
                signer.field("arguments", &call.args);
                signer.field("reads", &call.reads);
                signer.field("path", &session.config.path);
                signer.field("library path", &session.config.library_path);
            }
            Need::CMake(call) => {
                signer.field("kind", "cmake");
                signer.field("name", &call.name);
                signer.field("components", &call.components);
                signer.field("targets", &call.targets);
                signer.field("config", &call.config);
                signer.field("first", &call.prefixes);
                signer.field("prefixes", &env::named(PREFIXES));
                signer.field("path", &session.config.path);
                signer.field("library path", &session.config.library_path);
                let none = Settings::default();
                signer.field("compiler", &session.signed(Language::C, &none, sign_compiler)?);
                if session.compiler(Language::Cxx).is_ok() {
                    signer.field("compiler", &session.signed(Language::Cxx, &none, sign_compiler)?);
                }
            }
        }
        Ok(signer.finish())
    }

    /// In a few words.
    pub(crate) fn describe(&self) -> String {
        match self {
            Need::Trial(Trial { name: Some(name), .. }) => name.clone(),
            Need::Trial(trial) => {
                let unit = &trial.units[0];
                let what = match trial.goal {
                    Goal::Preprocess | Goal::Macros(_) => "preprocess",
                    Goal::Compile | Goal::Object => "compile",
                    Goal::Link | Goal::Fused => "link",
                    Goal::Run { .. } => "run",
                };
                let short = digest(unit.text.as_bytes()).short();
                format!("{what} {} text {short} {}", unit.language, trial.settings)
            }
            Need::Fact(group, fact) => format!("{} {fact:?} {}", group.language, group.settings),
            Need::Call(call) => format!("{} {}", call.program, call.args.join(" ")),
            Need::CMake(call) if call.name.is_empty() => "cmake with an empty project".to_owned(),
            Need::CMake(call) => format!("cmake with {}", call.config.display()),
        }
    }
}

fn sign_trial(signer: &mut Signer, trial: &Trial) {
    let goal = match &trial.goal {
        Goal::Preprocess => "preprocess",
        Goal::Macros(names) => {
            signer.field("macros", names);
            "macros"
        }
        Goal::Compile => "compile",
        Goal::Object => "object",
        Goal::Link => "link",
        Goal::Fused => "fused",
        Goal::Run { .. } => "run",
    };
    signer.field("goal", goal);
    signer.seq(trial.units.len(), |signer| {
        for unit in &trial.units {
            signer.str(unit.language.name());
            signer.str(&unit.text);
        }
    });
    signer.field("linker", trial.linker.name());
    trial.settings.sign(signer);
    signer.field("extra", &trial.extra);
    signer.field("link extra", &trial.link_extra);
}

/// A compiler with what it sees: many questions have the same, so a session signs it once.
fn sign_compiler(session: &Session, language: Language, settings: &Settings) -> Result<Signature, Reason> {
    let compiler = session.compiler(language)?;
    let mut signer = Signer::quiet("dijitso probe compiler");
    signer.field("compiler", &compiler.toolchain.identity());
    compiler.flags.sign(&mut signer);
    for (name, value) in &session.config.compiler_env {
        signer.field(name, value);
    }
    let flags: Vec<_> = compiler.flags.compile_words().chain(settings.compile_words()).collect();
    let files = session.surroundings().surround(&compiler.toolchain, &flags).files;
    signer.field("files", &files);
    if language == Language::Fortran {
        // It warns of each that is not there.
        let dirs = flags.iter().filter_map(|flag| flag.text.strip_prefix("-I"));
        let there: Vec<bool> = dirs.map(|dir| session.fs.exists(std::path::Path::new(dir))).collect();
        signer.field("directories", &format!("{there:?}"));
    }
    if compiler.flags.all().chain(settings.all()).any(|flag| flag.text.contains("native")) {
        signer.field("machine", &host_name());
    }
    Ok(signer.finish())
}

/// What a program on PATH said.
pub(super) fn called(command: &Command, output: &Output) -> Result<Called, String> {
    let program = command.program.display();
    let status = match output.status {
        // A shell's words, or a loader's: it has not begun.
        Status::Exited(code @ (126 | 127)) => {
            let said = kept(&output.stderr, "\0");
            return Err(format!("{program} could not be run (status {code}): {}", first_error(&said)));
        }
        Status::Exited(code) => code,
        status if is_from_outside(status) && status != Status::TimedOut => {
            return Err(format!("{program} {}", status.describe()));
        }
        Status::Signaled(signal) => -signal,
        Status::TimedOut => {
            return Err(format!("{program} did not answer in time and was killed"));
        }
    };
    let step = Step {
        command: command.to_string(),
        status,
        stdout: kept(&output.stdout, "\0"),
        stderr: kept(&output.stderr, "\0"),
    };
    Ok(Called { path: Some(command.program.to_string_lossy().into_owned()), why: String::new(), step })
}
