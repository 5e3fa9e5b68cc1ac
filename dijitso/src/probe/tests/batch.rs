//! Programs that run in a job, with launchers that are scripts.

use super::*;

fn question() -> Run {
    Run::body(Language::C, "#include <stdio.h>", "puts(\"from the job\");")
}

fn other() -> Run {
    Run::new(Language::C, "int main(void) { return 3; }\n").any_status().arg("a b")
}

#[test]
fn programs_are_collected_into_one_job_and_their_answers_come_back() {
    let desk = Desk::new();
    let launcher = desk
        .script("bin/launch", &format!("echo \"$@\" >> {}; exec \"$@\"", desk.path("launched").display()));
    let build = || {
        desk.builder()
            .launcher(desk.path("batch"), Launcher::exec([launcher.as_str(), "env"]))
            .build()
            .unwrap()
    };
    let probes = build();
    let (first, second) = probes.ask_all((question(), other()));
    assert!(
        matches!(&first, Verdict::Unknown(reason) if reason.to_string().contains("waits for the batch job"))
    );
    assert!(matches!(second, Verdict::Unknown(_)));
    assert!(!desk.path("launched").exists(), "nothing is submitted before all are collected");
    assert!(probes.run_batch().unwrap());
    let (first, second) = probes.ask_all((question(), other()));
    assert_eq!(first.yes().unwrap().stdout, "from the job\n");
    assert_eq!(second.yes().unwrap().status, 3);
    let launched = std::fs::read_to_string(desk.path("launched")).unwrap();
    assert_eq!(launched.lines().count(), 1, "{launched}");
    let manifest = std::fs::read_to_string(desk.path("batch/manifest.json")).unwrap();
    assert_eq!(manifest.matches("run C text").count(), 2, "{manifest}");
    // Remembered as every answer is.
    let warm = build();
    assert!(warm.ask(&question()).is_yes());
    assert_eq!(warm.stats().processes, 0);
}

#[test]
fn a_new_process_takes_the_answers_after_the_job_has_run() {
    let desk = Desk::new();
    // It queues the job, and comes back.
    let queue = desk.script("bin/qsub", &format!("cp \"$1\" {}; echo 17", desk.path("queued").display()));
    let template =
        || Launcher::template("#!/bin/sh\n#QUEUE long\n@COMMAND@\n", [queue.as_str()]).waiting(false);
    let build = || desk.builder().launcher(desk.path("batch"), template()).build().unwrap();
    let probes = build();
    assert!(!probes.ask(&question()).is_yes());
    assert!(!probes.run_batch().unwrap(), "it is not waited for");
    assert!(std::fs::read_to_string(desk.path("queued")).unwrap().contains("#QUEUE long"));
    std::fs::remove_file(desk.path("queued")).unwrap();
    let second = build();
    assert!(!second.ask(&question()).is_yes());
    assert!(!second.run_batch().unwrap());
    assert!(!desk.path("queued").exists(), "it is submitted once");
    let job = std::process::Command::new(desk.path("batch/job.sh")).status().unwrap();
    assert!(job.success());
    let third = build();
    assert_eq!(third.ask(&question()).yes().unwrap().stdout, "from the job\n");
}

#[test]
fn slurm_is_given_one_script_and_waited_for() {
    let mut desk = Desk::new();
    let log = desk.path("submitted");
    desk.script(
        "bin/sbatch",
        &format!("echo \"$@\" > {}; for last; do :; done; exec /bin/sh \"$last\"", log.display()),
    );
    desk.variables = vec![("PATH", format!("{}:/usr/bin:/bin", desk.path("bin").display()))];
    let launcher = Launcher::slurm().option("--partition=debug");
    let probes = desk.builder().launcher(desk.path("batch"), launcher).build().unwrap();
    let _ = probes.ask(&question());
    assert!(probes.run_batch().unwrap());
    assert!(probes.ask(&question()).is_yes());
    let words = std::fs::read_to_string(&log).unwrap();
    assert!(words.contains("--wait") && words.contains("--partition=debug"), "{words}");
}

#[test]
fn a_job_that_ends_without_an_answer_and_a_missing_launcher_are_told() {
    let desk = Desk::new();
    let idle = desk.script("bin/idle", "exit 0");
    let probes =
        desk.builder().launcher(desk.path("batch"), Launcher::exec([idle.as_str()])).build().unwrap();
    let _ = probes.ask(&question());
    let error = probes.run_batch().unwrap_err().to_string();
    assert!(error.contains("ended without an answer"), "{error}");
    let launcher = Launcher::exec(["/no/such/launcher"]);
    let probes = desk.builder().launcher(desk.path("other"), launcher).build().unwrap();
    let _ = probes.ask(&question());
    let error = probes.run_batch().unwrap_err().to_string();
    assert!(error.contains("/no/such/launcher"), "{error}");
}

#[test]
fn a_program_that_does_not_link_is_a_no_without_a_job() {
    let desk = Desk::new();
    let probes = desk.builder().launcher(desk.path("batch"), Launcher::exec(["env"])).build().unwrap();
    let wrong = Run::new(Language::C, "int f(void); int main(void) { return f(); }\n");
    let verdict = probes.ask(&wrong);
    assert!(verdict.is_no(), "{verdict:?}");
}

#[test]
fn a_known_answer_needs_no_run_and_no_compiler() {
    let mut desk = Desk::new();
    desk.compilers = vec![(Language::C, "/no/such/cc".to_owned())];
    let probes = desk.builder().known("page size", 0, "4096").build().unwrap();
    let verdict = probes.ask(&Run::new(Language::C, "wrong").named("page size"));
    assert_eq!(verdict.yes().unwrap().stdout, "4096");
    assert_eq!(probes.stats().processes, 0);
}
