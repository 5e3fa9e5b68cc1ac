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
mod tests;
