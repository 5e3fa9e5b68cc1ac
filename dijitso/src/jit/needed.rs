//! A kernel with everything below it, as other ranks and their caches need it.
//!
//! A kernel that is *linked* must be loaded first, wherever its dependent is loaded. One that the generator has only
//! *loaded* is called by nobody now; but the index of the receiving cache leads to the dependent only as long as it
//! knows that kernel as well.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;

use super::engine::Engine;
use super::facts::{Facts, Packed};
use super::luggage::Luggage;
use crate::cache::{Bytes, Defect, Routes, Seal, Variant};
use crate::kernel::{Loaded, closure};
use crate::signature::Signature;
use crate::source::AnySpec;

/// A kernel that is needed somewhere else.
#[derive(Debug, Clone)]
pub(crate) struct Needed {
    pub(crate) content: Signature,
    pub(crate) name: String,
    /// Whether it must be loaded there; else it is enough that a cache has it.
    pub(crate) linked: bool,
    pub(crate) loaded: Option<Arc<Loaded>>,
    /// Under which key the index has it, and for which spec.
    key: Option<Signature>,
    spec: Option<Signature>,
    variant: Option<Variant>,
}

impl Engine {
    /// Everything that a kernel needs, dependencies first, and the kernel itself last.
    pub(crate) fn needed(&self, spec: &AnySpec, loaded: &Arc<Loaded>, luggage: &Luggage) -> Vec<Needed> {
        let linked: HashMap<Signature, Arc<Loaded>> =
            closure(std::slice::from_ref(loaded)).into_iter().map(|below| (below.content, below)).collect();
        let mut root =
            self.needed_as(loaded.content, &loaded.name, Some(self.index_key(spec)), &linked, luggage);
        root.spec = Some(spec.signature());
        let (mut seen, mut order) = (HashSet::from([root.content]), Vec::new());
        // A list instead of recursion: chains can be thousands of kernels long. With each kernel what is below it and
        // was not visited yet.
        let mut stack = vec![(self.below(&root), root)];
        while let Some((below, _)) = stack.last_mut() {
            let Some((content, name, key)) = below.pop() else {
                order.extend(stack.pop().map(|(_, needed)| needed));
                continue;
            };
            if seen.insert(content) {
                let needed = self.needed_as(content, &name, key, &linked, luggage);
                stack.push((self.below(&needed), needed));
            }
        }
        order
    }

    fn needed_as(
        &self,
        content: Signature,
        name: &str,
        key: Option<Signature>,
        linked: &HashMap<Signature, Arc<Loaded>>,
        luggage: &Luggage,
    ) -> Needed {
        let called = linked.get(&content).cloned();
        let is_linked = called.is_some();
        let loaded = called.or_else(|| self.memory.library(&content));
        let variant = self.variant_of(&content, key.as_ref(), loaded.as_deref(), luggage);
        Needed { content, name: name.to_owned(), linked: is_linked, loaded, key, spec: None, variant }
    }

    /// What the index, or whoever has just built it, says about an entry.
    fn variant_of(
        &self,
        content: &Signature,
        key: Option<&Signature>,
        loaded: Option<&Loaded>,
        luggage: &Luggage,
    ) -> Option<Variant> {
        let packed = luggage.get(content).map(|packed| &packed.routes);
        let kept = loaded.and_then(|loaded| loaded.kept.get()).map(|kept| &kept.routes);
        let routes = || [packed, kept].into_iter().flatten();
        let exact = key.and_then(|key| {
            let collected = routes().find_map(|routes| routes.variant(key, content)).cloned();
            collected.or_else(|| {
                let variants = self.store.index(key)?.variants;
                variants.into_iter().find(|variant| variant.leads_to(content))
            })
        });
        // Built for another spec with the same text.
        exact.or_else(|| {
            routes().find_map(|routes| routes.to(content).next()).map(|(_, variant)| variant.clone())
        })
    }

    /// Directly below a kernel, the last one first.
    fn below(&self, needed: &Needed) -> Vec<(Signature, String, Option<Signature>)> {
        let recorded = needed.variant.iter().flat_map(|variant| &variant.dependencies);
        let mut below: Vec<(Signature, String, Option<Signature>)> =
            recorded.map(|d| (d.content, d.name.clone(), Some(d.key))).collect();
        // Of a kernel from a site cache nothing else is known.
        for linked in needed.loaded.iter().flat_map(|loaded| &loaded.dependencies) {
            if below.iter().all(|(content, ..)| *content != linked.content) {
                below.push((linked.content, linked.name.clone(), None));
            }
        }
        below.reverse();
        below
    }

    /// Makes a kernel ready to travel: from the luggage, or read from its file and verified, whole.
    ///
    /// # Errors
    /// Its bytes are nowhere any more, in words that continue "kernel .. cannot be sent: ..". It must be built again,
    /// see `forced` of [`build_packed`](Self::build_packed).
    pub(crate) fn pack(&self, needed: &Needed, luggage: &Luggage) -> Result<Packed, String> {
        let mut packed = match luggage.get(&needed.content) {
            Some(packed) => packed.clone(),
            None => self.repack(needed)?,
        };
        // What must not be stored has none.
        if let (Some(key), Some(variant)) = (needed.key, &needed.variant) {
            packed.routes.add(&self.store, key, needed.spec, variant);
            packed.routes.add(&self.store, self.unit_key(&variant.unit), None, variant);
        }
        Ok(packed)
    }

    fn repack(&self, needed: &Needed) -> Result<Packed, String> {
        let kept = needed.loaded.as_ref().and_then(|loaded| loaded.kept.get());
        if let Some(kept) = kept
            && let Some(bytes) = kept.entry()
        {
            let facts = self.facts_of(needed, bytes, kept.elf_len)?;
            return Ok(Packed { facts, bytes: bytes.clone(), routes: kept.routes.clone() });
        }
        let (bytes, seal) = self.read_whole(needed)?;
        let facts = self.facts_of(needed, &bytes, seal.elf_len)?;
        Ok(Packed { facts, bytes, routes: Routes::default() })
    }

    fn facts_of(&self, needed: &Needed, bytes: &Bytes, elf_len: u64) -> Result<Arc<Facts>, String> {
        let loaded = needed.loaded.as_ref().and_then(|loaded| Facts::of(loaded));
        let recorded = || {
            let variant = needed.variant.as_ref()?;
            let links = variant.dependencies.iter().filter(|dependency| dependency.linked);
            Some(Facts {
                name: needed.name.clone(),
                at: needed.name.clone(),
                content: needed.content,
                unit: variant.unit,
                has_entry: variant.entry,
                // Nobody asks a kernel that is not loaded.
                exports: Vec::new(),
                links: links.map(|dependency| dependency.content).collect(),
                cpu: variant.cpu,
                elf_len,
                len: bytes.len(),
            })
        };
        let facts = loaded.or_else(recorded).ok_or("it is part of the program")?;
        Ok(Arc::new(Facts { elf_len, len: bytes.len(), ..facts }))
    }

    /// The entry's file, wherever there is one: in the cache, or in a site cache.
    fn read_whole(&self, needed: &Needed) -> Result<(Bytes, Seal), String> {
        let own = self.store.entry_path(&needed.content);
        let loaded_from = needed.loaded.as_ref().and_then(|loaded| loaded.path.get()).cloned();
        let on_site =
            || self.on_site(&needed.content).and_then(|(site, kernel)| site.path_of(&kernel.content));
        let mut defect = Defect::Missing;
        let candidates = [loaded_from, Some(own.clone())].into_iter().flatten();
        for path in candidates.map(Some).chain([None]) {
            let Some(path) = path.or_else(on_site) else { continue };
            match Bytes::open(&self.fs, &path, &needed.content) {
                Ok(read) => return Ok(read),
                // The first reason is the one worth telling.
                Err(Defect::Missing) => {}
                Err(found) => {
                    if path == own {
                        self.store.quarantine(&needed.content, &found);
                    }
                    defect = found;
                }
            }
        }
        Err(format!("its entry cannot be read back: {defect}"))
    }

    /// Where another process of this machine finds a loaded kernel's file, which was verified when it was loaded.
    pub(crate) fn mappable(&self, loaded: &Loaded) -> Option<PathBuf> {
        let path = loaded.path.get()?;
        let own = *path == self.store.entry_path(&loaded.content) && self.store.loadable_in_place();
        let site = || self.on_site(&loaded.content).is_some_and(|(site, _)| site.loadable_in_place());
        self.in_place(own || site()).then(|| path.clone())
    }
}
