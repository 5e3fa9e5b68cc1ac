//! What a program in a job was made from, and whether that is still there.

use std::path::PathBuf;

use super::Around;
use super::entry::Entry;
use crate::cache::{Answer, Glance, Inputs};
use crate::probe::job::Trace;

/// Whether a program is still what would be linked now.
#[derive(Debug)]
pub(super) enum Link {
    Holds(Option<Inputs>),
    Stale,
}

/// Remembers what a program was made from, for whoever takes its answer.
pub(super) fn track(around: &Around<'_>, key: &str, entry: &Entry) -> Option<()> {
    let store = around.store.filter(|_| !entry.trace.incomplete)?;
    let Trace { files, asked, search, started, .. } = &entry.trace;
    let collected = Inputs::collect(store, files, asked, search, *started).ok()?;
    if collected.changed.is_some() {
        return None;
    }
    store.create_softly();
    let made_from = Answer { bytes: Vec::new(), inputs: collected.inputs };
    store.keep_answer(&entry.link(key), made_from).ok()
}

pub(super) fn link(around: &Around<'_>, key: &str, entry: &Entry) -> Link {
    if let Some(store) = around.store.filter(|_| entry.tracked) {
        return match store.answer(&entry.link(key), &Glance::each()) {
            Some(made_from) => Link::Holds(Some(made_from.inputs)),
            None => Link::Stale,
        };
    }
    let unchanged = |file: &PathBuf| {
        let stamp = around.fs.stamp(file).ok().flatten();
        stamp.is_some_and(|stamp| !stamp.changed_after(entry.trace.started))
    };
    if entry.trace.files.iter().all(unchanged) { Link::Holds(None) } else { Link::Stale }
}
