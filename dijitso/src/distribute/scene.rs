//! The scene of collective loads: who is where, and which engine suits all.

use std::sync::{Arc, Mutex, PoisonError};

use super::agree::{Agreement, Failure};
use super::collective::Collective;
use super::communicator::{Communicator, new_key};
use super::layout::Layout;
use super::member::Member;
use super::team::Team;
use super::tree::Tree;
use super::waiting::Step;
use crate::config::params::BuildOn;
use crate::error::Result;
use crate::jit::{Derivation, Engine, Flags};
use crate::signature::Signature;
use crate::toolchain::CpuFeatures;

/// Who is where, and the engine that suits all of them, if it is not the `Jit`'s own.
#[derive(Debug)]
pub(super) struct Scene {
    /// One number on all ranks: those that found out together know the same, even if some of them have another `Jit` by now.
    pub(super) id: u128,
    pub(super) layout: Arc<Layout>,
    pub(super) derived: Option<Arc<Engine>>,
    /// What rank 0 builds with.
    pub(super) compiler: Option<Signature>,
    /// By what was asked for so far.
    teams: Mutex<Vec<(BuildOn, bool, Arc<Team>)>>,
}

impl Scene {
    /// The team of the calling rank, which is `me`.
    pub(super) fn team(&self, me: usize, build_on: BuildOn, per_cpu: bool) -> Arc<Team> {
        let mut teams = self.teams.lock().unwrap_or_else(PoisonError::into_inner);
        let known = teams.iter().find(|(of, apart, _)| (*of, *apart) == (build_on, per_cpu));
        if let Some((.., team)) = known {
            return team.clone();
        }
        let team = Arc::new(Team::of(&self.layout, me, build_on, per_cpu));
        teams.push((build_on, per_cpu, team.clone()));
        team
    }
}

impl<C: Communicator + ?Sized> Collective<'_, C> {
    /// Who is where, found out once for each communicator and cache directory.
    pub(super) fn scene(&self, member: &mut Member<'_, '_>, agreed: &Agreement) -> Result<Arc<Scene>> {
        if agreed.scene.is_some()
            && let Some(scene) = member.scene.take()
        {
            return Ok(scene);
        }
        let base = self.jit.engine();
        let processor = self.processor.unwrap_or_else(CpuFeatures::of_host);
        let layout = Layout::discover(&mut member.session, &base.store, base.jobs(), processor)?;
        let rank = member.session.rank();
        let imposed = self.flags_of_rank_0(member, agreed)?;
        let native = imposed.as_ref().map_or(base.builds_for_native(), Flags::is_native);
        let mixed = agreed.native.is_none() && !self.per_cpu && native;
        let derived = member.attempt(Step::Share, |_| {
            let crowded = layout.group(rank).ranks.len() > 1;
            let subdirectory =
                (self.strategy(0) == BuildOn::Process && crowded).then(|| format!("rank-{rank}"));
            let cpu = mixed.then(|| agreed.features.level().cpu());
            let derivation = Derivation { flags: imposed.clone(), cpu, subdirectory };
            let differs = derivation != Derivation::default();
            differs.then(|| base.derived(&derivation)).transpose()
        });
        let derived = derived.flatten();
        let other = imposed.map(|theirs| (rank as u32, base.flags().difference(&theirs)));
        let said = member.attempt(Step::Share, |_| {
            let engine = derived.as_ref().unwrap_or(base);
            Ok((rank == 0).then(|| (new_key(), engine.compiler_digest())))
        });
        let tree = Tree::over_all(member.session.size(), rank);
        let mine = (member.failure.clone(), said.flatten(), other);
        let (failure, said, other) = member.session.all_reduce(Step::Share, &tree, mine, |a, b| {
            // Only rank 0 says what it builds with; of the others the lowest one is named.
            let other = [a.2, b.2].into_iter().flatten().min_by_key(|(rank, _)| *rank);
            (Failure::first(a.0, b.0), a.1.or(b.1), other)
        })?;
        if let Some(failure) = failure {
            return Err(failure.into_error());
        }
        if let (0, Some((other, difference))) = (rank, other) {
            log::warn!(
                "rank {other}, and perhaps others, would compile with other flags than rank 0: {difference}; all ranks use those of \
                 rank 0, so give all of them the same parameters and variables"
            );
        }
        let (id, compiler) = said.unwrap_or_default();
        let (layout, teams) = (Arc::new(layout), Mutex::default());
        let scene = Arc::new(Scene { id, layout, derived, compiler, teams });
        base.notes().put(self.scene_key(member.session.key()), scene.clone());
        Ok(scene)
    }

    /// What this rank is to tell its compiler instead of what it was told itself: else one half of a batch would be compiled with other
    /// flags than the other, and be stored as if it were what this rank asks for.
    fn flags_of_rank_0(&self, member: &mut Member<'_, '_>, agreed: &Agreement) -> Result<Option<Flags>> {
        if agreed.flags.is_some() {
            return Ok(None);
        }
        let (base, rank) = (self.jit.engine(), member.session.rank());
        let tree = Tree::over_all(member.session.size(), rank);
        let mine = (rank == 0).then(|| base.flags());
        let flags = member.session.broadcast(Step::Share, &tree, mine)?;
        Ok((flags.digest() != base.flags_digest()).then_some(flags))
    }

    /// A communicator, and what of this collective decides who is where and which engine is used; and the rank: those that
    /// are threads may share a `Jit`, but not a directory of their own.
    pub(super) fn scene_key(&self, communicator: u128) -> u128 {
        let apart = u128::from(self.strategy(0) == BuildOn::Process) + 2 * u128::from(self.per_cpu);
        communicator.wrapping_add(apart + 4 * self.comm.rank() as u128)
    }
}

pub(super) fn known_scene(base: &Engine, key: u128) -> Option<Arc<Scene>> {
    base.notes().get(key)?.downcast().ok()
}
