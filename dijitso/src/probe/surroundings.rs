//! What all jobs of one session share.

use std::collections::{BTreeMap, HashMap};
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::settings::Settings;
use crate::config::Config;
use crate::config::env;
use crate::config::origin::Flag;
use crate::fs::Fs;
use crate::stats::Counters;
use crate::toolchain::{Language, Linker, Surround, Toolchain};

/// A compiler as a job finds it.
#[derive(Debug, Clone)]
pub(crate) struct Compiler {
    pub(crate) toolchain: Toolchain,
    /// What it is always called with.
    pub(crate) flags: Settings,
}

/// What flags make a compiler look at, by language and flags.
pub(crate) type Surrounds = HashMap<(Language, Vec<String>), Surround>;

/// Which linkers flags choose, by language and these flags.
pub(crate) type Linkers = HashMap<(Language, Vec<String>), Linker>;

#[derive(Debug, Clone)]
pub(crate) struct Surroundings {
    pub(crate) config: Arc<Config>,
    pub(crate) fs: Fs,
    pub(crate) counters: Arc<Counters>,
    /// Where jobs may work, in the order of trial.
    pub(crate) places: Vec<PathBuf>,
    pub(crate) timeout: Duration,
    pub(crate) run_timeout: Duration,
    /// Those that a trial names are there: whoever starts one has looked.
    pub(crate) compilers: Arc<BTreeMap<Language, Compiler>>,
    pub(crate) surrounds: Arc<Mutex<Surrounds>>,
    pub(crate) linkers: Arc<Mutex<Linkers>>,
}

impl Surroundings {
    pub(crate) fn compiler(&self, language: Language) -> &Compiler {
        &self.compilers[&language]
    }

    pub(crate) fn surround(&self, toolchain: &Toolchain, flags: &[Flag]) -> Surround {
        let key = (toolchain.language(), flags.iter().map(|flag| flag.text.clone()).collect::<Vec<_>>());
        let known = || self.surrounds.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(surround) = known().get(&key) {
            return surround.clone();
        }
        let surround = toolchain.surround(&self.config, flags, &self.counters);
        known().insert(key, surround.clone());
        surround
    }

    /// The linker that the words of a link choose. A driver is asked once for each.
    pub(crate) fn linker(&self, toolchain: &Toolchain, flags: &[Flag]) -> Linker {
        let key = (toolchain.language(), Toolchain::linker_key(flags));
        let known = || self.linkers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(linker) = known().get(&key) {
            return linker.clone();
        }
        let linker = toolchain.linker(&self.config, &key.1, &self.counters);
        known().insert(key, linker.clone());
        linker
    }

    /// All that a program of ours sees of the environment: what is not here cannot change its answer.
    pub(crate) fn run_environment(&self, variables: &[String]) -> Vec<(OsString, Option<OsString>)> {
        let own = [("PATH", self.config.path.clone()), ("LD_LIBRARY_PATH", self.config.library_path.clone())];
        let own = own.into_iter().map(|(name, value)| (OsString::from(name), value));
        let named = variables.iter().map(|name| (OsString::from(name), env::named(name)));
        own.chain(named).filter(|(_, value)| value.is_some()).collect()
    }
}
