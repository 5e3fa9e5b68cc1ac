//! Jobs that are of no use to anybody any more.

use std::path::Path;
use std::time::{Duration, SystemTime};

use super::Around;
use super::folder::Folder;
use super::launcher::Launcher;
use super::link::{Link, link};
use super::queue::{Life, Ticket};
use crate::cache::Glance;
use crate::fs::{Kind, Mount};
use crate::signature::Signature;

/// Nobody has asked for it for so long.
const UNUSED: Duration = Duration::from_secs(30 * 24 * 3600);
/// On a network file system a lock may be visible to one machine only, or there is none; there only age tells.
const ABANDONED: Duration = Duration::from_secs(24 * 3600);

impl Folder {
    /// How it is, if it was submitted so that others find it.
    pub(super) fn life(&self, around: &Around<'_>, launcher: &Launcher) -> Option<Life> {
        let (fs, name) = (around.fs, self.submitted(around.fs)?);
        if self.has_ended(fs) {
            return Some(Life::Ended);
        }
        let id = self.id(fs);
        // The queue may not have it yet.
        if id.is_none() && self.is_held(fs) == Some(true) {
            return Some(Life::UnderWay);
        }
        let dir = self.dir.parent().unwrap_or(&self.dir);
        let ticket = Ticket { name: &name, id: id.as_deref() };
        Some(launcher.life(around, dir, ticket).unwrap_or(Life::UnderWay))
    }

    /// Whether an answer in it is still one, and nobody has it.
    fn is_of_use(&self, around: &Around<'_>) -> bool {
        self.keys(around.fs).iter().any(|key| {
            let Some(entry) = self.entry(around.fs, key) else { return false };
            let is_kept = || {
                let key = Signature::from_hex(key);
                around
                    .store
                    .zip(key)
                    .is_some_and(|(store, key)| store.answer(&key, &Glance::each()).is_some())
            };
            self.told(around.fs, key, &entry).is_some()
                && matches!(link(around, key, &entry), Link::Holds(_))
                && !is_kept()
        })
    }

    fn is_unused_for(&self, around: &Around<'_>, time: Duration) -> bool {
        let stamp = |path: &Path| around.fs.stamp(path).ok().flatten();
        let stamp = stamp(&self.used()).or_else(|| stamp(&self.dir));
        stamp.is_some_and(|stamp| stamp.is_unused_for(time, SystemTime::now()))
    }
}

/// Removes what processes left that were killed before they had submitted it, and what has ended, has no answer that the cache
/// does not have, and was not needed for a month.
pub(super) fn sweep(around: &Around<'_>, dir: &Path, launcher: &Launcher) {
    let is_local = Mount::of(dir).is_ok_and(|mount| mount.kind == Kind::Local);
    for folder in Folder::all(around.fs, dir) {
        let held = folder.is_held(around.fs);
        if held == Some(true) {
            continue;
        }
        let goes = if folder.is_whole(around.fs) {
            folder.is_unused_for(around, UNUSED)
                && folder.life(around, launcher) != Some(Life::UnderWay)
                && !folder.is_of_use(around)
        } else {
            is_local && held.is_some() || folder.is_unused_for(around, ABANDONED)
        };
        if goes && folder.sweep(around.fs) {
            log::debug!("{} was of no use any more and is removed", folder.dir.display());
        }
    }
}
