//! What is in a file, as cheaply as its stamp allows.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use super::asked::asked_in;
use crate::fs::{Fs, Opened, Stamp};
use crate::signature::{Signature, digest};

/// A file at one moment.
#[derive(Debug, Clone)]
pub(super) struct Content {
    pub(super) stamp: Stamp,
    /// An equal stamp proves an equal digest.
    pub(super) settled: bool,
    pub(super) digest: Signature,
    /// Text that a compiler reads, as opposed to a library that a linker reads.
    pub(super) text: bool,
    /// Names that the text asks for with `__has_include`.
    pub(super) asked: Arc<[String]>,
    /// It had one stamp before and after it was read.
    pub(super) steady: bool,
}

/// Settled contents by path, shared by everything in the process: fifty kernels that include `<cmath>` read
/// its 94 headers once.
static KNOWN: Mutex<Option<HashMap<PathBuf, Content>>> = Mutex::new(None);

/// No header is longer; libraries can be, and are not held in memory.
const LONGEST_TEXT: u64 = 16 << 20;

/// `None` if there is no such file.
pub(super) fn examine(fs: &Fs, path: &Path) -> io::Result<Option<Content>> {
    // Before the stamp is taken: that is what makes `settled` a proof.
    let now = SystemTime::now();
    let Some(stamp) = fs.stamp(path)? else { return Ok(None) };
    let known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(content) = known.as_ref().and_then(|known| known.get(path))
        && content.stamp == stamp
    {
        return Ok(Some(content.clone()));
    }
    drop(known);
    // From here on the stamp is that of what is read: the path can have come to lead to another file.
    let mut content = read(fs.open(path)?)?;
    let stamp = content.stamp;
    content.settled = stamp.settled(now);
    content.steady = content.settled || fs.stamp(path)? == Some(stamp);
    if content.settled {
        let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
        known.get_or_insert_default().insert(path.to_owned(), content.clone());
    }
    Ok(Some(content))
}

fn read(opened: Opened) -> io::Result<Content> {
    let stamp = opened.stamp;
    let unread =
        |digest| Content { stamp, settled: false, digest, text: false, asked: Arc::default(), steady: false };
    if stamp.size > LONGEST_TEXT {
        return Ok(unread(opened.digest()?));
    }
    let bytes = opened.read_at_most(u64::MAX)?;
    let text = ![&b"\x7fELF"[..], b"!<arch>\n", b"!<thin>\n"].iter().any(|magic| bytes.starts_with(magic));
    let asked = if text { asked_in(&bytes).into() } else { Arc::default() };
    Ok(Content { text, asked, ..unread(digest(&bytes)) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_settled_file_is_read_once() {
        let fs = Fs::new(Default::default());
        let path = Path::new("/bin/sh").canonicalize().unwrap();
        let first = examine(&fs, &path).unwrap().unwrap();
        assert!(first.settled && first.steady && !first.text);
        let before = fs.counters().snapshot().opens;
        assert_eq!(examine(&fs, &path).unwrap().unwrap().digest, first.digest);
        assert_eq!(fs.counters().snapshot().opens, before);
    }

    #[test]
    fn a_fresh_file_is_read_every_time() {
        let fs = Fs::new(Default::default());
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut digests = Vec::new();
        for text in ["aaaa", "bbbb", "__has_include(<x.h>)"] {
            std::fs::write(file.path(), text).unwrap();
            let content = examine(&fs, file.path()).unwrap().unwrap();
            assert!(!content.settled && content.steady && content.text);
            digests.push(content.digest);
            assert_eq!(content.asked.len(), usize::from(text.contains("x.h")));
        }
        assert_ne!(digests[0], digests[1]);
        assert!(examine(&fs, Path::new("/no/such/file")).unwrap().is_none());
        assert!(examine(&fs, Path::new("/")).is_err());
    }
}
