//! After the compiler: name the library by its content, seal it, publish it, index it, load it.

use std::collections::HashSet;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use super::engine::{Compiler, Engine};
use super::facts::{Facts, Packed};
use super::opening::Opening;
use crate::cache::{
    Bytes, Dependency, EntryMeta, Inputs, Routes, Texts, Variant, VariantOutcome, encode, unit_key,
};
use crate::compile::{Built, EXPORTS, Unit, questions, symbol_name};
use crate::error::Error;
use crate::fs::Published;
use crate::kernel::{Kept, Loaded};
use crate::report::Report;
use crate::signature::{Signature, Signer};
use crate::source::{AnySpec, Parts, render};

/// A unit whose library has been built.
pub(super) struct Making<'a> {
    pub(super) spec: &'a AnySpec,
    pub(super) unit: &'a Unit,
    pub(super) parts: &'a Parts,
    pub(super) dependencies: &'a [Arc<Loaded>],
    /// The sources, if there was time to compress them.
    pub(super) texts: Option<Texts>,
    pub(super) report: Report,
    /// It is built for its bytes: its file was gone.
    pub(super) renewed: bool,
    /// Take the library as it is, without caching it, rather than build once more.
    pub(super) last_attempt: bool,
}

pub(super) enum Finished {
    Loaded(Arc<Loaded>),
    /// A file that the compiler read was changed while it ran; what, in words.
    Changed(String),
    Failed(Error),
}

impl Engine {
    pub(super) fn finish(&self, making: &Making<'_>, mut built: Built) -> Finished {
        let start = Instant::now();
        let context = self.context();
        let Ok(compiler) = &context.compiler else {
            return Finished::Changed("the compiler".to_owned());
        };
        let unit = making.unit;
        built.inputs.extend(self.named_files(unit));
        let collected = match Inputs::collect(
            &self.store,
            &built.inputs,
            &self.questions(unit),
            &unit.flags.search,
            built.started,
        ) {
            Ok(collected) => collected,
            Err(error) if making.last_attempt => {
                return Finished::Failed(Error::io(
                    "cannot read what the compiler read:",
                    &error.path,
                    &error.error,
                ));
            }
            Err(error) => return Finished::Changed(error.path.display().to_string()),
        };
        let changed = match &collected.changed {
            Some(path) => Some(path.display().to_string()),
            None if !self.still(compiler, unit) => Some("the compiler".to_owned()),
            None => None,
        };
        if let Some(what) = &changed
            && !making.last_attempt
        {
            return Finished::Changed(what.clone());
        }
        let content = content_signature(&unit.signature, &collected.digest);
        if let Err(error) = unit.name_library(&mut built.elf, &content) {
            return Finished::Failed(error);
        }
        let mut report = making.report.clone();
        report.compile = built.compile;
        report.link = built.link;
        self.counters.compile_us.add(microseconds(built.compile + built.link));

        let entry = match self.entry(making, &built, &content, &collected.files) {
            Ok(entry) => Some(Arc::new(entry)),
            Err(error) => {
                self.cannot_write(&error);
                None
            }
        };
        // A library made while its headers changed is used once and never stored: nobody can say what is in it.
        let variant = match changed {
            Some(what) => {
                log::warn!("{}: {what} keeps changing during the build; the kernel is not cached", unit.at);
                None
            }
            None => Some(self.variant(making, &built, &content, collected.inputs, compiler.digest)),
        };
        let stored = entry
            .as_ref()
            .zip(variant.as_ref())
            .and_then(|(entry, variant)| self.store_entry(entry, &content, variant, making.spec));
        report.publish = start.elapsed();
        self.trace.did("publish", Some(start), || unit.at.clone());
        let collecting = self.collection.is_wanted();
        let mut routes = Routes::default();
        // What was gone when somebody wanted to link to it may be gone again before they do.
        let keep = stored.is_none() || making.renewed;
        if let (Some(variant), true) = (&variant, collecting || keep) {
            let spec = making.spec.signature();
            routes.add(&self.store, self.index_key(making.spec), Some(spec), variant);
            routes.add(&self.store, unit_key(&unit.signature), None, variant);
        }
        let kept = keep.then(|| Kept {
            bytes: Bytes::Memory(entry.clone().unwrap_or_else(|| Arc::new(built.elf.clone()))),
            elf_len: built.elf.len() as u64,
            headers: unit.headers.clone(),
            routes: routes.clone(),
        });
        let loaded = match self.memory.library(&content) {
            // Built once more, for its bytes: the loader would only have it twice.
            Some(known) => {
                known.is_now(stored, kept);
                known
            }
            None => {
                let opening = Opening {
                    name: &unit.name,
                    at: &unit.at,
                    unit: &unit.signature,
                    content: &content,
                    cpu: unit.flags.features,
                    len: entry.as_ref().map_or(0, |entry| entry.len() as u64),
                    dependencies: making.dependencies.to_vec(),
                    has_entry: unit.symbol.is_some(),
                    kept,
                    in_place: self.store.loadable_in_place(),
                    report,
                };
                match self.open_library(opening, &built.elf, stored) {
                    Ok(loaded) => loaded,
                    Err(error) => return Finished::Failed(error),
                }
            }
        };
        if let (Some(entry), Some(facts), true) = (entry, Facts::of(&loaded), collecting) {
            let facts = Arc::new(Facts { len: entry.len() as u64, ..facts });
            self.collection.add(Packed { facts, bytes: Bytes::Memory(entry), routes });
        }
        Finished::Loaded(loaded)
    }

    /// The sources for a unit's entry.
    pub(super) fn texts(&self, unit: &Unit, parts: &Parts) -> io::Result<Texts> {
        // Without lines of the Rust file, which are no part of the kernel. They are megabytes with some
        // generators, so they are not rendered once more for nothing.
        let rendered = if parts.is_located() {
            let symbol = symbol_name(&unit.name, &unit.signature.to_hex());
            &render(parts, &unit.name, &symbol, false)
        } else {
            &unit.rendered
        };
        let own =
            rendered.files.iter().filter(|(name, _)| unit.headers.iter().all(|(header, _)| header != name));
        let files: Vec<(&str, &[u8])> = own.map(|(name, text)| (name.as_str(), text.as_bytes())).collect();
        Texts::compress(&files)
    }

    /// The sealed entry of what was built.
    fn entry(
        &self,
        making: &Making<'_>,
        built: &Built,
        content: &Signature,
        inputs: &[(PathBuf, Signature)],
    ) -> io::Result<Vec<u8>> {
        let unit = making.unit;
        let meta = meta(making, built, content, inputs);
        let files = [
            // What the link reads beside them: with it the recorded commands can be run again.
            (EXPORTS, unit.rendered.version_script.as_bytes()),
            ("build.log", built.log.as_bytes()),
        ];
        let late = making.texts.is_none().then(|| self.texts(unit, making.parts)).transpose()?;
        let texts = making.texts.as_ref().or(late.as_ref());
        let (headers, cpu) = (&unit.headers, unit.flags.features);
        encode(&built.elf, content, cpu, texts.unwrap_or(&Texts::default()), &files, headers, &meta)
    }

    fn variant(
        &self,
        making: &Making<'_>,
        built: &Built,
        content: &Signature,
        inputs: Inputs,
        toolchain: Signature,
    ) -> Variant {
        let unit = making.unit;
        Variant {
            toolchain,
            unit: unit.signature,
            outcome: VariantOutcome::Content(*content),
            entry: unit.symbol.is_some(),
            cpu: unit.flags.features,
            created: now(),
            took_us: microseconds(built.compile + built.link),
            dependencies: self.dependency_records(making.spec, making.dependencies, making.parts),
            inputs,
        }
    }

    /// Publishes and indexes; returns the file if it can be loaded as what was just built.
    fn store_entry(
        &self,
        entry: &[u8],
        content: &Signature,
        variant: &Variant,
        spec: &AnySpec,
    ) -> Option<PathBuf> {
        match self.store.publish(content, entry) {
            Ok(Published::New) => self.counters.published(entry.len() as u64),
            Ok(Published::Existing) => {}
            Err(error) => {
                self.cannot_write(&error);
                return None;
            }
        }
        self.add_variant(&unit_key(&variant.unit), variant.clone());
        self.add_variant(&self.index_key(spec), variant.clone());
        Some(self.store.entry_path(content))
    }
}

impl Engine {
    pub(super) fn questions(&self, unit: &Unit) -> Vec<String> {
        questions(unit, self.environment.iter().find(|(n, _)| n == "LIBRARY_PATH").map(|(_, v)| v.as_str()))
    }

    /// Files that a kernel's own flags name or run, and its tools do not list: the index key does not know them.
    pub(super) fn named_files(&self, unit: &Unit) -> impl Iterator<Item = PathBuf> {
        unit.flags.inputs().into_iter().filter(|path| self.fs.is_file(path))
    }

    /// Whether a unit was built by the compiler that is there now, all the time.
    pub(super) fn still(&self, compiler: &Compiler, unit: &Unit) -> bool {
        compiler.toolchain.identity() == unit.toolchain && compiler.toolchain.unchanged(&self.fs)
    }

    pub(super) fn add_variant(&self, key: &Signature, variant: Variant) {
        if let Err(error) = self.store.add_variant(key, variant) {
            self.cannot_write(&error);
        }
    }

    /// What the index keeps of a kernel's dependencies, so that a warm start can follow them without
    /// generating anything.
    pub(super) fn dependency_records(
        &self,
        spec: &AnySpec,
        loaded: &[Arc<Loaded>],
        parts: &Parts,
    ) -> Vec<Dependency> {
        let home = crate::library::object_of(spec.generator_address());
        let linked = parts.dependencies.iter().zip(loaded.iter().map(|loaded| loaded.content));
        let mut seen = HashSet::new();
        let consulted = parts.consulted.iter().map(|(spec, content)| (spec, *content));
        // A generator that loads what it is linked to, as FFC's do, says nothing new.
        let consulted = consulted.filter(|(_, content)| {
            seen.insert(*content) && loaded.iter().all(|loaded| loaded.content != *content)
        });
        linked
            .map(|(dependency, content)| (dependency, content, true))
            .chain(consulted.map(|(dependency, content)| (dependency, content, false)))
            .map(|(dependency, content, linked)| {
                let object = crate::library::object_of(dependency.generator_address());
                let foreign = object.filter(|path| home.as_ref() != Some(path));
                let object = foreign.and_then(|path| {
                    let stamp = self.fs.stamp(&path).ok().flatten()?;
                    Some((path, stamp))
                });
                if dependency.content() == Some(content) {
                    return Dependency::by_content(dependency.name(), content, linked);
                }
                Dependency {
                    key: self.index_key(dependency),
                    name: dependency.name().to_owned(),
                    content,
                    linked,
                    object,
                }
            })
            .collect()
    }
}

/// Names an entry and its SONAME: the unit, and the content of every file that the tools read for it.
fn content_signature(unit: &Signature, inputs: &Signature) -> Signature {
    let mut signer = Signer::quiet("dijitso content 1");
    signer.field("unit", unit);
    signer.field("inputs", inputs);
    signer.finish()
}

pub(super) fn microseconds(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

pub(super) fn now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |d| d.as_secs())
}

/// What `explain` and people who unzip an entry want to know.
fn meta(
    making: &Making<'_>,
    built: &Built,
    content: &Signature,
    files: &[(PathBuf, Signature)],
) -> EntryMeta {
    let (spec, unit) = (making.spec, making.unit);
    let mut ingredients = unit.ingredients.clone();
    ingredients.extend(spec.ingredients().into_iter().map(|(name, value)| (name.to_owned(), value)));
    EntryMeta {
        content: *content,
        unit: unit.signature,
        spec: spec.signature(),
        name: unit.name.clone(),
        description: spec.description(),
        location: spec.location(),
        symbol: unit.symbol.clone(),
        exports: unit.rendered.exports.clone(),
        ingredients,
        flags: [&unit.flags.compile, &unit.flags.link, &unit.flags.libraries]
            .into_iter()
            .flatten()
            .cloned()
            .collect(),
        commands: built.commands.clone(),
        inputs: files.iter().map(|(path, digest)| (path.display().to_string(), *digest)).collect(),
        dependencies: making.dependencies.iter().map(|d| d.content).collect(),
        compile_seconds: built.compile.as_secs_f64(),
        link_seconds: built.link.as_secs_f64(),
        created: now(),
        creator: concat!("dijitso ", env!("CARGO_PKG_VERSION")).to_owned(),
    }
}
