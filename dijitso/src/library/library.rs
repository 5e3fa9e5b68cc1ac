//! One library in this process.
#![allow(unsafe_code)]

use std::fmt;
use std::mem::ManuallyDrop;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use libloading::os::unix::{Library as Handle, RTLD_LOCAL, RTLD_NOW};

use super::elf::{self, Export};
use super::memory_file::SealedFile;
use super::{memfd, room};

/// Libraries loaded so far.
static LOADED: AtomicUsize = AtomicUsize::new(0);

/// Why the loader refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum LoadError {
    /// The process holds as many mappings as the system lets it have.
    TooMany,
    /// The loader's own text.
    Other(String),
}

/// A shared object that stays loaded until the process ends.
#[derive(Debug)]
pub(crate) struct Library {
    // Never dropped: see the module's comment.
    handle: ManuallyDrop<Handle>,
    exports: Box<[Export]>,
}

impl Library {
    /// Loads the file at `path`, an absolute path whose verified content is `elf`.
    ///
    /// Its constructors run before this returns. Symbols are bound now, so that what is missing is an error
    /// here and not a crash in the middle of a computation, and stay local, so that kernels cannot see
    /// each other's.
    pub(crate) fn open_file(path: &Path, elf: &[u8]) -> Result<Library, LoadError> {
        room::reserve()?;
        Ok(Library::new(open(path)?, elf::exports(elf)))
    }

    /// The same for a file that somebody else has verified, and of which only the exports are known here.
    pub(crate) fn open_file_as(path: &Path, exports: Vec<Export>) -> Result<Library, LoadError> {
        room::reserve()?;
        Ok(Library::new(open(path)?, exports))
    }

    /// The same for a verified file in memory.
    pub(crate) fn open_sealed_as(file: &SealedFile, exports: Vec<Export>) -> Result<Library, LoadError> {
        room::reserve()?;
        Ok(Library::new(memfd::open_sealed(file)?, exports))
    }

    /// Loads bytes that are in no file, or in one that must not be mapped. `name` is what debuggers and
    /// `/proc/self/maps` show.
    pub(crate) fn open_bytes(elf: &[u8], name: &str) -> Result<Library, LoadError> {
        room::reserve()?;
        Ok(Library::new(memfd::open(elf, name)?, elf::exports(elf)))
    }

    fn new(handle: Handle, exports: Vec<Export>) -> Library {
        LOADED.fetch_add(1, Relaxed);
        Library { handle: ManuallyDrop::new(handle), exports: exports.into() }
    }

    /// How many libraries were loaded in this process.
    pub(crate) fn count() -> usize {
        LOADED.load(Relaxed)
    }

    /// The address of a symbol.
    ///
    /// The loader also finds what the libraries below this one define (`malloc`), so ask for what
    /// [`exports`](Self::exports) lists.
    pub(crate) fn symbol(&self, name: &str) -> Option<*const ()> {
        // SAFETY: the symbol is only taken as an address; nothing is read or called through it here.
        let symbol = unsafe { self.handle.get::<*const ()>(name) }.ok()?;
        Some(symbol.as_raw_ptr().cast_const().cast())
    }

    /// What the library itself defines for others.
    pub(crate) fn exports(&self) -> Vec<Export> {
        self.exports.to_vec()
    }
}

/// `dlopen` of a file whose content was verified.
pub(super) fn open(path: &Path) -> Result<Handle, LoadError> {
    // SAFETY: loading runs the library's constructors. The bytes are what our own build made from a source
    // for which its author vouched (`Source::new` is unsafe), from a directory that only we and root can
    // write. It is never unloaded, so no destructor runs before the process ends.
    unsafe { Handle::open(Some(path), RTLD_NOW | RTLD_LOCAL) }.map_err(|error| classify(&error))
}

fn classify(error: &libloading::Error) -> LoadError {
    let text = match error {
        libloading::Error::DlOpen { source } => source.to_string(),
        other => other.to_string(),
    };
    if may_lack_mappings(&text) && room::is_full() { LoadError::TooMany } else { LoadError::Other(text) }
}

/// glibc's words for an `mmap`, `mprotect` or `malloc` that failed. It says the same on a noexec mount and
/// beyond `ulimit -v`, without the reason.
fn may_lack_mappings(text: &str) -> bool {
    let words =
        ["failed to map segment", "cannot map", "cannot change memory", "cannot create", "annot allocate"];
    words.iter().any(|w| text.contains(w))
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LoadError::TooMany => f.write_str("the process can map no more libraries"),
            LoadError::Other(text) => f.write_str(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::elf::SymbolKind;
    use super::super::tiny::{call, tiny};
    use super::*;

    #[test]
    fn a_file_is_loaded_and_asked() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("tiny.so");
        std::fs::write(&path, tiny("file.so", 41)).unwrap();
        let before = Library::count();
        let library = Library::open_file(&path, &tiny("file.so", 41)).unwrap();
        assert!(Library::count() > before);
        let exports = library.exports();
        assert_eq!(exports.len(), 2, "{exports:?}");
        assert_eq!((exports[0].name.as_str(), exports[0].kind), ("value", SymbolKind::Function));
        assert_eq!((exports[1].name.as_str(), exports[1].kind), ("data", SymbolKind::Data { size: 4 }));
        assert_eq!(call(&library), 41);
        assert_eq!(library.symbol("absent"), None);
        std::fs::remove_file(&path).unwrap();
        drop(library);
    }

    #[test]
    fn what_follows_the_library_in_its_file_does_not_matter() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("tiny.so");
        let elf = tiny("sealed.so", 7);
        std::fs::write(&path, [&elf[..], &[0x5a; 10_000]].concat()).unwrap();
        assert_eq!(call(&Library::open_file(&path, &elf).unwrap()), 7);
    }

    #[test]
    fn the_loaders_own_words_are_the_error() {
        let error = Library::open_bytes(b"no library", "x").unwrap_err();
        assert!(matches!(&error, LoadError::Other(text) if text.contains("file too short")), "{error}");
        let error = Library::open_file(Path::new("/no/such/file.so"), b"").unwrap_err();
        assert!(error.to_string().contains("No such file"), "{error}");
        assert!(Library::open_file(Path::new("/nul\0byte"), b"").is_err());
    }

    #[test]
    fn a_failed_mapping_is_not_taken_for_the_limit_of_mappings() {
        assert!(may_lack_mappings("x.so: failed to map segment from shared object"));
        assert!(may_lack_mappings("x.so: cannot create shared object descriptor: Cannot allocate memory"));
        assert!(!may_lack_mappings("x.so: undefined symbol: foo"));
        let noexec = libloading::Error::DlOpen { source: c"x.so: failed to map segment".into() };
        assert!(matches!(classify(&noexec), LoadError::Other(_)));
    }
}
