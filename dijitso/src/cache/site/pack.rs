//! The archive form of a site cache: reproducible when written, and believed in nothing when read.

use std::cell::Cell;
use std::io::{self, Read, Write as _};
use std::path::{Component, Path};

use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use tar::{Builder, EntryType, Header};

use super::{TABLE, table};
use crate::signature::Signature;

/// The largest file and the largest content of an archive that is unpacked: beyond what anybody means.
const LARGEST_FILE: u64 = 1 << 30;
const LARGEST: u64 = 1 << 36;
/// Heads and padding may be a quarter of the files, and this.
const OVERHEAD: u64 = 1 << 20;

/// Packs files, which come with their names, one after the other; the same files always give the same bytes.
pub(super) fn pack<W: io::Write>(
    files: impl Iterator<Item = io::Result<(String, Vec<u8>)>>,
    into: W,
) -> io::Result<W> {
    // The encoder writes no name and no time of its own.
    let mut archive = Builder::new(GzEncoder::new(into, Compression::default()));
    for file in files {
        let (name, bytes) = file?;
        let mut header = Header::new_ustar();
        header.set_entry_type(EntryType::Regular);
        header.set_mode(0o644);
        header.set_size(bytes.len() as u64);
        header.set_mtime(0);
        header.set_uid(0);
        header.set_gid(0);
        archive.append_data(&mut header, &name, &*bytes)?;
    }
    let mut encoder = archive.into_inner()?;
    encoder.flush()?;
    encoder.finish()
}

/// What a name in an archive stands for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Packed {
    Table,
    Entry(Signature),
}

/// How much may be in an archive or a directory.
#[derive(Debug, Clone, Copy)]
pub(super) struct Most {
    pub(super) bytes: u64,
    /// Why not more, and what to do about it: the rest of a sentence.
    pub(super) why: &'static str,
}

impl Most {
    pub(super) const ANY: Most = Most { bytes: LARGEST, why: "" };

    pub(super) fn exceeded(self) -> String {
        format!("its content has more than {} bytes{}", self.bytes, self.why)
    }
}

/// Hands every file to `take`; an error says in words why the archive is refused.
///
/// Only what [`pack`] writes is accepted, whoever packed it: files of the known names, and the directories
/// they are in; and at most so many bytes in all.
pub(super) fn unpack(
    archive: impl Read,
    most: Most,
    mut take: impl FnMut(Packed, Vec<u8>) -> Result<(), String>,
) -> Result<(), String> {
    let largest = most.bytes.min(LARGEST);
    let left = Cell::new(largest.saturating_add(largest / 4).saturating_add(OVERHEAD));
    let mut content = Bounded { inner: MultiGzDecoder::new(archive), left: &left };
    let mut total = 0u64;
    let illegible = |error: io::Error| match left.get() {
        0 => most.exceeded(),
        _ => format!("it is no intact archive: {error}"),
    };
    let mut tar = tar::Archive::new(&mut content);
    // Without the extensions for long names and the like, which are read into memory however long they are: the names
    // of a site cache are short. What other programs note beside a file (times in fractions of seconds) is passed over.
    for entry in tar.entries().map_err(illegible)?.raw(true) {
        let entry = entry.map_err(illegible)?;
        if matches!(entry.header().entry_type(), EntryType::XHeader | EntryType::XGlobalHeader) {
            continue;
        }
        let shown = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let path = entry.path().map_err(illegible)?;
        match entry.header().entry_type() {
            EntryType::Directory if is_plain(&path) => continue,
            EntryType::Regular => {}
            other => return Err(format!("`{shown}` in it is no file but {other:?}")),
        }
        let Some(packed) = is_plain(&path).then(|| named(&path)).flatten() else {
            return Err(format!("`{shown}` in it is no file of a site cache"));
        };
        let size = entry.size();
        let sensible = if packed == Packed::Table { table::LARGEST } else { LARGEST_FILE };
        if size > sensible {
            return Err(format!("`{shown}` in it has {size} bytes"));
        }
        total = total.saturating_add(size);
        if total > largest {
            return Err(most.exceeded());
        }
        let mut bytes = Vec::new();
        entry.take(size).read_to_end(&mut bytes).map_err(illegible)?;
        if bytes.len() as u64 != size {
            return Err(if left.get() == 0 {
                most.exceeded()
            } else {
                format!("it is truncated in `{shown}`")
            });
        }
        take(packed, bytes)?;
    }
    // Up to its checksum.
    io::copy(&mut content, &mut io::sink()).map_err(illegible)?;
    if left.get() == 0 { Err(most.exceeded()) } else { Ok(()) }
}

/// Ends after so many bytes as are left.
struct Bounded<'l, R> {
    inner: R,
    left: &'l Cell<u64>,
}

impl<R: Read> Read for Bounded<'_, R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left.get()).unwrap_or(usize::MAX).min(into.len());
        let read = self.inner.read(&mut into[..most])?;
        self.left.set(self.left.get() - read as u64);
        Ok(read)
    }
}

/// Leads downwards only.
fn is_plain(path: &Path) -> bool {
    path.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir))
}

fn named(path: &Path) -> Option<Packed> {
    let parts: Vec<&str> = path
        .components()
        .filter(|part| *part != Component::CurDir)
        .map(|part| part.as_os_str().to_str())
        .collect::<Option<_>>()?;
    match parts[..] {
        ["v1", TABLE] => Some(Packed::Table),
        ["v1", folder, file] => {
            let signature = Signature::from_hex(file.strip_suffix(".so")?)?;
            // In one way only: upper case would be another file.
            (super::place(&signature) == format!("{folder}/{file}")).then_some(Packed::Entry(signature))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signature::digest;

    fn packed(files: &[(&str, &[u8])]) -> Vec<u8> {
        let files = files.iter().map(|(name, bytes)| Ok(((*name).to_owned(), bytes.to_vec())));
        pack(files, Vec::new()).unwrap()
    }

    fn names(archive: &[u8]) -> Result<Vec<(Packed, usize)>, String> {
        let mut found = Vec::new();
        unpack(archive, Most::ANY, |name, bytes| {
            found.push((name, bytes.len()));
            Ok(())
        })?;
        Ok(found)
    }

    /// An archive with one member whose header is made by `change`; names are written as they are.
    fn crafted(name: &str, change: impl FnOnce(&mut Header)) -> Vec<u8> {
        let mut header = Header::new_ustar();
        header.set_size(1);
        header.set_mode(0o644);
        header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
        change(&mut header);
        header.set_cksum();
        let mut bytes = header.as_bytes().to_vec();
        if header.entry_type() != EntryType::Directory {
            bytes.push(b'x');
        }
        bytes.resize(512 * 4, 0);
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(&bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn what_is_packed_comes_out_and_is_the_same_every_time() {
        let signature = digest(b"entry");
        let entry = format!("v1/{}", super::super::place(&signature));
        let archive = packed(&[(&entry, b"library"), ("v1/table", b"t")]);
        assert_eq!(names(&archive).unwrap(), [(Packed::Entry(signature), 7), (Packed::Table, 1)]);
        assert_eq!(archive, packed(&[(&entry, b"library"), ("v1/table", b"t")]));
    }

    #[test]
    fn cut_anywhere_or_changed_it_is_refused() {
        let good = packed(&[("v1/table", &[7; 5000])]);
        for len in 0..good.len() {
            assert!(names(&good[..len]).is_err(), "length {len} of {}", good.len());
        }
        for at in 10..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 0x10;
            // The last byte of the compressed part has bits that mean nothing.
            let mut content = Vec::new();
            let unpacked = unpack(&*bad, Most::ANY, |_, bytes| {
                content = bytes;
                Ok(())
            });
            assert!(unpacked.is_err() || content == [7; 5000], "byte {at}");
        }
        assert!(names(&[]).is_err());
        assert!(names(b"no archive").is_err());
    }

    #[test]
    fn names_that_lead_elsewhere_are_refused() {
        for name in ["../table", "/v1/table", "v1/../v1/table", "v1/table/../../x", "table", "v1/other", "v1"]
        {
            let error = names(&crafted(name, |_| {})).unwrap_err();
            assert!(error.contains(name), "{error}");
        }
        let upper = format!("v1/{}", super::super::place(&digest(b"x"))).to_uppercase().replace("V1", "v1");
        assert!(names(&crafted(&upper, |_| {})).is_err());
        assert_eq!(names(&crafted("./v1/table", |_| {})).unwrap(), [(Packed::Table, 1)]);
    }

    #[test]
    fn what_is_no_file_is_refused() {
        for kind in [
            EntryType::Symlink,
            EntryType::Link,
            EntryType::Char,
            EntryType::Block,
            EntryType::Fifo,
            EntryType::GNUSparse,
        ] {
            let archive = crafted("v1/table", |header| {
                header.set_entry_type(kind);
                header.set_link_name("/etc/passwd").unwrap();
            });
            assert!(names(&archive).is_err(), "{kind:?}");
        }
        let directory = |name| {
            crafted(name, |header| {
                header.set_entry_type(EntryType::Directory);
                header.set_size(0);
            })
        };
        assert_eq!(names(&directory("v1/")).unwrap(), []);
        assert!(names(&directory("../v1/")).is_err());
    }

    /// Others than us may have packed it again: with times in fractions of seconds, which stand in files of their own.
    #[test]
    fn what_other_programs_note_beside_a_file_is_passed_over() {
        let mut archive = Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
        archive.append_pax_extensions([("mtime", &b"1.5"[..])]).unwrap();
        let mut header = Header::new_ustar();
        header.set_size(1);
        header.set_mode(0o644);
        archive.append_data(&mut header, "v1/table", &b"t"[..]).unwrap();
        let bytes = archive.into_inner().unwrap().finish().unwrap();
        assert_eq!(names(&bytes).unwrap(), [(Packed::Table, 1)]);
    }

    /// The name of a file may be a file of its own, which would be read into memory however long it is.
    #[test]
    fn a_name_is_never_longer_than_its_place() {
        for kind in [EntryType::GNULongName, EntryType::GNULongLink] {
            let error = names(&crafted("././@LongLink", |header| header.set_entry_type(kind))).unwrap_err();
            assert!(error.contains("Long"), "{error}");
        }
    }

    #[test]
    fn sizes_beyond_sense_are_refused_before_they_are_read() {
        for size in [table::LARGEST + 1, LARGEST_FILE + 1, 1 << 40] {
            let error = names(&crafted("v1/table", |header| header.set_size(size))).unwrap_err();
            assert!(error.contains(&size.to_string()), "{error}");
        }
        assert!(names(&crafted("v1/table", |header| header.set_size(table::LARGEST))).is_err(), "truncated");
    }
}
