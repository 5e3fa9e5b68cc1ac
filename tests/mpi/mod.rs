//! Programs under the real `mpirun`, with every MPI that is installed.
//!
//! A program with MPI is built for one MPI, so these are built here, by cargo, once for each: the other tests and their
//! programs stay free of it.

mod channels;
mod kernels;
mod places;
mod trials;

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use crate::harness::{skip, soak, which};
use rustix::process::{Pid, Signal, kill_process_group};

/// How many ranks there are in tests; more than this machine has cores, most likely.
pub(crate) const SIZES: [usize; 5] = [1, 2, 3, 4, 8];

/// An implementation of MPI.
pub(crate) struct Mpi {
    name: &'static str,
    /// What `mpirun --version` says of it, whichever name it is called by.
    marks: &'static [&'static str],
    options: &'static [&'static str],
    compiler: &'static str,
    launcher: &'static str,
}

pub(crate) const OPEN_MPI: Mpi = Mpi {
    name: "open-mpi",
    marks: &["Open MPI", "OpenRTE"],
    options: &["--allow-run-as-root", "--oversubscribe"],
    compiler: "mpicc.openmpi",
    launcher: "mpirun.openmpi",
};

pub(crate) const MPICH: Mpi =
    Mpi { name: "mpich", marks: &["HYDRA"], options: &[], compiler: "mpicc.mpich", launcher: "mpirun.mpich" };

/// Runs each function as a test with each MPI.
macro_rules! with_each_mpi {
    ($($test:ident,)*) => {
        mod open_mpi {
            $(#[test] fn $test() { if let Some(mpi) = $crate::mpi::OPEN_MPI.installed() { super::$test(&mpi); } })*
        }
        mod mpich {
            $(#[test] fn $test() { if let Some(mpi) = $crate::mpi::MPICH.installed() { super::$test(&mpi); } })*
        }
    };
}
pub(crate) use with_each_mpi;

/// An MPI that is there, with programs built for it.
pub(crate) struct Installed {
    mpi: &'static Mpi,
    launcher: PathBuf,
    programs: PathBuf,
}

impl Mpi {
    /// Debian has several side by side, by their full names; others have one.
    pub(crate) fn installed(&'static self) -> Option<Installed> {
        for (compiler, launcher) in [(self.compiler, self.launcher), ("mpicc", "mpirun")] {
            let (Some(compiler), Some(launcher)) = (which(compiler), which(launcher)) else { continue };
            let version = Command::new(&launcher).arg("--version").output().unwrap();
            let version = String::from_utf8_lossy(&version.stdout);
            if self.marks.iter().any(|mark| version.contains(mark)) {
                return Some(Installed { mpi: self, launcher, programs: self.build(&compiler) });
            }
        }
        skip(&format!("{} is not installed", self.name));
        None
    }

    /// The directory of the programs; cargo does nothing if they are there.
    fn build(&self, compiler: &Path) -> PathBuf {
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join(self.name);
        let mut cargo = Command::new(env!("CARGO"));
        cargo.current_dir(env!("CARGO_MANIFEST_DIR")).args(["build", "--quiet", "--features", "mpi"]);
        cargo.args(["--bin", "mpi-*"]).env("CARGO_TARGET_DIR", &target).env("MPICC", compiler);
        // Nobody debugs them, and half of the time goes into that. As in `examples/poisson-mpi/check`, which uses what is built here.
        cargo.env("CARGO_PROFILE_DEV_DEBUG", "0").env("CARGO_INCREMENTAL", "0");
        let output = cargo.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        target.join("debug")
    }
}

impl Installed {
    /// Where a program is.
    pub(crate) fn program(&self, name: &str) -> PathBuf {
        self.programs.join(name)
    }

    /// `mpirun`, about to start so many ranks of a program.
    pub(crate) fn command(&self, ranks: usize, program: &str) -> Command {
        let mut command = Command::new(&self.launcher);
        command.args(self.mpi.options).args(["-n", &ranks.to_string()]).arg(self.programs.join(program));
        command.env("DIJITSO_CONFIG", "/dev/null").stdin(Stdio::null());
        command
    }

    /// Runs the ranks to their end, which must be a good one; what they printed.
    pub(crate) fn run(&self, ranks: usize, program: &str, args: &[&str]) -> String {
        let mut command = self.command(ranks, program);
        let output = finish(command.args(args));
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success(),
            "{} {args:?} on {ranks} ranks: {}\n{said}",
            self.mpi.name,
            output.status
        );
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

/// No test may hang: nothing here takes a tenth of this, even if the machine is busy, and in the soak the longest a third.
fn deadline() -> Duration {
    Duration::from_secs(if soak() { 3600 } else { 300 })
}

/// Runs `mpirun` to its end; whoever is not through by the deadline is killed, with all ranks, and the test fails.
pub(crate) fn finish(command: &mut Command) -> Output {
    use std::os::unix::process::CommandExt as _;
    let child = command.process_group(0).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let group = Pid::from_child(&child);
    let waiter = std::thread::spawn(move || child.wait_with_output());
    let (started, deadline) = (Instant::now(), deadline());
    while !waiter.is_finished() {
        if started.elapsed() > deadline {
            // `mpirun` ends its ranks, which have groups of their own, if it is asked to.
            let _ = kill_process_group(group, Signal::TERM);
            std::thread::sleep(Duration::from_secs(5));
            let _ = kill_process_group(group, Signal::KILL);
            let output = waiter.join().unwrap().unwrap();
            let said = [output.stdout, output.stderr].concat();
            panic!("{command:?} hangs; it had said:\n{}", String::from_utf8_lossy(&said));
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    waiter.join().unwrap().unwrap()
}
