//! One cached kernel: one file, a shared object with a zip archive appended and a seal at the end.
//!
//! The loader, debuggers and linkers see a library; `unzip` sees the source, the headers, the log and
//! `entry.json`; a hit reads the library and the seal and nothing else. One file is published at once, so
//! its parts cannot get separated.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Cursor, Write as _};
use std::path::Path;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_128;
use zip::CompressionMethod;
use zip::write::SimpleFileOptions;

use super::listed::{LISTED, ListedMeta};
use super::seal::{self, MACHINE, Seal};
use crate::config::origin::Flag;
use crate::fs::{Fs, Opened, Stamp};
use crate::signature::{Signature, digest};
use crate::toolchain::CpuFeatures;

/// Where an entry's archive keeps the facts about it.
pub(super) const META: &str = "entry.json";
/// What the compiler and the linker printed.
pub(super) const LOG: &str = "build.log";
/// What the linker was told to export.
pub(super) const EXPORTS: &str = "exports.map";
/// Where it keeps the headers that other kernels may include.
pub(super) const HEADERS: &str = "headers/";

/// Headers' names and texts.
pub(crate) type Headers = Vec<(String, String)>;

/// Bytes from which a text is compressed.
const WORTH_COMPRESSING: usize = 8 * 1024;

/// Up to this size a file is read at once, which saves a system call on most hits.
const AT_ONCE: u64 = 64 * 1024;
/// The shortest end of a zip archive, without comment.
pub(super) const ZIP_END_LEN: u64 = 22;

/// The facts about an entry that people and tools ask for: `entry.json`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct EntryMeta {
    pub(crate) content: Signature,
    pub(crate) unit: Signature,
    /// The spec it was first built for; other specs can lead to it, too.
    pub(crate) spec: Signature,
    pub(crate) name: String,
    /// Name and arguments: `axpy(Unrolled(8))`.
    pub(crate) description: String,
    /// Where its generator is: `src/kernels.rs:12:5`.
    pub(crate) location: String,
    /// The exported entry, if it has one.
    pub(crate) symbol: Option<String>,
    pub(crate) exports: Vec<String>,
    /// What went into the unit signature, in words.
    pub(crate) ingredients: BTreeMap<String, String>,
    pub(crate) flags: Vec<Flag>,
    pub(crate) commands: Vec<String>,
    /// Every file that the tools read, with its digest.
    pub(crate) inputs: BTreeMap<String, Signature>,
    /// Content signatures of the kernels it is linked to.
    pub(crate) dependencies: Vec<Signature>,
    pub(crate) compile_seconds: f64,
    pub(crate) link_seconds: f64,
    /// Seconds since 1970.
    pub(crate) created: u64,
    /// Version of this crate, and the machine.
    pub(crate) creator: String,
}

/// Texts for the top of an archive, compressed. A separate step, because there can be megabytes of them, and
/// they are known before the compiler has ended.
#[derive(Debug, Default)]
pub(crate) struct Texts {
    zip: Vec<u8>,
    /// Of the texts, before they were compressed.
    bytes: u64,
}

impl Texts {
    pub(crate) fn compress(files: &[(&str, &[u8])]) -> io::Result<Texts> {
        let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
        for (name, text) in files {
            zip.start_file(*name, options(text.len()))?;
            zip.write_all(text)?;
        }
        Ok(Texts { zip: zip.finish()?.into_inner(), bytes: len(files) })
    }
}

/// The bytes of an entry.
///
/// `texts` and `files` go to the top of the archive (sources, `build.log`), `headers` into a folder of their own.
///
/// # Errors
/// Two files of one name, or more than 4 GiB.
pub(crate) fn encode(
    elf: &[u8],
    content: &Signature,
    cpu: CpuFeatures,
    texts: &Texts,
    files: &[(&str, &[u8])],
    headers: &[(String, String)],
    meta: &EntryMeta,
) -> io::Result<Vec<u8>> {
    let more: usize = files.iter().map(|(_, text)| text.len()).sum();
    let mut bytes = Vec::with_capacity(elf.len() + texts.zip.len() + more / 2 + 16384);
    bytes.extend_from_slice(elf);
    let mut cursor = Cursor::new(bytes);
    // The archive's offsets count from the beginning of the file, so that no reader has to guess.
    cursor.set_position(elf.len() as u64);

    let mut zip = zip::ZipWriter::new(cursor);
    if !texts.zip.is_empty() {
        zip.merge_archive(zip::ZipArchive::new(Cursor::new(texts.zip.as_slice()))?)?;
    }
    for (name, text) in files {
        zip.start_file(*name, options(text.len()))?;
        zip.write_all(text)?;
    }
    for (name, text) in headers {
        zip.start_file(format!("{HEADERS}{name}"), options(text.len()))?;
        zip.write_all(text.as_bytes())?;
    }
    let text = serde_json::to_vec_pretty(meta)?;
    zip.start_file(META, options(text.len()))?;
    zip.write_all(&text)?;
    let headers = headers.iter().map(|(_, text)| text.len() as u64).sum();
    let of = |log: bool| -> u64 {
        files
            .iter()
            .filter(|(name, _)| (*name == LOG) == log && *name != EXPORTS)
            .map(|(_, text)| text.len() as u64)
            .sum()
    };
    let listed = ListedMeta::of(meta, texts.bytes + of(false), headers, of(true));
    // Last, and as it is: see there.
    zip.start_file(LISTED, SimpleFileOptions::default().compression_method(CompressionMethod::Stored))?;
    zip.write_all(&serde_json::to_vec(&listed)?)?;
    let mut bytes = zip.finish()?.into_inner();

    // The archive ends with the length of its comment; the comment is the seal.
    let at = bytes.len() - 2;
    bytes[at..].copy_from_slice(&(seal::LEN as u16).to_le_bytes());
    let seal = Seal {
        machine: seal::machine_of(elf),
        elf_len: elf.len() as u64,
        content: *content,
        cpu,
        elf_check: xxh3_128(elf),
        elf_digest: digest(elf),
        rest_digest: digest(&bytes[elf.len()..]),
    };
    bytes.extend_from_slice(&seal.encode());
    Ok(bytes)
}

impl EntryMeta {
    /// The compiler in one line.
    pub(super) fn compiler(&self) -> String {
        let part = |name| self.ingredients.get(name).map_or("unknown", String::as_str);
        format!("{}: {}, for {}", part("compiler"), part("compiler version"), part("compiler target"))
    }
}

fn len(files: &[(&str, &[u8])]) -> u64 {
    files.iter().map(|(_, text)| text.len() as u64).sum()
}

/// A library whose bytes are what was sealed.
#[derive(Debug)]
pub(crate) struct VerifiedEntry {
    pub(crate) elf: Vec<u8>,
    pub(crate) seal: Seal,
    /// Of the whole entry.
    pub(crate) len: u64,
    /// Whether this was its first use of the day, and it was marked as used.
    pub(crate) marked: bool,
}

/// Why an entry cannot be used. Each is a miss, never the program's failure.
#[derive(Debug)]
pub(crate) enum Defect {
    Missing,
    /// It is not what was published under this name.
    Corrupt {
        reason: String,
        /// What was found, so that only this is set aside and not what replaced it meanwhile.
        found: Stamp,
    },
    /// The operating system refused.
    Unreadable(io::Error),
}

impl Defect {
    pub(super) fn corrupt(reason: impl Into<String>, found: Stamp) -> Defect {
        Defect::Corrupt { reason: reason.into(), found }
    }
}

impl fmt::Display for Defect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Defect::Missing => f.write_str("it is missing"),
            Defect::Corrupt { reason, .. } => f.write_str(reason),
            Defect::Unreadable(error) => write!(f, "it cannot be read: {error}"),
        }
    }
}

/// A compressor's tables take a quarter of a millisecond to set up, more than a short text is worth; and a
/// generated source of megabytes must not cost more to pack than to hash, so the fastest level.
fn options(len: usize) -> SimpleFileOptions {
    let options = SimpleFileOptions::default();
    if len < WORTH_COMPRESSING {
        return options.compression_method(CompressionMethod::Stored);
    }
    options.compression_method(CompressionMethod::Deflated).compression_level(Some(1))
}

/// Reads and verifies the library of the entry at `path`, which must be the one named `expected`.
///
/// Verified before it is loaded, because a library's constructors run inside `dlopen`.
pub(crate) fn read(fs: &Fs, path: &Path, expected: &Signature) -> Result<VerifiedEntry, Defect> {
    read_opened(&open(fs, path)?, expected)
}

/// The same for an entry that is open already.
pub(super) fn read_opened(file: &Opened, expected: &Signature) -> Result<VerifiedEntry, Defect> {
    let found = file.stamp;
    let io = |error: io::Error| unreadable(error, found);
    let (seal, elf) = if found.size <= AT_ONCE {
        let mut bytes = file.read_at(0, found.size).map_err(io)?;
        let seal = check_seal(&bytes, found, expected)?;
        bytes.truncate(seal.elf_len as usize);
        (seal, bytes)
    } else {
        let end = file.read_at(found.size - seal::LEN as u64, seal::LEN as u64).map_err(io)?;
        let seal = check_seal(&end, found, expected)?;
        let elf = file.read_at(0, seal.elf_len).map_err(io)?;
        (seal, elf)
    };
    if xxh3_128(&elf) != seal.elf_check {
        return Err(Defect::corrupt("its library is damaged", found));
    }
    Ok(VerifiedEntry { elf, seal, len: found.size, marked: false })
}

/// Opens an entry that has room for a seal.
pub(super) fn open(fs: &Fs, path: &Path) -> Result<Opened, Defect> {
    checked(fs.open(path))
}

/// What was opened, if it can be an entry.
pub(super) fn checked(opened: io::Result<Opened>) -> Result<Opened, Defect> {
    let file = match opened {
        Ok(file) => file,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Err(Defect::Missing);
        }
        Err(error) => return Err(Defect::Unreadable(error)),
    };
    if !file.regular {
        return Err(Defect::corrupt("it is not a file", file.stamp));
    }
    if file.stamp.size == 0 {
        return Err(Defect::corrupt("it is empty", file.stamp));
    }
    if file.stamp.size < seal::LEN as u64 + ZIP_END_LEN {
        return Err(Defect::corrupt("it is truncated", file.stamp));
    }
    Ok(file)
}

fn check_seal(bytes: &[u8], found: Stamp, expected: &Signature) -> Result<Seal, Defect> {
    seal_for_here(bytes, found.size, expected).map_err(|reason| Defect::corrupt(reason, found))
}

/// The same for whoever only reads it, on any machine.
pub(super) fn seal_of(bytes: &[u8], found: Stamp, expected: &Signature) -> Result<Seal, Defect> {
    seal_in(bytes, found.size, expected).map_err(|reason| Defect::corrupt(reason, found))
}

/// The seal at the end of `bytes`, if it belongs to an entry of this size and name that can be loaded here.
///
/// # Errors
/// In words that continue "the entry is not used: ..".
pub(crate) fn seal_for_here(bytes: &[u8], size: u64, expected: &Signature) -> Result<Seal, String> {
    let seal = seal_in(bytes, size, expected)?;
    if seal.machine != MACHINE {
        return Err(format!("it is for another architecture (ELF machine {})", seal.machine));
    }
    Ok(seal)
}

fn seal_in(bytes: &[u8], size: u64, expected: &Signature) -> Result<Seal, String> {
    let end = bytes.len().checked_sub(seal::LEN).and_then(|at| bytes.get(at..)).unwrap_or_default();
    let seal = Seal::decode(end)?;
    if seal.content != *expected {
        return Err(format!("it is the entry {}, under another name", seal.content.short()));
    }
    // Written by us and intact, so the length is right; but nothing may depend on that.
    if size.checked_sub(seal::LEN as u64 + ZIP_END_LEN).is_none_or(|most| seal.elf_len > most) {
        return Err("its library is longer than the file".to_owned());
    }
    Ok(seal)
}

pub(super) fn unreadable(error: io::Error, found: Stamp) -> Defect {
    if error.kind() == io::ErrorKind::UnexpectedEof {
        // It shrank while we read it.
        return Defect::corrupt("it is truncated", found);
    }
    Defect::Unreadable(error)
}

#[cfg(test)]
pub(super) mod tests;
