//! The disk's answer: by spec without generating, or by unit once the text is known.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Instant;

use super::engine::Engine;
use super::memory;
use super::opening::Opening;
use crate::cache::{Defect, Dependency, Holds, Index, Variant, VariantOutcome, VerifiedEntry, unit_key};
use crate::compile::Unit;
use crate::error::{Error, Result};
use crate::kernel::Loaded;
use crate::report::{KernelOrigin, Report};
use crate::signature::Signature;
use crate::source::{AnySpec, Parts};

/// What is known of a spec without generating it.
#[derive(Debug)]
pub(crate) enum Found {
    Hit(Arc<Loaded>, KernelOrigin),
    /// An intact entry that cannot be used, for a reason that compiling again does not remove.
    Failed(Error),
    Miss(String),
}

/// What the index knows of a unit.
pub(super) enum InUnit {
    Hit(Arc<Loaded>),
    /// The same text failed to compile, and nothing it depends on has changed.
    Failure(Error),
    /// An intact entry that cannot be used.
    Failed(Error),
    Miss,
}

/// Kernels that were looked up in one batch, by index key and content: many ways can lead down to one.
#[derive(Debug, Default)]
pub(super) struct Verified {
    opened: HashMap<(Signature, Signature), Arc<Loaded>>,
    /// Still what they were, but not loaded.
    holding: HashSet<(Signature, Signature)>,
}

/// How many kernels deep a lookup follows recorded dependencies. What is deeper is generated, which ends at
/// kernels that are less deep.
pub(super) const DEEPEST: usize = 100;

/// By which compiler an entry must have been made.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Whose {
    /// The one that this engine would use.
    Own,
    /// The one that another rank would use, which builds for this one; any, if it has none.
    Builder(Option<Signature>),
}

/// Where the dependencies of a variant come from.
enum Below<'a> {
    /// They were loaded for this unit, whose signature names them.
    Known(&'a [Arc<Loaded>]),
    /// They are looked up as the variant recorded them, so many kernels below the one that is asked for.
    Recorded(&'a mut Verified, usize),
}

pub(super) enum Opened {
    Loaded(Arc<Loaded>),
    Unusable(String),
    /// Something that it was made from is not what it was.
    Changed(String),
    Failed(Error),
}

impl Engine {
    /// Looks for a kernel by its spec: the generator does not run, no process is started.
    ///
    /// Whether something that it was made from has changed comes with a miss.
    fn look_up(&self, spec: &AnySpec, verified: &mut Verified, compiler: Whose) -> (Found, bool) {
        let key = self.index_key(spec);
        match self.store.index(&key) {
            None => (Found::Miss("not in the cache".to_owned()), false),
            Some(index) => {
                let mut changed = false;
                (self.look_into(index, &key, spec, verified, (compiler, &mut changed)), changed)
            }
        }
    }

    fn look_into(
        &self,
        mut index: Index,
        key: &Signature,
        spec: &AnySpec,
        verified: &mut Verified,
        (compiler, changed): (Whose, &mut bool),
    ) -> Found {
        let digest = match compiler {
            Whose::Own => self.compiler_digest(),
            Whose::Builder(digest) => digest,
        };
        let mut reason = None;
        for position in 0..index.variants.len() {
            let variant = &index.variants[position];
            if digest.is_some_and(|digest| digest != variant.toolchain) {
                reason.get_or_insert_with(|| "another compiler or processor".to_owned());
                continue;
            }
            let below = Below::Recorded(&mut *verified, 0);
            match self.open_variant(spec.name(), &spec.at(), key, &mut index, position, below) {
                Opened::Loaded(loaded) => {
                    if digest.is_none() && !self.is_sealed() {
                        self.no_compiler.call_once(|| {
                            log::warn!(
                                "no usable compiler: {} and others come from the cache as some compiler left \
                                 them",
                                spec.at()
                            );
                        });
                    }
                    verified.opened.insert((*key, loaded.content), loaded.clone());
                    if self.config.generator.check.value
                        && let Err(error) = self.check(spec, &loaded)
                    {
                        return Found::Failed(error);
                    }
                    return Found::Hit(loaded, KernelOrigin::Disk);
                }
                Opened::Failed(error) => return Found::Failed(error),
                // The reason of the newest variant is the one worth telling.
                Opened::Unusable(why) => {
                    reason.get_or_insert(why);
                }
                Opened::Changed(why) => {
                    *changed = true;
                    reason.get_or_insert(why);
                }
            }
        }
        Found::Miss(reason.unwrap_or_else(|| "not in the cache".to_owned()))
    }

    /// Looks for a kernel by its spec in the user's cache, and then in site caches.
    pub(super) fn look_in_caches(&self, spec: &AnySpec, verified: &mut Verified, compiler: Whose) -> Found {
        let start = self.trace.begin();
        let found = match self.look_up(spec, verified, compiler) {
            (Found::Miss(reason), changed) => self.look_up_sites(spec, reason, changed),
            (found, _) => found,
        };
        self.trace.did("lookup", start, || spec.at());
        found
    }

    /// Looks for a kernel by its spec, and leaves it at that.
    pub(super) fn look_only(&self, spec: &AnySpec) -> Result<Option<(Arc<Loaded>, KernelOrigin)>> {
        spec.check_name()?;
        memory::claim(spec)?;
        match self.look_in_caches(spec, &mut Verified::default(), Whose::Own) {
            Found::Hit(loaded, origin) => {
                self.memory.put(spec, &loaded);
                Ok(Some((loaded, origin)))
            }
            Found::Failed(error) => Err(error),
            Found::Miss(reason) => {
                log::debug!("{}: {reason}", spec.at());
                Ok(None)
            }
        }
    }

    /// Looks for a kernel by its unit: a rebuilt program finds what its predecessor compiled.
    pub(super) fn look_up_unit(
        &self,
        spec: &AnySpec,
        unit: &Unit,
        parts: &Parts,
        dependencies: &[Arc<Loaded>],
    ) -> InUnit {
        let key = unit_key(&unit.signature);
        let known = self.store.index(&key).or_else(|| self.memory.failure(&key));
        let Some(mut index) = known else { return InUnit::Miss };
        let digest = self.compiler_digest();
        for position in 0..index.variants.len() {
            if let VariantOutcome::Failure(text) = &index.variants[position].outcome {
                let inputs = &index.variants[position].inputs;
                if let Holds::Yes | Holds::Restamped(_) = inputs.holds(&self.store)
                    && let Ok(failure) = serde_json::from_str::<super::failures::Failure>(text)
                {
                    return InUnit::Failure(failure.into_error(&unit.at));
                }
                continue;
            }
            let below = Below::Known(dependencies);
            match self.open_variant(spec.name(), &unit.at, &key, &mut index, position, below) {
                Opened::Loaded(loaded) => {
                    let variant = Variant {
                        // Flags that do not matter for this unit can make another digest. With the old one
                        // this answer would never be found by the spec.
                        toolchain: digest.unwrap_or(index.variants[position].toolchain),
                        dependencies: self.dependency_records(spec, dependencies, parts),
                        ..index.variants[position].clone()
                    };
                    self.add_variant(&self.index_key(spec), variant);
                    return InUnit::Hit(loaded);
                }
                Opened::Failed(error) => return InUnit::Failed(error),
                Opened::Unusable(why) | Opened::Changed(why) => log::debug!("{}: {why}", unit.at),
            }
        }
        InUnit::Miss
    }
}

impl Engine {
    fn open_variant(
        &self,
        name: &str,
        at: &str,
        key: &Signature,
        index: &mut Index,
        position: usize,
        below: Below<'_>,
    ) -> Opened {
        let start = Instant::now();
        let VariantOutcome::Content(content) = index.variants[position].outcome else {
            return Opened::Unusable("it did not compile".to_owned());
        };
        let lacking = index.variants[position].cpu.missing_on_host();
        if !lacking.is_empty() {
            return Opened::Unusable(needs(&lacking));
        }
        match index.variants[position].inputs.holds(&self.store) {
            Holds::Yes => {}
            Holds::Restamped(inputs) => {
                index.variants[position].inputs = inputs;
                if let Err(error) = self.store.store_index(key, index) {
                    log::debug!("cannot refresh the index of {at}: {error}");
                }
            }
            Holds::No(change) => return Opened::Changed(change.to_string()),
        }
        let variant = &index.variants[position];
        let mut dependencies = Vec::with_capacity(variant.dependencies.len());
        match below {
            Below::Known(loaded) => dependencies.extend_from_slice(loaded),
            Below::Recorded(verified, depth) => {
                for dependency in &variant.dependencies {
                    if !dependency.linked {
                        if let Err(why) = self.holds(dependency, verified, depth + 1) {
                            return Opened::Changed(format!("{}: {why}", dependency.name));
                        }
                        continue;
                    }
                    match self.open_dependency(dependency, verified, depth + 1) {
                        Opened::Loaded(loaded) => dependencies.push(loaded),
                        Opened::Unusable(why) => {
                            return Opened::Unusable(format!("{}: {why}", dependency.name));
                        }
                        Opened::Changed(why) => {
                            return Opened::Changed(format!("{}: {why}", dependency.name));
                        }
                        failed @ Opened::Failed(_) => return failed,
                    }
                }
            }
        }
        let report = Report { lookup: start.elapsed(), ..Report::default() };
        self.open_entry(name, at, variant, &content, dependencies, report)
    }

    /// A kernel that another one was linked to: it must still be what that one was linked to.
    fn open_dependency(&self, dependency: &Dependency, verified: &mut Verified, depth: usize) -> Opened {
        let place = (dependency.key, dependency.content);
        if let Some(loaded) = verified.opened.get(&place) {
            return Opened::Loaded(loaded.clone());
        }
        let name = &dependency.name;
        if dependency.is_by_content()
            && let Ok(loaded) = self.open_by_content(&dependency.content, depth)
        {
            return Opened::Loaded(loaded);
        }
        let (mut index, position) = match self.recorded(dependency, depth) {
            Ok(found) => found,
            Err(why) => {
                let Some((site, kernel)) = self.kept_on_site(dependency) else {
                    return Opened::Changed(why);
                };
                return self.open_site_kernel(site, &kernel, name, name, depth);
            }
        };
        let below = Below::Recorded(&mut *verified, depth);
        let opened = self.open_variant(name, name, &dependency.key, &mut index, position, below);
        if let Opened::Loaded(loaded) = &opened {
            verified.opened.insert(place, loaded.clone());
        }
        opened
    }

    /// A kernel that a generator loaded: it must still be what the generator got, but nobody calls it now.
    fn holds(&self, dependency: &Dependency, verified: &mut Verified, depth: usize) -> Result<(), String> {
        let place = (dependency.key, dependency.content);
        if verified.opened.contains_key(&place) || verified.holding.contains(&place) {
            return Ok(());
        }
        if dependency.is_by_content() && self.fs.exists(&self.store.entry_path(&dependency.content)) {
            return Ok(());
        }
        let (index, position) = match self.recorded(dependency, depth) {
            Ok(found) => found,
            Err(why) => return self.kept_on_site(dependency).map(|_| ()).ok_or(why),
        };
        let variant = &index.variants[position];
        if let Holds::No(change) = variant.inputs.holds(&self.store) {
            return Err(change.to_string());
        }
        for below in &variant.dependencies {
            self.holds(below, verified, depth + 1).map_err(|why| format!("{}: {why}", below.name))?;
        }
        verified.holding.insert(place);
        Ok(())
    }

    /// Where the index has what a dependency was when its dependent was built.
    fn recorded(&self, dependency: &Dependency, depth: usize) -> Result<(Index, usize), String> {
        if let Some((path, stamp)) = &dependency.object
            && !matches!(self.fs.stamp(path), Ok(Some(now)) if now == *stamp)
        {
            return Err(format!("{}, which generates it, was rebuilt", path.display()));
        }
        if depth > DEEPEST {
            return Err("too many kernels deep for one lookup".to_owned());
        }
        if dependency.is_by_content() {
            return Err("not in the cache".to_owned());
        }
        let index = self.store.index(&dependency.key).ok_or("not in the cache")?;
        let wanted = VariantOutcome::Content(dependency.content);
        let position = index.variants.iter().position(|variant| variant.outcome == wanted);
        position.map(|position| (index, position)).ok_or_else(|| "it was built anew".to_owned())
    }

    pub(super) fn open_entry(
        &self,
        name: &str,
        at: &str,
        variant: &Variant,
        content: &Signature,
        dependencies: Vec<Arc<Loaded>>,
        mut report: Report,
    ) -> Opened {
        if let Some(loaded) = self.memory.library(content) {
            return Opened::Loaded(loaded);
        }
        let start = Instant::now();
        let entry = match self.store.read(content) {
            Ok(entry) => entry,
            Err(Defect::Missing) => return Opened::Unusable("its entry was removed".to_owned()),
            Err(defect) => {
                self.store.quarantine(content, &defect);
                return Opened::Unusable(format!("its entry is damaged: {defect}"));
            }
        };
        let VerifiedEntry { elf, seal, len, marked } = entry;
        if marked {
            // The other way to it is as much in use: a rebuilt program will need it.
            self.store.mark_index(&unit_key(&variant.unit));
        }
        let lacking = seal.cpu.missing_on_host();
        if !lacking.is_empty() {
            return Opened::Unusable(needs(&lacking));
        }
        let path = self.store.entry_path(content);
        report.lookup += start.elapsed();
        let in_place = self.store.loadable_in_place();
        let opening = Opening {
            name,
            at,
            unit: &variant.unit,
            content,
            cpu: seal.cpu,
            len,
            dependencies,
            has_entry: variant.entry,
            kept: None,
            in_place,
            report,
        };
        match self.open_library(opening, &elf, Some(path)) {
            Ok(loaded) => {
                self.counters.disk_hits.one();
                self.counters.saved_us.add(variant.took_us);
                Opened::Loaded(loaded)
            }
            Err(error) => Opened::Failed(error),
        }
    }
}

fn needs(lacking: &[String]) -> String {
    format!("built for a processor with {}", lacking.join(", "))
}
