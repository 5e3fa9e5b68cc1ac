//! The first half of a batch: what is there already, and what the rest depends on.

use std::sync::Arc;
use std::time::Instant;

use super::super::flight::{Joined, Working};
use super::super::lookup::{Found, Whose};
use super::super::{Outcome, memory};
use super::{Batch, Node};
use crate::error::{Error, Result};
use crate::report::{KernelOrigin, Report};
use crate::source::{AnySpec, Parts};

/// A generated kernel whose dependencies are being looked for.
///
/// A list of these instead of recursion: a chain of thousands of kernels must not end the thread's stack.
pub(super) struct Descent {
    number: usize,
    parts: Arc<Parts>,
    /// The next dependency.
    next: usize,
    _working: Working,
}

impl Batch<'_> {
    /// The node of a spec; a new one is looked up and, on a miss, generated at once, and so is everything
    /// below it.
    pub(super) fn node(&mut self, spec: &AnySpec) -> usize {
        let number = self.visit(spec);
        self.descend();
        number
    }

    fn visit(&mut self, spec: &AnySpec) -> usize {
        let signature = spec.signature();
        if let Some(&number) = self.numbers.get(&signature) {
            if let Err(error) = memory::claim(spec) {
                // The same key from another generator: not this node's business, but an error all the same.
                return self.add(spec, Some(Err(error)));
            }
            return number;
        }
        let number = self.add(spec, None);
        self.nodes[number].renewed = self.beforehand.forced.contains(&signature);
        self.nodes[number].parts = self.beforehand.parts.remove(&signature);
        self.numbers.insert(signature, number);
        self.begin(number, false);
        number
    }

    fn add(&mut self, spec: &AnySpec, outcome: Option<Outcome>) -> usize {
        self.unfinished += usize::from(outcome.is_none());
        self.nodes.push(Node {
            spec: spec.clone(),
            lead: None,
            parts: None,
            dependencies: Vec::new(),
            libraries: Vec::new(),
            dependents: Vec::new(),
            awaits: 0,
            urgency: 0,
            unit: None,
            texts: None,
            lock: None,
            lock_deadline: None,
            locked_since: None,
            attempts: 0,
            packed: false,
            alone: false,
            renewed: false,
            report: Report::default(),
            outcome,
        });
        self.nodes.len() - 1
    }

    /// Memory, then whoever builds it already, then the disk and site caches, then the generator. With `alone`, what
    /// another thread does is not waited for. The caller must [`descend`](Self::descend) then.
    pub(super) fn begin(&mut self, number: usize, alone: bool) {
        let spec = self.nodes[number].spec.clone();
        if let Err(error) = spec.check_name().and_then(|()| memory::claim(&spec)) {
            return self.finish(number, Err(error));
        }
        match self.engine.flights.join(&spec) {
            Joined::Lead(lead) => self.nodes[number].lead = Some(lead),
            Joined::Again(parts) => {
                if let Some(parts) = parts {
                    self.nodes[number].parts = Some(parts);
                }
            }
            Joined::Busy if alone => {}
            Joined::Busy => return self.foreign.push(number),
            Joined::Cycle(error) => return self.finish(number, Err(error)),
        }
        // Only now: another thread may have loaded it before we got the lead.
        match self.engine.memory.get(&spec) {
            Ok(Some(_)) if self.nodes[number].renewed => {}
            Ok(Some(loaded)) => {
                self.engine.counters.memory_hits.one();
                return self.finish(number, Ok((loaded, KernelOrigin::Memory)));
            }
            Ok(None) => {}
            Err(error) => return self.finish(number, Err(error)),
        }
        if self.nodes[number].parts.is_none() {
            let start = Instant::now();
            let found = match self.nodes[number].renewed {
                false => self.engine.look_in_caches(&spec, &mut self.verified, Whose::Own),
                true => Found::Miss("it is loaded, but its file is gone".to_owned()),
            };
            self.nodes[number].report.lookup = start.elapsed();
            match found {
                Found::Hit(loaded, origin) => return self.finish(number, Ok((loaded, origin))),
                Found::Failed(error) => return self.finish(number, Err(error)),
                Found::Miss(reason) if self.engine.is_sealed() => {
                    let error = self.engine.missing(&spec, reason);
                    return self.finish(number, Err(error));
                }
                Found::Miss(reason) => {
                    log::debug!("{}: {reason}", spec.at());
                    self.engine.counters.miss(&reason);
                }
            }
        }
        if let Err(error) = self.need_compiler(&spec) {
            return self.finish(number, Err(error));
        }
        self.generate(number, &spec);
    }

    /// Refuses early, before a generator runs for nothing.
    fn need_compiler(&mut self, spec: &AnySpec) -> Result<()> {
        if self.no_compiler.is_none() {
            self.no_compiler = self.engine.toolchain().err();
        }
        match &self.no_compiler {
            None => Ok(()),
            Some(Error::NoCompiler { candidates, .. }) => {
                let unfit = self.engine.prebuilt.unfit(spec).map(|why| format!(" ({why})"));
                let kernel = Some(spec.at() + &unfit.unwrap_or_default());
                Err(Error::NoCompiler { kernel, candidates: candidates.clone() })
            }
            Some(Error::Config { problem, origin }) => Err(Error::Config {
                problem: format!("kernel {}: {problem}", spec.at()),
                origin: origin.clone(),
            }),
            Some(error) => Err(error.clone()),
        }
    }

    pub(super) fn generate(&mut self, number: usize, spec: &AnySpec) {
        let working = self.engine.flights.working(spec.signature(), spec.description());
        let parts = match self.nodes[number].parts.clone() {
            Some(parts) => parts,
            None => {
                let start = Instant::now();
                self.engine.counters.generated.one();
                let generated = spec.generate();
                self.engine.trace.did("generate", Some(start), || spec.at());
                match generated {
                    Ok(mut parts) => {
                        self.nodes[number].report.generate = start.elapsed();
                        parts.consulted = working.loads();
                        Arc::new(parts)
                    }
                    Err(error) => return self.finish(number, Err(error)),
                }
            }
        };
        if let Some(lead) = &self.nodes[number].lead {
            lead.generated(&parts);
        }
        self.nodes[number].parts = Some(parts.clone());
        if self.engine.config.generator.log_source.value {
            log::info!("{} is\n{}", spec.at(), parts.text);
        }
        // One more than there are, so that it is not ready before all of them are known.
        self.nodes[number].awaits += 1;
        self.descents.push(Descent { number, parts, next: 0, _working: working });
    }

    /// Looks for the dependencies of what was generated, and for theirs.
    pub(super) fn descend(&mut self) {
        while let Some(descent) = self.descents.last_mut() {
            let number = descent.number;
            let Some(dependency) = descent.parts.dependencies.get(descent.next).cloned() else {
                self.descents.pop();
                self.awaits_one_less(number);
                continue;
            };
            descent.next += 1;
            if let Some(error) = self.engine.flights.circle(&dependency) {
                self.descents.pop();
                self.finish(number, Err(error));
                continue;
            }
            let needed = self.visit(&dependency);
            self.nodes[number].dependencies.push(needed);
            if self.nodes[needed].outcome.is_none() {
                self.nodes[needed].dependents.push(number);
                self.nodes[number].awaits += 1;
            }
        }
    }
}
