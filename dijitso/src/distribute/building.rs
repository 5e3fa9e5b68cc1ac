//! What no cache has: generated and compiled by the builders of a team, and delivered.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Instant;

use super::agree::{Failure, Known, Weight};
use super::delivery::{Consignment, Way, at_once};
use super::member::Member;
use super::plan::{self, Share, Task};
use super::team::Team;
use super::unsent::Reasons;
use super::waiting::Step;
use crate::error::{Error, Result};
use crate::jit::{Luggage, combined};
use crate::signature::Signature;
use crate::source::{AnySpec, Parts};

impl Member<'_, '_> {
    /// Builds what nobody has, and first what was `lost` since it was found.
    pub(super) fn build_missing(
        &mut self,
        team: &Team,
        known: &[Known],
        remote: bool,
        lost: &Reasons,
    ) -> Result<()> {
        let missing: Vec<usize> =
            (0..known.len()).filter(|&at| !known[at].is_everywhere() && known[at].holder.is_none()).collect();
        if missing.is_empty() {
            return Ok(());
        }
        let reason = |&at: &usize| Some((at, known[at].reason.clone()?.1));
        self.reasons = missing.iter().filter_map(reason).collect();
        if self.sealed {
            if team.is_root() {
                let error = self.sealed(&missing, known);
                self.fail(Some(missing[0]), error);
            }
            return self.status(Step::Status, team.whole());
        }
        if team.ranks == 1 {
            self.attempt(Step::Build, |me| me.compile_for_itself(&missing));
            return self.failure.take().map_or(Ok(()), |failure| Err(self.end(failure)));
        }
        self.adopt();
        let (lost, missing): (Vec<usize>, Vec<usize>) =
            missing.into_iter().partition(|&at| lost.contains_key(&(at as u32)));
        if !lost.is_empty() {
            // By the root, which knows that they must be: another builder might find them in its cache once more.
            let share = Share { rank: team.root(), kernels: lost.clone() };
            let way = if missing.is_empty() { Way::FROM_LAST_BUILDERS } else { Way::FROM_BUILDERS };
            self.build_round(team, &[share], way, &mut HashMap::new(), true)?;
        }
        if missing.is_empty() { Ok(()) } else { self.build(team, &missing, known, remote) }
    }

    /// For nobody else: nothing has to travel.
    fn compile_for_itself(&mut self, kernels: &[usize]) -> Result<()> {
        let specs: Vec<&AnySpec> = kernels.iter().map(|&at| self.specs[at]).collect();
        for (&at, outcome) in kernels.iter().zip(self.engine.load_any(&specs)) {
            match outcome {
                Ok(obtained) => self.have[at] = Some(obtained),
                Err(error) => self.fail(Some(at), error),
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
            let (tasks, able) = self.generate(team, &shares, known, &mut parts)?;
            let builders = team.builders.iter().filter(|builder| able.contains(&builder.rank)).copied();
            plan::rounds(&tasks, &specs, &builders.collect::<Vec<_>>(), remote)
        };
        for (number, round) in rounds.iter().enumerate() {
            let last = number + 1 == rounds.len();
            let way = if last { Way::FROM_LAST_BUILDERS } else { Way::FROM_BUILDERS };
            self.build_round(team, round, way, &mut parts, false)?;
        }
        Ok(())
    }

    /// Every builder builds its share, and all ranks get all of it.
    fn build_round(
        &mut self,
        team: &Team,
        round: &[Share],
        way: Way,
        parts: &mut HashMap<usize, Arc<Parts>>,
        anew: bool,
    ) -> Result<()> {
        let explained = self.explain(round);
        self.session.waits_for(explained);
        let mine = round.iter().find(|share| share.rank == self.rank()).map(|share| share.kernels.clone());
        let mine = mine.unwrap_or_default();
        self.luggage = self.attempt(Step::Build, |me| me.compile(&mine, parts, anew)).unwrap_or_default();
        let weigh = |&at: &usize| Some((at as u32, Weight::of(&self.have[at].as_ref()?.0)));
        let weights: BTreeMap<u32, Weight> = mine.iter().filter_map(weigh).collect();
        let mine = (self.failure.clone(), weights);
        let (failure, weights) = self.session.all_reduce(Step::Status, team.whole(), mine, |mut a, b| {
            a.1.extend(b.1);
            (Failure::first(a.0, b.0), a.1)
        })?;
        if let Some(failure) = failure {
            return Err(self.end(failure));
        }
        let mut built: Vec<Consignment> = Vec::new();
        for Share { rank, kernels } in round {
            built.extend(kernels.iter().map(|&kernel| {
                let weight = weights.get(&(kernel as u32)).copied().unwrap_or_default();
                Consignment { kernel, from: *rank, weight }
            }));
        }
        built.sort_unstable_by_key(|consignment| consignment.kernel);
        for consignments in at_once(&built) {
            let lost = self.deliver(team, consignments, way)?;
            if let Some((at, why)) = lost.first_key_value() {
                let kernel = self.specs[*at as usize].at();
                let problem = format!(
                    "it was just built, or found by its builder, and cannot be handed out: {why}; something removes or changes files \
                     in the cache directory while it is used"
                );
                let from = consignments.iter().find(|consignment| consignment.kernel == *at as usize);
                let from = from.map_or(team.root(), |consignment| consignment.from);
                return Err(self.end(Failure::of_kernel(from, *at, Error::Load { kernel, problem })));
            }
        }
        self.luggage = Luggage::default();
        self.adopt();
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

    /// The generators run, each on one rank; everybody learns what they say of their kernels, and which ranks can compile
    /// them: those that have the compiler of the lowest one that has any. By two compilers half of a batch would not be
    /// found the next time.
    fn generate(
        &mut self,
        team: &Team,
        shares: &[Share],
        known: &[Known],
        parts: &mut HashMap<usize, Arc<Parts>>,
    ) -> Result<(Vec<Task>, Vec<usize>)> {
        let me = self.rank();
        let mine = shares.iter().find(|share| share.rank == me).map(|share| share.kernels.clone());
        let said = self.attempt(Step::Plan, |member| {
            let mut tasks = Vec::new();
            let compiler = mine.is_some().then(|| (me, member.engine.compiler_digest()));
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
                    Err(error) => member.fail(Some(at), error),
                }
            }
            Ok((tasks, compiler.into_iter().collect::<Vec<_>>()))
        });
        let (tasks, compilers) = said.unwrap_or_default();
        let mine = (self.failure.clone(), tasks, compilers);
        let (failure, mut tasks, mut compilers) =
            self.session.all_reduce(Step::Plan, team.whole(), mine, |mut a, b| {
                a.1.extend(b.1);
                a.2.extend(b.2);
                (Failure::first(a.0, b.0), a.1, a.2)
            })?;
        if let Some(failure) = failure {
            return Err(self.end(failure));
        }
        tasks.sort_by_key(|task| task.kernel);
        compilers.sort_unstable_by_key(|&(rank, _)| rank);
        let theirs = compilers.iter().find_map(|&(_, compiler)| compiler);
        // If nobody has one, they say so.
        let able = compilers.iter().filter(|(_, compiler)| *compiler == theirs).map(|&(rank, _)| rank);
        Ok((tasks, able.collect()))
    }

    /// Compiles kernels, those that this rank has `anew`, too.
    fn compile(
        &mut self,
        kernels: &[usize],
        parts: &mut HashMap<usize, Arc<Parts>>,
        anew: bool,
    ) -> Result<Luggage> {
        if kernels.is_empty() {
            return Ok(Luggage::default());
        }
        let specs: Vec<&AnySpec> = kernels.iter().map(|&at| self.specs[at]).collect();
        let forced: Vec<bool> = kernels.iter().map(|&at| anew || self.have[at].is_some()).collect();
        let parts: Vec<Option<Arc<Parts>>> = kernels.iter().map(|at| parts.remove(at)).collect();
        for (at, _) in kernels.iter().zip(&parts).filter(|(_, generated)| generated.is_some()) {
            // What was generated to be shared out is not looked for again.
            let reason = self.reasons.get(at).map_or("not in the cache", |reason| reason);
            self.engine.counters.miss(reason);
        }
        let (outcomes, luggage) = self.engine.build_packed(&specs, &forced, &parts);
        for (&at, outcome) in kernels.iter().zip(outcomes) {
            match outcome {
                Ok(obtained) => self.have[at] = Some(obtained),
                Err(error) => self.fail(Some(at), error),
            }
        }
        Ok(luggage)
    }
}
