//! `doctor`, `completions`, `man`.

use serde_json::json;

use super::{Cli, assert_golden, assert_schema, run};
use crate::harness::{Place, set_mode};

#[test]
fn a_healthy_machine_is_told_so() {
    let place = Place::new();
    let said = run(&place, "doctor").ok().out;
    // What else the machine has is for no golden file to say.
    let (ours, _) = said.split_once("good  toolchain").expect("it compiles");
    assert_golden("doctor", &place, ours);
    for check in [
        "configuration",
        "permissions",
        "file system",
        "space",
        "compiler",
        "flags",
        "memfd",
        "processor",
        "locks",
        "/proc",
        "toolchain",
        "threads",
        "OpenMP",
        "BLAS",
        "MPI",
    ] {
        assert!(
            said.lines().any(|line| line[5..].trim_start().starts_with(check)),
            "{check} is not in: {said}"
        );
    }
    let answer = run(&place, "doctor --json").ok().json();
    let check = json!({ "check": "string", "verdict": "string", "text": "string", "fix": "string?" });
    assert_schema(&answer, &json!({ "healthy": "boolean", "checks": [check] }));
    assert_eq!(answer["healthy"], true);
    assert!(!place.cache().exists(), "it only looks");
}

#[test]
fn what_is_wrong_is_said_with_how_to_mend_it() {
    let place = Place::new();
    let no_compiler = Cli::new(&place).args(["doctor"]).env("CXX", "/no/such/compiler").run();
    assert!(no_compiler.status == 1 && no_compiler.out.contains("bad   compiler"), "{no_compiler:?}");
    assert!(
        no_compiler.out.contains("/no/such/compiler") && no_compiler.out.contains("install g++"),
        "{no_compiler:?}"
    );
    std::fs::create_dir(place.cache()).unwrap();
    set_mode(place.root(), 0o755);
    set_mode(&place.cache(), 0o777);
    let open = run(&place, "doctor");
    assert!(open.status == 1 && open.out.contains("bad   permissions"), "{open:?}");
    assert!(open.out.contains("chmod g-w,o-w"), "{open:?}");
    let flag = Cli::new(&place).args(["doctor"]).env("CXXFLAGS", "-no-such-flag").run();
    assert!(flag.status == 1 && flag.out.contains("bad   compiler"), "{flag:?}");
    assert!(flag.out.contains("note  flags") && flag.out.contains("-no-such-flag (environment"), "{flag:?}");
}

#[test]
fn shells_and_man_get_what_they_need() {
    let place = Place::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = run(&place, &format!("completions {shell}")).ok().out;
        assert!(script.contains("grepfunction") && script.contains("older-than"), "{shell}");
    }
    let page = run(&place, "man").ok().out;
    assert!(page.contains(".TH") && page.contains("Exit status"), "{page}");
    std::fs::create_dir(place.path("pages")).unwrap();
    run(&place, "man -o pages").ok();
    let show = std::fs::read_to_string(place.path("pages/dijitso-show.1")).unwrap();
    assert!(show.contains("sort"), "{show}");
    assert!(place.path("pages/dijitso.1").exists());
}
