//! Ranks whose environment tells the compiler different things, as where `mpirun` does not pass variables to other machines.

use std::path::Path;

use dijitso::{BuildOn, Jit};
use dijitso_tests::kernels::{Number, unit};

use super::setting::{Caches, Setting, rank_of_the_launcher};

const BY: [&str; 2] = ["flag", "header"];

/// Rank 1 is told something else, before anybody has threads.
pub(super) fn tell(dir: &Path) {
    let told = i32::from(rank_of_the_launcher() == 1);
    let headers = dir.join(format!("headers-{told}"));
    std::fs::create_dir_all(&headers).expect("a directory");
    // Several ranks write the same.
    std::fs::write(headers.join("told.h"), format!("#define HEADER {told}\n")).expect("a file");
    // SAFETY: nothing else runs in this process yet.
    unsafe {
        std::env::set_var("CXXFLAGS", format!("-DFLAG={told}"));
        std::env::set_var("CPATH", headers);
    }
}

pub(super) fn run(setting: &Setting) {
    let specs = BY.map(|by| -> dijitso::KernelSpec<Number> {
        let value = by.to_uppercase();
        unit(by, &format!("#include <told.h>\nextern \"C\" int {by}() {{ return {value}; }}\n"))
    });
    for build_on in [BuildOn::Root, BuildOn::Node, BuildOn::Process, BuildOn::Spread] {
        let place = setting.dir.join(format!("{build_on}"));
        let jit = || {
            let cache = setting.cache(&place, Caches::Separate, setting.rank);
            Jit::builder().cache_dir(cache).build().expect("a Jit")
        };
        let values = |jit: &Jit, together: bool| -> Vec<i32> {
            let kernels = match together {
                true => jit.on(&setting.world).build_on(build_on).load_all(&specs),
                false => jit.load_all(&specs),
            };
            kernels.unwrap_or_else(|error| panic!("{error}")).iter().map(|kernel| kernel.call()).collect()
        };
        let mine = i32::from(setting.rank == 1);
        assert_eq!(values(&jit(), true), [0, 0], "{build_on}: what rank 0 is told");
        assert_eq!(values(&jit(), false), [mine, mine], "{build_on}: what this rank is told");
        assert_eq!(values(&jit(), true), [0, 0], "{build_on}: still what rank 0 is told");
        setting.meet();
        if setting.rank == 0 {
            println!("{build_on}");
        }
    }
}
