//! One collective call in progress: values and streams between ranks, each wait with a name.
//!
//! Whatever goes wrong *here* (a rank that is gone, a message of another call) is not one rank's matter: the others would
//! wait for ever. So a rank that gives up tells all whom it talks to, and they give up with the same words, then and
//! in every later call. What goes wrong in the work itself (a compiler, a disk) is a value that travels like any other,
//! and no business of this module.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::communicator::{Calls, Channel, Communicator, Lost};
use super::message::{HEADER, Header, Kind};
use super::tree::Tree;
use super::waiting::{Patience, Step, Wait};
use crate::error::{Error, Result};
use crate::stats::Counters;

/// What a message has room for, besides its header. Large enough to be fast, small enough to have several in memory.
const CHUNK: usize = (4 << 20) - HEADER;

/// The least that makes sense: a piece of a stream has a header, too.
pub(super) const SMALLEST_CHUNK: usize = 16;

/// With so few ranks all are told that one gives up; among more, all whom it talks to.
const FEW: usize = 64;

/// The longest reason for giving up: so short that no communicator makes the sender wait for the receiver.
const REASON: usize = 900;

/// One collective call of one rank.
pub(crate) struct Session<'c> {
    channel: Box<dyn Channel + 'c>,
    rank: usize,
    size: usize,
    call: u64,
    what: String,
    patience: Patience,
    counters: Arc<Counters>,
    /// The most that one message holds, without its header. The same on all ranks.
    pub(crate) chunk: usize,
    /// Everybody whom this rank talks to in this call.
    known: BTreeSet<usize>,
    /// Why this rank has given up, and whom it has told.
    given_up: Option<(Error, BTreeSet<usize>)>,
}

impl<'c> Session<'c> {
    /// Begins a call on this communicator, for the kernels `what` (for warnings). All ranks must come here; waits for them
    /// without warning take `patience`.
    ///
    /// # Errors
    /// [`Error::Communication`]: a rank is gone, or an earlier call was given up.
    pub(crate) fn open<C: Communicator + ?Sized>(
        comm: &'c C,
        what: String,
        patience: Duration,
        counters: Arc<Counters>,
    ) -> Result<Session<'c>> {
        let patience = Patience::new(patience);
        let (rank, size) = (comm.rank(), comm.size());
        let wait = Wait { step: Step::Meet, what: &what, rank, size, whom: &"the other ranks", patience };
        let channel =
            wait.during(|idle| comm.channel(idle)).map_err(|lost| gone(&lost, Step::Meet, &what))?;
        let call = channel.calls().map_or(Ok(0), Calls::begin);
        let call = call.map_err(|problem| Error::Communication { problem })?;
        let known = Tree::over_all(size, rank).neighbours().collect();
        Ok(Session {
            channel,
            rank,
            size,
            call,
            what,
            patience,
            counters,
            chunk: CHUNK,
            known,
            given_up: None,
        })
    }

    /// Says more exactly what is waited for from now on, for warnings.
    pub(crate) fn waits_for(&mut self, what: String) {
        self.what = what;
    }

    pub(crate) fn rank(&self) -> usize {
        self.rank
    }

    pub(crate) fn size(&self) -> usize {
        self.size
    }

    /// See [`Channel::key`].
    pub(crate) fn key(&self) -> u128 {
        self.channel.key()
    }

    /// See [`Channel::machine`].
    pub(crate) fn machine(&self) -> Option<String> {
        self.channel.machine()
    }

    /// Names a tree of a later step: should this rank give up before, these ranks will hear of it. The tree over
    /// all ranks is known, and so is every one that was used.
    pub(crate) fn know(&mut self, tree: &Tree) {
        self.known.extend(tree.neighbours());
    }

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

    /// Everybody's value for everybody, by rank.
    pub(crate) fn gather<T: Serialize + DeserializeOwned>(
        &mut self,
        step: Step,
        tree: &Tree,
        mine: T,
    ) -> Result<Vec<(usize, T)>> {
        let mine = vec![(self.rank, mine)];
        self.guarded(tree, |session| {
            let all = session.up(step, tree, mine, |mut all, more| {
                all.extend(more);
                all
            })?;
            let all = tree.parent.is_none().then(|| {
                let mut all = all;
                all.sort_by_key(|&(rank, _)| rank);
                all
            });
            session.down(step, tree, all)
        })
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
        let children = from_the_largest(tree);
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
                Kind::Cut | Kind::GivenUp => {
                    return Err(self.foreign(step, from, "an end where a value was due"));
                }
            }
        }
    }

    pub(super) fn header(&self, step: Step, kind: Kind, part: u32) -> Header {
        Header { call: self.call, step, kind, part }
    }

    /// Sends a message, with its header, to each of `to`.
    pub(super) fn send(&self, step: Step, to: &[usize], message: &[u8]) -> Result<()> {
        if to.is_empty() {
            return Ok(());
        }
        let whom = Ranks(to);
        self.wait(step, &whom)
            .during(|idle| self.channel.send(to, message, idle))
            .map_err(|lost| gone(&lost, step, &self.what))?;
        self.counters.messages_sent.add(to.len() as u64);
        self.counters.message_bytes.add((to.len() * message.len()) as u64);
        Ok(())
    }

    /// The next message of this call from a rank, with its header, which must be of this step and part.
    pub(super) fn receive(&self, step: Step, from: usize, part: u32) -> Result<(Kind, Vec<u8>)> {
        let message = self
            .wait(step, &Ranks(&[from]))
            .during(|idle| self.channel.receive(from, idle))
            .map_err(|lost| gone(&lost, step, &self.what))?;
        let Some(header) = Header::read(&message) else {
            return Err(self.foreign(step, from, "a message of another version of this library"));
        };
        // Of whatever call: who gave up once has left messages behind, and is out of step for good.
        if header.kind == Kind::GivenUp {
            let problem = String::from_utf8_lossy(&message[HEADER..]).into_owned();
            return Err(Error::Communication { problem });
        }
        if (header.call, header.step, header.part) != (self.call, step, part) {
            let expected = self.header(step, header.kind, part);
            return Err(self.foreign(
                step,
                from,
                &format!("a message ({header}) where another was due ({expected})"),
            ));
        }
        Ok((header.kind, message))
    }

    /// Runs an operation on a tree; if it fails, everybody is told.
    pub(super) fn guarded<R>(
        &mut self,
        tree: &Tree,
        operation: impl FnOnce(&mut Self) -> Result<R>,
    ) -> Result<R> {
        self.know(tree);
        if let Some((error, _)) = &self.given_up {
            let error = error.clone();
            self.tell(&error);
            return Err(error);
        }
        operation(self).map_err(|error| {
            let error = shortened(error);
            self.tell(&error);
            error
        })
    }

    /// Tells those who do not know yet that this rank has given up.
    fn tell(&mut self, error: &Error) {
        let told = self.given_up.get_or_insert_with(|| (error.clone(), BTreeSet::new())).1.clone();
        let mut whom = self.known.clone();
        if self.size <= FEW {
            whom.extend((0..self.size).filter(|&rank| rank != self.rank));
        }
        let reason = match error {
            Error::Communication { problem } => problem.clone(),
            other => other.to_string(),
        };
        if let Some(calls) = self.channel.calls() {
            calls.give_up(&reason);
        }
        let mut message = self.header(Step::Meet, Kind::GivenUp, 0).start(REASON);
        message.extend_from_slice(short(&reason).as_bytes());
        for &rank in whom.difference(&told) {
            // Who is gone need not know.
            let _ = self.send(Step::Meet, &[rank], &message);
        }
        if let Some((_, told)) = &mut self.given_up {
            *told = whom;
        }
    }

    fn wait<'a>(&'a self, step: Step, whom: &'a dyn fmt::Display) -> Wait<'a> {
        let Session { what, rank, size, patience, .. } = self;
        Wait { step, what, rank: *rank, size: *size, whom, patience: *patience }
    }

    pub(super) fn foreign(&self, step: Step, from: usize, what: &str) -> Error {
        self.broken(step, &format!(
            "it received {what} from rank {from}; all ranks must run the same program and call the same functions in \
             the same order"
        ))
    }

    fn broken(&self, step: Step, problem: &str) -> Error {
        let problem = format!("rank {} of {}, {step} ({}): {problem}", self.rank, self.size, self.what);
        Error::Communication { problem }
    }
}

impl Drop for Session<'_> {
    /// A panic between two steps: the others would wait for the next one.
    fn drop(&mut self) {
        if std::thread::panicking() && self.given_up.is_none() {
            let error = shortened(self.broken(Step::Meet, "it panicked"));
            self.tell(&error);
        }
    }
}

/// In the words that the others hear.
fn shortened(error: Error) -> Error {
    match error {
        Error::Communication { problem } => Error::Communication { problem: short(&problem).to_owned() },
        other => other,
    }
}

fn short(reason: &str) -> &str {
    let end = (0..=REASON.min(reason.len())).rev().find(|&at| reason.is_char_boundary(at));
    &reason[..end.unwrap_or(0)]
}

/// Who has most below it hears first.
pub(super) fn from_the_largest(tree: &Tree) -> Vec<usize> {
    tree.children.iter().rev().copied().collect()
}

fn gone(lost: &Lost, step: Step, what: &str) -> Error {
    Error::Communication { problem: format!("{lost}, {step} ({what})") }
}

/// `rank 3`, `ranks 3, 5`.
struct Ranks<'a>(&'a [usize]);

impl fmt::Display for Ranks<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<String> = self.0.iter().map(usize::to_string).collect();
        write!(f, "rank{} {}", if names.len() == 1 { "" } else { "s" }, names.join(", "))
    }
}
