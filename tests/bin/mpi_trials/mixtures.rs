//! Ranks that hold different things beforehand: see `dijitso_tests::mixture`.

use dijitso_tests::kernels::number;
use dijitso_tests::mixture::{KERNELS, Mixture, judge, take_part};
use dijitso_tests::trouble::Around;

use super::cells::settings;
use super::setting::{Caches, Setting, copy};

/// Runs all mixtures; in the soak in all settings, else each in another one, and not of each rank.
pub(super) fn run(setting: &Setting) {
    setting.make_reference();
    let stock = |kernel: u32| setting.dir.join(format!("kernel-{kernel}"));
    if setting.rank == 0 {
        for kernel in KERNELS {
            let around = Around { cache: stock(kernel), ..setting.around(&setting.dir, Caches::Shared) };
            setting.inform(&around.cache);
            let jit = setting.builder(&around, Caches::Shared).build().expect("a Jit");
            jit.load(&number(kernel)).expect("a kernel");
        }
    }
    setting.meet();
    let (settings, some) = (settings(setting), setting.some_ranks());
    let mut done = 0;
    for (at, mixture) in Mixture::all(setting.size, if setting.soak { 20 } else { 2 }).into_iter().enumerate()
    {
        let about = match mixture {
            Mixture::Disk(rank) | Mixture::Memory(rank) | Mixture::MemoryHere(rank) => some.contains(&rank),
            _ => true,
        };
        let chosen = match setting.soak {
            true => &settings[..],
            false if about => std::slice::from_ref(&settings[at * 3 % settings.len()]),
            false => &[],
        };
        for &(caches, build_on) in chosen {
            let place = setting.dir.join("cell");
            setting.furnish(&place, caches);
            let homes: Vec<usize> = (0..setting.size).map(|rank| setting.home(caches, rank)).collect();
            let around = setting.around(&place, caches);
            let furnish = |kernels: &[u32]| {
                if homes[setting.rank] == setting.rank {
                    std::fs::remove_dir_all(&around.cache).expect("removed");
                    setting.inform(&around.cache);
                    kernels.iter().for_each(|kernel| copy(&stock(*kernel), &around.cache));
                }
            };
            let builder = setting.builder(&around, caches);
            let meet = || setting.meet();
            let told = take_part(&setting.world, build_on, builder, mixture, &homes, &meet, &furnish);
            setting.clear(&place, caches);
            if let Some(told) = setting.gather(told) {
                judge(mixture, build_on, &homes, &told)
                    .unwrap_or_else(|words| panic!("{caches:?} {build_on:?} {words}"));
                done += 1;
            }
        }
    }
    if setting.rank == 0 {
        println!("{done} mixtures");
    }
}
