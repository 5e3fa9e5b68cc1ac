//! The first message: do all ranks ask for the same, can all go on, and what is where already.
//!
//! Everything in it is merged pairwise, up a tree, so a message is as long for a thousand ranks as for one.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::ahead::Handed;
use crate::error::Error;
use crate::kernel::Loaded;
use crate::signature::Signature;
use crate::toolchain::CpuFeatures;

/// Ranks of different versions of this protocol must not go on together.
pub(super) const PROTOCOL: u32 = 1;

/// A rank that cannot go on, and why: it takes part in every step all the same.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Failure {
    pub(super) rank: u32,
    /// Its place in the request, for failures of kernels: the first one is reported.
    pub(super) kernel: u32,
    pub(super) error: Error,
    /// All kernels that failed, by their places.
    pub(super) kernels: BTreeSet<u32>,
}

impl Failure {
    /// Of a kernel, which is named by its place in the request.
    pub(super) fn of_kernel(rank: usize, kernel: u32, error: Error) -> Failure {
        Failure { rank: rank as u32, kernel, error, kernels: BTreeSet::from([kernel]) }
    }

    /// Of no kernel in particular.
    pub(super) fn of(rank: usize, error: Error) -> Failure {
        Failure { rank: rank as u32, kernel: u32::MAX, error, kernels: BTreeSet::new() }
    }

    /// As all ranks return it.
    pub(super) fn into_error(self) -> Error {
        let error = match self.error {
            // The same on every rank anyway.
            error @ (Error::Mismatch { .. }
            | Error::Sealed { .. }
            | Error::Rank { .. }
            | Error::Batch { .. }) => error,
            error => Error::Rank { rank: self.rank as usize, error: Arc::new(error) },
        };
        match self.kernels.len().saturating_sub(1) {
            0 => error,
            others => Error::Batch { first: Arc::new(error), others },
        }
    }

    /// The one to report: the first kernel of the request, and the lowest rank.
    pub(super) fn first(a: Option<Failure>, b: Option<Failure>) -> Option<Failure> {
        let (a, b) = match (a, b) {
            (Some(a), Some(b)) => (a, b),
            (a, b) => return a.or(b),
        };
        let (mut first, other) = if (a.kernel, a.rank) <= (b.kernel, b.rank) { (a, b) } else { (b, a) };
        first.kernels.extend(other.kernels);
        Some(first)
    }
}

/// What one rank says, and what several said, merged.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Agreement {
    /// The lowest rank of those who said this.
    pub(super) lowest: u32,
    /// What it asks for: the kernels and how they are to be built.
    pub(super) request: Signature,
    /// The lowest rank that asks for something else.
    pub(super) differs: Option<u32>,
    pub(super) failure: Option<Failure>,
    /// What all know of who is where, if all found it out together.
    pub(super) scene: Option<u128>,
    /// Whether one of them must not compile: then nobody does.
    pub(super) sealed: bool,
    /// What all processors have.
    pub(super) features: CpuFeatures,
    /// What `native` means, if it means the same everywhere.
    pub(super) native: Option<Signature>,
    /// What compilers are told, if it is the same everywhere.
    pub(super) flags: Option<Signature>,
    /// Of those that hold all kernels in memory: which libraries these are, if they are the same.
    pub(super) held: Held,
    /// Of those that do not.
    pub(super) known: Option<Vec<Known>>,
    /// Where the kernels are, if rank 0 says so with its answer.
    pub(super) handed: Option<Vec<Handed>>,
}

/// Which ranks hold everything that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Held {
    /// All: these libraries.
    All(Signature),
    /// Not all, or not the same ones.
    Some,
    /// None of them.
    None,
}

impl Agreement {
    pub(super) fn merge(a: Agreement, b: Agreement) -> Agreement {
        let (a, b) = if a.lowest <= b.lowest { (a, b) } else { (b, a) };
        let different = match a.request == b.request {
            true => b.differs,
            false => Some(b.lowest),
        };
        let held = match (a.held, b.held) {
            (Held::All(left), Held::All(right)) if left == right => Held::All(left),
            (Held::None, Held::None) => Held::None,
            _ => Held::Some,
        };
        let known = match (a.known, b.known) {
            (Some(left), Some(right)) => Known::merge_all(left, right),
            (left, right) => left.or(right),
        };
        Agreement {
            lowest: a.lowest,
            request: a.request,
            differs: [a.differs, different].into_iter().flatten().min(),
            failure: Failure::first(a.failure, b.failure),
            scene: a.scene.filter(|_| a.scene == b.scene),
            sealed: a.sealed || b.sealed,
            features: a.features.intersection(b.features),
            native: a.native.filter(|_| a.native == b.native),
            flags: a.flags.filter(|_| a.flags == b.flags),
            held,
            known,
            handed: None,
        }
    }
}

/// How much there is to hand out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Weight {
    pub(super) libraries: u32,
    pub(super) bytes: u64,
}

impl Weight {
    /// How much is handed out at once: until all ranks have it, a library is an open descriptor, and memory.
    pub(super) const AT_ONCE: Weight = Weight { libraries: 256, bytes: 256 << 20 };

    /// Of a kernel with all below it; what is too much anyway is not counted to its end.
    pub(super) fn of(loaded: &Loaded) -> Weight {
        let mut weight = Weight::default();
        let (mut seen, mut stack) = (HashSet::new(), vec![loaded]);
        while let Some(loaded) = stack.pop() {
            if weight.libraries == Weight::AT_ONCE.libraries {
                break;
            }
            if seen.insert(loaded.content) {
                weight = weight.plus(Weight { libraries: 1, bytes: loaded.len });
                stack.extend(loaded.dependencies.iter().map(|below| &**below));
            }
        }
        weight
    }

    pub(super) fn plus(self, other: Weight) -> Weight {
        Weight {
            libraries: self.libraries.saturating_add(other.libraries),
            bytes: self.bytes.saturating_add(other.bytes),
        }
    }

    pub(super) fn is_too_much(self) -> bool {
        self.libraries > Weight::AT_ONCE.libraries || self.bytes > Weight::AT_ONCE.bytes
    }

    fn max(self, other: Weight) -> Weight {
        Weight { libraries: self.libraries.max(other.libraries), bytes: self.bytes.max(other.bytes) }
    }
}

/// What is known of one kernel of the request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Known {
    /// The lowest rank that can give it away, and which library that is.
    pub(super) holder: Option<(u32, Signature)>,
    /// The library, as the lowest rank that has it in any way knows it.
    pub(super) content: Option<(u32, Signature)>,
    /// Somebody has another library for the same spec.
    pub(super) mixed: bool,
    /// All ranks have it loaded.
    pub(super) loaded: bool,
    /// What it is to be handed out, with all below it, as far as somebody knows.
    pub(super) weight: Weight,
    /// How many leaders of nodes can give it away.
    pub(super) nodes: u32,
    /// A cache directory that was looked into does not have it.
    pub(super) absent: bool,
    /// What it took to build the last time, in milliseconds.
    pub(super) recorded_ms: Option<f32>,
    /// Why it is not in the cache of the lowest rank that looked.
    pub(super) reason: Option<(u32, String)>,
}

impl Known {
    /// Whether all ranks have it loaded, the same one.
    pub(super) fn is_everywhere(&self) -> bool {
        self.loaded && !self.mixed
    }

    /// Nobody can give it away after all.
    pub(super) fn forget(&mut self, why: &str) {
        self.holder = None;
        self.loaded = false;
        self.reason = Some((0, why.to_owned()));
    }

    pub(super) fn merge(a: Known, b: Known) -> Known {
        let lower = |a: Option<(u32, Signature)>, b: Option<(u32, Signature)>| match (a, b) {
            (Some(a), Some(b)) => Some(if a.0 <= b.0 { a } else { b }),
            (a, b) => a.or(b),
        };
        let different = matches!((a.content, b.content), (Some(a), Some(b)) if a.1 != b.1);
        let reason = match (a.reason, b.reason) {
            (Some(a), Some(b)) => Some(if a.0 <= b.0 { a } else { b }),
            (a, b) => a.or(b),
        };
        Known {
            holder: lower(a.holder, b.holder),
            content: lower(a.content, b.content),
            mixed: a.mixed || b.mixed || different,
            loaded: a.loaded && b.loaded,
            weight: a.weight.max(b.weight),
            nodes: a.nodes + b.nodes,
            absent: a.absent || b.absent,
            recorded_ms: a.recorded_ms.or(b.recorded_ms),
            reason,
        }
    }

    /// `None` if they are not about the same request.
    pub(super) fn merge_all(a: Vec<Known>, b: Vec<Known>) -> Option<Vec<Known>> {
        (a.len() == b.len()).then(|| a.into_iter().zip(b).map(|(a, b)| Known::merge(a, b)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(kernel: Option<u32>, rank: usize) -> Option<Failure> {
        let error = Error::Communication { problem: format!("{kernel:?}") };
        Some(match kernel {
            Some(at) => Failure::of_kernel(rank, at, error),
            None => Failure::of(rank, error),
        })
    }

    #[test]
    fn failures_merge_in_any_order_to_the_same() {
        let said = [(Some(4), 3), (Some(2), 5), (None, 0), (Some(2), 1), (Some(4), 1), (Some(7), 2)];
        let mut orders = vec![said.to_vec()];
        for _ in 0..said.len() {
            let mut next = orders[orders.len() - 1].clone();
            next.rotate_left(1);
            orders.push(next.clone());
            next.reverse();
            orders.push(next);
        }
        for order in orders {
            let all = order.iter().map(|&(kernel, rank)| failure(kernel, rank));
            let merged = all.reduce(Failure::first).flatten().unwrap();
            assert_eq!((merged.kernel, merged.rank), (2, 1), "the first kernel, of the lowest rank");
            let Error::Batch { first, others } = merged.into_error() else { panic!("three kernels failed") };
            assert_eq!((others, matches!(&*first, Error::Rank { rank: 1, .. })), (2, true), "{order:?}");
        }
        let alone = Failure::first(failure(None, 3), failure(None, 2)).unwrap().into_error();
        assert!(matches!(alone, Error::Rank { rank: 2, .. }));
    }
}
