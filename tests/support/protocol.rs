//! How the programs are spoken to: what `client` prints, and what `shim` is told.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// What a `client` prints on its last line.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Outcome {
    /// What its `Jit` did.
    pub stats: dijitso::Stats,
    /// The kernels in the order they were asked for.
    pub kernels: Vec<Loaded>,
    /// The first failure, as reported to a user.
    pub error: Option<String>,
}

/// One loaded and called kernel.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Loaded {
    /// Its name.
    pub name: String,
    /// Where it came from.
    pub origin: dijitso::KernelOrigin,
    /// What calling it gave: a number, a checksum, or how far it was from its reference.
    pub value: f64,
}

/// What a `configurer` prints.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Configured {
    /// Each a number, and the job of Slurm that its program ran in.
    pub answers: Vec<String>,
    /// How the program at the gate ended.
    pub status: Option<i32>,
    /// Processes that were started.
    pub processes: u64,
    /// Whether it failed because a job has to run first.
    pub waits: bool,
    /// Why it failed.
    pub error: Option<String>,
}

/// What a copy of `shim` does, read from the file `<its own path>.json`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ShimConfig {
    /// The compiler behind it.
    pub real: PathBuf,
    /// What to do with the steps named by `on`; all others go to the compiler.
    pub mode: ShimMode,
    /// Which steps.
    pub on: ShimStep,
}

impl ShimConfig {
    /// Becomes the configuration of the shim at `path`.
    ///
    /// # Panics
    /// If it cannot be written.
    pub fn put(&self, path: &Path) {
        // Written whole or not at all: a shim may be starting right now.
        let beside = |extension: &str| {
            let mut name = path.as_os_str().to_owned();
            name.push(extension);
            PathBuf::from(name)
        };
        std::fs::write(beside(".json.new"), serde_json::to_vec(self).expect("JSON"))
            .expect("a configuration");
        std::fs::rename(beside(".json.new"), beside(".json")).expect("a configuration");
    }
}

/// A step of a build, as the arguments show it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ShimStep {
    /// Calls with `-c`.
    Compile,
    /// Calls that make a shared library.
    Link,
    /// Questions too, such as `--version`.
    Every,
}

/// How the compiler misbehaves.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum ShimMode {
    /// Not at all.
    Pass,
    /// Prints a text and exits with a status.
    Fail {
        /// The exit status.
        status: i32,
        /// What it prints, as bytes.
        stderr: Vec<u8>,
    },
    /// Starts a child that sleeps, writes its process number to `<path>.child`, and waits for it.
    Hang,
    /// Waits before it goes on.
    Slow {
        /// For so long.
        milliseconds: u64,
    },
    /// Exits with success and writes no output.
    Nothing,
    /// Prints so many bytes and fails.
    Flood {
        /// How many.
        bytes: u64,
    },
    /// Ends itself by a signal.
    Die {
        /// Which.
        signal: i32,
    },
    /// Takes `native` for this processor, as the compiler of another machine does.
    Native {
        /// Its name.
        march: String,
    },
    /// Compiles the first kernel really, and then copies its object with the names and the number
    /// exchanged: for tests that need ten thousand kernels.
    Stamp,
}
