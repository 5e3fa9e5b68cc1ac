//! A project that is configured twice: by its build script, and when it runs, on a machine that may be another one.
//!
//! `cargo run -p configure -- --help` lists the options; `cargo run -p configure -- build` writes header, variables and
//! rules for Make, and a script that configures again, to the directory `build`.

mod project;

use std::process::ExitCode;

use dijitso::configure::{Configuration, Configure, Failed, FailureKind};
use project::{Project, Types};

mod config {
    include!(concat!(env!("OUT_DIR"), "/config.rs"));
}

fn main() -> ExitCode {
    println!("built for indices of {} bytes; solver: {}", config::SIZEOF_INDEX, config::HAVE_SOLVER);
    let mut arguments = std::env::args().skip(1).peekable();
    let dir = arguments.next_if(|first| !first.starts_with('-') && !first.contains('='));
    let mut configure = Configure::new("Project").with::<Project>().arguments(arguments);
    if let Some(dir) = &dir {
        let program = std::env::args().take(1).chain([dir.clone()]);
        configure = configure.dir(dir).program(program);
    }
    let configured = configure.run().and_then(|configuration| match dir {
        Some(_) => write(&configuration).map(|()| configuration),
        None => Ok(configuration),
    });
    match configured {
        Ok(configuration) => {
            let types = configuration.get::<Types>().expect("the project requires it");
            println!("here: indices of {} bytes, scalars of {}", types.index, types.scalar);
            println!("{}", configuration.summary());
            let processes = configuration.probes().map_or(0, |probes| probes.stats().processes);
            println!("processes started: {processes}");
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

fn write(configuration: &Configuration) -> Result<(), Failed> {
    configuration.write_header("project_config.h")?;
    configuration.write_types("project_types.h")?;
    configuration.write_make_macros("project_variables")?;
    configuration.write_make_rules("project_rules")?;
    configuration.write_reconfigure("reconfigure").map(|_| ())
}
