//! The texts in an entry: sources, headers, and what the compiler printed.

use std::fmt;
use std::io::{Read, Seek};

use zip::ZipArchive;

use super::Entry;
use crate::cache::archive::text_of;
use crate::cache::entry::{EXPORTS, HEADERS, LOG, META};
use crate::cache::listed::LISTED;
use crate::error::Result;
use crate::fs::is_component;

/// What a part of an entry is.
///
/// dijitso: the categories `src`, `inc`, `log` and `lib`.
///
/// ```
/// assert_eq!(dijitso::Category::ALL.map(|c| c.to_string()), ["source", "header", "log", "facts", "library"]);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Category {
    /// The generated text, and the translation unit that was made of it.
    Source,
    /// A header for kernels that depend on this one.
    Header,
    /// What the compiler and the linker printed: warnings.
    Log,
    /// `entry.json`, and what the linker was told to export.
    Facts,
    /// The shared object.
    Library,
}

impl Category {
    /// All of them.
    pub const ALL: [Category; 5] =
        [Category::Source, Category::Header, Category::Log, Category::Facts, Category::Library];
}

impl fmt::Display for Category {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Category::Source => "source",
            Category::Header => "header",
            Category::Log => "log",
            Category::Facts => "facts",
            Category::Library => "library",
        })
    }
}

/// A file in an entry's archive.
///
/// ```
/// # fn print(entry: &dijitso::Entry) {
/// for file in entry.files() {
///     println!("{:8} {:>8} {}", file.category, file.bytes, file.name);
/// }
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct EntryFile {
    /// What it is.
    pub category: Category,
    /// Its name: for a header the one it is included by.
    pub name: String,
    /// Its size, not compressed.
    pub bytes: u64,
}

impl EntryFile {
    /// Its name in the archive.
    fn place(&self) -> String {
        if self.category == Category::Header { format!("{HEADERS}{}", self.name) } else { self.name.clone() }
    }
}

/// The archive's table of contents; an error in words if a name in it could lead elsewhere.
pub(super) fn files<R: Read + Seek>(zip: &mut ZipArchive<R>) -> Result<Vec<EntryFile>, String> {
    let mut files = Vec::with_capacity(zip.len());
    for index in 0..zip.len() {
        let file = zip.by_index_raw(index).map_err(|error| format!("its archive cannot be read: {error}"))?;
        let place = file.name().map_err(|error| format!("its archive cannot be read: {error}"))?.into_owned();
        // What `entry.json` says, once more.
        if place == LISTED {
            continue;
        }
        let (category, name) = match place.strip_prefix(HEADERS) {
            Some(name) => (Category::Header, name),
            None if place == LOG => (Category::Log, LOG),
            None if place == META || place == EXPORTS => (Category::Facts, place.as_str()),
            None => (Category::Source, place.as_str()),
        };
        if !is_component(name) {
            return Err(format!("its archive has a file named {place:?}, which no build writes"));
        }
        files.push(EntryFile { category, name: name.to_owned(), bytes: file.size() });
    }
    Ok(files)
}

impl Entry {
    /// The text that the generator wrote (dijitso: `read_src`).
    ///
    /// # Errors
    /// [`Error::Io`](crate::Error::Io) if the entry was removed, [`Error::Damaged`](crate::Error::Damaged) if
    /// it cannot be read.
    ///
    /// ```
    /// # fn show(entry: &dijitso::Entry) -> dijitso::Result<()> {
    /// print!("{}", entry.source()?);
    /// # Ok(()) }
    /// ```
    pub fn source(&self) -> Result<String> {
        // The unit is there twice if it is made of an own text: the text comes first then.
        match self.files().iter().find(|file| file.category == Category::Source) {
            Some(file) => self.read(file),
            None => Err(self.damaged("it has no source".to_owned())),
        }
    }

    /// Its headers, by the names under which they are included (dijitso: `read_inc`).
    ///
    /// # Errors
    /// As for [`source`](Self::source).
    ///
    /// ```
    /// # fn show(entry: &dijitso::Entry) -> dijitso::Result<()> {
    /// for (name, text) in entry.headers()? {
    ///     println!("// {name}\n{text}");
    /// }
    /// # Ok(()) }
    /// ```
    pub fn headers(&self) -> Result<Vec<(String, String)>> {
        let headers = self.files().iter().filter(|file| file.category == Category::Header);
        headers.map(|file| Ok((file.name.clone(), self.read(file)?))).collect()
    }

    /// What the compiler and the linker printed, warnings in most cases; the commands are
    /// [`commands`](Self::commands). It is always kept (dijitso: `enable_build_log`, `read_log`).
    ///
    /// # Errors
    /// As for [`source`](Self::source).
    ///
    /// ```
    /// # fn show(entry: &dijitso::Entry) -> dijitso::Result<()> {
    /// print!("{}", entry.log()?);
    /// # Ok(()) }
    /// ```
    pub fn log(&self) -> Result<String> {
        match self.files().iter().find(|file| file.category == Category::Log) {
            Some(file) => self.read(file),
            None => Ok(String::new()),
        }
    }

    /// The text of one of its [`files`](Self::files).
    ///
    /// # Errors
    /// As for [`source`](Self::source).
    ///
    /// ```
    /// # fn show(entry: &dijitso::Entry) -> dijitso::Result<()> {
    /// for file in entry.files() {
    ///     println!("{}:\n{}", file.name, entry.read(file)?);
    /// }
    /// # Ok(()) }
    /// ```
    pub fn read(&self, file: &EntryFile) -> Result<String> {
        let text = text_of(&mut self.archive()?, &file.place());
        let text =
            text.map_err(|error| self.damaged(format!("its {} cannot be read: {error}", file.name)))?;
        let text = text.ok_or_else(|| self.damaged(format!("its {} is gone", file.name)))?;
        Ok(String::from_utf8_lossy(&text).into_owned())
    }
}
