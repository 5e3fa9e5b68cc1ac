//! Kernels that somebody had, and that cannot be given away: removed, damaged or outdated since.

use std::collections::{BTreeMap, HashMap};

use super::parcel::Label;
use crate::signature::Signature;

/// By place in the request: why a kernel is built anew.
pub(super) type Reasons = BTreeMap<u32, String>;

/// What cannot be given away, though somebody had it: it is built anew.
#[derive(Debug, Default)]
pub(super) struct Unsent {
    contents: HashMap<Signature, String>,
    /// Their places in the request, and why.
    pub(super) kernels: Reasons,
}

impl Unsent {
    /// What `get` gets for a library; nothing, if it cannot, or if what it is made from is lost.
    pub(super) fn pass<T>(&mut self, label: &Label, get: impl FnOnce() -> Result<T, String>) -> Option<T> {
        let variants = label.routes.to(&label.facts.content);
        // Also what its generator has only read.
        let read = variants.flat_map(|(_, variant)| &variant.dependencies).map(|below| &below.content);
        let below = label.facts.links.iter().chain(read).find_map(|content| self.contents.get(content));
        match below.map_or_else(get, |why| Err(why.clone())) {
            Ok(got) => Some(got),
            Err(why) => {
                self.note(label.facts.content, label.kernels.iter().copied(), why);
                None
            }
        }
    }

    /// Notes a library that was lost, and for which places of the request.
    pub(super) fn note(&mut self, content: Signature, kernels: impl IntoIterator<Item = u32>, why: String) {
        self.kernels.extend(kernels.into_iter().map(|at| (at, why.clone())));
        self.contents.insert(content, why);
    }
}
