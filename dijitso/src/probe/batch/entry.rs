//! What has to be known of a program in a job to take its answer later, and that answer.

use std::ffi::OsString;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::fs::Fs;
use crate::probe::job::Trace;
use crate::probe::told::{Step, Told, kept};
use crate::signature::{Signature, Signer};

const LARGEST: u64 = 64 << 20;

/// Of one program.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Entry {
    pub(super) question: String,
    pub(super) args: Vec<String>,
    /// All that it sees of the environment, but for what its launcher says.
    pub(super) variables: Vec<(OsString, OsString)>,
    /// Of the program's contents, so that no other one is believed in its place.
    pub(super) digest: String,
    /// Compiler and linker.
    pub(super) told: Told,
    pub(super) trace: Trace,
    /// Whether the store knows what it was made from.
    pub(super) tracked: bool,
}

/// How a program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    Exited(i32),
    Signaled(i32),
}

impl Ending {
    fn read(text: &str) -> Option<Ending> {
        let (how, number) = text.trim().split_once(' ')?;
        let number: i32 = number.parse().ok()?;
        match how {
            "exit" => Some(Ending::Exited(number)),
            "signal" => Some(Ending::Signaled(number)),
            // It tells a signal so; there are 64.
            "shell" if (129..=192).contains(&number) => Some(Ending::Signaled(number - 128)),
            "shell" => Some(Ending::Exited(number)),
            _ => None,
        }
    }
}

impl Entry {
    /// Under which the store knows what this very program was made from.
    pub(super) fn link(&self, key: &str) -> Signature {
        let mut signer = Signer::quiet("dijitso program for a job 2");
        signer.field("question", key);
        signer.field("linked", &nanoseconds(self.trace.started));
        signer.finish()
    }

    /// In words of a shell.
    pub(super) fn command(&self) -> String {
        let quoted = self.args.iter().map(|arg| shlex::try_quote(arg).unwrap_or_default().into_owned());
        std::iter::once("./program".to_owned()).chain(quoted).collect::<Vec<_>>().join(" ")
    }

    /// All that came of the question whose program is in `place`, if it has run to its end: it is there as a whole, or not at all.
    pub(super) fn read(&self, fs: &Fs, place: &Path) -> Option<Told> {
        let told = place.join("told");
        let bytes = |name: &str| fs.read_at_most(&told.join(name), LARGEST).ok();
        let ending = Ending::read(std::str::from_utf8(&bytes("status")?).ok()?)?;
        let dir = place.to_string_lossy();
        let (stdout, stderr) = (kept(&bytes("stdout")?, &dir), kept(&bytes("stderr")?, &dir));
        let status = match ending {
            Ending::Exited(status) => status,
            Ending::Signaled(signal) => -signal,
        };
        // It was not even started: a node for another architecture, or without the file.
        let of_env = stderr.starts_with("env: ") || stderr.starts_with("timeout: ");
        let words = ["error while loading shared libraries", "Exec format error", "cannot execute"];
        let of_loader = words.iter().any(|word| stderr.contains(word));
        if (of_env || of_loader) && matches!(status, 125..=127) {
            return None;
        }
        if fs.digest(&place.join("program")).ok()?.to_hex() != self.digest {
            return None;
        }
        let node = String::from_utf8_lossy(&bytes("node")?).into_owned();
        let mut all = self.told.clone();
        all.steps.push(Step {
            command: format!("{} # on {}", self.command(), name_of(&node)),
            status,
            stdout,
            stderr,
        });
        all.success = status == 0;
        Some(all)
    }
}

/// The node that ran a program, in a few words: its name, its architecture, its processor.
fn name_of(node: &str) -> String {
    let mut lines = node.lines();
    let name = lines.next().unwrap_or_default().trim();
    let model = lines.filter_map(|line| line.split_once(':')).find(|(what, _)| what.trim() == "model name");
    match model {
        Some((_, model)) => format!("{name}, {}", model.trim()),
        None => name.to_owned(),
    }
}

pub(super) fn nanoseconds(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    since.as_secs().wrapping_mul(1_000_000_000) + u64::from(since.subsec_nanos())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_is_told_from_a_status_where_somebody_can() {
        assert_eq!(Ending::read("exit 137\n"), Some(Ending::Exited(137)));
        assert_eq!(Ending::read("signal 11"), Some(Ending::Signaled(11)));
        assert_eq!(Ending::read("shell 139"), Some(Ending::Signaled(11)));
        assert_eq!(Ending::read("shell 3"), Some(Ending::Exited(3)));
        assert_eq!((Ending::read(""), Ending::read("exit"), Ending::read("3")), (None, None, None));
    }

    #[test]
    fn a_node_has_a_name_and_a_processor() {
        assert_eq!(name_of("n1 x86_64\nmodel name\t: A B\nflags\t\t: fpu\n"), "n1 x86_64, A B");
        assert_eq!(name_of("n2 aarch64\nFeatures\t: fp\n"), "n2 aarch64");
    }
}
