//! How a question is answered: it is evaluated again and again, each time with more of what it needs.
//!
//! A question asks for what it needs (trials, facts, programs). What is not known yet is noted, for all questions that
//! are asked together; then all of it is found out at once, side by side and fused, and the questions are evaluated
//! anew. So every question is a plain function from top to bottom, and nobody has to plan what can run in parallel.

use std::sync::Arc;

use super::cmake::CMakeCall;
use super::control;
use super::fact::{Fact, FactTold, Group};
use super::need::{Answered, Called, Need};
use super::session::Session;
use super::settings::Settings;
use super::told::Told;
use super::trial::{Call, Goal, Trial};
use super::verdict::{Evidence, Reason, Verdict};
use crate::config::origin::Flag;
use crate::signature::Signature;
use crate::toolchain::Language;

/// Why an evaluation goes no further.
#[derive(Debug)]
pub enum Stop {
    /// Something has to be found out first.
    NotYet,
    /// Nobody can say.
    Unknown(Reason),
}

/// What is known so far, for an evaluation.
#[derive(Debug)]
pub struct Knowledge<'a> {
    pub(crate) session: &'a Session,
    pub(crate) needs: Vec<(Signature, Need)>,
    /// What was made use of.
    pub(crate) used: Vec<Signature>,
}

type Given<T> = Result<Arc<T>, Stop>;

impl Knowledge<'_> {
    fn need(&mut self, need: Need) -> Result<Arc<Answered>, Stop> {
        let key = need.key(self.session).map_err(Stop::Unknown)?;
        if !self.used.contains(&key) {
            self.used.push(key);
        }
        match self.session.known(&key) {
            Some(Ok(answer)) => Ok(answer),
            Some(Err(problem)) => Err(Stop::Unknown(problem.reason())),
            None => {
                if !self.needs.iter().any(|(known, _)| *known == key) {
                    self.needs.push((key, need));
                }
                Err(Stop::NotYet)
            }
        }
    }

    pub(crate) fn trial(&mut self, trial: &Trial) -> Given<Told> {
        let answer = self.need(Need::Trial(trial.clone()))?;
        match &*answer {
            Answered::Trial(told) => Ok(Arc::new(told.clone())),
            _ => Err(of_another_kind()),
        }
    }

    pub(crate) fn fact(&mut self, group: &Group, fact: &Fact) -> Given<FactTold> {
        let answer = self.need(Need::Fact(group.clone(), fact.clone()))?;
        match &*answer {
            Answered::Fact(told) => Ok(Arc::new(told.clone())),
            _ => Err(of_another_kind()),
        }
    }

    pub(crate) fn call(&mut self, program: &str, args: &[&str], reads: &[String]) -> Given<Called> {
        let args = args.iter().map(|arg| (*arg).to_owned()).collect();
        let call = Call { program: program.to_owned(), args, reads: reads.to_vec() };
        let answer = self.need(Need::Call(call))?;
        match &*answer {
            Answered::Call(called) => Ok(Arc::new(called.clone())),
            _ => Err(of_another_kind()),
        }
    }

    pub(crate) fn cmake(&mut self, call: CMakeCall) -> Given<Called> {
        let answer = self.need(Need::CMake(call))?;
        match &*answer {
            Answered::Call(called) => Ok(Arc::new(called.clone())),
            _ => Err(of_another_kind()),
        }
    }

    /// A trial whose failure is a No: then the compiler must have been able to do as much with an empty text.
    pub(crate) fn accepts(&mut self, trial: &Trial, what: &str) -> Result<Verdict<Arc<Told>>, Stop> {
        let told = self.trial(trial);
        let refuses = control::refuses(self, trial);
        // Where programs are run in jobs, what a No would need is part of the same job.
        if self.session.batch.is_some() && matches!(trial.goal, Goal::Run { .. }) {
            let _ = control::works(self, trial, usize::MAX);
        }
        let told = told?;
        if told.success {
            refuses?;
            return Ok(Verdict::Yes(told));
        }
        control::works(self, trial, told.steps.len())?;
        let reason = match told.first_error() {
            error if error.is_empty() => what.to_owned(),
            error => format!("{what}: {error}"),
        };
        Ok(Verdict::No(self.reason(reason, trial, &told)))
    }

    /// A fact, believed only of a compiler that can say yes and no.
    pub(crate) fn believed(&mut self, group: &Group, fact: &Fact) -> Result<Verdict<Arc<FactTold>>, Stop> {
        let told = self.fact(group, fact);
        let goal = match fact {
            Fact::Function { .. } => Goal::Link,
            Fact::Header(_) | Fact::Macro(_) => Goal::Preprocess,
            _ => Goal::Compile,
        };
        let empty = control::empty(goal.clone(), group.language, &Settings::default());
        let refuses = match goal {
            // Presence brings its own controls with it.
            Goal::Preprocess => Ok(()),
            Goal::Link => control::misses(self, group.language, &group.settings),
            _ => control::refuses(self, &empty),
        };
        let told = told?;
        if told.yes {
            refuses?;
            return Ok(Verdict::Yes(told));
        }
        control::works(self, &empty, 0)?;
        let flags = self.flags(&[group.language], &group.settings, goal.links());
        let evidence = Evidence {
            commands: told.commands.clone(),
            flags,
            status: None,
            said: told.said.clone(),
            texts: vec![(format!("u0.{}", group.language.extension()), told.source.clone())],
        };
        Ok(Verdict::No(Reason::with(told.why.clone(), evidence)))
    }

    pub(crate) fn reason(&self, text: String, trial: &Trial, told: &Told) -> Reason {
        let flags = self.flags(&trial.languages(), &trial.settings, trial.goal.links());
        Reason::with(text, told.evidence(trial, flags))
    }

    /// The flags of a command, with who asked for each.
    fn flags(&self, languages: &[Language], settings: &Settings, links: bool) -> Vec<Flag> {
        let mut flags: Vec<Flag> = Vec::new();
        let mut add = |settings: &Settings| {
            let link = settings.link_words().filter(|_| links);
            for flag in settings.compile_words().chain(link) {
                if !flags.contains(&flag) {
                    flags.push(flag);
                }
            }
        };
        for language in languages {
            if let Ok(compiler) = self.session.compiler(*language) {
                add(&compiler.flags);
            }
        }
        add(settings);
        flags
    }
}

fn of_another_kind() -> Stop {
    Stop::Unknown(Reason::new("what is remembered is an answer to another kind of question"))
}
