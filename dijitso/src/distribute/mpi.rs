//! Any communicator of the `mpi` crate (rsmpi).
//!
//! Messages must not meet those of the program, so they travel on a duplicate of its communicator. The duplicate is made
//! at the first use, and MPI itself keeps it, as an attribute of the original: so it is found again without a table
//! here, is freed with the original, and an original that got the handle of one that was freed never finds the other's.
//!
//! Every call of MPI is made on the calling thread and returns at once; what takes time is asked for again and again.
//!
//! What is short is copied, and is not waited for: between ranks of one machine Open MPI calls a message of more than 256 bytes
//! sent when its receiver has given the memory back, which it may do late if there are more ranks than cores.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::mem::ManuallyDrop;
use std::rc::Rc;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use mpi::attribute::CommAttribute;
use mpi::datatype::Equivalence as _;
use mpi::request::{Request, Scope, StaticScope};
use mpi::topology::{Communicator as Mpi, SimpleCommunicator};
use mpi::traits::{
    AnyCommunicator as _, AsRaw as _, CommunicatorCollectives as _, Destination as _, FromRaw as _,
    Root as _, Source as _,
};

use super::communicator::{Channel, Communicator, Idle, LARGEST_MESSAGE, Lost, new_key};

impl<C: Mpi + ?Sized> Communicator for C {
    fn rank(&self) -> usize {
        // Without MPI there is no rank; `channel` says so.
        if unusable().is_some() { 0 } else { number(Mpi::rank(self)) }
    }

    fn size(&self) -> usize {
        if unusable().is_some() { 1 } else { number(Mpi::size(self)) }
    }

    fn channel(&self, idle: &mut Idle<'_>) -> Result<Box<dyn Channel + '_>, Lost> {
        if let Some(problem) = unusable() {
            return Err(Lost { rank: 0, problem: problem.to_owned() });
        }
        if self.test_inter() {
            let problem = "cannot load kernels over an inter-communicator: merge it first".to_owned();
            return Err(Lost { rank: number(Mpi::rank(self)), problem });
        }
        register();
        if let Some(private) = self.get_attr::<Private>() {
            return Ok(Box::new(Open(&private.0)));
        }
        // Every rank comes here once for each communicator. `MPI_Comm_dup` does not return before all have come, and
        // takes a core meanwhile: so they meet first.
        wait(self.immediate_barrier(), idle);
        set(self, Private(Rc::new(Line::new(self, idle))));
        match self.get_attr::<Private>() {
            Some(private) => Ok(Box::new(Open(&private.0))),
            None => Err(Lost {
                rank: number(Mpi::rank(self)),
                problem: "cannot communicate: MPI keeps no attributes on this communicator".to_owned(),
            }),
        }
    }
}

/// The attribute of a communicator. It does not go to duplicates: those get their own.
#[derive(Clone)]
struct Private(Rc<Line>);

impl CommAttribute for Private {}

/// The private duplicate of a communicator.
struct Line {
    comm: ManuallyDrop<SimpleCommunicator>,
    key: u128,
    posted: RefCell<VecDeque<Posted>>,
}

impl Line {
    /// All ranks are here.
    fn new(original: &(impl Mpi + ?Sized), idle: &mut Idle<'_>) -> Line {
        let comm = ManuallyDrop::new(original.duplicate());
        let mut key = new_key().to_le_bytes();
        let root = comm.process_at_rank(0);
        mpi::request::scope(|scope| wait(root.immediate_broadcast_into(scope, &mut key[..]), idle));
        Line { comm, key: u128::from_le_bytes(key), posted: RefCell::default() }
    }

    /// Sends a copy.
    fn post(&self, to: &[mpi::Rank], message: &[u8]) {
        let posted = Posted::new(message, |bytes| {
            let send = |&rank| self.comm.process_at_rank(rank).immediate_send(StaticScope, bytes);
            to.iter().map(send).collect()
        });
        self.posted.borrow_mut().push_back(posted);
    }

    /// How many bytes of copies are on their way, as far as is known.
    fn on_their_way(&self) -> usize {
        self.posted.borrow().iter().map(|posted| posted.length).sum()
    }

    /// Forgets the copies that have left, up to the first that has not: each look at such a one may give up the core.
    fn let_go(&self) {
        let mut posted = self.posted.borrow_mut();
        while posted.front_mut().is_some_and(Posted::has_left) {
            posted.pop_front();
        }
    }

    /// The rank, as MPI counts, if it is one.
    fn rank(&self, rank: usize) -> Result<mpi::Rank, Lost> {
        let size = Mpi::size(&*self.comm);
        match mpi::Rank::try_from(rank) {
            Ok(rank) if rank < size => Ok(rank),
            _ => Err(Lost { rank, problem: format!("does not exist: there are {size}") }),
        }
    }
}

impl Drop for Line {
    /// MPI calls this when the original is freed; for those that never are, while it ends, when it has freed or
    /// forgotten the duplicate itself.
    fn drop(&mut self) {
        if !mpi::is_finalized() {
            // SAFETY: nothing uses it after this.
            unsafe { ManuallyDrop::drop(&mut self.comm) }
        }
    }
}

/// A copy of a message that MPI may still read.
struct Posted {
    requests: Vec<Request<'static, [u8], StaticScope>>,
    bytes: *mut [u8],
    length: usize,
}

impl Posted {
    fn new(
        message: &[u8],
        send: impl FnOnce(&'static [u8]) -> Vec<Request<'static, [u8], StaticScope>>,
    ) -> Posted {
        let bytes = Box::into_raw(Box::<[u8]>::from(message));
        // SAFETY: these bytes are alive and not written to until `drop` takes them back, and then no request is left.
        let requests = send(unsafe { &*bytes });
        Posted { requests, bytes, length: message.len() }
    }

    fn has_left(&mut self) -> bool {
        while let Some(request) = self.requests.pop() {
            if let Err(request) = request.test() {
                self.requests.push(request);
                return false;
            }
        }
        true
    }
}

impl Drop for Posted {
    fn drop(&mut self) {
        if self.requests.is_empty() {
            // SAFETY: they are from the box above, and no request refers to them any more.
            drop(unsafe { Box::from_raw(self.bytes) });
        }
        // Else nobody will ever receive them, and they stay where they are: a request must not be dropped.
        self.requests.drain(..).for_each(std::mem::forget);
    }
}

/// What is sent as a copy, and how much of it may be on its way.
const SHORT: usize = 64 << 10;
const MOST_POSTED: usize = 1 << 20;
/// How often messages are asked for when a call ends: by then they were answered, and only MPI has to notice it.
const LAST_LOOKS: usize = 100;

/// The line, in use by one call.
struct Open<'a>(&'a Line);

impl std::ops::Deref for Open<'_> {
    type Target = Line;

    fn deref(&self) -> &Line {
        self.0
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        // What is still on its way after that is for a rank that is gone.
        for _ in 0..LAST_LOOKS {
            self.let_go();
            if self.posted.borrow().is_empty() {
                break;
            }
            std::thread::yield_now();
        }
    }
}

impl Channel for Open<'_> {
    fn key(&self) -> u128 {
        self.key
    }

    fn send(&self, to: &[usize], message: &[u8], idle: &mut Idle<'_>) -> Result<(), Lost> {
        if message.len() > LARGEST_MESSAGE {
            let problem = format!("cannot be sent {} bytes at once", message.len());
            return Err(Lost { rank: to.first().copied().unwrap_or_default(), problem });
        }
        let to: Vec<mpi::Rank> = to.iter().map(|&rank| self.rank(rank)).collect::<Result<_, _>>()?;
        if message.len() <= SHORT {
            self.post(&to, message);
            let mut pauses = Pauses::new(idle);
            while self.on_their_way() > MOST_POSTED {
                self.let_go();
                pauses.next();
            }
            return Ok(());
        }
        mpi::request::scope(|scope| {
            let send = |&rank: &mpi::Rank| self.comm.process_at_rank(rank).immediate_send(scope, message);
            // All are on their way before one is waited for.
            let pending: Vec<_> = to.iter().map(send).collect();
            for request in pending {
                wait(request, idle);
            }
        });
        Ok(())
    }

    fn receive(&self, from: usize, idle: &mut Idle<'_>) -> Result<Vec<u8>, Lost> {
        let sender = self.comm.process_at_rank(self.rank(from)?);
        // Matched: the message that was seen is the one that is received, whatever other threads do.
        let mut pauses = Pauses::new(idle);
        let (message, status) = loop {
            match sender.immediate_matched_probe() {
                Some(found) => break found,
                None => pauses.next(),
            }
        };
        let mut bytes = vec![0; number(status.count(u8::equivalent_datatype()))];
        mpi::request::scope(|scope| {
            wait(message.immediate_matched_receive_into(scope, &mut bytes[..]), idle)
        });
        Ok(bytes)
    }
}

fn wait<'a, D: ?Sized, S: Scope<'a>>(mut request: Request<'a, D, S>, idle: &mut Idle<'_>) {
    let mut pauses = Pauses::new(idle);
    while let Err(pending) = request.test() {
        request = pending;
        pauses.next();
    }
}

/// So many looks come first without a pause, some microseconds in all: what is on its way is there by then. Who gives up
/// the core on a busy machine is without it for milliseconds. (Where ranks share cores Open MPI gives it up by
/// itself in every look.)
const LOOKS: u32 = 32;

/// What happens between two looks for something that has not happened yet.
struct Pauses<'a, 'b> {
    idle: &'a mut Idle<'b>,
    looks: u32,
}

impl<'a, 'b> Pauses<'a, 'b> {
    fn new(idle: &'a mut Idle<'b>) -> Pauses<'a, 'b> {
        Pauses { idle, looks: 0 }
    }

    fn next(&mut self) {
        self.looks += 1;
        if self.looks < LOOKS {
            return std::hint::spin_loop();
        }
        let pause = (self.idle)();
        if pause.is_zero() { std::thread::yield_now() } else { std::thread::sleep(pause) }
    }
}

/// Why MPI cannot be called.
fn unusable() -> Option<&'static str> {
    if !mpi::is_initialized() {
        Some("cannot communicate: MPI is not initialised; call `mpi::initialize` first")
    } else if mpi::is_finalized() {
        Some(
            "cannot communicate any more: MPI is finalised; keep what `mpi::initialize` returned until the end",
        )
    } else {
        None
    }
}

/// Makes the attribute known. Two threads that came here at once would get two keys from the `mpi` crate, and one of them
/// would not find what it set.
fn register() {
    static FIRST: Mutex<()> = Mutex::new(());
    let _one_by_one = FIRST.lock().unwrap_or_else(PoisonError::into_inner);
    Private::get_key();
}

/// Sets the attribute of a communicator, which takes one that can be changed: a second handle, which is not freed.
fn set(comm: &(impl Mpi + ?Sized), private: Private) {
    let raw = comm.as_raw();
    for mut system in [SimpleCommunicator::world(), SimpleCommunicator::self_comm()] {
        if system.as_raw() == raw {
            return system.set_attr(private);
        }
    }
    // SAFETY: `comm` is alive, is neither of the two above nor an inter-communicator, and this handle to it is neither
    // freed nor kept.
    let mut handle = ManuallyDrop::new(unsafe { SimpleCommunicator::from_raw(raw) });
    handle.set_attr(private);
}

/// Ranks, sizes and counts of MPI are not negative.
fn number(value: std::ffi::c_int) -> usize {
    usize::try_from(value).unwrap_or_default()
}
