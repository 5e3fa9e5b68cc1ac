//! Why a kernel's inputs are not what they were.

use std::fmt;
use std::path::PathBuf;

/// The first difference that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Change {
    /// A file has another content.
    Changed(PathBuf),
    /// A file has appeared, and a compiler would find it before the one that was read.
    Earlier(PathBuf),
    /// A file is not there any more.
    Removed(PathBuf),
    /// A file is there and cannot be read, for this reason.
    Unreadable(PathBuf, String),
    /// What the kernel was made from is not known here, for this reason.
    Unknown(&'static str),
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Change::Changed(path) => write!(f, "changed: {}", path.display()),
            Change::Earlier(path) => write!(f, "would now be found earlier: {}", path.display()),
            Change::Removed(path) => write!(f, "removed: {}", path.display()),
            Change::Unreadable(path, why) => write!(f, "cannot be read: {} ({why})", path.display()),
            Change::Unknown(why) => f.write_str(why),
        }
    }
}
