//! All entries of a cache, in the order of their signatures.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::{Cache, Entry};
use crate::cache::Defect;
use crate::error::Error;
use crate::signature::Signature;

/// Something in the cache that is not what it should be, found while looking around. A listing reports it
/// in its place and goes on.
///
/// dijitso has no counterpart: it believes every file name.
///
/// ```
/// # fn main() -> dijitso::Result<()> {
/// for entry in dijitso::Cache::open("/nonexistent/cache")?.entries() {
///     if let Err(damaged) = entry {
///         eprintln!("{}: {}", damaged.path.display(), damaged.problem);
///     }
/// }
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {problem}", .path.display())]
#[non_exhaustive]
pub struct Damaged {
    /// The file.
    pub path: PathBuf,
    /// The entry that it should be, if its name says so.
    pub signature: Option<Signature>,
    /// What is wrong.
    pub problem: String,
    /// The system refused to read it, which says nothing about its bytes.
    pub(super) unreadable: bool,
}

impl Damaged {
    pub(super) fn new(path: &Path, signature: Option<Signature>, problem: impl ToString) -> Damaged {
        Damaged { path: path.to_owned(), signature, problem: problem.to_string(), unreadable: false }
    }

    pub(super) fn of(path: &Path, signature: &Signature, defect: &Defect) -> Damaged {
        let unreadable = matches!(defect, Defect::Unreadable(_));
        Damaged { unreadable, ..Damaged::new(path, Some(*signature), defect) }
    }
}

impl From<Damaged> for Error {
    fn from(damaged: Damaged) -> Error {
        Error::Damaged { path: damaged.path, problem: damaged.problem }
    }
}

impl Cache {
    /// All entries, sorted by signature. What is damaged, or is no entry at all, is an item, too; what
    /// vanishes meanwhile is left out.
    ///
    /// Of each entry only the end is read (its seal, its table of contents and the facts about it; 32 kB), so
    /// the bytes of the library and of the texts are not verified: [`verify`](Self::verify) does that. One
    /// folder's names are held at a time.
    ///
    /// dijitso: `glob_cache`, `extract_lib_signatures`.
    ///
    /// ```
    /// # fn main() -> dijitso::Result<()> {
    /// let cache = dijitso::Cache::open("/nonexistent/cache")?;
    /// let names: Vec<String> = cache.entries().flatten().map(|entry| entry.name().to_owned()).collect();
    /// assert!(names.is_empty());
    /// # Ok(()) }
    /// ```
    pub fn entries(&self) -> Entries {
        self.entries_from("")
    }

    /// Those whose signature begins with these digits.
    pub(super) fn entries_from(&self, prefix: &str) -> Entries {
        let v1 = self.store.v1();
        let (mut folders, mut failed) = (Vec::new(), None);
        match self.store.fs().list(v1) {
            Ok(names) => folders = names,
            Err(error) => failed = Some(Damaged::new(v1, None, format!("it cannot be read: {error}"))),
        }
        let short = &prefix[..prefix.len().min(2)];
        folders.retain(|name| name.to_str().is_some_and(|name| is_folder(name) && name.starts_with(short)));
        folders.sort_unstable_by(|a, b| b.cmp(a));
        Entries { cache: self.clone(), prefix: prefix.to_owned(), folders, files: Vec::new(), failed }
    }
}

/// A folder of entries: the first two digits of their signatures.
pub(super) fn is_folder(name: &str) -> bool {
    name.len() == 2 && name.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

/// What is wrong with a file in the place of such a folder.
pub(super) const NO_DIRECTORY: &str = "it is no directory, which is no part of a cache";

/// The name under which damaged entries are set aside.
pub(super) const SET_ASIDE: &str = ".so.corrupt";

/// The iterator that [`Cache::entries`] returns.
///
/// ```
/// # fn main() -> dijitso::Result<()> {
/// let mut entries: dijitso::Entries = dijitso::Cache::open("/nonexistent/cache")?.entries();
/// assert!(entries.next().is_none());
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct Entries {
    cache: Cache,
    prefix: String,
    /// What is left, the next one last.
    folders: Vec<OsString>,
    files: Vec<PathBuf>,
    failed: Option<Damaged>,
}

impl Iterator for Entries {
    type Item = Result<Entry, Damaged>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(failed) = self.failed.take() {
                return Some(Err(failed));
            }
            if let Some(path) = self.files.pop() {
                match self.look(&path) {
                    Ok(None) => continue,
                    Ok(Some(entry)) => return Some(Ok(entry)),
                    Err(damaged) => return Some(Err(damaged)),
                }
            }
            let folder = self.cache.store.v1().join(self.folders.pop()?);
            if !self.cache.store.fs().is_directory_itself(&folder) {
                return Some(Err(Damaged::new(&folder, None, NO_DIRECTORY)));
            }
            match self.cache.store.fs().list(&folder) {
                Ok(mut names) => {
                    names.sort_unstable_by(|a, b| b.cmp(a));
                    self.files = names.iter().map(|name| folder.join(name)).collect();
                }
                Err(error) => {
                    self.failed = Some(Damaged::new(&folder, None, format!("it cannot be read: {error}")));
                }
            }
        }
    }
}

impl Entries {
    fn look(&self, path: &Path) -> Result<Option<Entry>, Damaged> {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if !name.starts_with(&self.prefix) || name.ends_with(SET_ASIDE) {
            return Ok(None);
        }
        self.cache.look(path)
    }
}

impl Cache {
    /// What lies in a folder of entries under this name; `None` if nothing does any more.
    pub(super) fn look(&self, path: &Path) -> Result<Option<Entry>, Damaged> {
        Entry::open(self, &self.named_at(path)?)
    }

    /// The signature in the name of such a file, which must be where it belongs.
    pub(super) fn named_at(&self, path: &Path) -> Result<Signature, Damaged> {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let Some(signature) = named(name) else {
            return Err(Damaged::new(path, None, "it is no entry: entries are named by 64 digits and `.so`"));
        };
        if self.place(&signature) != path {
            return Err(Damaged::new(path, Some(signature), "it lies in the folder of other entries"));
        }
        Ok(signature)
    }
}

/// The signature in the name of an entry.
pub(super) fn named(name: &str) -> Option<Signature> {
    let digits = name.strip_suffix(".so")?;
    // In one way only: upper case would be another file.
    Signature::from_hex(digits).filter(|signature| signature.to_hex() == digits)
}
