//! A compiler that writes down how long it took: what is left of a load is our own.

use std::ffi::OsString;
use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

/// A copy of this program with this name is the wrapper.
const NAME: &str = "timed-c++";

/// The compiler behind it.
pub(crate) const REAL: &str = "/usr/bin/c++";

/// Is this copy the wrapper? Then it does its work and does not return.
pub(crate) fn run_if_named() {
    let own = std::env::current_exe().expect("own path");
    if own.file_name().is_some_and(|name| name == NAME) {
        run(&own);
    }
}

fn run(own: &Path) -> ! {
    let args: Vec<OsString> = std::env::args_os().skip(1).collect();
    let has = |word: &str| args.iter().any(|arg| arg == word);
    let mut real = Command::new(REAL);
    real.args(&args);
    if has("-###") || !(has("-c") || has("-shared")) {
        let error = real.exec();
        panic!("cannot run {REAL}: {error}");
    }
    let start = Instant::now();
    let status = real.status().expect("the compiler");
    let step = if has("-c") { "compile" } else { "link" };
    let line = format!("{step} {}\n", start.elapsed().as_nanos());
    let log = std::fs::OpenOptions::new().append(true).create(true).open(log(own));
    log.and_then(|mut log| log.write_all(line.as_bytes())).expect("the record");
    std::process::exit(status.code().unwrap_or(1));
}

fn log(own: &Path) -> PathBuf {
    own.with_extension("log")
}

/// An installed wrapper.
pub(crate) struct Wrapper {
    pub(crate) path: PathBuf,
}

impl Wrapper {
    pub(crate) fn install(dir: &Path) -> Wrapper {
        let path = dir.join(NAME);
        std::fs::copy(std::env::current_exe().expect("own path"), &path).expect("a copy of this program");
        Wrapper { path }
    }

    /// Seconds since the last call: of pure compilations, and of calls that made a library.
    pub(crate) fn taken(&self) -> [f64; 2] {
        let log = log(&self.path);
        let text = std::fs::read_to_string(&log).expect("the compiler ran");
        std::fs::remove_file(&log).expect("the record can be removed");
        let steps = text.lines().filter_map(|line| line.split_once(' '));
        let steps = steps.map(|(step, time)| (step, time.parse::<f64>().expect("nanoseconds") * 1e-9));
        let steps: Vec<(&str, f64)> = steps.collect();
        ["compile", "link"]
            .map(|name| steps.iter().filter(|(step, _)| *step == name).map(|(_, time)| time).sum())
    }
}
