//! Whether everything in a cache is what it should be.

use std::path::{Path, PathBuf};

use super::listing::{SET_ASIDE, is_folder, named};
use super::{Cache, Entry};
use crate::cache::archive::Archive;
use crate::cache::entry;
use crate::cache::seal::MACHINE;
use crate::cache::{Defect, Index, VariantOutcome, elf, site};
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
    /// An entry with intact bytes whose library is not what it should be.
    Library,
    /// A kernel that this one is linked to is not in the cache. A load builds it again.
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
        matches!(self, ProblemKind::Damaged | ProblemKind::Library | ProblemKind::Dependency)
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
        let problem = |kind, text: String| Problem {
            kind,
            path: self.path().to_owned(),
            signature: Some(self.signature()),
            text,
        };
        let opened = entry::checked(self.cache.store.fs().open_unnoticed(self.path()));
        let archive = match opened.and_then(|file| Archive::of(file, &self.signature())) {
            Ok(archive) => archive,
            // Removed since it was listed.
            Err(Defect::Missing) => return Vec::new(),
            Err(defect) => return vec![problem(ProblemKind::Damaged, defect.to_string())],
        };
        let mut problems = Vec::new();
        if archive.seal().machine == MACHINE {
            let wrong = self.wrong_library(archive.elf());
            problems.extend(wrong.into_iter().map(|text| problem(ProblemKind::Library, text)));
        }
        for dependency in self.dependencies() {
            let path = self.cache.place(dependency);
            if !self.cache.store.fs().exists(&path) {
                let text =
                    format!("it is linked to the kernel {}, which is not in the cache", dependency.short());
                problems.push(problem(ProblemKind::Dependency, text));
            }
        }
        problems
    }

    fn wrong_library(&self, bytes: &[u8]) -> Vec<String> {
        let dynamic = match elf::dynamic(bytes) {
            Ok(dynamic) => dynamic,
            Err(problem) => return vec![format!("its library {problem}")],
        };
        let mut wrong = Vec::new();
        let name = format!("{}.so", self.signature());
        if dynamic.soname.as_ref() != Some(&name) {
            let says = dynamic.soname.as_deref().unwrap_or("nothing");
            wrong.push(format!("its library is named `{says}` (SONAME), not as its file"));
        }
        for kernel in dynamic.needed.iter().filter_map(|needed| named(needed)) {
            if !self.dependencies().contains(&kernel) {
                wrong
                    .push(format!("its library needs the kernel {}, which it does not list", kernel.short()));
            }
        }
        if let Some(symbol) = &self.meta.symbol
            && !elf::exports(bytes).iter().any(|export| export.name == *symbol)
        {
            wrong.push(format!("its library does not export `{symbol}`"));
        }
        wrong
    }
}

/// Takes a path, the key in its name, and what the file says.
type IndexVisitor<'a> = &'a mut dyn FnMut(&Path, Option<Signature>, Option<Index>);

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
        let mut found = Integrity::default();
        for entry in self.entries() {
            match entry {
                Ok(entry) => {
                    found.entries += 1;
                    found.problems.extend(entry.verify());
                }
                Err(damaged) => {
                    let entry = damaged.signature.is_some();
                    found.entries += usize::from(entry);
                    let kind = if entry { ProblemKind::Damaged } else { ProblemKind::Foreign };
                    let (path, signature, text) = (damaged.path, damaged.signature, damaged.problem);
                    found.problems.push(Problem { kind, path, signature, text });
                }
            }
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
            let Some(index) = key.and(index) else {
                return found.problems.push(problem("it cannot be read".to_owned()));
            };
            for variant in &index.variants {
                if let VariantOutcome::Content(content) = &variant.outcome
                    && !store.fs().exists(&store.entry_path(content))
                {
                    let text = format!("it leads to the entry {}, which is not there", content.short());
                    found.problems.push(problem(text));
                }
            }
        });
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

    /// Everything in the index: its path, its key, and what it says; `None` for what cannot be read.
    pub(super) fn index_files(&self, visit: IndexVisitor<'_>) {
        for_each_in_folders(self, &self.store.index_dir(), &mut |path, name| {
            let key = Signature::from_hex(name).filter(|key| key.to_hex() == name);
            visit(path, key, key.and_then(|key| self.store.index(&key)));
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
