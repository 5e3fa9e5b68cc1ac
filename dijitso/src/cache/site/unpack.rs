//! Unpacking an archive, once for all processes of a user.

use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::super::Store;
use super::super::archive::Archive;
use super::pack::{self, Most, Packed};
use super::table::Table;
use super::{TABLE, entry_path};
use crate::fs::used::EXACTNESS;
use crate::fs::{Fs, Scratch, Stamp, check_installed};
use crate::signature::{Signature, Signer};

/// Where an archive's content lies.
pub(super) struct Unpacked {
    pub(super) root: PathBuf,
    /// Set if it lies there only as long as this is held.
    pub(super) scratch: Option<Scratch>,
}

/// The content of the archive at `path`, in the user's cache; in the first of `places` if that cannot be written.
pub(super) fn unpacked(fs: &Fs, path: &Path, store: &Store, places: &[PathBuf]) -> Result<Unpacked, String> {
    let archive = fs.open(path).map_err(|error| format!("it cannot be read: {error}"))?;
    check_installed(path)?;
    if !archive.regular {
        return Err("it is not a file".to_owned());
    }
    let root = store.sites_dir().join(key(path, &archive.stamp).to_hex());
    // Without a table something else has removed a part of it.
    let is_whole = fs.is_file(&root.join("v1").join(TABLE));
    if let (true, Ok(Some(stamp))) = (is_whole, fs.stamp(&root)) {
        if stamp.is_unused_for(EXACTNESS, SystemTime::now()) {
            let _ = fs.mark_used(&root);
        }
        return Ok(Unpacked { root, scratch: None });
    }
    let in_cache = store.create().is_ok();
    let mut candidates = vec![store.tmp_dir()];
    candidates.truncate(usize::from(in_cache));
    candidates.extend_from_slice(places);
    let scratch = Scratch::new(fs, &candidates)
        .map_err(|error| format!("there is no place where it could be unpacked: {error}"))?;
    unpack(fs, archive.into_reader(), scratch.path(), Most::ANY)?;
    if scratch.path().parent() == Some(&*store.tmp_dir()) && keep(store, scratch.path(), &root).is_ok() {
        return Ok(Unpacked { root, scratch: None });
    }
    Ok(Unpacked { root: scratch.path().to_owned(), scratch: Some(scratch) })
}

/// The content of the archive at `path`, in the first of `places`, for as long as what is returned is held; if it is no more
/// than `most`.
pub(super) fn into_scratch(fs: &Fs, path: &Path, places: &[PathBuf], most: Most) -> Result<Scratch, String> {
    let archive = fs.open(path).map_err(|error| format!("it cannot be read: {error}"))?;
    if !archive.regular {
        return Err("it is not a file".to_owned());
    }
    let scratch = Scratch::new(fs, places)
        .map_err(|error| format!("there is no place where it could be unpacked: {error}"))?;
    unpack(fs, archive.into_reader(), scratch.path(), most)?;
    Ok(scratch)
}

/// Another archive of this name is another one.
fn key(path: &Path, stamp: &Stamp) -> Signature {
    let mut signer = Signer::quiet("dijitso site archive 1");
    signer.field("path", path);
    for (name, value) in [("inode", stamp.ino), ("size", stamp.size)] {
        signer.field(name, &value);
    }
    for (name, value) in [("modified", stamp.mtime_ns), ("changed", stamp.ctime_ns)] {
        signer.field(name, &value);
    }
    signer.finish()
}

/// Gives an unpacked archive its name, unless another process was first.
fn keep(store: &Store, from: &Path, to: &Path) -> io::Result<()> {
    let fs = store.fs();
    to.parent().map_or(Ok(()), |parent| fs.create_dir_all_private(parent))?;
    let is_whole = || fs.is_file(&to.join("v1").join(TABLE));
    match fs.rename(from, to) {
        Err(_) if is_whole() => Ok(()),
        Err(_) => {
            store.remove_tree(to)?;
            fs.rename(from, to).or_else(|error| if is_whole() { Ok(()) } else { Err(error) })
        }
        Ok(()) => Ok(()),
    }
}

/// Writes what is in an archive below `root`, and verifies every byte of it.
fn unpack(fs: &Fs, archive: impl io::Read, root: &Path, most: Most) -> Result<(), String> {
    let v1 = root.join("v1");
    let mut has_table = false;
    pack::unpack(archive, most, |packed, bytes| {
        let path = match &packed {
            Packed::Table => v1.join(TABLE),
            Packed::Entry(content) => entry_path(&v1, content),
        };
        match fs.publish(&v1, &path, &bytes, false) {
            Ok(crate::fs::Published::New) => {}
            Ok(crate::fs::Published::Existing) => {
                return Err(format!("it has {} twice", path.strip_prefix(root).unwrap_or(&path).display()));
            }
            Err(error) => return Err(format!("it cannot be unpacked below {}: {error}", root.display())),
        }
        match packed {
            Packed::Table => {
                has_table = true;
                Table::decode(bytes).map(|_| ())
            }
            Packed::Entry(content) => match Archive::open(fs, &path, &content) {
                Ok(_) => Ok(()),
                Err(defect) => Err(format!("its entry {} is not used: {defect}", content.short())),
            },
        }
    })?;
    if has_table { Ok(()) } else { Err("it has no table".to_owned()) }
}
