//! Thousands of loads in one process: see `dijitso_tests::endurance`.

use dijitso_tests::endurance::endure;
use mpi::traits::Communicator as _;

use super::setting::{Caches, Setting};

pub(super) fn run(setting: &Setting, loads: usize) {
    setting.make_reference();
    let (place, caches) = (setting.dir.join("cell"), Caches::Separate);
    setting.furnish(&place, caches);
    let around = setting.around(&place, caches);
    let builder = || setting.builder(&around, caches);
    let copy = |world: &mpi::topology::SimpleCommunicator| world.duplicate();
    let usage = endure(&setting.world, &copy, &builder, &setting.dir, loads, &|| setting.meet());
    for [early, late] in setting.gather(usage).into_iter().flatten() {
        late.is_still(&early).unwrap_or_else(|words| panic!("{words}"));
        println!("at half time {early:?}, at the end {late:?}");
    }
    if setting.rank == 0 {
        println!("{loads} loads");
    }
}
