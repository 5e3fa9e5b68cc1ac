//! An entry's archive, read where it lies: a listing of thousands reads the end of each and no more.

use std::io::{self, Read, Seek, SeekFrom};

use crate::fs::Opened;

/// So much is read at once, from the end: seal, directory and facts of a usual entry.
const AT_ONCE: u64 = 32 * 1024;

/// A file up to its seal, as a zip reader expects it.
#[derive(Debug)]
pub(super) struct Window {
    file: Opened,
    len: u64,
    at: u64,
    /// The last bytes before the seal, with the length of the comment as 0: there is no comment here, and a
    /// reader need not search for the archive's end.
    tail: Vec<u8>,
}

impl Window {
    /// The window, and the last `end` bytes of the file behind it.
    pub(super) fn new(file: Opened, end: usize) -> io::Result<(Window, Vec<u8>)> {
        let size = file.stamp.size;
        let len = size.checked_sub(end as u64).ok_or(io::ErrorKind::UnexpectedEof)?;
        let from = size.saturating_sub(AT_ONCE.max(end as u64));
        let mut tail = file.read_at(from, size - from)?;
        let seal = tail.split_off(tail.len() - end);
        let comment = tail.len().saturating_sub(2);
        tail[comment..].fill(0);
        Ok((Window { file, len, at: 0, tail }, seal))
    }

    pub(super) fn file(&self) -> &Opened {
        &self.file
    }
}

impl Read for Window {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let tail = self.len - self.tail.len() as u64;
        if self.at >= tail {
            // The tail is as long as a `usize` can say.
            let rest = self.tail.get((self.at - tail) as usize..).unwrap_or_default();
            let count = rest.len().min(buffer.len());
            buffer[..count].copy_from_slice(&rest[..count]);
            self.at += count as u64;
            return Ok(count);
        }
        let count = (buffer.len() as u64).min(tail - self.at);
        let bytes = self.file.read_at(self.at, count)?;
        buffer[..bytes.len()].copy_from_slice(&bytes);
        self.at += bytes.len() as u64;
        Ok(bytes.len())
    }
}

impl Seek for Window {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => self.len.checked_add_signed(by),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
        };
        self.at = at.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}
