//! What is built for others, too: the bytes of every kernel that is built while somebody collects.
//!
//! Kernels are built in many places: in the batch, in batches of generators, in other threads. Each leaves its entry
//! here as it was made, before any disk could refuse or change it. Nothing is kept while nobody collects.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Outcome;
use super::batch::{Batch, Beforehand};
use super::engine::Engine;
use super::facts::Packed;
use crate::signature::Signature;
use crate::source::{AnySpec, Parts};

/// The kernels that were built during a collective build, by content.
#[derive(Debug, Default)]
pub(crate) struct Luggage(HashMap<Signature, Packed>);

impl Luggage {
    pub(crate) fn get(&self, content: &Signature) -> Option<&Packed> {
        self.0.get(content)
    }

    /// How many kernels were built.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

/// Where kernels are put as they are built.
#[derive(Debug, Default)]
pub(super) struct Collection {
    collectors: AtomicUsize,
    built: Mutex<HashMap<Signature, Packed>>,
}

impl Collection {
    pub(super) fn is_wanted(&self) -> bool {
        self.collectors.load(Ordering::Acquire) > 0
    }

    pub(super) fn add(&self, packed: Packed) {
        let mut built = self.built();
        if self.is_wanted() {
            built.insert(packed.facts.content, packed);
        }
    }

    fn begin(&self) -> Collecting<'_> {
        self.collectors.fetch_add(1, Ordering::AcqRel);
        Collecting(self)
    }

    fn built(&self) -> MutexGuard<'_, HashMap<Signature, Packed>> {
        self.built.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One collector; there can be several threads, each with a collective build of its own.
struct Collecting<'a>(&'a Collection);

impl Collecting<'_> {
    fn luggage(&self) -> Luggage {
        Luggage(self.0.built().clone())
    }
}

impl Drop for Collecting<'_> {
    fn drop(&mut self) {
        let mut built = self.0.built();
        if self.0.collectors.fetch_sub(1, Ordering::AcqRel) == 1 {
            *built = HashMap::new();
        }
    }
}

impl Engine {
    /// Loads kernels as [`Jit::load_all`](super::Jit::load_all) does, without prebuilt ones, and returns whatever was
    /// built on the way: for these specs, for their dependencies, and by their generators.
    ///
    /// Those that are `forced` are built in any case, wherever they are loaded or cached: their bytes are wanted. Those with
    /// `parts` were generated already.
    pub(crate) fn build_packed(
        self: &Arc<Engine>,
        specs: &[&AnySpec],
        forced: &[bool],
        parts: &[Option<Arc<Parts>>],
    ) -> (Vec<Outcome>, Luggage) {
        let collecting = self.collection.begin();
        let _acting = self.act();
        let forced =
            specs.iter().zip(forced).filter(|(_, forced)| **forced).map(|(spec, _)| spec.signature());
        let parts =
            specs.iter().zip(parts).filter_map(|(spec, parts)| Some((spec.signature(), parts.clone()?)));
        let beforehand = Beforehand { forced: forced.collect(), parts: parts.collect(), keeps: true };
        let outcomes = Batch::load(self, specs, beforehand);
        self.note_loads(specs, &outcomes);
        (outcomes, collecting.luggage())
    }
}
