//! Kernels that come from another rank: loaded from wherever their bytes are, and stored for the next run.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use super::engine::Engine;
use super::facts::{Facts, Packed};
use super::opening::Opening;
use crate::cache::{Archive, Bytes, Routes, SEAL_LEN, Verifier, read, seal_for_here};
use crate::error::{Error, Result};
use crate::fs::Published;
use crate::kernel::{Kept, Loaded};
use crate::library::{Library, LoadError, SealedFile};
use crate::report::Report;
use crate::source::AnySpec;

/// Where the bytes of a received kernel are.
#[derive(Debug, Clone)]
pub(crate) enum Place {
    /// An entry's file in a local cache, which somebody on this machine has verified.
    Path(PathBuf),
    /// `/proc/<pid>/fd/<n>`: a sealed file in memory that holds an entry, verified by whoever sealed it.
    Descriptor(String),
    /// The entry itself.
    Bytes(Bytes),
}

impl Engine {
    /// Loads a kernel that another rank has, unless it is loaded already. What it is linked to must be loaded.
    ///
    /// # Errors
    /// [`Error::Load`] for bytes that are not what they should be, cannot be reached, or need another processor;
    /// [`Error::TooManyLibraries`].
    pub(crate) fn receive(&self, facts: &Facts, place: &Place) -> Result<Arc<Loaded>> {
        if let Some(loaded) = self.memory.library(&facts.content) {
            return Ok(loaded);
        }
        let start = Instant::now();
        let refused = |problem: String| Error::Load { kernel: facts.at.clone(), problem };
        let lacking = facts.cpu.missing_on_host();
        if !lacking.is_empty() {
            return Err(refused(format!("it was built for a processor with {}", lacking.join(", "))));
        }
        let link = |content| {
            let missing = || refused(format!("a kernel that it needs, {content}, was not sent before it"));
            self.memory.library(content).ok_or_else(missing)
        };
        let dependencies = facts.links.iter().map(link).collect::<Result<Vec<_>>>()?;
        let path = match place {
            Place::Path(path) => Some(path.clone()),
            _ => None,
        };
        let library = match place {
            Place::Path(path) => self.map_file(facts, path),
            Place::Descriptor(path) => self.map_sealed(facts, path),
            Place::Bytes(bytes) => self.map_bytes(facts, bytes),
        };
        let opening = Opening {
            name: &facts.name,
            at: &facts.at,
            unit: &facts.unit,
            content: &facts.content,
            cpu: facts.cpu,
            len: facts.len,
            dependencies,
            has_entry: facts.has_entry,
            kept: None,
            in_place: false,
            report: Report::default(),
        };
        let loaded = self.opened(opening, library, facts.elf_len, path, start)?;
        self.counters.received.one();
        Ok(loaded)
    }

    /// Nobody reads the file: who has verified it is on this machine.
    fn map_file(&self, facts: &Facts, path: &Path) -> Result<Library, LoadError> {
        let mut first = None;
        if self.in_place(true) {
            match Library::open_file_as(path, facts.exports.clone()) {
                // It may have been removed since, or lie where this process may not map.
                Err(LoadError::Other(problem)) => first = Some(problem),
                decided => return decided,
            }
        }
        match read(&self.fs, path, &facts.content) {
            Ok(entry) => self.open_bytes(&entry.elf, &facts.content),
            Err(defect) => Err(LoadError::Other(match first {
                Some(problem) => problem,
                None => format!("its entry {} cannot be read: {defect}", path.display()),
            })),
        }
    }

    /// The descriptor is opened once more, and what is looked at is what is loaded: its number may have come to mean
    /// something else.
    fn map_sealed(&self, facts: &Facts, path: &str) -> Result<Library, LoadError> {
        let problem = |problem: &dyn std::fmt::Display| {
            LoadError::Other(format!("the memory file {path} cannot be used: {problem}"))
        };
        let file = SealedFile::open(path.as_ref()).map_err(|error| problem(&error))?;
        if file.len() != facts.len {
            return Err(problem(&format!("it has {} bytes, and not {}", file.len(), facts.len)));
        }
        let end = (SEAL_LEN as u64).min(facts.len);
        let bytes = file.bytes().map_err(|error| problem(&error))?;
        let end = bytes.piece(facts.len - end, end).map_err(|error| problem(&error))?;
        seal_for_here(&end, facts.len, &facts.content).map_err(|reason| problem(&reason))?;
        self.counters.memory_loads.one();
        Library::open_sealed_as(&file, facts.exports.clone())
    }

    fn map_bytes(&self, facts: &Facts, bytes: &Bytes) -> Result<Library, LoadError> {
        let verified = || {
            let mut verifier = Verifier::new(&facts.content, facts.elf_len, bytes.len())?;
            for piece in bytes.pieces() {
                verifier.feed(&piece.map_err(|error| error.to_string())?)?;
            }
            verifier.finish()?;
            bytes.piece(0, facts.elf_len).map_err(|error| error.to_string())
        };
        let elf = verified().map_err(|reason| LoadError::Other(format!("it arrived damaged: {reason}")))?;
        self.open_bytes(&elf, &facts.content)
    }

    /// Stores a kernel that another rank built or found, with what leads to it, so that the next run finds it here; for
    /// `spec` under the key that this process looks under. What cannot be stored is a warning and a count, as always.
    ///
    /// Its bytes must have been verified.
    pub(crate) fn publish_received(
        &self,
        spec: Option<&AnySpec>,
        facts: &Facts,
        bytes: &Bytes,
        routes: &Routes,
    ) {
        // Nothing would lead to it: it must not be stored, or is from a site cache, whose table vouches for it there only.
        if routes.to(&facts.content).next().is_none() {
            return;
        }
        let path = self.store.entry_path(&facts.content);
        let loaded = self.memory.library(&facts.content);
        // For another spec with the same text.
        let is_stored = |loaded: &Arc<Loaded>| loaded.path.get() == Some(&path) && self.fs.is_file(&path);
        if !loaded.as_ref().is_some_and(is_stored) {
            match self.store.publish(&facts.content, bytes) {
                Ok(Published::New) => self.counters.published(bytes.len()),
                Ok(Published::Existing) => {}
                Err(error) => return self.cannot_write(&error),
            }
        }
        let own = spec.and_then(|spec| {
            let variant = routes.of_spec(&spec.signature(), &facts.content)?;
            Some((self.index_key(spec), variant))
        });
        let others = routes.to(&facts.content).map(|(key, variant)| (*key, variant));
        // Ours last, and so the newest, if another process looks under the same one.
        for (key, variant) in others.filter(|(key, _)| own.is_none_or(|(own, _)| own != *key)).chain(own) {
            if let Err(error) = routes.keep_set(&self.store, variant) {
                return self.cannot_write(&error);
            }
            self.add_variant(&key, variant.clone());
        }
        if let Some(loaded) = loaded {
            loaded.is_now(Some(path), None);
        }
    }

    /// Keeps a received kernel in memory, for kernels that are linked to it later and for other ranks: until it is in
    /// a cache, or where there is none.
    ///
    /// # Errors
    /// Bytes that are no entry.
    pub(crate) fn keep_for_links(&self, loaded: &Loaded, packed: &Packed) -> Result<()> {
        if loaded.path.get().is_some() || loaded.kept.get().is_some() {
            return Ok(());
        }
        let refused = |problem: String| Error::Load { kernel: loaded.at.clone(), problem };
        let bytes = packed.bytes.whole().map_err(|error| refused(format!("it cannot be kept: {error}")))?;
        let headers = Archive::of_bytes(&bytes, &loaded.content)
            .map_err(|defect| refused(format!("it arrived damaged: {defect}")))?
            .headers();
        let kept = Kept {
            bytes: Bytes::Memory(bytes),
            elf_len: packed.facts.elf_len,
            headers,
            routes: packed.routes.clone(),
        };
        loaded.is_now(None, Some(kept));
        Ok(())
    }
}
