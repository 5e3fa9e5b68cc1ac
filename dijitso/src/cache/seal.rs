//! The last bytes of an entry: what makes it complete, and what a hit needs to know before it loads it.
//!
//! An entry without its seal was never finished; one whose seal does not match was damaged. The seal is the
//! zip archive's end comment, so every reader of zip files skips it.

use crate::signature::Signature;
use crate::toolchain::CpuFeatures;

use super::wire::{Reader, Writer};

const MAGIC: &[u8; 8] = b"dijitso\n";
const VERSION: u16 = 1;

/// Bytes of a seal.
pub(crate) const LEN: usize = 8 + 2 + 2 + 8 + 32 + 16 + 16 + 32 + 32 + 32;

/// ELF's number of this process's architecture.
#[cfg(target_arch = "x86_64")]
pub(crate) const MACHINE: u16 = 62;
#[cfg(target_arch = "aarch64")]
pub(crate) const MACHINE: u16 = 183;

/// The facts about an entry that are checked on every hit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seal {
    /// ELF's number of the architecture.
    pub(crate) machine: u16,
    /// The library's length; the zip archive follows it.
    pub(crate) elf_len: u64,
    /// The content signature, which is also the file's name.
    pub(crate) content: Signature,
    /// What the code needs of the processor.
    pub(crate) cpu: CpuFeatures,
    /// XXH3-128 of the library, which every hit compares: what it guards against is damage, not malice, and
    /// SHA-256 would cost as much as half of the `dlopen`.
    pub(crate) elf_check: u128,
    /// SHA-256 of the library, for whoever looks at the whole entry.
    pub(crate) elf_digest: Signature,
    /// SHA-256 of the rest of the file up to the seal.
    pub(crate) rest_digest: Signature,
}

impl Seal {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        writer.raw(MAGIC);
        // A zero byte comes first: there `unzip` stops printing the comment.
        writer.raw(&VERSION.to_be_bytes());
        writer.raw(&self.machine.to_le_bytes());
        writer.u64(self.elf_len);
        writer.signature(&self.content);
        writer.u128(self.cpu.bits());
        writer.u128(self.elf_check);
        writer.signature(&self.elf_digest);
        writer.signature(&self.rest_digest);
        writer.finish_sealed()
    }

    /// Reads a seal; an error says in words what is wrong with it.
    pub(super) fn decode(bytes: &[u8]) -> Result<Seal, String> {
        if !bytes.starts_with(MAGIC) {
            return Err("it has no seal (it is truncated, or no entry at all)".to_owned());
        }
        let damaged = || "its seal is damaged".to_owned();
        let mut reader = Reader::open_sealed(bytes).ok_or_else(damaged)?;
        Seal::fields(&mut reader).ok_or_else(damaged)?
    }

    fn fields(reader: &mut Reader<'_>) -> Option<Result<Seal, String>> {
        let u16 = |reader: &mut Reader<'_>| Some(u16::from_le_bytes([reader.u8()?, reader.u8()?]));
        reader.raw(MAGIC.len())?;
        let version = u16(reader)?.swap_bytes();
        if version != VERSION {
            return Some(Err(format!("it has format {version}, not {VERSION}")));
        }
        let machine = u16(reader)?;
        let seal = Seal {
            machine,
            elf_len: reader.u64()?,
            content: reader.signature()?,
            cpu: CpuFeatures::from_bits(reader.u128()?),
            elf_check: reader.u128()?,
            elf_digest: reader.signature()?,
            rest_digest: reader.signature()?,
        };
        Some(Ok(seal))
    }
}

/// ELF's number of a library's architecture.
pub(super) fn machine_of(elf: &[u8]) -> u16 {
    match elf.get(18..20) {
        Some(&[low, high]) if elf.get(5) == Some(&2) => u16::from_be_bytes([low, high]),
        Some(&[low, high]) => u16::from_le_bytes([low, high]),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signature::digest;

    fn example() -> Seal {
        Seal {
            machine: MACHINE,
            elf_len: 1234,
            content: digest(b"content"),
            cpu: CpuFeatures::from_bits(1 << 100 | 3),
            elf_check: 7,
            elf_digest: digest(b"elf"),
            rest_digest: digest(b"rest"),
        }
    }

    #[test]
    fn a_seal_comes_back_and_has_its_length() {
        let bytes = example().encode();
        assert_eq!(bytes.len(), LEN);
        assert_eq!(Seal::decode(&bytes).unwrap(), example());
    }

    #[test]
    fn any_change_breaks_it() {
        let good = example().encode();
        for at in 0..good.len() {
            for bit in 0..8 {
                let mut bad = good.clone();
                bad[at] ^= 1 << bit;
                assert!(Seal::decode(&bad).is_err(), "byte {at}, bit {bit}");
            }
            assert!(Seal::decode(&good[..at]).is_err());
        }
        assert!(Seal::decode(&[0; LEN]).is_err());
        assert!(Seal::decode(&[]).is_err());
    }

    #[test]
    fn another_version_is_named() {
        let mut bytes = example().encode();
        bytes[9] = 2;
        let (fields, _) = bytes.split_at(LEN - 32);
        let mut writer = Writer::default();
        writer.raw(fields);
        assert!(Seal::decode(&writer.finish_sealed()).unwrap_err().contains("format 2"));
    }
}
