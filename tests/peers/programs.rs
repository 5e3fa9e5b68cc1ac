//! The programs that are measured: this one again, Python, the compiler. Each has a private cache, and
//! the machine's own settings decide nothing.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use dijitso::{Jit, JitBuilder};

/// What one run of a program reports: names and numbers, as JSON on its last line.
pub(crate) type Numbers = BTreeMap<String, f64>;

/// The Python that Debian's packages belong to.
pub(crate) const PYTHON: &str = "/usr/bin/python3";

/// Where everything happens, and what there is to compare with.
pub(crate) struct Bench {
    dir: tempfile::TempDir,
    /// Repetitions of what takes seconds; cheap things are repeated some times more often.
    pub(crate) rounds: usize,
    /// Whether Python dijitso takes part.
    pub(crate) python: bool,
    /// Our program for several ranks, and on how many it is started.
    pub(crate) mpi: Option<PathBuf>,
    pub(crate) sizes: Vec<usize>,
}

impl Bench {
    pub(crate) fn new(rounds: usize, python: bool) -> Bench {
        let dir = tempfile::Builder::new().prefix("dijitso-peers-").tempdir().expect("a directory");
        Bench { dir, rounds, python, mpi: None, sizes: vec![1, 2, 4, 8] }
    }

    pub(crate) fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.dir.path().join(name)
    }

    /// A directory that did not exist before.
    pub(crate) fn fresh(&self, name: &str) -> PathBuf {
        let made = tempfile::Builder::new().prefix(name).tempdir_in(self.dir.path()).expect("a directory");
        made.keep()
    }

    /// Runs a part of this program in a process of its own.
    pub(crate) fn worker<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Numbers {
        numbers(&mut own(args))
    }

    /// Runs a part of `peer.py`, with its cache in `cache`.
    pub(crate) fn python(&self, cache: &Path, args: &[&str]) -> Numbers {
        numbers(&mut python(cache, args))
    }

    pub(crate) fn builder(&self, cache: &Path) -> JitBuilder {
        Jit::builder().cache_dir(cache)
    }

    pub(crate) fn jit(&self, cache: &Path) -> Jit {
        jit(cache)
    }
}

pub(crate) fn jit(cache: &Path) -> Jit {
    built(Jit::builder().cache_dir(cache).build())
}

/// The value, or the end of the measurement.
pub(crate) fn built<T>(result: dijitso::Result<T>) -> T {
    result.unwrap_or_else(|error| panic!("{}", error.report()))
}

/// This program, called as a worker.
pub(crate) fn own<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("own path"));
    command.arg("worker").args(args);
    command
}

pub(crate) fn python(cache: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(PYTHON);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/peer.py");
    // It reads `.dijitso.conf` from the working directory and from the home directory.
    command.arg(script).args(args).env("DIJITSO_CACHE_DIR", cache).env("HOME", cache).current_dir("/");
    command
}

/// Whether there is a Python dijitso to compare with.
pub(crate) fn has_python() -> bool {
    let import = Command::new(PYTHON).args(["-c", "import dijitso, mpi4py"]).stderr(Stdio::null()).status();
    import.is_ok_and(|status| status.success())
}

fn numbers(command: &mut Command) -> Numbers {
    let output = command.stdin(Stdio::null()).output().unwrap_or_else(|e| panic!("{command:?}: {e}"));
    let (text, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?}: {}\n{text}{errors}", output.status);
    let last = text.lines().last().unwrap_or_default();
    serde_json::from_str(last).unwrap_or_else(|e| panic!("{command:?}: {e}\n{text}{errors}"))
}

/// Seconds of a whole process, from its start to its end.
pub(crate) fn whole(command: &mut Command) -> f64 {
    let start = Instant::now();
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).status();
    let elapsed = start.elapsed().as_secs_f64();
    assert!(status.as_ref().is_ok_and(|status| status.success()), "{command:?}: {status:?}");
    elapsed
}

/// Waits until a compiler that was just installed is old enough for its time stamp to prove that it is
/// still the same: until then it is read again for every kernel, which is not what is to be measured.
pub(crate) fn settle() {
    std::thread::sleep(Duration::from_secs(3));
}

/// The first line of a program's output.
pub(crate) fn said(program: &str, args: &[&str]) -> Option<String> {
    let output = Command::new(program).args(args).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout);
    output.status.success().then(|| text.lines().next().unwrap_or_default().to_owned())
}

/// How many processes a command starts, itself not counted, as the kernel sees it.
pub(crate) fn started_by(command: &Command, log: &Path) -> Option<f64> {
    let mut traced = Command::new("strace");
    traced.args(["-f", "-qq", "-e", "trace=clone,clone3,fork,vfork", "-o"]).arg(log);
    traced.arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => traced.env(name, value),
            None => traced.env_remove(name),
        };
    }
    let status = traced.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status().ok()?;
    let text = std::fs::read_to_string(log).ok().filter(|_| status.success())?;
    // Threads are no processes, and a call that is interrupted is shown twice.
    let starts = |line: &&str| !line.contains("CLONE_THREAD") && !line.contains("resumed>");
    Some(text.lines().filter(starts).filter(|line| line.contains('(')).count() as f64)
}
