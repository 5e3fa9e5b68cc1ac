//! A command to run: everything that decides what it does, as plain data.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::capture::KEPT;
use super::mappings;
#[cfg(test)]
use super::run::Output;
use super::run::Running;
use crate::stats::Counters;

/// What to run, and for how long.
#[derive(Debug, Clone)]
pub(crate) struct Command {
    /// An absolute path.
    pub(crate) program: PathBuf,
    pub(crate) args: Vec<OsString>,
    /// Whether it inherits the environment.
    pub(crate) inherits: bool,
    /// Changes to the inherited environment (`None` removes); `LC_ALL=C` is always set.
    pub(crate) env: Vec<(OsString, Option<OsString>)>,
    pub(crate) cwd: PathBuf,
    pub(crate) timeout: Duration,
    /// Held open by it and by what it starts.
    pub(crate) held: Option<Arc<OwnedFd>>,
    /// How much is kept of what it prints, on either stream.
    pub(crate) keeps: usize,
    /// Whether what it left running is ended with it.
    pub(crate) alone_in_group: bool,
}

impl Command {
    /// What is asked for as an answer may be as long.
    pub(crate) const LONGEST_ANSWER: usize = 8 << 20;

    pub(crate) fn new(program: impl Into<PathBuf>, cwd: &Path, timeout: Duration) -> Command {
        Command {
            program: program.into(),
            args: Vec::new(),
            inherits: true,
            env: Vec::new(),
            cwd: cwd.to_owned(),
            timeout,
            held: None,
            keeps: 2 * KEPT,
            alone_in_group: false,
        }
    }

    /// What it prints is an answer, so more of it is kept.
    pub(crate) fn for_an_answer(mut self) -> Command {
        self.keeps = Command::LONGEST_ANSWER;
        self
    }

    /// What it started and left running is killed when it has ended. Not for compilers: the first one that runs may leave a
    /// server for the others.
    pub(crate) fn with_all_it_started(mut self) -> Command {
        self.alone_in_group = true;
        self
    }

    pub(crate) fn arg(mut self, arg: impl Into<OsString>) -> Command {
        self.args.push(arg.into());
        self
    }

    pub(crate) fn args<A: Into<OsString>>(mut self, args: impl IntoIterator<Item = A>) -> Command {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    pub(crate) fn set(mut self, name: impl Into<OsString>, value: Option<impl Into<OsString>>) -> Command {
        self.env.push((name.into(), value.map(Into::into)));
        self
    }

    /// Lets it see nothing of the environment but what is set from now on: so what it says depends on nothing else.
    pub(crate) fn alone(mut self) -> Command {
        self.inherits = false;
        self.env.clear();
        self
    }

    /// Lets it, and what it starts, hold this open file, as their standard input: a lock on it lasts as long as any of them.
    pub(crate) fn holding(mut self, file: OwnedFd) -> Command {
        self.held = Some(Arc::new(file));
        self
    }

    /// Starts it; it counts as one process.
    pub(crate) fn spawn(&self, counters: &Counters) -> io::Result<Running> {
        if !self.program.is_absolute() {
            let message = format!("`{}` is not an absolute path", self.program.display());
            return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
        }
        let started = Instant::now();
        let child = self.start()?;
        counters.processes.one();
        Ok(Running::new(child, started, self))
    }

    /// Runs it to its end.
    #[cfg(test)]
    pub(crate) fn run(&self, counters: &Counters) -> io::Result<Output> {
        Ok(self.spawn(counters)?.into_output())
    }

    /// "Text file busy" and "try again" pass by themselves: a compiler is being written by its installer, or
    /// another program is for a moment at its limit of processes.
    fn start(&self) -> io::Result<Child> {
        let mut pause = Duration::from_millis(5);
        loop {
            match self.to_std().and_then(|mut command| command.spawn()) {
                Err(error)
                    if matches!(
                        error.kind(),
                        io::ErrorKind::ExecutableFileBusy | io::ErrorKind::WouldBlock
                    ) && pause < Duration::from_secs(1) =>
                {
                    std::thread::sleep(pause);
                    pause *= 2;
                }
                result => return result.map_err(mappings::explain),
            }
        }
    }

    fn to_std(&self) -> io::Result<std::process::Command> {
        let mut command = std::process::Command::new(&self.program);
        command.args(&self.args).current_dir(&self.cwd).process_group(0);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command.stdin(match &self.held {
            Some(file) => Stdio::from(file.try_clone()?),
            None => Stdio::null(),
        });
        if !self.inherits {
            command.env_clear();
        }
        command.env("LC_ALL", "C");
        for (name, value) in &self.env {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        Ok(command)
    }
}

/// The program and its words as one would type them (the environment is left out).
impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&quoted(self.program.as_os_str()))?;
        self.args.iter().try_for_each(|word| write!(f, " {}", quoted(word)))
    }
}

/// One word, quoted for a shell where it needs to be.
pub(crate) fn quoted(word: &OsStr) -> String {
    let plain = |b: &u8| b.is_ascii_alphanumeric() || b"_-./=+:,@%".contains(b);
    let text = word.to_string_lossy();
    if !text.is_empty() && word.as_bytes().iter().all(plain) {
        text.into_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_shown_as_one_would_type_it() {
        let command = Command::new("/usr/bin/c++", Path::new("/"), Duration::from_secs(1));
        let command = command.args(["-DNAME=it's", "-o", "a b", "", "x.cpp"]);
        assert_eq!(command.to_string(), r"/usr/bin/c++ '-DNAME=it'\''s' -o 'a b' '' x.cpp");
    }

    #[test]
    fn a_bare_name_is_refused_because_it_would_fork() {
        let command = Command::new("true", Path::new("/"), Duration::from_secs(1));
        let error = command.run(&Counters::default()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    }
}
