//! Thousands of loads by two ranks, see `dijitso_tests::endurance`.

use std::sync::{Arc, Barrier};

use dijitso::Communicator as _;
use dijitso_tests::endurance::endure;

use super::{Compiler, World};
use crate::harness::{Place, soak};

#[test]
fn thousands_of_loads_leave_nothing_behind() {
    const RANKS: usize = 2;
    let compiler = Compiler::new();
    let (place, barrier) = (Arc::new(Place::new()), Barrier::new(RANKS));
    World::Separate.seed(&place, RANKS, &compiler);
    let word = compiler.word();
    let usage = World::Separate.run(RANKS, move |comm| {
        let builder = || World::Separate.builder(&place, comm.rank()).cxx(word.clone());
        let copy = |comm: &dijitso::Threads| comm.split(0, comm.rank()).unwrap();
        let meet = || _ = barrier.wait();
        endure(&comm, &copy, &builder, place.root(), if soak() { 40_000 } else { 4_000 }, &meet)
    });
    for [early, late] in usage {
        println!("{early:?}\n{late:?}");
        late.is_still(&early).unwrap_or_else(|words| panic!("{words}"));
    }
}
