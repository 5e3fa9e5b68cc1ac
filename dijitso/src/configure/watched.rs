//! What cargo has to look at, so that it runs a build script again when an answer may have changed.
//!
//! Cargo compares times of change, and package managers keep those of their archives: an upgraded compiler looks older
//! than any build. But a directory in which a file was put has a new time, and so has the package manager's database.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use crate::fs::Fs;

/// Files that were read, and directories in which something was missing.
#[derive(Debug, Default)]
pub(super) struct Watched {
    pub(super) files: Vec<PathBuf>,
    pub(super) places: Vec<PathBuf>,
}

/// What cargo is told.
#[derive(Debug, Default)]
pub(super) struct Told {
    pub(super) paths: Vec<PathBuf>,
    /// Places that it cannot be asked to look at, each with the reason.
    pub(super) unseen: Vec<(PathBuf, &'static str)>,
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
/// Where is written down which of several compilers or libraries is meant.
const CHOICES: [&str; 2] = ["/etc/alternatives", "/var/lib/alternatives"];

impl Watched {
    /// The files of a compiler, which may be replaced by older ones.
    pub(super) fn add_tools(&mut self, tools: Vec<PathBuf>) {
        self.places.extend(tools.iter().filter_map(|tool| tool.parent()).map(Path::to_owned));
        self.files.extend(tools);
    }

    /// What is there of it: with a file that is not there, cargo would run the script each time. So it would with a
    /// directory that has `written` in it, where cargo itself writes.
    pub(super) fn told(&self, fs: &Fs, written: Option<&Path>) -> Told {
        let there = |paths: &[&str]| -> Vec<PathBuf> {
            paths.iter().map(PathBuf::from).filter(|path| fs.exists(path)).collect()
        };
        let databases = there(&DATABASES);
        let written = written.and_then(|dir| fs.canonical(dir));
        // Cargo puts its own directories into LD_LIBRARY_PATH: `target/debug`, above `build/<package>/out`.
        let profile = written.as_deref().and_then(cargos_profile);
        let mut told = Told::default();
        let mut places = self.places.clone();
        places.sort();
        places.dedup();
        for place in places {
            let Some(real) = fs.canonical(&place) else { continue };
            let is_told = !databases.is_empty() && belongs_to_packages(&place);
            let is_cargos = profile.is_some_and(|dir| real.starts_with(dir));
            if let Some(history) = of_conda(&place).filter(|history| fs.exists(history)) {
                told.paths.push(history);
            } else if is_told || is_cargos {
                continue;
            } else if written.as_ref().is_some_and(|dir| dir.starts_with(&real)) {
                told.unseen.push((place, "what is built is written to it, too"));
            } else if !is_small(fs, &place) {
                told.unseen.push((place, "it has more than 2,000 files"));
            } else {
                told.paths.push(place);
            }
        }
        told.paths.extend(self.files.iter().filter(|file| fs.exists(file)).cloned());
        told.paths.extend(databases);
        told.paths.extend(there(&CHOICES).into_iter().filter(|dir| is_small(fs, dir)));
        told.paths.sort();
        told.paths.dedup();
        told
    }
}

/// The directory of a profile, for the `OUT_DIR` of a package.
fn cargos_profile(out: &Path) -> Option<&Path> {
    let build = out.parent().filter(|_| out.ends_with("out"))?.parent()?;
    build.parent().filter(|_| build.ends_with("build"))
}

/// Where conda writes down what it installs, for a place below one of its environments.
fn of_conda(place: &Path) -> Option<PathBuf> {
    let inner =
        place.ancestors().find(|dir| dir.file_name().is_some_and(|name| name == "include" || name == "lib"));
    Some(inner?.parent()?.join("conda-meta/history"))
}

/// Whether only a package manager changes it.
fn belongs_to_packages(path: &Path) -> bool {
    let is_below = |dirs: &[&str]| dirs.iter().any(|dir| path.starts_with(dir));
    is_below(&["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/etc"]) && !is_below(&["/usr/local"])
}

/// Whether cargo can be asked to walk through it, as it does: behind links, too.
fn is_small(fs: &Fs, dir: &Path) -> bool {
    let mut open = vec![dir.to_owned()];
    let mut seen = HashSet::new();
    let mut count = 0;
    while let Some(dir) = open.pop() {
        // A circle of links has no end.
        if fs.canonical(&dir).is_none_or(|real| !seen.insert(real)) {
            continue;
        }
        let Ok(names) = fs.list(&dir) else { continue };
        count += names.len();
        if count > MOST {
            return false;
        }
        let paths = names.iter().map(|name| dir.join(name));
        open.extend(paths.filter(|path| matches!(fs.directory(path), Ok(Some(_)))));
    }
    true
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
        let told = watched.told(&Fs::new(Default::default()), None);
        let ours: Vec<_> = told.paths.iter().filter(|path| path.starts_with(own.path())).cloned().collect();
        assert_eq!(ours, [path("file"), path("small")]);
        let unseen: Vec<_> = told.unseen.into_iter().map(|(path, _)| path).collect();
        assert!(unseen.contains(&path("large")) && !unseen.contains(&path("gone.d")), "{unseen:?}");
        let paths = told.paths;
        let told = paths.iter().any(|path| DATABASES.contains(&path.to_str().unwrap()));
        assert!(told != paths.contains(&"/usr/include".into()) || !told, "{paths:?}");
    }

    #[test]
    fn the_directory_of_a_compiler_is_watched_with_it() {
        let own = tempfile::tempdir().unwrap();
        std::fs::write(own.path().join("cc1"), "").unwrap();
        let mut watched = Watched::default();
        watched.add_tools(vec![own.path().join("cc1")]);
        let paths = watched.told(&Fs::new(Default::default()), None).paths;
        assert!(paths.contains(&own.path().to_owned()) && paths.contains(&own.path().join("cc1")));
    }

    #[test]
    fn what_cargo_writes_to_is_not_watched_and_links_are_followed_as_it_follows_them() {
        let own = tempfile::tempdir().unwrap();
        let path = |name: &str| own.path().join(name);
        std::fs::create_dir_all(path("package/target/out")).unwrap();
        std::fs::create_dir_all(path("package/include")).unwrap();
        std::fs::create_dir(path("large")).unwrap();
        for n in 0..=MOST {
            std::fs::write(path(&format!("large/{n}")), "").unwrap();
        }
        std::fs::create_dir(path("linked")).unwrap();
        std::os::unix::fs::symlink(path("large"), path("linked/more")).unwrap();
        std::fs::create_dir(path("circle")).unwrap();
        std::os::unix::fs::symlink(path("circle"), path("circle/again")).unwrap();
        let places = ["package", "package/include", "linked", "circle"].map(path).to_vec();
        let watched = Watched { files: Vec::new(), places };
        let told = watched.told(&Fs::new(Default::default()), Some(&path("package/target/out")));
        let ours: Vec<_> = told.paths.iter().filter(|path| path.starts_with(own.path())).cloned().collect();
        assert_eq!(ours, [path("circle"), path("package/include")]);
        let unseen: Vec<_> = told.unseen.into_iter().map(|(path, _)| path).collect();
        assert_eq!(unseen, [path("linked"), path("package")]);
    }

    #[test]
    fn cargos_own_directories_are_left_out_without_a_word() {
        let own = tempfile::tempdir().unwrap();
        let path = |name: &str| own.path().join(name);
        for dir in ["target/debug/build/a-1/out", "target/debug/deps"] {
            std::fs::create_dir_all(path(dir)).unwrap();
        }
        let places = ["target/debug", "target/debug/deps"].map(path).to_vec();
        let watched = Watched { files: Vec::new(), places };
        let told = watched.told(&Fs::new(Default::default()), Some(&path("target/debug/build/a-1/out")));
        assert!(told.unseen.is_empty(), "{told:?}");
        assert!(!told.paths.iter().any(|path| path.starts_with(own.path())), "{told:?}");
    }

    #[test]
    fn what_conda_installs_is_seen_by_its_history() {
        let own = tempfile::tempdir().unwrap();
        let path = |name: &str| own.path().join(name);
        std::fs::create_dir_all(path("env/conda-meta")).unwrap();
        std::fs::create_dir_all(path("env/include/deep")).unwrap();
        std::fs::write(path("env/conda-meta/history"), "").unwrap();
        let watched = Watched { files: Vec::new(), places: vec![path("env/include/deep")] };
        let told = watched.told(&Fs::new(Default::default()), None);
        assert!(told.paths.contains(&path("env/conda-meta/history")), "{told:?}");
        assert!(!told.paths.contains(&path("env/include/deep")), "{told:?}");
    }
}
