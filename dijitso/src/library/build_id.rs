//! Which build of which file some code of this process belongs to.
//!
//! A generator can call anything in its object, so a cached answer to "what does it generate" holds for one
//! build of that object only. Linkers write a digest of the object into it, the build id; where they do not,
//! we make one of the file.
#![allow(unsafe_code)]

use std::collections::HashMap;
use std::ffi::{CStr, OsStr, c_char, c_int, c_void};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use crate::fs::Fs;
use crate::signature::{Signature, Signer};

/// Identifies the build of the object that holds `address`.
pub(crate) fn build_id_of(fs: &Fs, address: usize) -> Signature {
    let mut signer = Signer::quiet("dijitso object");
    match find(address) {
        Some(Object { build_id: Some(id), .. }) => {
            signer.str("build id");
            signer.bytes(&id);
        }
        Some(Object { path, .. }) => {
            signer.str("file");
            signer.str(&digest_of_file(fs, &path));
        }
        None => signer.str(&unknown()),
    }
    signer.finish()
}

/// The file of the object that holds `address`.
pub(crate) fn object_of(address: usize) -> Option<PathBuf> {
    let path = find(address)?.path;
    if path == Path::new(PROGRAM) { std::fs::read_link(path).ok() } else { Some(path) }
}

/// The program itself, also if its file was replaced since it was started.
const PROGRAM: &str = "/proc/self/exe";

fn digest_of_file(fs: &Fs, path: &Path) -> String {
    static KNOWN: Mutex<Option<HashMap<PathBuf, String>>> = Mutex::new(None);
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    let known = known.get_or_insert_default();
    if let Some(digest) = known.get(path) {
        return digest.clone();
    }
    let digest = fs.digest(path).map_or_else(|_| unknown(), |digest| digest.to_hex());
    known.insert(path.to_owned(), digest.clone());
    digest
}

/// Another text in every process: nothing cached can be proved to fit, so nothing fits.
fn unknown() -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    format!("unknown {} {:?}", std::process::id(), now.unwrap_or_default())
}

#[derive(Debug)]
struct Object {
    path: PathBuf,
    build_id: Option<Vec<u8>>,
}

// From <link.h> and <elf.h>; the fields that follow are not used.
#[repr(C)]
struct Info {
    base: usize,
    name: *const c_char,
    headers: *const ProgramHeader,
    count: u16,
}

#[repr(C)]
struct ProgramHeader {
    kind: u32,
    flags: u32,
    offset: u64,
    address: u64,
    physical: u64,
    file_len: u64,
    memory_len: u64,
    align: u64,
}

const PT_LOAD: u32 = 1;
const PT_NOTE: u32 = 4;
const NT_GNU_BUILD_ID: u32 = 3;

unsafe extern "C" {
    fn dl_iterate_phdr(
        callback: extern "C" fn(*const Info, usize, *mut c_void) -> c_int,
        data: *mut c_void,
    ) -> c_int;
}

struct Search {
    address: usize,
    found: Option<Object>,
}

fn find(address: usize) -> Option<Object> {
    let mut search = Search { address, found: None };
    // SAFETY: `visit` has the right type, keeps nothing it is given, and gets `search`, which lives on.
    unsafe { dl_iterate_phdr(visit, (&raw mut search).cast()) };
    search.found
}

extern "C" fn visit(info: *const Info, _size: usize, data: *mut c_void) -> c_int {
    // SAFETY: the loader passes a valid record, and what `find` gave it.
    let (info, search) = unsafe { (&*info, &mut *data.cast::<Search>()) };
    if info.headers.is_null() {
        return 0;
    }
    // SAFETY: the loader keeps so many program headers of every object for as long as it is loaded.
    let headers = unsafe { std::slice::from_raw_parts(info.headers, info.count.into()) };
    let at = |header: &ProgramHeader| info.base.wrapping_add(header.address as usize);
    let holds =
        |h: &&ProgramHeader| h.kind == PT_LOAD && search.address.wrapping_sub(at(h)) < h.memory_len as usize;
    if !headers.iter().any(|h| holds(&h)) {
        return 0;
    }
    let mut build_id = None;
    for note in headers.iter().filter(|h| h.kind == PT_NOTE) {
        // A damaged header must not make us read what is not mapped.
        let mapped = headers.iter().any(|load| {
            load.kind == PT_LOAD
                && note.address >= load.address
                && note.address.saturating_add(note.file_len) <= load.address.saturating_add(load.file_len)
        });
        if mapped && build_id.is_none() {
            // SAFETY: the range lies inside a loaded segment, and notes are never written to.
            let bytes = unsafe { std::slice::from_raw_parts(at(note) as *const u8, note.file_len as usize) };
            build_id = build_id_in(bytes, note.align);
        }
    }
    let path = if info.name.is_null() {
        PathBuf::new()
    } else {
        // SAFETY: the loader's names end with a zero byte.
        PathBuf::from(OsStr::from_bytes(unsafe { CStr::from_ptr(info.name) }.to_bytes()))
    };
    // The program itself has no name.
    let path = if path.as_os_str().is_empty() { PathBuf::from(PROGRAM) } else { path };
    search.found = Some(Object { path, build_id });
    1
}

/// The build id among an object's notes.
fn build_id_in(mut notes: &[u8], align: u64) -> Option<Vec<u8>> {
    let align = if align == 8 { 8 } else { 4 };
    while let Some((header, rest)) = notes.split_first_chunk::<12>() {
        let word = |n: usize| u32::from_ne_bytes([header[n], header[n + 1], header[n + 2], header[n + 3]]);
        let (name_len, id_len, kind) = (word(0) as usize, word(4) as usize, word(8));
        let name = rest.get(..name_len)?;
        let id_at = (12 + name_len).next_multiple_of(align) - 12;
        let id = rest.get(id_at..id_at.checked_add(id_len)?)?;
        // Shorter ones were given by hand (`--build-id=0x1234`) and tell nothing about the content.
        if kind == NT_GNU_BUILD_ID && name == b"GNU\0" && id.len() >= 8 {
            return Some(id.to_vec());
        }
        notes = rest.get((12 + id_at + id_len).next_multiple_of(align) - 12..)?;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fs() -> Fs {
        Fs::new(Default::default())
    }

    #[test]
    fn this_program_and_the_c_library_are_different_objects() {
        let here = this_program_and_the_c_library_are_different_objects as fn() as usize;
        let there = dl_iterate_phdr as *const () as usize;
        assert_eq!(build_id_of(&fs(), here), build_id_of(&fs(), here + 1));
        assert_ne!(build_id_of(&fs(), here), build_id_of(&fs(), there));
        assert_eq!(object_of(here).unwrap(), std::env::current_exe().unwrap());
        assert!(object_of(there).unwrap().to_str().unwrap().contains("libc.so"));
        assert!(find(here).unwrap().build_id.is_some(), "tests here are linked with a build id");
    }

    #[test]
    fn code_of_no_object_is_never_the_same_build() {
        assert!(find(16).is_none() && object_of(16).is_none());
        assert_ne!(build_id_of(&fs(), 16), build_id_of(&fs(), 16));
    }

    #[test]
    fn a_file_without_build_id_is_known_by_its_digest() {
        let path = std::env::current_exe().unwrap();
        let first = digest_of_file(&fs(), &path);
        assert_eq!(first, fs().digest(&path).unwrap().to_hex());
        assert_eq!(first, digest_of_file(&fs(), &path));
        assert!(digest_of_file(&fs(), Path::new("/no/such/file")).starts_with("unknown"));
    }

    #[test]
    fn notes_are_searched_for_the_id() {
        let note = |kind: u32, name: &[u8], id: &[u8], align: usize| {
            let mut bytes = Vec::new();
            for word in [name.len() as u32, id.len() as u32, kind] {
                bytes.extend(word.to_ne_bytes());
            }
            bytes.extend(name);
            bytes.resize(bytes.len().next_multiple_of(align), 0);
            bytes.extend(id);
            bytes.resize(bytes.len().next_multiple_of(align), 0);
            bytes
        };
        for align in [4, 8] {
            let notes = [
                note(5, b"GNU\0", &[1; 16], align),
                note(NT_GNU_BUILD_ID, b"Other\0", &[2; 20], align),
                note(NT_GNU_BUILD_ID, b"GNU\0", &[3; 20], align),
            ]
            .concat();
            assert_eq!(build_id_in(&notes, align as u64), Some(vec![3; 20]));
            for len in 0..notes.len() - 4 {
                assert_eq!(build_id_in(&notes[..len], align as u64), None);
            }
        }
        assert_eq!(build_id_in(&note(NT_GNU_BUILD_ID, b"GNU\0", &[1, 2], 4), 4), None, "given by hand");
        assert_eq!(build_id_in(&[0xff; 64], 4), None);
    }
}
