//! Whether everything in a cache is what it should be.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use super::listing::{NO_DIRECTORY, SET_ASIDE, is_folder, named};
use super::side_by_side::side_by_side;
use super::{Cache, Damaged, Entry};
use crate::cache::archive::Archive;
use crate::cache::entry::{self, EntryMeta, HEADERS};
use crate::cache::seal::MACHINE;
use crate::cache::{Defect, Index, VariantOutcome, elf, site};
use crate::fs::is_component;
use crate::signature::Signature;

/// Kinds of [`Problem`]s.
///
/// ```
/// assert!(!dijitso::ProblemKind::Index.is_harm() && dijitso::ProblemKind::Damaged.is_harm());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ProblemKind {
    /// An entry whose bytes are not those that were published. A load sets it aside and builds again.
    Damaged,
    /// An entry that the system does not let be read, so that nothing is known about its bytes: a file server that is busy, a disk that
    /// fails, permissions.
    Unreadable,
    /// An entry with intact bytes whose library is not what it should be.
    Library,
    /// A kernel that this one is linked to is not in the cache: it came from a site cache, and still does, or a load builds it
    /// again.
    Dependency,
    /// Something that is no part of a cache.
    Foreign,
    /// An entry that a load found damaged and set aside.
    SetAside,
    /// An index file, or the table of a site cache, that cannot be read, or that leads to an entry that is not
    /// there: a load passes it over.
    Index,
}

impl ProblemKind {
    /// Whether a kernel is affected. The others only take space.
    pub fn is_harm(self) -> bool {
        matches!(self, ProblemKind::Damaged | ProblemKind::Unreadable | ProblemKind::Library)
    }
}

/// Something in a cache that is not as it should be. None of these makes a program fail: what cannot be
/// used is built again.
///
/// ```
/// # fn main() -> dijitso::Result<()> {
/// for problem in dijitso::Cache::open("/nonexistent/cache")?.verify().problems {
///     println!("{}: {}", problem.path.display(), problem.text);
/// }
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Problem {
    /// What kind.
    pub kind: ProblemKind,
    /// The file.
    pub path: PathBuf,
    /// The entry, if it is about one.
    pub signature: Option<Signature>,
    /// What is wrong, in words.
    pub text: String,
}

impl From<Damaged> for Problem {
    fn from(damaged: Damaged) -> Problem {
        let kind = match (damaged.signature, damaged.unreadable) {
            (None, _) => ProblemKind::Foreign,
            (Some(_), true) => ProblemKind::Unreadable,
            (Some(_), false) => ProblemKind::Damaged,
        };
        let Damaged { path, signature, problem: text, .. } = damaged;
        Problem { kind, path, signature, text }
    }
}

/// What [`Cache::verify`] found (dijitso: `check_cache_integrity`, `report_cache_integrity`).
///
/// ```
/// # fn main() -> dijitso::Result<()> {
/// let found = dijitso::Cache::open("/nonexistent/cache")?.verify();
/// assert!(found.is_sound() && found.entries == 0);
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Integrity {
    /// Entries that were looked at, damaged ones included.
    pub entries: usize,
    /// Index files that were looked at.
    pub indices: usize,
    /// What is wrong, entries first, in the order of their signatures.
    pub problems: Vec<Problem>,
}

impl Integrity {
    /// Whether no kernel is affected by what was found.
    ///
    /// ```
    /// # fn main() -> dijitso::Result<()> {
    /// assert!(dijitso::Cache::open("/nonexistent/cache")?.verify().is_sound());
    /// # Ok(()) }
    /// ```
    pub fn is_sound(&self) -> bool {
        self.problems.iter().all(|problem| !problem.kind.is_harm())
    }
}

impl Entry {
    /// Reads all of the entry and compares it with its seal; reads what its library says about itself, and
    /// looks for the kernels that it is linked to.
    ///
    /// ```
    /// # fn check(entry: &dijitso::Entry) {
    /// assert!(entry.verify().is_empty());
    /// # }
    /// ```
    pub fn verify(&self) -> Vec<Problem> {
        self.cache.verify_entry(self.path(), &self.signature()).1
    }
}

/// How far [`Cache::verify_with`] has come.
///
/// ```
/// # fn main() -> dijitso::Result<()> {
/// let cache = dijitso::Cache::open("/nonexistent/cache")?;
/// cache.verify_with(|progress| eprintln!("{} of {}", progress.entries, progress.of));
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// Entries that were looked at.
    pub entries: usize,
    /// Of so many.
    pub of: usize,
    /// Their bytes.
    pub bytes: u64,
}

fn wrong_library(signature: &Signature, meta: &EntryMeta, bytes: &[u8]) -> Vec<String> {
    let dynamic = match elf::dynamic(bytes) {
        Ok(dynamic) => dynamic,
        Err(problem) => return vec![format!("its library {problem}")],
    };
    let mut wrong = Vec::new();
    let name = format!("{signature}.so");
    if dynamic.soname.as_ref() != Some(&name) {
        let says = dynamic.soname.as_deref().unwrap_or("nothing");
        wrong.push(format!("its library is named `{says}` (SONAME), not as its file"));
    }
    for kernel in dynamic.needed.iter().filter_map(|needed| named(needed)) {
        if !meta.dependencies.contains(&kernel) {
            wrong.push(format!("its library needs the kernel {}, which it does not list", kernel.short()));
        }
    }
    if let Some(symbol) = &meta.symbol
        && !elf::exports(bytes).iter().any(|export| export.name == *symbol)
    {
        wrong.push(format!("its library does not export `{symbol}`"));
    }
    wrong
}

/// Takes a path, the key in its name, and what the file says: nothing, if it is illegible; an error, if it cannot be read or is of another version.
type IndexVisitor<'a> = &'a mut dyn FnMut(&Path, Option<Signature>, io::Result<Option<Index>>);

impl Cache {
    /// Reads and checks everything: the seals and digests of all entries, their archives and libraries,
    /// their dependencies, and where the index leads. Nothing is changed.
    ///
    /// ```
    /// # fn main() -> dijitso::Result<()> {
    /// assert_eq!(dijitso::Cache::open("/nonexistent/cache")?.verify().problems, []);
    /// # Ok(()) }
    /// ```
    pub fn verify(&self) -> Integrity {
        self.verify_with(|_| {})
    }

    /// The same, told how far it has come: after each entry, on any of the threads that do it.
    ///
    /// ```
    /// # fn main() -> dijitso::Result<()> {
    /// let cache = dijitso::Cache::open("/nonexistent/cache")?;
    /// assert!(cache.verify_with(|progress| println!("{} bytes", progress.bytes)).is_sound());
    /// # Ok(()) }
    /// ```
    pub fn verify_with(&self, watch: impl Fn(Progress) + Sync) -> Integrity {
        let mut found = Integrity::default();
        let (files, unlisted) = self.entry_files();
        found.problems.extend(unlisted.into_iter().map(Problem::from));
        let (entries, bytes) = (AtomicUsize::new(0), AtomicU64::new(0));
        let looked = side_by_side(&files, |path| {
            let (length, is_entry, problems) = self.verify_file(path);
            let bytes = bytes.fetch_add(length, Ordering::Relaxed) + length;
            let entries = entries.fetch_add(1, Ordering::Relaxed) + 1;
            watch(Progress { entries, of: files.len(), bytes });
            (is_entry, problems)
        });
        for (is_entry, problems) in looked {
            found.entries += usize::from(is_entry);
            found.problems.extend(problems);
        }
        self.set_aside(&mut |path, signature| {
            let text = "a load found it damaged and set it aside; it can be removed".to_owned();
            let (kind, path) = (ProblemKind::SetAside, path.to_owned());
            found.problems.push(Problem { kind, path, signature, text });
        });
        let store = &self.store;
        self.index_files(&mut |path, key, index| {
            found.indices += 1;
            let kind = ProblemKind::Index;
            let problem = |text: String| Problem { kind, path: path.to_owned(), signature: None, text };
            let index = match (key, index) {
                (Some(_), Ok(Some(index))) => index,
                (Some(_), Err(error)) => {
                    return found.problems.push(problem(format!("it cannot be read: {error}")));
                }
                (Some(_), Ok(None)) => return found.problems.push(problem("it cannot be read".to_owned())),
                (None, _) => {
                    return found
                        .problems
                        .push(problem("it is no index file: these are named by 64 digits".to_owned()));
                }
            };
            for variant in &index.variants {
                if let VariantOutcome::Content(content) = &variant.outcome
                    && store.is_gone(content)
                {
                    let text = format!("it leads to the entry {}, which is not there", content.short());
                    found.problems.push(problem(text));
                }
            }
        });
        if let Some((path, leads)) = site::imported(store) {
            found.indices += 1;
            let kind = ProblemKind::Index;
            let text = match leads {
                Ok(true) => None,
                Ok(false) => Some("it leads to nothing that is there".to_owned()),
                Err(problem) => Some(problem),
            };
            found.problems.extend(text.map(|text| Problem { kind, path, signature: None, text }));
        }
        if let Some(table) = site::table_of(store) {
            found.indices += 1;
            let problems = site::check_table(store, &table).into_iter();
            found.problems.extend(problems.map(|text| Problem {
                kind: ProblemKind::Index,
                path: table.clone(),
                signature: None,
                text,
            }));
        }
        found
    }

    /// Whatever lies where entries lie, sorted, but for what was set aside.
    fn entry_files(&self) -> (Vec<PathBuf>, Vec<Damaged>) {
        let (fs, v1) = (self.store.fs(), self.store.v1());
        let (mut files, mut damaged) = (Vec::new(), Vec::new());
        let mut folders = match fs.list(v1) {
            Ok(folders) => folders,
            Err(error) => {
                return (files, vec![Damaged::new(v1, None, format!("it cannot be read: {error}"))]);
            }
        };
        folders.retain(|name| name.to_str().is_some_and(is_folder));
        folders.sort_unstable();
        for folder in folders {
            let folder = v1.join(folder);
            if !fs.is_directory_itself(&folder) {
                damaged.push(Damaged::new(&folder, None, NO_DIRECTORY));
                continue;
            }
            match fs.list(&folder) {
                Ok(mut names) => {
                    names.retain(|name| !name.to_string_lossy().ends_with(SET_ASIDE));
                    names.sort_unstable();
                    files.extend(names.iter().map(|name| folder.join(name)));
                }
                Err(error) => {
                    damaged.push(Damaged::new(&folder, None, format!("it cannot be read: {error}")));
                }
            }
        }
        (files, damaged)
    }

    /// How long it is, whether it is one of ours, and what is wrong with it.
    fn verify_file(&self, path: &Path) -> (u64, bool, Vec<Problem>) {
        match self.named_at(path) {
            Ok(signature) => {
                let (length, problems) = self.verify_entry(path, &signature);
                (length, true, problems)
            }
            Err(damaged) => (0, damaged.signature.is_some(), vec![damaged.into()]),
        }
    }

    fn verify_entry(&self, path: &Path, signature: &Signature) -> (u64, Vec<Problem>) {
        let problem =
            |kind, text: String| Problem { kind, path: path.to_owned(), signature: Some(*signature), text };
        let opened = entry::checked(self.store.fs().open_unnoticed(path));
        let length = opened.as_ref().map_or(0, |file| file.stamp.size);
        let archive = match opened.and_then(|file| Archive::of(file, signature)) {
            Ok(archive) => archive,
            // Removed since it was listed.
            Err(Defect::Missing) if self.store.fs().stamp_itself(path).is_none() => return (0, Vec::new()),
            Err(defect) => {
                let kind = match defect {
                    Defect::Unreadable(_) => ProblemKind::Unreadable,
                    _ => ProblemKind::Damaged,
                };
                return (length, vec![problem(kind, defect.to_string())]);
            }
        };
        let mut problems = Vec::new();
        let (meta, names) = (archive.meta(), archive.names());
        if meta.content != *signature {
            let text = format!("its facts are those of the entry {}", meta.content.short());
            problems.push(problem(ProblemKind::Damaged, text));
        }
        let leads = |name: &&String| !is_component(name.strip_prefix(HEADERS).unwrap_or(name));
        if let Some(name) = names.iter().find(leads) {
            let text = format!("its archive has a file named {name:?}, which no build writes");
            problems.push(problem(ProblemKind::Damaged, text));
        }
        if archive.seal().machine == MACHINE {
            let wrong = wrong_library(signature, meta, archive.elf());
            problems.extend(wrong.into_iter().map(|text| problem(ProblemKind::Library, text)));
        }
        for dependency in &meta.dependencies {
            if self.store.is_gone(dependency) {
                let text = format!(
                    "it is linked to the kernel {}, which is not in the cache: it comes from a site cache, or a load builds it again",
                    dependency.short()
                );
                problems.push(problem(ProblemKind::Dependency, text));
            }
        }
        (length, problems)
    }

    /// Everything in the index: its path, its key, and what it says; `None` for what cannot be read.
    pub(super) fn index_files(&self, visit: IndexVisitor<'_>) {
        for_each_in_folders(self, &self.store.index_dir(), &mut |path, name| {
            let key = Signature::from_hex(name).filter(|key| key.to_hex() == name);
            visit(path, key, key.map_or(Ok(None), |key| self.store.index_seen(&key)));
        });
    }

    /// Entries that were set aside.
    pub(super) fn set_aside(&self, visit: &mut dyn FnMut(&Path, Option<Signature>)) {
        for_each_in_folders(self, self.store.v1(), &mut |path, name| {
            if let Some(digits) = name.strip_suffix(SET_ASIDE) {
                visit(path, Signature::from_hex(digits));
            }
        });
    }
}

/// Calls `visit` for all files `<dir>/<2 hex>/<name>`, sorted.
fn for_each_in_folders(cache: &Cache, dir: &Path, visit: &mut dyn FnMut(&Path, &str)) {
    let fs = cache.store.fs();
    let mut folders = fs.list(dir).unwrap_or_default();
    folders.retain(|name| name.to_str().is_some_and(is_folder));
    folders.sort_unstable();
    for folder in folders {
        let folder = dir.join(folder);
        if !fs.is_directory_itself(&folder) {
            continue;
        }
        let mut names = fs.list(&folder).unwrap_or_default();
        names.sort_unstable();
        for name in names {
            visit(&folder.join(&name), &name.to_string_lossy());
        }
    }
}
