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
    for delay in [30, 80, 150, 250] {
        let mut cli = Cli::new(&place).args(["configure"]).env("TMPDIR", &tmp);
        cli.command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()).process_group(0);
        let mut child = cli.command.spawn().unwrap();
        std::thread::sleep(std::time::Duration::from_millis(delay));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let after =
        Cli::new(&place).args(["configure", "--shadow", "--json"]).env("TMPDIR", &tmp).run().ok().json();
    assert!(after["record"]["modules"]["kernels.compiler"]["cxx"].is_array());
    assert!(files(&tmp).is_empty(), "what the killed ones left is gone: {:?}", files(&tmp));
}
