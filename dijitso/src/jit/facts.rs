//! What another process must know of a kernel to load it without reading its file.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::cache::{Bytes, Routes};
use crate::kernel::{Code, Loaded};
use crate::library::elf::Export;
use crate::signature::Signature;
use crate::toolchain::CpuFeatures;

/// A kernel in words that mean the same on every rank.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Facts {
    pub(crate) name: String,
    /// As errors name the kernel: name, arguments, place of the generator.
    pub(crate) at: String,
    pub(crate) content: Signature,
    pub(crate) unit: Signature,
    /// Whether there is an entry function.
    pub(crate) has_entry: bool,
    pub(crate) exports: Vec<Export>,
    /// The kernels it is linked to, which must be loaded first.
    pub(crate) links: Vec<Signature>,
    /// What its code needs of the processor.
    pub(crate) cpu: CpuFeatures,
    /// Bytes of the library.
    pub(crate) elf_len: u64,
    /// Bytes of the whole entry: library, archive, seal. 0 if none is known.
    pub(crate) len: u64,
}

impl Facts {
    /// `None` for a kernel that is part of the program: it cannot leave it.
    pub(crate) fn of(loaded: &Loaded) -> Option<Facts> {
        let Code::Library(_) = loaded.code else { return None };
        Some(Facts {
            name: loaded.name.clone(),
            at: loaded.at.clone(),
            content: loaded.content,
            unit: loaded.unit,
            has_entry: loaded.entry != 0,
            exports: loaded.code.exports(),
            links: loaded.dependencies.iter().map(|below| below.content).collect(),
            cpu: loaded.cpu,
            elf_len: loaded.report.bytes,
            len: loaded.len,
        })
    }
}

/// A kernel ready to travel.
#[derive(Debug, Clone)]
pub(crate) struct Packed {
    /// With both lengths.
    pub(crate) facts: Arc<Facts>,
    pub(crate) bytes: Bytes,
    /// What leads to it in the index; nothing, if it must not be stored.
    pub(crate) routes: Routes,
}
