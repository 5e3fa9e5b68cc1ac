//! What compilers say about text that does not match, and which line they name.

use super::*;

#[test]
fn overloads_and_templates_are_resolved_by_the_exact_type() {
    type OfDouble = unsafe extern "C" fn(f64, *const f64) -> f64;
    compiles::<OfDouble>(source(
        "template <class T> T k(T a, const T *) { return a; }
         inline int k(int a, const double *) { return a; }",
    ));
    runs::<OfDouble>(
        source(
            "float k(float, const double *) { return 1; }\ndouble k(double, const double *) { return 2; }",
        ),
        // SAFETY: reads nothing.
        |f, _| assert_eq!(unsafe { f(0.0, std::ptr::null()) }, 2.0),
    );
    compiles::<OfDouble>(
        source("namespace solver { double k(double a, const double *) noexcept { return a; } }")
            .entry("solver::k"),
    );
}

#[test]
fn another_prototype_is_refused_with_the_expected_one_in_the_message() {
    type OfDouble = unsafe extern "C" fn(f64, *const f64) -> f64;
    let says = "the text must define k with the type double (double, const double *)";
    for text in [
        "double k(double, double *) { return 0; }",
        "float k(double, const double *) { return 0; }",
        "double k(double) { return 0; }",
        "double k(float, const double *) { return 0; }",
        "double K(double, const double *) { return 0; }",
    ] {
        for log in refused::<OfDouble>(source(text)).into_iter().chain(refused::<OfDouble>(whole(text))) {
            assert!(log.contains("k_unit.cpp"), "{log}");
            assert!(log.contains(says), "{text}\n{log}");
        }
    }
    for text in [
        "double k(double a, double *b) { return a + *b; }",
        "float k(double a, const double *b) { return a + *b; }",
        "double k(double a) { return a; }",
        "int k(void) { return undeclared(); }",
    ] {
        refused::<OfDouble>(source(text).language(C));
        let logs = refused::<OfDouble>(whole(text).language(C));
        assert!(logs.iter().all(|log| log.contains(says) || log.contains("undeclared")), "{text}\n{logs:?}");
    }
}

#[test]
fn no_flag_lets_another_prototype_pass() {
    let rendered = rendered(source::<unsafe extern "C" fn(*const f64)>("void k(double *) {}"));
    for compiler in CXX {
        let dir = tempfile::tempdir().unwrap();
        let flags = ["-fpermissive", "-w", "-fsyntax-only"];
        compile(&rendered, compiler, &flags, dir.path()).expect_err("it must not compile");
    }
}

#[test]
fn a_mistake_in_c_is_an_error_without_any_flag() {
    for text in ["double k(double a) { return f(a); }", "double k(double a) { int *p = 7; return a + *p; }"] {
        let parts = generated(source::<extern "C" fn(f64) -> f64>(text).language(C)).unwrap();
        for compiler in CC {
            let dir = tempfile::tempdir().unwrap();
            let rendered = render(&parts, "k", SYMBOL, true);
            compile(&rendered, compiler, &["-fsyntax-only"], dir.path()).expect_err(text);
        }
    }
}

/// The line of the first error in `file`.
fn line_of(log: &str, file: &str) -> Option<usize> {
    let at = log.lines().find(|line| line.starts_with(&format!("{file}:")) && line.contains("error"))?;
    at.split(':').nth(1)?.parse().ok()
}

#[test]
fn messages_name_the_line_of_the_generated_text_and_quote_it() {
    type Nothing = unsafe extern "C" fn();
    let text = "static void k() {\n  int a = 1;\n  return nonsense + a;\n}";
    for log in refused::<Nothing>(source(text)).into_iter().chain(refused::<Nothing>(whole(text))) {
        assert_eq!(line_of(&log, "k.cpp").or(line_of(&log, "./k.cpp")), Some(3), "{log}");
        assert!(log.contains("  return nonsense + a;"), "{log}");
    }
}

#[test]
fn messages_name_the_line_of_the_rust_file_and_lead_back() {
    type Nothing = unsafe extern "C" fn();
    let located = |text: &str| Text::located(text, "src/kernels.rs", 40);
    // The mistake in the located piece, in what follows it, and in a preamble.
    let text = located("\nvoid k() {\n  nonsense1;\n") + "}\n";
    for log in refused::<Nothing>(source(text)) {
        assert_eq!(line_of(&log, "src/kernels.rs"), Some(42), "{log}");
    }
    let text = Text::from("int first;\n") + located("void k() {\n}\n") + "int second;\nnonsense2 third;\n";
    for log in refused::<Nothing>(source(text)) {
        // Physical lines: two directives stand before it.
        let line = line_of(&log, "k.cpp").or(line_of(&log, "./k.cpp"));
        assert_eq!(line, Some(7), "{log}");
        assert!(log.contains("nonsense2 third;"), "{log}");
    }
    let preamble = source::<Nothing>("void k() {}").preamble(located("int a;\nnonsense3 b;\n"));
    for log in refused(preamble) {
        assert_eq!(line_of(&log, "src/kernels.rs"), Some(41), "{log}");
    }
    let after = source::<extern "C" fn()>("int k() { return 1; }").preamble(located("int a;\n"));
    for log in refused(after) {
        assert!(log.contains("k_unit.cpp:") && log.contains("the text must define k"), "{log}");
    }
}
