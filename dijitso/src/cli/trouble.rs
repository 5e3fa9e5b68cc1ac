//! How a subcommand ends.

use std::io;

use super::screen::Screen;
use super::text::lines;
use crate::error::Error;

/// Everything is as it was asked for.
pub(super) const DONE: u8 = 0;
/// It failed, or there is something to report.
pub(super) const FAILED: u8 = 1;
/// What was asked for makes no sense.
pub(super) const USAGE: u8 = 2;

/// The exit status of a subcommand that said all it had to say.
pub(super) type Answer = Result<u8, Trouble>;

/// Why a subcommand could not go on.
#[derive(Debug)]
pub(super) enum Trouble {
    Error(Error),
    /// A wrong word on the command line, which clap could not know.
    Usage(String),
    /// Something else, in words.
    Failed(String),
    /// The answer cannot be written.
    Output(io::Error),
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Trouble {
        Trouble::Error(error)
    }
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Trouble {
        Trouble::Output(error)
    }
}

impl Trouble {
    /// Says what happened and returns the exit status.
    pub(super) fn tell(self, screen: &mut Screen) -> u8 {
        // What came before it first. If that cannot be written, the reason is the same.
        let _ = screen.flush();
        let (text, status) = match self {
            // `dijitso show | head`: whoever closed the pipe has read enough.
            Trouble::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => return DONE,
            Trouble::Output(error) => (format!("cannot write the answer: {error}"), FAILED),
            Trouble::Error(error @ Error::Config { .. }) => (error.to_string(), USAGE),
            Trouble::Error(error) => (error.to_string(), FAILED),
            Trouble::Usage(text) => (format!("{text}\n\nFor more information, try '--help'."), USAGE),
            Trouble::Failed(text) => (text, FAILED),
        };
        screen.error(&lines(&text));
        status
    }
}
