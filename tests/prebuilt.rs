//! Kernels that are part of the program, beside those that are not: who needs a compiler, a cache or a home.

use dijitso::private::prebuilt::{Address, Exported, Row, Variant};
use dijitso::{Jit, KernelOrigin, Prebuilt};
use dijitso_tests::kernels::{self, NUMBER_BASE};

use crate::harness::{Place, set_mode};

extern "C" fn from_the_program() -> i32 {
    7
}

/// What `build.rs` makes of numbers 0 to 200, each for a processor with `features`, with one function for all.
pub(crate) fn table(features: u128) -> &'static Prebuilt {
    let exports: &'static [Exported] = Vec::leak(vec![Exported {
        name: "number",
        size: None,
        address: Address(from_the_program as *const ()),
    }]);
    let row = |n: u32| {
        let entry = Address(from_the_program as *const ());
        let variants = Vec::leak(vec![Variant { content: [n as u8; 32], features, entry, exports }]);
        Row { spec: *kernels::number(n).signature().as_bytes(), variants }
    };
    let mut rows: Vec<Row> = (0..200).map(row).collect();
    rows.sort_by_key(|row| row.spec);
    Box::leak(Box::new(Prebuilt::new(rows.leak())))
}

#[test]
fn a_program_that_brings_its_kernels_starts_no_process_and_opens_no_file() {
    let place = Place::new();
    let shim = place.shim();
    let jit = place.builder().cxx(shim.word()).prebuilt(table(0)).build().unwrap();
    let specs: Vec<_> = (0..200).map(kernels::number).collect();
    for kernel in jit.load_all(&specs).unwrap() {
        assert_eq!((kernel.call(), kernel.origin()), (7, KernelOrigin::Prebuilt));
    }
    assert_eq!(jit.load(&specs[3]).unwrap().call(), 7);
    assert!(jit.lookup(&specs[4]).unwrap().is_some());
    let stats = jit.stats();
    assert_eq!((stats.processes, stats.opens, stats.file_stats, stats.file_changes), (0, 0, 0, 0));
    assert_eq!((shim.calls().len(), stats.prebuilt_hits), (0, 202));
    assert!(!place.cache().exists());

    // The first one that is not there is compiled as ever.
    let other = jit.load(&kernels::number(200)).unwrap();
    assert_eq!((other.call(), other.origin()), (NUMBER_BASE + 200, KernelOrigin::Built));
    assert!(!shim.calls().is_empty() && place.cache().exists());
}

#[test]
fn threads_that_need_the_compiler_at_once_look_for_it_once() {
    let looks = |threads: usize| {
        let place = Place::new();
        let jit = place.builder().prebuilt(table(0)).build().unwrap();
        let start = std::sync::Barrier::new(threads);
        std::thread::scope(|scope| {
            for n in (300..).take(threads) {
                let (jit, start) = (&jit, &start);
                scope.spawn(move || {
                    start.wait();
                    assert_eq!(jit.load(&kernels::number(3)).unwrap().call(), 7);
                    assert_eq!(jit.load(&kernels::number(n)).unwrap().origin(), KernelOrigin::Built);
                });
            }
        });
        // A compiler and a linker for each kernel; the rest are questions.
        jit.stats().processes - 2 * threads as u64
    };
    assert_eq!(looks(6), looks(1));
}

#[test]
fn without_a_compiler_or_with_one_that_refuses_only_what_is_not_prebuilt_fails_and_is_named() {
    let place = Place::new();
    let broken = place.write("broken", "#!/bin/sh\necho broken >&2\nexit 1\n");
    set_mode(&broken, 0o755);
    for (builder, why) in [
        (place.builder().cxx("/no/such/compiler"), "/no/such/compiler"),
        (place.builder().cxx(broken.display().to_string()), "broken"),
        (place.builder().cxxflag("-mno-such-thing"), "-mno-such-thing (builder)"),
    ] {
        let jit = builder.prebuilt(table(0)).build().unwrap();
        assert_eq!(jit.load(&kernels::number(5)).unwrap().call(), 7);
        for _ in 0..2 {
            let error = jit.load_all([kernels::number(6), kernels::number(206)]).unwrap_err().to_string();
            assert!(error.contains("k00206(206), generated at") && error.contains(why), "{error}");
        }
        assert!(jit.lookup(&kernels::number(207)).unwrap().is_none());
        assert_eq!(jit.load(&kernels::number(6)).unwrap().call(), 7);
    }
}

#[test]
fn a_cache_that_cannot_be_trusted_is_refused_at_once_all_the_same() {
    let open = tempfile::Builder::new().tempdir_in("/tmp").unwrap();
    let cache = open.path().join("cache");
    std::fs::create_dir(&cache).unwrap();
    set_mode(open.path(), 0o755);
    set_mode(&cache, 0o777);
    let error = Jit::builder().cache_dir(&cache).prebuilt(table(0)).build().unwrap_err().to_string();
    assert!(error.contains("chmod g-w,o-w"), "{error}");
}

#[test]
fn who_cannot_run_what_was_prebuilt_is_told_so() {
    let place = Place::new();
    // No processor has it: it is from a version to come.
    let table = table(1 << 127);
    let (spec, other) = (kernels::number(5), kernels::number(205));
    let sealed = place.builder().prebuilt(table).sealed().build().unwrap();
    let error = sealed.load_all([spec.clone(), other]).unwrap_err().to_string();
    let why = "prebuilt for processors with unknown feature 127, which this one does not have";
    assert_eq!(error.matches(why).count(), 1, "{error}");
    assert!(error.contains(&format!("{}]: {why}; not in the cache", spec.signature().short())), "{error}");
    let lost = place.builder().prebuilt(table).cxx("/no/such/compiler").build().unwrap();
    let error = lost.load(&spec).unwrap_err().to_string();
    assert!(error.contains(why) && error.contains("/no/such/compiler"), "{error}");
    // With a compiler it is as if it were not there.
    let kernel = place.builder().prebuilt(table).build().unwrap().load(&spec).unwrap();
    assert_eq!((kernel.call(), kernel.origin()), (NUMBER_BASE + 5, KernelOrigin::Built));
}
