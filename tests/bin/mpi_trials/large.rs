//! A library of hundreds of megabytes, or of gigabytes, on its way to other machines: no rank that only receives it, and passes
//! it on, holds more than pieces.

use dijitso::{BuildOn, Jit, KernelSpec, Source};
use dijitso_tests::kernels::Number;

use super::setting::Setting;

/// Most that a rank may have in memory, in kB: MPI takes half of it.
const MOST: u64 = 200 << 10;

/// A kernel whose library has so many bytes more than others. They are not mapped when it is loaded.
fn heavy(bytes: u64) -> KernelSpec<Number> {
    KernelSpec::new("heavy", bytes, move || {
        let section = ".pushsection .heavy,\\\"\\\",@progbits\\n.zero SIZE\\n.popsection";
        let section = section.replace("SIZE", &bytes.to_string());
        let text = format!("__asm__(\"{section}\");\nint heavy() {{ return 7; }}\n");
        // SAFETY: has no arguments and no state.
        unsafe { Source::new(text) }
    })
    .package("dijitso-tests", "1")
}

pub(super) fn run(setting: &Setting, megabytes: u64) {
    // Only the builder keeps it: there may not be room for more.
    let cache = if setting.rank == 0 { setting.dir.join("cache") } else { "/proc/dijitso".into() };
    let compiler = setting.real_compiler().display().to_string();
    let jit = Jit::builder().cache_dir(cache).cxx(compiler).build().expect("a Jit");
    let kernel = jit.on(&setting.world).build_on(BuildOn::Root).load(&heavy(megabytes << 20));
    let kernel = kernel.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(kernel.call(), 7);
    let peak = peak();
    if setting.rank > 0 {
        assert!(peak < MOST, "rank {} had {peak} kB in memory", setting.rank);
    }
    let stats = jit.stats();
    if let Some(all) = setting.gather((peak, stats.message_bytes >> 20)) {
        let passed_on = all.iter().skip(1).filter(|(_, sent)| *sent >= megabytes).count();
        println!("{megabytes} MB to {} machines, {passed_on} passed it on: {all:?}", setting.size - 1);
    }
}

/// Of this process so far, in kB.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("/proc");
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a peak");
    peak.trim().trim_end_matches(" kB").parse().expect("a number")
}
