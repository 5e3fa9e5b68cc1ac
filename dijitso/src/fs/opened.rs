//! A file open for reading: what is read is the very file that the stamp was taken of.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::Arc;

use rustix::fs::FileType;
use rustix::io::Errno;

use super::Stamp;
use crate::signature::{Signature, digest_reader, fingerprint_reader};
use crate::stats::Counters;

/// A file open for reading.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(super) fd: OwnedFd,
    pub(super) counters: Arc<Counters>,
    /// Its stamp when it was opened.
    pub(crate) stamp: Stamp,
    /// Not a directory, pipe or device.
    pub(crate) regular: bool,
}

impl Opened {
    pub(super) fn new(fd: OwnedFd, counters: &Arc<Counters>) -> io::Result<Opened> {
        let stat = rustix::fs::fstat(&fd)?;
        Ok(Opened {
            fd,
            stamp: Stamp::of(&stat),
            regular: FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile,
            counters: counters.clone(),
        })
    }

    /// The whole file, unless it is larger than `limit` bytes.
    pub(crate) fn read_at_most(self, limit: u64) -> io::Result<Vec<u8>> {
        if self.stamp.size > limit {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, "the file is larger than it can be"));
        }
        if !self.regular || self.stamp.size == 0 {
            // Files in /proc say that they are empty.
            let mut bytes = Vec::new();
            File::from(self.fd).take(limit).read_to_end(&mut bytes)?;
            self.counters.bytes_read.add(bytes.len() as u64);
            return Ok(bytes);
        }
        self.read_at(0, self.stamp.size)
    }

    /// Its content from the beginning, piece by piece.
    pub(crate) fn into_reader(self) -> impl Read {
        io::BufReader::new(File::from(self.fd))
    }

    /// Its SHA-256, without holding it in memory.
    pub(crate) fn digest(self) -> io::Result<Signature> {
        digest_reader(File::from(self.fd))
    }

    /// Its fingerprint, without holding it in memory.
    pub(crate) fn fingerprint(self) -> io::Result<Signature> {
        fingerprint_reader(File::from(self.fd))
    }

    /// Exactly `len` bytes from `offset`; a shorter file is `UnexpectedEof`.
    pub(crate) fn read_at(&self, offset: u64, len: u64) -> io::Result<Vec<u8>> {
        let too_large = || io::Error::from(io::ErrorKind::OutOfMemory);
        let len = usize::try_from(len).map_err(|_| too_large())?;
        let mut bytes = Vec::new();
        // Fallible: a size that nobody could have meant must not end the program.
        bytes.try_reserve_exact(len).map_err(|_| too_large())?;
        while bytes.len() < len {
            let at = offset + bytes.len() as u64;
            match rustix::io::pread(self.fd.as_fd(), rustix::buffer::spare_capacity(&mut bytes), at) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        bytes.truncate(len);
        self.counters.bytes_read.add(len as u64);
        Ok(bytes)
    }
}
