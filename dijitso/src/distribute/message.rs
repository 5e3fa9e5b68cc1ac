//! What stands in front of every message, so that nothing foreign is ever taken for one of ours.

use std::fmt;

use super::waiting::Step;

/// Changes with whatever one rank must understand of another.
const MAGIC: u32 = u32::from_le_bytes(*b"dji\x01");

pub(super) const HEADER: usize = 18;

/// What follows the header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A piece; more come.
    More,
    /// The last piece.
    Last,
    /// No piece: what was to follow cannot be read, and why.
    Cut,
    /// The sender gives the call up, and why.
    GivenUp,
    /// No piece: one that is large comes when it is asked for.
    Offer,
    /// Asks for it.
    Ready,
}

impl Kind {
    const ALL: [Kind; 6] = [Kind::More, Kind::Last, Kind::Cut, Kind::GivenUp, Kind::Offer, Kind::Ready];
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) call: u64,
    pub(super) step: Step,
    pub(super) kind: Kind,
    /// Counts the pieces of one value or stream.
    pub(super) part: u32,
}

impl Header {
    /// A message to which the content is yet to be appended.
    pub(super) fn start(self, content: usize) -> Vec<u8> {
        let mut message = Vec::with_capacity(HEADER + content);
        message.extend_from_slice(&[0; HEADER]);
        self.write(&mut message);
        message
    }

    /// Puts the header into its place at the start of a message.
    pub(super) fn write(self, message: &mut [u8]) {
        message[..4].copy_from_slice(&MAGIC.to_le_bytes());
        message[4..12].copy_from_slice(&self.call.to_le_bytes());
        message[12] = self.step as u8;
        message[13] = self.kind as u8;
        message[14..18].copy_from_slice(&self.part.to_le_bytes());
    }

    /// `None`: not one of ours.
    pub(super) fn read(message: &[u8]) -> Option<Header> {
        let (magic, rest) = message.split_first_chunk()?;
        let (call, rest) = rest.split_first_chunk()?;
        let (&[step, kind], rest) = rest.split_first_chunk()?;
        let (part, _) = rest.split_first_chunk()?;
        if u32::from_le_bytes(*magic) != MAGIC {
            return None;
        }
        Some(Header {
            call: u64::from_le_bytes(*call),
            step: Step::ALL.into_iter().find(|&s| s as u8 == step)?,
            kind: Kind::ALL.into_iter().find(|&k| k as u8 == kind)?,
            part: u32::from_le_bytes(*part),
        })
    }
}

impl fmt::Display for Header {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "call {}, part {}, {}", self.call, self.part, self.step)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_read_as_they_were_written() {
        for (step, kind) in Step::ALL.into_iter().zip(Kind::ALL.repeat(2)) {
            let header = Header { call: u64::MAX - 7, step, kind, part: 70_000 };
            let message = header.start(3);
            assert_eq!((message.len(), Header::read(&message)), (HEADER, Some(header)));
        }
    }

    #[test]
    fn what_is_not_ours_is_no_header() {
        let good = Header { call: 1, step: Step::Agree, kind: Kind::Last, part: 0 }.start(0);
        assert_eq!(Header::read(&good[..HEADER - 1]), None);
        assert_eq!(Header::read(&[]), None);
        for byte in [0, 3, 12, 13] {
            let mut bad = good.clone();
            bad[byte] ^= 0x80;
            assert_eq!(Header::read(&bad), None, "byte {byte}");
        }
    }
}
