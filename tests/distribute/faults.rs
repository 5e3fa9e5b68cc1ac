//! What can be wrong with kernels, compilers, disks and caches from the beginning: all ranks return, with the same error, or all
//! have the kernels. What goes wrong in the middle is in [`matrix`](super::matrix).

use std::sync::Arc;

use dijitso::{Communicator as _, Error, Jit};
use dijitso_tests::kernels::{NUMBER_BASE, number, text};
use dijitso_tests::protocol::{ShimMode, ShimStep};

use super::{Compiler, RANKS, STRATEGIES, WORLDS, World, same_error};
use crate::harness::Place;

#[test]
fn what_does_not_compile_is_reported_whole_on_every_rank() {
    let compiler = Compiler::real();
    for world in WORLDS {
        for build_on in STRATEGIES {
            let place = Arc::new(Place::new());
            world.seed(&place, RANKS, &compiler);
            for _ in 0..2 {
                let (place, words) = (place.clone(), compiler.word());
                let results = world.run(RANKS, move |comm| {
                    let jit = world.builder(&place, comm.rank()).cxx(words.clone()).build()?;
                    let bad = text("bad", "int bad() { return nonsense; }");
                    let refused = jit.on(&comm).build_on(build_on).load_all(&[number(1), bad]).map(|_| ());
                    let first = jit.on(&comm).build_on(build_on).load(&number(1))?;
                    assert_eq!(first.call() - NUMBER_BASE, 1);
                    refused
                });
                let words = same_error(&results).unwrap();
                assert!(words.contains("nonsense") && words.contains("was not declared"), "{words}");
                let rank = |result: &dijitso::Result<()>| match result {
                    Err(Error::Rank { error, .. }) => matches!(**error, Error::Compile { .. }),
                    _ => false,
                };
                assert!(results.iter().all(rank), "{world:?} {build_on:?}: {results:?}");
            }
        }
    }
}

#[test]
fn generators_that_panic_and_compilers_that_misbehave() {
    for world in WORLDS {
        for build_on in STRATEGIES {
            let place = Arc::new(Place::new());
            let results = world.run(RANKS, move |comm| {
                let jit = world.builder(&place, comm.rank()).build()?;
                let spec = dijitso::spec!(
                    extern "C" fn() -> i32,
                    "panics",
                    (),
                    || -> dijitso::Source<extern "C" fn() -> i32> { panic!("no such element") }
                );
                jit.on(&comm).build_on(build_on).load(&spec).map(|_| ())
            });
            let words = same_error(&results).unwrap();
            assert!(words.contains("no such element") && words.contains("panics"), "{words}");
        }
    }
    let modes = [
        ShimMode::Fail { status: 1, stderr: b"planned".to_vec() },
        ShimMode::Die { signal: 9 },
        ShimMode::Nothing,
        ShimMode::Hang,
    ];
    for mode in modes {
        let word = format!("{mode:?}");
        let place = Arc::new(Place::new());
        let shim = place.shim();
        // The engine asks it a few things first, when it must be honest.
        place.builder().cxx(shim.word()).build().unwrap().load(&number(0)).unwrap();
        shim.set(mode, ShimStep::Compile);
        let words = shim.word();
        let results = World::Machines.run(RANKS, move |comm| {
            let builder = World::Machines.builder(&place, comm.rank()).cxx(words.clone());
            let jit = builder.timeout(std::time::Duration::from_millis(700)).build()?;
            jit.on(&comm).load(&number(1)).map(|_| ())
        });
        let said = same_error(&results).unwrap();
        assert!(said.contains("k00001"), "{word}: {said}");
    }
}

#[test]
fn only_builders_need_a_compiler() {
    let place = Arc::new(Place::new());
    let results = World::Machines.run(RANKS, move |comm| {
        let builder = World::Machines.builder(&place, comm.rank());
        let builder = if comm.rank() == 0 { builder } else { builder.cxx("/no/such/compiler") };
        let jit: Jit = builder.build()?;
        jit.on(&comm).build_on(dijitso::BuildOn::Root).load(&number(8)).map(|kernel| kernel.call())
    });
    assert_eq!(same_error(&results), None);
    let place = Arc::new(Place::new());
    let results = World::Machines.run(RANKS, move |comm| {
        let jit = World::Machines.builder(&place, comm.rank()).cxx("/no/such/compiler").build()?;
        jit.on(&comm).load(&number(8)).map(|_| ())
    });
    let words = same_error(&results).unwrap();
    assert!(words.contains("no usable C++ compiler") && words.contains("k00008"), "{words}");
}

#[test]
fn caches_that_cannot_be_written_or_are_damaged_are_survived() {
    // On one rank and on all.
    let compiler = Compiler::new();
    for bad in [&[0][..], &[1], &[3], &[0, 1, 2, 3]] {
        for build_on in STRATEGIES {
            let place = Arc::new(Place::new());
            World::Separate.seed(&place, RANKS, &compiler);
            let words = compiler.word();
            let results = World::Separate.run(RANKS, move |comm| {
                let mut builder = World::Separate.builder(&place, comm.rank()).cxx(words.clone());
                if bad.contains(&comm.rank()) {
                    // Nothing can be created there, not even by root.
                    builder = builder.cache_dir("/proc/dijitso");
                }
                let jit = builder.build()?;
                jit.on(&comm).build_on(build_on).load(&number(8)).map(|kernel| kernel.call())
            });
            assert_eq!(same_error(&results), None, "{bad:?} {build_on:?}");
        }
    }
    // Every entry damaged, in every directory.
    let compiler = Compiler::new();
    for world in WORLDS {
        for build_on in STRATEGIES {
            let place = Arc::new(Place::new());
            world.seed(&place, RANKS, &compiler);
            for round in 0..2 {
                let (inner, words) = (place.clone(), compiler.word());
                let results = world.run(RANKS, move |comm| {
                    let jit = world.builder(&inner, comm.rank()).cxx(words.clone()).build()?;
                    jit.on(&comm).build_on(build_on).load(&number(8)).map(|kernel| kernel.call())
                });
                assert_eq!(same_error(&results), None, "{world:?} {build_on:?} {round}");
                for entry in crate::harness::files(place.root()) {
                    if entry.extension().is_some_and(|extension| extension == "so") {
                        // Not in place: that would change what is mapped.
                        std::fs::remove_file(&entry).unwrap();
                        std::fs::write(&entry, "damaged").unwrap();
                    }
                }
            }
        }
    }
}

#[test]
fn a_sealed_program_lists_what_is_missing_on_all_ranks() {
    for world in WORLDS {
        let place = Arc::new(Place::new());
        let results = world.run(RANKS, move |comm| {
            if comm.rank() == 0 {
                world.builder(&place, 0).build()?.load(&number(1))?;
            }
            let jit = world.builder(&place, comm.rank()).sealed().build()?;
            jit.on(&comm).load_all(&[number(1), number(2), number(3)]).map(|_| ())
        });
        for result in &results {
            let Err(Error::Sealed { missing, .. }) = result else { panic!("{world:?}: {result:?}") };
            let names: Vec<&str> = missing.iter().map(|kernel| kernel.kernel.as_str()).collect();
            assert!(
                names.len() == 2 && names[0].contains("k00002") && names[1].contains("k00003"),
                "{names:?}"
            );
        }
        same_error(&results).unwrap();
    }
}

#[test]
fn a_rank_without_a_jit_keeps_nobody_waiting() {
    for bad in [0, 2] {
        let place = Arc::new(Place::new());
        let results = World::Separate.run(RANKS, move |comm| {
            let builder = World::Separate.builder(&place, comm.rank());
            let builder = if comm.rank() == bad { builder.jobs(0) } else { builder };
            builder.build_with(&comm).map(|_| ())
        });
        let words = same_error(&results).unwrap();
        assert!(words.contains(&format!("rank {bad}")) && words.contains("jobs"), "{words}");
    }
}
