//! One collective call in progress: messages between ranks, each wait with a name. [`values`](super::values) and
//! [`stream`](super::stream) are what they carry.
//!
//! Whatever goes wrong *here* (a rank that is gone, a message of another call) is not one rank's matter: the others would
//! wait for ever. So a rank that gives up sends a notice to all whom it talks to, which reaches them in every wait; they give up
//! with the same words, then and in every later call, and tell others in turn. What goes wrong in the work itself (a compiler,
//! a disk) is a value that travels like any other, and no business of this module.
//!
//! One wait no notice can end: MPI's own for the receiver of a large message, which it reads from the sender's memory. So such
//! a message is announced, and sent when all its receivers have asked for it, which then wait for nothing else.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::communicator::{Calls, Channel, Communicator, GivenUp, Lost};
use super::message::{HEADER, Header, Kind};
use super::tree::Tree;
use super::waiting::{Ranks, Step, Wait};
use crate::error::{Error, Result};
use crate::stats::Counters;

/// What a message has room for, besides its header. Large enough to be fast, small enough to have several in memory.
const CHUNK: usize = (4 << 20) - HEADER;

/// The least that makes sense: a piece of a stream has a header, too.
pub(super) const SMALLEST_CHUNK: usize = 16;

/// The longest reason for giving up: a notice has 1,024 bytes.
const REASON: usize = 900;

/// One collective call of one rank.
pub(crate) struct Session<'c> {
    channel: Box<dyn Channel + 'c>,
    rank: usize,
    size: usize,
    call: u64,
    what: String,
    patience: Duration,
    counters: Arc<Counters>,
    /// The most that one message holds, without its header. The same on all ranks.
    pub(crate) chunk: usize,
    /// Everybody whom this rank talks to in this call.
    known: BTreeSet<usize>,
    /// Why this rank has given up, and whom it has told.
    given_up: RefCell<Option<(Error, BTreeSet<usize>)>>,
    /// The first call that cannot be finished, if this rank gives up.
    unfinished: Cell<u64>,
    /// For a channel that remembers nothing.
    calls: Calls,
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
        let (rank, size) = (comm.rank(), comm.size());
        let wait = Wait { step: Step::Meet, what: &what, rank, size, whom: Ranks(&[]), patience };
        let channel =
            wait.during(|idle| comm.channel(idle)).map_err(|lost| gone(&lost, Step::Meet, &what))?;
        let call = channel.calls().map_or(0, Calls::begin);
        let session = Session {
            channel,
            rank,
            size,
            call,
            what,
            patience,
            counters,
            chunk: CHUNK,
            known: Tree::over_all(size, rank).neighbours().collect(),
            given_up: RefCell::default(),
            unfinished: Cell::new(call),
            calls: Calls::default(),
        };
        match session.calls().given_up(call) {
            None => Ok(session),
            Some(given_up) => {
                let earlier = given_up.call < call;
                let error = session.ends_by(given_up);
                if !session.calls().told() {
                    session.tell(&error);
                }
                Err(if earlier { of_no_use_any_more(&error) } else { error })
            }
        }
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

    pub(super) fn header(&self, step: Step, kind: Kind, part: u32) -> Header {
        Header { call: self.call, step, kind, part }
    }

    /// Sends a message, with its header, to each of `to`.
    pub(super) fn send(&self, step: Step, to: &[usize], message: &[u8]) -> Result<()> {
        if to.is_empty() {
            return Ok(());
        }
        if message.len() <= self.channel.eager() {
            return self.pass(step, to, message);
        }
        self.offer(step, to, message).and_then(|()| self.pass(step, to, message)).inspect_err(|error| {
            // Those that have asked wait for it, or for this; some may be beyond reach.
            let notice = self.notice(error);
            for rank in to {
                let _ = self.pass(step, &[*rank], &notice);
            }
        })
    }

    /// Waits until all have asked for a large message.
    fn offer(&self, step: Step, to: &[usize], message: &[u8]) -> Result<()> {
        let part = Header::read(message).map_or(0, |header| header.part);
        self.pass(step, to, &self.header(step, Kind::Offer, part).start(0))?;
        self.counters.messages_offered.add(to.len() as u64);
        to.iter().try_for_each(|&rank| match self.next(step, rank, part, &mut || self.is_over())? {
            (Kind::Ready, _) => Ok(()),
            _ => Err(self.foreign(step, rank, "no answer to the offer of a large message")),
        })
    }

    fn pass(&self, step: Step, to: &[usize], message: &[u8]) -> Result<()> {
        self.wait(step, to)
            .during(|idle| self.channel.send(to, message, idle))
            .map_err(|lost| gone(&lost, step, &self.what))?;
        self.counters.messages_sent.add(to.len() as u64);
        self.counters.message_bytes.add((to.len() * message.len()) as u64);
        Ok(())
    }

    /// The next message of this call from a rank, with its header, which must be of this step and part.
    pub(super) fn receive(&self, step: Step, from: usize, part: u32) -> Result<(Kind, Vec<u8>)> {
        let (mut kind, mut message) = self.next(step, from, part, &mut || self.is_over())?;
        if kind == Kind::Offer {
            self.pass(step, &[from], &self.header(step, Kind::Ready, part).start(0))?;
            // It comes, or word that it does not. The sender may be waiting for others, and hear only from here that it must not.
            (kind, message) = self.next(step, from, part, &mut || self.passes_on())?;
        }
        match kind {
            Kind::More | Kind::Last | Kind::Cut => Ok((kind, message)),
            _ => Err(self.foreign(step, from, "an offer where a message was due")),
        }
    }

    /// The next message of a rank, of whatever kind; `over` ends the wait for it.
    fn next(
        &self,
        step: Step,
        from: usize,
        part: u32,
        over: &mut dyn FnMut() -> bool,
    ) -> Result<(Kind, Vec<u8>)> {
        let message = self.wait(step, &[from]).until(over, |idle| self.channel.receive(from, idle));
        let message = match message {
            Ok(message) => message,
            // Who is gone may have said why.
            Err(lost) => {
                return Err(match self.over() {
                    Some(given_up) => self.ends_by(given_up),
                    None => gone(&lost, step, &self.what),
                });
            }
        };
        let Some(header) = Header::read(&message) else {
            return Err(self.foreign(step, from, "a message of another version of this library"));
        };
        if header.kind == Kind::GivenUp {
            return Err(self.ends_by(reason(header, &message)));
        }
        if (header.call, header.step, header.part) != (self.call, step, part) {
            // If the other one is in an earlier call, that will not be finished either.
            self.unfinished.set(self.unfinished.get().min(header.call));
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
        let given_up = self.given_up.borrow().as_ref().map(|(error, _)| error.clone());
        if let Some(error) = given_up {
            self.tell(&error);
            return Err(error);
        }
        operation(self).map_err(|error| {
            let error = shortened(error);
            self.tell(&error);
            error
        })
    }

    /// Tells those who do not know yet that this rank has given up. They are all who can wait for it: whoever is in another
    /// step waits for one of them, or hears of it from one.
    fn tell(&self, error: &Error) {
        let notice = self.notice(error);
        self.calls().give_up(GivenUp { call: self.unfinished.get(), problem: words(error) });
        self.calls().told();
        let mut given_up = self.given_up.borrow_mut();
        let (_, told) = given_up.get_or_insert_with(|| (error.clone(), BTreeSet::new()));
        let whom: Vec<usize> = self.known.difference(told).copied().collect();
        told.extend(&whom);
        self.channel.notify(&whom, &notice);
    }

    fn notice(&self, error: &Error) -> Vec<u8> {
        let header = Header { call: self.unfinished.get(), ..self.header(Step::Meet, Kind::GivenUp, 0) };
        let mut notice = header.start(REASON);
        notice.extend_from_slice(short(&words(error)).as_bytes());
        notice
    }

    fn is_over(&self) -> bool {
        self.over().is_some()
    }

    /// Lets others hear what this rank has heard; no end of a wait.
    fn passes_on(&self) -> bool {
        if self.given_up.borrow().is_none()
            && let Some(given_up) = self.over()
        {
            self.tell(&self.ends_by(given_up));
        }
        false
    }

    /// Why this call cannot go on, if another rank has said so. Of a later call it may be too early to hear.
    fn over(&self) -> Option<GivenUp> {
        while let Some(notice) = self.channel.notice() {
            self.calls().give_up(match Header::read(&notice) {
                Some(header) => reason(header, &notice),
                None => GivenUp { call: 0, problem: "a rank has another version of this library".to_owned() },
            });
        }
        self.calls().given_up(self.call)
    }

    /// The error of a call that another rank has given up.
    fn ends_by(&self, GivenUp { call, problem }: GivenUp) -> Error {
        self.unfinished.set(self.unfinished.get().min(call));
        Error::Communication { problem }
    }

    fn calls(&self) -> &Calls {
        self.channel.calls().unwrap_or(&self.calls)
    }

    fn wait<'a>(&'a self, step: Step, whom: &'a [usize]) -> Wait<'a> {
        let Session { what, rank, size, patience, .. } = self;
        Wait { step, what, rank: *rank, size: *size, whom: Ranks(whom), patience: *patience }
    }

    pub(super) fn foreign(&self, step: Step, from: usize, what: &str) -> Error {
        self.broken(step, &format!(
            "it received {what} from rank {from}; all ranks must run the same program and call the same functions in \
             the same order"
        ))
    }

    pub(super) fn broken(&self, step: Step, problem: &str) -> Error {
        let problem = format!("rank {} of {}, {step} ({}): {problem}", self.rank, self.size, self.what);
        Error::Communication { problem }
    }
}

impl Drop for Session<'_> {
    /// A panic between two steps: the others would wait for the next one.
    fn drop(&mut self) {
        if std::thread::panicking() && self.given_up.borrow().is_none() {
            let error = shortened(self.broken(Step::Meet, "it panicked"));
            self.tell(&error);
        }
    }
}

/// What a rank that gives up has to say.
fn reason(header: Header, notice: &[u8]) -> GivenUp {
    let problem = String::from_utf8_lossy(&notice[HEADER..]).into_owned();
    GivenUp { call: header.call, problem }
}

fn words(error: &Error) -> String {
    match error {
        Error::Communication { problem } => problem.clone(),
        other => other.to_string(),
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

/// What a call gets that comes after one that was given up.
fn of_no_use_any_more(error: &Error) -> Error {
    let problem = match error {
        Error::Communication { problem } => problem.clone(),
        other => other.to_string(),
    };
    let problem = format!(
        "an earlier collective call on this communicator was given up, so that nothing can be loaded on it any more; make a new one \
         (a duplicate) on all ranks. That call ended like this: {problem}"
    );
    Error::Communication { problem }
}

fn gone(lost: &Lost, step: Step, what: &str) -> Error {
    Error::Communication { problem: format!("{lost}, {step} ({what})") }
}
