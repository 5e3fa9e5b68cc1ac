//! Ranks that differ in what they must not do, in their `Jit`s, in what their caches have lost: they go the same steps.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use dijitso::{Communicator as _, Error, Jit, KernelOrigin, KernelSpec, Result};
use dijitso_tests::kernels::{NUMBER_BASE, Number, base, number, successor};

use super::{Compiler, STRATEGIES, WORLDS, World, same_error};
use crate::harness::{Place, files};
use crate::prebuilt::table;

const RANKS: usize = 4;

#[test]
fn sealed_on_one_rank_is_sealed_on_all() {
    let compiler = Compiler::new();
    for world in [World::Shared, World::Machines] {
        for build_on in STRATEGIES {
            for sealed in [0, 1, RANKS - 1] {
                let place = Arc::new(Place::new());
                let at = format!("{world:?} {build_on:?} {sealed}");
                world.seed(&place, RANKS, &compiler);
                let words = compiler.word();
                let results = world.run(RANKS, move |comm| {
                    let builder = world.builder(&place, comm.rank()).cxx(words.clone());
                    let builder = if comm.rank() == sealed { builder.sealed() } else { builder };
                    let jit = builder.build()?;
                    let refused = jit.on(&comm).build_on(build_on).load_all(&[number(1), number(2)]);
                    // Nobody is out of step.
                    assert!(jit.on(&comm).build_on(build_on).role().is_ok());
                    assert_eq!(jit.stats().compiled, 0);
                    refused.map(|_| ())
                });
                let words = same_error(&results).unwrap_or_else(|| panic!("{at}: somebody has compiled"));
                assert!(words.contains("sealed") && words.contains("k00002"), "{at}: {words}");
            }
        }
    }
}

#[test]
fn two_generators_with_one_key_collide_in_one_request() {
    let place = Arc::new(Place::new());
    let results = World::Shared.run(3, move |comm| {
        let jit = World::Shared.builder(&place, comm.rank()).build()?;
        // SAFETY: they return a number.
        let one = || unsafe { dijitso::Source::new("int twin() { return 1; }") };
        // SAFETY: as above.
        let two = || unsafe { dijitso::Source::new("int twin() { return 2; }") };
        let twins: [KernelSpec<Number>; 2] =
            [KernelSpec::new("twin", (), one), KernelSpec::new("twin", (), two)];
        jit.on(&comm).load_all(&twins).map(|_| ())
    });
    let words = same_error(&results).unwrap();
    assert!(words.contains("two different generators"), "{words}");
}

#[test]
fn what_all_loaded_together_is_loaded() {
    let compiler = Compiler::new();
    for world in [World::Shared, World::Machines] {
        for build_on in STRATEGIES {
            for mixed in [false, true] {
                let place = Arc::new(Place::new());
                world.seed(&place, RANKS, &compiler);
                let words = compiler.word();
                let results = world.run(RANKS, move |comm| {
                    let jit = world.builder(&place, comm.rank()).cxx(words.clone()).build()?;
                    let on = jit.on(&comm).build_on(build_on);
                    let on = if mixed && comm.rank() >= 2 { on.pretend_processor(0) } else { on };
                    on.load(&number(1))?;
                    on.loaded(&number(1)).map(|kernel| kernel.call() - NUMBER_BASE)
                });
                assert_eq!(same_error(&results), None, "{world:?} {build_on:?} {mixed}");
                assert!(results.into_iter().all(|value| matches!(value, Ok(1))));
            }
        }
    }
}

#[test]
fn a_rank_may_change_between_jits() {
    let compiler = Compiler::new();
    for build_on in STRATEGIES {
        let place = Arc::new(Place::new());
        World::Shared.seed(&place, 2, &compiler);
        let words = compiler.word();
        let results = World::Shared.run(2, move |comm| {
            let builder = || World::Shared.builder(&place, comm.rank()).cxx(words.clone());
            let jit = builder().build()?;
            let other = builder().cache_dir(place.path("other")).build()?;
            for n in 0..4 {
                let jit = if (comm.rank(), n) == (1, 1) { &other } else { &jit };
                let loaded = jit.on(&comm).build_on(build_on).load_all(&[number(n), number(n + 10)])?;
                assert_eq!(loaded[1].call() - NUMBER_BASE, n as i32 + 10);
            }
            Result::<_>::Ok(())
        });
        assert_eq!(same_error(&results), None, "{build_on:?}");
    }
}

/// A kernel whose generator loads another one with `jit`.
fn asking(jit: &Jit, n: u32) -> KernelSpec<Number> {
    let jit = jit.clone();
    KernelSpec::new("asking", n, move || {
        let asked = jit.load(&number(n)).map(|number| number.call()).unwrap_or(-1);
        // SAFETY: returns a number.
        unsafe { dijitso::Source::new(format!("int asking() {{ return 1 + {asked}; }}")) }
    })
    .package("dijitso-tests", "1")
}

/// As evictions do.
fn remove_entry(below: &Path, signature: dijitso::Signature) {
    let name = format!("{signature}.so");
    let entry: Vec<PathBuf> = files(below).into_iter().filter(|file| file.ends_with(&name)).collect();
    assert_eq!(entry.len(), 1);
    std::fs::remove_file(&entry[0]).unwrap();
}

#[test]
fn a_kernel_that_a_generator_had_loaded_is_not_missed() {
    for build_on in STRATEGIES {
        let place = Arc::new(Place::new());
        let jit = World::Machines.builder(&place, 0).build().unwrap();
        let asked = jit.load(&number(1)).unwrap().signature();
        jit.load(&asking(&jit, 1)).unwrap();
        remove_entry(place.root(), asked);
        for _ in 0..2 {
            let place = place.clone();
            let results = World::Machines.run(RANKS, move |comm| {
                let jit = World::Machines.builder(&place, comm.rank()).build()?;
                let kernel = jit.on(&comm).build_on(build_on).load(&asking(&jit, 1))?;
                Result::<_>::Ok(kernel.call() - NUMBER_BASE)
            });
            assert_eq!(same_error(&results), None, "{build_on:?}");
            assert!(results.into_iter().all(|value| matches!(value, Ok(2))));
        }
    }
}

#[test]
fn a_kernel_whose_dependency_was_evicted_is_built_again() {
    let compiler = Compiler::real();
    for world in WORLDS {
        for build_on in STRATEGIES {
            let place = Arc::new(Place::new());
            world.seed(&place, RANKS, &compiler);
            let words = compiler.word();
            let results = world.run(RANKS, move |comm| {
                let jit = world.builder(&place, comm.rank()).cxx(words.clone()).build()?;
                if comm.rank() == 0 {
                    jit.load(&successor(3))?;
                    remove_entry(place.root(), jit.load(&base(3))?.signature());
                }
                jit.on(&comm).build_on(build_on).load(&successor(3)).map(|kernel| kernel.call())
            });
            assert_eq!(same_error(&results), None, "{world:?} {build_on:?}");
            assert!(results.into_iter().all(|value| matches!(value, Ok(4))));
        }
    }
}

#[test]
fn spread_builds_where_the_roots_compiler_is() {
    let place = Arc::new(Place::new());
    for other in ["/no/such/compiler", "clang++"] {
        for round in 0..2 {
            let (place, first) = (place.clone(), place.path(other.trim_start_matches('/')));
            let results = World::Machines.run(RANKS, move |comm| {
                let builder = World::Machines
                    .builder(&place, comm.rank())
                    .cache_dir(first.join(format!("{}", comm.rank() / 2)));
                let builder = if comm.rank() < 2 { builder } else { builder.cxx(other) };
                let jit: Jit = builder.build()?;
                let specs: Vec<_> = (0..8).map(number).collect();
                jit.on(&comm).load_all(&specs)?;
                Result::<_>::Ok(jit.stats().built)
            });
            assert_eq!(same_error(&results), None, "{other} {round}");
            let built: Vec<u64> = results.into_iter().flatten().collect();
            assert_eq!(built, if round == 0 { [8, 0, 0, 0] } else { [0; 4] }, "{other} {round}");
        }
    }
}

#[test]
fn a_load_on_all_ranks_is_refused_inside_the_generator_of_a_plain_load() {
    let place = Arc::new(Place::new());
    let results = World::Shared.run(2, move |comm| {
        let jit = World::Shared.builder(&place, comm.rank()).build()?;
        let (inner, ranks) = (jit.clone(), Mutex::new(comm.split(0, comm.rank()).unwrap()));
        let spec: KernelSpec<Number> = KernelSpec::new("outer", (), move || {
            let ranks = ranks.lock().unwrap();
            let loaded = inner.on(&*ranks).load(&number(1)).map_err(|error| error.to_string())?;
            let text = format!("int outer() {{ return {}; }}", loaded.call());
            // SAFETY: returns a number.
            Ok::<_, String>(unsafe { dijitso::Source::new(text) })
        });
        // The other rank is not there.
        if comm.rank() == 0 { jit.load(&spec).map(|_| ()) } else { Ok(()) }
    });
    let words = results[0].as_ref().unwrap_err().to_string();
    assert!(words.contains("must not load collectively"), "{words}");
}

#[test]
fn what_is_part_of_the_program_stays_so() {
    let (place, table) = (Arc::new(Place::new()), table(0));
    let results = World::Shared.run(2, move |comm| {
        let jit = World::Shared.builder(&place, comm.rank()).prebuilt(table).build()?;
        // Not all are: so some travel.
        jit.on(&comm).load_all(&[number(3), number(203)])?;
        Result::<_>::Ok((jit.load(&number(3))?.origin(), jit.on(&comm).load(&number(3))?.origin()))
    });
    let both = (KernelOrigin::Prebuilt, KernelOrigin::Prebuilt);
    assert!(results.into_iter().all(|origins| matches!(origins, Ok(found) if found == both)));
}

#[test]
fn a_message_of_zeros_is_no_kernel() {
    let place = Place::new();
    let jit = place.jit();
    let (done, result) = mpsc::channel();
    std::thread::spawn(move || {
        let part = dijitso::Part::Receiver { receive: &mut || vec![0; 100], wait: &mut || () };
        let _ = done.send(jit.load_as(part, &number(1)).map(|_| ()));
    });
    let result = result.recv_timeout(Duration::from_secs(60)).expect("it hangs");
    assert!(matches!(result, Err(Error::Communication { .. })), "{result:?}");
}

#[test]
fn who_wants_no_warnings_gets_none() {
    let place = Arc::new(Place::new());
    let results = World::Shared.run(2, move |comm| {
        let jit = World::Shared.builder(&place, comm.rank()).build()?;
        jit.on(&comm).patience(Duration::MAX).load(&number(1)).map(|_| ())
    });
    assert_eq!(same_error(&results), None);
}
