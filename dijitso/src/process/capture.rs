//! What a program printed, within bounds.

use std::collections::VecDeque;

/// How much is kept of the beginning, and again of the end. A compiler that loops can print for as long as
/// its time-out allows; the first error and the last words are what a reader needs.
pub(super) const KEPT: usize = 512 * 1024;

/// The first and the last bytes of a stream.
#[derive(Debug)]
pub(super) struct Capture {
    /// As many of either.
    most: usize,
    head: Vec<u8>,
    tail: VecDeque<u8>,
    omitted: u64,
}

impl Default for Capture {
    fn default() -> Capture {
        Capture::of(2 * KEPT)
    }
}

impl Capture {
    pub(super) fn of(most: usize) -> Capture {
        Capture { most: most / 2, head: Vec::new(), tail: VecDeque::new(), omitted: 0 }
    }

    /// Whether something is missing in the middle.
    pub(super) fn is_cut(&self) -> bool {
        self.omitted > 0
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        let room = self.most - self.head.len();
        let (head, rest) = bytes.split_at(bytes.len().min(room));
        self.head.extend_from_slice(head);
        self.tail.extend(rest);
        if self.tail.len() > self.most {
            let excess = self.tail.len() - self.most;
            self.tail.drain(..excess);
            self.omitted += excess as u64;
        }
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        let mut bytes = self.head;
        if self.omitted > 0 {
            bytes.extend_from_slice(format!("\n[.. {} bytes omitted ..]\n", self.omitted).as_bytes());
        }
        let (front, back) = self.tail.as_slices();
        bytes.extend_from_slice(front);
        bytes.extend_from_slice(back);
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_output_is_kept_as_it_is() {
        let mut capture = Capture::default();
        capture.push(b"one ");
        capture.push(b"\xff two");
        assert_eq!(capture.into_bytes(), b"one \xff two");
    }

    #[test]
    fn of_long_output_the_first_and_the_last_words_are_kept() {
        let mut capture = Capture::default();
        capture.push(b"first");
        for _ in 0..300 {
            capture.push(&[b'x'; 10_000]);
        }
        capture.push(b"last");
        let bytes = capture.into_bytes();
        assert!(bytes.starts_with(b"firstx") && bytes.ends_with(b"xlast"));
        assert!(bytes.len() < 2 * KEPT + 100);
        let omitted = 3_000_009 - 2 * KEPT;
        assert!(String::from_utf8_lossy(&bytes).contains(&format!("\n[.. {omitted} bytes omitted ..]\n")));
    }
}
