//! Loads on parts of the world, several at the same time, with one `Jit`.

use dijitso::{BuildOn, Communicator, Jit};
use dijitso_tests::kernels::{NUMBER_BASE, number, text};
use mpi::topology::Color;
use mpi::traits::Communicator as _;

use super::setting::Setting;

pub(super) fn run(setting: &Setting) {
    setting.make_reference();
    for caches in setting.all_caches() {
        let place = setting.dir.join("cell");
        setting.furnish(&place, caches);
        let jit = setting.builder(&setting.around(&place, caches), caches).build().expect("a Jit");
        let built = on_parts(setting, &jit);
        setting.clear(&place, caches);
        if let Some(built) = setting.gather(built) {
            println!("{caches:?}: {} kernels built", built.iter().sum::<u64>());
        }
    }
}

/// How many kernels this rank has built.
fn on_parts(setting: &Setting, jit: &Jit) -> u64 {
    let (world, rank) = (&setting.world, setting.rank as i32);
    let half = rank as u32 % 2;
    // In another order than the world's.
    let odd = world.split_by_color_with_key(Color::with_value(rank % 2), -rank).expect("a part");
    let machine = world.split_by_color(Color::with_value(rank / 2)).expect("a part");
    let leaders = world.split_by_color(if rank % 2 == 0 { Color::with_value(0) } else { Color::undefined() });
    let near = world.split_shared(0);
    let grid = world.create_cartesian_communicator(&[setting.size as i32], &[true], true).expect("a grid");
    let inner = odd.split_by_color(Color::with_value(dijitso::Communicator::rank(&odd) as i32 / 2));
    let inner = inner.expect("a part of a part");

    // Different kernels at the same time, and some that are the same.
    all(jit, &odd, BuildOn::Spread, &[10 + half, 12 + half, 14]);
    all(jit, &machine, BuildOn::Root, &[20, 21]);
    if let Some(leaders) = &leaders {
        all(jit, leaders, BuildOn::Spread, &[30, 31]);
    }
    all(jit, &near, BuildOn::Node, &[40]);
    all(jit, &inner, BuildOn::Root, &[50 + half]);
    // What one part is refused the other does not hear of.
    let spec = if half == 0 { number(60) } else { text("bad", "int bad() { return nonsense; }") };
    match (half, jit.on(&odd).load(&spec)) {
        (0, Ok(_)) => {}
        (1, Err(error)) => assert!(error.to_string().contains("nonsense"), "{error}"),
        (_, other) => panic!("{half}: {:?}", other.map(|_| ())),
    }
    // And then all of it, by all: whoever has it gives it.
    let built = jit.stats().built;
    all(jit, &grid, BuildOn::Root, &[10, 11, 12, 13, 14, 20, 21, 30, 31, 40, 50, 51, 60]);
    all(jit, world, BuildOn::Spread, &[10, 11, 12, 13, 14, 20, 21, 30, 31, 40, 50, 51, 60]);
    assert_eq!(jit.stats().built, built, "all of it was there");
    built
}

fn all<C: Communicator + ?Sized>(jit: &Jit, comm: &C, build_on: BuildOn, numbers: &[u32]) {
    let specs: Vec<_> = numbers.iter().map(|&i| number(i)).collect();
    let kernels = jit.on(comm).build_on(build_on).load_all(&specs).unwrap_or_else(|error| panic!("{error}"));
    let values = kernels.iter().map(|kernel| (kernel.call() - NUMBER_BASE) as u32);
    assert!(values.eq(numbers.iter().copied()));
}
