//! What a programmer reads when the generated text is wrong: the compiler's own words, at a place that
//! can be found, after the name of the kernel.

use std::os::unix::process::ExitStatusExt as _;

use dijitso::{CxxType, Error, KernelSpec, Language, Source};
use dijitso_tests::kernels::Number;

use crate::harness::Place;

/// Builds `spec`, which must fail to compile or link.
fn failure<F: dijitso::KernelFn>(spec: &KernelSpec<F>) -> (Error, String) {
    let place = Place::new();
    let error = place.jit().load(spec).expect_err("it must not build");
    let text = error.to_string();
    (error, text)
}

fn assert_contains(text: &str, all: &[&str]) {
    for part in all {
        assert!(text.contains(part), "`{part}` is not in:\n{text}");
    }
}

#[test]
fn an_error_names_the_kernel_its_arguments_and_the_place_of_its_generator() {
    #[dijitso::kernel]
    fn broken(order: u32) -> Source<Number> {
        // SAFETY: has no arguments and no state.
        unsafe { Source::new(format!("int broken() {{\n  return order_{order};\n}}")) }
    }
    let (error, text) = failure(&broken(3));
    assert!(matches!(error, Error::Compile { .. }), "{error:?}");
    assert!(text.starts_with("kernel broken(3), generated at "), "{text}");
    assert_contains(&text, &["tests/cxx_errors.rs:", "order_3", "broken.cpp:2:"]);
    // The excerpt of the generated text, as the compiler shows it.
    assert_contains(&text, &["return order_3;", "^"]);
    assert!(!text.contains("dijitso-build"), "no path of a directory that is gone: {text}");
}

#[test]
fn text_from_the_rust_source_is_reported_with_its_line_there() {
    let line = line!() + 2;
    let text = dijitso::cxx!(
        r"int mapped() {
          return nothing;
        }"
    );
    // SAFETY: never compiles.
    let spec: KernelSpec<Number> =
        KernelSpec::new("mapped", (), move || unsafe { Source::new(text.clone()) });
    let (_, text) = failure(&spec);
    assert_contains(&text, &["cxx_errors.rs", "nothing"]);
    assert!(text.contains(&format!("cxx_errors.rs:{}:", line + 1)), "line {}:\n{text}", line + 1);
}

#[test]
fn another_prototype_than_the_declared_one_is_an_error_of_types() {
    type Declared = unsafe extern "C" fn(n: usize, x: *mut f64);
    for wrong in [
        "void scale(std::size_t n, float *x) {}",
        "void scale(int n, double *x) {}",
        "void scale(std::size_t n, const double *x) {}",
        "int scale(std::size_t n, double *x) { return 0; }",
        "void scale(std::size_t n, double *x, int more) {}",
        "template<class T> void scale(T n, float *x) {}",
    ] {
        // SAFETY: never compiles.
        let spec: KernelSpec<Declared> =
            KernelSpec::new("scale", wrong, move || unsafe { Source::new(wrong) }.include("<cstddef>"));
        let (error, text) = failure(&spec);
        assert!(matches!(error, Error::Compile { .. }), "{wrong}: {error:?}");
        assert_contains(&text, &["the text must define scale with the type void (unsigned long, double *)"]);
    }
}

#[test]
fn c_kernels_are_checked_as_strictly() {
    type Declared = unsafe extern "C" fn(n: usize, x: *mut f64);
    for wrong in [
        "void scale(size_t n, float *x) { (void)n; (void)x; }",
        "void scale(size_t n, double *x) { unknown(n, x); }",
        "void scale(size_t n, double *x) { n = x; }",
    ] {
        let spec: KernelSpec<Declared> = KernelSpec::new("scale", wrong, move || {
            // SAFETY: never compiles.
            unsafe { Source::new(wrong) }.include("<stddef.h>").language(Language::C)
        });
        let (error, _) = failure(&spec);
        assert!(matches!(error, Error::Compile { .. }), "{wrong}: {error:?}");
    }
}

#[test]
fn a_missing_entry_is_named() {
    // SAFETY: never compiles.
    let spec: KernelSpec<Number> =
        KernelSpec::new("present", (), || unsafe { Source::new("int absent() { return 1; }") });
    let (error, text) = failure(&spec);
    assert!(matches!(error, Error::Compile { .. }), "{error:?}");
    assert_contains(&text, &["present"]);
}

#[test]
fn an_include_inside_the_text_says_where_it_belongs() {
    let spec: KernelSpec<Number> =
        // SAFETY: never compiles.
        KernelSpec::new("includes", (), || unsafe { Source::new("#include <cmath>\nint includes() { return 1; }") });
    let (error, text) = failure(&spec);
    assert!(matches!(error, Error::Declaration { .. }), "{error:?}");
    assert_contains(&text, &[".include(", "translation_unit", "<cmath>"]);
}

#[test]
fn undefined_symbols_are_an_error_when_building_with_their_names() {
    let spec: KernelSpec<Number> = KernelSpec::new("needs_more", (), || {
        let text = "extern \"C\" int nobody_defines_this(int);\nextern \"C\" int needs_more() { return nobody_defines_this(1); }";
        // SAFETY: never links.
        unsafe { Source::translation_unit(text) }
    });
    let (error, text) = failure(&spec);
    let Error::Link { undefined, .. } = &error else { panic!("{error:?}") };
    assert_eq!(undefined, &["nobody_defines_this"]);
    assert_contains(&text, &["nobody_defines_this", ".link(", ".depends_on("]);
}

#[derive(Debug, Clone, Copy, CxxType)]
#[repr(C)]
struct Vertex {
    x: f64,
    marker: i32,
}

#[test]
fn a_struct_that_the_text_defines_otherwise_is_an_error() {
    type Declared = unsafe extern "C" fn(v: *const Vertex) -> f64;
    for (wrong, what) in [
        ("struct Vertex { int marker; double x; };", "order"),
        ("struct Vertex { double x; long marker; };", "type"),
        ("struct Vertex { double x; int marker; int more; int again; };", "size"),
        ("struct Vertex { float x; int marker; };", "type"),
    ] {
        let text = format!("{wrong}\nextern \"C\" double first(const Vertex *v) {{ return double(v->x); }}");
        // SAFETY: never compiles.
        let spec: KernelSpec<Declared> =
            KernelSpec::new("first", text.clone(), move || unsafe { Source::translation_unit(text.clone()) });
        let (error, text) = failure(&spec);
        assert!(matches!(error, Error::Compile { .. }), "{what}: {error:?}");
        assert_contains(&text, &["Vertex"]);
    }
}

/// Through frames of Rust an exception would be undefined behaviour; the trampoline is `noexcept`.
#[test]
fn an_exception_that_escapes_ends_the_program() {
    let place = Place::new();
    let client = place.client(["text", "throws", "int throws() { throw 42; }"]).spawn();
    let output = client.wait_with_output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.signal(), Some(6), "{:?}: {stderr}", output.status);
    assert!(stderr.contains("terminate called after throwing an instance of 'int'"), "{stderr}");
}

#[test]
fn warnings_do_not_fail_a_build() {
    let spec: KernelSpec<Number> = KernelSpec::new("warns", (), || {
        // SAFETY: has no arguments and no state.
        unsafe { Source::new("int warns() { int unused; return 3; }") }.flag("-Wall").flag("-Wextra")
    });
    let place = Place::new();
    assert_eq!(place.jit().load(&spec).unwrap().call(), 3);
}

#[test]
fn the_failure_bundle_repeats_the_failure() {
    let place = Place::new();
    let jit = place.jit();
    let spec: KernelSpec<Number> = KernelSpec::new("bundled", (), || {
        // SAFETY: never compiles.
        unsafe { Source::new("int bundled() {\n  return VALUE + missing;\n}") }
            .header("value.h", "#define VALUE 1\n")
            .include("\"value.h\"")
    });
    let error = jit.load(&spec).unwrap_err();
    let Error::Compile { bundle: Some(bundle), log, .. } = &error else { panic!("{error:?}") };
    assert!(error.to_string().contains(&bundle.display().to_string()));
    for file in ["bundled.cpp", "value.h", "command.sh", "error.log"] {
        assert!(bundle.join(file).is_file(), "{file} is not in {}", bundle.display());
    }
    let moved = place.path("elsewhere");
    std::fs::rename(bundle, &moved).unwrap();
    let again = std::process::Command::new("/bin/sh").arg(moved.join("command.sh")).output().unwrap();
    let printed = String::from_utf8_lossy(&again.stderr);
    assert!(!again.status.success(), "the script must fail as the build did");
    let first = log.lines().find(|line| line.contains("error")).unwrap();
    assert!(printed.contains(first), "`{first}` is not in:\n{printed}");
}

#[test]
fn a_failure_is_remembered_until_something_changes() {
    let place = Place::new();
    let include = place.path("include");
    std::fs::create_dir(&include).unwrap();
    let header = place.write("include/state.h", "#define STATE undefined_here\n");
    let spec = dijitso_tests::kernels::state(include, false);
    let first = place.jit().load(&spec).unwrap_err().to_string();

    let again = place.jit();
    assert_eq!(again.load(&spec).unwrap_err().to_string(), first, "the same text, without compiling");
    assert_eq!((again.stats().compiled, again.stats().negative_hits), (0, 1));

    std::fs::write(header, "#define STATE 4\n").unwrap();
    let mended = place.jit();
    assert_eq!(mended.load(&spec).unwrap().call(), 4);
    assert_eq!(mended.stats().compiled, 1);
}
