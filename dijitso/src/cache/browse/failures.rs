//! What failed builds left behind.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::Cache;
use crate::cache::store::bundle;
use crate::error::{Error, Result};

/// No text in a bundle is longer.
const LONGEST: u64 = 1 << 30;

/// The directory that a failed build left: its sources, what the compiler said, and a script that fails in
/// the same way.
///
/// dijitso: the directory `jitfailure-<signature>` below `fail_dir_root`.
///
/// ```
/// # fn main() -> dijitso::Result<()> {
/// # let dir = tempfile::tempdir().unwrap();
/// # let jit = dijitso::Jit::builder().cache_dir(dir.path().join("cache")).build()?;
/// # let spec = dijitso::spec!(extern "C" fn() -> i32, "broken", (), || unsafe { dijitso::Source::new("int broken() { return x; }") });
/// assert!(jit.load(&spec).is_err());
/// let failure = &jit.cache().failures()?[0];
/// assert_eq!(failure.kernel(), "broken");
/// assert!(failure.log()?.contains("error:"));
/// assert!(failure.files()?.contains(&"broken.cpp".to_owned()));
/// assert!(!std::process::Command::new(failure.script()).output().unwrap().status.success());
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct FailureBundle {
    cache: Cache,
    path: PathBuf,
    kernel: String,
    unit: String,
    when: SystemTime,
}

impl FailureBundle {
    /// The directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The kernel's name.
    pub fn kernel(&self) -> &str {
        &self.kernel
    }

    /// The beginning of its unit signature.
    pub fn unit(&self) -> &str {
        &self.unit
    }

    /// When it failed.
    pub fn when(&self) -> SystemTime {
        self.when
    }

    /// The script that repeats it (dijitso: `recompile.sh`).
    pub fn script(&self) -> PathBuf {
        self.path.join("command.sh")
    }

    /// What the compiler or linker printed.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be read.
    pub fn log(&self) -> Result<String> {
        self.read("error.log")
    }

    /// The files in it, sorted.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be read.
    pub fn files(&self) -> Result<Vec<String>> {
        let names = self.cache.store.fs().list(&self.path);
        let names = names.map_err(|error| Error::io("cannot read", &self.path, &error))?;
        let mut names: Vec<String> = names.iter().map(|n| n.to_string_lossy().into_owned()).collect();
        names.sort_unstable();
        Ok(names)
    }

    /// The text of one of its [`files`](Self::files).
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be read.
    pub fn read(&self, file: &str) -> Result<String> {
        let path = self.path.join(file);
        if !crate::fs::is_component(file) {
            let error = std::io::Error::new(std::io::ErrorKind::InvalidInput, "it is no file name");
            return Err(Error::io("cannot read", &path, &error));
        }
        let bytes = self.cache.store.fs().read_at_most(&path, LONGEST);
        let bytes = bytes.map_err(|error| Error::io("cannot read", &path, &error))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}

impl Cache {
    /// What failed builds left, sorted by kernel.
    ///
    /// # Errors
    /// [`Error::Io`] if their directory cannot be read.
    ///
    /// ```
    /// # fn main() -> dijitso::Result<()> {
    /// for failure in dijitso::Cache::open("/nonexistent/cache")?.failures()? {
    ///     println!("{}: {}", failure.kernel(), failure.path().display());
    /// }
    /// # Ok(()) }
    /// ```
    pub fn failures(&self) -> Result<Vec<FailureBundle>> {
        let (dir, fs) = (self.store.failures_dir(), self.store.fs());
        let mut names = fs.list(&dir).map_err(|error| Error::io("cannot read", &dir, &error))?;
        names.sort_unstable();
        let mut found = Vec::new();
        for name in names {
            let path = dir.join(&name);
            let name = name.to_string_lossy();
            // Others' files, and bundles that are removed just now.
            let (Some((kernel, unit)), Ok(Some(stamp))) = (bundle(&name), fs.stamp(&path)) else {
                continue;
            };
            let since = Duration::from_nanos(u64::try_from(stamp.mtime_ns).unwrap_or_default());
            found.push(FailureBundle {
                cache: self.clone(),
                kernel: kernel.to_owned(),
                unit: unit.to_owned(),
                when: SystemTime::UNIX_EPOCH.checked_add(since).unwrap_or(SystemTime::UNIX_EPOCH),
                path,
            });
        }
        Ok(found)
    }
}
