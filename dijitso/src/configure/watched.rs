//! What cargo has to look at, so that it runs a build script again when an answer may have changed.
//!
//! Cargo compares times of change, and package managers keep those of their archives: an upgraded compiler looks older
//! than any build. But a directory in which a file was put has a new time, and so has the package manager's database.

use std::path::{Path, PathBuf};

use crate::fs::Fs;

/// Files that were read, and directories in which something was missing.
#[derive(Debug, Default)]
pub(super) struct Watched {
    pub(super) files: Vec<PathBuf>,
    pub(super) places: Vec<PathBuf>,
}

/// Cargo walks through all of a directory at each build: this takes it some milliseconds.
const MOST: usize = 2000;

/// Where package managers write down what is installed.
const DATABASES: [&str; 6] = [
    "/var/lib/dpkg/status",
    "/var/lib/rpm/rpmdb.sqlite",
    "/usr/lib/sysimage/rpm/rpmdb.sqlite",
    "/var/lib/rpm/Packages",
    "/lib/apk/db/installed",
    "/var/lib/pacman/local",
];

impl Watched {
    /// The files of a compiler, which may be replaced by older ones.
    pub(super) fn add_tools(&mut self, tools: Vec<PathBuf>) {
        self.places.extend(tools.iter().filter_map(|tool| tool.parent()).map(Path::to_owned));
        self.files.extend(tools);
    }

    /// What is there of it: with a file that is not there, cargo would run the script each time.
    pub(super) fn paths(&self, fs: &Fs) -> Vec<PathBuf> {
        let databases: Vec<PathBuf> =
            DATABASES.iter().map(PathBuf::from).filter(|path| fs.exists(path)).collect();
        let is_told = |path: &Path| !databases.is_empty() && belongs_to_packages(path);
        let places = self.places.iter().filter(|place| !is_told(place) && is_small(fs, place));
        let files = self.files.iter().filter(|file| fs.exists(file));
        let mut paths: Vec<PathBuf> = files.chain(places).chain(&databases).cloned().collect();
        paths.sort();
        paths.dedup();
        paths
    }
}

/// Whether only a package manager changes it.
fn belongs_to_packages(path: &Path) -> bool {
    let is_below = |dirs: &[&str]| dirs.iter().any(|dir| path.starts_with(dir));
    is_below(&["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/etc"]) && !is_below(&["/usr/local"])
}

/// Whether cargo can be asked to walk through it.
fn is_small(fs: &Fs, dir: &Path) -> bool {
    let mut open = vec![dir.to_owned()];
    let mut count = 0;
    while let Some(dir) = open.pop() {
        let Ok(names) = fs.list(&dir) else { return false };
        count += names.len();
        if count > MOST {
            return false;
        }
        open.extend(names.iter().map(|name| dir.join(name)).filter(|path| fs.is_directory_itself(path)));
    }
    fs.exists(dir)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_watched_if_it_is_there_small_and_nobody_elses() {
        let own = tempfile::tempdir().unwrap();
        let path = |name: &str| own.path().join(name);
        std::fs::create_dir_all(path("small/deep")).unwrap();
        std::fs::create_dir(path("large")).unwrap();
        for n in 0..=MOST {
            std::fs::write(path(&format!("large/{n}")), "").unwrap();
        }
        std::fs::write(path("file"), "").unwrap();
        let watched = Watched {
            files: vec![path("file"), path("gone")],
            places: vec![path("small"), path("large"), path("gone.d"), "/usr/include".into()],
        };
        let paths = watched.paths(&Fs::new(Default::default()));
        let ours: Vec<_> = paths.iter().filter(|path| path.starts_with(own.path())).cloned().collect();
        assert_eq!(ours, [path("file"), path("small")]);
        let told = paths.iter().any(|path| DATABASES.contains(&path.to_str().unwrap()));
        assert!(told != paths.contains(&"/usr/include".into()) || !told, "{paths:?}");
    }

    #[test]
    fn the_directory_of_a_compiler_is_watched_with_it() {
        let own = tempfile::tempdir().unwrap();
        std::fs::write(own.path().join("cc1"), "").unwrap();
        let mut watched = Watched::default();
        watched.add_tools(vec![own.path().join("cc1")]);
        let paths = watched.paths(&Fs::new(Default::default()));
        assert!(paths.contains(&own.path().to_owned()) && paths.contains(&own.path().join("cc1")));
    }
}
