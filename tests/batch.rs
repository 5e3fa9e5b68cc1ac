//! Programs in jobs of a real Slurm, which `tests/run` starts; see `tests/slurm/start`.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use dijitso_tests::protocol::Configured;

use crate::harness::{Place, skip, variable};

const CONFIGURER: &str = env!("CARGO_BIN_EXE_configurer");

/// A place for configurations, and the Slurm that they use.
struct Desk {
    place: Place,
    conf: PathBuf,
}

impl Desk {
    fn new() -> Option<Desk> {
        let Some(dir) = variable("DIJITSO_TEST_SLURM") else {
            skip(
                "there is no Slurm; tests/run starts one, or tests/slurm/start DIR with DIJITSO_TEST_SLURM=DIR",
            );
            return None;
        };
        Some(Desk { place: Place::new(), conf: Path::new(&dir).join("slurm.conf") })
    }

    fn gate(&self) -> PathBuf {
        self.place.path("gate")
    }

    fn open_gate(&self) {
        std::fs::write(self.gate(), "").unwrap();
    }

    /// A new process that configures.
    fn start(&self, words: &[&str]) -> Child {
        self.start_in(words, &[])
    }

    /// With these variables.
    fn start_in(&self, words: &[&str], variables: &[(&str, &str)]) -> Child {
        let mut command = Command::new(CONFIGURER);
        command.envs(variables.iter().copied());
        command.arg(self.place.root()).arg(self.gate()).args(words);
        command.env("SLURM_CONF", &self.conf).env("DIJITSO_CONFIG", "/dev/null").env_remove("CC");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    fn end(child: Child) -> Configured {
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        let complaints = String::from_utf8_lossy(&output.stderr);
        serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error}: {said}\n{complaints}"))
    }

    fn run(&self, words: &[&str]) -> Configured {
        Desk::end(self.start(words))
    }

    fn run_in(&self, words: &[&str], variables: &[(&str, &str)]) -> Configured {
        Desk::end(self.start_in(words, variables))
    }

    /// One of Slurm's own commands.
    fn slurm(&self, program: &str, words: &[&str]) -> String {
        let output = Command::new(program).args(words).env("SLURM_CONF", &self.conf).output().unwrap();
        let complaints = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{program} {words:?}: {complaints}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    fn folder(&self, number: u32) -> PathBuf {
        self.place.path("batch").join(format!("job-{number}"))
    }

    /// How many jobs there were.
    fn jobs(&self) -> usize {
        std::fs::read_dir(self.place.path("batch")).unwrap().count()
    }

    /// The id of a job, once Slurm has it, in one of these states.
    fn id(&self, number: u32, states: &[&str]) -> String {
        let mut found = None;
        until("a job is in the queue", || {
            let name = std::fs::read_to_string(self.folder(number).join("submitted")).unwrap_or_default();
            if name.ends_with('\n') {
                let name = format!("--name={}", name.trim());
                let said = self.slurm("squeue", &["--noheader", "--states=all", "--format=%i %T", &name]);
                let line = said.split_once(' ').filter(|(_, state)| states.contains(state));
                found = line.map(|(id, _)| id.to_owned());
            }
            found.is_some()
        });
        found.unwrap()
    }

    fn has_finished(&self, number: u32) -> bool {
        self.folder(number).join("finished").exists()
    }
}

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(120);
    while !holds() {
        assert!(Instant::now() < deadline, "in vain it was waited until {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// All answers are there and right, and those of programs in jobs of Slurm come from one job. Which?
fn right(told: &Configured) -> String {
    assert_eq!(told.error, None);
    assert_eq!(told.status, Some(7));
    let (numbers, jobs): (Vec<&str>, Vec<&str>) =
        told.answers.iter().map(|answer| answer.split_once(' ').unwrap()).unzip();
    assert_eq!(numbers, ["4", "9", "16"]);
    assert!(jobs.iter().all(|job| *job == jobs[0] && job.parse::<u64>().is_ok()), "{jobs:?}");
    jobs[0].to_owned()
}

#[test]
fn all_programs_of_a_configuration_are_one_job_that_is_waited_for() {
    let Some(desk) = Desk::new() else { return };
    desk.open_gate();
    let words = ["slurm", "--partition=debug", "--ntasks=1"];
    let job = right(&desk.run(&words));
    assert_eq!(desk.jobs(), 1);
    assert_eq!(desk.id(1, &["COMPLETED", "COMPLETING"]), job);
    let again = desk.run(&words);
    assert_eq!((right(&again), again.processes), (job, 0));
}

#[test]
fn a_new_process_goes_on_when_the_job_has_run_and_not_before() {
    let Some(desk) = Desk::new() else { return };
    let words = ["slurm-later", "--hold"];
    let waits = |told: Configured| {
        let error = told.error.unwrap();
        assert!(told.waits && error.contains(" for a job of `sbatch --hold`"), "{error}");
        assert!(error.contains(desk.folder(1).to_str().unwrap()), "{error}");
        assert_eq!(desk.jobs(), 1);
        error
    };
    // Four questions, and the empty program.
    let all = waits(desk.run(&words));
    assert!(all.starts_with("5 programs wait"), "{all}");
    let id = desk.id(1, &["PENDING"]);
    // It is in the queue.
    assert_eq!(waits(desk.run(&words)), all);
    desk.slurm("scontrol", &["release", &id]);
    // It runs, and perhaps has some of the answers.
    assert_eq!(desk.id(1, &["RUNNING"]), id);
    waits(desk.run(&words));
    desk.open_gate();
    until("the job has ended", || desk.has_finished(1));
    assert_eq!(right(&desk.run(&words)), id);
    let again = desk.run(&words);
    assert_eq!((right(&again), again.processes, desk.jobs()), (id, 0, 1));
}

#[test]
fn a_process_that_is_killed_while_it_waits_leaves_its_job_to_the_next() {
    let Some(desk) = Desk::new() else { return };
    let mut first = desk.start(&["slurm"]);
    let id = desk.id(1, &["RUNNING"]);
    first.kill().unwrap();
    first.wait().unwrap();
    let second = desk.run(&["slurm"]);
    assert!(second.waits && desk.jobs() == 1, "{second:?}");
    desk.open_gate();
    until("the job has ended", || desk.has_finished(1));
    assert_eq!(right(&desk.run(&["slurm"])), id);
    assert_eq!(desk.jobs(), 1);
}

#[test]
fn srun_and_templates_for_sbatch_run_jobs_too() {
    let four = &["exec", "srun", "-n4", "--overcommit"];
    for words in [&["exec", "srun", "-n1"][..], four, &["template", "sbatch", "--wait"]] {
        let Some(desk) = Desk::new() else { return };
        desk.open_gate();
        let job = right(&desk.run(words));
        let again = desk.run(words);
        assert_eq!((right(&again), again.processes, desk.jobs()), (job, 0, 1), "{words:?}");
    }
}

#[test]
fn a_job_that_is_cancelled_is_an_error_and_submitted_again_the_next_time() {
    // One that is still in the queue, and one whose program is just running.
    for (words, state) in [(&["slurm", "--hold"][..], "PENDING"), (&["slurm"], "RUNNING")] {
        let Some(desk) = Desk::new() else { return };
        let first = desk.start(words);
        let id = desk.id(1, &[state]);
        desk.slurm("scancel", &[&id]);
        let told = Desk::end(first);
        let error = told.error.unwrap();
        assert!(!told.waits && error.contains("ended without an answer to: "), "{error}");
        assert!(error.contains("the gate"), "{error}");
        assert!(error.contains(desk.folder(1).to_str().unwrap()), "{error}");
        desk.open_gate();
        let second = desk.start(words);
        let next = desk.id(2, &["PENDING", "RUNNING", "COMPLETING", "COMPLETED"]);
        assert_ne!(next, id);
        if state == "PENDING" {
            desk.slurm("scontrol", &["release", &next]);
        }
        let told = Desk::end(second);
        assert_eq!((told.error, told.status), (None, Some(7)));
        assert!(told.answers.iter().map(|answer| &answer[..2]).eq(["4 ", "9 ", "16"]), "{:?}", told.answers);
    }
}

#[test]
fn a_job_that_was_cancelled_while_nobody_waited_is_submitted_again() {
    let Some(desk) = Desk::new() else { return };
    let words = ["slurm-later", "--hold"];
    assert!(desk.run(&words).waits);
    desk.slurm("scancel", &[&desk.id(1, &["PENDING"])]);
    desk.id(1, &["CANCELLED"]);
    assert!(desk.run(&words).waits);
    let next = desk.id(2, &["PENDING"]);
    assert!(!desk.folder(1).exists(), "of the one that never ran nothing is kept");
    desk.open_gate();
    desk.slurm("scontrol", &["release", &next]);
    until("the job has ended", || desk.has_finished(2));
    assert_eq!(right(&desk.run(&words)), next);
}

#[test]
fn what_slurm_says_to_a_job_that_it_refuses_is_told() {
    let Some(desk) = Desk::new() else { return };
    for launcher in ["slurm", "slurm-later"] {
        let told = desk.run(&[launcher, "--partition=none"]);
        let error = told.error.unwrap();
        assert!(!told.waits && error.contains("invalid partition"), "{error}");
        assert!(error.contains(desk.place.path("batch").to_str().unwrap()), "{error}");
    }
}

#[test]
fn an_answer_of_one_partition_is_none_of_another() {
    let Some(desk) = Desk::new() else { return };
    desk.open_gate();
    let (debug, other) = ([("SBATCH_PARTITION", "debug")], [("SBATCH_PARTITION", "other")]);
    let first = right(&desk.run_in(&["slurm"], &debug));
    let second = right(&desk.run_in(&["slurm"], &other));
    assert_ne!(first, second);
    assert_eq!(
        desk.slurm("squeue", &["--noheader", "--states=all", "--format=%P", "--jobs", &second]),
        "other"
    );
    let again = desk.run_in(&["slurm"], &debug);
    assert_eq!((right(&again), again.processes), (first, 0));
}

#[test]
fn a_users_own_view_of_the_queue_hides_no_job() {
    let Some(desk) = Desk::new() else { return };
    let view = [("SQUEUE_PARTITION", "other"), ("SQUEUE_STATES", "FAILED"), ("SQUEUE_USERS", "nobody")];
    let words = ["slurm-later", "--hold"];
    assert!(desk.run(&words).waits);
    let id = desk.id(1, &["PENDING"]);
    let told = desk.run_in(&words, &view);
    assert!(told.waits && desk.jobs() == 1, "{told:?}");
    desk.slurm("scancel", &[&id]);
}

#[test]
fn a_job_that_slurm_runs_again_keeps_what_it_has_answered() {
    let Some(desk) = Desk::new() else { return };
    let words = ["slurm-later", "--requeue"];
    assert!(desk.run(&words).waits);
    let id = desk.id(1, &["RUNNING"]);
    let answered = || {
        let programs = std::fs::read_dir(desk.folder(1)).unwrap().map(|entry| entry.unwrap().path());
        programs.filter(|program| program.join("told/status").exists()).count()
    };
    desk.slurm("scontrol", &["requeue", &id]);
    desk.id(1, &["PENDING"]);
    let before = answered();
    // It is queued again, and not submitted again.
    assert!(desk.run(&words).waits && desk.jobs() == 1);
    desk.open_gate();
    desk.slurm("scontrol", &["update", &format!("JobId={id}"), "StartTime=now"]);
    until("the job has ended", || desk.has_finished(1));
    assert!(answered() == 5 && before < 5, "{before}");
    assert_eq!(right(&desk.run(&words)), id);
    assert_eq!(desk.jobs(), 1);
}

#[test]
fn a_job_whose_time_is_up_is_an_error_and_submitted_again() {
    let Some(desk) = Desk::new() else { return };
    let first = desk.start(&["slurm"]);
    let id = desk.id(1, &["RUNNING"]);
    desk.slurm("scontrol", &["update", &format!("JobId={id}"), "EndTime=now"]);
    let error = Desk::end(first).error.unwrap();
    assert!(error.contains("ended without an answer to: ") && error.contains("the gate"), "{error}");
    desk.id(1, &["TIMEOUT"]);
    desk.open_gate();
    let told = desk.run(&["slurm"]);
    assert_eq!((told.error, told.status), (None, Some(7)));
}

#[test]
fn two_processes_at_once_have_jobs_of_their_own_or_one_waits_for_the_other() {
    let Some(desk) = Desk::new() else { return };
    let both = [desk.start(&["slurm"]), desk.start(&["slurm"])];
    desk.id(1, &["RUNNING"]);
    desk.open_gate();
    let told = both.map(Desk::end);
    assert!(told.iter().any(|told| !told.waits), "{told:?}");
    for told in told.iter().filter(|told| !told.waits) {
        assert_eq!((&told.error, told.status), (&None, Some(7)));
    }
    let again = desk.run(&["slurm"]);
    assert_eq!((again.error, again.status, again.processes), (None, Some(7), 0));
}
