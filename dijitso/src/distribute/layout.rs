//! Who is where: which ranks share a machine, which a cache directory, and who may run compilers.
//!
//! It is found out once for a communicator, see `discover`, and is then the same on all ranks, so that every rank can work out
//! by itself what each of the others does.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use super::tree::Tree;
use crate::toolchain::CpuFeatures;

/// Equal on all ranks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Layout {
    /// Sorted by their leaders.
    pub(crate) nodes: Vec<Node>,
    /// Sorted by their leaders.
    pub(crate) groups: Vec<Group>,
    /// By rank: how many compilers it may run at once; 0: none.
    pub(crate) slots: Vec<u16>,
    /// By rank, an index of `nodes`.
    pub(crate) node_of: Vec<u32>,
    /// By rank, an index of `groups`.
    pub(crate) group_of: Vec<u32>,
    /// The different processors, sorted by the lowest rank that has each.
    pub(crate) cpus: Vec<CpuFeatures>,
    /// By rank, an index of `cpus`.
    pub(crate) cpu_of: Vec<u32>,
    leaders: Vec<usize>,
}

/// Ranks that can open each other's files by `/proc/<pid>/fd`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Node {
    /// Ascending; never empty.
    pub(crate) ranks: Vec<usize>,
}

/// Ranks that have one physical cache directory between them, by whatever paths; or none, on one node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Group {
    /// Ascending; never empty.
    pub(crate) ranks: Vec<usize>,
    pub(crate) has_directory: bool,
}

impl Node {
    /// Moves kernels between nodes.
    pub(crate) fn leader(&self) -> usize {
        self.ranks[0]
    }
}

impl Group {
    /// Reads and writes the directory.
    pub(crate) fn leader(&self) -> usize {
        self.ranks[0]
    }
}

/// A layout in few bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Chart {
    /// By rank; nodes and groups are numbered by their lowest ranks.
    pub(super) node_of: Vec<u32>,
    pub(super) group_of: Vec<u32>,
    /// By group: whether there is one.
    pub(super) directories: Vec<bool>,
    /// By rank.
    pub(super) slots: Vec<u16>,
    pub(super) cpu_of: Vec<u32>,
    pub(super) cpus: Vec<u128>,
}

impl From<Chart> for Layout {
    fn from(chart: Chart) -> Layout {
        let Chart { node_of, group_of, directories, slots, cpu_of, cpus } = chart;
        let nodes: Vec<Node> = members(&node_of).into_iter().map(|ranks| Node { ranks }).collect();
        let has_directory = |group: usize| directories.get(group).copied().unwrap_or(false);
        let groups = members(&group_of).into_iter().enumerate();
        Layout {
            groups: groups.map(|(at, ranks)| Group { ranks, has_directory: has_directory(at) }).collect(),
            leaders: nodes.iter().map(Node::leader).collect(),
            nodes,
            slots,
            node_of,
            group_of,
            cpus: cpus.into_iter().map(CpuFeatures::from_bits).collect(),
            cpu_of,
        }
    }
}

/// The ranks of each number.
fn members(number_of: &[u32]) -> Vec<Vec<usize>> {
    let mut members: Vec<Vec<usize>> = Vec::new();
    for (rank, &number) in number_of.iter().enumerate() {
        // Numbered by the lowest rank, so a number is never more than one ahead.
        if number as usize >= members.len() {
            members.push(Vec::new());
        }
        members[number as usize].push(rank);
    }
    members
}

impl Layout {
    /// How many ranks there are.
    pub(crate) fn size(&self) -> usize {
        self.node_of.len()
    }

    pub(crate) fn node(&self, rank: usize) -> &Node {
        &self.nodes[self.node_of[rank] as usize]
    }

    pub(crate) fn group(&self, rank: usize) -> &Group {
        &self.groups[self.group_of[rank] as usize]
    }

    /// The leaders of the nodes, ascending; rank 0 is the first.
    pub(crate) fn leaders(&self) -> &[usize] {
        &self.leaders
    }

    /// What all processors have.
    pub(crate) fn common_cpu(&self) -> CpuFeatures {
        let bits = self.cpus.iter().map(|cpu| cpu.bits());
        CpuFeatures::from_bits(bits.reduce(|common, bits| common & bits).unwrap_or(0))
    }

    /// From machine to machine; `None` for who leads no node.
    pub(crate) fn tree_of_leaders(&self, me: usize) -> Option<Tree> {
        Tree::binomial(&self.leaders, me)
    }

    /// Within the node of `me`.
    pub(crate) fn tree_in_node(&self, me: usize) -> Tree {
        let alone = Tree { parent: None, children: Vec::new() };
        Tree::binomial(&self.node(me).ranks, me).unwrap_or(alone)
    }

    /// Over all ranks, from rank 0 first to the leaders, then within the nodes: a message crosses to each machine once.
    pub(crate) fn whole_tree(&self, me: usize) -> Tree {
        let within = self.tree_in_node(me);
        match self.tree_of_leaders(me) {
            None => within,
            Some(between) => {
                // The last child has most below it, and hears first: other machines are farther away.
                let children = within.children.into_iter().chain(between.children).collect();
                Tree { parent: between.parent, children }
            }
        }
    }
}

/// The layouts that are known, by the communicators' keys.
///
/// Bounded: a program that makes communicators for ever must not run out of memory. A rank that has forgotten one says so, and
/// all find it out again.
#[derive(Debug, Default)]
pub(crate) struct Layouts {
    /// The last one used last.
    known: Mutex<VecDeque<(u128, Arc<Layout>)>>,
}

impl Layouts {
    const MOST: usize = 64;

    pub(crate) fn get(&self, key: u128) -> Option<Arc<Layout>> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let at = known.iter().position(|(of, _)| *of == key)?;
        let found = known.remove(at)?;
        known.push_back(found.clone());
        Some(found.1)
    }

    /// Keeps what was found out. Ranks that are threads of one process, with one table, keep it once.
    pub(crate) fn keep(&self, key: u128, layout: Layout) -> Arc<Layout> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let before = known.iter().position(|(of, _)| *of == key).and_then(|at| known.remove(at));
        let layout = match before {
            Some((_, kept)) if *kept == layout => kept,
            _ => Arc::new(layout),
        };
        known.push_back((key, layout.clone()));
        if known.len() > Layouts::MOST {
            known.pop_front();
        }
        layout
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(node_of: &[u32], group_of: &[u32]) -> Layout {
        let groups = group_of.iter().max().map_or(0, |max| *max as usize + 1);
        Layout::from(Chart {
            node_of: node_of.to_vec(),
            group_of: group_of.to_vec(),
            directories: vec![true; groups],
            slots: vec![1; node_of.len()],
            cpu_of: vec![0; node_of.len()],
            cpus: vec![0b1101, 0b0111],
        })
    }

    #[test]
    fn members_are_listed_in_order() {
        let layout = layout(&[0, 1, 0, 1, 2], &[0, 0, 0, 1, 1]);
        assert_eq!(layout.size(), 5);
        assert_eq!(layout.leaders(), [0, 1, 4]);
        assert_eq!(layout.node(3).ranks, [1, 3]);
        assert_eq!((layout.group(2).leader(), layout.group(4).leader()), (0, 3));
        assert_eq!(layout.group(4).ranks, [3, 4]);
        assert_eq!(layout.common_cpu().bits(), 0b0101);
    }

    #[test]
    fn every_tree_reaches_its_ranks_once() {
        for (ranks, nodes) in [(1, 1), (2, 2), (7, 3), (64, 8), (100, 7), (256, 32)] {
            // Dealt out in turns, and in blocks.
            let dealt: Vec<u32> = (0..ranks).map(|rank| rank % nodes).collect();
            let blocks: Vec<u32> = (0..ranks).map(|rank| rank * nodes / ranks).collect();
            for node_of in [dealt, blocks] {
                let layout = layout(&node_of, &vec![0; ranks as usize]);
                let mut crossings = 0;
                let mut reached = vec![false; layout.size()];
                let mut open = vec![0];
                while let Some(rank) = open.pop() {
                    assert!(!std::mem::replace(&mut reached[rank], true));
                    for child in layout.whole_tree(rank).children {
                        assert_eq!(layout.whole_tree(child).parent, Some(rank));
                        crossings += u32::from(node_of[rank] != node_of[child]);
                        open.push(child);
                    }
                }
                assert!(reached.into_iter().all(|reached| reached));
                assert_eq!(crossings, nodes - 1, "each other machine is reached once");
                assert_eq!(layout.leaders().len(), nodes as usize);
            }
        }
    }

    #[test]
    fn who_leads_no_node_is_in_no_tree_of_leaders() {
        let layout = layout(&[0, 0, 1, 1], &[0, 0, 0, 0]);
        assert_eq!(layout.tree_of_leaders(1), None);
        let tree = layout.tree_of_leaders(2).unwrap();
        assert_eq!((tree.parent, tree.children), (Some(0), vec![]));
        assert_eq!(layout.tree_in_node(3).parent, Some(2));
    }

    #[test]
    fn the_table_forgets_the_one_that_was_not_used_for_longest() {
        let layouts = Layouts::default();
        for key in 0..Layouts::MOST as u128 {
            layouts.keep(key, layout(&[0], &[0]));
        }
        assert!(layouts.get(0).is_some());
        layouts.keep(1000, layout(&[0], &[0]));
        assert!(layouts.get(0).is_some() && layouts.get(1000).is_some());
        assert!(layouts.get(1).is_none());
    }

    #[test]
    fn equal_layouts_of_one_process_are_kept_once() {
        let layouts = Layouts::default();
        let first = layouts.keep(7, layout(&[0, 1], &[0, 0]));
        assert!(Arc::ptr_eq(&first, &layouts.keep(7, layout(&[0, 1], &[0, 0]))));
        let other = layouts.keep(7, layout(&[0, 1], &[0, 1]));
        assert!(!Arc::ptr_eq(&first, &other));
        assert_eq!(layouts.get(7), Some(other));
    }
}
