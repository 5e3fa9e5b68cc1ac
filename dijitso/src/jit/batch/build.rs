//! The second half of a batch: from generated text to a loaded library.

use std::sync::Arc;
use std::time::Instant;

use super::super::lookup::InUnit;
use super::super::publish::{Finished, Making};
use super::Batch;
use crate::cache::Defect;
use crate::compile::{Built, Failed, Job, Unit, clash};
use crate::error::{Error, Result};
use crate::report::KernelOrigin;

/// How often a build is repeated because a header changed under it.
const ATTEMPTS: u32 = 3;

impl Batch<'_> {
    /// Everything a node depends on is there: sign it, look for its content, and if nobody has it, compile.
    pub(super) fn start(&mut self, number: usize) {
        let mut libraries = Vec::new();
        for needed in self.nodes[number].dependencies.clone() {
            match &self.nodes[needed].outcome {
                Some(Ok((loaded, _))) => libraries.push(loaded.clone()),
                Some(Err(error)) => {
                    let error = error.clone();
                    return self.finish(number, Err(error));
                }
                // It was there, and is being built again for another dependent.
                None => {
                    self.nodes[needed].dependents.push(number);
                    self.nodes[number].awaits += 1;
                }
            }
        }
        if self.nodes[number].awaits > 0 {
            return;
        }
        let spec = self.nodes[number].spec.clone();
        let Some(parts) = self.nodes[number].parts.clone() else { return };
        // A load inside somebody's generator may have built it meanwhile.
        if !self.nodes[number].renewed
            && let Ok(Some(loaded)) = self.engine.memory.get(&spec)
        {
            return self.finish(number, Ok((loaded, KernelOrigin::Memory)));
        }
        match self.engine.prepare(&spec, &parts, &libraries) {
            Ok(unit) => self.nodes[number].unit = Some(Arc::new(unit)),
            Err(error) => return self.finish(number, Err(error)),
        }
        self.nodes[number].libraries = libraries;
        self.compile(number);
    }

    fn compile(&mut self, number: usize) {
        let Some(unit) = self.nodes[number].unit.clone() else { return };
        if self.found_unit(number, &unit) {
            return;
        }
        if self.nodes[number].lock.is_none() {
            let now = Instant::now();
            let wait = self.engine.config.cache.lock_wait.value;
            let deadline = *self.nodes[number].lock_deadline.get_or_insert(now + wait);
            match self.engine.store.try_lock(&unit.signature) {
                Some(lock) => {
                    self.nodes[number].lock = Some(lock);
                    // Its last holder may have published it after we looked.
                    if self.found_unit(number, &unit) {
                        return;
                    }
                }
                None if now < deadline => return self.locked.push(number),
                None => log::warn!("{}: another process builds it for too long; building it here", unit.at),
            }
        }
        let linked = match self.engine.linked(&self.nodes[number].libraries) {
            Ok(linked) => linked,
            Err((position, defect)) => return self.renew(number, position, &defect),
        };
        if let Some(problem) = clash(&linked, &unit) {
            return self.finish(number, Err(Error::Declaration { kernel: unit.at.clone(), problem }));
        }
        match self.engine.bench(&unit) {
            Ok(Some(bench)) => self.pool.start(number, Job::new(bench, unit, linked)),
            // Signed anew.
            Ok(None) => {
                self.nodes[number].lock = None;
                self.ready.push_back(number);
            }
            Err(error) => self.finish(number, Err(error)),
        }
    }

    /// Builds a dependency once more, because a loaded library is no file to link to.
    fn renew(&mut self, number: usize, position: usize, defect: &Defect) {
        let needed = self.nodes[number].dependencies.get(position).copied();
        let Some(needed) = needed.filter(|&n| !self.nodes[n].renewed) else {
            let (kernel, problem) = (
                self.nodes[number].spec.at(),
                format!("a kernel that it depends on cannot be read back from the cache: {defect}"),
            );
            return self.finish(number, Err(Error::Load { kernel, problem }));
        };
        self.nodes[number].lock = None;
        // Another dependent may have come first.
        if self.nodes[needed].outcome.take().is_some() {
            self.unfinished += 1;
            let node = &mut self.nodes[needed];
            log::info!("{} is built again: {defect}", node.spec.at());
            node.renewed = true;
            node.dependencies.clear();
            let spec = node.spec.clone();
            self.generate(needed, &spec);
            self.descend();
        }
        // It may have failed already.
        match self.nodes[needed].outcome {
            Some(_) => self.ready.push_back(number),
            None => {
                self.nodes[needed].dependents.push(number);
                self.nodes[number].awaits += 1;
            }
        }
    }

    fn found_unit(&mut self, number: usize, unit: &Unit) -> bool {
        let node = &self.nodes[number];
        // What is loaded would be found, and not what is missing: the file.
        if node.renewed {
            return false;
        }
        let (spec, Some(parts)) = (node.spec.clone(), node.parts.clone()) else { return false };
        match self.engine.look_up_unit(&spec, unit, &parts, &node.libraries) {
            InUnit::Hit(loaded) => self.finish(number, Ok((loaded, KernelOrigin::Disk))),
            InUnit::Failure(error) => {
                self.engine.counters.negative_hits.one();
                self.finish(number, Err(error));
            }
            InUnit::Failed(error) => self.finish(number, Err(error)),
            InUnit::Miss => return false,
        }
        true
    }

    pub(super) fn retry_locked(&mut self) {
        for number in std::mem::take(&mut self.locked) {
            if self.pool.has_room() {
                self.compile(number);
            } else {
                self.locked.push(number);
            }
        }
    }

    pub(super) fn built(&mut self, number: usize, result: Result<Built, Failed>) {
        let node = &mut self.nodes[number];
        let (Some(unit), Some(parts)) = (node.unit.clone(), node.parts.clone()) else { return };
        let built = match result {
            Ok(built) => built,
            Err(failed) => {
                self.engine.remember_failure(&unit, &failed);
                return self.finish(number, Err(failed.error));
            }
        };
        node.attempts += 1;
        let making = Making {
            spec: &node.spec,
            unit: &unit,
            parts: &parts,
            dependencies: &node.libraries,
            report: node.report.clone(),
            last_attempt: node.attempts >= ATTEMPTS,
        };
        match self.engine.finish(&making, built) {
            Finished::Loaded(loaded) => {
                self.engine.counters.built.one();
                self.finish(number, Ok((loaded, KernelOrigin::Built)));
            }
            Finished::Changed(what) => {
                log::info!("{}: {what} changed during the build; building again", unit.at);
                // Signed anew: the compiler itself may be what changed.
                node.unit = None;
                node.lock = None;
                self.ready.push_back(number);
            }
            Finished::Failed(error) => self.finish(number, Err(error)),
        }
    }
}
