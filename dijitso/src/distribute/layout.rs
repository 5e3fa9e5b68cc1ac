//! Who is where: which ranks share a machine, which a cache directory, and who may run compilers.
//!
//! It is found out once for a communicator, see `discover`, and is then the same on all ranks, so that every rank can work out
//! by itself what each of the others does.

use serde::{Deserialize, Serialize};

/// Equal on all ranks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Layout {
    /// Sorted by their leaders.
    pub(crate) groups: Vec<Group>,
    /// By rank, an index of `groups`.
    pub(crate) group_of: Vec<u32>,
    /// By rank, the number of its node: ranks of one can open each other's files by `/proc/<pid>/fd`. Numbered in the order of
    /// their lowest ranks, as the following are.
    pub(crate) node_of: Vec<u32>,
    /// By rank, the number of its kind of processor: those of one have the same features.
    pub(crate) cpu_of: Vec<u32>,
    /// By rank: how many compilers it may run at once; 0: none.
    pub(crate) slots: Vec<u16>,
}

/// Ranks that have one physical cache directory between them, by whatever paths; or none, on one node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Group {
    /// Ascending; never empty.
    pub(crate) ranks: Vec<usize>,
    pub(crate) has_directory: bool,
}

/// A layout in few bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Chart {
    /// By group: whether it has a directory.
    pub(super) directories: Vec<bool>,
    /// By rank.
    pub(super) group_of: Vec<u32>,
    pub(super) node_of: Vec<u32>,
    pub(super) cpu_of: Vec<u32>,
    pub(super) slots: Vec<u16>,
}

impl From<Chart> for Layout {
    fn from(chart: Chart) -> Layout {
        let Chart { directories, group_of, node_of, cpu_of, slots } = chart;
        let group = |has_directory| Group { ranks: Vec::new(), has_directory };
        let mut groups: Vec<Group> = directories.into_iter().map(group).collect();
        for (rank, &group) in group_of.iter().enumerate() {
            groups[group as usize].ranks.push(rank);
        }
        Layout { groups, group_of, node_of, cpu_of, slots }
    }
}

impl Layout {
    /// How many ranks there are.
    pub(crate) fn size(&self) -> usize {
        self.group_of.len()
    }

    pub(crate) fn group(&self, rank: usize) -> &Group {
        &self.groups[self.group_of[rank] as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_listed_in_order() {
        let layout = Layout::from(Chart {
            directories: vec![true, false],
            group_of: vec![0, 0, 0, 1, 1],
            node_of: vec![0, 1, 0, 1, 2],
            cpu_of: vec![0; 5],
            slots: vec![1; 5],
        });
        assert_eq!(layout.size(), 5);
        assert_eq!((layout.group(2).ranks[0], layout.group(4).ranks[0]), (0, 3));
        assert_eq!((&layout.group(1).ranks[..], &layout.group(4).ranks[..]), (&[0, 1, 2][..], &[3, 4][..]));
        assert!(layout.groups[0].has_directory && !layout.groups[1].has_directory);
    }
}
