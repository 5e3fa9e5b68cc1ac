//! Programs that run in a job, with launchers that are scripts.

use super::*;

pub(super) fn question() -> Run {
    Run::body(Language::C, "#include <stdio.h>", "puts(\"from the job\");")
}

pub(super) fn other() -> Run {
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
    let manifest = std::fs::read_to_string(desk.path("batch/job-1/manifest.json")).unwrap();
    assert_eq!(manifest.matches("run C text").count(), 2, "{manifest}");
    // It must run before it is believed of another one that it fails.
    assert!(manifest.contains("an empty C program"), "{manifest}");
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
    let job = std::process::Command::new(desk.path("batch/job-1/job.sh")).status().unwrap();
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
    assert!(error.contains("ended without an answer to: "), "{error}");
    assert!(error.contains(desk.path("batch/job-1").to_str().unwrap()), "{error}");
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

/// Runs what it is given, and counts.
pub(super) fn counting(desk: &Desk) -> Launcher {
    let log = desk.path("launched");
    Launcher::exec([desk.script("bin/launch", &format!("echo x >> {}; exec \"$@\"", log.display()))])
}

pub(super) fn launched(desk: &Desk) -> usize {
    std::fs::read_to_string(desk.path("launched")).unwrap_or_default().lines().count()
}

/// Asks, runs the job if there must be one, and asks again.
pub(super) fn told(probes: &Probes, question: &Run) -> Verdict<Ran> {
    let verdict = probes.ask(question);
    match probes.run_batch().unwrap() {
        true => probes.ask(question),
        false => verdict,
    }
}

#[test]
fn the_answer_of_a_program_whose_header_has_changed_is_not_taken() {
    let desk = Desk::new();
    let question = Run::body(Language::C, "#include <stdio.h>\n#include \"value.h\"", "puts(VALUE);")
        .with(&Settings::new().include_dir(desk.path("include")));
    let build =
        |builder: ProbesBuilder| builder.launcher(desk.path("batch"), counting(&desk)).build().unwrap();
    desk.write("include/value.h", "#define VALUE \"one\"\n");
    assert_eq!(told(&build(desk.builder()), &question).yes().unwrap().stdout, "one\n");
    desk.write("include/value.h", "#define VALUE \"two\"\n");
    let session = build(desk.builder());
    assert_eq!(told(&session, &question).yes().unwrap().stdout, "two\n");
    assert_eq!(launched(&desk), 2);
    let left = std::fs::read_dir(desk.path("batch/job-1")).unwrap();
    let programs = left.filter(|entry| entry.as_ref().unwrap().path().is_dir()).count();
    assert_eq!(programs, 1, "only the empty program is of use to anybody");
    let warm = build(desk.builder());
    assert_eq!(warm.ask(&question).yes().unwrap().stdout, "two\n");
    assert_eq!(warm.stats().processes, 0);
    // Without a cache the directory is all that is known.
    let alone = || build(desk.builder().without_cache());
    assert_eq!(alone().ask(&question).yes().unwrap().stdout, "two\n");
    desk.write("include/value.h", "#define VALUE \"three\"\n");
    assert_eq!(told(&alone(), &question).yes().unwrap().stdout, "three\n");
}

#[test]
fn configurations_that_share_a_directory_have_jobs_of_their_own() {
    let desk = Desk::new();
    let queue = desk.script("bin/qsub", &format!("echo \"$1\" >> {}", desk.path("launched").display()));
    let build = || {
        let launcher = Launcher::template("@COMMAND@\n", [queue.as_str()]).waiting(false);
        desk.builder().launcher(desk.path("batch"), launcher).build().unwrap()
    };
    let (one, two, both) = (build(), build(), build());
    assert!(told(&one, &question()).yes().is_none());
    assert!(told(&two, &other()).yes().is_none());
    let _ = both.ask_all((question(), other()));
    assert!(!both.run_batch().unwrap());
    assert_eq!(launched(&desk), 2, "both are under way");
    for job in std::fs::read_to_string(desk.path("launched")).unwrap().lines() {
        assert!(std::process::Command::new("sh").arg(job).status().unwrap().success());
    }
    let (first, second) = build().ask_all((question(), other()));
    assert_eq!(first.yes().unwrap().stdout, "from the job\n");
    assert_eq!(second.yes().unwrap().status, 3);
    assert_eq!(launched(&desk), 2);
}

#[test]
fn a_directory_may_be_named_as_it_likes() {
    let desk = Desk::new();
    let dir = desk.path("it's \"a\" $(touch wrong) dir;\n#x %j");
    for launcher in [Launcher::exec(["env"]), Launcher::template("#!/bin/sh\n@COMMAND@\n", ["/bin/sh"])] {
        let probes = desk.builder().launcher(&dir, launcher).build().unwrap();
        assert_eq!(told(&probes, &question()).yes().unwrap().stdout, "from the job\n");
    }
    use std::os::unix::ffi::OsStringExt as _;
    let illegible = desk.dir.path().join(std::ffi::OsString::from_vec(b"\xff".to_vec()));
    let probes = desk.builder().launcher(illegible, Launcher::exec(["env", "-i"])).build().unwrap();
    let _ = probes.ask(&question());
    let error = probes.run_batch().unwrap_err().to_string();
    assert!(error.contains("choose another one"), "{error}");
}

#[test]
fn a_program_that_somebody_ended_has_said_nothing() {
    let desk = Desk::new();
    let ended = Run::body(Language::C, "#include <signal.h>", "raise(SIGTERM);");
    let faulty = Run::body(Language::C, "#include <signal.h>", "raise(SIGSEGV);");
    let probes = desk.builder().launcher(desk.path("batch"), counting(&desk)).build().unwrap();
    let _ = probes.ask_all((ended.clone(), faulty.clone()));
    let error = probes.run_batch().unwrap_err().to_string();
    assert!(error.contains("was killed"), "{error}");
    let (unknown, no) = probes.ask_all((ended.clone(), faulty.clone()));
    assert!(matches!(unknown, Verdict::Unknown(_)), "{unknown:?}");
    assert!(no.is_no(), "its own fault is an answer: {no:?}");
}

#[test]
fn what_was_answered_before_a_job_was_cut_off_is_no_loss() {
    let desk = Desk::new();
    let cut = r#"sed -i '/>finished/d; s/^\(for key in .*\) [0-9a-f]*; do$/\1; do/' "$2"; exec "$@""#;
    let build = |text: &str| {
        let launcher = Launcher::exec([desk.script("bin/launch", text)]);
        desk.builder().launcher(desk.path("batch"), launcher).build().unwrap()
    };
    let probes = build(cut);
    let _ = probes.ask_all((question(), other()));
    let error = probes.run_batch().unwrap_err().to_string();
    assert!(error.contains("ended without an answer to: "), "{error}");
    let second = build("exec \"$@\"");
    let (one, two) = second.ask_all((question(), other()));
    assert!(one.is_yes() || two.is_yes(), "{one:?} {two:?}");
    assert!(second.run_batch().unwrap());
    let (one, two) = second.ask_all((question(), other()));
    assert!(one.is_yes() && two.is_yes(), "{one:?} {two:?}");
}

#[test]
fn answers_that_a_file_server_shows_late_are_waited_for() {
    let desk = Desk::new();
    let late = desk.script("bin/late", "(sleep 0.5; \"$@\") >/dev/null 2>&1 &");
    let launcher = Launcher::exec([late.as_str()]);
    let probes = desk.builder().launcher(desk.path("batch"), launcher).build().unwrap();
    assert_eq!(told(&probes, &question()).yes().unwrap().stdout, "from the job\n");
}

#[test]
fn a_job_that_cannot_be_submitted_is_not_taken_for_one_that_is_under_way() {
    let desk = Desk::new();
    let build = |launcher: Launcher| desk.builder().launcher(desk.path("batch"), launcher).build().unwrap();
    let refusing = desk.script("bin/refuse", "echo 'no such queue' >&2; exit 1");
    for _ in 0..2 {
        let probes = build(Launcher::template("@COMMAND@", [refusing.as_str()]).waiting(false));
        let _ = probes.ask(&question());
        let error = probes.run_batch().unwrap_err().to_string();
        assert!(error.contains("was not submitted") && error.contains("no such queue"), "{error}");
    }
    let probes = build(Launcher::template("#PBS -l nodes=1\n", ["sh"]));
    let _ = probes.ask(&question());
    let error = probes.run_batch().unwrap_err().to_string();
    assert!(error.contains("no @COMMAND@"), "{error}");
}

#[test]
fn what_was_never_submitted_is_left_nowhere() {
    let desk = Desk::new();
    let probes = desk.builder().launcher(desk.path("batch"), counting(&desk)).build().unwrap();
    let _ = probes.ask(&question());
    assert!(desk.path("batch/job-1").exists());
    drop(probes);
    assert!(!desk.path("batch/job-1").exists());
}

#[test]
fn a_shadow_runs_programs_again() {
    let desk = Desk::new();
    let state = desk.write("state", "one\n");
    // What no list of what was read names.
    let text = format!(
        "char line[9]; FILE *f = fopen(\"{}\", \"r\"); fputs(fgets(line, 9, f), stdout);",
        state.display()
    );
    let question = Run::body(Language::C, "#include <stdio.h>", &text).named("what the file says");
    let build =
        |builder: ProbesBuilder| builder.launcher(desk.path("batch"), counting(&desk)).build().unwrap();
    assert!(told(&build(desk.builder()), &question).is_yes());
    desk.write("state", "two\n");
    let shadow = build(desk.builder().shadow());
    assert_eq!(told(&shadow, &question).yes().unwrap().stdout, "two\n");
    let wrong = shadow.disagreements();
    assert!(wrong.len() == 1 && wrong[0].to_string().contains("what the file says"), "{wrong:?}");
    assert_eq!(launched(&desk), 2);
}
