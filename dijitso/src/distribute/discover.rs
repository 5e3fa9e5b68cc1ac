//! Finding out who is where, together.
//!
//! Every rank says where it is, without a look at any disk; rank 0 works out who sees a cache directory in the same way, and
//! asks the lowest of each of these. So the number of file operations is that of the machines, not that of the ranks. What
//! goes wrong on one rank is something it says, not a reason to leave: only a rank that is gone ends it.

use std::collections::{BTreeMap, HashSet};

use serde::{Deserialize, Serialize};

use super::layout::{Chart, Layout};
use super::node::{Facts, nonce};
use super::session::Session;
use super::sharing::{Round, Search, Sharing};
use super::slots::{Share, claim};
use super::tree::Tree;
use super::waiting::Step;
use crate::cache::{Sight, Store};
use crate::error::Result;
use crate::fs::Token;
use crate::toolchain::CpuFeatures;

const STEP: Step = Step::Share;

impl Layout {
    /// All ranks come here together, each with its own cache, the number of compilers that it was told to run at most, and
    /// its processor.
    ///
    /// # Errors
    /// [`Error::Communication`](crate::Error::Communication), if a rank is gone or out of step.
    pub(crate) fn discover(
        session: &mut Session<'_>,
        store: &Store,
        jobs: Option<usize>,
        processor: CpuFeatures,
    ) -> Result<Layout> {
        let me = session.rank();
        let all = Tree::over_all(session.size(), me);
        let facts = Facts::here(me, session.machine().as_deref(), store.root(), jobs, processor);
        let facts = session.reduce(STEP, &all, vec![(me, facts)], joined)?;
        let census = facts.map(|facts| Census::new(in_order(facts)));
        let start = census.as_ref().map(|census| Start {
            representatives: census.representatives.clone(),
            nonce: nonce(session.key(), me),
        });
        let start = session.broadcast(STEP, &all, start)?;
        let mut groups = None;
        // Rank 0 is the lowest of its view, so it is the root of this tree, too.
        let ranks: Vec<usize> = start.representatives.iter().map(|&rank| rank as usize).collect();
        if let Some(tree) = Tree::binomial(&ranks, me) {
            let machines = census.as_ref().map(|census| census.machines());
            groups = compare(session, store, &tree, start.nonce, machines)?;
        }
        let chart = census.zip(groups).map(|(census, groups)| census.chart(groups));
        Ok(Layout::from(session.broadcast(STEP, &all, chart)?))
    }
}

/// What follows from where everybody is.
#[derive(Debug, Serialize, Deserialize)]
struct Start {
    /// The lowest rank of each view, ascending.
    representatives: Vec<u32>,
    /// Part of the tokens' names.
    nonce: u128,
}

/// By view: the number of its cache directory, and for each of these whether it is one.
type Groups = (Vec<u32>, Vec<bool>);

/// Where everybody is: only the root knows.
#[derive(Debug)]
struct Census {
    /// By rank.
    facts: Vec<Facts>,
    /// By rank: the number of its view.
    view_of: Vec<u32>,
    representatives: Vec<u32>,
}

impl Census {
    fn new(facts: Vec<Facts>) -> Census {
        let (view_of, representatives) = numbered(facts.iter().map(|facts| facts.view));
        Census { facts, view_of, representatives }
    }

    /// By view.
    fn machines(&self) -> Vec<u128> {
        self.representatives.iter().map(|&rank| self.facts[rank as usize].machine).collect()
    }

    fn chart(self, (group_of_view, directories): Groups) -> Chart {
        let Census { facts, view_of, .. } = self;
        let shares = facts.iter().map(|of| Share { machine: of.machine, cores: &of.cores, limit: of.limit });
        let slots = claim(&shares.collect::<Vec<_>>());
        let (node_of, _) = numbered(facts.iter().map(|facts| facts.node));
        let (cpu_of, _) = numbered(facts.iter().map(|facts| facts.cpu));
        let group_of = view_of.iter().map(|&view| group_of_view[view as usize]).collect();
        Chart { directories, group_of, node_of, cpu_of, slots }
    }
}

/// Numbers for different values, in the order in which they come, and where each comes first.
fn numbered<T: Ord>(values: impl Iterator<Item = T>) -> (Vec<u32>, Vec<u32>) {
    let mut known = BTreeMap::new();
    let mut first = Vec::new();
    let numbers = values.zip(0..).map(|(value, at)| {
        *known.entry(value).or_insert_with(|| {
            first.push(at);
            first.len() as u32 - 1
        })
    });
    (numbers.collect(), first)
}

/// The representatives compare their directories. The root knows their `machines`, and gets the answer.
fn compare(
    session: &mut Session<'_>,
    store: &Store,
    tree: &Tree,
    nonce: u128,
    machines: Option<Vec<u128>>,
) -> Result<Option<Groups>> {
    let me = session.rank() as u32;
    let name = |round: u16, creator: u32| format!("shared-{nonce:032x}-{round}-{creator}");
    let sights: Option<Vec<(u32, Option<Sight>)>> =
        session.reduce(STEP, tree, vec![(me, store.sight())], joined)?;
    let mut sharing = sights.zip(machines).map(|(mut sights, machines)| {
        sights.sort_unstable_by_key(|&(rank, _)| rank);
        let views = sights.into_iter().zip(machines).map(|((rank, sight), machine)| (rank, machine, sight));
        Sharing::new(&views.collect::<Vec<_>>())
    });
    let mut token: Option<Token> = None;
    loop {
        let round: Option<Round> = session.broadcast(STEP, tree, sharing.as_mut().map(Sharing::next))?;
        // Everybody has looked.
        drop(token.take());
        let Some(round) = round else { break };
        if round.creators.contains(&me) {
            token = store.token(&name(round.number, me)).ok();
        }
        let able = token.iter().map(|_| me).collect();
        let able: Option<Vec<u32>> = session.reduce(STEP, tree, able, joined)?;
        let search = sharing.as_mut().zip(able).map(|(sharing, able)| sharing.created(&set(able)));
        let search: Search = session.broadcast(STEP, tree, search)?;
        let mine = search.binary_search_by_key(&me, |&(rank, _)| rank);
        let sees = mine.is_ok_and(|at| store.sees(&name(round.number, search[at].1)));
        let seen = sees.then_some(me).into_iter().collect();
        let seen: Option<Vec<u32>> = session.reduce(STEP, tree, seen, joined)?;
        if let Some((sharing, seen)) = sharing.as_mut().zip(seen) {
            sharing.seen(&set(seen));
        }
    }
    Ok(sharing.map(|sharing| sharing.groups()))
}

fn joined<T>(mut some: Vec<T>, more: Vec<T>) -> Vec<T> {
    some.extend(more);
    some
}

fn in_order<T>(mut of_ranks: Vec<(usize, T)>) -> Vec<T> {
    of_ranks.sort_unstable_by_key(|&(rank, _)| rank);
    of_ranks.into_iter().map(|(_, value)| value).collect()
}

fn set(ranks: Vec<u32>) -> HashSet<u32> {
    ranks.into_iter().collect()
}
