//! The last step of every way to a kernel: verified bytes become a loaded library.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use once_cell::sync::OnceCell;

use super::engine::Engine;
use crate::compile::{soname, symbol_name};
use crate::config::params::Load;
use crate::error::{Error, Result};
use crate::kernel::{Code, Kept, Loaded};
use crate::library::{Library, LoadError};
use crate::report::Report;
use crate::signature::Signature;
use crate::toolchain::CpuFeatures;

/// What a library is opened as.
pub(super) struct Opening<'a> {
    pub(super) name: &'a str,
    pub(super) at: &'a str,
    pub(super) unit: &'a Signature,
    pub(super) content: &'a Signature,
    pub(super) cpu: CpuFeatures,
    /// Of the whole entry, 0 if there is none.
    pub(super) len: u64,
    pub(super) dependencies: Vec<Arc<Loaded>>,
    pub(super) has_entry: bool,
    /// Set if no file will hold the library.
    pub(super) kept: Option<Kept>,
    /// Whether its file may be mapped, if nobody says otherwise.
    pub(super) in_place: bool,
    pub(super) report: Report,
}

impl Engine {
    /// Gives verified bytes to the loader: as the file they are in where that is safe, else as memory.
    pub(super) fn open_library(
        &self,
        opening: Opening<'_>,
        elf: &[u8],
        path: Option<PathBuf>,
    ) -> Result<Arc<Loaded>> {
        let start = Instant::now();
        let library = match path.as_deref().filter(|_| self.in_place(opening.in_place)) {
            // The file may have been removed or replaced since it was read: then our bytes still load.
            Some(path) => Library::open_file(path, elf).or_else(|error| match error {
                LoadError::TooMany => Err(error),
                LoadError::Other(_) => self.open_bytes(elf, opening.content),
            }),
            None => self.open_bytes(elf, opening.content),
        };
        self.opened(opening, library, elf.len() as u64, path, start)
    }

    /// Whether a file is mapped that may be mapped.
    pub(super) fn in_place(&self, may: bool) -> bool {
        match self.config.cache.load.value {
            Load::File => true,
            Load::Memory => false,
            Load::Auto => may,
        }
    }

    /// Takes what the loader gave.
    pub(super) fn opened(
        &self,
        opening: Opening<'_>,
        library: Result<Library, LoadError>,
        elf_len: u64,
        path: Option<PathBuf>,
        start: Instant,
    ) -> Result<Arc<Loaded>> {
        let Opening { name, at, unit, content, cpu, len, dependencies, has_entry, kept, mut report, .. } =
            opening;
        let library = library.map_err(|error| match error {
            LoadError::TooMany => Error::TooManyLibraries { kernel: at.to_owned(), loaded: Library::count() },
            LoadError::Other(problem) => Error::Load { kernel: at.to_owned(), problem },
        })?;
        let symbol = symbol_name(name, &unit.to_hex());
        let entry = if has_entry { library.symbol(&symbol).map_or(0, |a| a.addr()) } else { 0 };
        if has_entry && entry == 0 {
            let problem = format!("its library does not export `{symbol}`");
            return Err(Error::Load { kernel: at.to_owned(), problem });
        }
        report.load = start.elapsed();
        self.trace.did("load", Some(start), || at.to_owned());
        report.bytes = elf_len;
        Ok(self.memory.keep(Loaded {
            name: name.to_owned(),
            at: at.to_owned(),
            content: *content,
            unit: *unit,
            cpu,
            soname: soname(content),
            code: Code::Library(library),
            entry,
            dependencies,
            path: path.map_or_else(OnceCell::new, OnceCell::with_value),
            len,
            kept: kept.map_or_else(OnceCell::new, OnceCell::with_value),
            report,
        }))
    }

    pub(super) fn open_bytes(&self, elf: &[u8], content: &Signature) -> Result<Library, LoadError> {
        self.counters.memory_loads.one();
        Library::open_bytes(elf, &soname(content))
    }
}
