//! The bytes of a whole entry (library, archive and seal) between two processes.

use std::borrow::Cow;
use std::io;
use std::path::Path;
use std::sync::Arc;

use super::entry::{self, Defect, unreadable};
use super::seal::{self, Seal};
use super::verifier::Verifier;
use crate::fs::{Content, Fs, Opened};
use crate::signature::Signature;

/// Up to this size an entry is held in memory while it travels; a larger one is read twice.
const AT_ONCE: u64 = 32 << 20;
/// A larger one is read in pieces of this size.
const PIECE: u64 = 4 << 20;

/// An entry's bytes: cheap to clone, and perhaps larger than the memory.
#[derive(Debug, Clone)]
pub(crate) enum Bytes {
    Memory(Arc<Vec<u8>>),
    File(Arc<Opened>),
}

impl Bytes {
    pub(crate) fn len(&self) -> u64 {
        match self {
            Bytes::Memory(bytes) => bytes.len() as u64,
            Bytes::File(file) => file.stamp.size,
        }
    }

    /// Exactly `len` bytes from `offset`; beyond the end it is `UnexpectedEof`.
    pub(crate) fn piece(&self, offset: u64, len: u64) -> io::Result<Cow<'_, [u8]>> {
        match self {
            Bytes::Memory(bytes) => {
                let range = usize::try_from(offset).ok().zip(usize::try_from(len).ok());
                let range = range.and_then(|(at, len)| Some(at..at.checked_add(len)?));
                let piece = range.and_then(|range| bytes.get(range));
                piece.map(Cow::Borrowed).ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
            }
            Bytes::File(file) => file.read_at(offset, len).map(Cow::Owned),
        }
    }

    /// Everything, one piece after the other.
    pub(crate) fn pieces(&self) -> impl Iterator<Item = io::Result<Cow<'_, [u8]>>> {
        let len = self.len();
        let of_size =
            |piece: u64| (0..len.div_ceil(piece)).map(move |n| (n * piece, piece.min(len - n * piece)));
        let pieces = match self {
            // There already, however long.
            Bytes::Memory(_) => of_size(len.max(1)),
            Bytes::File(_) => of_size(PIECE),
        };
        pieces.map(|(offset, len)| self.piece(offset, len))
    }

    /// Everything at once.
    pub(crate) fn whole(&self) -> io::Result<Arc<Vec<u8>>> {
        match self {
            Bytes::Memory(bytes) => Ok(bytes.clone()),
            Bytes::File(file) => file.read_at(0, file.stamp.size).map(Arc::new),
        }
    }

    /// Reads the entry at `path`, which must be the one named `expected`, and verifies all of it.
    pub(crate) fn open(fs: &Fs, path: &Path, expected: &Signature) -> Result<(Bytes, Seal), Defect> {
        let file = entry::open(fs, path)?;
        let found = file.stamp;
        let io = |error: io::Error| unreadable(error, found);
        let corrupt = |reason: String| Defect::corrupt(reason, found);
        let bytes = Bytes::File(Arc::new(file));
        let bytes = if found.size <= AT_ONCE { Bytes::Memory(bytes.whole().map_err(io)?) } else { bytes };
        // The seal first: it says what to compare.
        let end = bytes.piece(found.size - seal::LEN as u64, seal::LEN as u64).map_err(io)?;
        let seal = entry::seal_for_here(&end, found.size, expected).map_err(corrupt)?;
        drop(end);
        let mut verifier = Verifier::new(expected, seal.elf_len, found.size).map_err(corrupt)?;
        for piece in bytes.pieces() {
            verifier.feed(&piece.map_err(io)?).map_err(corrupt)?;
        }
        let seal = verifier.finish().map_err(corrupt)?;
        Ok((bytes, seal))
    }
}

impl<'a> From<&'a Bytes> for Content<'a> {
    fn from(bytes: &'a Bytes) -> Content<'a> {
        match bytes {
            Bytes::Memory(bytes) => Content::Bytes(bytes),
            Bytes::File(file) => Content::File(file),
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::os::unix::fs::FileExt as _;

    use super::super::entry::tests::{elf, encoded};
    use super::*;
    use crate::signature::digest;

    fn fs() -> Fs {
        Fs::new(Default::default())
    }

    #[test]
    fn a_small_entry_is_read_once_and_a_large_one_in_pieces() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("entry");
        for (len, large) in [(1000, false), (AT_ONCE as usize + 5, true)] {
            let entry = encoded(digest(b"content"), &elf(len));
            std::fs::write(&path, &entry).unwrap();
            let (bytes, seal) = Bytes::open(&fs(), &path, &digest(b"content")).unwrap();
            assert_eq!((matches!(bytes, Bytes::File(_)), seal.elf_len), (large, len as u64));
            assert_eq!(bytes.len(), entry.len() as u64);
            let joined: Vec<u8> = bytes.pieces().flat_map(|piece| piece.unwrap().into_owned()).collect();
            assert!(joined == entry && *bytes.whole().unwrap() == entry);
            assert_eq!(&*bytes.piece(7, 9).unwrap(), &entry[7..16]);
            for (offset, len) in [(entry.len() as u64, 1), (0, u64::MAX), (u64::MAX, 2)] {
                assert!(bytes.piece(offset, len).is_err());
            }
        }
    }

    /// Makes an entry named `content` with a library of so many bytes, nearly all of which are a hole that takes no room.
    pub(crate) fn with_a_hole(path: &Path, content: &[u8], elf_len: u64) -> Seal {
        let rest = [7; 100];
        let header = elf(64);
        let zeros = vec![0; PIECE as usize];
        let mut check = xxhash_rust::xxh3::Xxh3::new();
        check.update(&header);
        let mut left = elf_len - header.len() as u64;
        while left > 0 {
            let now = left.min(PIECE);
            check.update(&zeros[..now as usize]);
            left -= now;
        }
        let seal = Seal {
            machine: seal::MACHINE,
            elf_len,
            content: digest(content),
            cpu: crate::toolchain::CpuFeatures::NONE,
            elf_check: check.digest128(),
            // Compared by who looks at the archive, too.
            elf_digest: digest(b"not asked for"),
            rest_digest: digest(&rest),
        };
        let file = std::fs::File::create(path).unwrap();
        file.write_all_at(&header, 0).unwrap();
        file.write_all_at(&[&rest[..], &seal.encode()].concat(), elf_len).unwrap();
        seal
    }

    #[test]
    fn a_library_of_more_than_four_gigabytes_is_verified_in_pieces() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("entry");
        let elf_len = (4u64 << 30) + 12_345;
        let seal = with_a_hole(&path, b"content", elf_len);
        let (bytes, found) = Bytes::open(&fs(), &path, &digest(b"content")).unwrap();
        assert!(matches!(bytes, Bytes::File(_)) && found == seal);
        assert_eq!(bytes.len(), elf_len + 100 + seal::LEN as u64);
        assert_eq!(&*bytes.piece(elf_len - 1, 2).unwrap(), [0, 7]);
    }

    #[test]
    fn a_damaged_one_is_no_entry() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("entry");
        let good = encoded(digest(b"content"), &elf(64));
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 0x04;
            std::fs::write(&path, &bad).unwrap();
            let opened = Bytes::open(&fs(), &path, &digest(b"content"));
            assert!(matches!(opened, Err(Defect::Corrupt { .. })), "byte {at}");
        }
        std::fs::write(&path, &good).unwrap();
        assert!(Bytes::open(&fs(), &path, &digest(b"other")).is_err());
        assert!(matches!(Bytes::open(&fs(), &dir.path().join("x"), &digest(b"x")), Err(Defect::Missing)));
    }
}
