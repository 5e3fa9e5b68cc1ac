//! What a program sees of the engine: loading, calling, sharing, depending, failing.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use dijitso::{Error, Jit, Kernel, KernelOrigin, KernelSpec, Profile, Signature, Source, Stats};
use dijitso_tests::kernels::{self, Loop, NUMBER_BASE, Number};

use crate::harness::{Place, files, which};

#[test]
fn what_is_shared_between_threads_may_be() {
    fn shared<T: Send + Sync + 'static>() {}
    shared::<Jit>();
    shared::<Kernel<Number>>();
    shared::<KernelSpec<kernels::Axpy>>();
    shared::<Error>();
    shared::<Stats>();
    shared::<Signature>();
}

#[test]
fn a_kernel_is_built_once_then_found_in_memory_then_on_disk() {
    let place = Place::new();
    let jit = place.jit();
    let spec = kernels::axpy(Loop::Unrolled(4));
    let (x, mut y) = ([1.0, 2.0, 3.0, 4.0, 5.0], [1.0; 5]);
    let built = jit.load(&spec).unwrap();
    // SAFETY: both have 5 elements.
    unsafe { built.call(5, 2.0, x.as_ptr(), y.as_mut_ptr()) };
    assert_eq!(y, [3.0, 5.0, 7.0, 9.0, 11.0]);
    assert_eq!(built.origin(), KernelOrigin::Built);

    let again = jit.load(&kernels::axpy(Loop::Unrolled(4))).unwrap();
    assert_eq!((again.origin(), again.signature()), (KernelOrigin::Memory, built.signature()));
    assert!(std::ptr::fn_addr_eq(again.as_fn(), built.as_fn()));

    let other = place.jit();
    let from_disk = other.load(&spec).unwrap();
    assert_eq!((from_disk.origin(), from_disk.signature()), (KernelOrigin::Disk, built.signature()));
    let stats = other.stats();
    assert_eq!((stats.disk_hits, stats.generated, stats.compiled), (1, 0, 0));
}

#[test]
fn arguments_make_different_kernels() {
    let place = Place::new();
    let jit = place.jit();
    let specs = [1, 2, 3, 8].map(|step| kernels::axpy(Loop::Unrolled(step)));
    let kernels = jit.load_all(&specs).unwrap();
    let x: Vec<f64> = (0..17).map(f64::from).collect();
    for kernel in &kernels {
        let mut y = vec![1.0; x.len()];
        // SAFETY: both have `len` elements.
        unsafe { kernel.call(x.len(), 0.5, x.as_ptr(), y.as_mut_ptr()) };
        assert!(x.iter().zip(&y).all(|(x, y)| *y == 1.0 + 0.5 * x), "{y:?}");
    }
    assert_eq!(jit.stats().compiled, 4);
}

#[test]
fn a_batch_keeps_its_order_and_builds_nothing_twice() {
    let place = Place::new();
    let jit = place.jit();
    let numbers = [3, 1, 2, 1, 3];
    let kernels = jit.load_all(&numbers.map(kernels::number)).unwrap();
    let values: Vec<i32> = kernels.iter().map(|kernel| kernel.call() - NUMBER_BASE).collect();
    assert_eq!(values, [3, 1, 2, 1, 3]);
    assert_eq!(jit.stats().compiled, 3);
    // Kernels of several types in one batch.
    let (axpy, number) = jit.load_all((&kernels::axpy(Loop::Plain), &kernels::number(9))).unwrap();
    assert_eq!((axpy.name(), number.call()), ("axpy", NUMBER_BASE + 9));
    assert!(jit.load_all::<&[KernelSpec<Number>]>(&[]).unwrap().is_empty());
}

#[test]
fn a_batch_builds_what_it_can_and_reports_the_first_failure() {
    let place = Place::new();
    let jit = place.jit();
    let specs = [
        kernels::number(1),
        kernels::text("bad1", "int bad1() { return x; }"),
        kernels::text("bad2", "int bad2("),
        kernels::number(2),
    ];
    let error = jit.load_all(&specs).unwrap_err();
    let text = error.to_string();
    assert!(text.contains("bad1") && text.contains("1 more of this batch failed"), "{text}");
    assert_eq!(jit.load(&kernels::number(2)).unwrap().origin(), KernelOrigin::Memory);
}

#[test]
fn clones_share_one_table_and_other_parameters_do_not() {
    let place = Place::new();
    let release = place.jit();
    let spec = kernels::number(5);
    release.load(&spec).unwrap();
    assert_eq!(release.clone().load(&spec).unwrap().origin(), KernelOrigin::Memory);
    let debug = place.builder().profile(Profile::Debug).build().unwrap();
    let kernel = debug.load(&spec).unwrap();
    assert_eq!(kernel.origin(), KernelOrigin::Built);
    assert_ne!(kernel.signature(), release.load(&spec).unwrap().signature());
}

#[test]
fn a_kernel_may_depend_on_another() {
    let place = Place::new();
    let jit = place.jit();
    assert_eq!(jit.load(&kernels::successor(41)).unwrap().call(), 42);
    assert_eq!(jit.stats().compiled, 2);
    let again = place.jit();
    assert_eq!(again.load(&kernels::successor(41)).unwrap().call(), 42);
    assert_eq!((again.stats().generated, again.stats().compiled), (0, 0));
}

#[test]
fn the_report_says_where_the_time_went() {
    let place = Place::new();
    let kernel = place.jit().load(&kernels::number(1)).unwrap();
    let report = kernel.report();
    assert!(!report.compile.is_zero() && !report.link.is_zero() && !report.load.is_zero(), "{report:?}");
    assert!(report.bytes > 1000);
    assert!(report.to_string().contains("compile"), "{report}");
    let path = kernel.path().unwrap();
    assert!(path.starts_with(place.cache()) && path.is_file());
}

#[test]
fn a_generator_may_load_kernels() {
    let place = Place::new();
    let jit = place.jit();
    let inner = jit.clone();
    let spec: KernelSpec<Number> =
        KernelSpec::new("outer", (), move || -> dijitso::Result<Source<Number>> {
            let value = inner.load(&kernels::number(7))?.call();
            // SAFETY: has no arguments and no state.
            Ok(unsafe { Source::new(format!("int outer() {{ return {value}; }}")) })
        });
    assert_eq!(jit.load(&spec).unwrap().call(), NUMBER_BASE + 7);
    assert_eq!(jit.stats().compiled, 2);
}

/// `name` loads what `needs` gives, when it is generated.
fn loads(
    name: &'static str,
    jit: &Jit,
    needs: impl Fn() -> KernelSpec<Number> + Send + Sync + 'static,
) -> KernelSpec<Number> {
    let jit = jit.clone();
    KernelSpec::new(name, (), move || -> dijitso::Result<Source<Number>> {
        jit.load(&needs())?;
        // SAFETY: has no arguments and no state.
        Ok(unsafe { Source::new(format!("int {name}() {{ return 1; }}")) })
    })
}

fn ping(jit: &Jit) -> KernelSpec<Number> {
    let inner = jit.clone();
    loads("ping", jit, move || pong(&inner))
}

fn pong(jit: &Jit) -> KernelSpec<Number> {
    let inner = jit.clone();
    loads("pong", jit, move || ping(&inner))
}

#[test]
fn generators_that_load_each_other_are_an_error_on_one_thread() {
    let place = Place::new();
    let jit = place.jit();
    let error = jit.load(&ping(&jit)).unwrap_err();
    let text = error.report();
    assert!(text.contains("circle") && text.contains("ping") && text.contains("pong"), "{text}");
    // Nothing is left behind that would make the next one hang or fail.
    assert_eq!(jit.load(&kernels::number(1)).unwrap().call(), NUMBER_BASE + 1);
}

#[test]
fn generators_that_load_each_other_are_an_error_on_two_threads() {
    let place = Place::new();
    let jit = place.jit();
    let barrier = Arc::new(std::sync::Barrier::new(2));
    let meeting = |name: &'static str, other: &'static str| -> KernelSpec<Number> {
        fn spec(
            name: &'static str,
            other: &'static str,
            jit: Jit,
            barrier: Arc<std::sync::Barrier>,
            meet: bool,
        ) -> KernelSpec<Number> {
            KernelSpec::new(name, (), move || -> dijitso::Result<Source<Number>> {
                if meet {
                    barrier.wait();
                }
                jit.load(&spec(other, name, jit.clone(), barrier.clone(), false))?;
                // SAFETY: has no arguments and no state.
                Ok(unsafe { Source::new(format!("int {name}() {{ return 1; }}")) })
            })
        }
        spec(name, other, jit.clone(), barrier.clone(), true)
    };
    let (left, right) = (meeting("left", "right"), meeting("right", "left"));
    let errors = std::thread::scope(|s| {
        let threads = [s.spawn(|| jit.load(&left)), s.spawn(|| jit.load(&right))];
        threads.map(|thread| thread.join().unwrap().unwrap_err().report())
    });
    assert!(errors.iter().any(|text| text.contains("circle")), "{errors:?}");
    assert!(errors.iter().all(|text| text.contains("circle")), "the other one hears of it: {errors:?}");
}

#[test]
fn two_generators_with_one_name_and_key_are_an_error() {
    fn one() -> KernelSpec<Number> {
        // SAFETY: has no arguments and no state.
        KernelSpec::new("same", 1, || unsafe { Source::new("int same() { return 1; }") })
    }
    fn two() -> KernelSpec<Number> {
        // SAFETY: has no arguments and no state.
        KernelSpec::new("same", 1, || unsafe { Source::new("int same() { return 2; }") })
    }
    let place = Place::new();
    let jit = place.jit();
    assert_eq!(jit.load(&one()).unwrap().call(), 1);
    let error = jit.load(&two()).unwrap_err();
    assert!(matches!(error, Error::Collision { .. }), "{error:?}");
    assert_eq!(error.to_string().matches("jit.rs:").count(), 2, "{error}");
    assert_eq!(jit.load(&one()).unwrap().call(), 1);
}

#[test]
fn threads_that_want_one_kernel_share_one_build_and_one_error() {
    let place = Place::new();
    let jit = place.jit();
    let calls = Arc::new(AtomicU32::new(0));
    let load_everywhere = |spec: &KernelSpec<Number>| {
        let start = std::sync::Barrier::new(8);
        std::thread::scope(|s| {
            let one = || {
                start.wait();
                jit.load(spec).map(|kernel| kernel.call())
            };
            let threads: Vec<_> = (0..8).map(|_| s.spawn(one)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
        })
    };
    let counted = |name: &'static str, text: &'static str| -> KernelSpec<Number> {
        let calls = calls.clone();
        KernelSpec::new(name, (), move || {
            calls.fetch_add(1, Ordering::Relaxed);
            std::thread::sleep(std::time::Duration::from_millis(50));
            // SAFETY: has no arguments and no state.
            unsafe { Source::new(text) }
        })
    };
    let good = counted("good", "int good() { return 5; }");
    assert!(load_everywhere(&good).into_iter().all(|value| value.unwrap() == 5));
    assert_eq!((calls.swap(0, Ordering::Relaxed), jit.stats().compiled), (1, 1));

    let bad = counted("bad", "int bad() { return five; }");
    let errors = load_everywhere(&bad);
    assert!(errors.iter().all(|error| error.as_ref().unwrap_err().to_string().contains("five")));
    // A thread that came when all was over asks again, and hears of the failure without compiling.
    assert_eq!(jit.stats().compiled, 2);
}

#[test]
fn an_entry_shows_its_source_and_how_it_was_made() {
    let place = Place::new();
    let kernel = place.jit().load(&kernels::axpy(Loop::Unrolled(2))).unwrap();
    let file = std::fs::File::open(kernel.path().unwrap()).unwrap();
    let mut archive = zip::ZipArchive::new(file).unwrap();
    let names: Vec<String> = archive.file_names().map(|name| name.unwrap().into_owned()).collect();
    assert!(names.iter().any(|name| name.ends_with(".cpp")), "{names:?}");
    let mut text = String::new();
    std::io::Read::read_to_string(&mut archive.by_name("entry.json").unwrap(), &mut text).unwrap();
    for fact in ["axpy(Unrolled(2))", "kernels.rs", "-O3"] {
        assert!(text.contains(fact), "{fact} is not in {text}");
    }
    let Some(unzip) = which("unzip") else { return };
    let listing = std::process::Command::new(unzip).arg("-l").arg(kernel.path().unwrap()).output().unwrap();
    assert!(String::from_utf8_lossy(&listing.stdout).contains("entry.json"));
}

#[test]
fn debug_information_leads_to_sources_that_stay() {
    let place = Place::new();
    let spec = kernels::axpy(Loop::Unrolled(2));
    let sources = place.cache().join("v1/sources");
    place.jit().load(&spec).unwrap();
    assert!(!sources.exists(), "an optimized kernel says nothing about its lines");

    let jit = place.builder().profile(Profile::Debug).build().unwrap();
    let kernel = jit.load(&spec).unwrap();
    let kept = files(&sources);
    let text = kept.iter().find(|path| path.ends_with("axpy.cpp")).unwrap();
    let library = std::fs::read(kernel.path().unwrap()).unwrap();
    let named = text.parent().unwrap().as_os_str().as_encoded_bytes();
    assert!(library.windows(named.len()).any(|window| window == named), "{}", text.display());
    assert!(std::fs::read_to_string(text).unwrap().contains("void axpy("));
}
