//! Bytes of any number, in pieces, passed on from rank to rank: nobody holds more than a few pieces.
//!
//! What goes wrong with one rank's file must not stop the others: the rank goes on to receive and to pass on, to the end
//! of the stream, and returns its error then.

use super::message::{HEADER, Kind};
use super::session::{SMALLEST_CHUNK, Session};
use super::tree::Tree;
use super::waiting::Step;
use crate::error::{Error, Result};

/// Where bytes come from: appends some to the empty buffer, and says whether there are more.
pub(crate) type Source<'a> = dyn FnMut(&mut Vec<u8>) -> Result<bool> + 'a;

/// In front of each piece of a stream that goes up: the rank it is from, and its length.
const PIECE: usize = 8;

impl Session<'_> {
    /// Bytes from the root of the tree, which brings the `source`, to all below, where `sink` gets them in order.
    ///
    /// # Errors
    /// Of the rank's own `source` or `sink`, after the end of the stream; and on every rank if the source failed.
    pub(crate) fn stream_down(
        &mut self,
        step: Step,
        tree: &Tree,
        source: Option<&mut Source<'_>>,
        sink: &mut dyn FnMut(&[u8]) -> Result<()>,
    ) -> Result<()> {
        let own = self.guarded(tree, |session| match (tree.parent, source) {
            (None, Some(source)) => session.pour(step, tree, source),
            (Some(parent), None) => session.pass_down(step, tree, parent, sink),
            (parent, _) => {
                let root = parent.unwrap_or(session.rank());
                Err(session.foreign(step, root, "a stream that has no source at its root, or one below it"))
            }
        })?;
        own.map_or(Ok(()), Err)
    }

    /// The root's part; its own error inside.
    fn pour(&mut self, step: Step, tree: &Tree, source: &mut Source<'_>) -> Result<Option<Error>> {
        let children = tree.largest_first();
        if children.is_empty() {
            return Ok(None);
        }
        let mut out = Out::new(self, step, children);
        let mut bytes = Vec::new();
        let mut more = true;
        while more {
            bytes.clear();
            more = match source(&mut bytes) {
                Ok(more) => more,
                Err(error) => {
                    out.cut(self, &error)?;
                    return Ok(Some(error));
                }
            };
            let mut rest = &bytes[..];
            while !rest.is_empty() {
                let (piece, later) = rest.split_at(rest.len().min(out.room(self)));
                out.append(piece);
                rest = later;
                if out.room(self) == 0 {
                    out.flush(self, Kind::More)?;
                }
            }
        }
        out.flush(self, Kind::Last)?;
        Ok(None)
    }

    fn pass_down(
        &mut self,
        step: Step,
        tree: &Tree,
        parent: usize,
        sink: &mut dyn FnMut(&[u8]) -> Result<()>,
    ) -> Result<Option<Error>> {
        let children = tree.largest_first();
        let mut own = None;
        let mut part = 0u32;
        loop {
            let (kind, message) = self.receive(step, parent, part)?;
            self.send(step, &children, &message)?;
            let content = &message[HEADER..];
            match kind {
                Kind::Cut => {
                    let problem = String::from_utf8_lossy(content).into_owned();
                    return Ok(own.or(Some(Error::Communication { problem })));
                }
                _ if own.is_some() || content.is_empty() => {}
                _ => own = sink(content).err(),
            }
            if kind == Kind::Last {
                return Ok(own);
            }
            part = part.wrapping_add(1);
        }
    }

    /// Bytes from every rank of the tree to its root, where `sink` gets each rank's in order. What is small travels
    /// together: a rank sends one message, and one more for each full one.
    ///
    /// # Errors
    /// Of the rank's own `source` or `sink`, after the end of the stream. The root does not learn of a source that
    /// failed: what it got from that rank just ends.
    pub(crate) fn stream_up(
        &mut self,
        step: Step,
        tree: &Tree,
        source: &mut Source<'_>,
        sink: &mut dyn FnMut(usize, &[u8]) -> Result<()>,
    ) -> Result<()> {
        let own = self.guarded(tree, |session| match tree.parent {
            Some(parent) => session.pass_up(step, tree, parent, source),
            None => session.collect(step, tree, source, sink),
        })?;
        own.map_or(Ok(()), Err)
    }

    fn pass_up(
        &mut self,
        step: Step,
        tree: &Tree,
        parent: usize,
        source: &mut Source<'_>,
    ) -> Result<Option<Error>> {
        let mut out = Out::new(self, step, vec![parent]);
        let own = self.each_piece(source, &mut |session, piece| {
            let mut rest = piece;
            while !rest.is_empty() {
                if out.room(session) <= PIECE {
                    out.flush(session, Kind::More)?;
                }
                let (piece, later) = rest.split_at(rest.len().min(out.room(session) - PIECE));
                out.append(&number(session.rank()));
                out.append(&number(piece.len()));
                out.append(piece);
                rest = later;
            }
            Ok(())
        })?;
        for &child in &tree.children {
            self.each_message(step, child, &mut |session, pieces| {
                if out.room(session) < pieces.len() {
                    out.flush(session, Kind::More)?;
                }
                out.append(pieces);
                Ok(())
            })?;
        }
        out.flush(self, Kind::Last)?;
        Ok(own)
    }

    fn collect(
        &mut self,
        step: Step,
        tree: &Tree,
        source: &mut Source<'_>,
        sink: &mut dyn FnMut(usize, &[u8]) -> Result<()>,
    ) -> Result<Option<Error>> {
        let mut failed = None;
        let rank = self.rank();
        let mut own = self.each_piece(source, &mut |_, piece| {
            if failed.is_none() && !piece.is_empty() {
                failed = sink(rank, piece).err();
            }
            Ok(())
        })?;
        for &child in &tree.children {
            self.each_message(step, child, &mut |session, pieces| {
                let mut rest = pieces;
                while !rest.is_empty() {
                    let Some((from, piece, later)) = first_piece(rest) else {
                        return Err(session.foreign(step, child, "a piece without an end"));
                    };
                    if failed.is_none() {
                        failed = sink(from, piece).err();
                    }
                    rest = later;
                }
                Ok(())
            })?;
        }
        Ok(own.take().or(failed))
    }

    /// Everything that a source has; its error inside.
    fn each_piece(
        &mut self,
        source: &mut Source<'_>,
        take: &mut dyn FnMut(&mut Self, &[u8]) -> Result<()>,
    ) -> Result<Option<Error>> {
        let mut bytes = Vec::new();
        loop {
            bytes.clear();
            let more = source(&mut bytes);
            if let Err(error) = more {
                return Ok(Some(error));
            }
            take(self, &bytes)?;
            if let Ok(false) = more {
                return Ok(None);
            }
        }
    }

    /// The contents of all messages of a stream from below.
    fn each_message(
        &mut self,
        step: Step,
        from: usize,
        take: &mut dyn FnMut(&mut Self, &[u8]) -> Result<()>,
    ) -> Result<()> {
        let mut part = 0u32;
        loop {
            let (kind, message) = self.receive(step, from, part)?;
            take(self, &message[HEADER..])?;
            if kind != Kind::More {
                return Ok(());
            }
            part = part.wrapping_add(1);
        }
    }

    /// What a message of a stream has room for.
    fn room(&self) -> usize {
        self.chunk.max(SMALLEST_CHUNK)
    }
}

/// The message of a stream that is being filled.
struct Out {
    step: Step,
    to: Vec<usize>,
    part: u32,
    message: Vec<u8>,
}

impl Out {
    fn new(session: &Session<'_>, step: Step, to: Vec<usize>) -> Out {
        Out { step, to, part: 0, message: session.header(step, Kind::More, 0).start(0) }
    }

    fn room(&self, session: &Session<'_>) -> usize {
        session.room().saturating_sub(self.message.len() - HEADER)
    }

    fn append(&mut self, bytes: &[u8]) {
        self.message.extend_from_slice(bytes);
    }

    /// Sends what is there, even if it is nothing, and begins a new message.
    fn flush(&mut self, session: &Session<'_>, kind: Kind) -> Result<()> {
        session.header(self.step, kind, self.part).write(&mut self.message);
        session.send(self.step, &self.to, &self.message)?;
        self.message.truncate(HEADER);
        self.part = self.part.wrapping_add(1);
        Ok(())
    }

    /// Ends the stream before its end. What was not sent yet is of no use.
    fn cut(&mut self, session: &Session<'_>, why: &Error) -> Result<()> {
        self.message.truncate(HEADER);
        self.append(format!("rank {} cannot read on: {why}", session.rank()).as_bytes());
        self.flush(session, Kind::Cut)
    }
}

/// Four bytes: ranks and lengths of pieces are less than 2^32.
fn number(value: usize) -> [u8; 4] {
    (value as u32).to_le_bytes()
}

/// The rank and bytes of the first piece, and what follows it.
fn first_piece(bytes: &[u8]) -> Option<(usize, &[u8], &[u8])> {
    let (from, rest) = bytes.split_first_chunk()?;
    let (length, rest) = rest.split_first_chunk()?;
    let (piece, later) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
    Some((u32::from_le_bytes(*from) as usize, piece, later))
}
