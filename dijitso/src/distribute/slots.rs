//! How many compilers each rank may run at once, so that a machine's cores have one each.

use std::collections::HashMap;

/// What one rank may use of its machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Share<'a> {
    pub(super) machine: u128,
    /// The cores it may run on, a bit each.
    pub(super) cores: &'a [u64],
    /// However many these are.
    pub(super) limit: u16,
}

/// By rank. Each core goes to the lowest rank that may run on it; a rank that is left without any has none.
///
/// The lowest rank of a machine always has at least one, so that something is built whatever the system says.
pub(super) fn claim(shares: &[Share<'_>]) -> Vec<u16> {
    let mut claimed: HashMap<u128, Vec<u64>> = HashMap::new();
    shares
        .iter()
        .map(|share| {
            let least = u32::from(!claimed.contains_key(&share.machine));
            let taken = claimed.entry(share.machine).or_default();
            taken.resize(taken.len().max(share.cores.len()), 0);
            let mut mine = 0;
            for (taken, cores) in taken.iter_mut().zip(share.cores) {
                mine += (cores & !*taken).count_ones();
                *taken |= cores;
            }
            u16::try_from(mine.max(least)).unwrap_or(u16::MAX).min(share.limit.max(1))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slots(shares: &[(u128, &[u64], u16)]) -> Vec<u16> {
        let shares: Vec<Share<'_>> =
            shares.iter().map(|&(machine, cores, limit)| Share { machine, cores, limit }).collect();
        claim(&shares)
    }

    #[test]
    fn ranks_that_are_bound_to_cores_have_their_own() {
        assert_eq!(slots(&[(1, &[0b0011], 2), (1, &[0b1100], 2), (1, &[0, 1], 1)]), [2, 2, 1]);
    }

    #[test]
    fn ranks_that_are_not_bound_leave_all_to_the_lowest() {
        assert_eq!(
            slots(&[(1, &[0xff], 8), (1, &[0xff], 8), (2, &[0xff], 8), (1, &[0x1ff], 9)]),
            [8, 0, 8, 1]
        );
    }

    #[test]
    fn limits_hold_and_give_nothing_to_others() {
        assert_eq!(slots(&[(1, &[u64::MAX], 4), (1, &[u64::MAX], 4)]), [4, 0]);
        assert_eq!(slots(&[(1, &[u64::MAX; 2000], u16::MAX)]), [u16::MAX]);
    }

    #[test]
    fn the_lowest_rank_of_a_machine_can_always_build() {
        assert_eq!(slots(&[(1, &[], 0), (1, &[], 5), (2, &[0], 3), (1, &[1], 0)]), [1, 0, 1, 1]);
    }
}
