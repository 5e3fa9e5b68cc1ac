//! What each rank does with kernels that no cache has.

use std::fmt;

use super::layout::Layout;
use super::team::Team;

/// What a rank does with a kernel that no cache has. Whatever it is, every rank gets the kernel.
///
/// dijitso: the role that `create_comms_and_role` returns, by the same names.
///
/// ```
/// assert_eq!(dijitso::Role::Receiver.to_string(), "receiver");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Role {
    /// Generates and compiles.
    Builder,
    /// Gets what others built, and puts it into its cache directory for the ranks that share it.
    Receiver,
    /// Waits until another rank has put it into the directory that they share.
    Waiter,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Role::Builder => "builder",
            Role::Receiver => "receiver",
            Role::Waiter => "waiter",
        })
    }
}

/// The role of a rank in its team. Every team has a builder.
pub(super) fn role(team: &Team, layout: &Layout) -> Role {
    if team.builds() {
        Role::Builder
    } else if team.leads_group() && layout.group(team.me()).has_directory {
        Role::Receiver
    } else {
        Role::Waiter
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::layout::Chart;
    use super::*;
    use crate::config::params::BuildOn;

    /// A letter for each rank's role, one cache directory for each number of `groups`; one that is negative is none.
    fn letters(groups: &[i32], slots: &[u16], build_on: BuildOn) -> String {
        letters_of(groups, slots, None, build_on)
    }

    /// With kinds of processors, of which each is built for.
    fn letters_of(groups: &[i32], slots: &[u16], cpus: Option<&[u32]>, build_on: BuildOn) -> String {
        let mut known: Vec<i32> = Vec::new();
        let group_of = groups
            .iter()
            .map(|group| match known.iter().position(|other| other == group) {
                Some(at) => at as u32,
                None => {
                    known.push(*group);
                    known.len() as u32 - 1
                }
            })
            .collect();
        let layout = Arc::new(Layout::from(Chart {
            node_of: vec![0; groups.len()],
            group_of,
            directories: known.iter().map(|group| *group >= 0).collect(),
            slots: slots.to_vec(),
            cpu_of: cpus.map_or_else(|| vec![0; groups.len()], <[u32]>::to_vec),
        }));
        let role = |rank| role(&Team::of(&layout, rank, build_on, cpus.is_some()), &layout);
        (0..groups.len()).map(|rank| role(rank).to_string().remove(0)).collect()
    }

    #[test]
    fn two_directories_have_the_roles_that_dijitso_gives() {
        let (groups, slots) = ([0, 0, 1, 1], [1; 4]);
        assert_eq!(letters(&groups, &slots, BuildOn::Root), "bwrw");
        assert_eq!(letters(&groups, &slots, BuildOn::Node), "bwbw");
        assert_eq!(letters(&groups, &slots, BuildOn::Process), "bbbb");
        assert_eq!(letters(&[0, 1, 0, 1, 2], &[1; 5], BuildOn::Root), "brwwr");
        assert_eq!(letters(&[0, 1, 0, 1, 2], &[1; 5], BuildOn::Node), "bbwwb");
    }

    #[test]
    fn spread_builds_where_there_are_cores() {
        assert_eq!(letters(&[0, 0, 1, 1], &[2, 0, 1, 0], BuildOn::Spread), "bwbw");
        assert_eq!(letters(&[0, 0, 1, 1], &[2, 0, 0, 1], BuildOn::Spread), "bwrb");
        assert_eq!(letters(&[0, 0, 0, 0], &[1; 4], BuildOn::Spread), "bbbb");
    }

    #[test]
    fn who_has_no_directory_receives_into_none() {
        let groups = [0, -1, -1, 1];
        assert_eq!(letters(&groups, &[1; 4], BuildOn::Root), "bwwr");
        assert_eq!(letters(&groups, &[1; 4], BuildOn::Node), "bbwb", "nobody else builds for them");
        assert_eq!(letters(&[-1, 0, 0], &[1; 3], BuildOn::Root), "brw");
        assert_eq!(letters(&[-1, 0, 0], &[1; 3], BuildOn::Node), "bbw");
        assert_eq!(letters(&[-1, -1], &[1; 2], BuildOn::Node), "bw");
    }

    #[test]
    fn each_kind_of_processor_has_a_builder_and_receivers() {
        let (groups, cpus) = ([0, 0, 1, 1, 1], Some(&[0, 1, 0, 1, 1][..]));
        assert_eq!(letters_of(&groups, &[1; 5], cpus, BuildOn::Root), "bbrrw");
        assert_eq!(letters_of(&groups, &[1; 5], cpus, BuildOn::Node), "bbbbw");
        assert_eq!(letters_of(&groups, &[2, 0, 1, 0, 0], cpus, BuildOn::Spread), "bbbrw");
    }
}
