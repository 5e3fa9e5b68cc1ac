//! What leads to entries, on its way to another cache.
//!
//! An entry alone would be found by nobody: the index has to lead to it, and the index refers to sets of system
//! headers. Both name files of the machine they are from; wherever they arrive, those are looked at by content.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::sync::Arc;

use serde::de::Visitor;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::index::{Variant, VariantOutcome};
use super::inputs::{export_set, import_set};
use super::store::Store;
use crate::signature::Signature;

/// Index variants, with the sets that they refer to, each once.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Routes {
    /// By the entry they lead to.
    routes: BTreeMap<Signature, Vec<Route>>,
    sets: Sets,
}

/// Sets of system headers, as their files are.
///
/// A set is as long as a small kernel, and many kernels share one: on a way that many go, each is carried once, by the
/// first who needs it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Sets(BTreeMap<Signature, Blob>);

/// Bytes that are cheap to clone, and to serialise.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Blob(Arc<[u8]>);

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
            && !self.sets.0.contains_key(&set)
            && let Some(bytes) = export_set(store, &set)
        {
            self.sets.0.insert(set, Blob(bytes.into()));
        }
        self.insert(content, Route { key, spec, variant: variant.clone() });
    }

    fn insert(&mut self, content: Signature, route: Route) {
        let routes = self.routes.entry(content).or_default();
        match routes.iter_mut().find(|known| known.key == route.key && known.variant == route.variant) {
            Some(known) => known.spec = known.spec.or(route.spec),
            None => routes.push(route),
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
        self.sets.0.extend(other.sets.0);
    }

    /// Before sending: leaves out the sets that were sent before on this way, which `carried` remembers.
    pub(crate) fn lighten(&mut self, carried: &mut Sets) {
        self.sets.0.retain(|set, blob| carried.0.insert(*set, blob.clone()).is_none());
    }

    /// After receiving, in the order of the sending: puts the sets back that were left out.
    pub(crate) fn complete(&mut self, carried: &mut Sets) {
        carried.0.extend(self.sets.0.iter().map(|(set, blob)| (*set, blob.clone())));
        for set in self.routes.values().flatten().filter_map(|route| route.variant.inputs.set()) {
            if let Some(blob) = carried.0.get(&set) {
                self.sets.0.entry(set).or_insert_with(|| blob.clone());
            }
        }
    }

    #[cfg(test)]
    pub(crate) fn is_empty(&self) -> bool {
        self.routes.is_empty()
    }

    /// Writes the set that a variant refers to into a cache, before the variant itself.
    pub(crate) fn keep_set(&self, store: &Store, variant: &Variant) -> io::Result<()> {
        let set = variant.inputs.set().and_then(|set| self.sets.0.get_key_value(&set));
        set.map_or(Ok(()), |(set, Blob(bytes))| import_set(store, set, bytes))
    }
}

impl Serialize for Blob {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Blob {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Blob, D::Error> {
        struct Whole;
        impl Visitor<'_> for Whole {
            type Value = Blob;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("bytes")
            }

            fn visit_bytes<E: serde::de::Error>(self, bytes: &[u8]) -> Result<Blob, E> {
                Ok(Blob(bytes.into()))
            }
        }
        deserializer.deserialize_bytes(Whole)
    }
}

#[cfg(test)]
mod tests {
    use super::super::index::Dependency;
    use super::super::inputs::Inputs;
    use super::super::store::tests::store;
    use super::*;
    use crate::signature::digest;
    use crate::toolchain::CpuFeatures;

    fn variant(content: &[u8], created: u64) -> Variant {
        let dependency = Dependency {
            key: digest(b"k"),
            name: "a".into(),
            content: digest(b"c"),
            linked: true,
            object: None,
        };
        Variant {
            toolchain: digest(b"toolchain"),
            unit: digest(b"unit"),
            outcome: VariantOutcome::Content(digest(content)),
            entry: true,
            cpu: CpuFeatures::NONE,
            created,
            took_us: 0,
            dependencies: vec![dependency],
            inputs: Inputs::default(),
        }
    }

    #[test]
    fn each_way_is_kept_once_and_leads_to_its_own_entry() {
        let dir = tempfile::tempdir().unwrap();
        let store = store(dir.path());
        let (one, two, spec) = (digest(b"one"), digest(b"two"), digest(b"spec"));
        let mut routes = Routes::default();
        assert!(routes.is_empty());
        routes.add(&store, one, None, &variant(b"a", 1));
        routes.add(&store, one, Some(spec), &variant(b"a", 1));
        let mut other = Routes::default();
        other.add(&store, one, None, &variant(b"a", 1));
        other.add(&store, two, None, &variant(b"a", 2));
        other.add(&store, two, None, &variant(b"b", 3));
        let failure = Variant { outcome: VariantOutcome::Failure("f".into()), ..variant(b"a", 4) };
        other.add(&store, two, None, &failure);
        routes.merge(other);

        let to = |content: &[u8]| routes.to(&digest(content)).map(|(key, v)| (*key, v.created)).collect();
        let (a, b): (Vec<_>, Vec<_>) = (to(b"a"), to(b"b"));
        assert_eq!((a, b), (vec![(one, 1), (two, 2)], vec![(two, 3)]));
        assert_eq!(routes.variant(&two, &digest(b"a")).unwrap().created, 2);
        assert!(routes.variant(&one, &digest(b"b")).is_none());
        assert_eq!(routes.of_spec(&spec, &digest(b"a")).unwrap().created, 1);
        assert_eq!(routes.of_spec(&spec, &digest(b"b")).unwrap().created, 3);
        let bytes = postcard::to_stdvec(&routes).unwrap();
        assert_eq!(postcard::from_bytes::<Routes>(&bytes).unwrap(), routes);
        for len in 0..bytes.len() {
            assert!(postcard::from_bytes::<Routes>(&bytes[..len]).is_err());
        }
    }
}
