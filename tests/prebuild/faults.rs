//! Flags, texts and leftovers that make trouble: what is said about them, how often, and that nothing goes on with them.

use super::*;

#[test]
fn of_a_script_that_fails_cargo_shows_no_more_than_what_is_wrong() {
    let script = Script::new();
    let include = script.place.write("include/tracked.h", "#define FACTOR y\n");
    let header = format!("header={}", include.parent().unwrap().display());
    let (text, told) = script.fails(&["many=1", &header, "broken"]);
    assert!(text.contains("'y' was not declared"), "{text}");
    assert!(told.lines().all(|line| line.starts_with("cargo::error=")), "{told}");
    // One that goes on has to be run again when something changes.
    let output = script.run(&["many=1", &header, "try"]);
    let told = lines(&output);
    assert!(
        output.status.success() && told.iter().any(|line| line.ends_with("include/tracked.h")),
        "{told:?}"
    );
    assert!(told.contains(&"cargo::rerun-if-env-changed=CXX".to_owned()), "{told:?}");
    assert!(told.iter().any(|line| line.contains("warning=kernel with_header()")), "{told:?}");
}

#[test]
fn who_goes_on_after_a_failure_does_so_without_the_kernels_of_an_earlier_run() {
    let script = Script::new();
    script.ok(&["many=3"]);
    assert!(script.run(&["many=3", "broken", "try"]).status.success());
    let table = script.table();
    assert!(table.contains("[Row; 0]") && !table.contains("#[link("), "{table}");
    // Another attempt, for which what was compiled is still there.
    assert_eq!(script.ok(&["many=3", "broken", "try", "else=2"]).1, 2);
    assert_eq!(script.table().matches("Row {").count(), 2);
}

#[test]
fn flags_that_the_compiler_refuses_are_told_once_and_tried_once() {
    let script = Script::new().set("CXXFLAGS", "-march=nonsense");
    let (text, told) = script.fails(&["many=50"]);
    assert_eq!(told.matches("cargo::error=").count(), 1, "{told}");
    assert_eq!(text.matches("-march=").count(), text.matches("'-march=' switch").count(), "{text}");
    let asked = script.shim.calls().iter().filter(|call| call.iter().any(|word| word == "-dM")).count();
    assert_eq!((asked, script.shim.compiles().len()), (1, 0));
    let (text, told) = Script::new().set("CXX", "/bin/false").fails(&["many=5"]);
    assert!(text.contains("and said nothing") && text.contains("is it a compiler?"), "{text}");
    assert_eq!(
        (told.matches("cargo::error=").count(), text.matches("kernel numbered(0)").count()),
        (1, 1),
        "{text}"
    );
    // But kernels that fail in the same way are kernels that fail.
    let (_, told) = Script::new().fails(&["same_failure=3"]);
    assert_eq!(told.matches("cargo::error=kernel same(").count(), 3, "{told}");
}

#[test]
fn flags_that_would_make_something_else_than_an_object_are_refused_with_who_set_them() {
    for (flag, variable) in [("-S", "CXXFLAGS"), ("-M", "HOST_CXXFLAGS")] {
        let (text, told) = Script::new().set(variable, flag).fails(&["many=20"]);
        assert_eq!(told.matches("cargo::error=").count(), 1, "{told}");
        assert!(text.contains(&format!("`{flag}` cannot be used")) && text.contains(variable), "{text}");
    }
    // Without meaning for an object.
    Script::new().set("CXXFLAGS", "-static").ok(&["many=1"]);
    // A kernel without its entry would be called at address 0.
    let (text, _) = Script::new().set("CXXFLAGS", "-fwhole-program").fails(&["many=1"]);
    assert!(
        text.contains("kernel numbered(0)") && text.contains("does not define `dijitso_numbered_"),
        "{text}"
    );
}

#[test]
fn relative_directories_in_flags_are_below_the_directory_of_the_script() {
    let script = Script::new().set("CXXFLAGS", "-Iinclude");
    let header = script.place.write("include/tracked.h", "#define FACTOR 2\n");
    let (told, compiled) = script.ok(&["header=elsewhere"]);
    assert_eq!(compiled, 1);
    assert!(told.contains(&format!("cargo::rerun-if-changed={}", header.display())), "{told:?}");
}

#[test]
fn a_thread_local_variable_is_for_the_kernels_that_depend_on_its_own() {
    let script = Script::new();
    script.ok(&["thread_local"]);
    let table = script.table();
    assert!(table.contains("name: \"next\"") && !table.contains("name: \"mine\""), "{table}");
}

#[test]
fn what_linkers_collect_from_the_whole_program_is_refused() {
    let (text, _) = Script::new().fails(&["section"]);
    assert!(text.contains("kernel section()") && text.contains("`__start_items`"), "{text}");
}

#[test]
fn what_is_undefined_is_told_for_each_kernel_and_once() {
    for level in ["0", "2"] {
        let script = Script::new().set("OPT_LEVEL", level).set("DEBUG", "true");
        let (text, told) = script.fails(&["undefined_c=1", "undefined_c=2"]);
        assert_eq!(told.matches("cargo::error=").count(), 2, "{told}");
        assert_eq!(text.matches("nobody defines nowhere;").count(), 2, "{text}");
        let lines: Vec<&str> = text.lines().filter(|line| line.contains("undefined reference")).collect();
        assert_eq!(lines.len(), 2, "{text}");
    }
}

#[test]
fn an_object_that_was_cut_off_is_compiled_again() {
    let script = Script::new();
    script.ok(&["many=2"]);
    let objects = crate::harness::files(&script.out()).into_iter().filter(|path| path.ends_with("unit.o"));
    let object = objects.into_iter().next().expect("an object");
    // A disk that was full, or a machine that stopped.
    let file = std::fs::File::options().write(true).open(&object).unwrap();
    file.set_len(100).unwrap();
    assert_eq!(script.ok(&["many=2"]).1, 1);
    assert_eq!(script.ok(&["many=2"]).1, 0);
}
