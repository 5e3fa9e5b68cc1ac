//! After a build: what it read, and where it looked in vain.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Component, Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::content::{Content, examine};
use super::record::{Record, State, Tracked, Watched, is_circle};
use super::{Inputs, sets};
use crate::cache::Store;
use crate::fs::{Fs, Stamp};
use crate::signature::{Signature, Signer};
use crate::toolchain::{Place, SearchPath};

/// What a build was made from.
#[derive(Debug)]
pub(crate) struct Collected {
    pub(crate) inputs: Inputs,
    /// Digest of every file's path and content, in an order of its own.
    pub(crate) digest: Signature,
    /// Every file with its digest.
    pub(crate) files: Vec<(PathBuf, Signature)>,
    /// A file that was changed after the build began: nobody can tell which state of it was compiled.
    pub(crate) changed: Option<PathBuf>,
}

/// A file that the build read cannot be read any more.
#[derive(Debug)]
pub(crate) struct CollectError {
    pub(crate) path: PathBuf,
    pub(crate) error: io::Error,
}

impl Inputs {
    /// Records what a build read, and which headers it would have found earlier had they been there.
    ///
    /// `files` are the paths that the compiler and the linker say they read, spelled as they spell them.
    /// `asked` are headers that the text asks for without including them
    /// ([`asked_in`](super::asked_in)), or that a failed compile did not find. `started` is a time before the
    /// compiler ran.
    pub(crate) fn collect(
        store: &Store,
        files: &[PathBuf],
        asked: &[String],
        search: &SearchPath,
        started: SystemTime,
    ) -> Result<Collected, CollectError> {
        let mut collector = Collector::new(store.fs(), search, started);
        for file in files {
            collector.file(file)?;
        }
        for name in asked {
            collector.question(name, Owner::User)?;
        }
        Ok(collector.finish())
    }
}

/// Which of the two records something belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Owner {
    /// The kernel's own, checked on every hit.
    User,
    /// The shared set, checked once per process.
    System,
}

/// Header names, each with the position of the directory where it was found; later directories do not
/// matter for it.
type Names = BTreeMap<PathBuf, usize>;

/// No file server's clock is so far ahead.
const WRONG_CLOCK: Duration = Duration::from_secs(3600);

/// Not found anywhere: all directories matter.
const NOWHERE: usize = usize::MAX;

/// A search directory in one of its spellings.
struct Base {
    path: PathBuf,
    depth: usize,
    builtin: bool,
    /// From 1, in the order of the search.
    position: usize,
}

/// Each directory as it is searched, and without links and `..`: gcc prints its own headers' paths in the
/// shorter of the two forms.
fn bases(fs: &Fs, search: &SearchPath) -> Vec<Base> {
    let mut bases: Vec<Base> = Vec::new();
    for (n, dir) in search.dirs.iter().enumerate() {
        for path in [Some(dir.path.clone()), fs.canonical(&dir.path)].into_iter().flatten() {
            let depth = path.components().count();
            if !bases.iter().any(|base| base.path == path) {
                bases.push(Base { path, depth, builtin: dir.is_builtin(), position: n + 1 });
            }
        }
    }
    bases
}

struct Collector<'a> {
    fs: &'a Fs,
    search: &'a SearchPath,
    started: SystemTime,
    bases: Vec<Base>,
    files: BTreeMap<PathBuf, (Content, Owner)>,
    user_names: Names,
    system_names: Names,
    user_dirs: BTreeMap<PathBuf, Watched>,
    system_dirs: BTreeMap<PathBuf, Watched>,
    /// Files, directories and links that were looked at by themselves.
    places: BTreeSet<PathBuf>,
    changed: Option<PathBuf>,
}

impl<'a> Collector<'a> {
    fn new(fs: &'a Fs, search: &'a SearchPath, started: SystemTime) -> Collector<'a> {
        Collector {
            fs,
            search,
            started,
            bases: bases(fs, search),
            files: BTreeMap::new(),
            user_names: Names::new(),
            system_names: Names::new(),
            user_dirs: BTreeMap::new(),
            system_dirs: BTreeMap::new(),
            places: BTreeSet::new(),
            changed: None,
        }
    }

    fn file(&mut self, path: &Path) -> Result<(), CollectError> {
        if self.files.contains_key(path) {
            return Ok(());
        }
        let content = examine(self.fs, path)
            .and_then(|content| content.ok_or_else(|| io::ErrorKind::NotFound.into()))
            .map_err(|error| CollectError { path: path.to_owned(), error })?;
        if !content.steady || self.may_have_missed(&content.stamp) || self.was_exchanged(path) {
            self.changed.get_or_insert_with(|| path.to_owned());
        }
        let owner = self.owner(path, content.text);
        let asked = content.asked.clone();
        if content.text {
            self.name(path, owner);
        }
        self.files.insert(path.to_owned(), (content, owner));
        asked.iter().try_for_each(|name| self.question(name, owner))
    }

    /// Whether a file was changed while the build ran, so that it may have read an earlier state.
    ///
    /// A time in the far future tells nothing: a clock was wrong once, and the file would look changed for
    /// ever. A file server's clock may be ahead by less.
    fn may_have_missed(&self, stamp: &Stamp) -> bool {
        stamp.changed_after(self.started) && !stamp.changed_after(SystemTime::now() + WRONG_CLOCK)
    }

    /// Whether the way to a file was changed while the build ran: a link was turned, or a directory moved
    /// to where another one was. Then the file is as old as any, and is not what was read.
    fn was_exchanged(&mut self, path: &Path) -> bool {
        let mut exchanged = false;
        let mut todo = vec![path.to_owned()];
        let mut links = 0;
        while let Some(path) = todo.pop() {
            for place in path.ancestors() {
                if !self.places.insert(place.to_owned()) {
                    break;
                }
                let Some(stamp) = self.fs.stamp_itself(place) else { continue };
                let target = self.fs.link_target(place);
                // What comes and goes in a directory changes both of its times, a move only one.
                exchanged |= self.may_have_missed(&stamp) && (target.is_some() || !stamp.is_filled());
                if let (Some(target), Some(dir), ..40) = (target, place.parent(), links) {
                    links += 1;
                    todo.push(dir.join(target));
                }
            }
        }
        exchanged
    }

    /// A header that was asked for: tracked if it is there, watched for if it is not.
    fn question(&mut self, name: &str, owner: Owner) -> Result<(), CollectError> {
        let name: PathBuf = plain(Path::new(name)).collect();
        if name.is_absolute() {
            if self.fs.is_file(&name) {
                return self.file(&name);
            }
            let below: PathBuf = name.components().skip(1).collect();
            self.absent(owner, Path::new("/"), &below);
            return Ok(());
        }
        match self.search.dirs.iter().map(|dir| dir.path.join(&name)).find(|path| self.fs.is_file(path)) {
            Some(found) => self.file(&found),
            None => {
                self.names(owner).insert(name, NOWHERE);
                Ok(())
            }
        }
    }

    fn names(&mut self, owner: Owner) -> &mut Names {
        match owner {
            Owner::User => &mut self.user_names,
            Owner::System => &mut self.system_names,
        }
    }

    fn owner(&self, path: &Path, text: bool) -> Owner {
        // The longest directory decides, so `-I/usr/include/mylib` stays the user's.
        let below = self.bases.iter().filter(|base| path.starts_with(&base.path));
        let builtin = below.max_by_key(|base| (base.depth, !base.builtin)).map(|base| base.builtin);
        // The system's libraries and start files belong to the compiler as its headers do.
        let library = ["/usr/lib", "/lib", "/usr/lib64", "/lib64"].iter().any(|dir| path.starts_with(dir));
        if builtin.unwrap_or(library && !text) { Owner::System } else { Owner::User }
    }

    /// Notes the names under which `path` may have been included.
    fn name(&mut self, path: &Path, owner: Owner) {
        let builtin = owner == Owner::System;
        let below = self.bases.iter().filter(|base| base.builtin == builtin);
        let mut found: Vec<(PathBuf, usize)> = below
            .filter_map(|base| Some((path.strip_prefix(&base.path).ok()?.to_owned(), base.position)))
            .filter(|(name, _)| !name.as_os_str().is_empty())
            .collect();
        if builtin {
            // The compiler's directories lie in each other, and nobody includes <c++/12/cmath>.
            found.sort_by_key(|(name, _)| name.components().count());
            found.truncate(1);
        }
        for (name, position) in found {
            let known = self.names(owner).entry(name).or_default();
            *known = position.max(*known);
        }
    }

    fn finish(mut self) -> Collected {
        self.watch_all();
        let tracked = |owner: Owner| -> Vec<Tracked> {
            let files = self.files.iter().filter(|(_, (_, whose))| *whose == owner);
            let tracked = files.map(|(path, (content, _))| Tracked {
                path: path.clone(),
                stamp: content.stamp,
                settled: content.settled,
                digest: content.digest,
            });
            tracked.collect()
        };
        let record = |owner: Owner, names: &Names, dirs: BTreeMap<PathBuf, Watched>| {
            let firsts: BTreeSet<OsString> = names.keys().map(|name| first(name)).collect();
            let firsts: Vec<OsString> = firsts.into_iter().collect();
            Record::encode(&tracked(owner), &firsts, &dirs.into_values().collect::<Vec<_>>())
        };
        let system = record(Owner::System, &self.system_names, self.system_dirs);
        let system = if system == Record::default() { None } else { sets::insert(system) };
        let record = record(Owner::User, &self.user_names, self.user_dirs);

        let mut signer = Signer::quiet("dijitso inputs 1");
        for (path, (content, _)) in &self.files {
            signer.bytes(path.as_os_str().as_encoded_bytes());
            signer.field("digest", &content.digest);
        }
        Collected {
            inputs: Inputs { record, system },
            digest: signer.finish(),
            files: self.files.into_iter().map(|(path, (content, _))| (path, content.digest)).collect(),
            changed: self.changed,
        }
    }

    /// Decides for every directory which names it is watched for.
    fn watch_all(&mut self) {
        // `#include "x"` looks beside the including file first. Who included whom is not known.
        let headers = self.files.iter().filter(|(_, (content, owner))| content.text && *owner == Owner::User);
        let includers: BTreeSet<PathBuf> =
            headers.filter_map(|(path, _)| path.parent().map(Path::to_owned)).collect();
        let mut seen = BTreeSet::new();
        for dir in includers {
            self.watch(&dir, 0, Owner::User, &[Owner::User, Owner::System]);
            seen.insert(dir);
        }
        for (n, dir) in self.search.dirs.iter().enumerate() {
            if !seen.insert(dir.path.clone()) {
                continue;
            }
            if dir.place == Place::Builtin {
                self.watch(&dir.path, n + 1, Owner::User, &[Owner::User]);
                self.watch(&dir.path, n + 1, Owner::System, &[Owner::System]);
            } else {
                self.watch(&dir.path, n + 1, Owner::User, &[Owner::User, Owner::System]);
            }
        }
    }

    /// Watches `dir`, the search's `position`th, for the names of `tables`, in the record of `owner`.
    fn watch(&mut self, dir: &Path, position: usize, owner: Owner, tables: &[Owner]) {
        let now = SystemTime::now();
        let state = State::of(self.fs.stamp(dir).ok().flatten(), now);
        // By first component: what is below a missing directory is missing.
        let mut by_first: BTreeMap<OsString, Vec<PathBuf>> = BTreeMap::new();
        for table in tables {
            for (name, found) in self.names(*table).iter() {
                let wanted = by_first.entry(first(name)).or_default();
                if *found > position {
                    wanted.push(name.clone());
                }
            }
        }
        let mut ignored = BTreeSet::new();
        let mut watched = false;
        for (component, names) in by_first {
            let there = !names.is_empty() && state != State::Absent && self.is_there(&dir.join(&component));
            if names.is_empty() || there {
                ignored.insert(component);
            } else {
                watched = true;
            }
            if there {
                names.iter().for_each(|name| self.absent(owner, dir, name));
            }
        }
        if watched {
            let own = tables.contains(&owner);
            let system = owner == Owner::User && tables.contains(&Owner::System);
            let entry = self.watched(owner, dir, state);
            (entry.own, entry.system) = (own, system);
            entry.ignored = ignored;
        }
    }

    /// Watches for one name below `dir`: at the first component that is missing.
    fn absent(&mut self, owner: Owner, dir: &Path, name: &Path) {
        let mut dir = dir.to_owned();
        let mut rest = plain(name).peekable();
        while let Some(component) = rest.next() {
            let now = SystemTime::now();
            let stamp = self.fs.stamp(&dir).ok().flatten();
            let path = dir.join(component);
            if !self.is_there(&path) {
                let entry = self.watched(owner, &dir, State::of(stamp, now));
                entry.extra.insert(component.as_os_str().to_owned());
                return;
            }
            if rest.peek().is_none() && !self.fs.exists(&path) {
                // A link that leads nowhere, now.
                self.watched(owner, &path, State::Absent).extra.insert(OsString::new());
                return;
            }
            dir = path;
        }
    }

    fn watched(&mut self, owner: Owner, dir: &Path, state: State) -> &mut Watched {
        let dirs = match owner {
            Owner::User => &mut self.user_dirs,
            Owner::System => &mut self.system_dirs,
        };
        dirs.entry(dir.to_owned()).or_insert_with(|| Watched {
            path: dir.to_owned(),
            state,
            own: false,
            system: false,
            ignored: BTreeSet::new(),
            extra: BTreeSet::new(),
        })
    }

    /// Whether something has this path; if it came while the compiler ran, the compiler may have missed it.
    fn is_there(&mut self, path: &Path) -> bool {
        let Some(stamp) = self.fs.stamp_itself(path) else { return false };
        // To a compiler a circle of links is an error, whatever else there is: nothing records that, so nothing is kept.
        let is_error = self.fs.stamp(path).is_err_and(|error| is_circle(&error));
        if is_error || (self.may_have_missed(&stamp) && self.fs.is_file(path)) {
            self.changed.get_or_insert_with(|| path.to_owned());
        }
        true
    }
}

/// A path's components without `.`.
fn plain(path: &Path) -> impl Iterator<Item = Component<'_>> {
    path.components().filter(|component| *component != Component::CurDir)
}

fn first(name: &Path) -> OsString {
    plain(name).next().map_or(OsStr::new(""), Component::as_os_str).to_owned()
}
