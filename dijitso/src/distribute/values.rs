//! Values of all ranks, merged up a tree and told down it.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::message::{HEADER, Kind};
use super::session::Session;
use super::tree::Tree;
use super::waiting::Step;
use crate::error::Result;

impl Session<'_> {
    /// Values go up the tree, merged on their way (those of lower places in the tree's list first), and the result
    /// comes down to everybody.
    pub(crate) fn all_reduce<T: Serialize + DeserializeOwned>(
        &mut self,
        step: Step,
        tree: &Tree,
        mine: T,
        merge: impl FnMut(T, T) -> T,
    ) -> Result<T> {
        self.guarded(tree, |session| {
            let value = session.up(step, tree, mine, merge)?;
            session.down(step, tree, tree.parent.is_none().then_some(value))
        })
    }

    /// The same without the way down: the root gets the result.
    pub(crate) fn reduce<T: Serialize + DeserializeOwned>(
        &mut self,
        step: Step,
        tree: &Tree,
        mine: T,
        merge: impl FnMut(T, T) -> T,
    ) -> Result<Option<T>> {
        self.guarded(tree, |session| {
            let value = session.up(step, tree, mine, merge)?;
            Ok(tree.parent.is_none().then_some(value))
        })
    }

    /// The root's value for everybody; the others bring `None`.
    pub(crate) fn broadcast<T: Serialize + DeserializeOwned>(
        &mut self,
        step: Step,
        tree: &Tree,
        mine: Option<T>,
    ) -> Result<T> {
        self.guarded(tree, |session| session.down(step, tree, mine))
    }

    /// The merged value of this rank and all below; it has been sent to the parent.
    fn up<T: Serialize + DeserializeOwned>(
        &mut self,
        step: Step,
        tree: &Tree,
        mine: T,
        mut merge: impl FnMut(T, T) -> T,
    ) -> Result<T> {
        let mut value = mine;
        for &child in &tree.children {
            let theirs = self.receive_value(step, child, &[])?;
            value = merge(value, self.decode(step, child, &theirs)?);
        }
        if let Some(parent) = tree.parent {
            let bytes = self.encode(step, &value)?;
            self.send_value(step, &[parent], &bytes)?;
        }
        Ok(value)
    }

    /// The root's value, passed on to all below.
    fn down<T: Serialize + DeserializeOwned>(
        &mut self,
        step: Step,
        tree: &Tree,
        value: Option<T>,
    ) -> Result<T> {
        let children = tree.largest_first();
        match (value, tree.parent) {
            (Some(value), None) => {
                if !children.is_empty() {
                    let bytes = self.encode(step, &value)?;
                    self.send_value(step, &children, &bytes)?;
                }
                Ok(value)
            }
            (None, Some(parent)) => {
                let bytes = self.receive_value(step, parent, &children)?;
                self.decode(step, parent, &bytes)
            }
            (value, _) => {
                let has = if value.is_some() {
                    "a rank below the root has a value"
                } else {
                    "the root has no value"
                };
                Err(self.broken(step, has))
            }
        }
    }

    fn encode<T: Serialize>(&self, step: Step, value: &T) -> Result<Vec<u8>> {
        postcard::to_stdvec(value)
            .map_err(|error| self.broken(step, &format!("a value cannot be sent: {error}")))
    }

    fn decode<T: DeserializeOwned>(&self, step: Step, from: usize, bytes: &[u8]) -> Result<T> {
        match postcard::take_from_bytes(bytes) {
            Ok((value, [])) => Ok(value),
            _ => Err(self.foreign(step, from, "a message that this program cannot read")),
        }
    }

    fn send_value(&mut self, step: Step, to: &[usize], bytes: &[u8]) -> Result<()> {
        let mut rest = bytes;
        let mut part = 0;
        loop {
            let (piece, later) = rest.split_at(rest.len().min(self.chunk));
            let kind = if later.is_empty() { Kind::Last } else { Kind::More };
            let mut message = self.header(step, kind, part).start(piece.len());
            message.extend_from_slice(piece);
            self.send(step, to, &message)?;
            if later.is_empty() {
                return Ok(());
            }
            (rest, part) = (later, part.wrapping_add(1));
        }
    }

    /// The bytes of a value, of which each piece is passed on to `children` when it comes.
    fn receive_value(&mut self, step: Step, from: usize, children: &[usize]) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let mut part = 0;
        loop {
            let (kind, message) = self.receive(step, from, part)?;
            self.send(step, children, &message)?;
            bytes.extend_from_slice(&message[HEADER..]);
            match kind {
                Kind::More => part = part.wrapping_add(1),
                Kind::Last => return Ok(bytes),
                _ => return Err(self.foreign(step, from, "an end where a value was due")),
            }
        }
    }
}
