//! Searching in what is cached, line by line.

use super::{Cache, Category, Damaged, Entries, Entry};
use crate::cache::elf;
use crate::error::{Error, Result};

/// What a line is searched for: a text that it must contain, or a closure that decides (for regular
/// expressions: `|line: &str| regex.is_match(line)`).
///
/// dijitso's `grep_cache` takes a compiled regular expression.
///
/// ```
/// use dijitso::Pattern;
///
/// assert!("x *".is_match("y = x * x;"));
/// assert!((|line: &str| line.len() > 3).is_match("long"));
/// ```
pub trait Pattern {
    /// Whether the line, without its end, is one that is looked for.
    fn is_match(&self, line: &str) -> bool;
}

impl Pattern for &str {
    fn is_match(&self, line: &str) -> bool {
        line.contains(self)
    }
}

impl Pattern for String {
    fn is_match(&self, line: &str) -> bool {
        line.contains(self.as_str())
    }
}

impl<F: Fn(&str) -> bool> Pattern for F {
    fn is_match(&self, line: &str) -> bool {
        self(line)
    }
}

/// A line that was found.
///
/// ```
/// # fn print(found: &dijitso::Match) {
/// println!("{}:{}:{}: {}", found.entry.name(), found.file, found.line, found.text);
/// # }
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Match {
    /// The entry that it is in.
    pub entry: Entry,
    /// What it is in.
    pub category: Category,
    /// The file's name; for a library the name of the entry's file.
    pub file: String,
    /// From 1.
    pub line: usize,
    /// The line, without its end.
    pub text: String,
}

impl Entry {
    /// The lines of these parts that `pattern` matches. The "lines" of a library are the names of the libraries that it
    /// needs, and then of the symbols that it exports.
    ///
    /// # Errors
    /// [`Error::Io`] if the entry was removed, [`Error::Damaged`] if it cannot be read.
    ///
    /// ```
    /// # fn print(entry: &dijitso::Entry) -> dijitso::Result<()> {
    /// let warnings = entry.grep("warning:", &[dijitso::Category::Log])?;
    /// # Ok(()) }
    /// ```
    pub fn grep(&self, pattern: impl Pattern, categories: &[Category]) -> Result<Vec<Match>> {
        self.search(&pattern, categories)
    }

    fn search(&self, pattern: &impl Pattern, categories: &[Category]) -> Result<Vec<Match>> {
        let mut found = Vec::new();
        let mut add = |category, file: &str, text: &str| {
            for (index, line) in text.lines().enumerate() {
                if pattern.is_match(line) {
                    let (entry, file, text) = (self.clone(), file.to_owned(), line.to_owned());
                    found.push(Match { entry, category, file, line: index + 1, text });
                }
            }
        };
        for file in self.files().iter().filter(|file| categories.contains(&file.category)) {
            add(file.category, &file.name, &self.read(file)?);
        }
        if categories.contains(&Category::Library) {
            // Of another architecture's library nothing can be read here; it needs nothing of this machine.
            let library = self.library()?;
            let mut names = elf::dynamic(&library).map(|dynamic| dynamic.needed).unwrap_or_default();
            names.extend(elf::exports(&library).into_iter().map(|export| export.name));
            add(Category::Library, &format!("{}.so", self.signature()), &names.join("\n"));
        }
        Ok(found)
    }
}

impl Cache {
    /// Searches all entries, in the order of their signatures, one after the other: what is not asked for is
    /// not read. Damaged entries are items, too.
    ///
    /// dijitso: `grep_cache`; `dijitso grep` on the command line.
    ///
    /// ```
    /// use dijitso::Category;
    ///
    /// # fn main() -> dijitso::Result<()> {
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let jit = dijitso::Jit::builder().cache_dir(dir.path().join("cache")).build()?;
    /// # let spec = dijitso::spec!(extern "C" fn(f64) -> f64, "half", (), || unsafe {
    /// #     dijitso::Source::new("double half(double x) {\n  return x / 2;\n}\n")
    /// # });
    /// # jit.load(&spec)?;
    /// let found: Vec<_> = jit.cache().grep("x / 2", &[Category::Source]).flatten().collect();
    /// assert_eq!((found[0].file.as_str(), found[0].line), ("half.cpp", 2));
    /// # Ok(()) }
    /// ```
    pub fn grep<P: Pattern>(&self, pattern: P, categories: &[Category]) -> Grep<P> {
        Grep {
            entries: self.entries(),
            pattern,
            categories: categories.to_vec(),
            found: Vec::new().into_iter(),
        }
    }
}

/// The iterator that [`Cache::grep`] returns.
///
/// ```
/// # fn main() -> dijitso::Result<()> {
/// let mut found: dijitso::Grep<&str> = dijitso::Cache::open("/nonexistent/cache")?.grep("x", &[]);
/// assert!(found.next().is_none());
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct Grep<P> {
    entries: Entries,
    pattern: P,
    categories: Vec<Category>,
    found: std::vec::IntoIter<Match>,
}

impl<P: Pattern> Iterator for Grep<P> {
    type Item = Result<Match, Damaged>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(found) = self.found.next() {
                return Some(Ok(found));
            }
            let entry = match self.entries.next()? {
                Ok(entry) => entry,
                Err(damaged) => return Some(Err(damaged)),
            };
            match entry.search(&self.pattern, &self.categories) {
                Ok(found) => self.found = found.into_iter(),
                // Removed since it was listed.
                Err(Error::Io { kind: std::io::ErrorKind::NotFound, .. }) => {}
                Err(error) => return Some(Err(as_damaged(&entry, error))),
            }
        }
    }
}

/// What reading an entry can fail with, as an item of a listing.
pub(super) fn as_damaged(entry: &Entry, error: Error) -> Damaged {
    let problem = match error {
        Error::Damaged { problem, .. } => problem,
        Error::Io { message, .. } => format!("it cannot be read: {message}"),
        error => error.to_string(),
    };
    Damaged::new(entry.path(), Some(entry.signature()), problem)
}
