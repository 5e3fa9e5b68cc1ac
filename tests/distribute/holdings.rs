//! Every mixture of what ranks hold beforehand, in every world, with every strategy.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Barrier};

use dijitso::{BuildOn, Communicator as _};
use dijitso_tests::kernels::number;
use dijitso_tests::mixture::{KERNELS, Mixture, judge, take_part};

use super::{Compiler, RANKS, STRATEGIES, WORLDS, World};
use crate::harness::{Place, copy, soak};

/// A cache for each kernel, which has nothing else.
struct Stock {
    compiler: Compiler,
    caches: HashMap<u32, Place>,
}

impl Stock {
    fn new() -> Stock {
        let compiler = Compiler::new();
        let caches = KERNELS.map(|kernel| {
            let place = Place::new();
            World::Shared.seed(&place, 1, &compiler);
            place.builder().cxx(compiler.word()).build().unwrap().load(&number(kernel)).unwrap();
            (kernel, place)
        });
        Stock { compiler, caches: caches.into() }
    }

    /// Leaves nothing but these kernels.
    fn furnish(&self, directory: &Path, kernels: &[u32]) {
        let _ = std::fs::remove_dir_all(directory);
        self.compiler.introduce_to(directory);
        for rank in 0..RANKS {
            self.compiler.introduce_to(&directory.join(format!("rank-{rank}")));
        }
        for kernel in kernels {
            copy(&self.caches[kernel].cache(), directory);
        }
    }
}

#[test]
fn whoever_holds_what_all_get_all() {
    let stock = Arc::new(Stock::new());
    let mixtures = Mixture::all(RANKS, if soak() { 30 } else { 4 });
    let settings: Vec<(World, BuildOn)> =
        WORLDS.into_iter().flat_map(|world| STRATEGIES.map(|build_on| (world, build_on))).collect();
    let mut tried = 0;
    for (number, mixture) in mixtures.iter().enumerate() {
        for (at, (world, build_on)) in settings.iter().enumerate() {
            // All in the soak; else an eighth of them, with each mixture others.
            if !soak() && (3 * number + at) % 8 > 0 {
                continue;
            }
            let (mixture, world, build_on) = (*mixture, *world, *build_on);
            let homes: Vec<usize> = (0..RANKS).map(|rank| world.home(rank)).collect();
            let (place, stock, barrier) = (Arc::new(Place::new()), stock.clone(), Barrier::new(RANKS));
            world.seed(&place, RANKS, &stock.compiler);
            let shared = homes.clone();
            let told = world.run(RANKS, move |comm| {
                let rank = comm.rank();
                let builder = world.builder(&place, rank).cxx(stock.compiler.word());
                let meet = || _ = barrier.wait();
                let furnish = |kernels: &[u32]| {
                    if shared[rank] == rank {
                        stock.furnish(&world.directory(&place, rank), kernels);
                    }
                };
                take_part(&comm, build_on, builder, mixture, &shared, &meet, &furnish)
            });
            judge(mixture, build_on, &homes, &told)
                .unwrap_or_else(|words| panic!("{world:?} {build_on:?} {words}"));
            tried += 1;
        }
    }
    println!("{tried} of {} mixtures", mixtures.len() * settings.len());
}
