//! `dijitso configure`

use std::path::{Path, PathBuf};

use serde_json::json;

use super::Global;
use super::screen::{Screen, Tone};
use super::text::lines;
use super::trouble::{Answer, DONE, FAILED, Trouble};
use crate::config::params::Params;
use crate::configure::{Blas, Configure as Run, FailureKind, KernelCompiler, Mpi, OpenMp, Threads};
use crate::probe::Probes;

/// Find out what this machine has: the compiler for kernels, threads, OpenMP, BLAS, MPI
#[derive(Debug, clap::Args)]
pub(super) struct Configure {
    /// Options of the modules, as for any project's configuration: --with-mpi-dir=.., CC=..; --help lists them
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "OPTION")]
    options: Vec<String>,
    /// Write header, Make variables, record and logs to this directory
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Print the readable log, too: every question with its answer
    #[arg(long)]
    log: bool,
    /// Ask everything, and fail if a remembered answer is wrong
    #[arg(long)]
    shadow: bool,
}

impl Configure {
    /// What `reconfigure` runs: this program, with what it was told beside the options of the modules.
    fn words(&self, params: &Params) -> Vec<String> {
        let absolute = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let text = |path: &Path| absolute(path).to_string_lossy().into_owned();
        let program = std::env::current_exe().unwrap_or_else(|_| PathBuf::from("dijitso"));
        let mut words = vec![program.to_string_lossy().into_owned(), "configure".to_owned()];
        for (option, dir) in [("--cache-dir", &params.cache.dir), ("--dir", &self.dir)] {
            words.extend(dir.iter().flat_map(|dir| [option.to_owned(), text(dir)]));
        }
        words.push("--".to_owned());
        words
    }

    pub(super) fn run(self, global: &Global, screen: &mut Screen) -> Answer {
        let params = global.params()?;
        let mut probes = Probes::builder();
        if let Some(dir) = &params.cache.dir {
            probes = probes.cache_dir(dir);
        }
        if self.shadow {
            probes = probes.shadow();
        }
        let mut run = Run::new("dijitso").probes(probes).program(self.words(&params)).arguments(self.options);
        run = run.with::<KernelCompiler>().optional::<Threads>().optional::<OpenMp>();
        run = run.optional::<Blas>().optional::<Mpi>();
        if let Some(dir) = &self.dir {
            run = run.dir(dir);
        }
        let configuration = match run.run() {
            Ok(configuration) => configuration,
            Err(failed) if failed.kind() == FailureKind::Help => {
                screen.line(format_args!("{}", lines(&failed.to_string()).trim_end()))?;
                return Ok(DONE);
            }
            Err(failed) if failed.kind() == FailureKind::Options => {
                return Err(Trouble::Usage(failed.to_string()));
            }
            Err(failed) => return Err(Trouble::Failed(format!("{failed}\n{}", failed.card()))),
        };
        if self.dir.is_some() {
            let written = configuration
                .write_header("dijitso_config.h")
                .and_then(|_| configuration.write_make_macros("dijitso_variables"))
                .and_then(|_| configuration.write_reconfigure("reconfigure"));
            if let Err(failed) = written {
                return Err(Trouble::Failed(failed.to_string()));
            }
        }
        if screen.is_json() {
            let record: serde_json::Value = serde_json::from_str(&configuration.dump()).unwrap_or_default();
            let processes = configuration.probes().map_or(0, |probes| probes.stats().processes);
            screen.answer(&json!({
                "processes": processes,
                "changes": configuration.changes(),
                "record": record,
            }))?;
            return Ok(DONE);
        }
        if self.log {
            screen.line(format_args!("{}", lines(configuration.log()).trim_end()))?;
        }
        screen.line(format_args!("{}", lines(&configuration.summary()).trim_end()))?;
        for change in configuration.changes().iter().filter(|_| !configuration.only_looks()) {
            let text = format!("changed: {}", lines(change));
            screen.line(screen.toned(Tone::Warn, text))?;
        }
        Ok(if configuration.get::<KernelCompiler>().is_some() { DONE } else { FAILED })
    }
}
