//! Every strategy in every world: who builds, how often, and that all compute the same.

use std::sync::Arc;

use dijitso::{BuildOn, KernelOrigin, Role, Stats};
use dijitso_tests::kernels::{NUMBER_BASE, number, successor};

use super::{Compiler, STRATEGIES, WORLDS, World, same_error};
use crate::harness::Place;

/// What each rank got, and what its engine did for it.
fn load(
    world: World,
    place: &Arc<Place>,
    ranks: usize,
    build_on: BuildOn,
    kernels: u32,
    compiler: &Compiler,
) -> Vec<(Vec<KernelOrigin>, Stats)> {
    world.seed(place, ranks, compiler);
    let (place, words) = (place.clone(), compiler.word());
    let results = world.run(ranks, move |comm| {
        let jit = world.builder(&place, dijitso::Communicator::rank(&comm)).cxx(words.clone()).build()?;
        let specs: Vec<_> = (0..kernels).map(number).collect();
        let loaded = jit.on(&comm).build_on(build_on).load_all(&specs)?;
        for (i, kernel) in loaded.iter().enumerate() {
            assert_eq!(kernel.call() - NUMBER_BASE, i as i32);
        }
        dijitso::Result::<_>::Ok((
            loaded.iter().map(dijitso::Kernel::origin).collect::<Vec<_>>(),
            jit.stats(),
        ))
    });
    assert_eq!(same_error(&results), None, "{world:?} {build_on:?} {ranks}");
    results.into_iter().flatten().collect()
}

fn directories(world: World, ranks: usize) -> usize {
    match world {
        World::Shared | World::Server => 1,
        World::Separate => ranks,
        World::Machines | World::Denied => ranks.div_ceil(2),
    }
}

#[test]
fn cold_and_warm_everywhere() {
    let compiler = Compiler::new();
    for world in WORLDS {
        for build_on in STRATEGIES {
            for ranks in [1, 2, 3, 4, 8] {
                let place = Arc::new(Place::new());
                let at = format!("{world:?} {build_on:?} {ranks}");
                let cold = load(world, &place, ranks, build_on, 3, &compiler);
                let built: u64 = cold.iter().map(|(_, stats)| stats.built).sum();
                let builders = match build_on {
                    BuildOn::Node => directories(world, ranks) as u64,
                    BuildOn::Process => ranks as u64,
                    _ => 1,
                };
                assert_eq!(built, 3 * builders, "{at}");
                let misses: u64 = cold.iter().flat_map(|(_, stats)| stats.misses.values()).sum();
                assert_eq!(misses, built, "each is missed where it is built: {at} {cold:#?}");
                let warm = load(world, &place, ranks, build_on, 3, &compiler);
                let work: u64 =
                    warm.iter().map(|(_, s)| s.built + s.generated + s.processes + s.published).sum();
                assert_eq!(work, 0, "{at}: {warm:#?}");
                assert!(
                    warm.iter().flat_map(|(origins, _)| origins).all(|o| *o != KernelOrigin::Built),
                    "{at}"
                );
            }
        }
    }
}

#[test]
fn what_was_received_is_in_every_directory_afterwards() {
    let compiler = Compiler::new();
    for world in [World::Separate, World::Machines] {
        let place = Arc::new(Place::new());
        load(world, &place, 4, BuildOn::Root, 2, &compiler);
        for rank in 0..4 {
            let jit = world.builder(&place, rank).cxx(compiler.word()).build().unwrap();
            for i in 0..2 {
                assert_eq!(jit.load(&number(i)).unwrap().origin(), KernelOrigin::Disk, "{world:?} {rank}");
            }
            assert_eq!((jit.stats().generated, jit.stats().compiled), (0, 0));
        }
    }
}

#[test]
fn a_cache_directory_whose_name_is_no_text_is_as_good_as_any() {
    use std::os::unix::ffi::OsStrExt as _;
    for machines in [World::Shared, World::Machines] {
        let place = Arc::new(Place::new());
        for round in 0..2 {
            let place = place.clone();
            let results = machines.run(4, move |comm| {
                let rank = dijitso::Communicator::rank(&comm) as u8;
                let machine = if machines == World::Shared { 0 } else { rank / 2 };
                let name = [b"cache-\xff-", &[b'a' + machine][..]].concat();
                let directory = place.root().join(std::ffi::OsStr::from_bytes(&name));
                let jit = dijitso::Jit::builder().cache_dir(directory).build()?;
                let kernel = jit.on(&comm).load(&number(6))?;
                assert_eq!(kernel.call() - NUMBER_BASE, 6);
                dijitso::Result::<_>::Ok(jit.stats().built)
            });
            assert_eq!(same_error(&results), None, "{machines:?} {round}");
            assert_eq!(results.into_iter().flatten().sum::<u64>(), 1 - round, "{machines:?}");
        }
    }
}

#[test]
fn roles_are_those_of_dijitso() {
    use Role::{Builder, Receiver, Waiter};
    let roles = |world: World, build_on: BuildOn| {
        let place = Arc::new(Place::new());
        let results = world.run(4, move |comm| {
            let jit = world.builder(&place, dijitso::Communicator::rank(&comm)).build()?;
            jit.on(&comm).build_on(build_on).role()
        });
        results.into_iter().map(|role| role.unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(roles(World::Machines, BuildOn::Root), [Builder, Waiter, Receiver, Waiter]);
    assert_eq!(roles(World::Machines, BuildOn::Node), [Builder, Waiter, Builder, Waiter]);
    assert_eq!(roles(World::Machines, BuildOn::Process), [Builder; 4]);
    assert_eq!(roles(World::Shared, BuildOn::Root), [Builder, Waiter, Waiter, Waiter]);
    assert_eq!(roles(World::Server, BuildOn::Node), [Builder, Waiter, Waiter, Waiter]);
    assert_eq!(roles(World::Separate, BuildOn::Root), [Builder, Receiver, Receiver, Receiver]);
}

#[test]
fn kernels_that_need_others_come_with_them() {
    for world in WORLDS {
        for build_on in STRATEGIES {
            let place = Arc::new(Place::new());
            for _ in 0..2 {
                let place = place.clone();
                let results = world.run(4, move |comm| {
                    let jit = world.builder(&place, dijitso::Communicator::rank(&comm)).build()?;
                    let kernels = jit.on(&comm).build_on(build_on).load_all(&[successor(4), successor(9)])?;
                    dijitso::Result::<_>::Ok(kernels.iter().map(|kernel| kernel.call()).collect::<Vec<_>>())
                });
                assert_eq!(same_error(&results), None, "{world:?} {build_on:?}");
                assert!(results.into_iter().all(|r| r.unwrap() == [5, 10]), "{world:?} {build_on:?}");
            }
        }
    }
}

#[test]
fn a_memory_hit_costs_one_agreement() {
    let place = Arc::new(Place::new());
    let results = World::Shared.run(8, move |comm| {
        let jit = World::Shared.builder(&place, dijitso::Communicator::rank(&comm)).build()?;
        jit.on(&comm).load(&number(1))?;
        let before = jit.stats();
        let kernel = jit.on(&comm).load(&number(1))?;
        let after = jit.stats();
        assert_eq!(kernel.origin(), KernelOrigin::Memory);
        assert_eq!(
            (after.opens, after.file_stats),
            (before.opens, before.file_stats),
            "no file is looked at"
        );
        let again = jit.on(&comm).loaded(&number(1))?;
        assert_eq!(jit.stats().messages_sent, after.messages_sent, "without a word");
        assert!(jit.on(&comm).loaded(&number(2)).is_err());
        assert_eq!(again.call() - NUMBER_BASE, 1);
        dijitso::Result::<_>::Ok(after.messages_sent - before.messages_sent)
    });
    // One tree up and down: each rank sends to its parent and its children, which with eight ranks are all the others.
    let messages: Vec<u64> = results.into_iter().map(Result::unwrap).collect();
    assert_eq!(messages, [7, 1, 1, 1, 1, 1, 1, 1]);
}
