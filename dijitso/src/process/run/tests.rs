use std::path::Path;

use super::*;
use crate::process::terminate_children;
use crate::stats::Counters;

fn shell(script: &str, timeout: Duration) -> Command {
    Command::new("/bin/sh", Path::new("/"), timeout).args(["-c", script])
}

fn run(script: &str) -> Output {
    shell(script, Duration::from_secs(30)).run(&Counters::default()).unwrap()
}

#[test]
fn status_and_both_streams_come_back() {
    let output = run("echo out; printf 'err\\377' >&2; exit 3");
    assert_eq!(output.status, Status::Exited(3));
    assert_eq!((&output.stdout[..], &output.stderr[..]), (&b"out\n"[..], &b"err\xff"[..]));
    assert!(run("kill -9 $$").status == Status::Signaled(9));
    assert!(run("cat").status.success(), "standard input is empty, not the terminal");
}

#[test]
fn the_locale_is_c_and_the_environment_can_be_changed() {
    let command = shell("echo $LC_ALL,$ADDED,${HOME-none}", Duration::from_secs(30));
    let command = command.set("ADDED", Some("yes")).set("HOME", None::<&str>);
    let counters = Counters::default();
    assert_eq!(command.run(&counters).unwrap().stdout, b"C,yes,none\n");
    assert_eq!(counters.snapshot().processes, 1);
}

#[test]
fn a_timeout_kills_the_whole_group() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("pid");
    let script = format!("sleep 100 & echo $! > '{}'; wait", file.display());
    let output = shell(&script, Duration::from_millis(300)).run(&Counters::default()).unwrap();
    assert_eq!(output.status, Status::TimedOut);
    assert!(output.elapsed < Duration::from_secs(10));
    let grandchild = std::fs::read_to_string(file).unwrap();
    let stat = || std::fs::read_to_string(format!("/proc/{}/stat", grandchild.trim())).unwrap_or_default();
    let gone = || stat().is_empty() || stat().contains(") Z ");
    assert!((0..200).any(|_| {
        std::thread::sleep(Duration::from_millis(5));
        gone()
    }));
}

#[test]
fn a_grandchild_that_keeps_the_pipe_does_not_keep_us() {
    let output = run("echo done; sleep 20 &");
    assert_eq!(output.stdout, b"done\n");
    assert!(output.elapsed < Duration::from_secs(10));
}

#[test]
fn what_a_program_left_running_is_ended_with_it_where_that_is_asked_for() {
    let script = "sleep 1000 & echo $!";
    let left = |output: Output| String::from_utf8(output.stdout).unwrap().trim().to_owned();
    let state = |pid: &str| std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let server = left(run(script));
    // It may still be on its way from the shell to `sleep`.
    let lives = |pid: &str| !state(pid).is_empty() && !state(pid).contains(") Z ");
    assert!(lives(&server), "a compiler's server may stay");
    let pid = Pid::from_raw(server.parse().unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    let command = shell(script, Duration::from_secs(30)).with_all_it_started();
    let server = left(command.run(&Counters::default()).unwrap());
    // Whoever adopted it may not have reaped it yet.
    let gone = || state(&server).is_empty() || state(&server).contains(") Z ");
    assert!((0..1000).any(|_| gone() || {
        std::thread::yield_now();
        std::thread::sleep(Duration::from_millis(1));
        false
    }));
}

#[test]
fn an_answer_may_be_longer_than_complaints() {
    let long = shell("head -c 3000000 /dev/zero", Duration::from_secs(30));
    let output = long.clone().run(&Counters::default()).unwrap();
    assert!(output.cut && output.stdout.len() < 1_100_000);
    let output = long.for_an_answer().run(&Counters::default()).unwrap();
    assert!(!output.cut && output.stdout.len() == 3_000_000);
}

#[test]
fn a_program_that_closes_its_output_is_still_waited_for() {
    let output = run("exec >&- 2>&-; sleep 0.1; exit 7");
    assert_eq!(output.status, Status::Exited(7));
}

#[test]
fn endless_output_is_bounded_and_both_pipes_are_emptied() {
    let output = run("head -c 100000000 /dev/zero & head -c 3000000 /dev/zero >&2; wait");
    assert!(output.status.success());
    assert!(output.stdout.len() < 1_100_000 && output.stderr.len() < 1_100_000);
    assert!(String::from_utf8_lossy(&output.stdout).contains("bytes omitted"));
}

#[test]
fn many_run_side_by_side_and_the_first_to_end_is_told() {
    let counters = Counters::default();
    let scripts = ["sleep 0.3; echo 0", "sleep 0.1; echo 1", "head -c 300000 /dev/zero; exit 2"];
    let start = |script: &&str| shell(script, Duration::from_secs(30)).spawn(&counters).unwrap();
    let mut running: Vec<_> = scripts.iter().map(start).collect();
    let mut outputs = Vec::new();
    while let Some(index) = wait_any(&mut running, Duration::from_secs(30)) {
        outputs.push(running.swap_remove(index).into_output());
    }
    assert_eq!((outputs[0].status, outputs[0].stdout.len()), (Status::Exited(2), 300_000));
    assert_eq!((&outputs[1].stdout[..], &outputs[2].stdout[..]), (&b"1\n"[..], &b"0\n"[..]));
    assert_eq!(wait_any(&mut [], Duration::from_secs(100)), None);
}

#[test]
fn waiting_is_bounded_and_dropping_kills() {
    let counters = Counters::default();
    let mut running = [shell("exec sleep 100", Duration::from_secs(200)).spawn(&counters).unwrap()];
    assert_eq!(wait_any(&mut running, Duration::from_millis(30)), None);
    let pid = running[0].child.id();
    drop(running);
    assert!(!Path::new(&format!("/proc/{pid}")).exists());
}

#[test]
fn what_is_printed_is_told_while_it_runs() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("go");
    let script = format!("echo first; until test -e '{}'; do sleep 0.01; done; echo last", file.display());
    let running = shell(&script, Duration::from_secs(30)).spawn(&Counters::default()).unwrap();
    let mut running = [running];
    let mut told = running[0].news();
    // It ends only after its first words were told.
    while !told.ends_with(b"first\n") {
        assert_eq!(wait_any(&mut running, Duration::from_millis(10)), None);
        told.extend(running[0].news());
    }
    std::fs::write(file, "").unwrap();
    assert_eq!(wait_any(&mut running, Duration::from_secs(30)), Some(0));
    told.extend(running[0].news());
    assert_eq!(told, b"first\nlast\n");
}

#[test]
fn without_a_pidfd_the_end_is_noticed_too() {
    let counters = Counters::default();
    let mut running = shell("sleep 0.1; exit 5", Duration::from_secs(30)).spawn(&counters).unwrap();
    running.pidfd = None;
    assert_eq!(running.into_output().status, Status::Exited(5));
    let mut running = shell("exec sleep 100", Duration::from_millis(50)).spawn(&counters).unwrap();
    running.pidfd = None;
    assert_eq!(running.into_output().status, Status::TimedOut);
}

#[test]
fn what_runs_can_be_terminated_from_a_signal_handler() {
    // In a process of its own: it kills the children of all tests.
    let alone = Command::new(std::env::current_exe().unwrap(), Path::new("/"), Duration::from_secs(60));
    let alone = alone.args(["--exact", "process::run::tests::terminate_all", "--ignored"]);
    let output = alone.run(&Counters::default()).unwrap();
    assert!(output.status.success() && output.text().contains("1 passed"), "{}", output.text());
}

#[test]
#[ignore = "run by the test above"]
fn terminate_all() {
    let running = shell("sleep 100 & wait", Duration::from_secs(200)).spawn(&Counters::default()).unwrap();
    terminate_children();
    assert_eq!(running.into_output().status, Status::Signaled(9));
}
