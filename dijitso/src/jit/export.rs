//! Writing site caches.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::batch::{Batch, Beforehand};
use super::engine::Engine;
use super::{Jit, Specs, sealed};
use crate::cache::{Exported, SiteExport};
use crate::error::{Error, Result};
use crate::kernel::{Loaded, closure};
use crate::source::AnySpec;

impl Jit {
    /// Writes kernels into a site cache, for programs that name it with
    /// [`site_cache`](crate::JitBuilder::site_cache) or `DIJITSO_SITE_CACHE`; kernels they are linked to come along.
    ///
    /// What this `Jit`'s cache does not have is built, with this `Jit`'s flags and for its processor: `native` is
    /// for machines like this one, so choose one with [`cpu`](crate::JitBuilder::cpu). It must be one that this
    /// machine has.
    ///
    /// A path that ends with `.tar.gz` or `.tgz` becomes an archive, in place of one that was there; equal
    /// entries give equal bytes. Everything else is a directory. If it is a site cache already, it is extended: a
    /// kernel takes the place of one for the same spec and the same set of processor features. So exports for
    /// several levels (`x86-64-v2`, `x86-64-v4`) make one site cache, and each machine gets the best that it
    /// can run. Readers see what was there before or all that is new, never a part. Entries to which nothing
    /// leads any more stay, for programs that run; who wants to be rid of them exports to a new directory and
    /// renames it.
    ///
    /// Files and directories are readable as the umask permits, and never writable by others.
    ///
    /// dijitso has no counterpart.
    ///
    /// # Errors
    /// As [`load_all`](Self::load_all); [`Error::CacheDir`] if kernels cannot be cached, which they must be to be
    /// exported; [`Error::Io`] if the site cache cannot be written.
    ///
    /// ```
    /// use dijitso::{Cpu, Jit, KernelOrigin, Source};
    ///
    /// # fn main() -> dijitso::Result<()> {
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let (cache, site) = (dir.path().join("cache"), dir.path().join("site"));
    /// type Half = extern "C" fn(f64) -> f64;
    /// let half = dijitso::spec!(Half, "half", (), || {
    ///     // SAFETY: arithmetic only.
    ///     unsafe { Source::new("double half(double x) { return x / 2; }") }
    /// });
    /// Jit::builder().cache_dir(&cache).cpu(Cpu::Generic).build()?.export(&[half.clone()], &site)?;
    ///
    /// // Another program, where there is no compiler.
    /// let jit = Jit::builder().site_cache(&site).sealed().cache_dir("/nonexistent").build()?;
    /// let kernel = jit.load(&half)?;
    /// assert_eq!((kernel.call(3.0), kernel.origin()), (1.5, KernelOrigin::Site));
    /// assert_eq!(jit.stats().processes, 0);
    /// # Ok(()) }
    /// ```
    pub fn export<S: Specs>(&self, specs: S, path: impl AsRef<Path>) -> Result<Exported> {
        let path = std::path::absolute(path.as_ref())
            .map_err(|error| Error::io("cannot export to", path.as_ref(), &error))?;
        // With tables of its own: what came from a site cache or out of the program has no entry of ours.
        let engine = self.0.for_export()?;
        let any = specs.any();
        let (mut loaded, mut errors) = (Vec::with_capacity(any.len()), Vec::new());
        let beforehand = Beforehand { keeps: true, ..Beforehand::default() };
        for outcome in Batch::load(&engine, &any, beforehand) {
            match outcome {
                Ok((kernel, _)) => loaded.push(kernel),
                Err(error) => errors.push(error),
            }
        }
        let exported = match sealed::combined(errors) {
            None => engine.write_site(&any, &loaded, path),
            Some(error) => Err(error),
        };
        engine.upkeep();
        exported
    }
}

impl Engine {
    fn write_site(&self, specs: &[&AnySpec], loaded: &[Arc<Loaded>], path: PathBuf) -> Result<Exported> {
        let mut export = SiteExport::default();
        for kernel in closure(loaded) {
            let links = kernel.dependencies.iter().map(|d| d.content).collect();
            let Some(entry) = kernel.path.get() else {
                let root = self.config.cache.root.value.clone();
                let at = &kernel.at;
                return Err(match self.config.cache.homeless() {
                    Some(why) => Error::Config {
                        problem: format!("kernel {at} cannot be exported without being cached: {why}"),
                        origin: self.config.cache.root.origin.to_string(),
                    },
                    None => Error::CacheDir {
                        path: root,
                        problem: format!("{at} could not be cached in it, and so cannot be exported"),
                    },
                });
            };
            export.add_entry(&self.fs, entry, &kernel.content, links).map_err(|defect| Error::Load {
                kernel: kernel.at.clone(),
                problem: format!("its entry {} cannot be exported: {defect}", entry.display()),
            })?;
        }
        for (spec, kernel) in specs.iter().zip(loaded) {
            export.add_spec(spec.signature(), &kernel.content);
        }
        let cache = &self.config.cache;
        let entries = export.entries();
        let bytes = export
            .write(&self.fs, &path, cache.lock_wait.value, cache.durable.value)
            .map_err(|error| Error::io("cannot export to", &path, &error))?;
        Ok(Exported { path, kernels: specs.len(), entries, bytes })
    }
}
