//! `configure`

use serde_json::json;

use super::{Cli, assert_schema, run};
use crate::harness::{Place, files};

#[test]
fn what_the_machine_has_is_found_once_and_then_known() {
    let place = Place::new();
    let first = run(&place, "configure --json").ok().json();
    assert!(first["processes"].as_u64().unwrap() > 0);
    let second = run(&place, "configure --json").ok().json();
    assert_eq!(second["processes"], 0, "a warm configuration starts no process");
    assert_eq!(first["record"]["modules"], second["record"]["modules"]);
    let compiler = &second["record"]["modules"]["kernels.compiler"];
    assert!(!compiler["cxx"].as_array().unwrap().is_empty(), "{compiler}");
    assert_schema(
        &second,
        &json!({ "processes": "number", "changes": ["string"], "record": { "*": "any" } }),
    );
    let said = run(&place, "configure").ok().out;
    assert!(said.contains("Kernels") && said.contains("OpenMP"), "{said}");
    let log = run(&place, "configure --log").ok().out;
    assert!(
        log.contains("== kernels.compiler: done") && log.contains("yes     a small kernel (C++)"),
        "{log}"
    );
}

#[test]
fn options_are_passed_to_the_modules() {
    let place = Place::new();
    let help = run(&place, "configure -- --help").ok().out;
    assert!(help.contains("--with-mpi=<yes|no|auto>") && help.contains("--with-blas-dir="), "{help}");
    run(&place, "configure -- --with-mpj=no").failed(2, "did you mean --with-mpi?");
    let said = run(&place, "configure --log -- --without-mpi --without-blas").ok().out;
    assert!(said.contains("mpi is not wanted (option --without-mpi)"), "{said}");
}

#[test]
fn what_is_written_is_written_once_and_changes_are_told() {
    let place = Place::new();
    run(&place, "configure --dir out -- --without-mpi").ok();
    let header = std::fs::read_to_string(place.path("out/dijitso_config.h")).unwrap();
    assert!(header.contains("#define DIJITSO_HAVE_THREADS 1"), "{header}");
    for name in ["configure.log", "configure.events", "configure.json", "dijitso_variables", "reconfigure"] {
        assert!(place.path("out").join(name).exists(), "{name}");
    }
    let again = run(&place, "configure --dir out -- --without-mpi --without-openmp").ok().out;
    assert!(again.contains("changed: macro HAVE_OPENMP"), "{again}");
}

#[test]
fn the_script_it_writes_configures_again_from_anywhere_or_only_looks() {
    let place = Place::new();
    run(&place, "configure --dir out -- --without-mpi --without-blas").ok();
    let header = || std::fs::read_to_string(place.path("out/dijitso_config.h")).unwrap();
    let before = header();
    let script = |words: &[&str]| {
        let output =
            std::process::Command::new(place.path("out/reconfigure")).args(words).current_dir("/").output();
        let output = output.unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    assert!(script(&["--diff"]).contains("nothing changed since the last configuration"));
    let looked = script(&["--diff", "--without-openmp"]);
    assert!(looked.contains("macro HAVE_OPENMP") && looked.contains("option with-openmp"), "{looked}");
    assert_eq!(header(), before, "--diff writes nothing");
    script(&["--without-openmp"]);
    assert!(!header().contains("#define DIJITSO_HAVE_OPENMP 1"), "{}", header());
    run(&place, "configure -- --diff").failed(2, "nothing to compare with");
}

#[test]
fn a_compiler_that_is_not_there_is_a_card() {
    let place = Place::new();
    let said = Cli::new(&place).args(["configure"]).env("CXX", "/no/such/compiler").run();
    assert_eq!(said.status, 1, "{said:?}");
    assert!(
        said.err.contains("| failed")
            && said.err.contains("/no/such/compiler (environment variable CXX) does not exist"),
        "{}",
        said.err
    );
    assert!(said.err.contains("| try"), "{}", said.err);
}

#[test]
fn a_killed_configuration_harms_none_that_follows() {
    use std::os::unix::process::CommandExt as _;
    let place = Place::new();
    let tmp = place.path("tmp");
    std::fs::create_dir(&tmp).unwrap();
    // The compiler stops at its nth call: the configuration is killed in each of them.
    let compiler = place.path("stops");
    let script = "#!/bin/sh\nn=1\nuntil mkdir \"$CALLS/$n\" 2>/dev/null; do n=$((n + 1)); done\n\
                  [ \"$n\" -ge \"$STOP\" ] && exec sleep 60\nexec c++ \"$@\"\n";
    std::fs::write(&compiler, script).unwrap();
    std::fs::set_permissions(&compiler, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    for stop in [1, 3, 6, 8, 9, 11] {
        let calls = place.path(&format!("calls{stop}"));
        std::fs::create_dir(&calls).unwrap();
        let mut cli = Cli::new(&place).args(["configure"]).env("TMPDIR", &tmp).env("CXX", &compiler);
        cli = cli.env("CALLS", &calls).env("STOP", stop.to_string());
        cli.command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()).process_group(0);
        let mut child = cli.command.spawn().unwrap();
        while !calls.join(stop.to_string()).exists() {
            let ended = child.try_wait().unwrap();
            assert!(ended.is_none(), "it ended ({ended:?}) before call {stop} of the compiler");
            std::thread::yield_now();
        }
        child.kill().unwrap();
        child.wait().unwrap();
    }
    // What they stored of this very compiler is asked again, and then believed: it is the same.
    std::fs::create_dir(place.path("calls")).unwrap();
    let after = |words: &[&str]| {
        let cli = Cli::new(&place).args(words).env("TMPDIR", &tmp).env("CXX", &compiler);
        cli.env("CALLS", place.path("calls")).env("STOP", "1000000").run().ok().json()
    };
    let shadow = after(&["configure", "--shadow", "--json"]);
    assert!(shadow["record"]["modules"]["kernels.compiler"]["cxx"].is_array());
    let believed = after(&["configure", "--json"]);
    assert_eq!(believed["record"]["modules"], shadow["record"]["modules"]);
    assert_eq!(believed["processes"], 0);
    assert!(files(&tmp).is_empty(), "what the killed ones left is gone: {:?}", files(&tmp));
}
