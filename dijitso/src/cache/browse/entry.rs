//! One cached kernel: the facts about it.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use zip::ZipArchive;

use super::listing::Damaged;
use super::texts::{self, EntryFile};
use super::window::Window;
use super::{Cache, Category};
use crate::cache::archive::text_up_to;
use crate::cache::elf;
use crate::cache::entry::{self, Defect, EntryMeta, META, seal_of, unreadable};
use crate::cache::seal::{self, Seal};
use crate::cache::site;
use crate::config::origin::Flag;
use crate::error::{Error, Result};
use crate::signature::Signature;

/// A header for each of a hundred thousand files would not fill this; a listing must not fill the memory.
const LONGEST_FACTS: u64 = 32 << 20;

/// One kernel in a cache: what it was made from, how, and what came out.
///
/// The facts were read when the entry was found and stay as they were; texts and library are read when they
/// are asked for, from the file that is there then.
///
/// dijitso keeps the same things in four files (`inc_dir`, `src_dir`, `lib_dir`, `log_dir`), and of a kernel
/// knows the signature only.
///
/// ```
/// # fn main() -> dijitso::Result<()> {
/// # let dir = tempfile::tempdir().unwrap();
/// # let jit = dijitso::Jit::builder().cache_dir(dir.path().join("cache")).build()?;
/// type Cube = extern "C" fn(f64) -> f64;
/// let spec = dijitso::spec!(Cube, "cube", (), || {
///     // SAFETY: arithmetic only.
///     unsafe { dijitso::Source::new("double cube(double x) { return x * x * x; }") }
/// });
/// let kernel = jit.load(&spec)?;
/// let entry = jit.cache().find("cube")?;
///
/// assert_eq!(entry.description(), "cube()");
/// assert_eq!(entry.signature(), kernel.signature());
/// assert_eq!(entry.spec_signature(), spec.signature());
/// assert_eq!(Some(entry.path()), kernel.path());
/// assert!(entry.flags().iter().any(|flag| flag.text == "-fPIC"));
/// assert!(entry.commands()[0].contains("-c cube_unit.cpp"));
/// assert!(entry.inputs().keys().any(|path| path.ends_with("stdc-predef.h")));
/// assert!(entry.dependencies().is_empty());
/// assert!(entry.exports()?.iter().any(|name| name.starts_with("dijitso_cube_")));
/// println!("{} built {:?} in {:?} by {}", entry.name(), entry.built(), entry.compile_time(), entry.compiler());
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct Entry {
    pub(super) cache: Cache,
    path: PathBuf,
    seal: Seal,
    /// Shared: a match in a text, of which there can be thousands, has its entry.
    meta: Arc<EntryMeta>,
    files: Arc<[EntryFile]>,
    size: u64,
    used: SystemTime,
}

/// Bytes of an entry and of its parts.
///
/// ```
/// # fn print(entry: &dijitso::Entry) {
/// let sizes = entry.sizes();
/// assert_eq!(sizes.file, sizes.library + sizes.archive);
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Sizes {
    /// The whole file.
    pub file: u64,
    /// The library, with which the file begins.
    pub library: u64,
    /// Everything behind it: texts (compressed if large), facts, seal.
    pub archive: u64,
    /// Sources and headers, as they were compiled.
    pub sources: u64,
}

impl Entry {
    /// The entry of this name, `None` if there is none.
    pub(super) fn open(cache: &Cache, signature: &Signature) -> Result<Option<Entry>, Damaged> {
        let path = cache.place(signature);
        let (mut zip, seal) = match archive(cache, &path, signature) {
            Ok(opened) => opened,
            Err(Defect::Missing) if cache.store.fs().stamp_itself(&path).is_none() => return Ok(None),
            Err(defect) => return Err(Damaged::of(&path, signature, &defect)),
        };
        let damaged = |problem: String| Damaged::new(&path, Some(*signature), problem);
        let facts = text_up_to(&mut zip, META, LONGEST_FACTS)
            .map_err(|error| Damaged {
                // The system's word, and not that of whoever unpacks.
                unreadable: error.raw_os_error().is_some(),
                ..damaged(format!("its facts cannot be read: {error}"))
            })?
            .ok_or_else(|| damaged("it has no facts".to_owned()))?;
        let meta: EntryMeta = serde_json::from_slice(&facts)
            .map_err(|error| damaged(format!("its facts cannot be understood: {error}")))?;
        if meta.content != *signature {
            return Err(damaged(format!("its facts are those of the entry {}", meta.content.short())));
        }
        let files = texts::files(&mut zip).map_err(damaged)?;
        let file = zip.into_inner();
        let (size, used) = (file.file().stamp.size, file.file().stamp.used());
        let (meta, files) = (Arc::new(meta), files.into());
        Ok(Some(Entry { cache: cache.clone(), path, seal, meta, files, size, used }))
    }

    /// Its archive as it is now.
    pub(super) fn archive(&self) -> Result<ZipArchive<Window>> {
        archive(&self.cache, &self.path, &self.signature())
            .map(|(zip, _)| zip)
            .map_err(|d| self.unreadable(d))
    }

    pub(super) fn unreadable(&self, defect: Defect) -> Error {
        match defect {
            Defect::Missing => Error::io(
                "cannot read",
                &self.path,
                &io::Error::new(io::ErrorKind::NotFound, "it was removed"),
            ),
            Defect::Unreadable(error) => Error::io("cannot read", &self.path, &error),
            defect => Damaged::of(&self.path, &self.signature(), &defect).into(),
        }
    }

    pub(super) fn damaged(&self, problem: String) -> Error {
        Damaged::new(&self.path, Some(self.signature()), problem).into()
    }

    /// The content signature, which names the file: [`Kernel::signature`](crate::Kernel::signature).
    pub fn signature(&self) -> Signature {
        self.seal.content
    }

    /// What was compiled, before the contents of the headers entered: it names the exported symbol.
    pub fn unit_signature(&self) -> Signature {
        self.meta.unit
    }

    /// The spec that it was first built for: [`KernelSpec::signature`](crate::KernelSpec::signature). Others
    /// that generate the same text share the entry.
    pub fn spec_signature(&self) -> Signature {
        self.meta.spec
    }

    /// The kernel's name.
    pub fn name(&self) -> &str {
        &self.meta.name
    }

    /// Name and arguments: `axpy(Unrolled(8))`.
    pub fn description(&self) -> &str {
        &self.meta.description
    }

    /// Where its generator is: `src/kernels.rs:12:5`.
    pub fn location(&self) -> &str {
        &self.meta.location
    }

    /// The file: a shared object that `unzip` can open, too.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How large it and its parts are.
    pub fn sizes(&self) -> Sizes {
        let texts = self.files.iter().filter(|f| matches!(f.category, Category::Source | Category::Header));
        let library = self.seal.elf_len;
        Sizes {
            file: self.size,
            library,
            archive: self.size.saturating_sub(library),
            sources: texts.map(|file| file.bytes).fold(0, u64::saturating_add),
        }
    }

    /// When it was built.
    pub fn built(&self) -> SystemTime {
        time(self.meta.created)
    }

    /// When a program last loaded it from here, to the day: the file's modification time, which the first use of a day
    /// moves. `None` in a site cache, which nobody who reads it writes to.
    pub fn last_used(&self) -> Option<SystemTime> {
        site::table_of(&self.cache.store).is_none().then(|| self.used.max(self.built()))
    }

    /// How long the compiler ran.
    pub fn compile_time(&self) -> Duration {
        seconds(self.meta.compile_seconds)
    }

    /// How long the linker ran.
    pub fn link_time(&self) -> Duration {
        seconds(self.meta.link_seconds)
    }

    /// The version of this crate that built it.
    pub fn creator(&self) -> &str {
        &self.meta.creator
    }

    /// The compiler in one line: `c++: gcc version 12.2.0 (..), for x86_64-linux-gnu`.
    pub fn compiler(&self) -> String {
        self.meta.compiler()
    }

    /// Everything that went into its signatures, in words: arguments, type, compiler and its tools, flags,
    /// processor, environment.
    pub fn ingredients(&self) -> &BTreeMap<String, String> {
        &self.meta.ingredients
    }

    /// The features that a processor must have to run it, as `/proc/cpuinfo` names them.
    pub fn cpu_features(&self) -> Vec<String> {
        self.seal.cpu.names()
    }

    /// The flags of compiler and linker, each with who asked for it.
    pub fn flags(&self) -> &[Flag] {
        &self.meta.flags
    }

    /// The commands that made it, as one would type them; [`extract`](Self::extract) writes a directory in
    /// which they run. dijitso: `make_compile_command`, and the first line of the build log.
    pub fn commands(&self) -> &[String] {
        &self.meta.commands
    }

    /// Every file that compiler and linker read, with the SHA-256 of its content then.
    pub fn inputs(&self) -> &BTreeMap<String, Signature> {
        &self.meta.inputs
    }

    /// The content signatures of the kernels that it is linked to (dijitso runs `ldd` to find out:
    /// `get_dijitso_dependencies`).
    pub fn dependencies(&self) -> &[Signature] {
        &self.meta.dependencies
    }

    /// The files in it, in the order of the archive.
    pub fn files(&self) -> &[EntryFile] {
        &self.files
    }

    /// The library's bytes, verified (dijitso: `read_library_binary`).
    ///
    /// # Errors
    /// [`Error::Io`] if it was removed, [`Error::Damaged`] if it is not what was built.
    pub fn library(&self) -> Result<Vec<u8>> {
        let opened = self.cache.store.fs().open_unnoticed(&self.path);
        let file = entry::checked(opened).map_err(|defect| self.unreadable(defect))?;
        let archive = crate::cache::archive::Archive::of(file, &self.signature());
        Ok(archive.map_err(|defect| self.unreadable(defect))?.elf().to_vec())
    }

    /// The names of all libraries that are loaded with it, other kernels' (`<signature>.so`) among them: read
    /// from its bytes, without running `ldd` (which runs what it looks at). dijitso: `ldd`.
    ///
    /// # Errors
    /// As for [`library`](Self::library).
    pub fn libraries(&self) -> Result<Vec<String>> {
        let dynamic = elf::dynamic(&self.library()?);
        dynamic.map(|d| d.needed).map_err(|problem| self.damaged(format!("its library {problem}")))
    }

    /// The functions and variables that it exports.
    ///
    /// # Errors
    /// As for [`library`](Self::library).
    pub fn exports(&self) -> Result<Vec<String>> {
        Ok(elf::exports(&self.library()?).into_iter().map(|export| export.name).collect())
    }
}

fn archive(cache: &Cache, path: &Path, signature: &Signature) -> Result<(ZipArchive<Window>, Seal), Defect> {
    let file = entry::checked(cache.store.fs().open_unnoticed(path))?;
    let found = file.stamp;
    let (window, end) = Window::new(file, seal::LEN).map_err(|error| unreadable(error, found))?;
    let seal = seal_of(&end, found, signature)?;
    let strange = |error| Defect::corrupt(format!("its archive cannot be read: {error}"), found);
    Ok((ZipArchive::new(window).map_err(strange)?, seal))
}

/// A time that an entry claims; one that no clock can show counts as none.
pub(super) fn time(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds)).unwrap_or(SystemTime::UNIX_EPOCH)
}

pub(super) fn seconds(claimed: f64) -> Duration {
    Duration::try_from_secs_f64(claimed).unwrap_or_default()
}
