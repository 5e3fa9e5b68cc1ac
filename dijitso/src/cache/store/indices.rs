//! What the index of a cache directory has under its keys.

use std::io;
use std::path::Path;

use super::Store;
use crate::cache::index::{self, Index, Variant};
use crate::signature::Signature;

impl Store {
    /// What `key` led to before; `None` if nothing, or nothing legible, is there.
    pub(crate) fn index(&self, key: &Signature) -> Option<Index> {
        let bytes = self.read_marked(&self.index_path(key), index::LARGEST).ok()?;
        Index::decode(&bytes, key)
    }

    /// The same for whoever only looks around, and may remove what leads nowhere: `None` if it is not there or illegible.
    ///
    /// # Errors
    /// It cannot be read, or is of another version: then nobody knows what it leads to.
    pub(in crate::cache) fn index_seen(&self, key: &Signature) -> io::Result<Option<Index>> {
        match self.fs.read_small(&self.index_path(key), index::LARGEST) {
            Ok(bytes) if index::is_of_another_version(&bytes) => {
                Err(io::Error::other("it is of another version of dijitso"))
            }
            Ok(bytes) => Ok(Index::decode(&bytes, key)),
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::IsADirectory | io::ErrorKind::FileTooLarge
                ) =>
            {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Whether the entry of this name is not there; what cannot be asked is no answer.
    pub(in crate::cache) fn is_gone(&self, content: &Signature) -> bool {
        matches!(self.fs.stamp(&self.entry_path(content)), Ok(None))
    }

    /// Reads one of the small files, which then is in use.
    pub(in crate::cache) fn read_marked(&self, path: &Path, limit: usize) -> io::Result<Vec<u8>> {
        match self.marks {
            true => self.fs.read_small_marked(path, limit),
            false => self.fs.read_small(path, limit),
        }
    }

    /// Marks what `key` leads to as used.
    pub(crate) fn mark_index(&self, key: &Signature) {
        let _ = self.fs.mark_used(&self.index_path(key));
    }

    /// Replaces what `key` leads to by a part of it, or removes it if nothing is left.
    pub(in crate::cache) fn shrink_index(&self, key: &Signature, index: &Index) -> io::Result<()> {
        let path = self.index_path(key);
        if index.variants.is_empty() {
            self.fs.remove(&path)
        } else {
            let before = self.fs.stamp(&path)?;
            self.replace(&path, &index.encode(key))?;
            // That it was shortened is no use of it.
            before.map_or(Ok(()), |stamp| self.fs.set_used(&path, &stamp))
        }
    }

    /// Replaces what `key` leads to. Returns the length of the file.
    pub(crate) fn store_index(&self, key: &Signature, index: &Index) -> io::Result<usize> {
        for variant in &index.variants {
            variant.inputs.keep(self)?;
        }
        let bytes = index.encode(key);
        self.replace(&self.index_path(key), &bytes).map(|()| bytes.len())
    }

    /// Adds an answer, before those that others have stored meanwhile.
    ///
    /// Two processes that do this in the same instant can lose one of the answers: it is found again, at the
    /// cost of one lookup by unit.
    pub(crate) fn add_variant(&self, key: &Signature, variant: Variant) -> io::Result<()> {
        let known = self.index(key);
        let new = known.is_none();
        let mut index = known.unwrap_or_default();
        index.add(variant);
        let len = self.store_index(key, &index)?;
        if new {
            self.grew(len as u64);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::tests::store;
    use super::*;
    use crate::fs::used::tests::age;
    use crate::signature::digest;

    #[test]
    fn an_index_file_that_is_shortened_is_not_in_use_by_that() {
        let dir = tempfile::tempdir().unwrap();
        let store = store(dir.path());
        let key = digest(b"key");
        let path = store.index_path(&key);
        store.replace(&path, b"longer").unwrap();
        age(&path, Duration::from_secs(20 * 24 * 3600));
        let before = path.metadata().unwrap().modified().unwrap();
        let mut index = Index::default();
        index.variants.push(super::super::tests::variant(1));
        store.shrink_index(&key, &index).unwrap();
        assert_eq!(path.metadata().unwrap().modified().unwrap(), before);
        assert_eq!(store.index_seen(&key).unwrap(), Some(index));
    }
}
