//! The ordered directories in which a compiler looks for headers.
//!
//! Knowing them is what lets the cache notice a header that would *now* be found earlier than the one a
//! kernel was compiled with, and tell the compiler's own headers (checked once per process) from the
//! user's (checked on every hit).

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// What kind of directory a [`SearchDir`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Place {
    /// Only for `#include "..."` (`-iquote`).
    Quote,
    /// `-I`, `-isystem`, `CPATH` and the like, and `/usr/local/include`: whatever people install into.
    User,
    /// The compiler's own directories and the system's (`/usr/include`, `/usr/include/x86_64-linux-gnu`).
    Builtin,
}

/// One directory of a [`SearchPath`], as the compiler spells it (so it can hold `..`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SearchDir {
    pub(crate) path: PathBuf,
    pub(crate) place: Place,
}

impl SearchDir {
    pub(crate) fn is_builtin(&self) -> bool {
        self.place == Place::Builtin
    }
}

/// The directories in the order in which the compiler searches them.
///
/// For `#include "x"` the includer's own directory comes before all of these; that is for the caller, who
/// knows the includers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SearchPath {
    pub(crate) dirs: Vec<SearchDir>,
}

impl SearchPath {
    /// Reads what a compiler says about itself (`-v`): where it searches, and which directories it passes over because
    /// they are not there. It does not say which ones the user named.
    pub(crate) fn read<'a>(lines: impl Iterator<Item = &'a str>) -> (SearchPath, Vec<PathBuf>) {
        let (mut search, mut absent) = (SearchPath::default(), Vec::new());
        let mut list = None;
        for line in lines {
            if line.starts_with("#include \"...\" search starts here") {
                list = Some(Place::Quote);
            } else if line.starts_with("#include <...> search starts here") {
                list = Some(Place::Builtin);
            } else if line.starts_with("End of search list") {
                list = None;
            } else if let (Some(place), Some(dir)) = (list, line.strip_prefix(' ')) {
                let path = PathBuf::from(dir.trim_end_matches(" (framework directory)"));
                search.dirs.push(SearchDir { path, place });
            } else if let Some(rest) = line.strip_prefix("ignoring nonexistent directory \"") {
                absent.extend(rest.strip_suffix('"').map(PathBuf::from));
            }
        }
        (search, absent)
    }
}
