//! The bytes of the small binary files: little-endian, length-prefixed, and read without trust.
//!
//! These files are read on every disk hit, where a text format would cost more than loading the library.

use crate::fs::Stamp;
use crate::signature::{Signature, digest};

#[derive(Debug, Default)]
pub(super) struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    pub(super) fn raw(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    pub(super) fn u8(&mut self, value: u8) {
        self.bytes.push(value);
    }

    pub(super) fn u32(&mut self, value: u32) {
        self.raw(&value.to_le_bytes());
    }

    pub(super) fn u64(&mut self, value: u64) {
        self.raw(&value.to_le_bytes());
    }

    pub(super) fn u128(&mut self, value: u128) {
        self.raw(&value.to_le_bytes());
    }

    pub(super) fn signature(&mut self, value: &Signature) {
        self.raw(value.as_bytes());
    }

    pub(super) fn stamp(&mut self, value: &Stamp) {
        self.u64(value.ino);
        self.u64(value.size);
        self.u64(value.mtime_ns as u64);
        self.u64(value.ctime_ns as u64);
    }

    /// Length and bytes. What does not fit into 32 bits is cut; nothing here comes near.
    pub(super) fn block(&mut self, bytes: &[u8]) {
        let len = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        self.u32(len);
        self.raw(&bytes[..len as usize]);
    }

    pub(super) fn finish(self) -> Vec<u8> {
        self.bytes
    }

    /// Everything so far, and the SHA-256 of it.
    pub(super) fn finish_sealed(mut self) -> Vec<u8> {
        let checksum = digest(&self.bytes);
        self.signature(&checksum);
        self.bytes
    }
}

/// Reads what [`Writer`] wrote; `None` wherever the bytes end too early.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader { rest: bytes }
    }

    /// The content of a sealed file, if its checksum is right.
    pub(super) fn open_sealed(bytes: &'a [u8]) -> Option<Reader<'a>> {
        let (content, checksum) = bytes.split_last_chunk::<32>()?;
        (digest(content).as_bytes() == checksum).then_some(Reader { rest: content })
    }

    pub(super) fn raw(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(len)?;
        self.rest = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.rest.split_first_chunk::<N>()?;
        self.rest = rest;
        Some(*taken)
    }

    pub(super) fn u8(&mut self) -> Option<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    pub(super) fn u128(&mut self) -> Option<u128> {
        self.array().map(u128::from_le_bytes)
    }

    pub(super) fn signature(&mut self) -> Option<Signature> {
        self.array().map(Signature::from_bytes)
    }

    pub(super) fn stamp(&mut self) -> Option<Stamp> {
        Some(Stamp {
            ino: self.u64()?,
            size: self.u64()?,
            mtime_ns: self.u64()? as i64,
            ctime_ns: self.u64()? as i64,
        })
    }

    pub(super) fn block(&mut self) -> Option<&'a [u8]> {
        let len = self.u32()?;
        self.raw(len as usize)
    }

    pub(super) fn len(&self) -> usize {
        self.rest.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let mut writer = Writer::default();
        writer.u8(1);
        writer.u32(2);
        writer.u64(3);
        writer.u128(4);
        writer.signature(&digest(b"x"));
        writer.block(b"block");
        let bytes = writer.finish_sealed();
        let mut reader = Reader::open_sealed(&bytes).unwrap();
        assert_eq!(
            (reader.u8(), reader.u32(), reader.u64(), reader.u128()),
            (Some(1), Some(2), Some(3), Some(4))
        );
        assert_eq!(reader.signature(), Some(digest(b"x")));
        assert_eq!(reader.block(), Some(&b"block"[..]));
        assert!(reader.is_empty());
        assert_eq!((reader.u8(), reader.u32(), reader.block()), (None, None, None));
    }

    #[test]
    fn a_length_beyond_the_end_is_refused() {
        let mut writer = Writer::default();
        writer.u32(u32::MAX);
        writer.raw(b"short");
        assert_eq!(Reader::new(&writer.finish()).block(), None);
    }

    #[test]
    fn a_sealed_file_with_any_bit_changed_is_refused() {
        let mut writer = Writer::default();
        writer.block(b"content");
        let good = writer.finish_sealed();
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 0x10;
            assert!(Reader::open_sealed(&bad).is_none());
            assert!(Reader::open_sealed(&good[..at]).is_none());
        }
    }
}
