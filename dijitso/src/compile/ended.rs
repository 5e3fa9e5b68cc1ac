//! How jobs end.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use crate::error::Error;

/// A finished library, not yet named after its content.
#[derive(Debug)]
pub(crate) struct Built {
    pub(crate) elf: Vec<u8>,
    /// What the compiler and the linker printed.
    pub(crate) log: String,
    /// Every file they read, outside the job's directory.
    pub(crate) inputs: Vec<PathBuf>,
    /// When the first of them was started: a file changed later may or may not be in the library.
    pub(crate) started: SystemTime,
    pub(crate) compile: Duration,
    pub(crate) link: Duration,
    /// What can be run again, in a directory with the sources.
    pub(crate) commands: Vec<String>,
}

/// A failure, and whether an unchanged retry can only fail again.
#[derive(Debug)]
pub(crate) struct Failed {
    pub(crate) error: Error,
    /// The text is wrong: remember it, as long as `inputs` stay as they are.
    pub(crate) lasting: bool,
    pub(crate) inputs: Vec<PathBuf>,
    /// Headers that were not found anywhere.
    pub(crate) missing: Vec<String>,
    pub(crate) started: SystemTime,
}

/// How a job ended.
#[derive(Debug)]
pub(crate) enum Ended {
    Built(Built),
    Failed(Failed),
    /// Compiling it together with others gave no library; by itself it may, or will say why not.
    Alone,
}
