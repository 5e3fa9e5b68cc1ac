//! What a listing shows of an entry, in a place where it is found without reading the archive.
//!
//! `entry.json` names every header that the compiler read: to read it back for each of a hundred thousand
//! entries takes half a minute. So what a listing needs is there once more, short and not compressed, as the
//! last file of the archive: one read of the file's last bytes has it.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::entry::{EntryMeta, ZIP_END_LEN};
use crate::signature::Signature;

/// Its name in the archive.
pub(super) const LISTED: &str = "listing.json";

/// So much of a file's end is read: seal, table of contents, and this, of a usual entry.
pub(super) const ENOUGH: u64 = 3 * 1024;

/// A part of `entry.json`, and sizes of texts, which are there not compressed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct ListedMeta<'a> {
    pub(super) content: Signature,
    #[serde(borrow)]
    pub(super) name: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) description: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) compiler: Cow<'a, str>,
    pub(super) created: u64,
    pub(super) compile_seconds: f64,
    pub(super) sources: u64,
    pub(super) headers: u64,
    pub(super) log: u64,
}

impl ListedMeta<'_> {
    pub(super) fn of(meta: &EntryMeta, sources: u64, headers: u64, log: u64) -> ListedMeta<'_> {
        ListedMeta {
            content: meta.content,
            name: (&meta.name).into(),
            description: (&meta.description).into(),
            compiler: meta.compiler().into(),
            created: meta.created,
            compile_seconds: meta.compile_seconds,
            sources,
            headers,
            log,
        }
    }

    /// Reads it out of the end of an entry, without its seal; `size` is the length of the entry without it, too.
    /// `None` if it is not there or not whole: then the archive is read as any other.
    pub(super) fn find(tail: &[u8], size: u64) -> Option<ListedMeta<'_>> {
        serde_json::from_slice(find(tail, size)?).ok()
    }
}

/// The bytes of the archive's file, by its table of contents.
fn find(tail: &[u8], size: u64) -> Option<&[u8]> {
    let tail_at = size.checked_sub(tail.len() as u64)?;
    let in_tail = |offset: u32| usize::try_from(u64::from(offset).checked_sub(tail_at)?).ok();
    let end = tail.len().checked_sub(ZIP_END_LEN as usize)?;
    if tail.get(end..end + 4)? != b"PK\x05\x06" {
        return None;
    }
    let mut at = in_tail(u32_at(tail, end + 16)?)?;
    while tail.get(at..at + 4)? == b"PK\x01\x02" {
        let len = |field| u16_at(tail, at + field).map(usize::from);
        let (name_len, more) = (len(28)?, len(30)? + len(32)?);
        let name = tail.get(at + 46..at + 46 + name_len)?;
        let stored = len(10)? == 0;
        if name == LISTED.as_bytes() && stored {
            let local = in_tail(u32_at(tail, at + 42)?)?;
            let len = usize::try_from(u32_at(tail, at + 20)?).ok()?;
            let from =
                local + 30 + usize::from(u16_at(tail, local + 26)?) + usize::from(u16_at(tail, local + 28)?);
            return tail.get(from..from.checked_add(len)?);
        }
        at += 46 + name_len + more;
    }
    None
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::super::entry::tests::{elf, encoded};
    use super::super::seal;
    use super::*;
    use crate::signature::digest;

    #[test]
    fn it_is_found_in_the_last_bytes_whatever_is_before_them() {
        for len in [64, 100_000] {
            let entry = encoded(digest(b"content"), &elf(len));
            let bytes = &entry[..entry.len() - seal::LEN];
            for from in [0, bytes.len().saturating_sub(ENOUGH as usize)] {
                let found = ListedMeta::find(&bytes[from..], bytes.len() as u64).unwrap();
                assert_eq!(found.content, digest(b"content"));
                assert_eq!((&*found.name, &*found.description), ("axpy", "axpy(Unrolled(8))"));
                assert_eq!((found.sources, found.headers, found.log), (14, 12, 0));
            }
        }
    }

    #[test]
    fn what_is_cut_or_changed_is_not_read_beyond_its_end() {
        let entry = encoded(digest(b"content"), &elf(64));
        let bytes = &entry[..entry.len() - seal::LEN];
        for from in 0..=bytes.len() {
            let _ = ListedMeta::find(&bytes[from..], bytes.len() as u64);
            let _ = ListedMeta::find(&bytes[..from], from as u64);
        }
        for at in 0..bytes.len() {
            let mut bad = bytes.to_vec();
            bad[at] = 0xff;
            let _ = ListedMeta::find(&bad, bad.len() as u64);
        }
        assert!(ListedMeta::find(bytes, 3).is_none(), "more bytes than the file has");
    }
}
