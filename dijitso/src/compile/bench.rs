//! Where and with what jobs work.

use std::path::PathBuf;
use std::time::Duration;

use super::unit::Unit;
use crate::fs::Fs;
use crate::toolchain::Toolchain;
use crate::trace::Trace;

/// Where and with what a job works.
#[derive(Debug, Clone)]
pub(crate) struct Bench {
    pub(crate) fs: Fs,
    pub(crate) toolchain: Toolchain,
    /// Directories for scratch space, best first.
    pub(crate) places: Vec<PathBuf>,
    pub(crate) timeout: Duration,
    /// Where failure bundles go.
    pub(crate) failures: Option<PathBuf>,
    /// Where the sources of kernels with debug information are kept.
    pub(crate) sources: PathBuf,
    /// Variables that compilers read, as they are set here.
    pub(crate) environment: Vec<(String, String)>,
    pub(crate) trace: Trace,
}

impl Bench {
    /// Debug information names its sources, and their directory goes away with the job: where there is some,
    /// they are kept beside the cache's entries under a name that stays. Returns it, and whether it is new.
    pub(super) fn keep_sources(&self, unit: &Unit, texts: &[(&str, &str)]) -> Option<(PathBuf, bool)> {
        if !unit.flags.has_debug_information() {
            return None;
        }
        let tmp = self.sources.with_file_name("tmp");
        let place = self.sources.join(unit.signature.to_hex());
        let new = !self.fs.exists(&place);
        for (name, text) in texts {
            if let Err(error) = self.fs.replace(&tmp, &place.join(name), text.as_bytes()) {
                log::debug!("{}: debuggers will not find its source: {error}", unit.at);
                return None;
            }
        }
        Some((place, new))
    }
}
