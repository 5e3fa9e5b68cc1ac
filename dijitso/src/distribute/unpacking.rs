//! Kernels arrive. Whoever receives a stream writes the bytes to where the other ranks of the machine can load them from,
//! verifies them on the way, and never holds more than a chunk.

use std::collections::HashMap;
use std::sync::Arc;

use super::parcel::{Contents, Label, Parcel};
use crate::cache::{Bytes, Sets, Verifier};
use crate::error::{Error, Result};
use crate::library::Spool;

/// No label is longer; a longer one is none.
const LONGEST_LABEL: usize = 64 << 20;

/// Reads a stream of parcels, in pieces of any size.
#[derive(Default)]
pub(super) struct Unpacker {
    /// Of a length or a label.
    partial: Vec<u8>,
    arriving: Option<Arriving>,
    /// Each library once, in the order of the stream.
    parcels: Vec<Parcel>,
    /// The first thing that went wrong; what comes after it is read and dropped.
    problem: Option<Error>,
    /// Nobody knows any more where the next label begins.
    garbled: bool,
    /// Whether nobody else loads from this rank.
    alone: bool,
    /// Sets of headers that have come.
    carried: Sets,
}

struct Arriving {
    label: Label,
    /// Bytes that are still to come.
    left: u64,
    verifier: Verifier,
    /// `None` for what came before, from another rank, and for what nobody wants any more.
    store: Option<Store>,
}

enum Store {
    Spool(Spool),
    Bytes(Vec<u8>),
}

impl Unpacker {
    /// With `alone`, nobody else loads from this rank.
    pub(super) fn new(alone: bool) -> Unpacker {
        Unpacker { alone, ..Unpacker::default() }
    }

    /// Takes the next piece of the stream.
    pub(super) fn feed(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() && !self.garbled {
            if let Some(arriving) = &mut self.arriving {
                let now = bytes.len().min(usize::try_from(arriving.left).unwrap_or(usize::MAX));
                let (mine, rest) = bytes.split_at(now);
                bytes = rest;
                arriving.left -= now as u64;
                let kept = arriving.keep(mine);
                if kept.is_err() {
                    arriving.store = None;
                }
                if arriving.left == 0
                    && let Some(arriving) = self.arriving.take()
                {
                    self.arrived(arriving);
                }
                if let Err(problem) = kept {
                    self.problem.get_or_insert(problem);
                }
                continue;
            }
            let wanted = match self.partial.first_chunk::<4>() {
                None => 4,
                Some(length) => 4 + u32::from_le_bytes(*length) as usize,
            };
            if !(5..=LONGEST_LABEL).contains(&wanted) && self.partial.len() >= 4 {
                return self.is_garbled("a label is shorter or longer than any can be");
            }
            let (mine, rest) = bytes.split_at((wanted - self.partial.len()).min(bytes.len()));
            self.partial.extend_from_slice(mine);
            bytes = rest;
            if self.partial.len() == wanted && wanted > 4 {
                let label = postcard::from_bytes::<Label>(&self.partial[4..]);
                self.partial.clear();
                match label {
                    Ok(mut label) => {
                        label.routes.complete(&mut self.carried);
                        self.begin(label);
                    }
                    Err(error) => return self.is_garbled(&error.to_string()),
                }
            }
        }
    }

    fn is_garbled(&mut self, problem: &str) {
        let problem = format!("a stream of kernels cannot be read: {problem}");
        self.problem.get_or_insert(Error::Communication { problem });
        self.garbled = true;
    }

    fn begin(&mut self, label: Label) {
        let content = label.facts.content;
        let known = self.parcels.iter_mut().find(|parcel| parcel.label.facts.content == content);
        let twice = known.is_some();
        if let Some(parcel) = known {
            parcel.label.join(label.clone());
        }
        if let Some(path) = &label.path {
            if !twice {
                let contents = Contents::Entry(path.clone());
                self.parcels.push(Parcel { label, contents });
            }
            return;
        }
        let verifier = match Verifier::new(&content, label.facts.elf_len, label.facts.len) {
            Ok(verifier) => verifier,
            Err(problem) => return self.is_garbled(&problem),
        };
        let store = match twice || self.problem.is_some() {
            true => None,
            false if self.alone => Some(Store::Bytes(Vec::new())),
            false => Some(match Spool::new(&label.facts.name) {
                Ok(spool) => Store::Spool(spool),
                Err(error) => {
                    log::debug!("no memory that others could open: {error}");
                    Store::Bytes(Vec::new())
                }
            }),
        };
        self.arriving = Some(Arriving { left: label.facts.len, verifier, store, label });
    }

    fn arrived(&mut self, arriving: Arriving) {
        let Arriving { label, verifier, store, .. } = arriving;
        let Some(store) = store else { return };
        let damaged = |problem: String| Error::Load { kernel: label.facts.at.clone(), problem };
        let verified = verifier.finish();
        let contents = match (verified, store) {
            (Err(problem), _) => Err(damaged(format!("was damaged on its way: {problem}"))),
            (Ok(_), Store::Bytes(bytes)) => Ok(Contents::Bytes(Bytes::Memory(Arc::new(bytes)))),
            (Ok(_), Store::Spool(spool)) => match spool.seal() {
                Ok(file) => Ok(Contents::Sealed(file)),
                Err(error) => Err(damaged(format!("cannot be sealed in memory: {error}"))),
            },
        };
        match contents {
            Ok(contents) => self.parcels.push(Parcel { label, contents }),
            Err(problem) => {
                self.problem.get_or_insert(problem);
            }
        }
    }

    /// What arrived, if all of it did.
    pub(super) fn finish(mut self) -> Result<Vec<Parcel>> {
        if self.arriving.is_some() || !self.partial.is_empty() {
            self.is_garbled("it ends in the middle");
        }
        self.problem.map_or(Ok(self.parcels), Err)
    }
}

impl Arriving {
    fn keep(&mut self, bytes: &[u8]) -> Result<()> {
        let refused = |problem: String| Error::Load { kernel: self.label.facts.at.clone(), problem };
        self.verifier.feed(bytes).map_err(refused)?;
        match &mut self.store {
            None => Ok(()),
            Some(Store::Bytes(kept)) => {
                kept.try_reserve(bytes.len())
                    .map_err(|_| refused("there is no memory left for it".to_owned()))?;
                kept.extend_from_slice(bytes);
                Ok(())
            }
            Some(Store::Spool(spool)) => {
                spool.write(bytes).map_err(|error| refused(format!("it cannot be kept in memory: {error}")))
            }
        }
    }
}

/// Several streams as one list: each library once, in an order in which it can be loaded.
pub(super) fn joined(streams: impl IntoIterator<Item = Unpacker>) -> Result<Vec<Parcel>> {
    let mut all: Vec<Parcel> = Vec::new();
    let mut places = HashMap::new();
    for stream in streams {
        for parcel in stream.finish()? {
            match places.get(&parcel.label.facts.content) {
                Some(&at) => {
                    let first: &mut Parcel = &mut all[at];
                    first.label.join(parcel.label);
                }
                None => {
                    places.insert(parcel.label.facts.content, all.len());
                    all.push(parcel);
                }
            }
        }
    }
    Ok(all)
}
