//! Entries that leave for other machines, and entries that come from there: as a site cache, whose format is checked
//! on its way in.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Cache, Entry};
use crate::cache::site::{self, Exported};
use crate::cache::{Defect, SiteExport};
use crate::error::{Error, Result};
use crate::fs::Published;
use crate::signature::Signature;

/// How long another export to the same place, or an import, is waited for.
const PATIENCE: Duration = Duration::from_secs(300);

/// What [`Cache::import`] did.
///
/// ```no_run
/// # fn main() -> dijitso::Result<()> {
/// let imported = dijitso::Cache::open_default()?.import("kernels.tar.gz")?;
/// println!("{} kernels, {} of them new", imported.entries, imported.new);
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Imported {
    /// The archive or directory, absolute.
    pub path: PathBuf,
    /// How many entries it has.
    pub entries: usize,
    /// How many of them were not in the cache.
    pub new: usize,
    /// The bytes of these.
    pub bytes: u64,
}

/// An entry that is exported.
struct Going {
    spec: Signature,
    links: Vec<Signature>,
}

impl Cache {
    /// Writes entries, and those that they are linked to, into a site cache: a directory, which is extended, or an
    /// archive (`.tar.gz`), which is replaced; see [`Jit::export`](crate::Jit::export), which exports by spec and builds
    /// what is missing. Of several entries of one spec the one that comes last is found by programs.
    ///
    /// dijitso has no counterpart.
    ///
    /// # Errors
    /// [`Error::Damaged`] for an entry that is not what was built, [`Error::Entry`] for one that is linked to another
    /// that is not in the cache, [`Error::Io`] if the site cache cannot be written.
    ///
    /// ```
    /// # fn main() -> dijitso::Result<()> {
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let jit = dijitso::Jit::builder().cache_dir(dir.path().join("cache")).build()?;
    /// # let spec = dijitso::spec!(extern "C" fn() -> i32, "five", (), || unsafe { dijitso::Source::new("int five() { return 5; }") });
    /// jit.load(&spec)?;
    /// let archive = dir.path().join("kernels.tar.gz");
    /// let exported = jit.cache().export(&[jit.cache().find("five")?], &archive)?;
    /// assert_eq!(exported.entries, 1);
    ///
    /// // On another machine.
    /// let jit = dijitso::Jit::builder().cache_dir(dir.path().join("another")).build()?;
    /// assert_eq!(jit.cache().import(&archive)?.new, 1);
    /// assert_eq!(jit.load(&spec)?.call(), 5);
    /// assert_eq!(jit.stats().compiled, 0);
    /// # Ok(()) }
    /// ```
    pub fn export(&self, entries: &[Entry], path: impl AsRef<Path>) -> Result<Exported> {
        let signatures: Vec<Signature> = entries.iter().map(Entry::signature).collect();
        self.export_signed(&signatures, path.as_ref())
    }

    /// The same by signature.
    pub(crate) fn export_signed(&self, chosen: &[Signature], path: &Path) -> Result<Exported> {
        self.export_all(chosen, self.with_dependencies(chosen)?, path)
    }

    /// Writes what can be written of these: what is gone or damaged, or linked to that, is left out with a warning. By signature,
    /// so that of a large cache not all is in memory at once.
    #[cfg(feature = "cli")]
    pub(crate) fn export_what_is_whole(&self, chosen: &[Signature], path: &Path) -> Result<Exported> {
        let mut all: BTreeMap<Signature, Going> = BTreeMap::new();
        let mut whole = Vec::with_capacity(chosen.len());
        for signature in chosen {
            match all.contains_key(signature) {
                true => whole.push(*signature),
                false => {
                    match self.add_with_dependencies(*signature, &all).and_then(|more| self.intact(more)) {
                        Ok(more) => {
                            all.extend(more);
                            whole.push(*signature);
                        }
                        Err(error @ (Error::Entry { .. } | Error::Damaged { .. })) => {
                            log::warn!("left out: {}: {error}", signature.short());
                        }
                        Err(error) => return Err(error),
                    }
                }
            }
        }
        self.export_all(&whole, all, path)
    }

    /// These, if every byte of each is what it should be.
    #[cfg(feature = "cli")]
    fn intact(&self, going: BTreeMap<Signature, Going>) -> Result<BTreeMap<Signature, Going>> {
        for signature in going.keys() {
            self.store.archive(signature).map_err(|defect| self.cannot_be_read(signature, &defect))?;
        }
        Ok(going)
    }

    fn cannot_be_read(&self, signature: &Signature, defect: &Defect) -> Error {
        let path = self.place(signature);
        match defect {
            Defect::Unreadable(error) => Error::io("cannot read", &path, error),
            defect => Error::Damaged { path, problem: defect.to_string() },
        }
    }

    fn export_all(
        &self,
        chosen: &[Signature],
        all: BTreeMap<Signature, Going>,
        path: &Path,
    ) -> Result<Exported> {
        let path = absolute("cannot export to", path)?;
        if path.starts_with(self.store.v1()) {
            let text = "it lies in the cache, where only dijitso puts files; choose another place";
            return Err(Error::io("cannot export to", &path, &std::io::Error::other(text)));
        }
        let mut export = SiteExport::default();
        for (signature, Going { spec, links }) in &all {
            let place = self.place(signature);
            let added = export.add_entry(self.store.fs(), &place, signature, links.clone());
            added.map_err(|defect| self.cannot_be_read(signature, &defect))?;
            export.add_spec(*spec, signature);
        }
        // These last, in their order.
        for signature in chosen {
            if let Some(Going { spec, .. }) = all.get(signature) {
                export.add_spec(*spec, signature);
            }
        }
        let (kernels, all) = (chosen.len(), export.entries());
        let written = export.write(self.store.fs(), &path, PATIENCE, false);
        let bytes = written.map_err(|error| Error::io("cannot export to", &path, &error))?;
        Ok(Exported { path, kernels, entries: all, bytes })
    }

    fn with_dependencies(&self, chosen: &[Signature]) -> Result<BTreeMap<Signature, Going>> {
        let mut all: BTreeMap<Signature, Going> = BTreeMap::new();
        for signature in chosen {
            all.extend(self.add_with_dependencies(*signature, &all)?);
        }
        Ok(all)
    }

    /// An entry and all that it is linked to, without what is among `known`.
    fn add_with_dependencies(
        &self,
        chosen: Signature,
        known: &BTreeMap<Signature, Going>,
    ) -> Result<BTreeMap<Signature, Going>> {
        let mut all: BTreeMap<Signature, Going> = BTreeMap::new();
        // Each with the one that is linked to it.
        let mut todo: Vec<(Signature, Option<Signature>)> = vec![(chosen, None)];
        while let Some((signature, above)) = todo.pop() {
            if all.contains_key(&signature) || known.contains_key(&signature) {
                continue;
            }
            let Some(entry) = self.entry(&signature)? else {
                return Err(self.cannot_go(&signature, above)?);
            };
            let links = entry.dependencies().to_vec();
            todo.extend(links.iter().map(|link| (*link, Some(signature))));
            all.insert(signature, Going { spec: entry.spec_signature(), links });
        }
        Ok(all)
    }

    /// Why what is linked to an entry that is not there cannot be exported.
    fn cannot_go(&self, gone: &Signature, above: Option<Signature>) -> Result<Error> {
        let above = above.map(|above| self.entry(&above)).transpose()?.flatten();
        let problem = match above {
            Some(above) => format!(
                "{} is linked to the kernel {}, which is not in this cache; load it once more, and it is \
                 built, or export it where it is loaded (`Jit::export`), if it comes from a site cache",
                above.description(),
                gone.short()
            ),
            None => format!("the entry {} was removed meanwhile", gone.short()),
        };
        Ok(Error::Entry { query: gone.to_hex(), problem, candidates: Vec::new() })
    }

    /// Takes the entries of a site cache, a directory or an archive, into this cache. Every byte is verified before
    /// anything is taken, and an archive with anything else in it is refused: other names, links, sizes beyond sense.
    ///
    /// Programs find these kernels as in a site cache: by their specs alone, after what the cache has of its own. So who
    /// imports vouches for where the archive is from, and for flags and headers being as they should be.
    ///
    /// dijitso has no counterpart.
    ///
    /// # Errors
    /// [`Error::Damaged`] if it is refused, with the reason; [`Error::CacheDir`] if others can write to this cache;
    /// [`Error::Io`] if it cannot be written.
    pub fn import(&self, path: impl AsRef<Path>) -> Result<Imported> {
        let path = absolute("cannot import", path.as_ref())?;
        self.store.check_trusted()?;
        if let Some(table) = site::table_of(&self.store) {
            let problem = "it is a site cache, which others read; export to it instead".to_owned();
            return Err(Error::Damaged { path: table, problem });
        }
        let incoming = site::Incoming::open(&self.store, &path)
            .map_err(|problem| Error::Damaged { path: path.clone(), problem })?;
        let (mut new, mut bytes) = (0, 0);
        let counters = self.store.fs().counters();
        let write = |error: std::io::Error| Error::io("cannot write to the cache", self.dir(), &error);
        for signature in incoming.contents() {
            let entry = incoming.read(&signature).map_err(|defect: Defect| Error::Damaged {
                path: path.clone(),
                problem: format!("its entry {} is not used: {defect}", signature.short()),
            })?;
            match self.store.publish(&signature, entry.as_slice()).map_err(write)? {
                Published::New => {
                    new += 1;
                    bytes += entry.len() as u64;
                    counters.published(entry.len() as u64);
                }
                // It was there, and is used from now on: who imports it wants to find it.
                Published::Existing => {
                    let _ = self.store.fs().mark_used(&self.store.entry_path(&signature));
                }
            }
        }
        incoming.lead_here(&self.store, PATIENCE).map_err(write)?;
        self.store.evict_if_full();
        self.store.record_all(counters);
        Ok(Imported { path, entries: incoming.contents().count(), new, bytes })
    }
}

fn absolute(action: &str, path: &Path) -> Result<PathBuf> {
    std::path::absolute(path).map_err(|error| Error::io(action, path, &error))
}
