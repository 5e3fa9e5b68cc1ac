//! Starting ranks, and ending those that hang: Python dijitso's do.

use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};

use crate::programs::{Numbers, said};

/// Nothing that is measured takes a tenth of this, and a word is said after each kernel.
const SILENCE: Duration = Duration::from_secs(15);
/// Starting Python on many ranks takes a while.
const FIRST_SILENCE: Duration = Duration::from_secs(90);

/// What became of a start.
#[derive(Debug, Clone)]
pub(crate) struct Outcome {
    /// Whatever was said before the end.
    pub(crate) numbers: Numbers,
    /// What the ranks do, if they do not come to a good end: `hang`, `fail`.
    pub(crate) trouble: Option<&'static str>,
}

/// Open MPI's launcher, which Debian has under its full name beside others.
pub(crate) fn mpirun() -> Option<&'static str> {
    let open = |program: &&str| said(program, &["--version"]).is_some_and(|line| line.contains("Open MPI"));
    ["mpirun.openmpi", "mpirun"].into_iter().find(open)
}

/// `mpirun` for so many ranks. It binds ranks to a core each if there are two, and lets more wander; one that is alone
/// shall have all cores, too.
pub(crate) fn ranks(launcher: &str, count: usize, home: &Path) -> Command {
    let mut command = Command::new(launcher);
    command.args(["--allow-run-as-root", "--oversubscribe", "-n", &count.to_string()]);
    if count == 1 {
        command.args(["--bind-to", "none"]);
    }
    // Where Python dijitso looks for its configuration.
    command.env("HOME", home).current_dir("/");
    command
}

/// Runs ranks to their end, in a process group of their own. They are ended when they have been silent for too long.
pub(crate) fn watched(command: &mut Command) -> Outcome {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let lines = lines(&mut child);
    let mut errors = child.stderr.take().expect("it is piped");
    let errors = std::thread::spawn(move || {
        let mut text = Vec::new();
        let _ = errors.read_to_end(&mut text);
        String::from_utf8_lossy(&text).into_owned()
    });
    let mut numbers = Numbers::new();
    let mut silence = FIRST_SILENCE;
    let hangs = loop {
        match lines.recv_timeout(silence) {
            Ok(line) => numbers.extend(serde_json::from_str::<Numbers>(&line).unwrap_or_default()),
            Err(RecvTimeoutError::Disconnected) => break false,
            Err(RecvTimeoutError::Timeout) => break true,
        }
        silence = SILENCE;
    };
    if hangs {
        end(&child);
    }
    let status = child.wait().expect("its status");
    let trouble = match (hangs, status.success()) {
        (true, _) => Some("hang"),
        (false, false) => Some("fail"),
        (false, true) => None,
    };
    let errors = errors.join().unwrap_or_default();
    if let Some(trouble) = trouble {
        let last = errors.lines().rfind(|line| line.contains("Error") || line.contains("panicked"));
        eprintln!("  they {trouble}: {command:?}: {}", last.unwrap_or("without a word"));
    }
    Outcome { numbers, trouble }
}

fn lines(child: &mut Child) -> Receiver<String> {
    let (sender, receiver) = channel();
    let output = BufReader::new(child.stdout.take().expect("it is piped"));
    std::thread::spawn(move || {
        for line in output.lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    receiver
}

/// `mpirun` ends its ranks, which have groups of their own, if it is asked to.
fn end(child: &Child) {
    let group = Pid::from_child(child);
    let _ = kill_process_group(group, Signal::TERM);
    std::thread::sleep(Duration::from_secs(3));
    let _ = kill_process_group(group, Signal::KILL);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(script: &str) -> Outcome {
        watched(Command::new("sh").args(["-c", script]))
    }

    #[test]
    fn numbers_are_collected_and_other_words_are_not() {
        let outcome = run("echo '{\"warm\": 0.5}'; echo loaded; echo '{\"cold\": 2}'");
        assert_eq!(outcome.numbers, Numbers::from([("warm".to_owned(), 0.5), ("cold".to_owned(), 2.0)]));
        assert_eq!(outcome.trouble, None);
    }

    #[test]
    fn who_fails_has_said_something_before() {
        let outcome = run("echo '{\"warm\": 0.5}'; exit 3");
        assert_eq!((outcome.numbers["warm"], outcome.trouble), (0.5, Some("fail")));
    }
}
