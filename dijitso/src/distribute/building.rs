//! What no cache has: generated and compiled by the builders of a team, and delivered.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use super::agree::{Failure, Known};
use super::delivery::Way;
use super::member::{AT_ONCE, Member};
use super::plan::{self, Share, Task};
use super::team::Team;
use super::waiting::Step;
use crate::error::{Error, Result};
use crate::jit::{Luggage, combined};
use crate::signature::Signature;
use crate::source::{AnySpec, Parts};

impl Member<'_, '_> {
    pub(super) fn build_missing(&mut self, team: &Team, known: &[Known], remote: bool) -> Result<()> {
        let everywhere = |known: &Known| known.loaded && !known.mixed;
        let missing: Vec<usize> =
            (0..known.len()).filter(|&at| !everywhere(&known[at]) && known[at].holder.is_none()).collect();
        if missing.is_empty() {
            return Ok(());
        }
        if self.engine.is_sealed() {
            if team.is_root() {
                let error = self.sealed(&missing, known);
                self.fail(0, error);
            }
            return self.status(Step::Status, team.whole());
        }
        if team.ranks == 1 {
            self.attempt(Step::Build, |me| me.compile_for_itself(&missing));
            return self.failure.take().map_or(Ok(()), |failure| Err(failure.into_error()));
        }
        self.build(team, &missing, known, remote)
    }

    /// For nobody else: nothing has to travel.
    fn compile_for_itself(&mut self, kernels: &[usize]) -> Result<()> {
        let specs: Vec<&AnySpec> = kernels.iter().map(|&at| self.specs[at]).collect();
        for (&at, outcome) in kernels.iter().zip(self.engine.load_any(&specs)) {
            match outcome {
                Ok(obtained) => self.have[at] = Some(obtained),
                Err(error) => self.fail(at as u32, error),
            }
        }
        Ok(())
    }

    /// The same on every rank: the words are those of the rank that looked.
    fn sealed(&self, missing: &[usize], known: &[Known]) -> Error {
        let reason = |at: usize| known[at].reason.clone().map(|(_, why)| why).unwrap_or_default();
        let missing = missing.iter().map(|&at| self.engine.missing(self.specs[at], reason(at)));
        combined(missing.collect()).unwrap_or_else(|| self.engine.missing(self.specs[0], String::new()))
    }

    fn build(&mut self, team: &Team, missing: &[usize], known: &[Known], remote: bool) -> Result<()> {
        let specs: Vec<Signature> = self.specs.iter().map(|spec| spec.signature()).collect();
        let mut parts: HashMap<usize, Arc<Parts>> = HashMap::new();
        let rounds = if team.builders.len() == 1 {
            vec![vec![Share { rank: team.builders[0].rank, kernels: missing.to_vec() }]]
        } else {
            let costs: Vec<(usize, Option<f32>)> =
                missing.iter().map(|&at| (at, known[at].recorded_ms)).collect();
            let shares = plan::generators(&costs, &team.builders);
            let tasks = self.generate(team, &shares, known, &mut parts)?;
            plan::rounds(&tasks, &specs, &team.builders, remote)
        };
        for (number, round) in rounds.iter().enumerate() {
            let last = number + 1 == rounds.len();
            let way = if last { Way::FROM_LAST_BUILDERS } else { Way::FROM_RANKS };
            let explained = self.explain(round);
            self.session.waits_for(explained);
            let mine =
                round.iter().find(|share| share.rank == self.rank()).map(|share| share.kernels.clone());
            let luggage = self.attempt(Step::Build, |me| me.compile(mine.unwrap_or_default(), &mut parts));
            let luggage = luggage.unwrap_or_default();
            self.status(Step::Status, team.whole())?;
            let mut built: Vec<(usize, usize)> =
                round.iter().flat_map(|share| share.kernels.iter().map(|&at| (at, share.rank))).collect();
            built.sort_unstable();
            for slice in built.chunks(AT_ONCE) {
                self.deliver(team, slice, &luggage, way)?;
            }
        }
        Ok(())
    }

    /// For warnings: who builds what.
    fn explain(&self, round: &[Share]) -> String {
        let share = |share: &Share| {
            let mut names: Vec<&str> =
                share.kernels.iter().take(3).map(|&at| self.specs[at].name()).collect();
            if share.kernels.len() > names.len() {
                names.push("..");
            }
            format!("rank {} builds {}", share.rank, names.join(", "))
        };
        let mut shares: Vec<String> = round.iter().take(4).map(share).collect();
        if round.len() > shares.len() {
            shares.push(format!("{} ranks more build", round.len() - shares.len()));
        }
        shares.join("; ")
    }

    /// The generators run, each on one rank; everybody learns what they say of their kernels.
    fn generate(
        &mut self,
        team: &Team,
        shares: &[Share],
        known: &[Known],
        parts: &mut HashMap<usize, Arc<Parts>>,
    ) -> Result<Vec<Task>> {
        let me = self.rank();
        let mine = shares.iter().find(|share| share.rank == me).map(|share| share.kernels.clone());
        let tasks = self.attempt(Step::Plan, |member| {
            let mut tasks = Vec::new();
            for at in mine.unwrap_or_default() {
                let start = Instant::now();
                match member.engine.generate(member.specs[at]) {
                    Ok(generated) => {
                        tasks.push(Task {
                            kernel: at as u32,
                            generated_by: me as u32,
                            generate_ms: start.elapsed().as_secs_f32() * 1e3,
                            bytes: generated.text.len() as u64,
                            recorded_ms: known[at].recorded_ms,
                            needs: generated.dependencies.iter().map(AnySpec::signature).collect(),
                        });
                        parts.insert(at, generated);
                    }
                    Err(error) => member.fail(at as u32, error),
                }
            }
            Ok(tasks)
        });
        let mine = (self.failure.clone(), tasks.unwrap_or_default());
        let (failure, mut tasks) =
            self.session.all_reduce(Step::Plan, team.whole(), mine, |(a, mut left), (b, right)| {
                left.extend(right);
                (Failure::first(a, b), left)
            })?;
        if let Some(failure) = failure {
            return Err(failure.into_error());
        }
        tasks.sort_by_key(|task| task.kernel);
        Ok(tasks)
    }

    fn compile(&mut self, kernels: Vec<usize>, parts: &mut HashMap<usize, Arc<Parts>>) -> Result<Luggage> {
        if kernels.is_empty() {
            return Ok(Luggage::default());
        }
        let specs: Vec<&AnySpec> = kernels.iter().map(|&at| self.specs[at]).collect();
        let forced: Vec<bool> = kernels.iter().map(|&at| self.have[at].is_some()).collect();
        let parts: Vec<Option<Arc<Parts>>> = kernels.iter().map(|at| parts.remove(at)).collect();
        let (outcomes, luggage) = self.engine.build_packed(&specs, &forced, &parts);
        for (&at, outcome) in kernels.iter().zip(outcomes) {
            match outcome {
                Ok(obtained) => self.have[at] = Some(obtained),
                Err(error) => self.fail(at as u32, error),
            }
        }
        Ok(luggage)
    }
}
