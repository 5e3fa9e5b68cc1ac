//! The ranks that build together: all of them, or those of one cache directory, or of one kind of processor.
//!
//! Worked out once for a communicator and a strategy, because that takes a look at every rank; what is kept is what one rank asks
//! for in a load.

use std::collections::HashSet;
use std::hash::Hash;
use std::sync::Arc;

use super::layout::Layout;
use super::plan::Builder;
use super::tree::Tree;
use crate::config::params::BuildOn;

/// One team, as seen from one of its ranks.
#[derive(Debug)]
pub(super) struct Team {
    me: usize,
    layout: Arc<Layout>,
    root: usize,
    /// How many ranks it has, and how many machines and cache directories these have.
    pub(super) ranks: usize,
    pub(super) nodes: usize,
    pub(super) groups: usize,
    /// The ranks that share my machine's memory, ascending.
    node: Vec<usize>,
    leads_group: bool,
    /// Whether others of my machine read and write a cache for their groups, and whether others build.
    others_store: bool,
    others_build: bool,
    pub(super) builders: Vec<Builder>,
    inside: Tree,
    leaders: Option<Tree>,
    whole: Tree,
}

impl Team {
    /// The team of rank `me`.
    pub(super) fn of(layout: &Arc<Layout>, me: usize, build_on: BuildOn, per_cpu: bool) -> Team {
        let with_me = |rank: &usize| {
            let same_place = match build_on {
                BuildOn::Node => layout.group_of[*rank] == layout.group_of[me],
                BuildOn::Process => *rank == me,
                _ => true,
            };
            same_place && (!per_cpu || layout.cpu_of[*rank] == layout.cpu_of[me])
        };
        let ranks: Vec<usize> = (0..layout.size()).filter(with_me).collect();
        let root = ranks.first().copied().unwrap_or(me);
        let node: Vec<usize> =
            ranks.iter().copied().filter(|&rank| layout.node_of[rank] == layout.node_of[me]).collect();
        let node_leaders = lowest_of_each(&ranks, |rank| layout.node_of[rank]);
        let group_leaders = lowest_of_each(&ranks, |rank| layout.group_of[rank]);
        let builders = builders(layout, &ranks, root, build_on);
        let others = node.get(1..).unwrap_or_default();
        let nobody = Tree { parent: None, children: Vec::new() };
        let inside = Tree::wide(&node, me).unwrap_or(nobody);
        let leaders = Tree::binomial(&node_leaders, me);
        let mut whole = inside.clone();
        if let Some(leaders) = &leaders {
            whole.parent = leaders.parent;
            // The last child hears first: other machines are farther away.
            whole.children.extend(&leaders.children);
        }
        Team {
            me,
            layout: layout.clone(),
            root,
            ranks: ranks.len(),
            nodes: node_leaders.len(),
            groups: group_leaders.len(),
            leads_group: group_leaders.binary_search(&me).is_ok(),
            others_store: others.iter().any(|rank| group_leaders.binary_search(rank).is_ok()),
            others_build: others.iter().any(|rank| builds(&builders, *rank)),
            node,
            builders,
            inside,
            leaders,
            whole,
        }
    }

    pub(super) fn me(&self) -> usize {
        self.me
    }

    /// The lowest rank: it has everything in the end, and tells the others.
    pub(super) fn root(&self) -> usize {
        self.root
    }

    pub(super) fn is_root(&self) -> bool {
        self.me == self.root
    }

    /// Whether it is all ranks of the communicator.
    pub(super) fn is_everybody(&self, size: usize) -> bool {
        self.ranks == size
    }

    /// Whether nobody else of the team is on this machine.
    pub(super) fn is_alone_on_node(&self) -> bool {
        self.node.len() == 1
    }

    /// Whether this rank receives for its machine.
    pub(super) fn leads_node(&self) -> bool {
        self.node.first() == Some(&self.me)
    }

    /// Whether this rank reads and writes the cache for its group.
    pub(super) fn leads_group(&self) -> bool {
        self.leads_group
    }

    /// Whether a rank has the same cache directory as this one.
    pub(super) fn is_of_my_group(&self, rank: usize) -> bool {
        self.layout.group_of.get(rank) == self.layout.group_of.get(self.me)
    }

    pub(super) fn builds(&self) -> bool {
        builds(&self.builders, self.me)
    }

    /// Whether ranks that this one hands kernels to need to know what leads to them: to store them, or, where kernels are
    /// built `again`, to send them on with what they build.
    pub(super) fn others_need_routes(&self, again: bool) -> bool {
        self.others_store || (again && self.others_build)
    }

    /// From the leaders of nodes to the rest of their nodes: a message crosses the network once for each machine.
    pub(super) fn whole(&self) -> &Tree {
        &self.whole
    }

    /// Of the leaders of nodes only.
    pub(super) fn leaders(&self) -> Option<&Tree> {
        self.leaders.as_ref()
    }

    /// From the leader of a node to the rest of it.
    pub(super) fn inside(&self) -> &Tree {
        &self.inside
    }
}

/// By ascending rank; there is always one.
fn builders(layout: &Layout, ranks: &[usize], root: usize, build_on: BuildOn) -> Vec<Builder> {
    let builder = |&rank: &usize| Builder { rank, slots: layout.slots[rank].into() };
    let with_slots = || ranks.iter().filter(|rank| layout.slots[**rank] > 0).map(builder);
    let builders: Vec<Builder> =
        if build_on == BuildOn::Spread { with_slots().collect() } else { Vec::new() };
    if builders.is_empty() {
        vec![Builder { slots: builder(&root).slots.max(1), rank: root }]
    } else {
        builders
    }
}

fn builds(builders: &[Builder], rank: usize) -> bool {
    builders.binary_search_by_key(&rank, |builder| builder.rank).is_ok()
}

fn lowest_of_each<T: Eq + Hash>(ranks: &[usize], number: impl Fn(usize) -> T) -> Vec<usize> {
    let mut known = HashSet::new();
    ranks.iter().copied().filter(|&rank| known.insert(number(rank))).collect()
}

#[cfg(test)]
mod tests {
    use super::super::layout::Chart;
    use super::*;

    /// Ranks 0 to 7 on machines of four, with a directory for each pair; one core a machine.
    fn layout() -> Arc<Layout> {
        Arc::new(Layout::from(Chart {
            directories: vec![true; 4],
            group_of: vec![0, 0, 1, 1, 2, 2, 3, 3],
            node_of: vec![0, 0, 0, 0, 1, 1, 1, 1],
            cpu_of: vec![0, 0, 0, 0, 0, 0, 1, 1],
            slots: vec![1, 0, 0, 0, 1, 0, 0, 0],
        }))
    }

    fn team(me: usize, build_on: BuildOn, per_cpu: bool) -> Team {
        Team::of(&layout(), me, build_on, per_cpu)
    }

    #[test]
    fn a_message_crosses_the_network_once_for_each_machine() {
        let all = team(0, BuildOn::Spread, false);
        assert_eq!((all.ranks, all.nodes, all.groups, all.root()), (8, 2, 4, 0));
        assert_eq!(all.whole(), &Tree { parent: None, children: vec![1, 2, 3, 4] });
        let second = team(4, BuildOn::Spread, false);
        assert_eq!(second.whole(), &Tree { parent: Some(0), children: vec![5, 6, 7] });
        assert_eq!(second.leaders(), Some(&Tree { parent: Some(0), children: vec![] }));
        assert_eq!(second.inside(), &Tree { parent: None, children: vec![5, 6, 7] });
        assert_eq!(team(6, BuildOn::Spread, false).leaders(), None);
    }

    #[test]
    fn each_rank_knows_its_part() {
        let parts = |build_on| {
            let part = |me| {
                let team = team(me, build_on, false);
                (team.leads_node(), team.leads_group(), team.builds())
            };
            (0..4).map(part).collect::<Vec<_>>()
        };
        let f = false;
        assert_eq!(parts(BuildOn::Root), [(true, true, true), (f, f, f), (f, true, f), (f, f, f)]);
        assert_eq!(parts(BuildOn::Node), [(true, true, true), (f, f, f), (true, true, true), (f, f, f)]);
        assert_eq!(parts(BuildOn::Process), [(true, true, true); 4]);
        let spread = team(4, BuildOn::Spread, false);
        assert_eq!(spread.builders, [Builder { rank: 0, slots: 1 }, Builder { rank: 4, slots: 1 }]);
        assert!(
            spread.builds() && !spread.is_root() && spread.is_of_my_group(5) && !spread.is_of_my_group(6)
        );
    }

    #[test]
    fn who_stores_or_builds_must_know_what_leads_to_a_kernel() {
        // Rank 2 stores for its group.
        assert!(team(0, BuildOn::Root, false).others_need_routes(false));
        assert!(!team(0, BuildOn::Node, false).others_need_routes(true));
        let bound = Layout { slots: vec![1; 8], ..Layout::clone(&layout()) };
        let bound = Layout { group_of: vec![0; 8], ..bound };
        let team = Team::of(&Arc::new(bound), 0, BuildOn::Spread, false);
        assert_eq!((team.others_need_routes(false), team.others_need_routes(true)), (false, true));
    }

    #[test]
    fn ranks_with_other_processors_are_another_team() {
        let others = team(7, BuildOn::Root, true);
        assert_eq!((others.ranks, others.root(), others.groups), (2, 6, 1));
        assert!(others.builders == [Builder { rank: 6, slots: 1 }] && !others.is_everybody(8));
        assert!(team(1, BuildOn::Process, false).is_alone_on_node());
    }
}
