//! Which cache directories are one and the same.
//!
//! A path cannot tell: it leads to different directories on different machines, and different paths lead to one. On one
//! machine a directory is known by its device and number. Between machines only what is on a network file system can be
//! shared, and there even equal numbers prove nothing (two servers have both a directory 2). So somebody puts a token into
//! his, and the others look whether it is in theirs.
//!
//! This is what the root thinks; the others do as they are told, see `discover`.

use std::collections::{BTreeMap, HashSet};

use serde::{Deserialize, Serialize};

use crate::cache::Sight;

/// More different directories of one number are not told apart: each then counts as a directory of its own, which costs
/// copies and is never wrong.
const ROUNDS: u16 = 8;

/// What to do next about directories that may be the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Round {
    pub(super) number: u16,
    /// Ranks that put up a token, if they can.
    pub(super) creators: Vec<u32>,
}

/// Whose token to look for: pairs of who looks and whose it is.
pub(super) type Search = Vec<(u32, u32)>;

/// A directory on one machine, or none, by the lowest rank that has it.
#[derive(Debug)]
struct Place {
    rank: u32,
    sight: Option<Sight>,
}

/// Directories that may be the same: equal in all that two machines can compare.
#[derive(Debug)]
struct Candidates {
    /// Indices of places that are not settled, ascending.
    open: Vec<usize>,
    /// Those in which nobody could put up a token.
    closed: Vec<usize>,
    /// The first one could not, so all try.
    all_try: bool,
    /// Whose token is up.
    creator: Option<usize>,
}

/// The search for directories that are the same, while it goes on.
#[derive(Debug)]
pub(super) struct Sharing {
    places: Vec<Place>,
    /// By view: its place.
    place_of: Vec<usize>,
    /// By place: the lowest one that is the same.
    same_as: Vec<usize>,
    candidates: Vec<Candidates>,
    round: u16,
}

impl Sharing {
    /// `views` are those of the representatives, by ascending rank: the rank, its machine, and what it sees.
    pub(super) fn new(views: &[(u32, u128, Option<Sight>)]) -> Sharing {
        let mut places: Vec<Place> = Vec::new();
        let mut known = BTreeMap::new();
        let place_of = views.iter().map(|&(rank, machine, sight)| {
            let mut add = || {
                places.push(Place { rank, sight });
                places.len() - 1
            };
            match sight {
                Some(seen) => *known.entry((machine, seen.device, seen.stamp.ino)).or_insert_with(add),
                None => add(),
            }
        });
        let place_of = place_of.collect();
        let mut classes: BTreeMap<(u32, u64), Vec<usize>> = BTreeMap::new();
        for (at, place) in places.iter().enumerate() {
            if let Some(sight) = place.sight.filter(|sight| sight.network) {
                classes.entry((sight.file_system, sight.stamp.ino)).or_default().push(at);
            }
        }
        let candidates = classes.into_values().map(|open| Candidates {
            open,
            closed: Vec::new(),
            all_try: false,
            creator: None,
        });
        Sharing {
            same_as: (0..places.len()).collect(),
            candidates: candidates.collect(),
            places,
            place_of,
            round: 0,
        }
    }

    /// The next round; `None`: everything is known.
    pub(super) fn next(&mut self) -> Option<Round> {
        for candidates in &mut self.candidates {
            candidates.settle_the_rest(&self.places, &mut self.same_as);
        }
        if self.round == ROUNDS {
            return None;
        }
        let creators = self.candidates.iter().flat_map(Candidates::creators);
        let creators: Vec<u32> = creators.map(|place| self.places[*place].rank).collect();
        let number = self.round;
        self.round += 1;
        (!creators.is_empty()).then_some(Round { number, creators })
    }

    /// Who of them could put up a token; says who looks for which.
    pub(super) fn created(&mut self, able: &HashSet<u32>) -> Search {
        let mut search = Search::new();
        let places = &self.places;
        for candidates in &mut self.candidates {
            let asked: Vec<usize> = candidates.creators().to_vec();
            if asked.is_empty() {
                continue;
            }
            let (can, cannot): (Vec<usize>, Vec<usize>) =
                asked.into_iter().partition(|&place| able.contains(&places[place].rank));
            candidates.all_try = can.is_empty();
            candidates.open.retain(|place| !cannot.contains(place));
            candidates.closed.extend(cannot);
            candidates.creator = can.first().copied();
            if let Some(creator) = candidates.creator {
                let others =
                    candidates.open.iter().chain(&candidates.closed).filter(|&&place| place != creator);
                search.extend(others.map(|&place| (places[place].rank, places[creator].rank)));
            }
        }
        search.sort_unstable();
        search
    }

    /// Who of those that looked has seen the token.
    pub(super) fn seen(&mut self, by: &HashSet<u32>) {
        for candidates in &mut self.candidates {
            let Some(creator) = candidates.creator.take() else { continue };
            let (places, same_as) = (&self.places, &mut self.same_as);
            let mut lowest = creator;
            let mut found = vec![creator];
            for list in [&mut candidates.open, &mut candidates.closed] {
                list.retain(|&place| {
                    let seen = place == creator || by.contains(&places[place].rank);
                    if seen {
                        lowest = lowest.min(place);
                        found.push(place);
                    }
                    !seen
                });
            }
            for place in found {
                same_as[place] = lowest;
            }
        }
    }

    /// By view: the number of its directory, in the order of their lowest ranks, and for each number whether it is one.
    pub(super) fn groups(&self) -> (Vec<u32>, Vec<bool>) {
        let mut numbers: BTreeMap<usize, u32> = BTreeMap::new();
        let mut directories = Vec::new();
        let mut number_of = |view: &usize| {
            let place = self.same_as[*view];
            *numbers.entry(place).or_insert_with(|| {
                directories.push(self.places[place].sight.is_some());
                directories.len() as u32 - 1
            })
        };
        let groups = self.place_of.iter().map(&mut number_of).collect();
        (groups, directories)
    }
}

impl Candidates {
    /// Who puts up a token next: one at a time, unless that one could not.
    fn creators(&self) -> &[usize] {
        match (self.open.len() + self.closed.len(), self.all_try) {
            (0 | 1, _) => &[],
            (_, true) => &self.open,
            (_, false) => &self.open[..self.open.len().min(1)],
        }
    }

    /// Where nobody can put up a token nobody will publish either, and taking two directories for one costs a miss: equal
    /// times of their last changes are proof enough.
    fn settle_the_rest(&mut self, places: &[Place], same_as: &mut [usize]) {
        if !self.open.is_empty() {
            return;
        }
        let mut first = Vec::new();
        self.closed.sort_unstable();
        for place in self.closed.drain(..) {
            let stamp = places[place].sight.map(|sight| sight.stamp);
            match first.iter().find(|(known, _)| *known == stamp) {
                Some(&(_, lowest)) => same_as[place] = lowest,
                None => first.push((stamp, place)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fs::Stamp;

    /// A place of a simulated world: what is seen there, which directory it really is, whether it can be written.
    #[derive(Clone, Copy)]
    struct Real {
        machine: u128,
        sight: Option<Sight>,
        directory: u32,
        writable: bool,
    }

    fn network(machine: u128, ino: u64, directory: u32) -> Real {
        let stamp = Stamp { ino, size: 0, mtime_ns: directory.into(), ctime_ns: 7 };
        let sight = Sight { device: 40 + machine as u64, stamp, file_system: 0x6969, network: true };
        Real { machine, sight: Some(sight), directory, writable: true }
    }

    fn local(machine: u128, ino: u64) -> Real {
        let real = network(machine, ino, 0);
        let sight = real.sight.map(|sight| Sight { device: 1, network: false, ..sight });
        Real { sight, ..real }
    }

    fn read_only(real: Real) -> Real {
        Real { writable: false, ..real }
    }

    fn nothing(machine: u128) -> Real {
        Real { sight: None, ..local(machine, 0) }
    }

    /// The groups, how many rounds it took, how many tokens were put up and how often somebody looked.
    fn found(world: &[Real]) -> (Vec<u32>, [usize; 3]) {
        let views: Vec<_> =
            world.iter().enumerate().map(|(at, real)| (at as u32, real.machine, real.sight)).collect();
        let mut sharing = Sharing::new(&views);
        let (mut tokens, mut looks, mut rounds) = (0, 0, 0);
        while let Some(round) = sharing.next() {
            assert_eq!(usize::from(round.number), rounds);
            rounds += 1;
            let able: HashSet<u32> =
                round.creators.iter().copied().filter(|at| world[*at as usize].writable).collect();
            tokens += round.creators.len();
            let search = sharing.created(&able);
            looks += search.len();
            assert!(search.iter().all(|(_, creator)| able.contains(creator)));
            let same = |(at, creator): &(u32, u32)| {
                world[*at as usize].directory == world[*creator as usize].directory
            };
            let seen = search.iter().filter(|pair| same(pair)).map(|(at, _)| *at).collect();
            sharing.seen(&seen);
        }
        let (groups, directories) = sharing.groups();
        assert_eq!(directories.len(), groups.iter().max().map_or(0, |max| *max as usize + 1));
        (groups, [rounds, tokens, looks])
    }

    #[test]
    fn local_directories_are_shared_on_their_machine_only() {
        let world = [local(1, 5), local(2, 5), local(1, 5), local(2, 6), local(2, 5)];
        assert_eq!(found(&world), (vec![0, 1, 0, 2, 1], [0, 0, 0]));
    }

    #[test]
    fn a_directory_on_a_server_is_found_with_one_token() {
        let world: Vec<Real> = (0..64).map(|machine| network(machine, 5, 1)).collect();
        assert_eq!(found(&world), (vec![0; 64], [1, 1, 63]));
    }

    #[test]
    fn equal_numbers_prove_nothing() {
        let world =
            [network(1, 5, 1), network(2, 5, 2), network(3, 5, 1), network(4, 5, 2), network(5, 6, 3)];
        assert_eq!(found(&world), (vec![0, 1, 0, 1, 2], [2, 2, 4]));
        // The same server twice on one machine, as two devices.
        let mut twice = network(1, 5, 1);
        twice.sight.as_mut().unwrap().device = 99;
        assert_eq!(found(&[network(1, 5, 1), twice]).0, [0, 0]);
        // Another type of file system.
        let mut other = network(2, 5, 1);
        other.sight.as_mut().unwrap().file_system = 1;
        assert_eq!(found(&[network(1, 5, 1), other]), (vec![0, 1], [0, 0, 0]));
    }

    #[test]
    fn several_numbers_are_looked_for_at_once() {
        let world = [network(1, 5, 1), network(2, 5, 1), network(3, 6, 2), network(4, 6, 2)];
        assert_eq!(found(&world), (vec![0, 0, 1, 1], [1, 2, 2]));
    }

    #[test]
    fn many_different_ones_with_one_number_end() {
        let world: Vec<Real> = (0..40).map(|machine| network(machine, 2, machine as u32)).collect();
        let (groups, [rounds, tokens, _]) = found(&world);
        assert_eq!(groups, (0..40).collect::<Vec<u32>>());
        assert_eq!((rounds, tokens), (usize::from(ROUNDS), usize::from(ROUNDS)));
    }

    #[test]
    fn who_cannot_write_can_still_see() {
        let world =
            [read_only(network(1, 5, 1)), read_only(network(2, 5, 2)), network(3, 5, 1), network(4, 5, 2)];
        assert_eq!(found(&world).0, [0, 1, 0, 1]);
    }

    #[test]
    fn where_nobody_can_write_equal_times_count() {
        let world: Vec<Real> = (0..64).map(|machine| read_only(network(machine, 5, 1))).collect();
        assert_eq!(found(&world), (vec![0; 64], [2, 64, 0]));
        let two = [read_only(network(1, 5, 1)), read_only(network(2, 5, 2)), read_only(network(3, 5, 1))];
        assert_eq!(found(&two).0, [0, 1, 0]);
    }

    #[test]
    fn who_has_no_directory_is_alone() {
        let world = [nothing(1), local(1, 5), nothing(1), local(1, 5)];
        let views: Vec<_> =
            world.iter().enumerate().map(|(at, real)| (at as u32, real.machine, real.sight)).collect();
        assert_eq!(Sharing::new(&views).groups(), (vec![0, 1, 2, 1], vec![false, true, false]));
    }

    /// Every mixture of four places: two machines, two directories, writable or not.
    #[test]
    fn what_is_told_apart_is_different_and_what_is_the_same_is_found() {
        for mixture in 0..4096_u32 {
            let world: Vec<Real> = (0..4)
                .map(|at| {
                    let bits = mixture >> (3 * at);
                    let directory = bits & 1;
                    let real = network((bits >> 1 & 1).into(), 5, directory);
                    let device = 10 + u64::from(directory);
                    let sight = real.sight.map(|sight| Sight { device, ..sight });
                    Real { sight, writable: bits >> 2 & 1 == 1, ..real }
                })
                .collect();
            let (groups, _) = found(&world);
            for (a, b) in (0..4).flat_map(|a| (0..a).map(move |b| (a, b))) {
                let same = world[a].directory == world[b].directory;
                assert_eq!(groups[a] == groups[b], same, "{a} and {b} of {mixture:#o}: {groups:?}");
            }
        }
    }
}
