//! Unpacking a tarball: all of it into its directory, or nothing is believed.
//!
//! A name that would leave the directory, by `..`, from the root or through a link, refuses the whole tarball: whoever made
//! it so means no good, and a package of which a part was passed over would be built as something else.

use std::collections::BTreeSet;
use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};

use crate::fs::Fs;
use crate::signature::{Digested, Signature};

/// What other packers begin with.
const OTHERS: [(&[u8], &str); 5] = [
    (b"\xfd7zXZ\0", "xz"),
    (b"BZh", "bzip2"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"PK\x03\x04", "zip"),
    (b"\x1f\x9d", "compress"),
];

/// No tarball is larger, unpacked.
const LARGEST: u64 = 8 << 30;

/// Unpacks `tarball` into `dir`, which is there and empty.
///
/// # Errors
/// It cannot be read to its end, it is another one than was `wanted`, or a name in it would leave the directory.
pub(super) fn unpack(fs: &Fs, tarball: &Path, dir: &Path, wanted: &Signature) -> Result<(), String> {
    let problem =
        |error: io::Error| format!("cannot unpack {}: {error}; it is cut off or damaged", tarball.display());
    let mut file = Digested::new(fs.open(tarball).map_err(problem)?.into_reader());
    // By its contents: a name says nothing sure.
    let mut head = Vec::new();
    file.by_ref().take(6).read_to_end(&mut head).map_err(problem)?;
    if let Some((_, kind)) = OTHERS.iter().find(|(magic, _)| head.starts_with(magic)) {
        let tarball = tarball.display();
        return Err(format!(
            "{tarball} is packed by {kind}, and .tar and .tar.gz are unpacked here: pack it so, and give the SHA-256 of that"
        ));
    }
    let is_gzip = head.starts_with(&[0x1f, 0x8b]);
    let whole = io::Cursor::new(head).chain(&mut file);
    let reader: Box<dyn Read + '_> =
        if is_gzip { Box::new(flate2::read::GzDecoder::new(whole)) } else { Box::new(whole) };
    let mut archive = tar::Archive::new(reader.take(LARGEST));
    let mut links = BTreeSet::new();
    let mut any = false;
    for entry in archive.entries().map_err(problem)? {
        let mut entry = entry.map_err(problem)?;
        let kind = entry.header().entry_type();
        if kind.is_pax_global_extensions() {
            continue;
        }
        let path = entry.path().map_err(problem)?.into_owned();
        let target = entry.link_name().map_err(problem)?.map(|target| target.into_owned());
        let refused = |why: &str| {
            let (tarball, path) = (tarball.display(), path.display());
            format!("{tarball} is refused: `{path}` in it {why}; take the package from another place")
        };
        let own = inside(&path).ok_or_else(|| refused("would be written outside of its directory"))?;
        if own.ancestors().skip(1).any(|dir| links.contains(dir)) {
            return Err(refused("would be written through a link"));
        }
        let target = target.as_deref().unwrap_or(Path::new(""));
        if kind.is_symlink() {
            if !stays(&own, target) {
                return Err(refused(&format!(
                    "is a link that leaves its directory, to `{}`",
                    target.display()
                )));
            }
            links.insert(own);
        } else if kind.is_hard_link() {
            let is_own =
                inside(target).is_some_and(|target| !target.ancestors().any(|part| links.contains(part)));
            if !is_own {
                return Err(refused(&format!(
                    "is a link that leaves its directory, to `{}`",
                    target.display()
                )));
            }
        } else if !kind.is_file() && !kind.is_dir() && !kind.is_contiguous() && !kind.is_gnu_sparse() {
            return Err(refused("is neither a file nor a directory nor a link"));
        }
        any = true;
        if !entry.unpack_in(dir).map_err(problem)? {
            return Err(refused("would be written outside of its directory"));
        }
    }
    if !any {
        return Err(format!("there is nothing in {}", tarball.display()));
    }
    // A compressed stream has its checksum at its end.
    io::copy(&mut archive.into_inner(), &mut io::sink()).map_err(problem)?;
    io::copy(&mut file, &mut io::sink()).map_err(problem)?;
    match file.signature() {
        found if found == *wanted => Ok(()),
        found => {
            let tarball = tarball.display();
            Err(format!(
                "{tarball} was changed while it was read: it has the SHA-256 {found} now, and must have {wanted}"
            ))
        }
    }
}

/// The path without `.`, if it stays where it begins.
fn inside(path: &Path) -> Option<PathBuf> {
    let mut own = PathBuf::new();
    for part in path.components() {
        match part {
            Component::Normal(name) => own.push(name),
            Component::CurDir => {}
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(own)
}

/// Whether a link at `own` leads to something inside. `..` may only stand at the beginning, where it cannot follow another link.
fn stays(own: &Path, target: &Path) -> bool {
    let mut up = 0;
    let mut down = false;
    for part in target.components() {
        match part {
            Component::ParentDir if !down => up += 1,
            Component::Normal(_) => down = true,
            Component::CurDir => {}
            _ => return false,
        }
    }
    own.components().count() > up
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One entry, with a name as it is.
    fn entry(name: &str, kind: tar::EntryType, target: &str) -> Vec<u8> {
        let mut header = tar::Header::new_gnu();
        let text: &[u8] = if kind.is_file() { b"text" } else { b"" };
        header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
        header.as_mut_bytes()[157..157 + target.len()].copy_from_slice(target.as_bytes());
        header.set_entry_type(kind);
        header.set_size(text.len() as u64);
        header.set_mode(0o644);
        header.set_cksum();
        let mut bytes = header.as_bytes().to_vec();
        bytes.extend_from_slice(text);
        bytes.resize(bytes.len().div_ceil(512) * 512, 0);
        bytes
    }

    fn unpacked(entries: &[Vec<u8>]) -> (tempfile::TempDir, Result<(), String>) {
        let place = tempfile::tempdir().unwrap();
        let (dir, tarball) = (place.path().join("deep/dir"), place.path().join("x.tar"));
        std::fs::create_dir_all(&dir).unwrap();
        std::fs::write(&tarball, [entries.concat(), vec![0; 1024]].concat()).unwrap();
        let fs = Fs::new(Default::default());
        let result = unpack(&fs, &tarball, &dir, &fs.digest(&tarball).unwrap());
        (place, result)
    }

    #[test]
    fn whatever_leaves_the_directory_refuses_the_tarball_and_writes_nothing_outside() {
        use tar::EntryType as T;
        let link = |name, target| entry(name, T::Symlink, target);
        let file = |name| entry(name, T::Regular, "");
        let bad: &[(&[Vec<u8>], &str)] = &[
            (&[file("../out")], "outside"),
            (&[file("p/../../out")], "outside"),
            (&[file("/tmp/dijitso-never-written")], "outside"),
            (&[link("p/l", "/etc")], "leaves"),
            (&[link("p/l", "../../out")], "leaves"),
            (&[link("p/t", "."), link("p/l", "t/../../..")], "leaves"),
            (&[link("p/l", ".."), file("p/l/out")], "through a link"),
            (&[entry("p/h", T::Link, "/etc/hostname")], "leaves"),
            (&[entry("p/h", T::Link, "../../x.tar")], "leaves"),
            (&[link("p/l", "q"), entry("p/h", T::Link, "p/l")], "leaves"),
            (&[entry("p/f", T::Fifo, "")], "neither"),
        ];
        for (entries, why) in bad {
            let (place, result) = unpacked(entries);
            let problem = result.unwrap_err();
            assert!(problem.contains("is refused") && problem.contains(why), "{problem}");
            let outside = |dir: &str| std::fs::read_dir(place.path().join(dir)).unwrap().count();
            assert_eq!((outside("."), outside("deep")), (2, 1), "{problem}");
            assert!(!Path::new("/tmp/dijitso-never-written").exists());
        }
    }

    #[test]
    fn links_inside_are_unpacked() {
        use tar::EntryType as T;
        let (place, result) = unpacked(&[
            entry("./p/sub/", T::Directory, ""),
            entry("./p/f", T::Regular, ""),
            entry("./p/sub/l", T::Symlink, "../f"),
            entry("./p/h", T::Link, "./p/f"),
        ]);
        result.unwrap();
        let read = |name: &str| std::fs::read(place.path().join("deep/dir/p").join(name)).unwrap();
        assert_eq!((read("sub/l"), read("h")), (b"text".to_vec(), b"text".to_vec()));
    }

    #[test]
    fn one_that_is_cut_off_or_empty_is_refused() {
        use std::io::Write as _;
        let place = tempfile::tempdir().unwrap();
        let fs = Fs::new(Default::default());
        let mut zipped = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        let noise: Vec<u8> = entry("p/f", tar::EntryType::Regular, "").repeat(20);
        zipped.write_all(&noise).unwrap();
        let bytes = zipped.finish().unwrap();
        for (n, cut) in [bytes.len() - 4, bytes.len() / 2, 1, 0].into_iter().enumerate() {
            let (tarball, dir) = (place.path().join(format!("{n}.tar.gz")), place.path().join(n.to_string()));
            std::fs::write(&tarball, &bytes[..cut]).unwrap();
            std::fs::create_dir(&dir).unwrap();
            let wanted = fs.digest(&tarball).unwrap();
            let problem = unpack(&fs, &tarball, &dir, &wanted).unwrap_err();
            assert!(problem.contains("cut off") || problem.contains("nothing in"), "{cut}: {problem}");
        }
    }

    #[test]
    fn what_is_unpacked_is_what_was_meant_and_what_cannot_be_unpacked_is_named() {
        let place = tempfile::tempdir().unwrap();
        let fs = Fs::new(Default::default());
        let (tarball, dir) = (place.path().join("x.tar.xz"), place.path().join("dir"));
        std::fs::create_dir(&dir).unwrap();
        let unpacked = |bytes: &[u8], wanted: Signature| {
            std::fs::write(&tarball, bytes).unwrap();
            unpack(&fs, &tarball, &dir, &wanted)
        };
        let plain = [entry("p/f", tar::EntryType::Regular, ""), vec![0; 1024]].concat();
        let mut longer = plain.clone();
        longer.extend_from_slice(&[0; 4096]);
        let digest = crate::signature::digest;
        unpacked(&longer, digest(&longer)).unwrap();
        let problem = unpacked(&longer, digest(&plain)).unwrap_err();
        assert!(problem.contains("was changed while it was read"), "{problem}");
        for (magic, kind) in OTHERS {
            let problem = unpacked(magic, digest(magic)).unwrap_err();
            assert!(problem.contains(&format!("is packed by {kind}, and .tar and .tar.gz")), "{problem}");
        }
    }
}
