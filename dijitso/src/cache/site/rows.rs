//! The table of a site cache that is being made or extended.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::table::{MAGIC, SiteKernel, Table, VERSION};
use crate::cache::wire::Writer;
use crate::signature::Signature;

/// A table that is being made.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Rows {
    /// One kernel for each spec, architecture and set of features.
    specs: BTreeMap<(Signature, u16, u128), Signature>,
    kernels: BTreeMap<Signature, SiteKernel>,
}

impl Rows {
    /// What a table has, to be extended.
    pub(super) fn of(table: &Table) -> Rows {
        let mut rows = Rows::default();
        for kernel in (0..table.kernels).filter_map(|n| table.kernel(n)) {
            rows.kernels.insert(kernel.content, kernel);
        }
        for (spec, kernel) in (0..table.specs).filter_map(|n| table.spec(n)) {
            if let Some(row) = table.kernel_row(kernel) {
                rows.specs.insert((spec, row.machine, row.cpu.bits()), row.content);
            }
        }
        rows
    }

    pub(super) fn add_kernel(&mut self, kernel: SiteKernel) {
        self.kernels.insert(kernel.content, kernel);
    }

    /// In place of what the spec led to on the same processors.
    #[cfg(test)]
    pub(super) fn add_spec(&mut self, spec: Signature, kernel: &SiteKernel) {
        self.specs.insert((spec, kernel.machine, kernel.cpu.bits()), kernel.content);
    }

    /// The same for a kernel that was added.
    pub(super) fn add_spec_of(&mut self, spec: Signature, content: &Signature) {
        if let Some(kernel) = self.kernels.get(content) {
            self.specs.insert((spec, kernel.machine, kernel.cpu.bits()), *content);
        }
    }

    /// Adds the rows of `new`, in place of those for the same specs and processors.
    pub(super) fn merge(&mut self, new: Rows) {
        self.kernels.extend(new.kernels);
        self.specs.extend(new.specs);
    }

    /// Lets no spec lead to these.
    pub(super) fn forget(&mut self, gone: &HashSet<Signature>) {
        self.specs.retain(|_, content| !gone.contains(content));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.specs.is_empty()
    }

    /// Kernels that some spec leads to, directly or by links; all others are forgotten.
    pub(super) fn contents(&mut self) -> BTreeSet<Signature> {
        let mut named = BTreeSet::new();
        let mut next: Vec<Signature> = self.specs.values().copied().collect();
        while let Some(content) = next.pop() {
            if let Some(kernel) = self.kernels.get(&content)
                && named.insert(content)
            {
                next.extend(&kernel.links);
            }
        }
        self.kernels.retain(|content, _| named.contains(content));
        named
    }

    pub(super) fn encode(mut self) -> Vec<u8> {
        let numbers: BTreeMap<Signature, u32> =
            self.contents().into_iter().enumerate().map(|(n, content)| (content, n as u32)).collect();
        let number = |content: &Signature| numbers.get(content).copied().unwrap_or(u32::MAX);

        let mut specs: Vec<(Signature, u32, u32)> = self
            .specs
            .iter()
            .map(|((spec, _, cpu), content)| (*spec, u32::MAX - cpu.count_ones(), number(content)))
            .collect();
        specs.sort_unstable();

        let (mut links, mut names) = (Writer::default(), Writer::default());
        let (mut links_len, mut names_len) = (0, 0);
        let mut kernels = Writer::default();
        for kernel in self.kernels.values() {
            kernels.signature(&kernel.content);
            kernels.signature(&kernel.unit);
            kernels.u128(kernel.cpu.bits());
            kernels.raw(&kernel.machine.to_le_bytes());
            kernels.raw(&[u8::from(kernel.entry), 0]);
            for value in [links_len, kernel.links.len(), names_len, kernel.name.len()] {
                kernels.u32(value as u32);
            }
            kernel.links.iter().for_each(|link| links.u32(number(link)));
            names.raw(kernel.name.as_bytes());
            links_len += kernel.links.len();
            names_len += kernel.name.len();
        }

        let mut writer = Writer::default();
        writer.raw(MAGIC);
        writer.u8(VERSION);
        for count in [specs.len(), self.kernels.len(), links_len, names_len] {
            writer.u32(count as u32);
        }
        for (spec, _, kernel) in &specs {
            writer.signature(spec);
            writer.u32(*kernel);
        }
        for part in [kernels, links, names] {
            writer.raw(&part.finish());
        }
        writer.finish_sealed()
    }
}
