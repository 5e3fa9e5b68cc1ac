//! What loading on several ranks asks of an engine.

use std::any::Any;
use std::collections::{HashSet, VecDeque};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use super::engine::Engine;
use super::received::Place;
use super::{Jit, sealed};
use crate::cache::{Bytes, VariantOutcome, read};
use crate::config::params::{BuildOn, Cpu};
use crate::error::Result;
use crate::kernel::{Loaded, closure};
use crate::library::SealedFile;
use crate::report::KernelOrigin;
use crate::signature::Signature;
use crate::source::{AnySpec, Parts};

/// What loads on several ranks found out about their communicators, by a key; bounded, the last one used last.
#[derive(Debug, Default)]
pub(crate) struct Notes(Mutex<VecDeque<(u128, Note)>>);

type Note = Arc<dyn Any + Send + Sync>;

impl Notes {
    const MOST: usize = 256;

    pub(crate) fn get(&self, key: u128) -> Option<Note> {
        let mut notes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let at = notes.iter().position(|(of, _)| *of == key)?;
        let note = notes.remove(at)?;
        notes.push_back(note.clone());
        Some(note.1)
    }

    pub(crate) fn put(&self, key: u128, note: Note) {
        let mut notes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        notes.retain(|(of, _)| *of != key);
        notes.push_back((key, note));
        if notes.len() > Notes::MOST {
            notes.pop_front();
        }
    }
}

impl Jit {
    /// All or the first error, as [`load_all`](Self::load_all) has it.
    pub(crate) fn load_together(&self, specs: &[&AnySpec]) -> Result<Vec<(Arc<Loaded>, KernelOrigin)>> {
        let (mut loaded, mut errors) = (Vec::with_capacity(specs.len()), Vec::new());
        for outcome in self.engine().load_any(specs) {
            match outcome {
                Ok(kernel) => loaded.push(kernel),
                Err(error) => errors.push(error),
            }
        }
        sealed::combined(errors).map_or(Ok(loaded), Err)
    }
}

impl Engine {
    pub(crate) fn notes(&self) -> &Notes {
        &self.notes
    }

    pub(crate) fn build_on(&self) -> Option<BuildOn> {
        self.config.build.build_on.as_ref().map(|build_on| build_on.value)
    }

    pub(crate) fn jobs(&self) -> Option<usize> {
        self.config.build.jobs.as_ref().map(|jobs| jobs.value)
    }

    pub(crate) fn builds_for_native(&self) -> bool {
        self.config.build.cpu.value == Cpu::Native
    }

    /// Runs the generator, which [`build_packed`](Self::build_packed) then need not.
    pub(crate) fn generate(self: &Arc<Engine>, spec: &AnySpec) -> Result<Arc<Parts>> {
        let _acting = self.act();
        let working = self.flights.working(spec.signature(), spec.description());
        self.counters.generated.one();
        let start = self.trace.begin();
        let generated = spec.generate();
        self.trace.did("generate", start, || spec.at());
        let mut parts = generated?;
        parts.consulted = working.loads();
        Ok(Arc::new(parts))
    }

    /// What it took to build a kernel before something that it is made from changed, in milliseconds.
    pub(crate) fn recorded_ms(&self, spec: &AnySpec) -> Option<f32> {
        let index = self.store.index(&self.index_key(spec))?;
        let VariantOutcome::Content(content) = index.variants.first()?.outcome else { return None };
        let archive = self.store.archive(&content).ok()?;
        let meta = archive.meta();
        Some((meta.compile_seconds + meta.link_seconds) as f32 * 1e3)
    }

    pub(crate) fn library(&self, content: &Signature) -> Option<Arc<Loaded>> {
        self.memory.library(content)
    }

    /// Whether a loaded kernel can be given away, see [`at_hand`](Self::at_hand).
    pub(crate) fn is_at_hand(&self, loaded: &Arc<Loaded>) -> bool {
        self.at_hand(std::slice::from_ref(loaded)).contains(&loaded.content)
    }

    /// Of loaded kernels and all that they are linked to, those that can be given away: their bytes, and those of what they are
    /// linked to, are still somewhere. Each file is looked at once.
    pub(crate) fn at_hand(&self, kernels: &[Arc<Loaded>]) -> HashSet<Signature> {
        let mut at_hand = HashSet::new();
        for loaded in closure(kernels) {
            let is_here =
                || loaded.kept.get().is_some() || loaded.path.get().is_some_and(|path| self.fs.is_file(path));
            if loaded.dependencies.iter().all(|below| at_hand.contains(&below.content)) && is_here() {
                at_hand.insert(loaded.content);
            }
        }
        at_hand
    }

    /// Whether a file holds the entry that it should.
    pub(crate) fn is_intact(&self, path: &Path, content: &Signature) -> bool {
        read(&self.fs, path, content).is_ok()
    }

    /// The bytes of a whole entry, if they can be read.
    pub(crate) fn bytes_at(&self, place: &Place, content: &Signature) -> Option<Bytes> {
        match place {
            Place::Path(path) => Bytes::open(&self.fs, path, content).ok().map(|(bytes, _)| bytes),
            Place::Descriptor(path) => SealedFile::open(path.as_ref()).ok()?.bytes().ok(),
            Place::Bytes(bytes) => Some(bytes.clone()),
        }
    }
}
