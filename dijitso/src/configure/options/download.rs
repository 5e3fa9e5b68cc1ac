//! The option to build a package from a tarball.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Kind, Opt};

/// Whether a package is built if it is nowhere, and from what.
///
/// ```
/// use dijitso::configure::Download;
/// assert_eq!(Download::From("/src/x-1.0.tar.gz".to_owned()).to_string(), "/src/x-1.0.tar.gz");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Download {
    /// It is not.
    No,
    /// From the tarball of its recipe.
    Yes,
    /// From this tarball: a path or a URL.
    From(String),
}

impl fmt::Display for Download {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Download::No => "no",
            Download::Yes => "yes",
            Download::From(location) => location,
        })
    }
}

impl Opt<Download> {
    /// `no` (the default), `yes`, or the path or URL of a tarball.
    ///
    /// BuildSystem: `nargs.ArgDownload`.
    ///
    /// ```
    /// use dijitso::configure::{Download, Opt};
    /// const METIS: Opt<Download> = Opt::download("download-metis", "build METIS if it is nowhere");
    /// ```
    #[track_caller]
    pub const fn download(name: &'static str, help: &'static str) -> Opt<Download> {
        Opt::new(name, help, Kind::Download)
    }
}
