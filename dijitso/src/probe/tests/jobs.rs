//! What becomes of a job: its environment, its answers, its directory.

use super::batch::{other, question, told};
use super::*;

#[test]
fn programs_in_jobs_see_what_they_would_see_here() {
    let mut desk = Desk::new();
    desk.variables.push(("LD_LIBRARY_PATH", "/it's \"one\"".to_owned()));
    let said = |desk: &Desk, launcher: Launcher, name: &str| {
        let includes = "#include <stdio.h>\n#include <stdlib.h>";
        let text = "const char *names[] = {\"PATH\", \"LD_LIBRARY_PATH\", \"LC_ALL\", \"CARGO_MANIFEST_DIR\", \
                    \"CARGO_PKG_NAME\", \"LEAK\", \"SLURM_JOB_ID\"}; \
                    for (int i = 0; i < 7; i++) { const char *v = getenv(names[i]); puts(v ? v : \"-\"); } \
                    puts(getenv(\"TMPDIR\"));";
        let question = Run::body(Language::C, includes, text).variable("CARGO_PKG_NAME");
        let probes = desk.builder().without_cache();
        let probes = match name {
            "" => probes,
            name => probes.launcher(desk.path(name), launcher),
        };
        let ran = told(&probes.build().unwrap(), &question).yes().unwrap().stdout;
        ran.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    let launcher = desk.script("bin/launch", "LEAK=1 SLURM_JOB_ID=\"1 7\" exec \"$@\"");
    let here = said(&desk, Launcher::local(), "");
    assert_eq!(here[1..6], ["/it's \"one\"", "C", "-", env!("CARGO_PKG_NAME"), "-"]);
    assert_eq!(said(&desk, Launcher::local(), "local"), here);
    let there = said(&desk, Launcher::exec([launcher]), "exec");
    assert_eq!(there[..6], here[..6]);
    assert_eq!(there[6], "1 7", "what the launcher itself says, for programs of MPI");
    assert_eq!(there[7], here[7], "a directory of its own");
}

#[test]
fn a_job_that_is_run_again_asks_only_what_it_has_not_answered() {
    let desk = Desk::new();
    let (count, gate) = (desk.path("count"), desk.path("gate"));
    let counted = Run::body(
        Language::C,
        "#include <stdio.h>",
        &format!("FILE *f = fopen(\"{}\", \"a\"); fputs(\"x\", f); puts(\"counted\");", count.display()),
    );
    let ended = Run::body(
        Language::C,
        "#include <signal.h>\n#include <stdio.h>\n#include <unistd.h>",
        &format!("if (access(\"{}\", F_OK)) raise(SIGKILL); puts(\"after all\");", gate.display()),
    );
    let queue = desk.script("bin/qsub", "exit 0");
    let build = || {
        let launcher = Launcher::template("@COMMAND@\n", [queue.as_str()]).waiting(false);
        desk.builder().launcher(desk.path("batch"), launcher).build().unwrap()
    };
    let run = || std::process::Command::new("sh").arg(desk.path("batch/job-1/job.sh")).status().unwrap();
    let first = build();
    let _ = first.ask_all((counted.clone(), ended.clone()));
    assert!(!first.run_batch().unwrap());
    assert!(run().success());
    std::fs::write(&gate, "").unwrap();
    std::fs::remove_file(desk.path("batch/job-1/finished")).unwrap();
    assert!(run().success());
    let (one, two) = build().ask_all((counted, ended));
    assert_eq!(one.yes().unwrap().stdout, "counted\n");
    assert_eq!(two.yes().unwrap().stdout, "after all\n", "who was ended is asked again");
    assert_eq!(std::fs::read_to_string(&count).unwrap(), "x");
}

#[test]
fn an_answer_without_all_that_belongs_to_it_is_none() {
    let desk = Desk::new();
    for lost in ["told/stdout", "told/stderr", "told/status", "program"] {
        let launcher = desk.script("bin/launch", &format!("\"$@\"; rm -rf \"${{2%/*}}\"/*/{lost}"));
        let probes = desk.builder().launcher(desk.path("batch"), Launcher::exec([launcher])).build().unwrap();
        let _ = probes.ask(&question());
        let error = probes.run_batch().unwrap_err().to_string();
        assert!(error.contains("ended without an answer to: "), "{lost}: {error}");
    }
    // Nor is that of another program.
    let launcher = desk
        .script("bin/launch", "for p in \"${2%/*}\"/*/program; do cp /bin/true \"$p\"; done; exec \"$@\"");
    let probes = desk.builder().launcher(desk.path("batch"), Launcher::exec([launcher])).build().unwrap();
    let _ = probes.ask(&question());
    let error = probes.run_batch().unwrap_err().to_string();
    assert!(error.contains("ended without an answer to: "), "{error}");
}

#[test]
fn of_many_tasks_the_first_one_is_listened_to() {
    let desk = Desk::new();
    let text = "printf(\"rank %s\\n\", getenv(\"PMI_RANK\"));";
    let question = Run::body(Language::C, "#include <stdio.h>\n#include <stdlib.h>", text);
    let launcher = desk.script("bin/launch", "for PMI_RANK in 2 0 1; do export PMI_RANK; \"$@\"; done");
    let probes = desk.builder().launcher(desk.path("batch"), Launcher::exec([launcher])).build().unwrap();
    assert_eq!(told(&probes, &question).yes().unwrap().stdout, "rank 0\n");
}

#[test]
fn a_status_that_looks_like_a_signal_is_a_status() {
    let desk = Desk::new();
    let exits = Run::new(Language::C, "int main(void) { return 137; }\n").any_status();
    let faulty = Run::body(Language::C, "#include <signal.h>", "raise(SIGSEGV);").any_status();
    let probes = desk.builder().launcher(desk.path("batch"), Launcher::local()).build().unwrap();
    let _ = probes.ask_all((exits.clone(), faulty.clone()));
    assert!(probes.run_batch().unwrap());
    let (exits, faulty) = probes.ask_all((exits, faulty));
    assert_eq!((exits.yes().unwrap().status, faulty.yes().unwrap().status), (137, -11));
}

#[test]
fn a_limit_of_the_batch_system_or_a_node_without_a_library_is_no_answer() {
    let desk = Desk::new();
    let raising = |signal| Run::body(Language::C, "#include <signal.h>", &format!("raise({signal});"));
    let all = || (raising("SIGXCPU"), raising("SIGHUP").any_status());
    let probes = desk.builder().launcher(desk.path("batch"), Launcher::local()).build().unwrap();
    let _ = probes.ask_all(all());
    assert!(probes.run_batch().unwrap_err().to_string().contains("was killed"));
    let (limited, hung_up) = probes.ask_all(all());
    assert!(matches!(limited, Verdict::Unknown(_)) && matches!(hung_up, Verdict::Unknown(_)), "{limited:?}");
    // The loader's words, and its status.
    let text = "fputs(\"./program: error while loading shared libraries: libx.so\", stderr); return 127;";
    let unloadable = Run::body(Language::C, "#include <stdio.h>", text);
    let probes = desk.builder().launcher(desk.path("other"), Launcher::local()).build().unwrap();
    let _ = probes.ask(&unloadable);
    let _ = probes.run_batch();
    let verdict = probes.ask(&unloadable);
    assert!(matches!(verdict, Verdict::Unknown(_)), "{verdict:?}");
}

#[test]
fn a_node_needs_no_more_than_a_shell_and_the_usual_tools() {
    let desk = Desk::new();
    std::fs::create_dir(desk.path("tools")).unwrap();
    for tool in ["env", "mkdir", "mv", "rm", "sed", "tr", "uname"] {
        std::os::unix::fs::symlink(format!("/usr/bin/{tool}"), desk.path("tools").join(tool)).unwrap();
    }
    let launcher = desk.script("bin/launch", &format!("PATH={} exec \"$@\"", desk.path("tools").display()));
    let probes = desk.builder().launcher(desk.path("batch"), Launcher::exec([launcher])).build().unwrap();
    let raising =
        |signal| Run::body(Language::C, "#include <signal.h>", &format!("raise({signal});")).any_status();
    let all = || (question(), other(), raising("SIGSEGV"), raising("SIGTERM"));
    let _ = probes.ask_all(all());
    assert!(probes.run_batch().unwrap_err().to_string().contains("was killed"));
    let (said, third, faulty, ended) = probes.ask_all(all());
    assert_eq!(said.yes().unwrap().stdout, "from the job\n");
    assert_eq!((third.yes().unwrap().status, faulty.yes().unwrap().status), (3, -11));
    assert!(matches!(ended, Verdict::Unknown(_)), "{ended:?}");
}

#[test]
fn a_job_can_be_entered_by_its_owner_only_and_says_what_it_is() {
    let desk = Desk::new();
    let probes = desk.builder().launcher(desk.path("batch"), Launcher::local()).build().unwrap();
    let asked = other().named("the third");
    assert_eq!(told(&probes, &asked).yes().unwrap().status, 3);
    let job = desk.path("batch/job-1");
    assert_eq!(std::fs::metadata(&job).unwrap().permissions().mode() & 0o7777, 0o700);
    let manifest: serde_json::Value =
        serde_json::from_slice(&std::fs::read(job.join("manifest.json")).unwrap()).unwrap();
    assert_eq!(manifest["dijitso"], env!("CARGO_PKG_VERSION"));
    assert_eq!(manifest["launcher"], "sh");
    let programs = manifest["programs"].as_object().unwrap();
    let (key, program) = programs.iter().find(|(_, program)| program["question"] == "the third").unwrap();
    assert_eq!(program["arguments"], serde_json::json!(["a b"]));
    let bytes = std::fs::read(job.join(key).join("program")).unwrap();
    assert_eq!(program["sha256"], crate::signature::digest(&bytes).to_hex());
    let node = std::fs::read_to_string(job.join(key).join("told/node")).unwrap();
    let uname = std::process::Command::new("uname").arg("-nm").output().unwrap();
    assert_eq!(node.lines().next(), Some(String::from_utf8_lossy(&uname.stdout).trim()));
    let no = told(&probes, &Run::new(Language::C, "int main(void) { return 4; }\n"));
    let commands = no.reason().unwrap().commands().join("\n");
    assert!(commands.contains(&format!("./program # on {}", node.lines().next().unwrap())), "{commands}");
}

/// Slurm's commands as scripts: `sbatch` queues and says `17;b`, `squeue` says what is in the file `queue`, and fails if there is none.
fn slurm(desk: &mut Desk, sbatch: &str) -> impl Fn() -> Probes + use<> {
    let log = |name: &str| desk.path(name).display().to_string();
    desk.script("bin/sbatch", &format!("echo \"$@\" >>{}\n{sbatch}\necho '17;b'", log("submitted")));
    let unknown = "echo 'slurm_load_jobs error: Invalid job id specified' >&2; exit 1";
    desk.script(
        "bin/squeue",
        &format!("echo \"$@\" >>{}\ncat {} || {{ {unknown}; }}", log("asked"), log("queue")),
    );
    desk.variables = vec![("PATH", format!("{}:/usr/bin:/bin", desk.path("bin").display()))];
    let batch = desk.path("batch");
    let builder = desk.builder();
    move || {
        let launcher = Launcher::slurm().option("-M").option("a,b").waiting(false);
        builder.clone().launcher(&batch, launcher).build().unwrap()
    }
}

fn lines(desk: &Desk, name: &str) -> Vec<String> {
    std::fs::read_to_string(desk.path(name)).unwrap_or_default().lines().map(str::to_owned).collect()
}

#[test]
fn a_job_of_slurm_is_asked_for_by_its_id_where_it_was_submitted() {
    let mut desk = Desk::new();
    let build = slurm(&mut desk, "");
    assert!(told(&build(), &question()).yes().is_none());
    assert_eq!(lines(&desk, "batch/job-1/id"), ["17;b"]);
    for state in ["PENDING\n", "RUNNING\n", "COMPLETING\n", "CLUSTER: b\nREQUEUED\n"] {
        desk.write("queue", state);
        assert!(told(&build(), &question()).yes().is_none());
        assert_eq!(lines(&desk, "submitted").len(), 1, "{state}");
    }
    let name = lines(&desk, "batch/job-1/submitted").join("");
    for asked in lines(&desk, "asked") {
        for word in ["--jobs=17", "--clusters=b", &format!("--name={name}"), "--states=all"] {
            assert!(asked.split(' ').any(|it| it == word), "{word}: {asked}");
        }
    }
    // It was so long ago that the queue has forgotten it.
    std::fs::remove_file(desk.path("queue")).unwrap();
    assert!(told(&build(), &question()).yes().is_none());
    assert_eq!(lines(&desk, "submitted").len(), 2);
    assert!(!desk.path("batch/job-1").exists() && desk.path("batch/job-2").exists());
}

#[test]
fn a_job_that_no_queue_knows_is_submitted_again_and_left_in_peace() {
    let mut desk = Desk::new();
    let build = slurm(&mut desk, "");
    assert!(told(&build(), &question()).yes().is_none());
    // As if somebody was killed before he could note it.
    std::fs::remove_file(desk.path("batch/job-1/id")).unwrap();
    desk.write("queue", "");
    assert!(told(&build(), &question()).yes().is_none());
    assert_eq!(lines(&desk, "submitted").len(), 2);
    assert!(lines(&desk, "asked")[0].contains("--clusters=a,b"), "{:?}", lines(&desk, "asked"));
    let programs = std::fs::read_dir(desk.path("batch/job-1")).unwrap();
    let programs = programs.filter(|entry| entry.as_ref().unwrap().path().join("program").exists());
    assert_eq!(programs.count(), 2, "it may run yet");
    // Then its answers are as good.
    assert!(std::process::Command::new(desk.path("batch/job-1/run.sh")).status().unwrap().success());
    assert_eq!(build().ask(&question()).yes().unwrap().stdout, "from the job\n");
}

#[test]
fn a_job_that_is_just_being_submitted_is_under_way() {
    let mut desk = Desk::new();
    let (submitting, gate) = (desk.path("submitting"), desk.path("gate"));
    for pipe in [&submitting, &gate] {
        assert!(std::process::Command::new("mkfifo").arg(pipe).status().unwrap().success());
    }
    let wait = format!("echo x >{}; read x <{}", submitting.display(), gate.display());
    let build = slurm(&mut desk, &wait);
    desk.write("queue", "");
    let first = build();
    let _ = first.ask(&question());
    std::thread::scope(|scope| {
        let submitted = scope.spawn(|| first.run_batch().unwrap());
        std::fs::read(&submitting).unwrap();
        let second = build();
        let verdict = second.ask(&question());
        let third = second.run_batch();
        std::fs::write(&gate, "x\n").unwrap();
        assert!(matches!(verdict, Verdict::Unknown(_)) && !third.unwrap());
        assert!(!submitted.join().unwrap());
    });
    assert_eq!(lines(&desk, "submitted").len(), 1);
    assert!(lines(&desk, "asked").is_empty(), "the queue could not know it yet");
}

#[test]
fn an_answer_that_is_there_is_taken_while_another_job_is_under_way() {
    let desk = Desk::new();
    let queue = desk.script("bin/qsub", "exit 0");
    let build = || {
        let launcher = Launcher::template("@COMMAND@\n", [queue.as_str()]).waiting(false);
        desk.builder().launcher(desk.path("batch"), launcher).build().unwrap()
    };
    let both = [build(), build()];
    // Neither has submitted it when the other one asks.
    for probes in &both {
        let _ = probes.ask(&question());
    }
    for probes in &both {
        assert!(!probes.run_batch().unwrap());
    }
    assert!(build().ask(&question()).yes().is_none());
    assert!(std::process::Command::new(desk.path("batch/job-1/run.sh")).status().unwrap().success());
    assert_eq!(build().ask(&question()).yes().unwrap().stdout, "from the job\n");
}

#[test]
fn a_job_is_not_forgotten_while_somebody_waits_for_it() {
    let desk = Desk::new();
    let (ready, gate) = (desk.path("ready"), desk.path("gate"));
    for pipe in [&ready, &gate] {
        assert!(std::process::Command::new("mkfifo").arg(pipe).status().unwrap().success());
    }
    // Whichever is waited for at the gate, the other one is submitted and answered meanwhile.
    for (slow, fast) in [(0, 1), (1, 0)] {
        let dir = desk.path(&format!("batch{slow}"));
        let wait = format!("echo x >{}; read x <{}", ready.display(), gate.display());
        let number = slow + 1;
        let launcher =
            desk.script("bin/launch", &format!("\"$@\"; case $2 in */job-{number}/*) {wait} ;; esac"));
        let build = || {
            let builder = desk.builder().without_cache();
            builder.launcher(&dir, Launcher::exec([launcher.as_str()])).build().unwrap()
        };
        let both = [build(), build()];
        for probes in &both {
            let _ = probes.ask(&question());
        }
        std::thread::scope(|scope| {
            let waits = scope.spawn(|| both[slow].run_batch().unwrap());
            std::fs::read(&ready).unwrap();
            let other = both[fast].run_batch();
            std::fs::write(&gate, "x\n").unwrap();
            assert!(other.unwrap() && waits.join().unwrap(), "job {number} is the slow one");
        });
        for probes in &both {
            assert_eq!(probes.ask(&question()).yes().unwrap().stdout, "from the job\n");
        }
    }
}

/// As if it had last been of use so long ago.
fn age(path: &std::path::Path, days: u64) {
    let then = std::time::SystemTime::now() - std::time::Duration::from_secs(days * 24 * 3600);
    std::fs::File::open(path).unwrap().set_modified(then).unwrap();
}

#[test]
fn what_a_killed_process_has_left_is_swept_and_what_others_make_is_not() {
    let desk = Desk::new();
    let build = || desk.builder().launcher(desk.path("batch"), Launcher::local()).build().unwrap();
    desk.write("batch/job-1/0123/program", "");
    let alive = build();
    let _ = alive.ask(&question());
    assert!(!desk.path("batch/job-1/0123").exists() && desk.path("batch/job-1").exists());
    let second = build();
    assert_eq!(told(&second, &other()).yes().unwrap().status, 3);
    assert!(desk.path("batch/job-1").exists() && desk.path("batch/job-2").exists());
    assert!(alive.run_batch().unwrap());
    assert_eq!(alive.ask(&question()).yes().unwrap().stdout, "from the job\n");
}

#[test]
fn jobs_are_swept_when_their_answers_are_kept_and_nobody_has_needed_them_for_a_month() {
    let desk = Desk::new();
    let queue = desk.script("bin/qsub", "exit 0");
    let build = || {
        let launcher = Launcher::template("@COMMAND@\n", [queue.as_str()]).waiting(false);
        desk.builder().launcher(desk.path("batch"), launcher).build().unwrap()
    };
    let numbered = |n: u8| Run::new(Language::C, format!("int main(void) {{ return {n}; }}\n")).any_status();
    let run = |n: u8| {
        let script = desk.path(&format!("batch/job-{n}/job.sh"));
        assert!(std::process::Command::new("sh").arg(script).status().unwrap().success());
    };
    // One whose answer is taken, one whose answer nobody has, one that has not run, and one that was of use today.
    for n in 1..=4 {
        assert!(told(&build(), &numbered(n)).yes().is_none());
        if n != 3 {
            run(n);
        }
        if n == 1 || n == 4 {
            assert_eq!(build().ask(&numbered(n)).yes().unwrap().status, i32::from(n));
        }
    }
    for n in 1..=3 {
        age(&desk.path(&format!("batch/job-{n}/manifest.json")), 40);
    }
    assert!(told(&build(), &numbered(5)).yes().is_none());
    let left = [1, 2, 3, 4, 5].map(|n| desk.path(&format!("batch/job-{n}")).exists());
    assert_eq!(left, [false, true, true, true, true]);
    assert_eq!(build().ask(&numbered(2)).yes().unwrap().status, 2);
}
