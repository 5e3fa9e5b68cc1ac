//! Eviction as a cache is filled: noticed by whoever adds, done by one.

use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime};

use super::growth::{self, Amount};
use super::scan::{self, Aged, FOLDERS, Folders};
use super::tidy::Tidy;
use super::{Bin, SAMPLE, SAMPLE_OF_NETWORK, select};
use crate::cache::Store;

/// Looks that one call takes, each at other folders: what is too much by far, because the bound was lowered, goes by and by.
const ROUNDS: usize = 4;
/// Half as long as what nobody uses is kept.
const AWAY: Duration = Duration::from_secs(15 * 24 * 3600);

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

    /// Says that the day's housekeeping is done, and what time it is for whoever keeps the files: a clock of ours that is a month ahead would
    /// have everything removed that others use.
    pub(super) fn begin_tidying(&self) -> std::io::Result<SystemTime> {
        let path = self.tidied_path();
        self.replace(&path, b"")?;
        Ok(self.fs().stamp(&path)?.map_or_else(SystemTime::now, |stamp| stamp.used()))
    }

    fn tidied_path(&self) -> PathBuf {
        self.v1().join("tidied")
    }

    /// The housekeeping that no bound asks for: once a day, by whoever comes first and has added something, in some of the folders.
    pub(crate) fn tidy_daily(&self) {
        let path = self.tidied_path();
        let now = SystemTime::now();
        let Ok(last) = self.fs().stamp(&path) else { return };
        if last.is_some_and(|last| !last.wants_mark(now)) {
            return;
        }
        let Ok(_guard) = self.guard("evict") else { return };
        if !self.is_tagged_by_now() {
            return;
        }
        // First, so that nobody else begins, and not again today whatever goes wrong.
        let Ok(now) = self.begin_tidying() else { return };
        let mut bin = Bin::new(self);
        let mut tidy = Tidy::new(&mut bin, now);
        // Else a clock was moved, or nobody was here for so long that all looks unused; who is here now marks what they use.
        tidy.by_age = last.is_some_and(|last| !last.is_unused_for(AWAY, now) && !last.is_ahead_of(now));
        tidy.some();
        self.fold_statistics(now);
        log::debug!("cache {}: tidied, {:?} less", self.root().display(), bin.evicted);
    }
}
