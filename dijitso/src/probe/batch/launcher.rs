//! How a job gets to the machine that it is for.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::process::Command;

/// Who runs the programs whose answers only the other machine can give.
///
/// BuildSystem has `--with-batch`, which writes a program for the user to submit.
///
/// ```
/// use dijitso::probe::Launcher;
///
/// let launcher = Launcher::slurm().option("--partition=debug").waiting(false);
/// assert_eq!(launcher.to_string(), "sbatch --partition=debug");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Launcher(pub(super) Kind);

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Kind {
    /// These words, then the script; they come back when it has ended.
    Exec(Vec<String>),
    Slurm {
        options: Vec<String>,
        waiting: bool,
    },
    /// A script of the user's with `@COMMAND@` in it, submitted by these words.
    Template {
        text: String,
        submit: Vec<String>,
        waiting: bool,
    },
}

impl Launcher {
    /// Words in front of the job's script, such as `srun -n1`; they return when it has ended.
    ///
    /// ```
    /// let launcher = dijitso::probe::Launcher::exec(["srun", "-n1"]);
    /// ```
    pub fn exec<W: Into<String>>(words: impl IntoIterator<Item = W>) -> Launcher {
        Launcher(Kind::Exec(words.into_iter().map(Into::into).collect()))
    }

    /// Slurm: one job for `sbatch`, which is waited for.
    ///
    /// ```
    /// let launcher = dijitso::probe::Launcher::slurm();
    /// ```
    pub fn slurm() -> Launcher {
        Launcher(Kind::Slurm { options: Vec::new(), waiting: true })
    }

    /// Any other batch system: a script with `@COMMAND@` where the job's command belongs, and the words that submit it.
    ///
    /// ```
    /// use dijitso::probe::Launcher;
    /// let launcher = Launcher::template("#!/bin/sh\n#PBS -l nodes=1\n@COMMAND@\n", ["qsub", "-W", "block=true"]);
    /// ```
    pub fn template<W: Into<String>>(
        text: impl Into<String>,
        submit: impl IntoIterator<Item = W>,
    ) -> Launcher {
        let submit = submit.into_iter().map(Into::into).collect();
        Launcher(Kind::Template { text: text.into(), submit, waiting: true })
    }

    /// An option for the words that submit the job.
    ///
    /// ```
    /// let launcher = dijitso::probe::Launcher::slurm().option("--account=me");
    /// ```
    #[must_use]
    pub fn option(mut self, option: impl Into<String>) -> Launcher {
        match &mut self.0 {
            Kind::Exec(words) => words.push(option.into()),
            Kind::Slurm { options, .. } => options.push(option.into()),
            Kind::Template { submit, .. } => submit.push(option.into()),
        }
        self
    }

    /// Whether the job is waited for (default). Otherwise another process, once it has run, takes its answers.
    ///
    /// ```
    /// let launcher = dijitso::probe::Launcher::slurm().waiting(false);
    /// ```
    #[must_use]
    pub fn waiting(mut self, wait: bool) -> Launcher {
        match &mut self.0 {
            Kind::Exec(_) => {}
            Kind::Slurm { waiting, .. } | Kind::Template { waiting, .. } => *waiting = wait,
        }
        self
    }

    pub(super) fn waits(&self) -> bool {
        match self.0 {
            Kind::Exec(_) => true,
            Kind::Slurm { waiting, .. } | Kind::Template { waiting, .. } => waiting,
        }
    }

    /// The program that submits, and its arguments.
    pub(super) fn words(&self, script: &Path) -> Vec<OsString> {
        let mut words: Vec<OsString> = Vec::new();
        match &self.0 {
            Kind::Exec(exec) => {
                words.extend(exec.iter().map(OsString::from));
                words.push("/bin/sh".into());
            }
            Kind::Slurm { options, waiting } => {
                words.push("sbatch".into());
                words.extend(waiting.then(|| OsString::from("--wait")));
                words.extend(["--job-name=dijitso", "--output=job.log"].map(OsString::from));
                words.extend(options.iter().map(OsString::from));
            }
            Kind::Template { submit, .. } => words.extend(submit.iter().map(OsString::from)),
        }
        words.push(script.into());
        words
    }

    /// What is submitted, given the script that runs everything.
    pub(super) fn script(&self, run: &Path) -> Option<String> {
        let command = format!("/bin/sh {}", shlex::try_quote(&run.to_string_lossy()).unwrap_or_default());
        match &self.0 {
            Kind::Template { text, .. } => Some(text.replace("@COMMAND@", &command)),
            _ => None,
        }
    }

    pub(super) fn command(&self, program: PathBuf, words: Vec<OsString>, dir: &Path) -> Command {
        // A job waits in a queue for as long as the queue is.
        const QUEUE: Duration = Duration::from_secs(7 * 24 * 3600);
        let timeout = if self.waits() { QUEUE } else { Duration::from_secs(600) };
        Command::new(program, dir, timeout).args(words)
    }
}

/// The words that submit.
impl std::fmt::Display for Launcher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.0 {
            Kind::Exec(words) => f.write_str(&words.join(" ")),
            Kind::Slurm { options, .. } => {
                f.write_str("sbatch")?;
                options.iter().try_for_each(|option| write!(f, " {option}"))
            }
            Kind::Template { submit, .. } => f.write_str(&submit.join(" ")),
        }
    }
}
