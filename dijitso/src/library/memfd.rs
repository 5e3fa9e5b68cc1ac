//! Loading bytes from memory.
//!
//! The loader knows libraries by the *spelling* of their path: a second `/proc/self/fd/4` returns the
//! library that was loaded from the first, whatever is behind it now. Keeping every descriptor open would
//! end at the limit of open files. So each descriptor is opened under a path that is spelled once in the
//! process, and closed at once.

use std::io::{self, Write as _};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use libloading::os::unix::Library as Handle;

use super::library::{LoadError, open as open_path};
use super::memory_file::{SealedFile, Spool};

pub(super) fn open(elf: &[u8], name: &str) -> Result<Handle, LoadError> {
    let first = match sealed(elf, name) {
        Ok(file) => match open_sealed(&file) {
            Err(LoadError::Other(text)) => text,
            decided => return decided,
        },
        Err(error) => format!("no file in memory: {error}"),
    };
    // Only what says "no such file" or "not allowed" is about the way the bytes were given.
    let about_the_way = ["no file in memory", "cannot open shared object file", "failed to map segment"];
    if !about_the_way.iter().any(|words| first.contains(words)) {
        return Err(LoadError::Other(first));
    }
    match open_temporary(elf) {
        Err(LoadError::Other(text)) => Err(LoadError::Other(format!("{first}; as a temporary file: {text}"))),
        decided => decided,
    }
}

/// A nameless file in memory that nobody can change any more, not even by `/proc/<pid>/fd`.
fn sealed(elf: &[u8], name: &str) -> io::Result<SealedFile> {
    let mut spool = Spool::new(name)?;
    spool.write(elf)?;
    spool.seal()
}

/// A file in memory that somebody else may share.
pub(super) fn open_sealed(file: &SealedFile) -> Result<Handle, LoadError> {
    open_path(Path::new(&spell(file.descriptor())))
}

/// A path to the descriptor that nobody in this process has spelled before.
///
/// `/` or `/.` for each bit of a counter: `/proc/77//././fd/4`. Before them come the bits of an address
/// in this copy of the crate, because a program can contain two (a plugin brings its own). The process's
/// number, and not `self`: a debugger opens the path too, and its own descriptor 4 is a pipe that it would
/// wait on for ever.
fn spell(descriptor: i32) -> String {
    static SPELLED: AtomicU64 = AtomicU64::new(1);
    let copy = (&raw const SPELLED).addr() as u64 >> 12;
    let count = SPELLED.fetch_add(1, Relaxed);
    let mut path = String::with_capacity(160);
    path.push_str("/proc/");
    path.push_str(&ourselves());
    push_bits(&mut path, copy, 36);
    push_bits(&mut path, count, u64::BITS - count.leading_zeros());
    path.push_str("/fd/");
    path.push_str(&descriptor.to_string());
    path
}

/// This process as `/proc` names it: its number there, which in a container need not be `getpid`.
pub(super) fn ourselves() -> String {
    let number =
        std::fs::read_link("/proc/self").ok().and_then(|number| number.into_os_string().into_string().ok());
    number.unwrap_or_else(|| "self".to_owned())
}

fn push_bits(path: &mut String, value: u64, bits: u32) {
    for bit in 0..bits {
        path.push_str(if value >> bit & 1 == 0 { "/" } else { "/." });
    }
}

/// Where memory files or `/proc` are denied: a private file that is gone as soon as it is mapped.
fn open_temporary(elf: &[u8]) -> Result<Handle, LoadError> {
    let mut problem = String::from("no place for it");
    for dir in ["/dev/shm", "/tmp", "/var/tmp"] {
        let written = tempfile::Builder::new()
            .prefix("dijitso-")
            .suffix(".so")
            .rand_bytes(16)
            .tempfile_in(dir)
            .and_then(|mut file| file.write_all(elf).map(|()| file));
        match written.map(|file| open_path(file.path())) {
            Ok(Err(LoadError::Other(text))) => problem = text,
            Ok(decided) => return decided,
            Err(error) => problem = format!("{dir}: {error}"),
        }
    }
    Err(LoadError::Other(problem))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::super::Library;
    use super::super::tiny::{call, patch, tiny};
    use super::*;

    #[test]
    fn no_path_is_spelled_twice() {
        let mut seen = HashSet::new();
        for n in 0..5000 {
            let path = spell(n % 3);
            assert!(path.len() < 200);
            assert!(seen.insert(path.clone()), "{path}");
        }
        let bits = |value, n| {
            let mut path = String::new();
            push_bits(&mut path, value, n);
            path
        };
        assert_eq!(bits(0b110, 3), "//./.");
        let all: HashSet<String> = (1..9u32).flat_map(|n| (0..1 << n).map(move |v| bits(v, n))).collect();
        assert_eq!(all.len(), (1..9).map(|n| 1 << n).sum::<usize>(), "bits can be read back");
    }

    #[test]
    fn far_more_libraries_than_descriptors_stay_distinct() {
        // 1,018 is where keeping descriptors open ends; all of these have one SONAME length and one size.
        let template = tiny("0000.so", 0);
        let libraries: Vec<Library> = (0..1200u32)
            .map(|n| Library::open_bytes(&patch(&template, &format!("{n:04}.so"), n), "tiny").unwrap())
            .collect();
        for (n, library) in libraries.iter().enumerate() {
            assert_eq!(call(library) as usize, n);
        }
        let open = std::fs::read_dir("/proc/self/fd").unwrap().count();
        assert!(open < 500, "{open} descriptors are open");
    }

    #[test]
    fn a_temporary_file_does_where_memory_files_are_denied() {
        let handle = open_temporary(&tiny("temporary.so", 9)).unwrap();
        std::mem::forget(handle);
        assert!(open_temporary(b"no library").is_err());
    }
}
