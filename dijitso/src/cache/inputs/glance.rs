//! Stamps that several checks of one moment share.
//!
//! A hundred answers rest on the same ten directories: one `stat` of each is enough for all that are looked up together.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};

use crate::fs::{Fs, Stamp};

/// What was seen so far, if it is shared at all. It proves that something is as it was, and is never written down: new
/// stamps come from a look of their own, with the time of that.
#[derive(Debug, Default)]
pub(crate) struct Glance {
    seen: Option<RefCell<HashMap<PathBuf, Option<Stamp>>>>,
}

impl Glance {
    /// Every check looks itself.
    pub(crate) fn each() -> Glance {
        Glance { seen: None }
    }

    /// Each path is looked at once, for as long as this lives: that must be short.
    pub(crate) fn shared() -> Glance {
        Glance { seen: Some(RefCell::default()) }
    }

    pub(super) fn stamp(&self, fs: &Fs, path: &Path) -> io::Result<Option<Stamp>> {
        let Some(seen) = &self.seen else { return fs.stamp(path) };
        if let Some(stamp) = seen.borrow().get(path) {
            return Ok(*stamp);
        }
        let stamp = fs.stamp(path)?;
        seen.borrow_mut().insert(path.to_owned(), stamp);
        Ok(stamp)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_looked_at_once_by_all_that_share_a_glance() {
        let dir = tempfile::tempdir().unwrap();
        let (fs, path) = (Fs::new(Default::default()), dir.path().join("file"));
        let stats = |fs: &Fs| fs.counters().snapshot().file_stats;
        let shared = Glance::shared();
        assert_eq!(shared.stamp(&fs, &path).unwrap(), None);
        std::fs::write(&path, "x").unwrap();
        assert_eq!(shared.stamp(&fs, &path).unwrap(), None, "as it was a moment ago");
        assert_eq!(stats(&fs), 1);
        let each = Glance::each();
        assert!(each.stamp(&fs, &path).unwrap().is_some() && each.stamp(&fs, &path).unwrap().is_some());
        assert_eq!(stats(&fs), 3);
    }
}
