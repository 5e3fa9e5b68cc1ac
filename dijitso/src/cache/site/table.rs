//! The table of a site cache: which kernels are in it, and which spec leads to which.
//!
//! ```text
//! magic, count of specs, of kernels, of links, bytes of names
//! specs     sorted: spec signature, number of a kernel; of one spec the best kernel first
//! kernels   sorted by content signature: what loading one needs to know
//! links     numbers of the kernels that a kernel is linked to
//! names
//! SHA-256 of all that
//! ```
//!
//! One file, read at once and searched where it lies: thousands of processes read it at the same moment, and
//! most of them want a few of its kernels.

use std::collections::{BTreeMap, BTreeSet};

use super::super::seal::MACHINE;
use super::super::wire::{Reader, Writer};
use crate::signature::Signature;
use crate::toolchain::CpuFeatures;

const MAGIC: &[u8; 7] = b"djsites";
const VERSION: u8 = 1;

const HEAD: usize = 8 + 4 * 4;
const SPEC: usize = 32 + 4;
const KERNEL: usize = 32 + 32 + 16 + 2 + 2 + 4 * 4;
const LINK: usize = 4;
const CHECKSUM: usize = 32;

/// No table is longer; a longer one is no table.
pub(super) const LARGEST: u64 = 1 << 30;

/// A table as it lies in its file.
#[derive(Debug)]
pub(super) struct Table {
    bytes: Vec<u8>,
    specs: usize,
    kernels: usize,
    links: usize,
}

/// One kernel of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SiteKernel {
    pub(crate) content: Signature,
    pub(crate) unit: Signature,
    /// What the code needs of the processor.
    pub(crate) cpu: CpuFeatures,
    /// ELF's number of the architecture.
    pub(crate) machine: u16,
    /// Whether it has an entry function.
    pub(crate) entry: bool,
    pub(crate) name: String,
    /// Contents of the kernels that it is linked to, in the order of their declaration.
    pub(crate) links: Vec<Signature>,
}

impl SiteKernel {
    /// Why it cannot run here.
    pub(crate) fn unfit(&self) -> Option<String> {
        if self.machine != MACHINE {
            return Some(format!("built for another architecture (ELF machine {})", self.machine));
        }
        let lacking = self.cpu.missing_on_host();
        (!lacking.is_empty()).then(|| format!("built for a processor with {}", lacking.join(", ")))
    }
}

impl Table {
    /// Reads a table without trust; an error says in words what is wrong with it.
    pub(super) fn decode(bytes: Vec<u8>) -> Result<Table, String> {
        let mut reader = Reader::new(&bytes);
        if reader.raw(MAGIC.len()) != Some(MAGIC) {
            return Err("its table is no table of kernels".to_owned());
        }
        match reader.u8() {
            Some(VERSION) => {}
            Some(other) => return Err(format!("its table has format {other}, not {VERSION}")),
            None => return Err("its table is truncated".to_owned()),
        }
        let damaged = || "its table is damaged or truncated".to_owned();
        Reader::open_sealed(&bytes).ok_or_else(damaged)?;
        let mut count = || reader.u32().map(|n| n as usize).ok_or_else(damaged);
        let (specs, kernels, links, names) = (count()?, count()?, count()?, count()?);
        // Counts of 32 bits and rows of some bytes: no overflow in 64.
        let length = HEAD + specs * SPEC + kernels * KERNEL + links * LINK + names + CHECKSUM;
        if length != bytes.len() {
            return Err(damaged());
        }
        Ok(Table { bytes, specs, kernels, links })
    }

    /// Specs and kernels.
    pub(super) fn len(&self) -> (usize, usize) {
        (self.specs, self.kernels)
    }

    /// The kernels of a spec, those that use most of a processor first.
    pub(super) fn of_spec(&self, spec: &Signature) -> Vec<SiteKernel> {
        let first = self.lower_bound(self.specs, HEAD, SPEC, spec);
        (first..self.specs)
            .map_while(|n| self.spec(n).filter(|(signature, _)| signature == spec))
            .filter_map(|(_, kernel)| self.kernel(kernel))
            .collect()
    }

    pub(super) fn of_content(&self, content: &Signature) -> Option<SiteKernel> {
        let number = self.lower_bound(self.kernels, self.kernels_at(), KERNEL, content);
        self.kernel(number).filter(|kernel| kernel.content == *content)
    }

    /// Of all kernels.
    pub(super) fn contents(&self) -> impl Iterator<Item = Signature> {
        (0..self.kernels).filter_map(|number| self.kernel(number)).map(|kernel| kernel.content)
    }

    fn kernels_at(&self) -> usize {
        HEAD + self.specs * SPEC
    }

    /// The first of `count` rows that is not below `signature`, which is what rows begin with.
    fn lower_bound(&self, count: usize, at: usize, size: usize, signature: &Signature) -> usize {
        let (mut low, mut high) = (0, count);
        while low < high {
            let middle = low + (high - low) / 2;
            let row = at + middle * size;
            match self.bytes.get(row..row + 32) {
                Some(bytes) if bytes < &signature.as_bytes()[..] => low = middle + 1,
                _ => high = middle,
            }
        }
        low
    }

    fn row(&self, at: usize, len: usize) -> Option<Reader<'_>> {
        self.bytes.get(at..at + len).map(Reader::new)
    }

    fn spec(&self, number: usize) -> Option<(Signature, usize)> {
        let mut reader = self.row(HEAD + number * SPEC, SPEC)?;
        Some((reader.signature()?, reader.u32()? as usize))
    }

    /// `None` for numbers and ranges that lead nowhere, which no intact table has.
    fn kernel(&self, number: usize) -> Option<SiteKernel> {
        if number >= self.kernels {
            return None;
        }
        let mut reader = self.row(self.kernels_at() + number * KERNEL, KERNEL)?;
        let content = reader.signature()?;
        let unit = reader.signature()?;
        let cpu = CpuFeatures::from_bits(reader.u128()?);
        let machine = u16::from_le_bytes([reader.u8()?, reader.u8()?]);
        let entry = reader.u8()? != 0;
        reader.u8()?;
        let mut number = || reader.u32().map(|n| n as usize);
        let (links_from, links_len, name_from, name_len) = (number()?, number()?, number()?, number()?);
        if links_from + links_len > self.links {
            return None;
        }
        let links_at = self.kernels_at() + self.kernels * KERNEL;
        let mut links = Vec::with_capacity(links_len);
        let mut reader = self.row(links_at + links_from * LINK, links_len * LINK)?;
        while let Some(link) = reader.u32() {
            let at = self.kernels_at() + link as usize * KERNEL;
            links.push(self.row(at, KERNEL).filter(|_| (link as usize) < self.kernels)?.signature()?);
        }
        let names_at = links_at + self.links * LINK;
        let name = self.bytes[..self.bytes.len() - CHECKSUM].get(names_at + name_from..)?.get(..name_len)?;
        let name = String::from_utf8_lossy(name).into_owned();
        Some(SiteKernel { content, unit, cpu, machine, entry, name, links })
    }
}

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
            if let Some(kernel) = table.kernel(kernel) {
                rows.add_spec(spec, &kernel);
            }
        }
        rows
    }

    pub(super) fn add_kernel(&mut self, kernel: SiteKernel) {
        self.kernels.insert(kernel.content, kernel);
    }

    /// In place of what the spec led to on the same processors.
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

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::signature::digest;

    pub(in crate::cache::site) fn kernel(name: &str, cpu: u128, links: &[&str]) -> SiteKernel {
        SiteKernel {
            content: digest(name.as_bytes()),
            unit: digest(b"unit"),
            cpu: CpuFeatures::from_bits(cpu),
            machine: MACHINE,
            entry: links.is_empty(),
            name: name.to_owned(),
            links: links.iter().map(|link| digest(link.as_bytes())).collect(),
        }
    }

    fn example() -> Rows {
        let mut rows = Rows::default();
        for n in 0..50u32 {
            let one = kernel(&format!("kernel {n}"), 0, &[]);
            rows.add_spec(digest(&n.to_le_bytes()), &one);
            rows.add_kernel(one);
        }
        rows.add_kernel(kernel("below", 0, &[]));
        rows.add_kernel(kernel("middle", 0, &["below"]));
        let top = kernel("top", 0, &["middle", "below"]);
        rows.add_spec(digest(b"spec"), &top);
        rows.add_kernel(top);
        for (name, cpu) in [("v2", 0b11), ("v4", 0b1111), ("v3", 0b111)] {
            let level = kernel(name, cpu, &[]);
            rows.add_spec(digest(b"levels"), &level);
            rows.add_kernel(level);
        }
        rows
    }

    fn names(found: &[SiteKernel]) -> Vec<&str> {
        found.iter().map(|kernel| kernel.name.as_str()).collect()
    }

    #[test]
    fn every_spec_leads_to_its_kernels_and_no_other_to_any() {
        let table = Table::decode(example().encode()).unwrap();
        assert_eq!(table.len(), (54, 56));
        for n in 0..50u32 {
            assert_eq!(names(&table.of_spec(&digest(&n.to_le_bytes()))), [format!("kernel {n}")]);
        }
        assert_eq!(table.of_spec(&digest(b"spec")), [kernel("top", 0, &["middle", "below"])]);
        assert_eq!(table.of_content(&digest(b"middle")), Some(kernel("middle", 0, &["below"])));
        for absent in [digest(b"absent"), Signature::from_bytes([0; 32]), Signature::from_bytes([255; 32])] {
            assert!(table.of_spec(&absent).is_empty() && table.of_content(&absent).is_none());
        }
        let empty = Table::decode(Rows::default().encode()).unwrap();
        assert!(empty.of_spec(&digest(b"spec")).is_empty());
    }

    #[test]
    fn the_kernel_that_uses_most_of_a_processor_comes_first() {
        let table = Table::decode(example().encode()).unwrap();
        assert_eq!(names(&table.of_spec(&digest(b"levels"))), ["v4", "v3", "v2"]);
    }

    #[test]
    fn a_table_that_is_read_and_written_is_the_same_and_one_that_is_extended_replaces() {
        let bytes = example().encode();
        let mut rows = Rows::of(&Table::decode(bytes.clone()).unwrap());
        assert_eq!(Rows::of(&Table::decode(bytes.clone()).unwrap()).encode(), bytes);
        let new = kernel("new v3", 0b111, &[]);
        rows.add_spec(digest(b"levels"), &new);
        rows.add_kernel(new);
        let table = Table::decode(rows.encode()).unwrap();
        assert_eq!(names(&table.of_spec(&digest(b"levels"))), ["v4", "new v3", "v2"]);
        assert_eq!(table.of_content(&digest(b"v3")), None, "nothing leads there any more");
    }

    #[test]
    fn damaged_or_cut_anywhere_it_is_refused() {
        let good = example().encode();
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 0x20;
            assert!(Table::decode(bad).is_err(), "byte {at}");
            assert!(Table::decode(good[..at].to_vec()).is_err(), "length {at}");
        }
        let mut other = good.clone();
        other[MAGIC.len()] = 9;
        assert!(Table::decode(other).unwrap_err().contains("format 9"));
        assert!(Table::decode(vec![0; 4096]).is_err());
    }

    #[test]
    fn nonsense_under_a_right_checksum_leads_nowhere() {
        for counts in [[0, 0, 0, 1], [u32::MAX; 4], [1, 1, 1, 1], [1, 0, 0, 0]] {
            let mut writer = Writer::default();
            writer.raw(MAGIC);
            writer.u8(VERSION);
            counts.iter().for_each(|n| writer.u32(*n));
            writer.raw(&[0xff; SPEC + KERNEL + LINK + 1]);
            if let Ok(table) = Table::decode(writer.finish_sealed()) {
                assert!(table.of_spec(&Signature::from_bytes([0xff; 32])).is_empty());
                assert_eq!(Rows::of(&table).encode().len(), HEAD + CHECKSUM);
            }
        }
    }

    #[test]
    fn what_cannot_run_here_is_told() {
        assert_eq!(kernel("any", 0, &[]).unfit(), None);
        assert!(kernel("future", 1 << 127, &[]).unfit().unwrap().contains("unknown feature 127"));
        let foreign = SiteKernel { machine: MACHINE ^ 1, ..kernel("foreign", 0, &[]) };
        assert!(foreign.unfit().unwrap().contains("architecture"));
    }
}
