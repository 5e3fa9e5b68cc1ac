//! Writing a site cache: as a directory, which is extended, or as an archive, which is replaced.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::super::archive::Archive;
use super::super::entry::{self, Defect};
use super::super::lock::Lock;
use super::rows::Rows;
use super::table::{self, SiteKernel, Table};
use super::{TABLE, entry_path, is_archive, pack, place};
use crate::fs::{Fs, Published, check_installed};
use crate::signature::Signature;

/// Kernels that are to be exported.
#[derive(Debug, Default)]
pub(crate) struct SiteExport {
    rows: Rows,
    /// Where each entry is now.
    entries: BTreeMap<Signature, PathBuf>,
}

/// What [`Jit::export`](crate::Jit::export) or [`Cache::export`](crate::Cache::export) wrote.
///
/// ```no_run
/// # fn main() -> dijitso::Result<()> {
/// # let specs: Vec<dijitso::KernelSpec<()>> = vec![];
/// let exported = dijitso::Jit::builder().build()?.export(&specs, "site")?;
/// println!("{} kernels, {} bytes in {}", exported.kernels, exported.bytes, exported.path.display());
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Exported {
    /// The directory or archive, absolute.
    pub path: PathBuf,
    /// How many kernels were asked for.
    pub kernels: usize,
    /// How many entries these need: theirs, and those of the kernels that they are linked to.
    pub entries: usize,
    /// Bytes written: those of entries that were not there before, or of the archive.
    pub bytes: u64,
}

/// Between two looks whether another export to the same directory has ended.
const PAUSE: Duration = Duration::from_millis(20);

impl SiteExport {
    /// Adds the entry at `path`, which is linked to those with the contents `links`.
    pub(crate) fn add_entry(
        &mut self,
        fs: &Fs,
        path: &Path,
        content: &Signature,
        links: Vec<Signature>,
    ) -> Result<(), Defect> {
        let archive = Archive::open(fs, path, content)?;
        let (seal, meta) = (archive.seal(), archive.meta());
        self.rows.add_kernel(SiteKernel {
            content: *content,
            unit: meta.unit,
            cpu: seal.cpu,
            machine: seal.machine,
            entry: meta.symbol.is_some(),
            name: meta.name.clone(),
            links,
        });
        self.entries.insert(*content, path.to_owned());
        Ok(())
    }

    /// Lets a spec lead to an entry that was added.
    pub(crate) fn add_spec(&mut self, spec: Signature, content: &Signature) {
        self.rows.add_spec_of(spec, content);
    }

    pub(crate) fn entries(&self) -> usize {
        self.entries.len()
    }

    /// Writes everything to `path`; readers find what was there before, or what is there now. Returns how many
    /// bytes the new entries, or the archive, have.
    pub(crate) fn write(
        mut self,
        fs: &Fs,
        path: &Path,
        patience: Duration,
        durable: bool,
    ) -> io::Result<u64> {
        let bytes = match is_archive(path) {
            true => self.write_archive(fs, path)?,
            false => self.write_directory(fs, path, patience, durable)?,
        };
        let installed = if is_archive(path) { path.to_owned() } else { path.join("v1").join(TABLE) };
        if let Err(problem) = check_installed(&installed) {
            log::warn!("site cache {}: nobody will use it where it is: {problem}", path.display());
        }
        Ok(bytes)
    }

    fn write_directory(
        &mut self,
        fs: &Fs,
        root: &Path,
        patience: Duration,
        durable: bool,
    ) -> io::Result<u64> {
        let v1 = root.join("v1");
        if fs.exists(&v1.join("tmp")) && !fs.exists(&v1.join(TABLE)) {
            // With a table it would be a site cache, from which no command removes anything.
            let text = "it is a cache, which programs fill by themselves; export to a directory of its own";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        fs.create_dir_all_public(&v1)?;
        let mut written = 0;
        for (content, path) in &self.entries {
            let to = entry_path(&v1, content);
            match entry::read(fs, &to, content) {
                Ok(_) => continue,
                Err(Defect::Missing) => to.parent().map_or(Ok(()), |dir| fs.create_dir_all_public(dir))?,
                // Damaged: ours takes its place. What else lies there is for its owner to remove.
                Err(_) => fs.remove(&to)?,
            }
            let bytes = fs.read(path)?;
            if let Published::New = fs.publish(&v1, &to, &bytes, durable)? {
                written += bytes.len() as u64;
            }
        }
        // The last step, and the one that counts: until now nothing led to the new entries.
        let _lock = lock(fs, &v1, patience)?;
        let table = v1.join(TABLE);
        let rows = std::mem::take(&mut self.rows);
        fs.replace(&v1, &table, &extended(fs, &table, rows)?.encode())?;
        Ok(written)
    }

    fn write_archive(&mut self, fs: &Fs, path: &Path) -> io::Result<u64> {
        let parent = path.parent().unwrap_or(Path::new("/"));
        fs.create_dir_all_public(parent)?;
        let table = std::mem::take(&mut self.rows).encode();
        let entries = self
            .entries
            .iter()
            .map(|(content, path)| Ok::<_, io::Error>((format!("v1/{}", place(content)), fs.read(path)?)));
        // In the order of their names.
        let files = entries.chain([Ok((format!("v1/{TABLE}"), table))]);
        fs.replace_with(parent, path, |into| pack::pack(files, into).map(|_| ()))
    }
}

/// Two that extend one table at once would lose each other's rows.
pub(super) fn lock(fs: &Fs, v1: &Path, patience: Duration) -> io::Result<Lock> {
    let deadline = Instant::now() + patience;
    loop {
        if let Some(lock) = Lock::try_new(fs, &v1.join("lock")) {
            return Ok(lock);
        }
        if Instant::now() >= deadline {
            let text = "another program writes to it for too long";
            return Err(io::Error::new(io::ErrorKind::TimedOut, text));
        }
        std::thread::sleep(PAUSE);
    }
}

/// The new rows, and those of the table that is there.
pub(super) fn extended(fs: &Fs, path: &Path, new: Rows) -> io::Result<Rows> {
    let bytes = match fs.read_at_most(path, table::LARGEST) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(new),
        Err(error) => return Err(error),
    };
    if table::is_of_another_version(&bytes) {
        let text = format!("{} is of another version of dijitso, and is left as it is", path.display());
        return Err(io::Error::other(text));
    }
    match Table::decode(bytes) {
        Ok(table) => {
            let mut rows = Rows::of(&table);
            rows.merge(new);
            Ok(rows)
        }
        Err(problem) => {
            log::warn!("{} is replaced: {problem}", path.display());
            Ok(new)
        }
    }
}
