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
use crate::cache::{Bytes, Defect, Dependency, Inputs, Routes, Seal, Variant, VariantOutcome, unit_key};
use crate::kernel::{Loaded, closure};
use crate::signature::{Signature, Signer};
use crate::source::AnySpec;

/// A kernel that is needed somewhere else.
#[derive(Debug, Clone)]
pub(crate) struct Needed {
    pub(crate) content: Signature,
    pub(crate) name: String,
    /// Whether it must be loaded there; else it is enough that a cache has it.
    pub(crate) linked: bool,
    pub(crate) loaded: Option<Arc<Loaded>>,
    /// How the index leads to it: for the specs that ask for it, and for the kernels that need it.
    ways: Vec<Way>,
}

#[derive(Debug, Clone)]
struct Way {
    key: Signature,
    spec: Option<Signature>,
    variant: Variant,
    /// Whether all that the kernel was made from is known, so that its unit may lead to it.
    by_unit: bool,
}

/// A kernel directly below another one.
struct Edge {
    content: Signature,
    name: String,
    /// Under which key the index has it.
    key: Option<Signature>,
}

/// Follows kernels down to what they need.
struct Walk<'a> {
    engine: &'a Engine,
    luggage: &'a Luggage,
    /// Everything that must be loaded.
    linked: HashMap<Signature, Arc<Loaded>>,
    nodes: Vec<Needed>,
    places: HashMap<Signature, usize>,
    /// Kernels and keys that were looked at.
    tried: HashSet<(Signature, Signature)>,
    /// Dependencies first.
    order: Vec<usize>,
}

impl Walk<'_> {
    /// Looks at a kernel, and returns what must be looked at below it, unless that was done.
    fn visit(&mut self, edge: &Edge, spec: Option<Signature>) -> Option<Step> {
        let Edge { content, name, key } = edge;
        let known = self.places.get(content).copied();
        let place = known.unwrap_or_else(|| {
            let called = self.linked.get(content).cloned();
            let linked = called.is_some();
            let loaded = called.or_else(|| self.engine.memory.library(content));
            self.places.insert(*content, self.nodes.len());
            self.nodes.push(Needed {
                content: *content,
                name: name.clone(),
                linked,
                loaded,
                ways: Vec::new(),
            });
            self.nodes.len() - 1
        });
        let mut more = known.is_none();
        if let Some(key) = *key
            && self.tried.insert((*content, key))
        {
            let loaded = self.nodes[place].loaded.clone();
            let known = self.engine.variant_of(content, &key, loaded.as_deref(), self.luggage);
            let of_site = || if spec.is_none() { self.engine.variant_of_site(content) } else { None };
            let by_unit = known.is_some();
            let way = known.or_else(of_site).map(|variant| Way { key, spec, variant, by_unit });
            // Another spec with the same text can have consulted others.
            more |= way.is_some();
            self.nodes[place].ways.extend(way);
        }
        more.then(|| Step { place, new: known.is_none(), below: self.below(place) })
    }

    /// What is directly below, the last one first.
    fn below(&self, place: usize) -> Vec<Edge> {
        let needed = &self.nodes[place];
        let records = needed.ways.iter().flat_map(|way| &way.variant.dependencies);
        let mut below: Vec<Edge> =
            records.map(|d| Edge { content: d.content, name: d.name.clone(), key: Some(d.key) }).collect();
        // Nothing is recorded for what the index does not have.
        for linked in needed.loaded.iter().flat_map(|loaded| &loaded.dependencies) {
            if below.iter().all(|edge| edge.content != linked.content) {
                below.push(Edge { content: linked.content, name: linked.name.clone(), key: None });
            }
        }
        below.reverse();
        below
    }

    /// Depth first, with a list instead of recursion: chains can be thousands of kernels long.
    fn descend(&mut self, root: Step) {
        let mut stack = vec![root];
        while let Some(step) = stack.last_mut() {
            match step.below.pop() {
                Some(edge) => stack.extend(self.visit(&edge, None)),
                None => {
                    self.order.extend(step.new.then_some(step.place));
                    stack.pop();
                }
            }
        }
    }
}

/// A kernel whose dependencies are being looked at.
struct Step {
    place: usize,
    new: bool,
    below: Vec<Edge>,
}

impl Engine {
    /// Everything that a kernel needs, dependencies first, and the kernel itself last.
    pub(crate) fn needed(&self, spec: &AnySpec, loaded: &Arc<Loaded>, luggage: &Luggage) -> Vec<Needed> {
        self.needed_by(&[(spec, loaded)], luggage)
    }

    /// The same for several kernels: each library once, after those that it is linked to.
    pub(crate) fn needed_by(&self, kernels: &[(&AnySpec, &Arc<Loaded>)], luggage: &Luggage) -> Vec<Needed> {
        let roots: Vec<Arc<Loaded>> = kernels.iter().map(|(_, loaded)| (*loaded).clone()).collect();
        let mut walk = Walk {
            engine: self,
            luggage,
            linked: closure(&roots).into_iter().map(|below| (below.content, below)).collect(),
            nodes: Vec::new(),
            places: HashMap::new(),
            tried: HashSet::new(),
            order: Vec::new(),
        };
        for (spec, loaded) in kernels {
            let key = Some(self.index_key(spec));
            let edge = Edge { content: loaded.content, name: loaded.name.clone(), key };
            if let Some(step) = walk.visit(&edge, Some(spec.signature())) {
                walk.descend(step);
            }
        }
        let Walk { nodes, order, .. } = walk;
        let mut nodes: Vec<Option<Needed>> = nodes.into_iter().map(Some).collect();
        order.into_iter().filter_map(|place| nodes[place].take()).collect()
    }

    /// What the index, or whoever has just built it, says about an entry.
    fn variant_of(
        &self,
        content: &Signature,
        key: &Signature,
        loaded: Option<&Loaded>,
        luggage: &Luggage,
    ) -> Option<Variant> {
        let packed = luggage.get(content).map(|packed| &packed.routes);
        let kept = loaded.and_then(|loaded| loaded.kept.get()).map(|kept| &kept.routes);
        let routes = || [packed, kept].into_iter().flatten();
        if let Some(variant) = routes().find_map(|routes| routes.variant(key, content)) {
            return Some(variant.clone());
        }
        let mut stored = self.store.index(key).map(|index| index.variants).unwrap_or_default().into_iter();
        stored
            .find(|variant| variant.leads_to(content))
            // Built for another spec with the same text.
            .or_else(|| {
                routes().find_map(|routes| routes.to(content).next()).map(|(_, variant)| variant.clone())
            })
    }

    /// A kernel that is below one of ours, and that is from a site cache: where there is no site cache, the index must
    /// lead to it. No compiler has this identity, so its own spec finds it only where any compiler would do.
    fn variant_of_site(&self, content: &Signature) -> Option<Variant> {
        let (_, kernel) = self.on_site(content)?;
        let link = |content: &Signature| Dependency {
            key: site_key(content),
            name: self.on_site(content).map_or_else(|| content.short(), |(_, kernel)| kernel.name),
            content: *content,
            linked: true,
            object: None,
        };
        Some(Variant {
            toolchain: site_key(content),
            unit: kernel.unit,
            outcome: VariantOutcome::Content(*content),
            entry: kernel.entry,
            cpu: kernel.cpu,
            created: 0,
            took_us: 0,
            dependencies: kernel.links.iter().map(link).collect(),
            inputs: Inputs::default(),
        })
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
        for Way { key, spec, variant, by_unit } in &needed.ways {
            packed.routes.add(&self.store, *key, *spec, variant);
            if *by_unit {
                packed.routes.add(&self.store, unit_key(&variant.unit), None, variant);
            }
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
            let variant = &needed.ways.first()?.variant;
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
        let here = match *path == self.store.entry_path(&loaded.content) {
            true => self.store.loadable_in_place(),
            false => self.on_site(&loaded.content).is_some_and(|(site, _)| self.maps_from(site)),
        };
        self.in_place(here).then(|| path.clone())
    }
}

/// Where the index of another cache has what was a site cache's here.
fn site_key(content: &Signature) -> Signature {
    let mut signer = Signer::quiet("dijitso site kernel 1");
    signer.field("content", content);
    signer.finish()
}
