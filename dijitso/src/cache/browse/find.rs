//! Which entry is meant: by signature, by its beginning, or by kernel.

use super::{Cache, Entry, Listed};
use crate::config::suggest::nearest;
use crate::error::{Error, Result};
use crate::signature::Signature;

/// So many candidates are shown; a prefix can fit thousands.
const SHOWN: usize = 20;

impl Cache {
    /// The one entry that `query` names: see [`find_all`](Self::find_all).
    ///
    /// # Errors
    /// [`Error::Entry`] if there is none (with what may have been meant) or more than one (with all of them).
    ///
    /// ```
    /// # fn main() -> dijitso::Result<()> {
    /// let error = dijitso::Cache::open("/nonexistent/cache")?.find("axpy").unwrap_err();
    /// assert!(error.to_string().contains("no kernel `axpy`"));
    /// # Ok(()) }
    /// ```
    pub fn find(&self, query: &str) -> Result<Entry> {
        let mut found = self.find_all(query)?;
        match found.pop() {
            Some(entry) if found.is_empty() => Ok(entry),
            last => {
                found.extend(last);
                let problem = format!("{} entries are `{query}`; give more of a signature", found.len());
                Err(Error::Entry { query: query.to_owned(), problem, candidates: candidates(&found) })
            }
        }
    }

    /// All entries that `query` names, sorted by signature; at least one. It is tried as the name of a kernel
    /// (`axpy`), as one with its arguments (`axpy(Unrolled(8))`), as the beginning of content signatures, and
    /// as the beginning of the signatures of specs or units; the first that anything has is taken.
    ///
    /// # Errors
    /// [`Error::Entry`] if there is none, with the nearest names; [`Error::Damaged`] if its signature names one
    /// that is damaged.
    ///
    /// ```
    /// # fn main() -> dijitso::Result<()> {
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let jit = dijitso::Jit::builder().cache_dir(dir.path().join("cache")).build()?;
    /// type F = extern "C" fn() -> i32;
    /// let spec = |n: i32| dijitso::spec!(F, "count", n, move || {
    ///     // SAFETY: arithmetic only.
    ///     unsafe { dijitso::Source::new(format!("int count() {{ return {n}; }}")) }
    /// });
    /// let kernels = jit.load_all(&[spec(1), spec(2)])?;
    /// let cache = jit.cache();
    /// assert_eq!(cache.find_all("count")?.len(), 2);
    /// assert_eq!(cache.find("count(2)")?.signature(), kernels[1].signature());
    /// assert_eq!(cache.find(&kernels[1].signature().short())?.name(), "count");
    /// assert_eq!(cache.find(&spec(1).signature().to_hex())?.description(), "count(1)");
    /// # Ok(()) }
    /// ```
    pub fn find_all(&self, query: &str) -> Result<Vec<Entry>> {
        let prefix = query.strip_suffix(".so").unwrap_or(query).to_ascii_lowercase();
        let is_prefix =
            !prefix.is_empty() && prefix.len() <= 64 && prefix.bytes().all(|b| b.is_ascii_hexdigit());
        // Names are in the entries and signatures mostly in the file names: a whole one needs no search.
        if prefix.len() == 64 && is_prefix {
            let mut found: Vec<Entry> = self.entries_from(&prefix).collect::<Result<_, _>>()?;
            if found.is_empty() {
                found = self.where_(|entry| {
                    entry.spec_signature().to_hex() == prefix || entry.unit_signature().to_hex() == prefix
                });
            }
            return if found.is_empty() { Err(self.unknown(query, Vec::new())) } else { Ok(found) };
        }
        // Of a large cache only the entries that are meant are in memory as a whole.
        let listing = self.list();
        let mut spoiled: Option<Error> = None;
        let mut open = |holds: &dyn Fn(&Listed) -> bool| {
            let mut found: Vec<Entry> = Vec::new();
            for listed in listing.entries.iter().filter(|listed| holds(listed)) {
                match self.entry(&listed.signature) {
                    Ok(entry) => found.extend(entry),
                    Err(error) => {
                        spoiled.get_or_insert(error);
                    }
                }
            }
            found.sort_unstable_by_key(Entry::signature);
            found
        };
        let begins = |signature: Signature| is_prefix && signature.to_hex().starts_with(&prefix);
        let mut found = open(&|listed| listed.name == query || listed.description == query);
        if found.is_empty() {
            found = open(&|listed| begins(listed.signature));
        }
        if found.is_empty() && is_prefix {
            found = self.where_(|entry| begins(entry.spec_signature()) || begins(entry.unit_signature()));
        }
        if !found.is_empty() {
            return Ok(found);
        }
        let damaged = listing.damaged.iter().find(|damaged| damaged.signature.is_some_and(begins));
        let names = || listing.entries.iter().map(|listed| listed.name.clone()).collect();
        let damaged = damaged.map(|damaged| Error::from(damaged.clone())).or(spoiled);
        Err(damaged.unwrap_or_else(|| self.unknown(query, names())))
    }

    fn where_(&self, holds: impl Fn(&Entry) -> bool) -> Vec<Entry> {
        self.entries().flatten().filter(|entry| holds(entry)).collect()
    }

    fn unknown(&self, query: &str, mut names: Vec<String>) -> Error {
        names.sort_unstable();
        names.dedup();
        let mut problem = format!("no kernel `{query}` is in the cache {}", self.dir().display());
        if let Some(near) = nearest(query, names.iter().map(String::as_str)) {
            problem += &format!("; did you mean `{near}`?");
            names = vec![near.to_owned()];
        } else if !names.is_empty() {
            problem += ", but:";
        }
        names.truncate(SHOWN);
        Error::Entry { query: query.to_owned(), problem, candidates: names }
    }
}

fn candidates(found: &[Entry]) -> Vec<String> {
    let line = |entry: &Entry| format!("{} {}", entry.signature().short(), entry.description());
    found.iter().take(SHOWN).map(line).collect()
}
