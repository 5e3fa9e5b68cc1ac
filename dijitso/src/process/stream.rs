//! What a program prints, taken as it comes and never waited for.

use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};

use super::capture::Capture;

/// One pipe from the program; closed at its end, or when the program has ended.
#[derive(Debug)]
pub(super) struct Stream<P> {
    pipe: Option<P>,
    capture: Capture,
    /// What nobody has taken yet, where somebody does.
    news: Option<Vec<u8>>,
}

impl<P: Read + AsFd> Stream<P> {
    pub(super) fn new(pipe: Option<P>, keeps: usize) -> Stream<P> {
        // Without this the read after the program's end would wait for a grandchild that holds the pipe.
        let pipe = pipe.filter(|pipe| rustix::io::ioctl_fionbio(pipe, true).is_ok());
        Stream { pipe, capture: Capture::of(keeps), news: None }
    }

    pub(super) fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.pipe.as_ref().map(P::as_fd)
    }

    /// Takes what is there now, but at most so much that the others are served too.
    pub(super) fn read(&mut self) {
        let mut chunk = [0; 16 * 1024];
        for _ in 0..64 {
            let Some(pipe) = &mut self.pipe else { return };
            match pipe.read(&mut chunk) {
                Ok(0) => self.pipe = None,
                Ok(n) => {
                    self.capture.push(&chunk[..n]);
                    if let Some(news) = &mut self.news {
                        news.extend_from_slice(&chunk[..n]);
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => self.pipe = None,
            }
        }
    }

    pub(super) fn close(&mut self) {
        self.pipe = None;
    }

    pub(super) fn is_cut(&self) -> bool {
        self.capture.is_cut()
    }

    pub(super) fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.capture).into_bytes()
    }

    /// What came since this was called last.
    pub(super) fn news(&mut self) -> Vec<u8> {
        self.news.replace(Vec::new()).unwrap_or_default()
    }
}
