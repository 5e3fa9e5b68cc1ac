//! What this `Jit` has loaded: kernels by spec signature, libraries by content signature.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use once_cell::sync::Lazy;

use crate::cache::{Index, Variant};
use crate::error::{Error, Result};
use crate::kernel::Loaded;
use crate::signature::Signature;
use crate::source::{AnySpec, GeneratorId};

/// The table belongs to one `Jit` and its clones: a debug `Jit` must never serve a release kernel.
#[derive(Debug, Default)]
pub(super) struct Memory {
    by_spec: RwLock<HashMap<Signature, (GeneratorId, Arc<Loaded>)>>,
    /// Libraries, also those that were loaded only because another kernel needs them.
    by_content: Mutex<HashMap<Signature, Arc<Loaded>>>,
    /// Failures by index key that no cache could keep: a retry must not compile on every call.
    failures: Mutex<HashMap<Signature, Variant>>,
}

/// Which generator first used a spec signature in this process, and where it is.
static GENERATORS: Lazy<Mutex<HashMap<Signature, (GeneratorId, String)>>> = Lazy::new(Mutex::default);

impl Memory {
    /// The kernel, if it was loaded before, by the same generator.
    pub(super) fn get(&self, spec: &AnySpec) -> Result<Option<Arc<Loaded>>> {
        let table = self.by_spec.read().unwrap_or_else(PoisonError::into_inner);
        match table.get(&spec.signature()) {
            Some((generator, loaded)) if generator == spec.generator_id() => Ok(Some(loaded.clone())),
            Some(_) => {
                drop(table);
                claim(spec).map(|()| None)
            }
            None => Ok(None),
        }
    }

    pub(super) fn put(&self, spec: &AnySpec, loaded: &Arc<Loaded>) {
        let mut table = self.by_spec.write().unwrap_or_else(PoisonError::into_inner);
        table.insert(spec.signature(), (spec.generator_id().clone(), loaded.clone()));
    }

    pub(super) fn remember_failure(&self, key: Signature, failure: Variant) {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner).insert(key, failure);
    }

    pub(super) fn failure(&self, key: &Signature) -> Option<Index> {
        let failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        failures.get(key).map(|failure| Index { variants: vec![failure.clone()] })
    }

    pub(super) fn library(&self, content: &Signature) -> Option<Arc<Loaded>> {
        self.by_content.lock().unwrap_or_else(PoisonError::into_inner).get(content).cloned()
    }

    /// Keeps `loaded`, or returns what another thread has kept meanwhile.
    pub(super) fn keep(&self, loaded: Loaded) -> Arc<Loaded> {
        let mut table = self.by_content.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = table.get(&loaded.content) {
            known.is_now(loaded.path.into_inner(), loaded.kept.into_inner());
            return known.clone();
        }
        table.entry(loaded.content).or_insert_with(|| Arc::new(loaded)).clone()
    }
}

/// Refuses a second, different generator with the same spec signature.
///
/// Without this, two functions with one name and one key would silently share whatever was built first,
/// which is what Python dijitso does with its user-given names.
pub(crate) fn claim(spec: &AnySpec) -> Result<()> {
    let mut table = GENERATORS.lock().unwrap_or_else(PoisonError::into_inner);
    let (first, place) =
        table.entry(spec.signature()).or_insert_with(|| (spec.generator_id().clone(), spec.location()));
    if first == spec.generator_id() {
        return Ok(());
    }
    Err(Error::Collision { kernel: spec.description(), first: place.clone(), second: spec.location() })
}
