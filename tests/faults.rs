//! Bad input and bad luck: a clear error, nothing lost, nothing left behind.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use dijitso::{Error, KernelOrigin, KernelSpec, Source};
use dijitso_tests::kernels::{self, NUMBER_BASE, Number};
use dijitso_tests::protocol::{ShimMode, ShimStep};

use crate::harness::{Nobody, Place, Shim, files, mounted};

/// A kernel `name` with a source that `change` may spoil; no two have the same key.
fn spoiled(
    name: &str,
    change: impl Fn(Source<Number>) -> Source<Number> + Send + Sync + 'static,
) -> KernelSpec<Number> {
    let text = format!("int {name}() {{ return 1; }}");
    static KEY: AtomicU32 = AtomicU32::new(0);
    let key = KEY.fetch_add(1, Ordering::Relaxed);
    // SAFETY: has no arguments and no state.
    KernelSpec::new(name, key, move || change(unsafe { Source::new(text.clone()) }))
}

/// Loading fails with a declaration error that contains all of `parts`; nothing is written or run.
fn undeclarable(spec: &KernelSpec<Number>, parts: &[&str]) {
    let place = Place::new();
    let jit = place.jit();
    let error = jit.load(spec).expect_err("it must be refused");
    let text = error.to_string();
    assert!(matches!(error, Error::Declaration { .. }), "{error:?}");
    for part in parts {
        assert!(text.contains(part), "`{part}` is not in: {text}");
    }
    assert!(text.len() < 1000, "a long name is shortened: {text}");
    assert_eq!(jit.stats().compiled, 0);
    assert!(place.entries().is_empty());
    assert!(jit.load(&kernels::number(1)).is_ok(), "the next kernel is not affected");
}

#[test]
fn names_that_are_no_identifiers_are_refused_and_never_used_as_paths() {
    let long = "x".repeat(300);
    for name in [
        "",
        "../../evil",
        "a/b",
        "..",
        "a b",
        "1st",
        "a-b",
        "naïve",
        "int",
        "template",
        "a\0b",
        "a\nb",
        &long,
    ] {
        undeclarable(&spoiled(name, |source| source), &["identifier"]);
    }
    assert!(!Path::new("/tmp/evil").exists());
}

#[test]
fn entries_exports_and_headers_are_checked_too() {
    undeclarable(&spoiled("kernel", |s| s.entry("not an identifier")), &["not an identifier"]);
    undeclarable(&spoiled("kernel", |s| s.entry("f(); system")), &["f(); system"]);
    undeclarable(&spoiled("kernel", |s| s.export("a; global: *")), &["a; global: *"]);
    for header in ["../evil.h", "/etc/evil.h", "a/b.h", "..", "", "a\nb.h", "a\"b.h"] {
        undeclarable(&spoiled("kernel", move |s| s.header(header, "")), &["header"]);
    }
    undeclarable(&spoiled("kernel", |s| s.include("cmath")), &["cmath"]);
    undeclarable(&spoiled("kernel", |s| s.define("A B", "1")), &["A B"]);
}

#[test]
fn a_generator_that_panics_is_an_error_with_its_message() {
    let place = Place::new();
    let jit = place.jit();
    let spec: KernelSpec<Number> = KernelSpec::new("panics", (), || -> Source<Number> {
        let order = std::hint::black_box(7);
        panic!("no table for order {order}");
    });
    let error = jit.load(&spec).unwrap_err();
    let text = error.to_string();
    assert!(matches!(error, Error::Generator { .. }), "{error:?}");
    assert!(
        text.contains("panicked") && text.contains("no table for order 7") && text.contains("faults.rs:"),
        "{text}"
    );
    // No lock is poisoned, no flight is left open.
    assert!(jit.load(&spec).is_err());
    assert_eq!(jit.load(&kernels::number(1)).unwrap().call(), NUMBER_BASE + 1);
}

#[test]
fn a_generator_that_fails_is_an_error_with_its_reason() {
    let place = Place::new();
    let ran = place.client(["unkeyed", "/nonexistent/text"]).run();
    assert!(
        ran.error().contains("kernel unkeyed") && ran.error().contains("No such file"),
        "{}",
        ran.error()
    );
}

#[test]
fn an_empty_text_is_an_error_of_the_compiler() {
    let place = Place::new();
    let error = place.jit().load(&kernels::text("empty", "")).unwrap_err();
    assert!(matches!(error, Error::Compile { .. }), "{error:?}");
}

#[test]
fn text_of_any_bytes_cannot_leave_its_place() {
    let place = Place::new();
    let jit = place.jit();
    // Ends the namespace, and begins another one.
    let ends = kernels::text("ends", "int ends() { return 1; } }} namespace other { namespace {");
    if let Ok(kernel) = jit.load(&ends) {
        assert_eq!(kernel.call(), 1);
    }
    let unclosed = kernels::text("unclosed", "int unclosed() { return 1; } /* no end");
    assert!(matches!(jit.load(&unclosed).unwrap_err(), Error::Compile { .. } | Error::Declaration { .. }));
    let umlaut = kernels::text("umlaut", "// größer als π\nint umlaut() { return 3; }");
    assert_eq!(jit.load(&umlaut).unwrap().call(), 3);
}

/// Loads one kernel with a compiler that misbehaves when it compiles.
fn misbehaving(mode: ShimMode, timeout: Duration) -> (Place, Shim, Error, Duration) {
    let place = Place::new();
    let shim = place.shim();
    let jit = place.builder().cxx(shim.word()).timeout(timeout).build().unwrap();
    shim.set(mode, ShimStep::Compile);
    let start = Instant::now();
    let error = jit.load(&kernels::number(1)).expect_err("the compiler does not do its work");
    let elapsed = start.elapsed();
    assert!(place.entries().is_empty());
    // It was the compiler's fault, not the text's: the next attempt compiles.
    shim.set(ShimMode::Pass, ShimStep::Compile);
    assert_eq!(jit.load(&kernels::number(1)).unwrap().call(), NUMBER_BASE + 1);
    (place, shim, error, elapsed)
}

const LONG: Duration = Duration::from_secs(60);

#[test]
fn a_compiler_that_hangs_is_ended_with_all_its_children() {
    let (_place, shim, error, elapsed) = misbehaving(ShimMode::Hang, Duration::from_millis(700));
    assert!(matches!(error, Error::Compiler { .. }), "{error:?}");
    let text = error.to_string();
    assert!(text.contains("700 ms") && text.contains("DIJITSO_TIMEOUT"), "{text}");
    assert!(elapsed < Duration::from_secs(10), "{elapsed:?}");
    let child = std::fs::read_to_string(shim.beside("child")).unwrap();
    for _ in 0..100 {
        let status = std::fs::read_to_string(format!("/proc/{child}/status")).unwrap_or_default();
        if status.is_empty() || status.contains("State:\tZ") {
            return;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    panic!("the compiler's child {child} still runs");
}

#[test]
fn a_compiler_that_is_killed_says_so() {
    for (signal, name) in [(9, "SIGKILL"), (24, "SIGXCPU")] {
        let (_place, _shim, error, _) = misbehaving(ShimMode::Die { signal }, LONG);
        assert!(matches!(error, Error::Compiler { .. }), "{error:?}");
        let text = error.to_string();
        assert!(text.contains(name) || text.contains(&format!("signal {signal}")), "{text}");
    }
}

#[test]
fn a_compiler_that_succeeds_without_output_is_not_believed() {
    let (_place, _shim, error, _) = misbehaving(ShimMode::Nothing, LONG);
    assert!(matches!(error, Error::Compiler { .. }), "{error:?}");
}

#[test]
fn a_compiler_that_prints_without_end_is_cut_short() {
    let place = Place::new();
    let shim = place.shim();
    let jit = place.builder().cxx(shim.word()).build().unwrap();
    shim.set(ShimMode::Flood { bytes: 100 << 20 }, ShimStep::Compile);
    let error = jit.load(&kernels::number(1)).unwrap_err();
    let text = error.to_string();
    assert!(text.contains("a lot to say") && text.contains("omitted"), "{}", &text[..200.min(text.len())]);
    assert!(text.len() < 4 << 20, "{} bytes", text.len());
}

#[test]
fn compiler_output_that_is_not_utf8_is_shown_as_well_as_it_can_be() {
    let place = Place::new();
    let shim = place.shim();
    let jit = place.builder().cxx(shim.word()).build().unwrap();
    let stderr = b"k00001.cpp:1:5: error: expected \x93number\x94\n\xff\xfe".to_vec();
    shim.set(ShimMode::Fail { status: 1, stderr }, ShimStep::Compile);
    let text = jit.load(&kernels::number(1)).unwrap_err().to_string();
    assert!(text.contains("error: expected \u{fffd}number\u{fffd}"), "{text}");
}

#[test]
fn a_compiler_removed_while_in_use_is_reported() {
    let place = Place::new();
    let shim = place.shim();
    let jit = place.builder().cxx(shim.word()).build().unwrap();
    jit.load(&kernels::number(1)).unwrap();
    std::fs::remove_file(shim.path()).unwrap();
    let error = jit.load(&kernels::number(2)).unwrap_err();
    assert!(error.to_string().contains(&shim.word()), "{error}");
    assert_eq!(jit.load(&kernels::number(1)).unwrap().origin(), KernelOrigin::Memory);
}

#[test]
fn children_can_be_ended_by_the_program() {
    let place = Place::new();
    let shim = place.shim();
    let jit = place.builder().cxx(shim.word()).build().unwrap();
    shim.set(ShimMode::Hang, ShimStep::Compile);
    let error = std::thread::scope(|s| {
        let load = s.spawn(|| jit.load(&kernels::number(1)));
        while !shim.beside("child").exists() {
            std::thread::sleep(Duration::from_millis(20));
        }
        // The first call may come before the shim's child is in its group's books; as a handler would be, it is repeated.
        while !load.is_finished() {
            dijitso::terminate_children();
            std::thread::sleep(Duration::from_millis(50));
        }
        load.join().unwrap().unwrap_err()
    });
    assert!(matches!(error, Error::Compiler { .. }), "{error:?}");
}

#[test]
fn a_missing_temporary_directory_is_replaced_by_another() {
    let place = Place::new();
    let ran = place.client(["numbers", "1", "2"]).env("TMPDIR", "/nonexistent/tmp").ok();
    assert_eq!(ran.outcome.stats.compiled, 1);
}

#[test]
fn a_full_temporary_directory_is_no_compile_error_of_the_text() {
    let place = Place::new();
    let dir = place.path("mount");
    // The cache and TMPDIR on one small filesystem: a build finds another place or says what is full.
    let Some(ran) = mounted("size=4k,mode=700", &dir, &["numbers", "1", "3"]) else { return };
    assert!(ran.outcome.error.is_none(), "{:?}", ran.outcome.error);
}

#[test]
fn a_working_directory_that_is_gone_does_not_matter() {
    let place = Place::new();
    let ran = place.client(["--deleted-cwd", "numbers", "1", "3"]).ok();
    assert_eq!(ran.outcome.stats.compiled, 2);
    place.client(["--deleted-cwd", "numbers", "1", "3"]).ok().assert_warm();
}

#[test]
fn another_user_can_do_everything_in_a_place_of_its_own() {
    let Some(nobody) = Nobody::new() else { return };
    let ran = nobody.client(&["numbers", "1", "3"]).ok();
    assert_eq!(ran.outcome.stats.compiled, 2);
    nobody.client(&["numbers", "1", "3"]).ok().assert_warm();
}

#[test]
fn a_failed_build_leaves_nothing_in_temporary_directories() {
    let place = Place::new();
    let tmp = place.path("tmp");
    std::fs::create_dir(&tmp).unwrap();
    let none = Vec::<PathBuf>::new();
    let ran = place.client(["text", "wrong", "int wrong() { return x; }"]).env("TMPDIR", &tmp).run();
    assert!(ran.error().contains("wrong"));
    assert_eq!(files(&tmp), none);
    assert_eq!(std::fs::read_dir(&tmp).unwrap().count(), 0);
    assert!(place.entries().is_empty());
}

#[test]
fn a_large_text_is_no_problem() {
    let place = Place::new();
    let mut text = String::from("static const double table[] = {");
    for i in 0..200_000 {
        text += &format!("{i}.5,");
    }
    text += "};\nint large() { return int(table[99999]); }";
    let kernel =
        place.builder().cxxflag("-O0").build().unwrap().load(&kernels::text("large", &text)).unwrap();
    assert_eq!(kernel.call(), 99999);
}
