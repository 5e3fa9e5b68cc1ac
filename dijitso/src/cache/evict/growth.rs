//! How much was added to a cache since somebody looked: an estimate that all processes write together.
//!
//! The file begins with what was there at the last look; each note behind it says how much one addition stands for. It is replaced by the
//! next look. A note that is lost (an append on a network file system, a file that was replaced in the same instant) makes that look a little later.

use std::hash::{BuildHasher as _, RandomState};
use std::io;
use std::path::Path;
use std::time::SystemTime;

use crate::fs::{Absent, Fs};

const MAGIC: &[u8; 8] = b"djgrowth";
const NOTE: usize = 16;
/// Nobody adds so many notes before a look; where a look is impossible, they are useless.
const LARGEST: usize = 1 << 20;

/// Of the bound: what one note stands for.
const UNITS: u64 = 512;

/// What remains after an eviction, in per cent of the bound.
const KEPT: u64 = 80;

/// Bytes and files.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Amount {
    pub(super) bytes: u64,
    pub(super) files: u64,
}

impl Amount {
    pub(super) fn add(&mut self, bytes: u64) {
        *self = self.plus(Amount { bytes, files: 1 });
    }

    pub(super) fn plus(self, other: Amount) -> Amount {
        let (bytes, files) = (self.bytes.saturating_add(other.bytes), self.files.saturating_add(other.files));
        Amount { bytes, files }
    }

    pub(super) fn minus(self, other: Amount) -> Amount {
        let (bytes, files) = (self.bytes.saturating_sub(other.bytes), self.files.saturating_sub(other.files));
        Amount { bytes, files }
    }

    /// For as many folders.
    pub(super) fn scaled(self, of: usize, to: usize) -> Amount {
        let scale = |n: u64| {
            let scaled = u128::from(n) * to as u128 / (of as u128).max(1);
            u64::try_from(scaled).unwrap_or(u64::MAX)
        };
        Amount { bytes: scale(self.bytes), files: scale(self.files) }
    }
}

/// The most that a cache may hold: its entries and its index together. 0: without bound.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Bound {
    pub(crate) size: u64,
    pub(crate) files: u64,
}

impl Bound {
    pub(super) fn is_exceeded_by(self, amount: Amount) -> bool {
        (self.size > 0 && amount.bytes > self.size) || (self.files > 0 && amount.files > self.files)
    }

    /// What may remain.
    pub(in crate::cache) fn target(self) -> Bound {
        // At least 1: 0 would be without bound.
        let part = |n: u64| if n == 0 { 0 } else { (u128::from(n) * u128::from(KEPT) / 100).max(1) as u64 };
        Bound { size: part(self.size), files: part(self.files) }
    }

    /// Of some of the folders.
    pub(super) fn scaled(self, of: usize, to: usize) -> Bound {
        let Amount { bytes, files } = Amount { bytes: self.size, files: self.files }.scaled(of, to);
        let part = |whole: u64, part: u64| if whole == 0 { 0 } else { part.max(1) };
        Bound { size: part(self.size, bytes), files: part(self.files, files) }
    }

    /// What a new file of so many bytes is noted as; mostly not at all. `dice` is from 0 to 1.
    pub(super) fn weigh(self, bytes: u64, dice: f64) -> Option<Amount> {
        let chance = |n: u64, bound: u64| match bound {
            0 => 0.0,
            bound => n as f64 / (bound as f64 / UNITS as f64),
        };
        let chance = chance(bytes, self.size).max(chance(1, self.files));
        // It stands for a whole number of its kind, so that nothing is rounded away.
        let weight = (1.0 / chance).floor().max(1.0);
        let noted = || Amount { bytes: bytes.saturating_mul(weight as u64), files: weight as u64 };
        (chance > 0.0 && dice * weight < 1.0).then(noted)
    }
}

/// From 0 to 1; forked processes throw their own.
pub(super) fn dice() -> f64 {
    let salt = (std::process::id(), SystemTime::now());
    // The keys of a hash table are the system's randomness.
    (RandomState::new().hash_one(salt) >> 11) as f64 / (1u64 << 53) as f64
}

/// Notes an addition.
///
/// # Errors
/// `NotFound` if nobody has looked yet.
pub(super) fn note(fs: &Fs, path: &Path, amount: Amount) -> io::Result<()> {
    fs.append(path, &encode(amount), Absent::Refuse)
}

/// How much there is, by all that was noted; `None` if nobody knows.
pub(super) fn read(fs: &Fs, path: &Path) -> Option<Amount> {
    let bytes = fs.read_small(path, LARGEST).ok()?;
    let notes = bytes.strip_prefix(MAGIC)?.chunks_exact(NOTE);
    if notes.len() == 0 || !notes.remainder().is_empty() {
        return None;
    }
    let number = |bytes: &[u8]| bytes.try_into().map_or(0, u64::from_le_bytes);
    let amount = |note: &[u8]| Amount { bytes: number(&note[..8]), files: number(&note[8..]) };
    Some(notes.map(amount).fold(Amount::default(), Amount::plus))
}

/// The file of whoever has looked.
pub(super) fn counted(amount: Amount) -> Vec<u8> {
    [&MAGIC[..], &encode(amount)].concat()
}

fn encode(amount: Amount) -> [u8; NOTE] {
    let mut note = [0; NOTE];
    note[..8].copy_from_slice(&amount.bytes.to_le_bytes());
    note[8..].copy_from_slice(&amount.files.to_le_bytes());
    note
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_add_up_and_nonsense_is_unknown() {
        let dir = tempfile::tempdir().unwrap();
        let fs = Fs::new(Default::default());
        let path = dir.path().join("growth");
        let one = Amount { bytes: 7, files: 1 };
        assert!(note(&fs, &path, one).is_err() && read(&fs, &path).is_none());
        std::fs::write(&path, counted(Amount { bytes: 100, files: 3 })).unwrap();
        note(&fs, &path, one).unwrap();
        note(&fs, &path, one).unwrap();
        assert_eq!(read(&fs, &path), Some(Amount { bytes: 114, files: 5 }));
        for bad in [&b""[..], b"djgrowth", b"djgrowth123", &[b'x'; 40]] {
            std::fs::write(&path, bad).unwrap();
            assert_eq!(read(&fs, &path), None);
        }
    }

    #[test]
    fn on_average_what_is_added_is_noted() {
        let bound = Bound { size: 50_000_000, files: 10_000 };
        for bytes in [0, 1_500, 14_000, 150_000, 3_000_000] {
            let (mut noted, rounds) = (Amount::default(), 20_000);
            for n in 0..rounds {
                if let Some(amount) = bound.weigh(bytes, f64::from(n) / f64::from(rounds)) {
                    noted = noted.plus(amount);
                }
            }
            let real = Amount { bytes: bytes * u64::from(rounds as u32), files: u64::from(rounds as u32) };
            let wrong = |noted: u64, real: u64| noted.abs_diff(real) as f64 > 0.01 * real as f64;
            assert!(!wrong(noted.bytes, real.bytes) && !wrong(noted.files, real.files), "{noted:?} {real:?}");
        }
        assert_eq!(Bound::default().weigh(1 << 40, 0.0), None);
        let mean = (0..10_000).map(|_| dice()).sum::<f64>() / 10_000.0;
        assert!((0.45..0.55).contains(&mean), "{mean}");
    }

    #[test]
    fn a_bound_of_nothing_is_none() {
        let much = Amount { bytes: u64::MAX, files: u64::MAX };
        assert!(!Bound::default().is_exceeded_by(much) && Bound::default().target() == Bound::default());
        let bound = Bound { size: 10, files: 0 };
        assert!(bound.is_exceeded_by(much) && !bound.is_exceeded_by(Amount { bytes: 10, files: 99 }));
        assert_eq!(bound.target(), Bound { size: 8, files: 0 });
        assert_eq!(bound.scaled(256, 1), Bound { size: 1, files: 0 });
    }
}
