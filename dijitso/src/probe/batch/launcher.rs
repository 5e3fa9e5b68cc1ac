//! How a job gets to the machine that it is for.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Around;
use super::queue::{self, Life, Ticket};
use super::script::RANKS;
use super::site;
use crate::fs::Fs;
use crate::process::Command;
use crate::toolchain::native_digest;

/// Who runs the programs whose answers only the other machine can give.
///
/// They see of the environment what they would see here, see [`Run`](crate::probe::Run), and what the launcher itself tells the programs that it
/// starts (`SLURM_*`, `PMI_*`, `OMPI_*`, ..). An answer is one for the launcher with its options, and for the cluster and what variables
/// choose of it (`SLURM_CONF`, `SBATCH_PARTITION`, ..). Of several tasks (`srun -n4`) the first one is listened to.
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
    /// The script, here.
    Local,
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
    /// Runs them here, at once: a job as on a cluster, for trying it out, and where building and running are to be apart.
    ///
    /// ```
    /// let launcher = dijitso::probe::Launcher::local();
    /// ```
    pub fn local() -> Launcher {
        Launcher(Kind::Local)
    }

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
    /// It is found again by what `sbatch` calls it, or by a name of its own: one that is still under way is not submitted twice, and one that was
    /// cancelled is submitted again.
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

    /// An option for the words that submit the job; [`local`](Self::local) has none.
    ///
    /// ```
    /// let launcher = dijitso::probe::Launcher::slurm().option("--account=me");
    /// ```
    #[must_use]
    pub fn option(mut self, option: impl Into<String>) -> Launcher {
        match &mut self.0 {
            Kind::Local => {}
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
            Kind::Local | Kind::Exec(_) => {}
            Kind::Slurm { waiting, .. } | Kind::Template { waiting, .. } => *waiting = wait,
        }
        self
    }

    pub(super) fn waits(&self) -> bool {
        match self.0 {
            Kind::Local | Kind::Exec(_) => true,
            Kind::Slurm { waiting, .. } | Kind::Template { waiting, .. } => waiting,
        }
    }

    /// Everything that may decide what a program says; not whether somebody waits for it.
    pub(super) fn identity(&self, fs: &Fs) -> String {
        let site = match self.0 {
            Kind::Local => native_digest(),
            _ => site::here(fs),
        };
        format!("{:?} at {site}", self.clone().waiting(true))
    }

    /// Whether another process can take the answers of its job: somebody can tell when it has ended.
    pub(super) fn is_found_again(&self) -> bool {
        matches!(self.0, Kind::Slurm { .. }) || !self.waits()
    }

    /// What the queue says of a job; `None` if nobody can say.
    pub(super) fn life(&self, around: &Around<'_>, dir: &Path, ticket: Ticket<'_>) -> Option<Life> {
        match &self.0 {
            Kind::Slurm { options, .. } => queue::life(around, dir, options, ticket),
            _ => None,
        }
    }

    /// What the queue calls the job that was submitted, as the launcher has printed it.
    pub(super) fn id(&self, said: &[u8]) -> Option<String> {
        let said = String::from_utf8_lossy(said);
        let line = said.lines().map(str::trim).find(|line| !line.is_empty())?;
        let is_id = matches!(self.0, Kind::Slurm { .. }) && line.starts_with(|c: char| c.is_ascii_digit());
        is_id.then(|| line.to_owned())
    }

    /// The program that submits, and its arguments.
    pub(super) fn words(&self, script: &Path, name: &str) -> Vec<OsString> {
        let mut words: Vec<OsString> = Vec::new();
        match &self.0 {
            Kind::Local => words.push("/bin/sh".into()),
            Kind::Exec(exec) => {
                words.extend(exec.iter().map(OsString::from));
                words.push("/bin/sh".into());
            }
            Kind::Slurm { options, waiting } => {
                words.push("sbatch".into());
                words.extend(waiting.then(|| OsString::from("--wait")));
                words.extend(["--parsable", "--output=job.log"].map(OsString::from));
                words.extend(options.iter().map(OsString::from));
                // After the user's: by its name it is found again.
                words.push(format!("--job-name={name}").into());
            }
            Kind::Template { submit, .. } => words.extend(submit.iter().map(OsString::from)),
        }
        words.push(script.into());
        words
    }

    /// What is submitted in place of the script that runs everything, which is `run`, in words of a shell.
    pub(super) fn script(&self, run: &str) -> io::Result<Option<String>> {
        let Kind::Template { text, .. } = &self.0 else { return Ok(None) };
        if !text.contains("@COMMAND@") {
            let problem = "the launcher's template has no @COMMAND@, so its job would run nothing";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, problem));
        }
        Ok(Some(text.replace("@COMMAND@", &format!("/bin/sh {run}"))))
    }

    pub(super) fn command(&self, program: PathBuf, words: Vec<OsString>, dir: &Path) -> Command {
        // A job waits in a queue for as long as the queue is.
        const QUEUE: Duration = Duration::from_secs(7 * 24 * 3600);
        let timeout = if self.waits() { QUEUE } else { Duration::from_secs(600) };
        let mut command = Command::new(program, dir, timeout).args(words);
        // Of the job that we may be in ourselves: the new one has its own.
        for name in RANKS {
            command = command.set(name, None::<OsString>);
        }
        command
    }
}

/// The words that submit.
impl std::fmt::Display for Launcher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.0 {
            Kind::Local => f.write_str("sh"),
            Kind::Exec(words) => f.write_str(&words.join(" ")),
            Kind::Slurm { options, .. } => {
                f.write_str("sbatch")?;
                options.iter().try_for_each(|option| write!(f, " {option}"))
            }
            Kind::Template { submit, .. } => f.write_str(&submit.join(" ")),
        }
    }
}
