//! Errors between processes: what serde cannot do by itself.
//!
//! An error that happened on one rank is reported on all of them, and must say there what it says here: the whole
//! text of a compiler, the path of a bundle, whatever its bytes.

use std::borrow::Cow;
use std::ffi::{OsStr, OsString};
use std::io::ErrorKind;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};

use serde::{Deserialize, Deserializer, Serialize};

/// A path: text wherever it is text.
#[derive(Serialize, Deserialize)]
enum Wire<'a> {
    Text(Cow<'a, str>),
    Bytes(Cow<'a, [u8]>),
}

impl<'a> Wire<'a> {
    fn of(path: &'a OsStr) -> Wire<'a> {
        match path.to_str() {
            Some(text) => Wire::Text(Cow::Borrowed(text)),
            None => Wire::Bytes(Cow::Borrowed(path.as_bytes())),
        }
    }

    fn into_path(self) -> std::path::PathBuf {
        match self {
            Wire::Text(text) => text.into_owned().into(),
            Wire::Bytes(bytes) => OsString::from_vec(bytes.into_owned()).into(),
        }
    }
}

pub(crate) mod path {
    use std::path::{Path, PathBuf};

    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};

    use super::Wire;

    pub(crate) fn serialize<S: Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
        Wire::of(path.as_os_str()).serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<PathBuf, D::Error> {
        Wire::deserialize(deserializer).map(Wire::into_path)
    }
}

pub(crate) mod optional_path {
    use std::path::PathBuf;

    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};

    use super::Wire;

    pub(crate) fn serialize<S: Serializer>(path: &Option<PathBuf>, serializer: S) -> Result<S::Ok, S::Error> {
        path.as_ref().map(|path| Wire::of(path.as_os_str())).serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<PathBuf>, D::Error> {
        Ok(Option::<Wire<'_>>::deserialize(deserializer)?.map(Wire::into_path))
    }
}

pub(super) mod shared {
    use std::sync::Arc;

    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};

    use crate::error::Error;

    pub(in crate::error) fn serialize<S: Serializer>(
        error: &Arc<Error>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        Error::serialize(error, serializer)
    }

    pub(in crate::error) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Arc<Error>, D::Error> {
        Error::deserialize(deserializer).map(Arc::new)
    }
}

pub(super) mod io_kind {
    use std::io::ErrorKind;

    use serde::{Deserialize as _, Deserializer, Serializer};

    pub(in crate::error) fn serialize<S: Serializer>(
        kind: &ErrorKind,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&format!("{kind:?}"))
    }

    pub(in crate::error) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<ErrorKind, D::Error> {
        let name = String::deserialize(deserializer)?;
        let kind = super::KINDS.iter().find(|kind| format!("{kind:?}") == name);
        Ok(kind.copied().unwrap_or(ErrorKind::Other))
    }
}

/// The kinds that have a name in stable Rust; the others have none to match on either.
const KINDS: [ErrorKind; 37] = [
    ErrorKind::NotFound,
    ErrorKind::PermissionDenied,
    ErrorKind::ConnectionRefused,
    ErrorKind::ConnectionReset,
    ErrorKind::HostUnreachable,
    ErrorKind::NetworkUnreachable,
    ErrorKind::ConnectionAborted,
    ErrorKind::NotConnected,
    ErrorKind::AddrInUse,
    ErrorKind::AddrNotAvailable,
    ErrorKind::NetworkDown,
    ErrorKind::BrokenPipe,
    ErrorKind::AlreadyExists,
    ErrorKind::WouldBlock,
    ErrorKind::NotADirectory,
    ErrorKind::IsADirectory,
    ErrorKind::DirectoryNotEmpty,
    ErrorKind::ReadOnlyFilesystem,
    ErrorKind::StaleNetworkFileHandle,
    ErrorKind::InvalidInput,
    ErrorKind::InvalidData,
    ErrorKind::TimedOut,
    ErrorKind::WriteZero,
    ErrorKind::StorageFull,
    ErrorKind::NotSeekable,
    ErrorKind::QuotaExceeded,
    ErrorKind::FileTooLarge,
    ErrorKind::ResourceBusy,
    ErrorKind::ExecutableFileBusy,
    ErrorKind::Deadlock,
    ErrorKind::CrossesDevices,
    ErrorKind::TooManyLinks,
    ErrorKind::ArgumentListTooLong,
    ErrorKind::Interrupted,
    ErrorKind::Unsupported,
    ErrorKind::UnexpectedEof,
    ErrorKind::OutOfMemory,
];

/// Named, because serde would want a `&'static str` to be borrowed from what it reads.
pub(super) type Word = &'static str;

/// One of the words that `Error::Symbol` uses.
pub(super) fn symbol_kind<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Word, D::Error> {
    let word = Cow::<'de, str>::deserialize(deserializer)?;
    let known = ["function", "data symbol of this size"].into_iter().find(|known| *known == word);
    Ok(known.unwrap_or("symbol"))
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::sync::Arc;

    use super::*;
    use crate::error::{Error, MissingKernel};
    use crate::signature::digest;

    fn texts(error: &Error) -> (String, String, String) {
        (error.to_string(), error.report(), format!("{error:?}"))
    }

    /// One of every kind: a kind that is missing here has no test.
    fn every() -> Vec<Error> {
        let kernel = || "axpy(Unrolled(8)), generated at src/kernels.rs:12:5".to_owned();
        let word = str::to_owned;
        let strange = PathBuf::from(OsString::from_vec(b"/home/\xff/x".to_vec()));
        let compile = Error::Compile {
            kernel: kernel(),
            log: "axpy.cpp:1:1: error: ‘x’\n".repeat(1000),
            command: word("c++ -c axpy.cpp"),
            bundle: Some(strange.clone()),
        };
        let missing = MissingKernel { kernel: kernel(), signature: digest(b"x"), reason: word("not there") };
        vec![
            Error::Declaration { kernel: kernel(), problem: word("a") },
            Error::Generator { kernel: kernel(), problem: word("panicked: b") },
            compile.clone(),
            Error::Link {
                kernel: kernel(),
                log: word("l"),
                undefined: vec![word("f"), word("g")],
                command: word("ld"),
                bundle: None,
            },
            Error::Compiler {
                kernel: kernel(),
                problem: word("was killed by signal 9"),
                log: word("half a line"),
                bundle: Some("/b".into()),
            },
            Error::NoCompiler { kernel: Some(kernel()), candidates: vec![(word("g++"), word("no file"))] },
            Error::Sealed { missing: vec![missing], searched: vec![word("cache /c")] },
            Error::Collision { kernel: kernel(), first: word("a.rs:1:1"), second: word("b.rs:1:1") },
            Error::Cycle { path: vec![word("a"), word("b"), word("a")] },
            Error::Symbol {
                kernel: kernel(),
                kind: "data symbol of this size",
                name: word("x"),
                exports: vec![word("y")],
            },
            Error::Symbol { kernel: kernel(), kind: "function", name: word("x"), exports: Vec::new() },
            Error::Load { kernel: kernel(), problem: word("undefined symbol: f") },
            Error::TooManyLibraries { kernel: kernel(), loaded: 30_000 },
            Error::Stale { kernel: kernel(), diff: word("- a\n+ b") },
            Error::Config { problem: word("p"), origin: word("o") },
            Error::CacheDir { path: strange.clone(), problem: word("p") },
            Error::Entry { query: word("q"), problem: word("p"), candidates: vec![word("c")] },
            Error::Damaged { path: "/c/x.so".into(), problem: word("p") },
            Error::io("cannot read", &strange, &std::io::Error::from(ErrorKind::StorageFull)),
            Error::Batch { first: Arc::new(compile.clone()), others: 3 },
            Error::Rank { rank: 3, error: Arc::new(Error::Batch { first: Arc::new(compile), others: 1 }) },
            Error::Mismatch { problem: word("rank 0 asks for a, rank 1 for b") },
            Error::Configure { problem: word("module mpi: no"), card: word("| tried: mpicc") },
        ]
    }

    #[test]
    fn an_error_says_the_same_on_the_other_side() {
        for error in every() {
            let bytes = postcard::to_stdvec(&error).unwrap();
            let other: Error = postcard::from_bytes(&bytes).unwrap();
            assert_eq!(texts(&other), texts(&error));
            let text = serde_json::to_string(&error).unwrap();
            assert_eq!(texts(&serde_json::from_str(&text).unwrap()), texts(&error));
        }
    }

    #[test]
    fn the_rank_comes_first_and_the_command_is_still_told() {
        let error = every().into_iter().find(|error| matches!(error, Error::Rank { .. })).unwrap();
        assert!(error.to_string().starts_with("rank 3: kernel axpy(Unrolled(8))"), "{error}");
        assert!(error.report().ends_with("command: c++ -c axpy.cpp\n"), "{}", error.report());
    }

    #[test]
    fn kinds_without_a_name_become_other_and_the_rest_stay() {
        for kind in KINDS.into_iter().chain([ErrorKind::Other]) {
            let error = Error::io("a", "/".as_ref(), &std::io::Error::from(kind));
            let bytes = postcard::to_stdvec(&error).unwrap();
            let Error::Io { kind: back, .. } = postcard::from_bytes(&bytes).unwrap() else { panic!() };
            assert_eq!(back, kind);
        }
        // "Too many levels of symbolic links" has a kind that cannot be named.
        let unnamed = Error::io("a", "/".as_ref(), &std::io::Error::from_raw_os_error(40));
        let bytes = postcard::to_stdvec(&unnamed).unwrap();
        assert!(matches!(postcard::from_bytes(&bytes), Ok(Error::Io { kind: ErrorKind::Other, .. })));
    }
}
