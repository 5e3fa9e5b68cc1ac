//! Kernels that are named by their signature alone: for who has no generator for them.

use std::sync::Arc;
use std::time::Instant;

use super::Jit;
use super::engine::Engine;
use super::lookup::{DEEPEST, Opened};
use crate::cache::{Archive, Inputs, Variant, VariantOutcome};
use crate::error::{Error, Result};
use crate::kernel::Loaded;
use crate::report::Report;
use crate::signature::Signature;
use crate::source::{KernelSpec, Source};

impl Jit {
    /// A kernel that is in the cache, by its content signature ([`Kernel::signature`](crate::Kernel::signature)): as a
    /// spec without a type, for [`Source::depends_on`] and for its exports. It is loaded by this, whole and verified,
    /// with the kernels that it is linked to. Whether its headers are still as they were is not asked: who names a
    /// signature means what was built then.
    ///
    /// dijitso: what a dependency is there, a signature.
    ///
    /// # Errors
    /// [`Error::Entry`] if it is not there, [`Error::Damaged`] if it is not what was built, and those of
    /// [`load`](Self::load).
    ///
    /// ```
    /// use dijitso::{Jit, KernelSpec, Source};
    ///
    /// # fn main() -> dijitso::Result<()> {
    /// # let dir = tempfile::tempdir().unwrap();
    /// let jit = Jit::builder().cache_dir(dir.path().join("cache")).build()?;
    /// let base: KernelSpec<()> = dijitso::spec!((), "base", (), || {
    ///     // SAFETY: returns a number.
    ///     unsafe { Source::translation_unit("extern \"C\" int base() { return 40; }") }.export("base")
    /// });
    /// let signature = jit.load(&base)?.signature();
    ///
    /// // Elsewhere, with the same cache.
    /// let jit = Jit::builder().cache_dir(dir.path().join("cache")).build()?;
    /// let base = jit.cached(&signature)?;
    /// type Answer = extern "C" fn() -> i32;
    /// let answer = dijitso::spec!(Answer, "answer", (), move || {
    ///     // SAFETY: adds two numbers.
    ///     unsafe { Source::translation_unit("extern \"C\" int base();\nextern \"C\" int answer() { return base() + 2; }") }
    ///         .depends_on(&base)
    /// });
    /// assert_eq!(jit.load(&answer)?.call(), 42);
    /// # Ok(()) }
    /// ```
    pub fn cached(&self, signature: &Signature) -> Result<KernelSpec<()>> {
        let loaded = self.0.open_by_content(signature, 0)?;
        let problem = format!("the entry {signature} is gone");
        let spec = KernelSpec::<()>::new(loaded.name.clone(), (*signature, "cached"), move || {
            Err::<Source<()>, String>(problem.clone())
        })
        .of_content(*signature);
        self.0.memory.put(spec.any(), &loaded);
        Ok(spec)
    }
}

impl Engine {
    /// With what it is linked to; `depth` kernels below what was asked for.
    pub(super) fn open_by_content(&self, content: &Signature, depth: usize) -> Result<Arc<Loaded>> {
        if let Some(loaded) = self.memory.library(content) {
            return Ok(loaded);
        }
        let path = self.store.entry_path(content);
        let damaged = |problem: String| Error::Damaged { path: path.clone(), problem };
        if depth > DEEPEST || !self.fs.exists(&path) {
            let root = self.store.root().display();
            let problem = format!("no kernel {content} is in the cache {root}");
            return Err(Error::Entry { query: content.to_hex(), problem, candidates: Vec::new() });
        }
        let start = Instant::now();
        let archive =
            Archive::open(&self.fs, &path, content).map_err(|defect| damaged(defect.to_string()))?;
        let meta = archive.meta();
        let below = meta.dependencies.iter().map(|dependency| self.open_by_content(dependency, depth + 1));
        let dependencies = below.collect::<Result<Vec<_>>>()?;
        let at = format!("{}, generated at {}", meta.description, meta.location);
        // What its index would say: that is not known here, and not asked.
        let variant = Variant {
            toolchain: *content,
            unit: meta.unit,
            outcome: VariantOutcome::Content(*content),
            entry: meta.symbol.is_some(),
            cpu: archive.seal().cpu,
            created: meta.created,
            took_us: 0,
            dependencies: Vec::new(),
            inputs: Inputs::default(),
        };
        let report = Report { lookup: start.elapsed(), ..Report::default() };
        match self.open_entry(&meta.name, &at, &variant, content, dependencies, report) {
            Opened::Loaded(loaded) => Ok(loaded),
            Opened::Unusable(why) | Opened::Changed(why) => Err(Error::Load { kernel: at, problem: why }),
            Opened::Failed(error) => Err(error),
        }
    }
}
