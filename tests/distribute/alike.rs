//! Ranks that would build differently: with other flags, or what others have built already. All get the same kernels all the same.

use std::sync::Arc;

use dijitso::{BuildOn, Communicator as _, Jit, KernelSpec, Profile, Result, Source};
use dijitso_tests::kernels::{NUMBER_BASE, Number, base, number, successor, text};

use super::{Compiler, RANKS, STRATEGIES, WORLDS, World, same_error};
use crate::harness::{Place, files};

/// Returns what its compiler was told.
fn flavour(name: &str) -> KernelSpec<Number> {
    let told = "#ifndef FLAVOUR\n#define FLAVOUR 0\n#endif\n#ifndef __OPTIMIZE__\n#define DEBUG 10\n#else\n#define DEBUG 0\n#endif\n";
    text(name, &format!("{told}int {name}() {{ return FLAVOUR + DEBUG; }}"))
}

#[test]
fn all_get_what_rank_0_would_build() {
    let compiler = Compiler::real();
    for (world, build_on) in WORLDS.into_iter().flat_map(|world| STRATEGIES.map(|build_on| (world, build_on)))
    {
        for odd in [0, 1, RANKS - 1] {
            let place = Arc::new(Place::new());
            let at = format!("{world:?} {build_on:?} {odd}");
            world.seed(&place, RANKS, &compiler);
            let words = compiler.word();
            let results = world.run(RANKS, move |comm| {
                let jit = || -> Result<Jit> {
                    let builder = world.builder(&place, comm.rank()).cxx(words.clone());
                    match comm.rank() == odd {
                        true => builder.cxxflag("-DFLAVOUR=7").profile(Profile::Debug).build(),
                        false => builder.build(),
                    }
                };
                let specs = ["one", "two", "three"].map(flavour);
                let values = |jit: &Jit| -> Result<Vec<i32>> {
                    let kernels = jit.on(&comm).build_on(build_on).load_all(&specs)?;
                    Ok(kernels.iter().map(|kernel| kernel.call()).collect())
                };
                let first = jit()?;
                // Some have one of their own already, in memory and on disk.
                let early = if comm.rank() % 2 == 1 { Some(first.load(&specs[2])?.call()) } else { None };
                let cold = values(&first)?;
                let warm = values(&jit()?)?;
                // Nothing of it is found by who asks for something else.
                let alone = jit()?;
                let alone: Vec<i32> =
                    specs.iter().map(|spec| Ok(alone.load(spec)?.call())).collect::<Result<_>>()?;
                Ok((early, cold, warm, values(&jit()?)?, alone))
            });
            assert_eq!(same_error(&results), None, "{at}");
            let of = |rank: usize| if rank == odd { 17 } else { 0 };
            for (rank, result) in results.into_iter().enumerate() {
                let (early, cold, warm, again, alone) = result.unwrap();
                let at = format!("{at}, rank {rank}");
                assert!(early.is_none_or(|early| early == of(rank)), "{at}");
                assert_eq!([cold, warm, again], [(); 3].map(|()| vec![of(0); 3]), "{at}");
                assert_eq!(alone, vec![of(rank); 3], "{at}");
            }
        }
    }
}

/// What one round has built is what the next one is linked to, also where it could not be stored.
#[test]
fn nothing_is_built_once_more_for_what_needs_it() {
    let compiler = Compiler::real();
    for lacking in [None, Some(0), Some(2)] {
        let place = Arc::new(Place::new());
        let world = World::Machines;
        world.seed(&place, RANKS, &compiler);
        let words = compiler.word();
        let results = world.run(RANKS, move |comm| {
            let jit = world.builder(&place, comm.rank()).cxx(words.clone()).build()?;
            jit.on(&comm).role()?;
            if lacking == Some(comm.rank()) {
                let directory = world.directory(&place, comm.rank());
                std::fs::remove_dir_all(&directory).unwrap();
                std::fs::write(directory, "no directory").unwrap();
            }
            jit.on(&comm).role()?;
            let (bases, successors) = ([3, 4, 5, 6].map(base), [3, 4, 5, 6].map(successor));
            let on = jit.on(&comm).build_on(BuildOn::Spread);
            let [a, b, c, d] = &bases;
            let [e, f, g, h] = &successors;
            // The other way round: so they are planned for other builders than what they need.
            let (.., h, g, f, e) = on.load_all((a, b, c, d, h, g, f, e))?;
            Result::<_>::Ok(([e, f, g, h].map(|kernel| kernel.call()), jit.stats().built))
        });
        assert_eq!(same_error(&results), None, "{lacking:?}");
        let (values, built): (Vec<_>, Vec<u64>) = results.into_iter().flatten().unzip();
        assert_eq!(values, vec![[4, 5, 6, 7]; RANKS], "{lacking:?}");
        assert_eq!(built.iter().sum::<u64>(), 8, "{lacking:?}: {built:?}");
    }
}

/// Of what fails in several teams the first kernel is reported, as everywhere.
#[test]
fn teams_report_the_first_kernel_that_failed() {
    let compiler = Compiler::real();
    let failing = |name: &str, fails: bool| -> KernelSpec<Number> {
        let text = format!("int {name}() {{ return 1; }}");
        KernelSpec::new(name, (), move || {
            assert!(!fails, "planned");
            // SAFETY: it takes no arguments.
            unsafe { Source::new(text.clone()) }
        })
    };
    let place = Arc::new(Place::new());
    let world = World::Machines;
    world.seed(&place, RANKS, &compiler);
    let words = compiler.word();
    let results = world.run(RANKS, move |comm| {
        let jit = world.builder(&place, comm.rank()).cxx(words.clone()).build()?;
        let first_team = comm.rank() < 2;
        let specs = [failing("early", !first_team), failing("late", first_team)];
        jit.on(&comm).build_on(BuildOn::Node).load_all(&specs).map(drop)
    });
    let words = same_error(&results).unwrap();
    assert!(words.contains("rank 2") && words.contains("kernel early"), "{words}");
}

/// Rank 0 has a kernel in memory; its file has become another one since, which the others would map.
#[test]
fn what_was_loaded_long_ago_is_looked_at_before_others_map_it() {
    let compiler = Compiler::real();
    for world in [World::Shared, World::Machines] {
        let place = Arc::new(Place::new());
        world.seed(&place, RANKS, &compiler);
        let words = compiler.word();
        let results = world.run(RANKS, move |comm| {
            let jit = world.builder(&place, comm.rank()).cxx(words.clone()).build()?;
            jit.on(&comm).load(&number(9))?;
            if comm.rank() == 0 {
                jit.load(&number(1))?;
                let mine = jit.load(&number(1))?.path().map(ToOwned::to_owned).unwrap();
                let other = jit.load(&number(2))?.path().map(ToOwned::to_owned).unwrap();
                assert!(files(&world.directory(&place, 0)).contains(&mine));
                std::fs::copy(&other, mine.with_extension("new")).unwrap();
                std::fs::rename(mine.with_extension("new"), mine).unwrap();
            }
            jit.on(&comm).role()?;
            let kernel = jit.on(&comm).build_on(BuildOn::Root).load(&number(1))?;
            Result::<_>::Ok(kernel.call() - NUMBER_BASE)
        });
        assert_eq!(same_error(&results), None, "{world:?}");
        assert_eq!(results.into_iter().flatten().collect::<Vec<_>>(), [1; RANKS], "{world:?}");
    }
}
