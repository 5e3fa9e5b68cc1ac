//! What is refused before any compiler runs.

use super::*;
use crate::error::Error;

#[test]
fn declarations_that_cannot_work_are_refused_before_any_compiler_runs() {
    type Nothing = unsafe extern "C" fn();
    let problem = |source: Source<Nothing>| match generated(source) {
        Err(Error::Declaration { kernel, problem }) => {
            assert!(kernel.starts_with("k(), generated at ") && kernel.contains(".rs:"), "{kernel}");
            problem
        }
        other => panic!("{other:?}"),
    };
    let k = || source::<Nothing>("void k() {}");
    for (source, says) in [
        (k().header("../x.h", ""), "no directory"),
        (k().header("..", ""), "`..`"),
        (k().header("", ""), "header's name"),
        (k().header("/etc/x.h", ""), "no directory"),
        (k().header("k.cpp", ""), "written by dijitso itself"),
        (k().header("k_unit.cpp", ""), "written by dijitso itself"),
        (k().header("entry.json", ""), "written by dijitso itself"),
        (k().header("x.o", ""), "written by dijitso itself"),
        (k().header("x.h", "1").header("x.h", "2"), "two headers of this name"),
        (k().entry("k()"), "no name of a function"),
        (k().entry("a::"), "no name of a function"),
        (k().entry("a::b").language(C), "no name of a function"),
        (k().export("a b"), "no symbol"),
        (k().export("1a"), "no symbol"),
        (k().export("a; } evil"), "no symbol"),
        (k().include("cmath"), ".include(\"<cmath>\")"),
        (k().include("<a>\n#error"), "is no header"),
        (k().define("F(x)", 1), "identifier"),
        (k().define("N", "1\n#error"), "one line"),
        (k().define("N", "1\\"), "one line"),
        (k().flag(""), "no flag"),
        (k().flag("@file"), "no flag"),
        (k().std("c++98"), "no standard of C++"),
        (k().std("c17"), "no standard of C++"),
        (k().std("-O2"), "no standard of C++"),
        (k().std("c++17").language(C), "no standard of C"),
        (k().include_dir("include"), "absolute"),
        (k().link_dir("lib"), "absolute"),
        (k().link("lib/libx.a"), "absolute"),
        (k().link("-lm"), "name alone"),
    ] {
        let problem = problem(source);
        assert!(problem.contains(says), "{says}: {problem}");
    }
    let misplaced = problem(source("void k() {}\n  # include <cmath> // why\n"));
    assert!(misplaced.starts_with("line 2 of the generated text is `# include <cmath>"), "{misplaced}");
    assert!(
        misplaced.contains(".include(\"<cmath>\")") && misplaced.contains("Source::translation_unit"),
        "{misplaced}"
    );
    let several = problem(k().flag("").include("x"));
    assert!(several.contains("; "), "{several}");
    compiles::<Nothing>(whole("#include <cmath>\nstatic void k() {}\n"));

    let empty = generated(source::<()>("int a;")).unwrap_err().to_string();
    assert!(empty.contains("exports nothing"), "{empty}");
    let entry = generated(source::<()>("int a;").export("a").entry("a")).unwrap_err().to_string();
    assert!(entry.contains("has the type `()`"), "{entry}");
}
