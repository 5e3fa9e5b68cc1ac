//! An entry that arrives piece by piece: nobody holds all of it, and nothing of it is used before its seal fits.

use sha2::{Digest as _, Sha256};
use xxhash_rust::xxh3::Xxh3;

use super::entry::{ZIP_END_LEN, seal_for_here};
use super::seal::{self, Seal};
use crate::signature::Signature;

/// Is fed an entry from its beginning to its end.
pub(crate) struct Verifier {
    expected: Signature,
    elf_len: u64,
    len: u64,
    fed: u64,
    elf: Xxh3,
    rest: Sha256,
    end: Vec<u8>,
}

impl Verifier {
    /// For the entry named `expected`, whose lengths were announced: of its library, and of all.
    ///
    /// # Errors
    /// Lengths that no entry has. All errors here are words that continue "the entry is not used: ..".
    pub(crate) fn new(expected: &Signature, elf_len: u64, len: u64) -> Result<Verifier, String> {
        let most = len.checked_sub(seal::LEN as u64 + ZIP_END_LEN);
        if most.is_none_or(|most| elf_len > most) {
            return Err(format!("no entry of {len} bytes has a library of {elf_len}"));
        }
        let (elf, rest) = (Xxh3::new(), Sha256::new());
        Ok(Verifier { expected: *expected, elf_len, len, fed: 0, elf, rest, end: Vec::new() })
    }

    /// Takes the next bytes.
    ///
    /// # Errors
    /// More bytes than were announced.
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> Result<(), String> {
        let before = self.fed;
        self.fed += bytes.len() as u64;
        if self.fed > self.len {
            return Err(format!("it is longer than the {} bytes that were announced", self.len));
        }
        let (elf, bytes) = bytes.split_at(part(self.elf_len, before, bytes));
        let before = before + elf.len() as u64;
        let (rest, end) = bytes.split_at(part(self.len - seal::LEN as u64, before, bytes));
        self.elf.update(elf);
        self.rest.update(rest);
        self.end.extend_from_slice(end);
        Ok(())
    }

    /// The seal, if everything was there and is what was sealed.
    pub(crate) fn finish(self) -> Result<Seal, String> {
        if self.fed < self.len {
            return Err(format!("it ends after {} of {} bytes", self.fed, self.len));
        }
        let seal = seal_for_here(&self.end, self.len, &self.expected)?;
        if seal.elf_len != self.elf_len {
            return Err(format!(
                "its library has {} bytes, and not the announced {}",
                seal.elf_len, self.elf_len
            ));
        }
        if self.elf.digest128() != seal.elf_check {
            return Err("its library is damaged".to_owned());
        }
        if Signature::from_bytes(self.rest.finalize().into()) != seal.rest_digest {
            return Err("its archive is damaged".to_owned());
        }
        Ok(seal)
    }
}

/// How many of these bytes, which begin at `position`, lie before `border`.
fn part(border: u64, position: u64, bytes: &[u8]) -> usize {
    usize::try_from(border.saturating_sub(position)).map_or(bytes.len(), |before| before.min(bytes.len()))
}

#[cfg(test)]
mod tests {
    use super::super::entry::tests::{elf, encoded};
    use super::*;
    use crate::signature::digest;

    fn verify(bytes: &[u8], elf_len: u64, piece: usize) -> Result<Seal, String> {
        let mut verifier = Verifier::new(&digest(b"content"), elf_len, bytes.len() as u64)?;
        bytes.chunks(piece).try_for_each(|piece| verifier.feed(piece))?;
        verifier.finish()
    }

    #[test]
    fn pieces_of_any_size_are_one_entry() {
        let entry = encoded(digest(b"content"), &elf(700));
        for piece in [1, 2, 3, 64, 699, 700, 701, 4096, entry.len()] {
            assert_eq!(verify(&entry, 700, piece).unwrap().content, digest(b"content"), "{piece}");
        }
    }

    #[test]
    fn any_changed_byte_is_found_in_pieces_of_any_size() {
        let good = encoded(digest(b"content"), &elf(64));
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 0x20;
            assert!(verify(&bad, 64, 1 + at % 97).is_err(), "byte {at}");
        }
    }

    #[test]
    fn announced_is_what_must_come() {
        let entry = encoded(digest(b"content"), &elf(64));
        let len = entry.len() as u64;
        let wrong = |result: Result<Seal, String>| result.unwrap_err();
        assert!(wrong(verify(&entry, 65, 100)).contains("not the announced 65"));
        assert!(wrong(verify(&entry, len, 100)).contains("no entry"));
        assert!(wrong(verify(&entry, u64::MAX, 100)).contains("no entry"));
        assert!(Verifier::new(&digest(b"content"), 0, 10).is_err());
        let mut short = Verifier::new(&digest(b"content"), 64, len).unwrap();
        short.feed(&entry[..entry.len() - 1]).unwrap();
        assert!(short.finish().unwrap_err().contains("it ends after"));
        let mut long = Verifier::new(&digest(b"content"), 64, len).unwrap();
        long.feed(&entry).unwrap();
        assert!(long.feed(b"x").unwrap_err().contains("longer"));
        let other = encoded(digest(b"other"), &elf(64));
        assert!(wrong(verify(&other, 64, 100)).contains("another name"));
    }
}
