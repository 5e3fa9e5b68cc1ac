//! The second half of a batch: from generated text to a loaded library.

use std::sync::Arc;
use std::time::Instant;

use super::super::lookup::InUnit;
use super::super::publish::{Finished, Making};
use super::Batch;
use crate::cache::Defect;
use crate::compile::{Built, Ended, Job, Linked, MOST, Pack, Unit, clash};
use crate::error::Error;
use crate::report::KernelOrigin;
use crate::signature::Signature;

/// Texts that take milliseconds to compress, in bytes.
const LONG: usize = 64 << 10;

/// How often a build is repeated because a header changed under it.
const ATTEMPTS: u32 = 3;

impl Batch<'_> {
    /// What is to be compiled next: several kernels if they can share a compiler, and if there are more than
    /// compilers may still be started.
    pub(super) fn next_group(&mut self) -> Option<Vec<usize>> {
        while self.signed.len() < 2 * MOST
            && let Some(number) = self.ready.pop_front()
        {
            self.sign(number);
        }
        let first = self.signed.pop_front()?;
        let waiting = 1 + self.signed.len() + self.ready.len();
        let most = waiting.div_ceil(self.pool.free()).min(MOST);
        let mut group = vec![first];
        // Whatever it is that makes packs fail here, it would go on.
        if let Some(key) = self.pack_key(first)
            && self.strays <= 2 * MOST + self.together
        {
            for number in std::mem::take(&mut self.signed) {
                if group.len() < most && self.pack_key(number) == Some(key) {
                    group.push(number);
                } else {
                    self.signed.push_back(number);
                }
            }
        }
        Some(group)
    }

    fn pack_key(&self, number: usize) -> Option<Signature> {
        let node = &self.nodes[number];
        node.unit.as_ref().filter(|_| !node.alone && !node.renewed)?.pack
    }

    /// Everything a node depends on is there.
    fn sign(&mut self, number: usize) {
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
        self.is_signed(number);
    }

    /// Looks for the content of what was signed, and compiles what nobody has.
    pub(super) fn start(&mut self, group: &[usize]) {
        let mut tasks: Vec<(usize, Arc<Unit>, Vec<Linked>)> = Vec::with_capacity(group.len());
        for &number in group {
            if let Some((unit, linked)) = self.claim(number) {
                tasks.push((number, unit, linked));
            }
        }
        let mut pack: Option<Pack> = None;
        let several = tasks.len() > 1;
        for (number, unit, linked) in tasks {
            match self.engine.bench(&unit) {
                Ok(Some(bench)) if several => {
                    self.nodes[number].packed = true;
                    pack.get_or_insert_with(|| Pack::new(bench)).add(number, unit);
                }
                Ok(Some(bench)) => {
                    if unit.rendered.files.iter().map(|(_, text)| text.len()).sum::<usize>() > LONG {
                        self.long.push_back(number);
                    }
                    self.pool.start(number, Job::new(bench, unit, linked));
                }
                // Signed anew.
                Ok(None) => {
                    self.nodes[number].lock = None;
                    self.is_ready(number);
                }
                Err(error) => self.finish(number, Err(error)),
            }
        }
        if let Some(pack) = pack {
            self.pool.start_pack(pack);
        }
    }

    /// Does for a unit that is being compiled what can be done before the compiler has ended.
    pub(super) fn use_the_time(&mut self) {
        while let Some(number) = self.long.pop_front() {
            let node = &mut self.nodes[number];
            if let (Some(unit), Some(parts), None, None) =
                (&node.unit, &node.parts, &node.texts, &node.outcome)
            {
                node.texts = self.engine.texts(unit, parts).ok();
                return;
            }
        }
    }

    /// What is to be compiled for a node: it is in no cache, and nobody else builds it.
    fn claim(&mut self, number: usize) -> Option<(Arc<Unit>, Vec<Linked>)> {
        let unit = self.nodes[number].unit.clone()?;
        if self.is_outdated(number) {
            self.is_ready(number);
            return None;
        }
        if self.found_unit(number, &unit) {
            return None;
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
                        return None;
                    }
                }
                None if now < deadline => {
                    let node = &mut self.nodes[number];
                    node.locked_since = node.locked_since.or_else(|| self.engine.trace.begin());
                    self.locked.push(number);
                    return None;
                }
                None => log::warn!("{}: another process builds it for too long; building it here", unit.at),
            }
        }
        self.waited(number);
        let linked = match self.engine.linked(&self.nodes[number].libraries) {
            Ok(linked) => linked,
            Err((position, defect)) => {
                self.renew(number, position, &defect);
                return None;
            }
        };
        if let Some(problem) = clash(&linked, &unit) {
            self.finish(number, Err(Error::Declaration { kernel: unit.at.clone(), problem }));
            return None;
        }
        Some((unit, linked))
    }

    /// Another process has let go of it.
    fn waited(&mut self, number: usize) {
        let since = self.nodes[number].locked_since.take();
        self.engine.trace.did("wait", since, || self.nodes[number].spec.at());
    }

    /// Whether a dependency was, or is being, built again since a node was signed.
    fn is_outdated(&self, number: usize) -> bool {
        let node = &self.nodes[number];
        let now = node.dependencies.iter().map(|&needed| &self.nodes[needed].outcome);
        node.libraries
            .iter()
            .zip(now)
            .any(|(then, now)| !matches!(now, Some(Ok((loaded, _))) if Arc::ptr_eq(loaded, then)))
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
            Some(_) => self.is_ready(number),
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
        self.waited(number);
        true
    }

    pub(super) fn retry_locked(&mut self) {
        if self.pool.has_room() {
            for number in std::mem::take(&mut self.locked) {
                self.is_signed(number);
            }
        }
    }

    pub(super) fn ended(&mut self, number: usize, ended: Ended) {
        match ended {
            Ended::Built(built) => self.built(number, built),
            Ended::Failed(failed) => {
                if let Some(unit) = self.nodes[number].unit.clone() {
                    self.engine.remember_failure(&unit, &failed);
                }
                self.finish(number, Err(failed.error));
            }
            Ended::Alone => {
                self.strays += 1;
                self.nodes[number].alone = true;
                self.signed.push_front(number);
            }
        }
    }

    fn built(&mut self, number: usize, built: Built) {
        let node = &mut self.nodes[number];
        self.together += usize::from(node.packed && !node.alone);
        let (Some(unit), Some(parts)) = (node.unit.clone(), node.parts.clone()) else { return };
        node.attempts += 1;
        let making = Making {
            spec: &node.spec,
            unit: &unit,
            parts: &parts,
            dependencies: &node.libraries,
            texts: node.texts.take(),
            report: node.report.clone(),
            renewed: node.renewed,
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
                self.is_ready(number);
            }
            Finished::Failed(error) => self.finish(number, Err(error)),
        }
    }
}
