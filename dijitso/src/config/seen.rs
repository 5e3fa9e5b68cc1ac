//! What configuring takes from the disk, as another process saw it.
//!
//! Thousands of ranks that start at once would all ask the same file server for the same file. One looks, and tells the
//! others, for whom it holds as far as they would have looked under the same paths.

use std::collections::BTreeMap;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::env::Environment;
use super::{file, root};
use crate::error::Result;

/// Nothing is known of what is not in it. Paths are bytes: not every name is text.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Seen {
    /// Configuration files, and their text if they are there.
    files: BTreeMap<Vec<u8>, Option<String>>,
    /// Prefixes of virtualenvs and conda, and whether they are the user's.
    prefixes: BTreeMap<Vec<u8>, bool>,
}

impl Seen {
    /// What this process sees now, with its own environment.
    ///
    /// # Errors
    /// A configuration file that cannot be read.
    pub(crate) fn here() -> Result<Seen> {
        Seen::with(&Environment::of_process())
    }

    fn with(environment: &Environment) -> Result<Seen> {
        let mut seen = Seen::default();
        if let Some((path, required)) = file::locate(environment)? {
            seen.files.insert(bytes(&path), file::text(&path, required)?);
        }
        for prefix in root::prefixes(environment) {
            seen.prefixes.insert(bytes(&prefix.value), root::is_ours(&prefix.value));
        }
        Ok(seen)
    }

    /// The text of a configuration file, if that is known, or that there is none.
    pub(super) fn file(&self, path: &Path) -> Option<Option<&str>> {
        self.files.get(path.as_os_str().as_bytes()).map(Option::as_deref)
    }

    /// Whether a prefix is the user's, if that is known.
    pub(super) fn is_ours(&self, prefix: &Path) -> Option<bool> {
        self.prefixes.get(prefix.as_os_str().as_bytes()).copied()
    }
}

fn bytes(path: &Path) -> Vec<u8> {
    path.as_os_str().as_bytes().to_vec()
}

#[cfg(test)]
mod tests {
    use super::super::Config;
    use super::super::params::Params;
    use super::*;

    #[test]
    fn what_was_seen_stands_for_the_disk_under_the_same_paths() {
        let dir = tempfile::tempdir().unwrap();
        let (file, prefix) = (dir.path().join("config.toml"), dir.path().join("prefix"));
        std::fs::write(&file, "[build]\ntimeout = 3\n").unwrap();
        std::fs::create_dir(&prefix).unwrap();
        let (config, venv) = (file.display().to_string(), prefix.display().to_string());
        let environment = Environment::of(&[("DIJITSO_CONFIG", &config), ("VIRTUAL_ENV", &venv)]);
        let seen = Seen::with(&environment).unwrap();
        let bytes = postcard::to_stdvec(&seen).unwrap();
        assert_eq!(postcard::from_bytes::<Seen>(&bytes).unwrap(), seen);

        let resolve = |seen: &Seen| Config::resolve_in(Params::default(), &environment, seen);
        let looked = resolve(&Seen::default()).unwrap();
        std::fs::remove_file(&file).unwrap();
        std::fs::remove_dir(&prefix).unwrap();
        let told = resolve(&seen).unwrap();
        for config in [looked, told] {
            assert_eq!(config.build.timeout.value.as_secs(), 3);
            assert!(config.build.timeout.origin.to_string().contains("config.toml, line 2"));
            assert_eq!(config.cache.root.value, prefix.join(".cache/dijitso"));
        }
        assert!(resolve(&Seen::default()).is_err(), "it must be there");
        assert!(Seen::with(&environment).is_err());
        // Another path is another file.
        let elsewhere = Environment::of(&[("XDG_CONFIG_HOME", &venv), ("HOME", "/nonexistent/home")]);
        let other = Config::resolve_in(Params::default(), &elsewhere, &seen).unwrap();
        assert_eq!(other.build.timeout.value.as_secs(), 600);
    }
}
