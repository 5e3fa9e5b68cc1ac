//! All entries at once, as a table shows them: what costs a second for a hundred thousand of them.

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::entry::{seconds, time};
use super::listing::{SET_ASIDE, is_folder, named};
use super::side_by_side::side_by_side;
use super::{Cache, Category, Damaged, Entry};
use crate::cache::entry::{self, Defect, seal_of, unreadable};
use crate::cache::listed::{ENOUGH, ListedMeta};
use crate::cache::{seal, site};
use crate::fs::Directory;
use crate::signature::Signature;

/// What [`Cache::list`] tells of one entry; [`Cache::entry`] has the rest.
///
/// dijitso: a file name in `glob_cache`.
///
/// ```
/// # fn print(entry: &dijitso::Listed) {
/// println!("{} {} {} bytes", entry.signature.short(), entry.name, entry.bytes);
/// # }
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Listed {
    /// The content signature.
    pub signature: Signature,
    /// The kernel's name.
    pub name: String,
    /// Name and arguments.
    pub description: String,
    /// The compiler in one line.
    pub compiler: Arc<str>,
    /// When it was built.
    pub built: SystemTime,
    /// When a program last loaded it, as [`Entry::last_used`] has it.
    pub last_used: Option<SystemTime>,
    /// How long the compiler ran.
    pub compile_time: Duration,
    /// Bytes of its file.
    pub bytes: u64,
    /// Bytes of the library.
    pub library: u64,
    /// Bytes of its sources, not compressed, as are the next two.
    pub sources: u64,
    /// Bytes of its headers.
    pub headers: u64,
    /// Bytes of what compiler and linker printed.
    pub log: u64,
}

/// What [`Cache::list`] found.
///
/// ```
/// # fn main() -> dijitso::Result<()> {
/// assert!(dijitso::Cache::open("/nonexistent/cache")?.list().entries.is_empty());
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct Listing {
    /// All entries, sorted by signature.
    pub entries: Vec<Listed>,
    /// What is no intact entry.
    pub damaged: Vec<Damaged>,
    /// Entries that a load found damaged.
    pub(super) set_aside: Vec<PathBuf>,
}

impl Cache {
    /// All entries at once, in short, read by as many threads as there are cores. For each of them more:
    /// [`entries`](Self::entries).
    ///
    /// dijitso: `glob_cache`, `extract_lib_signatures`.
    ///
    /// ```
    /// # fn main() -> dijitso::Result<()> {
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let jit = dijitso::Jit::builder().cache_dir(dir.path().join("cache")).build()?;
    /// # let spec = dijitso::spec!(extern "C" fn() -> i32, "six", (), || unsafe { dijitso::Source::new("int six() { return 6; }") });
    /// # jit.load(&spec)?;
    /// let mut listing = jit.cache().list();
    /// listing.entries.sort_by_key(|entry| entry.bytes);
    /// assert_eq!(listing.entries[0].description, "six()");
    /// # Ok(()) }
    /// ```
    pub fn list(&self) -> Listing {
        let v1 = self.store.v1();
        let mut listing = Listing::default();
        let mut folders = match self.store.fs().list(v1) {
            Ok(names) => names,
            Err(error) => {
                listing.damaged.push(Damaged::new(v1, None, format!("it cannot be read: {error}")));
                return listing;
            }
        };
        folders.retain(|name| name.to_str().is_some_and(is_folder));
        folders.sort_unstable();
        let counted = site::table_of(&self.store).is_none();
        for found in side_by_side(&folders, |folder| self.list_folder(&v1.join(folder), counted)) {
            listing.entries.extend(found.entries);
            listing.damaged.extend(found.damaged);
            listing.set_aside.extend(found.set_aside);
        }
        listing
    }

    fn list_folder(&self, folder: &Path, counted: bool) -> Listing {
        let mut listing = Listing::default();
        let opened = self.store.fs().directory_at(folder);
        let names = opened
            .as_ref()
            .map_err(std::io::Error::to_string)
            .and_then(|directory| directory.names().map_err(|error| error.to_string()));
        let (Ok(directory), Ok(names)) = (&opened, &names) else {
            let problem = names.err().unwrap_or_default();
            listing.damaged.push(Damaged::new(folder, None, format!("it cannot be read: {problem}")));
            return listing;
        };
        let mut compilers = HashMap::new();
        for name in names {
            let text = name.to_str().unwrap_or_default();
            if text.ends_with(SET_ASIDE) {
                listing.set_aside.push(folder.join(name));
                continue;
            }
            let path = || folder.join(name);
            // What is strange is looked at again, to say why.
            let quick = named(text).filter(|signature| self.place(signature) == path());
            let quick = quick
                .and_then(|signature| self.quick(directory, name, &signature, counted, &mut compilers).ok());
            let thorough = || Ok(self.look(&path())?.map(|entry| Listed::from(&entry)));
            match quick.map_or_else(thorough, |listed| Ok(Some(listed))) {
                Ok(listed) => listing.entries.extend(listed),
                Err(damaged) => listing.damaged.push(damaged),
            }
        }
        listing
    }

    /// By its last bytes alone.
    fn quick(
        &self,
        directory: &Directory,
        name: &OsString,
        signature: &Signature,
        counted: bool,
        compilers: &mut HashMap<String, Arc<str>>,
    ) -> Result<Listed, Defect> {
        let file = entry::checked(directory.open_unnoticed(name))?;
        let found = file.stamp;
        let from = found.size.saturating_sub(ENOUGH);
        let bytes = file.read_at(from, found.size - from).map_err(|error| unreadable(error, found))?;
        let seal = seal_of(&bytes, found, signature)?;
        let tail = &bytes[..bytes.len() - seal::LEN];
        let meta = ListedMeta::find(tail, found.size - seal::LEN as u64);
        let meta = meta.filter(|meta| meta.content == *signature);
        let meta = meta.ok_or_else(|| Defect::corrupt("it has no listing", found))?;
        let compiler = match compilers.get(&*meta.compiler) {
            Some(known) => known.clone(),
            None => {
                let new: Arc<str> = (*meta.compiler).into();
                compilers.insert(meta.compiler.into_owned(), new.clone());
                new
            }
        };
        Ok(Listed {
            signature: *signature,
            name: meta.name.into_owned(),
            description: meta.description.into_owned(),
            compiler,
            built: time(meta.created),
            last_used: counted.then(|| found.used().max(time(meta.created))),
            compile_time: seconds(meta.compile_seconds),
            bytes: found.size,
            library: seal.elf_len,
            sources: meta.sources,
            headers: meta.headers,
            log: meta.log,
        })
    }
}

impl From<&Entry> for Listed {
    fn from(entry: &Entry) -> Listed {
        let sum = |category| {
            let files = entry.files().iter().filter(|file| file.category == category);
            files.map(|file| file.bytes).fold(0, u64::saturating_add)
        };
        Listed {
            signature: entry.signature(),
            name: entry.name().to_owned(),
            description: entry.description().to_owned(),
            compiler: entry.compiler().into(),
            built: entry.built(),
            last_used: entry.last_used(),
            compile_time: entry.compile_time(),
            bytes: entry.sizes().file,
            library: entry.sizes().library,
            sources: sum(Category::Source),
            headers: sum(Category::Header),
            log: sum(Category::Log),
        }
    }
}

impl Listed {
    /// The file of this entry in its cache.
    ///
    /// ```
    /// # fn print(cache: &dijitso::Cache, entry: &dijitso::Listed) {
    /// println!("{}", entry.path(cache).display());
    /// # }
    /// ```
    pub fn path(&self, cache: &Cache) -> PathBuf {
        cache.place(&self.signature)
    }
}
