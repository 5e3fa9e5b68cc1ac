//! What a rank had when it was asked, and has no more when it is to give it: removed, damaged, or made from what has changed.

use std::path::Path;
use std::sync::{Arc, Barrier};

use dijitso::{BuildOn, Communicator as _, Result};
use dijitso_tests::kernels::{NUMBER_BASE, number, state, successor};

use super::{Compiler, WORLDS, World, same_error};
use crate::harness::{Place, files};

const RANKS: usize = 4;

#[test]
fn nobody_gets_a_kernel_that_rank_0_knows_to_be_outdated() {
    let compiler = Compiler::real();
    for world in WORLDS {
        for build_on in [BuildOn::Root, BuildOn::Spread] {
            for holder in 1..RANKS {
                for removed in [false, true] {
                    let place = Arc::new(Place::new());
                    let at = format!("{world:?} {build_on:?} {holder} {removed}");
                    let (first, second) = (place.path("first"), place.path("second"));
                    for (dir, value) in [(&first, 1), (&second, 2)] {
                        std::fs::create_dir_all(dir).unwrap();
                        std::fs::write(dir.join("state.h"), format!("#define STATE {value}\n")).unwrap();
                    }
                    world.seed(&place, RANKS, &compiler);
                    let (changed, words) = (Arc::new(Barrier::new(RANKS)), compiler.word());
                    let results = world.run(RANKS, move |comm| {
                        let builder = world.builder(&place, comm.rank()).include_dir(place.path("second"));
                        let jit = builder.cxx(words.clone()).build()?;
                        let spec = state(place.path("first"), true);
                        if comm.rank() == holder {
                            assert_eq!(jit.load(&spec)?.call(), 1);
                            let header = place.path("first").join("state.h");
                            if removed {
                                std::fs::remove_file(header).unwrap();
                            } else {
                                std::fs::write(header, "#define STATE 2 // now\n").unwrap();
                            }
                        }
                        changed.wait();
                        let both = jit.on(&comm).build_on(build_on).load_all(&[number(1), spec.clone()])?;
                        let loaded = jit.on(&comm).build_on(build_on).load(&spec)?;
                        assert_eq!(loaded.signature(), both[1].signature());
                        Result::<_>::Ok((both[0].call() - NUMBER_BASE, both[1].call(), jit.stats().built))
                    });
                    assert_eq!(same_error(&results), None, "{at}");
                    let built: u64 = results.iter().flatten().map(|(.., built)| built).sum();
                    let values: Vec<_> = results.into_iter().flatten().map(|(a, b, _)| (a, b)).collect();
                    assert_eq!(values, [(1, 2); RANKS], "{at}");
                    // The old one, the new one, and the other one.
                    assert_eq!(built, 3, "{at}");
                }
            }
        }
    }
}

/// What happens to the files of kernels after they were found.
pub(super) fn spoil(dir: &Path, damage: bool) {
    for entry in files(dir) {
        if entry.extension().is_some_and(|extension| extension == "so") {
            // Not in place: that would change what is mapped.
            std::fs::remove_file(&entry).unwrap();
            if damage {
                std::fs::write(&entry, "damaged").unwrap();
            }
        }
    }
}

/// One rank has found kernels that nobody else has, and loses them before it gives them away. (From one directory threads cannot
/// lose them: what one of them has loaded is loaded in the process. See `mpi::trials` for that.)
#[test]
fn what_is_lost_after_it_was_found_is_built_anew() {
    let compiler = Compiler::real();
    let worlds = [(World::Separate, vec![0, 1, 3]), (World::Machines, vec![0, 2]), (World::Server, vec![0])];
    for (world, losers) in worlds {
        for build_on in [BuildOn::Root, BuildOn::Spread] {
            for (&loser, damage) in losers.iter().flat_map(|loser| [(loser, false), (loser, true)]) {
                let place = Arc::new(Place::new());
                let at = format!("{world:?} {build_on:?} {loser} {damage}");
                world.seed(&place, RANKS, &compiler);
                let filler = world.builder(&place, loser).cxx(compiler.word()).build().unwrap();
                filler.load(&number(1)).unwrap();
                filler.load(&successor(3)).unwrap();
                let words = compiler.word();
                let results = world.run(RANKS, move |comm| {
                    let jit = world.builder(&place, comm.rank()).cxx(words.clone()).build()?;
                    let lose = |step: &str| {
                        if step == "Move" && comm.rank() == loser && jit.stats().built == 0 {
                            spoil(&world.directory(&place, loser), damage);
                        }
                        Ok(())
                    };
                    let specs = [number(1), successor(3)];
                    let kernels = jit.on(&comm).build_on(build_on).probe(&lose).load_all(&specs)?;
                    let values: Vec<i32> = kernels.iter().map(|kernel| kernel.call()).collect();
                    Result::<_>::Ok((values, jit.stats().built))
                });
                assert_eq!(same_error(&results), None, "{at}");
                let (values, built): (Vec<_>, Vec<u64>) = results.into_iter().flatten().unzip();
                assert_eq!(values, vec![[NUMBER_BASE + 1, 4]; RANKS], "{at}");
                // Both, and what one of them is linked to.
                assert_eq!(built, [3, 0, 0, 0], "{at}");
            }
        }
    }
}
