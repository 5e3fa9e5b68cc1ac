//! Running programs side by side and collecting what they say, without a helper thread.

use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, ChildStderr, ChildStdout, ExitStatus};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, WaitId, WaitIdOptions, pidfd_open, waitid};

use super::command::Command;
use super::group::Group;
use super::stream::Stream;

/// How a program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    Exited(i32),
    Signaled(i32),
    /// It was still running at its deadline, and its process group was killed.
    TimedOut,
}

impl Status {
    pub(crate) fn success(self) -> bool {
        self == Status::Exited(0)
    }

    /// `exited with status 1`, `was killed by signal 9`, ..
    pub(crate) fn describe(self) -> String {
        match self {
            Status::Exited(code) => format!("exited with status {code}"),
            Status::Signaled(signal) => format!("was killed by signal {signal}"),
            Status::TimedOut => "did not finish in time and was killed".to_owned(),
        }
    }
}

/// What a program left behind.
#[derive(Debug)]
pub(crate) struct Output {
    pub(crate) status: Status,
    /// As printed, in whatever encoding; of very long output the beginning and the end.
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: Vec<u8>,
    /// Whether either is so long that something is missing.
    pub(crate) cut: bool,
    pub(crate) elapsed: Duration,
}

impl Output {
    /// Everything printed, standard error first: that is where compilers and linkers complain.
    #[cfg(test)]
    pub(crate) fn text(&self) -> String {
        let mut text = String::from_utf8_lossy(&self.stderr).into_owned();
        text.push_str(&String::from_utf8_lossy(&self.stdout));
        text
    }
}

/// A program that was started. Dropping it kills it.
#[derive(Debug)]
pub(crate) struct Running {
    child: Child,
    /// Gone once the program was reaped.
    group: Option<Group>,
    /// Becomes readable when the program ends; kernels before 5.3 do not have it.
    pidfd: Option<OwnedFd>,
    stdout: Stream<ChildStdout>,
    stderr: Stream<ChildStderr>,
    started: Instant,
    deadline: Instant,
    alone_in_group: bool,
    ended: Option<(Status, Duration)>,
}

/// How long a killed program may take to disappear (one that waits for a dead file server never does).
const DYING: Duration = Duration::from_secs(2);
/// The longest single wait.
const PATIENCE: Duration = Duration::from_secs(3600);
/// How often to look where there is no pidfd.
const LOOK: Duration = Duration::from_millis(2);

impl Running {
    pub(super) fn new(mut child: Child, started: Instant, command: &Command) -> Running {
        let stdout = Stream::new(child.stdout.take(), command.keeps);
        let stderr = Stream::new(child.stderr.take(), command.keeps);
        let timeout = command.timeout;
        let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        Running {
            // The child is not reaped yet, so its number is still its own.
            pidfd: pid.and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok()),
            group: pid.map(Group::new),
            child,
            stdout,
            stderr,
            started,
            deadline: started.checked_add(timeout).unwrap_or_else(|| started + Duration::from_secs(1 << 30)),
            alone_in_group: command.alone_in_group,
            ended: None,
        }
    }

    /// What it has printed since this was called last, both streams one after the other; what it prints is kept for this from
    /// the first call on.
    pub(crate) fn news(&mut self) -> Vec<u8> {
        let mut news = self.stdout.news();
        news.extend(self.stderr.news());
        news
    }

    /// Waits for its end and returns what it left.
    pub(crate) fn into_output(mut self) -> Output {
        while self.ended.is_none() {
            wait_any(std::slice::from_mut(&mut self), PATIENCE);
        }
        let (status, elapsed) = self.ended.unwrap_or((Status::TimedOut, Duration::ZERO));
        let cut = self.stdout.is_cut() || self.stderr.is_cut();
        Output { status, stdout: self.stdout.take(), stderr: self.stderr.take(), cut, elapsed }
    }

    /// Looks whether it ended or must be ended, and takes what it printed.
    fn advance(&mut self) {
        self.stdout.read();
        self.stderr.read();
        if self.ended.is_some() {
            return;
        }
        if self.has_exited() {
            // Before it is reaped: see `Group`.
            if let Some(group) = self.group.take().filter(|_| self.alone_in_group) {
                group.kill();
            }
            // The status is lost where somebody else reaps our children (a program that ignores SIGCHLD).
            // Then what it should have written decides whether it did its work.
            let status = self.child.wait().map_or(Status::Exited(0), status_of);
            self.end(status);
        } else if Instant::now() >= self.deadline {
            self.kill();
            self.end(Status::TimedOut);
        }
    }

    /// Whether only reaping is left to do.
    fn has_exited(&self) -> bool {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        match i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            Some(pid) => !matches!(waitid(WaitId::Pid(pid), options), Ok(None) | Err(Errno::INTR)),
            None => true,
        }
    }

    fn end(&mut self, status: Status) {
        self.group = None;
        // A grandchild that outlives it may hold the pipes open forever: take what is there, and close.
        self.stdout.read();
        self.stderr.read();
        self.stdout.close();
        self.stderr.close();
        self.ended = Some((status, self.started.elapsed()));
    }

    /// Kills the whole group and reaps the leader.
    fn kill(&mut self) {
        if let Some(group) = self.group.take() {
            group.kill();
            drop(group);
        }
        let until = Instant::now() + DYING;
        while Instant::now() < until {
            match self.child.try_wait() {
                Ok(None) => match &self.pidfd {
                    Some(pidfd) => poll_for(&mut [PollFd::new(pidfd, PollFlags::IN)], DYING),
                    None => std::thread::sleep(LOOK),
                },
                _ => return,
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.ended.is_none() {
            self.kill();
        }
    }
}

/// Waits until one of them has ended, at most `patience`; the number of one that has.
pub(crate) fn wait_any(running: &mut [Running], patience: Duration) -> Option<usize> {
    let until = Instant::now() + patience.min(PATIENCE);
    let mut look = LOOK;
    while !running.is_empty() {
        for one in running.iter_mut() {
            one.advance();
        }
        if let Some(index) = running.iter().position(|one| one.ended.is_some()) {
            return Some(index);
        }
        let now = Instant::now();
        if now >= until {
            break;
        }
        let mut sleep = until - now;
        let mut fds = Vec::with_capacity(3 * running.len());
        for one in running.iter() {
            sleep = sleep.min(one.deadline.saturating_duration_since(now));
            fds.extend(one.stdout.fd().map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)));
            fds.extend(one.stderr.fd().map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)));
            match &one.pidfd {
                Some(pidfd) => fds.push(PollFd::new(pidfd, PollFlags::IN)),
                None => {
                    sleep = sleep.min(look);
                    look = (look * 2).min(Duration::from_millis(20));
                }
            }
        }
        poll_for(&mut fds, sleep);
    }
    None
}

fn poll_for(fds: &mut [PollFd<'_>], at_most: Duration) {
    let timeout =
        Timespec { tv_sec: at_most.as_secs().min(1 << 30) as i64, tv_nsec: at_most.subsec_nanos().into() };
    match poll(fds, Some(&timeout)) {
        Ok(_) | Err(Errno::INTR) => {}
        Err(_) => std::thread::sleep(LOOK.min(at_most)),
    }
}

fn status_of(status: ExitStatus) -> Status {
    match (status.code(), status.signal()) {
        (Some(code), _) => Status::Exited(code),
        (None, signal) => Status::Signaled(signal.unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests {
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
        let stat =
            || std::fs::read_to_string(format!("/proc/{}/stat", grandchild.trim())).unwrap_or_default();
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
        assert!(state(&server).contains("(sleep)"), "a compiler's server may stay");
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
        let script =
            format!("echo first; until test -e '{}'; do sleep 0.01; done; echo last", file.display());
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
        let running =
            shell("sleep 100 & wait", Duration::from_secs(200)).spawn(&Counters::default()).unwrap();
        terminate_children();
        assert_eq!(running.into_output().status, Status::Signaled(9));
    }
}
