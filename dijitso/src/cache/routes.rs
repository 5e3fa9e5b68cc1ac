//! What leads to entries, on its way to another cache.
//!
//! An entry alone would be found by nobody: the index has to lead to it, and the index refers to sets of system
//! headers. Both name files of the machine they are from; wherever they arrive, those are looked at by content.

use std::collections::BTreeMap;
use std::io;

use serde::{Deserialize, Serialize};

use super::index::{Variant, VariantOutcome};
use super::inputs::{export_set, import_set};
use super::store::Store;
use crate::signature::Signature;

/// Index variants, with the sets that they refer to, each once.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Routes {
    /// By the entry they lead to.
    routes: BTreeMap<Signature, Vec<Route>>,
    sets: BTreeMap<Signature, Vec<u8>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Route {
    key: Signature,
    /// The spec whose key this is, on the rank where the route begins.
    spec: Option<Signature>,
    variant: Variant,
}

impl Routes {
    /// Adds what is under a key of the index. A failure leads nowhere.
    pub(crate) fn add(&mut self, store: &Store, key: Signature, spec: Option<Signature>, variant: &Variant) {
        let VariantOutcome::Content(content) = variant.outcome else { return };
        if let Some(set) = variant.inputs.set()
            && !self.sets.contains_key(&set)
            && let Some(bytes) = export_set(store, &set)
        {
            self.sets.insert(set, bytes);
        }
        self.insert(content, Route { key, spec, variant: variant.clone() });
    }

    fn insert(&mut self, content: Signature, route: Route) {
        let routes = self.routes.entry(content).or_default();
        if !routes.contains(&route) {
            routes.push(route);
        }
    }

    fn routes_to(&self, content: &Signature) -> &[Route] {
        self.routes.get(content).map_or(&[], Vec::as_slice)
    }

    /// The variant by which a key leads to an entry.
    pub(crate) fn variant(&self, key: &Signature, content: &Signature) -> Option<&Variant> {
        self.routes_to(content).iter().find(|route| route.key == *key).map(|route| &route.variant)
    }

    /// Everything that leads to an entry, as key and variant.
    pub(crate) fn to(&self, content: &Signature) -> impl Iterator<Item = (&Signature, &Variant)> {
        self.routes_to(content).iter().map(|route| (&route.key, &route.variant))
    }

    /// The variant that leads to an entry from a spec; else any that leads there.
    pub(crate) fn of_spec(&self, spec: &Signature, content: &Signature) -> Option<&Variant> {
        let routes = self.routes_to(content);
        let own = routes.iter().find(|route| route.spec.as_ref() == Some(spec));
        own.or(routes.first()).map(|route| &route.variant)
    }

    /// Takes over what somebody else has collected.
    pub(crate) fn merge(&mut self, other: Routes) {
        for (content, routes) in other.routes {
            routes.into_iter().for_each(|route| self.insert(content, route));
        }
        self.sets.extend(other.sets);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.routes.is_empty()
    }

    /// Writes the set that a variant refers to into a cache, before the variant itself.
    pub(crate) fn keep_set(&self, store: &Store, variant: &Variant) -> io::Result<()> {
        let set = variant.inputs.set().and_then(|set| self.sets.get_key_value(&set));
        set.map_or(Ok(()), |(set, bytes)| import_set(store, set, bytes))
    }
}
