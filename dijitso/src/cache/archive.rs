//! The part of an entry that is for people, for `explain`, and for the builds of other kernels.

use std::io::{self, Cursor, Read, Seek};
use std::path::Path;
use std::sync::Arc;

use zip::ZipArchive;

use super::entry::{self, Defect, EntryMeta, HEADERS, Headers, META, seal_of, unreadable};
use super::seal::{self, Seal};
use crate::fs::{Fs, Opened, Stamp};
use crate::signature::{Signature, digest};

/// No text in an entry is longer; a damaged length must not fill the memory.
const LONGEST_TEXT: u64 = 1 << 30;

/// An entry of which every byte was verified.
#[derive(Debug)]
pub(crate) struct Archive {
    bytes: Arc<[u8]>,
    zip: ZipArchive<Cursor<Arc<[u8]>>>,
    seal: Seal,
    meta: EntryMeta,
}

impl Archive {
    /// Reads the entry at `path`, which must be the one named `expected`, and verifies all of it.
    pub(crate) fn open(fs: &Fs, path: &Path, expected: &Signature) -> Result<Archive, Defect> {
        Archive::of(entry::open(fs, path)?, expected)
    }

    /// The same for an entry that was opened.
    pub(super) fn of(file: Opened, expected: &Signature) -> Result<Archive, Defect> {
        let found = file.stamp;
        let io = |error: io::Error| unreadable(error, found);
        // The seal first: a file that has none may be of any size.
        let end = file.read_at(found.size - seal::LEN as u64, seal::LEN as u64).map_err(io)?;
        let seal = seal_of(&end, found, expected)?;
        let bytes = file.read_at(0, found.size - seal::LEN as u64).map_err(io)?;
        Archive::verified(bytes, seal, found)
    }

    /// The same for the bytes of a whole entry.
    pub(crate) fn of_bytes(entry: &[u8], expected: &Signature) -> Result<Archive, Defect> {
        // Of no file, so nothing that could be set aside.
        let found = Stamp { ino: 0, size: entry.len() as u64, mtime_ns: 0, ctime_ns: 0 };
        let seal = seal_of(entry, found, expected)?;
        Archive::verified(entry[..entry.len() - seal::LEN].to_vec(), seal, found)
    }

    /// `bytes` are all but the seal.
    fn verified(mut bytes: Vec<u8>, seal: Seal, found: Stamp) -> Result<Archive, Defect> {
        let (elf, rest) = bytes.split_at(seal.elf_len as usize);
        if digest(elf) != seal.elf_digest {
            return Err(Defect::corrupt("its library is damaged", found));
        }
        if digest(rest) != seal.rest_digest {
            return Err(Defect::corrupt("its archive is damaged", found));
        }
        // Without the comment: a zip reader looks for the archive's end from the back, and once in a long
        // while a seal's digests look like one.
        let at = bytes.len() - 2;
        bytes[at..].fill(0);
        let strange = |error: &dyn std::fmt::Display| {
            Defect::corrupt(format!("its archive cannot be read: {error}"), found)
        };
        let bytes: Arc<[u8]> = bytes.into();
        let mut zip = ZipArchive::new(Cursor::new(bytes.clone())).map_err(|error| strange(&error))?;
        let meta = text_of(&mut zip, META).map_err(|error| strange(&error))?.unwrap_or_default();
        let meta = serde_json::from_slice(&meta).map_err(|error| strange(&error))?;
        Ok(Archive { bytes, zip, seal, meta })
    }

    pub(crate) fn seal(&self) -> &Seal {
        &self.seal
    }

    pub(crate) fn meta(&self) -> &EntryMeta {
        &self.meta
    }

    pub(crate) fn unit(&self) -> Signature {
        self.meta.unit
    }

    /// The library.
    pub(crate) fn elf(&self) -> &[u8] {
        &self.bytes[..self.seal.elf_len as usize]
    }

    /// The files in it, headers as `headers/<name>`.
    pub(crate) fn names(&self) -> Vec<String> {
        self.zip.file_names().filter_map(|name| Some(name.ok()?.into_owned())).collect()
    }

    /// A file's text, by its name in [`names`](Self::names).
    pub(crate) fn text(&mut self, name: &str) -> Option<String> {
        let text = text_of(&mut self.zip, name).ok()??;
        Some(String::from_utf8_lossy(&text).into_owned())
    }

    /// One of the headers, by the name under which it is included.
    pub(crate) fn header(&mut self, name: &str) -> Option<String> {
        self.text(&format!("{HEADERS}{name}"))
    }

    /// What a kernel that depends on this one includes.
    pub(crate) fn headers(&mut self) -> Headers {
        let names = self.names();
        let headers = names.iter().filter_map(|name| Some((name.strip_prefix(HEADERS)?.to_owned(), name)));
        headers.filter_map(|(short, name)| Some((short, self.text(name)?))).collect()
    }
}

/// A file of the archive, by its name there.
pub(super) fn text_of<R: Read + Seek>(zip: &mut ZipArchive<R>, name: &str) -> io::Result<Option<Vec<u8>>> {
    text_up_to(zip, name, LONGEST_TEXT)
}

/// The same, cut where it is longer than anything that was meant.
pub(super) fn text_up_to<R: Read + Seek>(
    zip: &mut ZipArchive<R>,
    name: &str,
    limit: u64,
) -> io::Result<Option<Vec<u8>>> {
    let Some(index) = zip.index_for_name(name) else { return Ok(None) };
    let mut text = Vec::new();
    zip.by_index(index)?.take(limit).read_to_end(&mut text)?;
    Ok(Some(text))
}

#[cfg(test)]
mod tests {
    use super::super::entry::tests::{elf, encoded};
    use super::*;

    fn open(bytes: &[u8]) -> Result<Archive, Defect> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("entry");
        std::fs::write(&path, bytes).unwrap();
        Archive::open(&Fs::new(Default::default()), &path, &digest(b"content"))
    }

    #[test]
    fn everything_in_it_comes_back() {
        let mut archive = open(&encoded(digest(b"content"), &elf(1000))).unwrap();
        assert_eq!(archive.elf(), elf(1000));
        assert_eq!(archive.meta().description, "axpy(Unrolled(8))");
        assert_eq!(archive.unit(), digest(b"unit"));
        assert_eq!(archive.text("axpy.cpp").unwrap(), "void axpy() {}");
        assert_eq!(archive.text("absent"), None);
        assert_eq!(archive.headers(), [("axpy.h".to_owned(), "void axpy();".to_owned())]);
        assert_eq!(archive.names().len(), 5);
        assert_eq!(archive.seal().elf_len, 1000);
    }

    #[test]
    fn any_changed_byte_and_any_missing_end_is_found() {
        let good = encoded(digest(b"content"), &elf(64));
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 0x04;
            assert!(matches!(open(&bad), Err(Defect::Corrupt { .. })), "byte {at}");
        }
        for len in 0..good.len() {
            assert!(matches!(open(&good[..len]), Err(Defect::Corrupt { .. })), "length {len}");
        }
    }

    #[test]
    fn other_readers_of_zip_files_accept_the_whole_file() {
        let bytes = encoded(digest(b"content"), &elf(5000));
        let mut zip = ZipArchive::new(Cursor::new(bytes)).unwrap();
        assert_eq!(zip.offset(), 0, "offsets count from the beginning of the file");
        assert_eq!(zip.comment().len(), seal::LEN);
        let mut text = String::new();
        zip.by_name("axpy.cpp").unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(text, "void axpy() {}");
    }
}
