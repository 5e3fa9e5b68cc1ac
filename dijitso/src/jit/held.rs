//! What a process has already: its memory table, and the kernels that are part of the program.

use std::sync::Arc;

use super::engine::Engine;
use super::lookup::{Found, Verified, Whose};
use super::{Outcome, memory};
use crate::error::Result;
use crate::kernel::{Code, Loaded};
use crate::report::KernelOrigin;
use crate::source::AnySpec;

impl Engine {
    /// The kernel, if it is loaded or part of the program: no file is looked at.
    ///
    /// # Errors
    /// A name that no kernel can have, or a second generator with this name and key.
    pub(crate) fn held(&self, spec: &AnySpec) -> Result<Option<(Arc<Loaded>, KernelOrigin)>> {
        if let Some(loaded) = self.memory.get(spec)? {
            self.counters.memory_hits.one();
            self.flights.loaded(spec, loaded.content);
            return Ok(Some((loaded, KernelOrigin::Memory)));
        }
        if let Some(loaded) = self.part_of_program(spec)? {
            return Ok(Some((loaded, KernelOrigin::Prebuilt)));
        }
        spec.check_name()?;
        memory::claim(spec)?;
        Ok(None)
    }

    /// The kernel, if it is part of the program. It never gets into the memory table, where a kernel that is
    /// built now would find it and link to a library that is not there. Nor is it noted as an input of the generator
    /// that loads it: it changes with the program, and then generators run again anyway.
    pub(super) fn part_of_program(&self, spec: &AnySpec) -> Result<Option<Arc<Loaded>>> {
        let found = self.prebuilt.get(spec, memory::claim)?;
        self.counters.prebuilt_hits.add(u64::from(found.is_some()));
        Ok(found)
    }

    /// Puts a kernel that another rank built or found into the memory table, in place of one with another content;
    /// not one that is part of the program.
    pub(crate) fn adopt(&self, spec: &AnySpec, loaded: &Arc<Loaded>) {
        if let Code::Library(_) = loaded.code {
            self.memory.put(spec, loaded);
            self.flights.loaded(spec, loaded.content);
        }
    }

    /// Looks for kernels in the cache and the site caches. Nothing is generated (unless checking is on), nothing compiled,
    /// and nobody waited for. What is found is in the memory table then. `compiler` must have made it.
    pub(crate) fn look_up_all(&self, specs: &[&AnySpec], compiler: Whose) -> Vec<Found> {
        let mut verified = Verified::default();
        let look = |spec: &&AnySpec| {
            if let Err(error) = spec.check_name().and_then(|()| memory::claim(spec)) {
                return Found::Failed(error);
            }
            let found = self.look_in_caches(spec, &mut verified, compiler);
            match &found {
                Found::Hit(loaded, _) => self.adopt(spec, loaded),
                // Whoever builds it counts that.
                Found::Miss(_) | Found::Failed(_) => {}
            }
            found
        };
        specs.iter().map(look).collect()
    }

    /// Generators depend on what they load.
    pub(super) fn note_loads(&self, specs: &[&AnySpec], outcomes: &[Outcome]) {
        for (spec, outcome) in specs.iter().zip(outcomes) {
            if let Ok((loaded, _)) = outcome {
                self.flights.loaded(spec, loaded.content);
            }
        }
    }
}
