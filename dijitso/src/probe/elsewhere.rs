//! Of a session whose programs are run in jobs: what is linked, what waits, and what came back.

use std::collections::HashMap;

use super::batch::{Around, Batch, Found, Progress, WAITS};
use super::job::Trace;
use super::memory::Memory;
use super::need::{Answered, Need};
use super::session::Session;
use super::told::Problem;
use super::trial::{Goal, Trial};
use crate::signature::Signature;

impl Session {
    fn around(&self) -> Around<'_> {
        Around {
            fs: &self.fs,
            store: self.store.as_ref(),
            counters: &self.counters,
            path: self.config.path.as_deref().unwrap_or_default(),
            anew: self.memory == Memory::Shadow,
        }
    }

    /// Programs that a batch job has to run: they are only linked here. What has run already is learned.
    pub(super) fn programs(
        &self,
        open: &mut Vec<(Signature, Need)>,
        compare: impl Fn(&Signature, &Answered),
    ) -> HashMap<Signature, Trial> {
        let mut programs = HashMap::new();
        let Some(batch) = &self.batch else { return programs };
        open.retain_mut(|(key, need)| {
            let Need::Trial(trial) = need else { return true };
            if !matches!(trial.goal, Goal::Run { .. }) {
                return true;
            }
            let learned = match batch.find(&self.around(), key) {
                Found::Answer(answer) => {
                    let (told, trace, inputs) = *answer;
                    let answer = Answered::Trial(told);
                    compare(key, &answer);
                    match inputs {
                        Some(inputs) => self.keep_with(key, &answer, inputs),
                        None => self.keep(key, &answer, &trace),
                    }
                    Ok(answer)
                }
                Found::Waits => Err(WAITS.into()),
                Found::Nothing => match batch.program(&self.around(), key) {
                    Ok(place) => {
                        trial.keep_program = Some(place);
                        programs.insert(*key, trial.clone());
                        return true;
                    }
                    Err(error) => Err(format!("there is no place for the job: {error}").into()),
                },
            };
            self.learn(*key, learned);
            false
        });
        programs
    }

    /// A program was linked for the job. If it was not, that is the answer.
    pub(super) fn linked(
        &self,
        batch: &Batch,
        key: &Signature,
        trial: &Trial,
        result: Result<(Answered, Trace), Problem>,
    ) -> Result<Answered, Problem> {
        match result {
            Ok((Answered::Trial(told), trace)) if told.success => {
                let names = match &trial.goal {
                    Goal::Run { variables, .. } => variables.as_slice(),
                    _ => &[],
                };
                let variables = self.surroundings().run_environment(names).into_iter();
                let variables = variables.filter_map(|(name, value)| Some((name, value?))).collect();
                batch
                    .add(&self.around(), key, trial, variables, told, trace)
                    .map_err(|error| format!("its program cannot be kept for the job: {error}"))?;
                Err(WAITS.into())
            }
            Ok((answer, trace)) => {
                self.keep(key, &answer, &trace);
                Ok(answer)
            }
            Err(problem) => Err(problem),
        }
    }

    /// Submits what waits for a job.
    pub(crate) fn go_on(&self) -> Result<Progress, String> {
        match &self.batch {
            Some(batch) => batch.go_on(&self.around()),
            None => Ok(Progress::Nothing),
        }
    }
}
