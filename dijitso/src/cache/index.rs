//! What a key led to before: a small file that is read first on every hit.
//!
//! The key of a kernel spec (with the build of the program and the compiler's flags) leads to content
//! signatures without running the generator; the key of a translation unit leads to them without compiling.
//! A file holds several variants, because headers and compilers change back and forth: the first one whose
//! inputs still hold is the answer.

use std::path::PathBuf;

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;

use serde::{Deserialize, Serialize};

use super::inputs::Inputs;
use super::wire::{Reader, Writer};
use crate::fs::Stamp;
use crate::signature::{Signature, Signer};
use crate::toolchain::CpuFeatures;

const MAGIC: &[u8; 8] = b"djindex3";

/// Whether this is an index file, but not one of this version.
pub(super) fn is_of_another_version(bytes: &[u8]) -> bool {
    bytes.starts_with(&MAGIC[..7]) && !bytes.starts_with(MAGIC)
}

/// Variants kept for one compiler: enough for a header that alternates and for some processors.
const PER_TOOLCHAIN: usize = 8;
/// Variants kept in all.
const IN_ALL: usize = 32;
/// No index file is longer; a longer one is damaged.
pub(super) const LARGEST: usize = 16 << 20;

/// The variants under one key, newest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Index {
    pub(crate) variants: Vec<Variant>,
}

/// One answer, and what it depends on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "Vec<u8>", try_from = "Vec<u8>")]
pub(crate) struct Variant {
    /// Identity of the compiler and of what it compiles for.
    pub(crate) toolchain: Signature,
    pub(crate) unit: Signature,
    pub(crate) outcome: VariantOutcome,
    /// Whether the kernel has an entry function.
    pub(crate) entry: bool,
    /// What the code needs of the processor.
    pub(crate) cpu: CpuFeatures,
    /// Seconds since 1970.
    pub(crate) created: u64,
    /// Microseconds that compiler and linker took: what a hit saves.
    pub(crate) took_us: u64,
    pub(crate) dependencies: Vec<Dependency>,
    pub(crate) inputs: Inputs,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum VariantOutcome {
    /// The entry of this name.
    Content(Signature),
    /// It did not compile; the text tells why.
    Failure(String),
}

/// Another kernel that this one was linked to, or that its generator loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Dependency {
    /// Its own index key.
    pub(crate) key: Signature,
    pub(crate) name: String,
    /// The entry that was linked or loaded.
    pub(crate) content: Signature,
    /// Whether it is linked; else it must only still be what the generator got.
    pub(crate) linked: bool,
    /// The file that holds its generator, if that is another one than this kernel's: its build id is not
    /// in our key.
    pub(crate) object: Option<(PathBuf, Stamp)>,
}

impl Dependency {
    /// One that was named by its content: no key leads to it, and none is needed.
    pub(crate) fn by_content(name: &str, content: Signature, linked: bool) -> Dependency {
        Dependency { key: content, name: name.to_owned(), content, linked, object: None }
    }

    /// Whether it was named so. No key is a content by chance: both are digests.
    pub(crate) fn is_by_content(&self) -> bool {
        self.key == self.content
    }
}

/// The key under which the index keeps what a translation unit led to.
pub(crate) fn unit_key(unit: &Signature) -> Signature {
    let mut signer = Signer::quiet("dijitso unit index 1");
    signer.field("unit", unit);
    signer.finish()
}

impl Index {
    /// Puts `variant` first, in place of an older one with the same answer.
    pub(super) fn add(&mut self, variant: Variant) {
        self.variants.retain(|old| !old.answers_like(&variant));
        self.variants.insert(0, variant);
        let mut kept: Vec<Variant> = Vec::with_capacity(self.variants.len());
        for variant in self.variants.drain(..) {
            let same = kept.iter().filter(|v| v.toolchain == variant.toolchain).count();
            if same < PER_TOOLCHAIN && kept.len() < IN_ALL {
                kept.push(variant);
            }
        }
        self.variants = kept;
    }

    pub(in crate::cache) fn encode(&self, key: &Signature) -> Vec<u8> {
        let mut writer = Writer::default();
        writer.raw(MAGIC);
        writer.signature(key);
        writer.u32(self.variants.len() as u32);
        for variant in &self.variants {
            variant.encode(&mut writer);
        }
        writer.finish_sealed()
    }

    /// `None` for anything but an intact file of this key and version.
    pub(super) fn decode(bytes: &[u8], key: &Signature) -> Option<Index> {
        let mut reader = Reader::open_sealed(bytes)?;
        if reader.raw(MAGIC.len())? != MAGIC || reader.signature()? != *key {
            return None;
        }
        let mut variants = Vec::new();
        for _ in 0..reader.u32()? {
            variants.push(Variant::decode(&mut reader)?);
        }
        reader.is_empty().then_some(Index { variants })
    }
}

/// As it is in the index.
impl From<Variant> for Vec<u8> {
    fn from(variant: Variant) -> Vec<u8> {
        let mut writer = Writer::default();
        variant.encode(&mut writer);
        writer.finish()
    }
}

impl TryFrom<Vec<u8>> for Variant {
    type Error = &'static str;

    fn try_from(bytes: Vec<u8>) -> Result<Variant, &'static str> {
        let mut reader = Reader::new(&bytes);
        let variant = Variant::decode(&mut reader).filter(|_| reader.is_empty());
        variant.ok_or("no variant of an index")
    }
}

impl Variant {
    /// Whether this is the answer of the entry of this name.
    pub(crate) fn leads_to(&self, content: &Signature) -> bool {
        matches!(&self.outcome, VariantOutcome::Content(named) if named == content)
    }

    fn answers_like(&self, other: &Variant) -> bool {
        let same = match (&self.outcome, &other.outcome) {
            (VariantOutcome::Content(a), VariantOutcome::Content(b)) => a == b,
            // The last failure of a unit is the one to report.
            (VariantOutcome::Failure(_), VariantOutcome::Failure(_)) => true,
            _ => false,
        };
        same && self.toolchain == other.toolchain && self.unit == other.unit
    }

    fn encode(&self, writer: &mut Writer) {
        writer.signature(&self.toolchain);
        writer.signature(&self.unit);
        match &self.outcome {
            VariantOutcome::Content(content) => {
                writer.u8(0);
                writer.signature(content);
            }
            VariantOutcome::Failure(text) => {
                writer.u8(1);
                writer.block(text.as_bytes());
            }
        }
        writer.u8(u8::from(self.entry));
        writer.u128(self.cpu.bits());
        writer.u64(self.created);
        writer.u64(self.took_us);
        writer.u32(self.dependencies.len() as u32);
        for dependency in &self.dependencies {
            dependency.encode(writer);
        }
        self.inputs.encode(writer);
    }

    fn decode(reader: &mut Reader<'_>) -> Option<Variant> {
        let toolchain = reader.signature()?;
        let unit = reader.signature()?;
        let outcome = match reader.u8()? {
            0 => VariantOutcome::Content(reader.signature()?),
            1 => VariantOutcome::Failure(text(reader)?),
            _ => return None,
        };
        let entry = reader.u8()? != 0;
        let cpu = CpuFeatures::from_bits(reader.u128()?);
        let created = reader.u64()?;
        let took_us = reader.u64()?;
        let mut dependencies = Vec::new();
        for _ in 0..reader.u32()? {
            dependencies.push(Dependency::decode(reader)?);
        }
        let inputs = Inputs::decode(reader)?;
        Some(Variant { toolchain, unit, outcome, entry, cpu, created, took_us, dependencies, inputs })
    }
}

impl Dependency {
    fn encode(&self, writer: &mut Writer) {
        writer.signature(&self.key);
        writer.block(self.name.as_bytes());
        writer.signature(&self.content);
        writer.u8(u8::from(self.linked));
        match &self.object {
            None => writer.u8(0),
            Some((path, stamp)) => {
                writer.u8(1);
                writer.block(path.as_os_str().as_bytes());
                writer.stamp(stamp);
            }
        }
    }

    fn decode(reader: &mut Reader<'_>) -> Option<Dependency> {
        let key = reader.signature()?;
        let name = text(reader)?;
        let content = reader.signature()?;
        let linked = reader.u8()? != 0;
        let object = match reader.u8()? {
            0 => None,
            _ => Some((PathBuf::from(OsStr::from_bytes(reader.block()?)), reader.stamp()?)),
        };
        Some(Dependency { key, name, content, linked, object })
    }
}

fn text(reader: &mut Reader<'_>) -> Option<String> {
    Some(String::from_utf8_lossy(reader.block()?).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signature::digest;

    fn variant(toolchain: u8, content: u32) -> Variant {
        let stamp = Stamp { ino: 1, size: 2, mtime_ns: -3, ctime_ns: 4 };
        Variant {
            toolchain: digest(&[toolchain]),
            unit: digest(b"unit"),
            outcome: VariantOutcome::Content(digest(&content.to_le_bytes())),
            entry: true,
            cpu: CpuFeatures::from_bits(1 << 127 | 9),
            created: 77,
            took_us: 17_000,
            dependencies: vec![
                Dependency {
                    key: digest(b"k"),
                    name: "a".into(),
                    content: digest(b"c"),
                    linked: false,
                    object: None,
                },
                Dependency {
                    key: digest(b"k"),
                    name: "b".into(),
                    content: digest(b"d"),
                    linked: true,
                    object: Some(("/x".into(), stamp)),
                },
            ],
            inputs: Inputs::default(),
        }
    }

    fn failure(text: &str) -> Variant {
        Variant { outcome: VariantOutcome::Failure(text.into()), ..variant(0, 0) }
    }

    #[test]
    fn an_index_comes_back_under_its_own_key_only() {
        let mut index = Index::default();
        index.add(variant(1, 1));
        index.add(failure("because"));
        let bytes = index.encode(&digest(b"key"));
        assert_eq!(Index::decode(&bytes, &digest(b"key")), Some(index));
        assert_eq!(Index::decode(&bytes, &digest(b"other")), None);
    }

    #[test]
    fn damaged_anywhere_it_is_absent() {
        let mut index = Index::default();
        index.add(variant(1, 1));
        let key = digest(b"key");
        let good = index.encode(&key);
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 0x20;
            assert_eq!(Index::decode(&bad, &key), None);
            assert_eq!(Index::decode(&good[..at], &key), None);
        }
        assert_eq!(Index::decode(&[0; 4096], &key), None);
    }

    #[test]
    fn with_a_right_checksum_but_nonsense_inside_it_is_absent_too() {
        let key = digest(b"key");
        for count in [0, 1, 1000, u32::MAX] {
            let mut writer = Writer::default();
            writer.raw(MAGIC);
            writer.signature(&key);
            writer.u32(count);
            writer.raw(&[0xff; 100]);
            assert_eq!(Index::decode(&writer.finish_sealed(), &key), None);
        }
    }

    #[test]
    fn the_newest_come_first_and_the_oldest_go() {
        let mut index = Index::default();
        for n in 0..20 {
            index.add(variant(1, n));
        }
        index.add(variant(2, 0));
        assert_eq!(index.variants.len(), PER_TOOLCHAIN + 1);
        assert_eq!(index.variants[0], variant(2, 0));
        assert_eq!(index.variants[1], variant(1, 19));
        index.add(variant(1, 15));
        assert_eq!(index.variants[0], variant(1, 15));
        assert_eq!(index.variants.len(), PER_TOOLCHAIN + 1, "the same answer is kept once");
        for n in 0..100 {
            index.add(variant(n, 0));
        }
        assert_eq!(index.variants.len(), IN_ALL);
    }

    #[test]
    fn a_unit_has_one_failure() {
        let mut index = Index::default();
        index.add(failure("first"));
        index.add(failure("second"));
        assert_eq!(index.variants, [failure("second")]);
    }
}
