//! The ranks that build together: all of them, or those of one cache directory, or of one kind of processor.

use super::layout::Layout;
use super::plan::Builder;
use super::tree::Tree;
use crate::config::params::BuildOn;

/// One team, as seen from one of its ranks. Lists of ranks are ascending, lists of lists too, by their first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Team {
    me: usize,
    pub(super) ranks: Vec<usize>,
    /// Ranks that share a machine's memory.
    pub(super) nodes: Vec<Vec<usize>>,
    /// Ranks that share a cache directory.
    pub(super) groups: Vec<Vec<usize>>,
    pub(super) builders: Vec<Builder>,
}

impl Team {
    /// The team of rank `me`.
    pub(super) fn of(layout: &Layout, me: usize, build_on: BuildOn, per_cpu: bool) -> Team {
        let with_me = |rank: &usize| {
            let same_place = match build_on {
                BuildOn::Node => layout.group_of[*rank] == layout.group_of[me],
                BuildOn::Process => *rank == me,
                _ => true,
            };
            same_place && (!per_cpu || layout.cpu_of[*rank] == layout.cpu_of[me])
        };
        let ranks: Vec<usize> = (0..layout.size()).filter(with_me).collect();
        let nodes = grouped(&ranks, |rank| layout.node_of[rank] as usize);
        let groups = grouped(&ranks, |rank| layout.group_of[rank] as usize);
        let slots = |rank: usize| usize::from(layout.slots[rank]).max(1);
        let builders = match build_on {
            BuildOn::Spread => {
                let with_slots = ranks.iter().copied().filter(|&rank| layout.slots[rank] > 0);
                let builders: Vec<Builder> =
                    with_slots.map(|rank| Builder { rank, slots: layout.slots[rank].into() }).collect();
                if builders.is_empty() { vec![Builder { rank: ranks[0], slots: 1 }] } else { builders }
            }
            _ => vec![Builder { rank: ranks[0], slots: slots(ranks[0]) }],
        };
        Team { me, ranks, nodes, groups, builders }
    }

    pub(super) fn me(&self) -> usize {
        self.me
    }

    /// The lowest rank: it has everything in the end, and tells the others.
    pub(super) fn root(&self) -> usize {
        self.ranks[0]
    }

    pub(super) fn is_root(&self) -> bool {
        self.me == self.root()
    }

    /// Whether it is all ranks of the communicator.
    pub(super) fn is_everybody(&self, size: usize) -> bool {
        self.ranks.len() == size
    }

    pub(super) fn my_node(&self) -> &[usize] {
        holding(&self.nodes, self.me)
    }

    pub(super) fn my_group(&self) -> &[usize] {
        holding(&self.groups, self.me)
    }

    /// Whether this rank receives for its machine.
    pub(super) fn leads_node(&self) -> bool {
        self.my_node().first() == Some(&self.me)
    }

    /// Whether this rank reads and writes the cache for its group.
    pub(super) fn leads_group(&self) -> bool {
        self.my_group().first() == Some(&self.me)
    }

    pub(super) fn builds(&self) -> bool {
        self.builders.iter().any(|builder| builder.rank == self.me)
    }

    /// From the leaders of nodes to the rest of their nodes: a message crosses the network once for each machine.
    pub(super) fn whole(&self) -> Tree {
        let mut tree = self.inside();
        if let Some(leaders) = self.leaders() {
            tree.parent = leaders.parent;
            // The last child hears first: other machines are farther away.
            tree.children.extend(leaders.children);
        }
        tree
    }

    /// Of the leaders of nodes only.
    pub(super) fn leaders(&self) -> Option<Tree> {
        let leaders: Vec<usize> = self.nodes.iter().map(|node| node[0]).collect();
        Tree::binomial(&leaders, self.me)
    }

    /// From the leader of a node to the rest of it.
    pub(super) fn inside(&self) -> Tree {
        Tree::binomial(self.my_node(), self.me).unwrap_or(Tree { parent: None, children: Vec::new() })
    }
}

fn holding(lists: &[Vec<usize>], rank: usize) -> &[usize] {
    lists.iter().find(|list| list.binary_search(&rank).is_ok()).map_or(&[], Vec::as_slice)
}

fn grouped(ranks: &[usize], number: impl Fn(usize) -> usize) -> Vec<Vec<usize>> {
    let mut place = std::collections::HashMap::new();
    let mut lists: Vec<Vec<usize>> = Vec::new();
    for &rank in ranks {
        let at = *place.entry(number(rank)).or_insert_with(|| {
            lists.push(Vec::new());
            lists.len() - 1
        });
        lists[at].push(rank);
    }
    lists
}
