//! `dijitso trace`

use std::ffi::OsString;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;

use super::Global;
use super::screen::Screen;
use super::text::{line, path};
use super::trouble::{Answer, Trouble};
use crate::error::Error;
use crate::trace::refusal;

/// Run a program and write what it does with kernels, when and for how long, to a file for Perfetto
#[derive(Debug, clap::Args)]
pub(super) struct Trace {
    /// The file, which ui.perfetto.dev and chrome://tracing show; each rank of several has its own beside it
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The program and its arguments; any program that uses dijitso also understands DIJITSO_TRACE=FILE
    #[arg(value_name = "PROGRAM", required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    program: Vec<OsString>,
}

impl Trace {
    /// Becomes the program: its output, its exit status and its signals are those it has without us.
    pub(super) fn run(self, global: &Global, screen: &mut Screen) -> Answer {
        let file =
            std::path::absolute(&self.file).map_err(|error| Error::io("cannot write", &self.file, &error))?;
        let program = self.program.first().cloned().unwrap_or_default();
        if let Some(why) = refusal(&file) {
            return Err(Trouble::Failed(format!("no trace can be written to {}: {why}", path(&file))));
        }
        screen.flush()?;
        let mut command = std::process::Command::new(&program);
        command.args(&self.program[1..]).env("DIJITSO_TRACE", file);
        if let Some(dir) = global.params()?.cache.dir {
            command.env("DIJITSO_CACHE_DIR", dir);
        }
        let error = command.exec();
        Err(Trouble::Failed(format!("cannot run {}: {error}", line(&program.to_string_lossy()))))
    }
}
