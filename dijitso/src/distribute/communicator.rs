//! Between ranks: who takes part, and a private way to send bytes.
//!
//! The engine asks very little of a communicator, so that the same steps run over MPI, over threads and in one
//! process: a rank, a size, and messages from one rank to another that arrive whole and in order. Everything
//! collective is built on these by `session`, which therefore always knows for which rank it waits; a collective
//! operation of MPI cannot tell.

use std::fmt;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
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

    /// Sends `message`, of at most [`LARGEST_MESSAGE`] bytes, to each of `to` at once. Returns when the bytes are on
    /// their way and may be reused, which can be as late as the receivers' [`receive`](Self::receive): while nothing
    /// happens, `idle` is called.
    ///
    /// # Errors
    /// A rank that is gone.
    fn send(&self, to: &[usize], message: &[u8], idle: &mut Idle<'_>) -> Result<(), Lost>;

    /// The next message of rank `from`. While there is none, `idle` is called.
    ///
    /// # Errors
    /// A rank that is gone, with nothing left from it.
    fn receive(&self, from: usize, idle: &mut Idle<'_>) -> Result<Vec<u8>, Lost>;
}

/// What a rank remembers of the collective calls on one communicator, see [`Channel::calls`]: how many there were, and why
/// there can be no more.
///
/// ```
/// // A new communicator begins with a new one.
/// let calls = dijitso::Calls::default();
/// ```
#[derive(Debug, Default)]
pub struct Calls {
    begun: AtomicU64,
    given_up: OnceLock<String>,
}

impl Calls {
    /// The number of the call that begins now; or why no call can: this rank has given up once, and is out of step for good.
    pub(super) fn begin(&self) -> Result<u64, String> {
        match self.given_up.get() {
            Some(problem) => Err(problem.clone()),
            None => Ok(self.begun.fetch_add(1, Ordering::Relaxed) + 1),
        }
    }

    /// The first reason is the one that is kept.
    pub(super) fn give_up(&self, problem: &str) {
        self.given_up.get_or_init(|| problem.to_owned());
    }
}

/// Called between two looks for something that has not happened yet: returns how long to sleep before the next one.
/// Zero is for giving up the core and looking again.
///
/// Sleeping leaves the cores to the compilers: MPI's own waits take them all.
pub type Idle<'a> = dyn FnMut() -> Duration + 'a;

/// No message is larger, whatever is sent: MPI counts bytes in 31 bits.
pub const LARGEST_MESSAGE: usize = 256 << 20;

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

/// A number that no other communicator has: for [`Channel::key`].
pub(super) fn new_key() -> u128 {
    let state = RandomState::new();
    u128::from(state.hash_one(0)) << 64 | u128::from(state.hash_one(1))
}
