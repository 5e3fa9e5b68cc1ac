//! Whatever a kernel is in one process it is on many ranks: whole translation units with classes and data, headers for
//! dependents, several exports; kernels that are part of the program, and kernels from site caches.

use std::sync::Arc;

use dijitso::{BuildOn, Communicator as _, Jit, KernelOrigin, Profile};
use dijitso_tests::corpus;
use dijitso_tests::kernels::{NUMBER_BASE, number};
use dijitso_tests::small_forms::{check_loaded, data_module, form_module, form_wrapper};

use super::{STRATEGIES, WORLDS, World, same_error};
use crate::harness::{Place, skip, soak};
use crate::prebuilt::table;

const RANKS: usize = 4;

#[test]
fn classes_data_and_headers_arrive_whole() {
    for world in WORLDS {
        for build_on in STRATEGIES {
            // All pairs in the soak.
            if !soak() && world != World::Machines && build_on != BuildOn::Spread {
                continue;
            }
            let place = Arc::new(Place::new());
            let at = format!("{world:?} {build_on:?}");
            let load = |place: &Arc<Place>, with_module: bool| {
                let place = place.clone();
                let results = world.run(RANKS, move |comm| {
                    let builder = world.builder(&place, comm.rank()).profile(Profile::Debug);
                    let jit = builder.build()?;
                    let on = jit.on(&comm).build_on(build_on);
                    let (wrapper, data) = if with_module {
                        let (module, wrapper, data) =
                            on.load_all((&form_module(2), &form_wrapper(2), &data_module(2)))?;
                        // SAFETY: the factory takes no arguments; what it makes is not used.
                        unsafe { module.function::<unsafe extern "C" fn() -> *mut u8>("create_mass_form") }?;
                        (wrapper, data)
                    } else {
                        // Built for a module that only the caches have, with its header.
                        on.load_all((&form_wrapper(2), &data_module(2)))?
                    };
                    check_loaded(2, &wrapper, &data).unwrap();
                    dijitso::Result::<_>::Ok(jit.stats())
                });
                assert_eq!(same_error(&results), None, "{at}");
                results.into_iter().flatten().collect::<Vec<_>>()
            };
            let first = place.clone();
            let module_only = world.run(RANKS, move |comm| {
                let jit = world.builder(&first, comm.rank()).profile(Profile::Debug).build()?;
                jit.on(&comm).build_on(build_on).load(&form_module(2)).map(|_| ())
            });
            assert_eq!(same_error(&module_only), None, "{at}");
            let built = |stats: &[dijitso::Stats]| stats.iter().map(|s| s.built).sum::<u64>();
            let builders = match (build_on, world) {
                (BuildOn::Process, _) | (BuildOn::Node, World::Separate) => 4,
                (BuildOn::Node, World::Machines) => 2,
                _ => 1,
            };
            assert_eq!(built(&load(&place, false)), 2 * builders, "{at}: the module is there");
            let warm = load(&place, true);
            assert_eq!(warm.iter().map(|s| s.built + s.generated + s.processes).sum::<u64>(), 0, "{at}");
        }
    }
}

#[test]
fn ffcs_modules_are_built_by_ranks_of_two_machines() {
    let Some(root) = corpus::root() else {
        return skip("the corpus of generated kernels is not there; say where with DIJITSO_CORPUS");
    };
    let place = Arc::new(Place::new());
    for round in 0..2 {
        let (place, root) = (place.clone(), root.clone());
        let results = World::Machines.run(RANKS, move |comm| {
            let jit = World::Machines.builder(&place, comm.rank()).build()?;
            let specs = corpus::modules::in_order(&root, &jit).unwrap();
            let kernels = jit.on(&comm).load_all(&specs)?;
            assert_eq!(kernels.len(), 15);
            dijitso::Result::<_>::Ok(jit.stats())
        });
        assert_eq!(same_error(&results), None);
        let stats: Vec<_> = results.into_iter().flatten().collect();
        let built: Vec<u64> = stats.iter().map(|s| s.built).collect();
        match round {
            0 => {
                assert_eq!(built.iter().sum::<u64>(), 15, "each once: {built:?}");
                assert!(built[0] > 0 && built[2] > 0, "on both machines: {built:?}");
            }
            _ => assert_eq!(stats.iter().map(|s| s.built + s.generated + s.processes).sum::<u64>(), 0),
        }
    }
}

#[test]
fn kernels_of_the_program_are_there_on_every_rank_and_the_others_are_built_once() {
    let table = table(0);
    for world in WORLDS {
        let place = Arc::new(Place::new());
        let results = world.run(RANKS, move |comm| {
            let jit = world.builder(&place, comm.rank()).prebuilt(table).build()?;
            let kernels = jit.on(&comm).load_all(&[number(1), number(2)])?;
            assert!(kernels.iter().all(|kernel| kernel.origin() == KernelOrigin::Prebuilt));
            let stats = jit.stats();
            assert_eq!((stats.processes, stats.opens, stats.file_stats, stats.file_changes), (0, 0, 0, 0));

            let kernels = jit.on(&comm).load_all(&[number(3), number(203), number(4)])?;
            assert_eq!(
                kernels.iter().map(|k| k.call()).collect::<Vec<_>>(),
                [7, NUMBER_BASE + 203, 7],
                "{world:?}"
            );
            assert_eq!(
                (kernels[0].origin(), kernels[2].origin()),
                (KernelOrigin::Prebuilt, KernelOrigin::Prebuilt)
            );
            dijitso::Result::<_>::Ok(jit.stats().built)
        });
        assert_eq!(same_error(&results), None, "{world:?}");
        assert_eq!(results.into_iter().flatten().sum::<u64>(), 1, "{world:?}");
    }
}

#[test]
fn a_site_cache_serves_all_ranks_wherever_it_is() {
    for world in WORLDS {
        let place = Arc::new(Place::new());
        let site = place.path("site");
        place
            .builder()
            .cache_dir(place.path("exporter"))
            .build()
            .unwrap()
            .export([number(1), number(2)], &site)
            .unwrap();
        // On all ranks, and nothing may be compiled.
        let (inner, path) = (place.clone(), site.clone());
        let results = world.run(RANKS, move |comm| {
            let builder = world.builder(&inner, comm.rank()).cxx("/no/such/compiler");
            let jit = builder.site_cache(&path).sealed().build()?;
            let kernels = jit.on(&comm).load_all(&[number(1), number(2)])?;
            let right = kernels.iter().map(|k| k.call() - NUMBER_BASE).eq([1, 2]);
            assert!(right && kernels.iter().all(|k| k.origin() != KernelOrigin::Built));
            dijitso::Result::<_>::Ok(())
        });
        assert_eq!(same_error(&results), None, "{world:?}");
        // On one only: the others receive.
        for with_site in [0, RANKS - 1] {
            let place = Arc::new(Place::new());
            let path = site.clone();
            let results = world.run(RANKS, move |comm| {
                let builder = world.builder(&place, comm.rank());
                let jit: Jit = match comm.rank() == with_site {
                    true => builder.site_cache(&path).build()?,
                    false => builder.build()?,
                };
                let kernels = jit.on(&comm).load_all(&[number(1), number(2)])?;
                assert!(kernels.iter().map(|k| k.call() - NUMBER_BASE).eq([1, 2]));
                dijitso::Result::<_>::Ok(jit.stats().built)
            });
            assert_eq!(same_error(&results), None, "{world:?} {with_site}");
            let built: u64 = results.into_iter().flatten().sum();
            // A rank that does not read its group's cache is not asked what it could find elsewhere.
            let reads = matches!(world, World::Separate) || with_site == 0;
            assert_eq!(built, if reads { 0 } else { 2 }, "{world:?} {with_site}");
        }
    }
}
