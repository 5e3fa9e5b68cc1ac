//! Eviction as a cache is filled: noticed by whoever adds, done by one.

use std::sync::atomic::Ordering;
use std::time::SystemTime;

use super::growth::{self, Amount};
use super::scan::{self, Aged, FOLDERS, Folders};
use super::{Bin, SAMPLE, SAMPLE_OF_NETWORK, select};
use crate::cache::Store;

/// Looks that one call takes, each at other folders: what is too much by far, because the bound was lowered, goes by and by.
const ROUNDS: usize = 4;

impl Store {
    /// Takes note of a new file.
    pub(in crate::cache) fn grew(&self, bytes: u64) {
        let Some(amount) = self.bound.weigh(bytes, growth::dice()) else { return };
        let path = self.growth_path();
        let full = match growth::note(self.fs(), &path, amount) {
            Ok(()) => growth::read(self.fs(), &path).is_none_or(|now| self.bound.is_exceeded_by(now)),
            // Nobody has looked yet; or it cannot be written, and then nothing else can.
            Err(error) => error.kind() == std::io::ErrorKind::NotFound,
        };
        if full {
            self.full.store(true, Ordering::Relaxed);
        }
    }

    /// Removes what was used least recently, if what this process added made it too much. For when it is indexed, too.
    pub(crate) fn evict_if_full(&self) {
        if self.full.swap(false, Ordering::Relaxed)
            && let Ok(_guard) = self.guard("evict")
        {
            let evicted = self.evict();
            let counters = self.fs().counters();
            counters.evicted.add(evicted.files);
            counters.evicted_bytes.add(evicted.bytes);
        }
    }

    fn evict(&self) -> Amount {
        let growth = self.growth_path();
        let noted = growth::read(self.fs(), &growth).unwrap_or_default();
        // Whoever keeps the files has just said what time it is, by the note that led here.
        let now = self.fs().stamp(&growth).ok().flatten().map_or_else(SystemTime::now, |stamp| stamp.used());
        let today = self.today_at(now);
        let sample = if self.is_shared() { SAMPLE_OF_NETWORK } else { SAMPLE };
        let mut bin = Bin::new(self);
        let there_are = Folders::of(self);
        let mut folders = scan::shuffled().into_iter();
        let (mut seen, mut found) = (0, Amount::default());
        let mut there = Amount::default();
        for _ in 0..ROUNDS {
            let mut files: Vec<Aged> = Vec::new();
            let (mut amount, before) = (Amount::default(), seen);
            for folder in folders.by_ref() {
                amount = amount.plus(there_are.look(folder, &mut files));
                seen += 1;
                if files.len() >= sample {
                    break;
                }
            }
            if seen == before {
                break;
            }
            found = found.plus(amount);
            // Of all folders, by those that were seen.
            there = found.scaled(seen, FOLDERS).minus(bin.evicted);
            if !self.bound.is_exceeded_by(there) {
                break;
            }
            let target = self.bound.target().scaled(FOLDERS, seen - before);
            let gone = select::least_recently_used(&mut files, amount, target, now);
            let evicted = bin.evicted;
            for file in &files[..gone] {
                bin.evict(file);
            }
            bin.correct(&files[gone..], today);
            there = there.minus(bin.evicted.minus(evicted));
            // Else nothing can be removed.
            if bin.evicted == evicted || !self.bound.is_exceeded_by(there) {
                break;
            }
        }
        // What was added meanwhile was seen in part; to count all of it makes the next look a little earlier.
        let meanwhile = growth::read(self.fs(), &growth).map_or(Amount::default(), |now| now.minus(noted));
        self.set_growth(there.plus(meanwhile));
        log::debug!("cache {}: evicted {:?} of {:?}", self.root().display(), bin.evicted, found);
        bin.evicted
    }

    pub(super) fn set_growth(&self, amount: Amount) {
        if let Err(error) = self.replace(&self.growth_path(), &growth::counted(amount)) {
            log::debug!("cannot say how much is in {}: {error}", self.root().display());
        }
    }
}
