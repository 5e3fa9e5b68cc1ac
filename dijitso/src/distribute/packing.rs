//! Kernels leave: as a stream of `length of the label (u32) | label | bytes of the entry`.

use super::parcel::{Contents, Label, Parcel};
use super::unsent::Unsent;
use crate::cache::{Bytes, Sets};
use crate::error::{Error, Result};
use crate::fs::Fs;
use crate::jit::{Facts, Luggage};

/// Writes parcels as a stream, a chunk at a time.
pub(super) struct Packer {
    /// Last first.
    waiting: Vec<(Label, Option<Bytes>)>,
    /// The one that is being sent, and how many of its bytes were.
    sending: Option<(Bytes, u64)>,
    /// Sets of headers that were sent.
    carried: Sets,
    /// Why nothing more is sent.
    problem: Option<Error>,
}

impl Packer {
    pub(super) fn new(mut parcels: Vec<(Label, Option<Bytes>)>) -> Packer {
        parcels.reverse();
        Packer { waiting: parcels, sending: None, carried: Sets::default(), problem: None }
    }

    /// Fills `chunk` up to about `most` bytes; `false` when nothing is left.
    ///
    /// What cannot be read is sent as zeros, which no verification lets pass: the ranks that relay it must not notice. What cannot
    /// be described ends the stream, and [`finish`](Self::finish) says so.
    pub(super) fn fill(&mut self, chunk: &mut Vec<u8>, most: usize) -> bool {
        while chunk.len() < most {
            if let Some((bytes, sent)) = &mut self.sending {
                let now = (bytes.len() - *sent).min((most - chunk.len()) as u64);
                match bytes.piece(*sent, now) {
                    Ok(piece) => chunk.extend_from_slice(&piece),
                    Err(error) => {
                        log::warn!("a kernel that is being sent cannot be read any more: {error}");
                        chunk.resize(chunk.len() + now as usize, 0);
                    }
                }
                *sent += now;
                if *sent == bytes.len() {
                    self.sending = None;
                }
                continue;
            }
            let Some((mut label, bytes)) = self.waiting.pop() else { break };
            label.routes.lighten(&mut self.carried);
            let label = match postcard::to_stdvec(&label) {
                Ok(label) => label,
                Err(error) => {
                    let problem = format!("kernel {} cannot be described: {error}", label.facts.at);
                    self.problem = Some(Error::Communication { problem });
                    self.waiting.clear();
                    return false;
                }
            };
            chunk.extend_from_slice(&(label.len() as u32).to_le_bytes());
            chunk.extend_from_slice(&label);
            self.sending = bytes.filter(|bytes| bytes.len() > 0).map(|bytes| (bytes, 0));
        }
        self.sending.is_some() || !self.waiting.is_empty()
    }

    /// Whether everything was sent.
    pub(super) fn finish(self) -> Result<()> {
        self.problem.map_or(Ok(()), Err)
    }
}

/// Parcels as they can be sent; those that cannot any more, and what is linked to them, are left out and named.
pub(super) fn opened(
    parcels: &[Parcel],
    fs: &Fs,
    luggage: &Luggage,
) -> (Vec<(Label, Option<Bytes>)>, Unsent) {
    let mut unsent = Unsent::default();
    let open = |Parcel { label, contents }: &Parcel| {
        unsent
            .pass(label, || match contents {
                Contents::Bytes(bytes) => Ok(bytes.clone()),
                Contents::Sealed(file) => file.bytes().map_err(|error| error.to_string()),
                Contents::Entry(path) => match luggage.get(&label.facts.content) {
                    Some(packed) => Ok(packed.bytes.clone()),
                    None => {
                        let opened = Bytes::open(fs, path, &label.facts.content);
                        opened.map(|(bytes, _)| bytes).map_err(|defect| defect.to_string())
                    }
                },
            })
            .map(|bytes| {
                let facts = Facts { len: bytes.len(), ..label.facts.clone() };
                (Label { path: None, facts, ..label.clone() }, Some(bytes))
            })
    };
    let opened = parcels.iter().filter_map(open).collect();
    (opened, unsent)
}
