//! The disk's answer: by spec without generating, or by unit once the text is known.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use once_cell::sync::OnceCell;

use super::engine::Engine;
use crate::cache::{Defect, Dependency, Holds, Index, Variant, VariantOutcome, VerifiedEntry};
use crate::compile::{Unit, soname, symbol_name};
use crate::config::params::Load;
use crate::error::{Error, Result};
use crate::kernel::{Kept, Loaded};
use crate::library::{Library, LoadError};
use crate::report::Report;
use crate::signature::Signature;
use crate::source::{AnySpec, Parts, render};

/// What the index knows of a spec.
pub(super) enum Found {
    Hit(Arc<Loaded>),
    /// An intact entry that cannot be used, for a reason that compiling again does not remove.
    Failed(Error),
    Miss(String),
}

/// What the index knows of a unit.
pub(super) enum InUnit {
    Hit(Arc<Loaded>),
    /// The same text failed to compile, and nothing it depends on has changed.
    Failure(Error),
    Miss,
}

enum Opened {
    Loaded(Arc<Loaded>),
    Unusable(String),
    Failed(Error),
}

impl Engine {
    /// Looks for a kernel by its spec: the generator does not run, no process is started.
    pub(super) fn look_up(&self, spec: &AnySpec) -> Found {
        let key = self.index_key(spec);
        let Some(mut index) = self.store.index(&key) else {
            return Found::Miss("not in the cache".to_owned());
        };
        let context = self.context();
        let digest = context.compiler.as_ref().ok().map(|c| c.digest);
        let mut reason = None;
        for position in 0..index.variants.len() {
            let variant = &index.variants[position];
            if digest.is_some_and(|digest| digest != variant.toolchain) {
                reason.get_or_insert_with(|| "another compiler or processor".to_owned());
                continue;
            }
            match self.open_variant(spec.name(), &spec.at(), &key, &mut index, position) {
                Opened::Loaded(loaded) => {
                    if digest.is_none() {
                        log::warn!(
                            "no usable compiler: {} comes from the cache as some compiler left it",
                            spec.at()
                        );
                    }
                    if self.config.generator.check.value
                        && let Err(error) = self.check(spec, &loaded)
                    {
                        return Found::Failed(error);
                    }
                    return Found::Hit(loaded);
                }
                Opened::Failed(error) => return Found::Failed(error),
                // The reason of the newest variant is the one worth telling.
                Opened::Unusable(why) => {
                    reason.get_or_insert(why);
                }
            }
        }
        Found::Miss(reason.unwrap_or_else(|| "not in the cache".to_owned()))
    }

    /// Looks for a kernel by its unit: a rebuilt program finds what its predecessor compiled.
    pub(super) fn look_up_unit(
        &self,
        spec: &AnySpec,
        unit: &Unit,
        parts: &Parts,
        dependencies: &[Arc<Loaded>],
    ) -> InUnit {
        let key = self.unit_key(&unit.signature);
        let Some(mut index) = self.store.index(&key) else { return InUnit::Miss };
        for position in 0..index.variants.len() {
            if let VariantOutcome::Failure(text) = &index.variants[position].outcome {
                let inputs = &index.variants[position].inputs;
                if let Holds::Yes | Holds::Restamped(_) = inputs.holds(&self.store)
                    && let Ok(failure) = serde_json::from_str::<super::publish::Failure>(text)
                {
                    return InUnit::Failure(failure.into_error(&unit.at));
                }
                continue;
            }
            match self.open_variant(spec.name(), &unit.at, &key, &mut index, position) {
                Opened::Loaded(loaded) => {
                    let variant = Variant {
                        dependencies: self.dependency_records(spec, dependencies, parts),
                        ..index.variants[position].clone()
                    };
                    self.add_variant(&self.index_key(spec), variant);
                    return InUnit::Hit(loaded);
                }
                Opened::Failed(error) => return InUnit::Failure(error),
                Opened::Unusable(why) => log::debug!("{}: {why}", unit.at),
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
            Holds::No(reason) => return Opened::Unusable(reason),
        }
        let variant = &index.variants[position];
        let mut dependencies = Vec::with_capacity(variant.dependencies.len());
        for dependency in &variant.dependencies {
            match self.open_dependency(dependency) {
                Opened::Loaded(loaded) => dependencies.push(loaded),
                Opened::Unusable(why) => return Opened::Unusable(format!("{}: {why}", dependency.name)),
                failed @ Opened::Failed(_) => return failed,
            }
        }
        let report = Report { lookup: start.elapsed(), ..Report::default() };
        self.open_entry(name, at, &variant.unit, &content, dependencies, variant.entry, report)
    }

    /// A kernel that another one was linked to: it must still be what that one was linked to.
    fn open_dependency(&self, dependency: &Dependency) -> Opened {
        if let Some((path, stamp)) = &dependency.object
            && !matches!(self.fs.stamp(path), Ok(Some(now)) if now == *stamp)
        {
            return Opened::Unusable(format!("{}, which generates it, was rebuilt", path.display()));
        }
        let Some(mut index) = self.store.index(&dependency.key) else {
            return Opened::Unusable("not in the cache".to_owned());
        };
        let wanted = VariantOutcome::Content(dependency.content);
        let Some(position) = index.variants.iter().position(|v| v.outcome == wanted) else {
            return Opened::Unusable("it was built anew".to_owned());
        };
        self.open_variant(&dependency.name, &dependency.name, &dependency.key, &mut index, position)
    }

    #[allow(clippy::too_many_arguments)]
    fn open_entry(
        &self,
        name: &str,
        at: &str,
        unit: &Signature,
        content: &Signature,
        dependencies: Vec<Arc<Loaded>>,
        has_entry: bool,
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
        let VerifiedEntry { elf, seal } = entry;
        let lacking = seal.cpu.missing_on_host();
        if !lacking.is_empty() {
            return Opened::Unusable(needs(&lacking));
        }
        let path = self.store.entry_path(content);
        report.lookup += start.elapsed();
        let opening = Opening { name, at, unit, content, dependencies, has_entry, kept: None, report };
        match self.open_library(opening, &elf, Some(path)) {
            Ok(loaded) => {
                self.counters.disk_hits.one();
                Opened::Loaded(loaded)
            }
            Err(error) => Opened::Failed(error),
        }
    }

    /// Gives verified bytes to the loader: as the file they are in where that is safe, else as memory.
    pub(super) fn open_library(
        &self,
        opening: Opening<'_>,
        elf: &[u8],
        path: Option<PathBuf>,
    ) -> Result<Arc<Loaded>> {
        let Opening { name, at, unit, content, dependencies, has_entry, kept, mut report } = opening;
        let start = Instant::now();
        let in_place = match self.config.cache.load.value {
            Load::File => true,
            Load::Memory => false,
            Load::Auto => self.store.loadable_in_place(),
        };
        let soname = soname(content);
        let library = match path.as_deref().filter(|_| in_place) {
            // The file may have been removed or replaced since it was read: then our bytes still load.
            Some(path) => Library::open_file(path, elf).or_else(|error| match error {
                LoadError::TooMany => Err(error),
                LoadError::Other(_) => self.open_bytes(elf, &soname),
            }),
            None => self.open_bytes(elf, &soname),
        };
        let library = library.map_err(|error| match error {
            LoadError::TooMany => Error::TooManyLibraries { kernel: at.to_owned(), loaded: Library::count() },
            LoadError::Other(problem) => Error::Load { kernel: at.to_owned(), problem },
        })?;
        let symbol = symbol_name(name, &unit.to_hex());
        let entry = if has_entry { library.symbol(&symbol).map_or(0, |a| a.addr()) } else { 0 };
        if has_entry && entry == 0 {
            let problem = format!("its library does not export `{symbol}`");
            return Err(Error::Load { kernel: at.to_owned(), problem });
        }
        report.load = start.elapsed();
        report.bytes = elf.len() as u64;
        Ok(self.memory.keep(Loaded {
            name: name.to_owned(),
            at: at.to_owned(),
            content: *content,
            soname,
            library,
            entry,
            dependencies,
            path,
            kept: kept.map_or_else(OnceCell::new, OnceCell::with_value),
            report,
        }))
    }

    fn open_bytes(&self, elf: &[u8], soname: &str) -> std::result::Result<Library, LoadError> {
        self.counters.memory_loads.one();
        Library::open_bytes(elf, soname)
    }

    /// With checking on: what the generator writes now must be what the entry was made from.
    fn check(&self, spec: &AnySpec, loaded: &Loaded) -> Result<()> {
        self.counters.generated.one();
        let parts = spec.generate()?;
        let mut archive = self.store.archive(&loaded.content).map_err(|defect| Error::Stale {
            kernel: spec.at(),
            diff: format!("the cached text cannot be read: {defect}"),
        })?;
        let symbol = symbol_name(spec.name(), &archive.unit().to_hex());
        for (file, now) in &render(&parts, spec.name(), &symbol, false).files {
            let then = archive.text(file).unwrap_or_default();
            if then != *now {
                return Err(Error::Stale { kernel: spec.at(), diff: first_difference(file, &then, now) });
            }
        }
        Ok(())
    }
}

/// What a library is opened as.
pub(super) struct Opening<'a> {
    pub(super) name: &'a str,
    pub(super) at: &'a str,
    pub(super) unit: &'a Signature,
    pub(super) content: &'a Signature,
    pub(super) dependencies: Vec<Arc<Loaded>>,
    pub(super) has_entry: bool,
    /// Set if no file will hold the library.
    pub(super) kept: Option<Kept>,
    pub(super) report: Report,
}

fn needs(lacking: &[String]) -> String {
    format!("built for a processor with {}", lacking.join(", "))
}

fn first_difference(file: &str, then: &str, now: &str) -> String {
    let (mut old, mut new) = (then.lines(), now.lines());
    let mut line = 1;
    loop {
        match (old.next(), new.next()) {
            (a, b) if a == b && a.is_some() => line += 1,
            (a, b) => {
                let [a, b] = [a, b].map(|l| l.unwrap_or("(end of text)"));
                return format!("{file}:{line}\n- {a}\n+ {b}");
            }
        }
    }
}
