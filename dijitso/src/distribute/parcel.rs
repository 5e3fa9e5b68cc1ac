//! Kernels on their way: what is said about each, and where its bytes are.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::cache::{Bytes, Routes};
use crate::jit::{Facts, Place};
use crate::library::SealedFile;
use crate::report::KernelOrigin;

/// What is said about a kernel that travels.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Label {
    pub(super) facts: Facts,
    /// The rank that has it.
    pub(super) supplier: u32,
    /// Its places in the request; none for what came along.
    pub(super) kernels: Vec<u32>,
    /// How that rank came by it.
    pub(super) origin: KernelOrigin,
    /// Whether it must be loaded; else it is for caches only.
    pub(super) load: bool,
    /// How caches find it.
    pub(super) routes: Routes,
    /// Where the ranks of the supplier's machine find it; if there is such a place, its bytes do not travel.
    #[serde(with = "crate::error::wire::optional_path")]
    pub(super) path: Option<PathBuf>,
}

impl Label {
    /// The same kernel, from somebody else or for another spec.
    pub(super) fn join(&mut self, other: Label) {
        self.kernels.extend(&other.kernels);
        self.kernels.sort_unstable();
        self.kernels.dedup();
        self.load |= other.load;
        self.routes.merge(other.routes);
    }
}

/// A kernel that a rank can hand to the others of its machine.
#[derive(Debug)]
pub(super) struct Parcel {
    pub(super) label: Label,
    pub(super) contents: Contents,
}

#[derive(Debug)]
pub(super) enum Contents {
    /// In a cache directory of this machine.
    Entry(PathBuf),
    /// In memory that all ranks of the machine can open.
    Sealed(SealedFile),
    /// In the memory of this rank.
    Bytes(Bytes),
}

impl Contents {
    /// Where another rank of this machine finds it.
    pub(super) fn spot(&self) -> Spot {
        match self {
            Contents::Entry(path) => Spot::Entry(path.clone()),
            Contents::Sealed(file) => Spot::Sealed(file.path()),
            Contents::Bytes(_) => Spot::Elsewhere,
        }
    }

    /// Where the rank that has it loads it from.
    pub(super) fn place(&self) -> Place {
        match self {
            Contents::Entry(path) => Place::Path(path.clone()),
            Contents::Sealed(file) => Place::Descriptor(file.path()),
            Contents::Bytes(bytes) => Place::Bytes(bytes.clone()),
        }
    }

    /// The same where nothing can be opened by the number of a descriptor, because there is no `/proc`.
    pub(super) fn place_without_proc(&self) -> Place {
        match self {
            Contents::Sealed(file) => file.bytes().map_or_else(|_| self.place(), Place::Bytes),
            _ => self.place(),
        }
    }
}

/// Where a rank finds a kernel that another one of its machine holds.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) enum Spot {
    Entry(#[serde(with = "crate::error::wire::path")] PathBuf),
    Sealed(String),
    /// Nowhere: the bytes must be sent.
    Elsewhere,
}

impl Spot {
    pub(super) fn place(&self) -> Option<Place> {
        match self {
            Spot::Entry(path) => Some(Place::Path(path.clone())),
            Spot::Sealed(path) => Some(Place::Descriptor(path.clone())),
            Spot::Elsewhere => None,
        }
    }
}
