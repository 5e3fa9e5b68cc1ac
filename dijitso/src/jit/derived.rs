//! Engines that differ from another one in few points: for the processors of all ranks, with the flags of rank 0, or in a
//! directory of a rank's own.
//!
//! They belong to the `Jit` they are derived from and share its counters. Whoever loads a kernel with that `Jit` inside a
//! generator gets it from the derived engine for which the generator runs: it will be called, or read, by a kernel for the
//! same processors.

use std::cell::RefCell;
use std::sync::{Arc, Mutex, PoisonError};

use super::engine::Engine;
use super::flags::Flags;
use crate::config::Sourced;
use crate::config::origin::Origin;
use crate::config::params::Cpu;
use crate::error::{Error, Result};
use crate::fs::is_component;

/// What is different; nothing by default.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Derivation {
    /// What another rank's compiler is told.
    pub(crate) flags: Option<Flags>,
    /// The processor to compile for, see [`Level::cpu`](crate::toolchain::Level::cpu).
    pub(crate) cpu: Option<Cpu>,
    /// Of the cache directory: one path component.
    pub(crate) subdirectory: Option<String>,
}

/// The engines derived from one, in the order in which they were made, which is the same on all ranks.
pub(super) type Derived = Mutex<Vec<(Derivation, Arc<Engine>)>>;

thread_local! {
    /// Derived engines that build on this thread, outermost first, each with the address of its base.
    static ACTING: RefCell<Vec<(usize, Arc<Engine>)>> = const { RefCell::new(Vec::new()) };
}

/// As long as it lives, what this thread loads with the base is loaded with the derived engine.
pub(super) struct Acting(bool);

impl Drop for Acting {
    fn drop(&mut self) {
        if self.0 {
            ACTING.with_borrow_mut(|acting| acting.pop());
        }
    }
}

impl Engine {
    /// The engine that differs from this one so, made when it is first asked for.
    ///
    /// # Errors
    /// [`Error::CacheDir`] for a directory that must not be trusted, [`Error::Config`] for one that is none.
    pub(crate) fn derived(self: &Arc<Engine>, derivation: &Derivation) -> Result<Arc<Engine>> {
        if *derivation == Derivation::default() {
            return Ok(self.clone());
        }
        let mut known = self.derived.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, engine)) = known.iter().find(|(known, _)| known == derivation) {
            return Ok(engine.clone());
        }
        let mut config = self.config.clone();
        if let Some(flags) = &derivation.flags {
            flags.put_into(&mut config);
        }
        if let Some(cpu) = &derivation.cpu {
            let origin = Origin::Probe("the processors of all ranks".to_owned());
            config.build.cpu = Sourced { value: cpu.clone(), origin };
        }
        if let Some(subdirectory) = &derivation.subdirectory {
            if !is_component(subdirectory.as_ref()) {
                let problem = format!("`{subdirectory}` is no name for a directory");
                return Err(Error::Config { problem, origin: Origin::Builder.to_string() });
            }
            config.cache.root.value.push(subdirectory);
        }
        let engine = self.with_config(config)?;
        known.push((derivation.clone(), engine.clone()));
        Ok(engine)
    }

    /// This engine and those derived from it, the last one first: loads on several ranks use these.
    pub(crate) fn and_derived(self: &Arc<Engine>) -> Vec<Arc<Engine>> {
        let known = self.derived.lock().unwrap_or_else(PoisonError::into_inner);
        known.iter().rev().map(|(_, engine)| engine).chain([self]).cloned().collect()
    }

    /// Lets this engine do what its base is asked for on this thread.
    pub(super) fn act(&self) -> Acting {
        let Some((base, me)) = &self.base else { return Acting(false) };
        let Some(me) = me.upgrade() else { return Acting(false) };
        ACTING.with_borrow_mut(|acting| acting.push((*base, me)));
        Acting(true)
    }

    /// The derived engine that acts for this one on this thread.
    pub(super) fn acting(&self) -> Option<Arc<Engine>> {
        let me = std::ptr::from_ref(self).addr();
        ACTING.with_borrow(|acting| {
            let engine = acting.iter().rfind(|(base, _)| *base == me);
            engine.map(|(_, engine)| engine.clone())
        })
    }
}
