//! A rank that cannot go on with a call at all (it lost another one, or is out of step) takes all others with it, wherever it
//! is and whatever they wait for.

use std::sync::{Arc, Barrier};

use dijitso::{BuildOn, Communicator as _, Result};
use dijitso_tests::kernels::number;
use dijitso_tests::losing::Losing;

use super::{Compiler, WORLDS, World};
use crate::harness::{Place, soak};

const KERNELS: u32 = 3;

/// What each rank returns from a load and from the next one, and how often it received, or sent, something in the first.
type Ended = (Result<()>, Result<()>, u64);

/// A cold load in which a rank loses another one.
fn load(
    world: World,
    ranks: usize,
    compiler: &Compiler,
    sending: bool,
    lost: Option<(usize, u64)>,
) -> Vec<Ended> {
    let place = Arc::new(Place::new());
    world.seed(&place, ranks, compiler);
    let words = compiler.word();
    // That a rank has ended would be known without a notice.
    let end = Barrier::new(ranks);
    world.run(ranks, move |comm| {
        let jit = world.builder(&place, comm.rank()).cxx(words.clone()).build().unwrap();
        let at = lost.filter(|&(rank, _)| rank == comm.rank()).map(|(_, at)| at);
        let losing = if sending { Losing::sending(&comm, at) } else { Losing::receiving(&comm, at) };
        let collective = jit.on(&losing).build_on(BuildOn::Spread);
        let specs: Vec<_> = (0..KERNELS).map(number).collect();
        let first = collective.load_all(&specs).map(|_| ());
        let received = losing.count();
        let second = collective.load(&number(KERNELS)).map(|_| ());
        end.wait();
        (first, second, received)
    })
}

fn check(
    world: World,
    ranks: usize,
    compiler: &Compiler,
    (bad, sending): (usize, bool),
    places: impl Fn(u64) -> Vec<u64>,
) {
    let whole = load(world, ranks, compiler, sending, None);
    assert!(whole.iter().all(|(first, second, _)| first.is_ok() && second.is_ok()), "{world:?}");
    let last = whole[bad].2 - 1;
    for at in places(last) {
        let what = format!("{world:?}, {ranks} ranks, rank {bad} at {at} of {last}, sending {sending}");
        println!("{what}");
        let ended = load(world, ranks, compiler, sending, Some((bad, at)));
        let words = ended[bad].0.as_ref().err().unwrap_or_else(|| panic!("{what}: it is well")).to_string();
        assert!(words.contains("was lost, as planned"), "{what}: {words}");
        for (rank, (first, second, _)) in ended.iter().enumerate() {
            match first {
                Err(error) => assert_eq!(error.to_string(), words, "{what}: rank {rank}"),
                // It has had the last word of the load already, or that was the one that did not reach all.
                Ok(()) => assert!(at == last && (bad > 0 || sending), "{what}: rank {rank} is well"),
            }
            let then = second.as_ref().err().unwrap_or_else(|| panic!("{what}: rank {rank} goes on"));
            let then = then.to_string();
            let is_told_why = then
                .starts_with("an earlier collective call on this communicator was given up")
                && then.contains(&words);
            // Who has had the last word of the first load gives up in the second.
            assert!(then == words || is_told_why, "{what}: rank {rank}: {then} instead of {words}");
        }
    }
}

#[test]
fn nobody_waits_for_a_rank_that_gave_up() {
    let compiler = Compiler::new();
    for world in WORLDS {
        for (bad, sending) in [0, 1, 4].into_iter().flat_map(|bad| [(bad, false), (bad, true)]) {
            check(world, 5, &compiler, (bad, sending), |last| (0..=last).collect());
        }
    }
}

#[test]
fn among_many_ranks_all_hear_of_it() {
    let compiler = Compiler::new();
    let step = if soak() { 1 } else { 5 };
    for (world, bad) in [(World::Server, 0), (World::Server, 51), (World::Machines, 98)] {
        check(world, 100, &compiler, (bad, false), |last| (0..=last).step_by(step).chain([last]).collect());
    }
}
