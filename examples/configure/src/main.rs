//! A project that is configured twice: by its build script, and when it runs, on a machine that may be another one.
//!
//! `cargo run -p configure -- --help` lists the options.

mod project;

use std::process::ExitCode;

use dijitso::configure::{Configure, FailureKind};
use project::Project;

mod config {
    include!(concat!(env!("OUT_DIR"), "/config.rs"));
}

fn main() -> ExitCode {
    println!("built for indices of {} bytes; solver: {}", config::SIZEOF_INDEX, config::HAVE_SOLVER);
    match Configure::new("Project").with::<Project>().arguments(std::env::args().skip(1)).run() {
        Ok(configuration) => {
            let found = configuration.get::<Project>().expect("it was configured");
            println!("here: indices of {} bytes, scalars of {}", found.index, found.scalar);
            println!("{}", configuration.summary());
            let processes = configuration.probes().map_or(0, |probes| probes.stats().processes);
            println!("{processes} processes were started to find that out");
            ExitCode::SUCCESS
        }
        Err(failed) if failed.kind() == FailureKind::Help => {
            println!("{failed}");
            ExitCode::SUCCESS
        }
        Err(failed) => {
            eprintln!("{failed}\n{}", failed.card());
            ExitCode::FAILURE
        }
    }
}
