//! Where headers were looked for in vain: one that appears there would be found earlier than the one that was read.
//!
//! Cargo cannot watch for a file that is not there (it would run the script every time), only directories, with all that
//! is below them. So a kernel's record names the places, and cargo is told the directories that the user named.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::cargo::Cargo;
use crate::cache::asked_in;
use crate::fs::Fs;
use crate::process::Command;
use crate::toolchain::{SearchDir, SearchPath};

/// The directories that a compiler searches for headers, under some flags.
#[derive(Debug)]
pub(super) struct Searched {
    path: SearchPath,
    /// Would be searched if they were there.
    missing: Vec<PathBuf>,
    /// Those of all these that a flag or variable names: the others are the compiler's own.
    named: Vec<PathBuf>,
}

/// What one compile did not find.
#[derive(Debug, Default)]
pub(super) struct Vain {
    /// Paths at which nothing was.
    pub(super) absent: BTreeSet<PathBuf>,
    /// Directories of the user, in which something may appear.
    pub(super) dirs: BTreeSet<PathBuf>,
    /// Files that the text asked for (`__has_include`), and perhaps did not read.
    pub(super) asked: Vec<PathBuf>,
    /// Something appeared while the compiler ran, which may have missed it.
    pub(super) changed: bool,
}

/// A directory with more in it is not watched: cargo looks at each file, in every build, perhaps over a network.
const MOST: usize = 2000;

/// Flags that name a directory, joined or in the next word.
const FLAGS: [&str; 4] = ["-isystem", "-iquote", "-idirafter", "-I"];
const VARIABLES: [&str; 3] = ["CPATH", "C_INCLUDE_PATH", "CPLUS_INCLUDE_PATH"];

impl Searched {
    /// From what the compiler said when `command` asked it (`-v`).
    pub(super) fn read(command: &Command, environment: &[(String, OsString)], said: &str) -> Searched {
        let (mut path, mut missing) = SearchPath::read(said.lines());
        // A relative one is below the kernel's own directory, into which nobody else writes.
        path.dirs.retain(|dir| dir.path.is_absolute());
        missing.retain(|dir| dir.is_absolute());
        let words: Vec<_> = command.args.iter().map(|word| word.to_string_lossy()).collect();
        let mut named = Vec::new();
        for (n, word) in words.iter().enumerate() {
            match FLAGS.iter().find_map(|flag| word.strip_prefix(flag)) {
                Some("") => named.extend(words.get(n + 1).map(|dir| PathBuf::from(&**dir))),
                Some(dir) => named.push(PathBuf::from(dir)),
                None => {}
            }
        }
        let variables = environment.iter().filter(|(name, _)| VARIABLES.contains(&name.as_str()));
        named.extend(variables.flat_map(|(_, value)| std::env::split_paths(value)));
        Searched { path, missing, named }
    }

    /// All directories that the user named, for a build that did not find something.
    pub(super) fn named(&self) -> impl Iterator<Item = &PathBuf> {
        self.named.iter()
    }

    /// Which headers a compile, begun at `started`, would have found earlier than those that it `read`, had they been
    /// there. `texts` are those that were compiled.
    pub(super) fn in_vain(&self, fs: &Fs, read: &[PathBuf], texts: &[&str], started: SystemTime) -> Vain {
        let mut vain = Vain::default();
        let mut asked: BTreeSet<String> = texts.iter().flat_map(|text| asked_in(text.as_bytes())).collect();
        // As it is named, and without links: compilers spell what they found in either way.
        let bases: Vec<[Option<PathBuf>; 2]> =
            self.path.dirs.iter().map(|dir| [Some(dir.path.clone()), fs.canonical(&dir.path)]).collect();
        let mut names: BTreeMap<PathBuf, usize> = BTreeMap::new();
        let mut note = |name: &Path, position: usize| {
            let known = names.entry(name.to_owned()).or_default();
            *known = position.max(*known);
        };
        // Beside the file that includes it a header is looked for first. Who included whom is not known.
        let mut beside = BTreeSet::new();
        for file in read {
            let mut of_user = true;
            for (position, spellings) in bases.iter().enumerate() {
                let name = spellings.iter().flatten().find_map(|base| file.strip_prefix(base).ok());
                if let Some(name) = name {
                    note(name, position);
                    of_user &= self.is_named(&self.path.dirs[position].path);
                }
            }
            if of_user {
                beside.extend(file.parent().map(Path::to_owned));
                asked.extend(fs.read(file).map(|text| asked_in(&text)).unwrap_or_default());
            }
        }
        for name in asked.iter().map(Path::new).filter(|name| name.is_relative()) {
            let found = |dir: &SearchDir| fs.is_file(&dir.path.join(name));
            match self.path.dirs.iter().position(found) {
                Some(position) => {
                    note(name, position);
                    vain.asked.push(self.path.dirs[position].path.join(name));
                }
                None => note(name, usize::MAX),
            }
        }
        for (name, position) in &names {
            for dir in &beside {
                vain.look(fs, dir, name, true, started);
            }
            // Where in the search these would be is not said.
            for dir in &self.missing {
                vain.look(fs, dir, name, false, started);
            }
            for dir in self.path.dirs.iter().take(*position) {
                vain.look(fs, &dir.path, name, self.is_named(&dir.path), started);
            }
        }
        vain
    }

    fn is_named(&self, dir: &Path) -> bool {
        self.named.iter().any(|named| named == dir)
    }
}

impl Vain {
    /// Looks for a header as the compiler did, up to the first part of its name that is not there.
    fn look(&mut self, fs: &Fs, dir: &Path, name: &Path, of_user: bool, started: SystemTime) {
        let mut dir = dir.to_owned();
        for part in name.components() {
            let path = dir.join(part);
            match fs.stamp(&path) {
                Ok(Some(stamp)) => {
                    self.changed |= stamp.changed_after(started) && fs.is_file(&path);
                    dir = path;
                }
                _ => {
                    self.absent.insert(path);
                    if of_user {
                        self.dirs.insert(dir);
                    }
                    return;
                }
            }
        }
    }
}

/// The directories of `dirs` that cargo can be told to watch, without those below others.
pub(super) fn watchable(cargo: &Cargo, dirs: &BTreeSet<PathBuf>) -> Vec<PathBuf> {
    let mut watched: Vec<PathBuf> = Vec::new();
    // Sorted, so what is above comes first.
    for dir in dirs {
        let known = watched.iter().any(|above| dir.starts_with(above));
        if !known && !cargo.holds_builds(dir) && is_small(&cargo.fs, dir) {
            watched.push(dir.clone());
        }
    }
    watched
}

fn is_small(fs: &Fs, dir: &Path) -> bool {
    let (mut todo, mut count) = (vec![dir.to_owned()], 0);
    while let Some(dir) = todo.pop() {
        let Ok(names) = fs.list(&dir) else { return false };
        count += names.len();
        if count > MOST {
            return false;
        }
        for path in names.into_iter().map(|name| dir.join(name)) {
            if fs.is_directory_itself(&path) {
                todo.push(path);
            } else if fs.link_target(&path).is_some() && !fs.is_file(&path) {
                // Cargo would follow it, to wherever.
                return false;
            }
        }
    }
    true
}
