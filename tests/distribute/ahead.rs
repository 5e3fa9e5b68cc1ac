//! A warm load from one directory, where rank 0 says with its first answer where the kernels are: what can go wrong then.

use std::sync::Arc;

use dijitso::{Communicator as _, Error, Result};
use dijitso_tests::kernels::{NUMBER_BASE, number};

use super::{Compiler, World, same_error};
use crate::harness::Place;

const RANKS: usize = 4;

/// A load of what all caches have, by ranks that know each other already, and how many messages each sent; `probe` is told of
/// each step of a rank. And another load.
fn load(
    compiler: &Compiler,
    probe: impl Fn(usize, &str) -> Result<()> + Send + Sync + 'static,
) -> (Vec<Result<u64>>, Vec<Result<i32>>) {
    let place = Arc::new(Place::new());
    World::Shared.seed(&place, RANKS, compiler);
    let words = compiler.word();
    let results = World::Shared.run(RANKS, move |comm| {
        let jit = || World::Shared.builder(&place, comm.rank()).cxx(words.clone()).build().unwrap();
        let specs = [number(1), number(2)];
        jit().on(&comm).load_all(&specs).unwrap();
        let jit = jit();
        jit.on(&comm).load(&number(3)).unwrap();
        let before = jit.stats().messages_sent;
        let told = |step: &str| probe(comm.rank(), step);
        let warm = jit.on(&comm).probe(&told).load_all(&specs).map(|kernels| {
            assert!(kernels.iter().map(|kernel| kernel.call() - NUMBER_BASE).eq([1, 2]));
            jit.stats().messages_sent - before
        });
        (warm, jit.on(&comm).load(&number(4)).map(|kernel| kernel.call() - NUMBER_BASE))
    });
    results.into_iter().unzip()
}

#[test]
fn what_goes_wrong_meanwhile_is_the_same_on_all_ranks() {
    let compiler = Compiler::new();
    let (plain, _) = load(&compiler, |_, _| Ok(()));
    let sent: u64 = plain.into_iter().map(Result::unwrap).sum();
    assert_eq!(sent, 4 * (RANKS as u64 - 1), "it is not said ahead");
    for (bad, at) in [(0, "LookUp"), (0, "Move"), (0, "Load"), (1, "Load"), (RANKS - 1, "Load")] {
        for panics in [false, true] {
            let (warm, next) = load(&compiler, move |rank, step| {
                if (rank, step) != (bad, at) {
                    return Ok(());
                }
                assert!(!panics, "planned");
                Err(Error::Communication { problem: "planned".to_owned() })
            });
            let what = format!("{bad} {at} {panics}");
            let words = same_error(&warm).unwrap_or_else(|| panic!("{what}: nobody noticed"));
            assert!(words.contains("planned") && words.contains(&format!("rank {bad}")), "{what}: {words}");
            // Nobody is out of step.
            assert!(next.iter().all(|next| matches!(next, Ok(4))), "{what}: {next:?}");
        }
    }
}
