//! How kernels get from the rank that builds them to the others of its machine: in memory that all map, or as bytes.

use dijitso::BuildOn;
use dijitso_tests::kernels::{NUMBER_BASE, number};

use super::setting::{Caches, Setting};

/// With `guarded`, nobody may look into a process of ours: as hardened programs, and those with special rights, have it.
pub(super) fn run(setting: &Setting, guarded: bool) {
    setting.make_reference();
    let (place, caches) = (setting.dir.join("cell"), Caches::Separate);
    setting.furnish(&place, caches);
    let jit = setting.builder(&setting.around(&place, caches), caches).build().expect("a Jit");
    if guarded {
        let not_dumpable = rustix::process::DumpableBehavior::NotDumpable;
        rustix::process::set_dumpable_behavior(not_dumpable).expect("permitted");
    }
    let numbers = [2, 3, 4];
    let kernels = jit.on(&setting.world).build_on(BuildOn::Root).load_all(&numbers.map(number));
    let kernels = kernels.unwrap_or_else(|error| panic!("{error}"));
    let values: Vec<u32> = kernels.iter().map(|kernel| (kernel.call() - NUMBER_BASE) as u32).collect();
    assert_eq!(values, numbers);
    if guarded {
        // MPI ends by looking, too.
        let dumpable = rustix::process::DumpableBehavior::Dumpable;
        rustix::process::set_dumpable_behavior(dumpable).expect("permitted");
    }
    setting.clear(&place, caches);
    if setting.rank == 0 {
        println!("{} bytes sent by the builder", jit.stats().message_bytes);
    }
}
