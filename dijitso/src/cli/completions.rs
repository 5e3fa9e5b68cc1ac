//! `dijitso completions` and `dijitso man`: what packagers install beside the program.

use std::path::PathBuf;

use clap_complete::Shell;

use super::screen::Screen;
use super::trouble::{Answer, DONE};
use crate::error::Error;
use crate::fs::Fs;

/// Print a script that completes this command in a shell
#[derive(Debug, clap::Args)]
pub(super) struct Completions {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

impl Completions {
    pub(super) fn run(self, screen: &mut Screen) -> Answer {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut super::command(), "dijitso", &mut script);
        screen.bytes(&script)?;
        Ok(DONE)
    }
}

/// Print the manual page, or write all of them into a directory
#[derive(Debug, clap::Args)]
pub(super) struct Man {
    /// The directory (dijitso.1, dijitso-show.1, ..)
    #[arg(long, short, value_name = "DIR")]
    output: Option<PathBuf>,
}

impl Man {
    pub(super) fn run(self, screen: &mut Screen) -> Answer {
        let command = super::command();
        let Some(dir) = &self.output else {
            screen.bytes(&page(command)?)?;
            return Ok(DONE);
        };
        let write = |name: &str, command: clap::Command| {
            let path = dir.join(format!("{name}.1"));
            let page = page(command).and_then(|page| Fs::new(Default::default()).write(&path, &page));
            page.map_err(|error| Error::io("cannot write", &path, &error))
        };
        for sub in command.get_subcommands().filter(|sub| !sub.is_hide_set()) {
            let name = format!("dijitso-{}", sub.get_name());
            write(&name, sub.clone().display_name(name.clone()))?;
        }
        write("dijitso", command)?;
        Ok(DONE)
    }
}

fn page(command: clap::Command) -> std::io::Result<Vec<u8>> {
    let mut page = Vec::new();
    clap_mangen::Man::new(command).render(&mut page)?;
    Ok(page)
}
