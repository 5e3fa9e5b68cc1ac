//! Between ranks: who takes part, and a private way to send bytes.
//!
//! The engine asks very little of a communicator, so that the same steps run over MPI, over threads and in one
//! process: a rank, a size, and messages from one rank to another that arrive whole and in order. Everything
//! collective is built on these by `session`, which therefore always knows for which rank it waits; a collective
//! operation of MPI cannot tell.

use std::fmt;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Ranks that load kernels together: processes under MPI (any communicator of the `mpi` crate, with the feature `mpi`),
/// threads of one process ([`Threads`](crate::Threads)), or this process alone ([`Solo`](crate::Solo)).
///
/// dijitso takes an `mpi4py` communicator in its `mpi_comm` argument.
///
/// ```
/// use dijitso::Communicator as _;
/// assert_eq!((dijitso::Solo.rank(), dijitso::Solo.size()), (0, 1));
/// ```
pub trait Communicator {
    /// The number of the calling rank, less than [`size`](Self::size).
    fn rank(&self) -> usize;

    /// How many ranks there are.
    fn size(&self) -> usize;

    /// A channel between the same ranks that nobody else uses: what is sent here must never be received by the
    /// program, nor the other way round. Every rank calls this at the same place, and waits, with `idle`, for those
    /// that come late.
    ///
    /// # Errors
    /// A rank that is gone.
    fn channel(&self, idle: &mut Idle<'_>) -> Result<Box<dyn Channel + '_>, Lost>;
}

/// Messages between ranks, see [`Communicator::channel`].
pub trait Channel {
    /// Which communicator this is: one number on all of its ranks, and never another communicator's.
    fn key(&self) -> u128;

    /// The machine that the calling rank pretends to run on, for simulations; `None` for the one it runs on.
    fn machine(&self) -> Option<String> {
        None
    }

    /// What is remembered from one call to the next, kept as long as the communicator. Without it a call that comes after one
    /// that was given up can take what that one left behind for its own.
    fn calls(&self) -> Option<&Calls> {
        None
    }

    /// The longest message that [`send`](Self::send) does not wait with, in bytes; at least 1,024. What is longer is only sent
    /// to ranks that have said that they will receive it.
    fn eager(&self) -> usize;

    /// Sends `message`, of at most [`LARGEST_MESSAGE`] bytes, to each of `to` at once. Returns when the bytes may be reused, which
    /// for messages longer than [`eager`](Self::eager) can be as late as the receivers' [`receive`](Self::receive): while nothing
    /// happens, `idle` is called; this wait has no other end.
    ///
    /// # Errors
    /// A rank that is gone.
    fn send(&self, to: &[usize], message: &[u8], idle: &mut Idle<'_>) -> Result<(), Lost>;

    /// The next message of rank `from`. While there is none, `idle` is called, and may end the wait.
    ///
    /// # Errors
    /// A rank that is gone, with nothing left from it; or that the wait was ended.
    fn receive(&self, from: usize, idle: &mut Idle<'_>) -> Result<Vec<u8>, Lost>;

    /// Sends a notice, of at most 1,024 bytes, to each of `to`, without waiting. Notices are apart from messages: they reach a rank that
    /// waits for a message of another one.
    fn notify(&self, to: &[usize], notice: &[u8]);

    /// The next notice of any rank, if there is one.
    fn notice(&self) -> Option<Vec<u8>>;
}

/// What a rank remembers of the collective calls on one communicator, see [`Channel::calls`]: how many there were, and from
/// which on there can be no more, and why.
///
/// ```
/// // A new communicator begins with a new one.
/// let calls = dijitso::Calls::default();
/// ```
#[derive(Debug, Default)]
pub struct Calls(Mutex<Remembered>);

#[derive(Debug, Default)]
struct Remembered {
    begun: u64,
    given_up: Option<GivenUp>,
    told: bool,
}

/// Why calls cannot be made, beginning with one that some ranks may not have come to yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct GivenUp {
    pub(super) call: u64,
    pub(super) problem: String,
}

impl Calls {
    /// The number of the call that begins now.
    pub(super) fn begin(&self) -> u64 {
        let mut of = self.of();
        of.begun += 1;
        of.begun
    }

    /// Who has given up once is out of step for good: the first reason is kept, unless another one is of an earlier call.
    pub(super) fn give_up(&self, given_up: GivenUp) {
        let mut of = self.of();
        if of.given_up.as_ref().is_none_or(|known| given_up.call < known.call) {
            of.given_up = Some(given_up);
        }
    }

    /// Why this call cannot go on.
    pub(super) fn given_up(&self, call: u64) -> Option<GivenUp> {
        self.of().given_up.clone().filter(|given_up| given_up.call <= call)
    }

    /// Whether the other ranks have been told; from now on they have.
    pub(super) fn told(&self) -> bool {
        std::mem::replace(&mut self.of().told, true)
    }

    fn of(&self) -> MutexGuard<'_, Remembered> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Called between two looks for something that has not happened yet: returns how long to sleep before the next one.
/// Zero is for giving up the core and looking again. `None` ends the wait, if it is one for a message.
///
/// Sleeping leaves the cores to the compilers: MPI's own waits take them all.
pub type Idle<'a> = dyn FnMut() -> Option<Duration> + 'a;

/// No message is larger, whatever is sent: MPI counts bytes in 31 bits.
pub const LARGEST_MESSAGE: usize = 256 << 20;

/// What is not waited for, see [`Channel::eager`]: so few bytes that every MPI takes them without the receiver, over any network.
pub(super) const SHORT: usize = 4000;

/// A rank that cannot be reached any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lost {
    /// Which one.
    pub rank: usize,
    /// What is known about it.
    pub problem: String,
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rank {} {}", self.rank, self.problem)
    }
}

impl std::error::Error for Lost {}

/// Nobody waits for a message of this rank any more.
pub(super) fn not_awaited(rank: usize) -> Lost {
    Lost { rank, problem: "is not waited for any longer".to_owned() }
}

/// A number that no other communicator has: for [`Channel::key`].
pub(super) fn new_key() -> u128 {
    let state = RandomState::new();
    u128::from(state.hash_one(0)) << 64 | u128::from(state.hash_one(1))
}
