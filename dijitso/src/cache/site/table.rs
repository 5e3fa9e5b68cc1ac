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

use super::super::seal::MACHINE;
use super::super::wire::Reader;
use crate::signature::Signature;
use crate::toolchain::CpuFeatures;

pub(super) const MAGIC: &[u8; 7] = b"djsites";
pub(super) const VERSION: u8 = 1;

/// Whether this is a table, but not one of this version.
pub(super) fn is_of_another_version(bytes: &[u8]) -> bool {
    bytes.strip_prefix(MAGIC).and_then(|rest| rest.first()).is_some_and(|version| *version != VERSION)
}

const HEAD: usize = 8 + 4 * 4;
const SPEC: usize = 32 + 4;
const KERNEL: usize = 32 + 32 + 16 + 2 + 2 + 4 * 4;
const LINK: usize = 4;
const CHECKSUM: usize = 32;

/// No table is longer, which is enough for a million kernels; it is held in memory.
pub(super) const LARGEST: u64 = 1 << 28;

/// A table as it lies in its file.
#[derive(Debug)]
pub(super) struct Table {
    bytes: Vec<u8>,
    pub(super) specs: usize,
    pub(super) kernels: usize,
    links: usize,
}

/// One kernel, as it lies there.
pub(super) struct Row {
    pub(super) content: Signature,
    unit: Signature,
    pub(super) cpu: CpuFeatures,
    pub(super) machine: u16,
    entry: bool,
    /// Where they begin, and how many they are.
    links: (usize, usize),
    name: (usize, usize),
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
        let table = Table { bytes, specs, kernels, links };
        // Rows that share links and names, or repeat a kernel, would make a small table a lot of work.
        if !table.is_in_order(names) {
            return Err(damaged());
        }
        Ok(table)
    }

    /// Whether each kernel comes once, and its links and its name begin where those of the one before it end.
    fn is_in_order(&self, names: usize) -> bool {
        let (mut last, mut links_from, mut names_from) = (None, 0, 0);
        for number in 0..self.kernels {
            let Some(row) = self.kernel_row(number) else { return false };
            if last >= Some(row.content) || (row.links.0, row.name.0) != (links_from, names_from) {
                return false;
            }
            last = Some(row.content);
            links_from += row.links.1;
            names_from += row.name.1;
        }
        (links_from, names_from) == (self.links, names)
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
        (0..self.kernels).filter_map(|number| self.kernel_row(number)).map(|row| row.content)
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

    pub(super) fn spec(&self, number: usize) -> Option<(Signature, usize)> {
        let mut reader = self.row(HEAD + number * SPEC, SPEC)?;
        Some((reader.signature()?, reader.u32()? as usize))
    }

    pub(super) fn kernel_row(&self, number: usize) -> Option<Row> {
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
        let (links, name) = ((number()?, number()?), (number()?, number()?));
        Some(Row { content, unit, cpu, machine, entry, links, name })
    }

    /// `None` for numbers and ranges that lead nowhere, which no intact table has.
    pub(super) fn kernel(&self, number: usize) -> Option<SiteKernel> {
        let Row { content, unit, cpu, machine, entry, links, name } = self.kernel_row(number)?;
        let ((links_from, links_len), (name_from, name_len)) = (links, name);
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

#[cfg(test)]
pub(super) mod tests {
    use super::super::rows::Rows;
    use super::*;
    use crate::cache::wire::Writer;
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
    fn rows_that_claim_what_others_have_are_refused() {
        let good = example().encode();
        let (specs, kernels) = (54, 56);
        let row = |number: usize| HEAD + specs * SPEC + number * KERNEL;
        let sealed = |change: &dyn Fn(&mut Vec<u8>)| {
            let mut bytes = good[..good.len() - CHECKSUM].to_vec();
            change(&mut bytes);
            let mut writer = Writer::default();
            writer.raw(&bytes);
            Table::decode(writer.finish_sealed()).map(|table| table.len())
        };
        assert_eq!(sealed(&|_| {}), Ok((specs, kernels)));
        // The content of another one; links or a name that begin at the first.
        assert!(sealed(&|bytes| bytes.copy_within(row(0)..row(0) + 32, row(1))).is_err());
        for field in [84, 92] {
            let at = row(kernels - 1) + field;
            assert!(sealed(&|bytes| bytes[at..at + 4].fill(0)).is_err(), "{field}");
        }
        // More than they are.
        let at = row(3) + 96;
        assert!(sealed(&|bytes| bytes[at] = 200).is_err());
    }

    #[test]
    fn what_cannot_run_here_is_told() {
        assert_eq!(kernel("any", 0, &[]).unfit(), None);
        assert!(kernel("future", 1 << 127, &[]).unfit().unwrap().contains("unknown feature 127"));
        let foreign = SiteKernel { machine: MACHINE ^ 1, ..kernel("foreign", 0, &[]) };
        assert!(foreign.unfit().unwrap().contains("architecture"));
    }
}
