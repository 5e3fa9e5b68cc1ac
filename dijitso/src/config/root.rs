//! Which directory holds the cache.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::env::{Environment, environment};
use super::origin::Origin;
use super::{Cache, Sourced};
use crate::error::{Error, Result};

/// A cache that nobody can have: no program creates files there.
const NOWHERE: &str = "/proc/dijitso";

/// The directory that was asked for, else the one of the active conda or virtualenv prefix, else the
/// user's cache directory. Never a name in a directory that others write to.
///
/// Where there is none of these, a path where nothing can be: a program whose kernels are part of it needs no
/// cache, and others can do without one, see [`Cache::homeless`].
pub(super) fn choose(asked: Option<Sourced<PathBuf>>, env: &Environment) -> Result<Sourced<PathBuf>> {
    if let Some(asked) = asked {
        check_absolute(&asked)?;
        return Ok(asked);
    }
    // A virtualenv is made inside a conda environment, not the other way round, so it is the inner one.
    for variable in ["VIRTUAL_ENV", "CONDA_PREFIX"] {
        if let Some(prefix) = env.directory(variable).filter(|prefix| ours(prefix)) {
            return Ok(Sourced { value: prefix.join(".cache/dijitso"), origin: environment(variable) });
        }
    }
    if let Some(caches) = env.directory("XDG_CACHE_HOME") {
        return Ok(Sourced { value: caches.join("dijitso"), origin: environment("XDG_CACHE_HOME") });
    }
    if let Some(home) = env.directory("HOME") {
        return Ok(Sourced { value: home.join(".cache/dijitso"), origin: environment("HOME") });
    }
    Ok(Sourced { value: PathBuf::from(NOWHERE), origin: Origin::Default })
}

impl Cache {
    /// Why there is no directory, if nobody named one and there is no home for it.
    pub(crate) fn homeless(&self) -> Option<&'static str> {
        // A directory that was chosen has somebody who chose it.
        (self.root.origin == Origin::Default).then_some(
            "there is no place for the cache: HOME is not set; set DIJITSO_CACHE_DIR to a directory of your own \
             (an absolute path), or give `.cache_dir(..)`",
        )
    }
}

/// A conda installation is often shared and another user's; its prefix could neither be written nor
/// trusted.
fn ours(prefix: &Path) -> bool {
    std::fs::metadata(prefix).is_ok_and(|m| m.is_dir() && m.uid() == rustix::process::geteuid().as_raw())
}

fn check_absolute(dir: &Sourced<PathBuf>) -> Result<()> {
    if dir.value.is_absolute() {
        return Ok(());
    }
    let tilde = if dir.value.starts_with("~") { " (`~` is not expanded here)" } else { "" };
    let problem = format!(
        "the cache directory `{}` must be an absolute path{tilde}: a relative one would be another cache in \
         every working directory",
        dir.value.display()
    );
    Err(Error::Config { problem, origin: dir.origin.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(env: &[(&'static str, &str)]) -> PathBuf {
        choose(None, &Environment::of(env)).unwrap().value
    }

    #[test]
    fn prefixes_come_before_xdg_and_xdg_before_home() {
        let (venv, conda) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (v, c) = (venv.path().to_str().unwrap(), conda.path().to_str().unwrap());
        let all = [("VIRTUAL_ENV", v), ("CONDA_PREFIX", c), ("XDG_CACHE_HOME", "/x"), ("HOME", "/h")];
        assert_eq!(chosen(&all), venv.path().join(".cache/dijitso"));
        assert_eq!(chosen(&all[1..]), conda.path().join(".cache/dijitso"));
        assert_eq!(chosen(&all[2..]), Path::new("/x/dijitso"));
        assert_eq!(chosen(&all[3..]), Path::new("/h/.cache/dijitso"));
    }

    #[test]
    fn a_prefix_that_is_gone_or_not_ours_is_passed_over() {
        assert_eq!(
            chosen(&[("CONDA_PREFIX", "/nonexistent/prefix"), ("HOME", "/h")]),
            Path::new("/h/.cache/dijitso")
        );
    }

    #[test]
    fn relative_paths_are_refused() {
        let asked = Some(Sourced { value: PathBuf::from("~/cache"), origin: Origin::Builder });
        let error = choose(asked, &Environment::default()).unwrap_err().to_string();
        assert!(error.contains("absolute path") && error.contains('~'), "{error}");
    }

    #[test]
    fn without_a_home_there_is_a_path_where_nothing_can_be() {
        for env in [&[][..], &[("XDG_CACHE_HOME", "x")], &[("HOME", "")], &[("HOME", "h")]] {
            let nowhere = choose(None, &Environment::of(env)).unwrap();
            assert_eq!(nowhere.origin, Origin::Default);
            assert!(std::fs::create_dir_all(&nowhere.value).is_err() && !nowhere.value.exists());
        }
    }
}
