//! The first message: do all ranks ask for the same, can all go on, and what is where already.
//!
//! Everything in it is merged pairwise, up a tree, so a message is as long for a thousand ranks as for one.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::error::Error;
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
    /// How many more kernels failed.
    pub(super) others: u32,
    /// Reported only if there is no other.
    pub(super) last: bool,
}

impl Failure {
    /// What is only so because another rank failed: reported if nobody has a better reason.
    pub(super) fn consequence(rank: usize, error: Error) -> Failure {
        Failure { rank: rank as u32, kernel: u32::MAX, error, others: 0, last: true }
    }

    /// An error that all ranks of a team had, for those of the others.
    pub(super) fn of(rank: usize, error: Error) -> Failure {
        Failure { rank: rank as u32, kernel: u32::MAX, error, others: 0, last: false }
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
        match self.others {
            0 => error,
            others => Error::Batch { first: Arc::new(error), others: others as usize },
        }
    }

    /// The one to report: the first kernel of the request, and the lowest rank.
    pub(super) fn first(a: Option<Failure>, b: Option<Failure>) -> Option<Failure> {
        let (a, b) = match (a, b) {
            (Some(a), Some(b)) => (a, b),
            (a, b) => return a.or(b),
        };
        let (mut first, other) =
            if (a.last, a.kernel, a.rank) <= (b.last, b.kernel, b.rank) { (a, b) } else { (b, a) };
        // The same kernel refused by several ranks is one failure.
        if first.kernel != other.kernel && other.kernel != u32::MAX {
            first.others += 1 + other.others;
        } else {
            first.others = first.others.max(other.others);
        }
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
    /// Of those that hold all kernels in memory: which libraries these are, if they are the same.
    pub(super) held: Held,
    /// Of those that do not.
    pub(super) known: Option<Vec<Known>>,
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
            held,
            known,
        }
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
