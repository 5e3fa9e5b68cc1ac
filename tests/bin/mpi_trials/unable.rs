//! A rank that cannot load a library any more, wherever it is: nobody gets it then.

use dijitso::{BuildOn, Jit};
use dijitso_tests::denied::deny_loading;
use dijitso_tests::kernels::number;

use super::setting::{Caches, Setting};

pub(super) fn run(setting: &Setting) {
    setting.make_reference();
    let unable = setting.size - 1;
    let load = |jit: &Jit, numbers: [u32; 2]| {
        jit.on(&setting.world).build_on(BuildOn::Root).load_all(&numbers.map(number)).map(|_| ())
    };
    // From memory that they share, and from a directory of all.
    let trials = [Caches::Separate, Caches::Shared].map(|caches| {
        let place = setting.dir.join(format!("{caches:?}"));
        setting.furnish(&place, caches);
        let jit = setting.builder(&setting.around(&place, caches), caches).build().expect("a Jit");
        load(&jit, [2, 3]).expect("kernels");
        (caches, jit)
    });
    if setting.rank == unable {
        deny_loading().expect("permitted");
    }
    for (caches, jit) in &trials {
        let error = load(jit, [4, 5]).expect_err("a rank that cannot load").to_string();
        if let Some(errors) = setting.gather(error) {
            let rank = format!("rank {unable}");
            let alike = errors.iter().all(|error| *error == errors[0]);
            assert!(alike && errors[0].contains(&rank) && errors[0].contains("k00004"), "{errors:#?}");
            println!("{rank} was named with {caches:?}");
        }
    }
}
