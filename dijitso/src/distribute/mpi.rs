//! Any communicator of the `mpi` crate (rsmpi).
//!
//! Messages must not meet those of the program, so they travel on a duplicate of its communicator. The duplicate is made
//! at the first use, and MPI itself keeps it, as an attribute of the original: so it is found again without a table
//! here, is freed with the original, and an original that got the handle of one that was freed never finds the other's.
//!
//! Every call of MPI is made on the calling thread and returns at once; what takes time is asked for again and again.
//!
//! What is short is sent as a copy and not waited for: between ranks of one machine Open MPI calls a message of more than 256 bytes
//! sent when its receiver has given the memory back, which it may do late if there are more ranks than cores.

use std::collections::VecDeque;
use std::mem::{self, ManuallyDrop};
use std::ops::ControlFlow;
use std::rc::Rc;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use mpi::attribute::CommAttribute;
use mpi::datatype::Equivalence as _;
use mpi::point_to_point::{Message, Status};
use mpi::request::{Request, Scope, StaticScope};
use mpi::topology::{Communicator as Mpi, SimpleCommunicator};
use mpi::traits::{
    AnyCommunicator as _, AsRaw as _, CommunicatorCollectives as _, Destination as _, FromRaw as _,
    Root as _, Source as _,
};

use super::communicator::{
    Calls, Channel, Communicator, Idle, LARGEST_MESSAGE, Lost, SHORT, new_key, not_awaited,
};

impl<C: Mpi + ?Sized> Communicator for C {
    fn rank(&self) -> usize {
        // Without MPI there is no rank, and there are none; `channel` says why.
        if unusable().is_some() { 0 } else { number(Mpi::rank(self)) }
    }

    fn size(&self) -> usize {
        if unusable().is_some() { 0 } else { number(Mpi::size(self)) }
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
    calls: Calls,
    /// Behind a lock: with MPICH handles are numbers, and nothing keeps two threads from having the same.
    posted: Mutex<VecDeque<Posted>>,
}

impl Line {
    /// All ranks are here.
    fn new(original: &(impl Mpi + ?Sized), idle: &mut Idle<'_>) -> Line {
        let comm = ManuallyDrop::new(original.duplicate());
        let mut key = new_key().to_le_bytes();
        let root = comm.process_at_rank(0);
        mpi::request::scope(|scope| wait(root.immediate_broadcast_into(scope, &mut key[..]), idle));
        Line { comm, key: u128::from_le_bytes(key), calls: Calls::default(), posted: Mutex::default() }
    }

    /// Sends a copy, and does not wait.
    fn post(&self, to: &[mpi::Rank], message: &[u8], tag: mpi::Tag) {
        self.let_go();
        let mut posted = Posted::new(&self.comm, to, message, tag);
        if !posted.has_left() {
            self.posted().push_back(posted);
        }
    }

    fn posted(&self) -> MutexGuard<'_, VecDeque<Posted>> {
        self.posted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets the copies that have left, up to the first that has not: each look at such a one may give up the core.
    /// Whether there is none left.
    fn let_go(&self) -> bool {
        let mut posted = self.posted();
        while posted.front_mut().is_some_and(Posted::has_left) {
            posted.pop_front();
        }
        posted.is_empty()
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
            // What is still under way would keep MPI from giving its numbers to others.
            look_again(self);
            // SAFETY: nothing uses it after this.
            unsafe { ManuallyDrop::drop(&mut self.comm) }
        }
    }
}

/// A copy of a message that MPI may still read.
struct Posted {
    requests: Vec<Request<'static, [u8], StaticScope>>,
    bytes: Vec<u8>,
}

impl Posted {
    fn new(comm: &SimpleCommunicator, to: &[mpi::Rank], message: &[u8], tag: mpi::Tag) -> Posted {
        let bytes = message.to_vec();
        // SAFETY: nobody writes to these bytes, and they stay where they are until `drop` takes them back, which leaves
        // them alone for ever if a request still refers to them.
        let lent: &'static [u8] = unsafe { std::slice::from_raw_parts(bytes.as_ptr(), bytes.len()) };
        let mut posted = Posted { requests: Vec::with_capacity(to.len()), bytes };
        for &rank in to {
            let request = comm.process_at_rank(rank).immediate_send_with_tag(StaticScope, lent, tag);
            posted.requests.push(request);
        }
        posted
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
    /// Asks MPI for nothing: it may be ending.
    fn drop(&mut self) {
        if !self.requests.is_empty() {
            // Nobody has received them yet, and perhaps nobody will.
            self.requests.drain(..).for_each(mem::forget);
            mem::forget(mem::take(&mut self.bytes));
        }
    }
}

/// Messages, and notices, which are looked for apart from them.
const MESSAGE: mpi::Tag = 0;
const NOTICE: mpi::Tag = 1;
/// How often copies are asked for when a call ends: by then they were answered, and only MPI has to notice it.
const LAST_LOOKS: usize = 100;

/// For so long at least, if the call was given up.
const LAST_WORDS: Duration = Duration::from_millis(50);

/// The line, in use by one call.
struct Open<'a>(&'a Line);

impl Drop for Open<'_> {
    fn drop(&mut self) {
        look_again(self.0);
    }
}

/// Some MPIs need calls of theirs for a message to leave at all: others must hear that a call was given up, so that is looked for longer.
fn look_again(line: &Line) {
    let patience = if line.calls.given_up(u64::MAX).is_some() { LAST_WORDS } else { Duration::ZERO };
    let started = Instant::now();
    for look in 0.. {
        if line.let_go() || (look >= LAST_LOOKS && started.elapsed() >= patience) {
            break;
        }
        std::thread::yield_now();
    }
}

impl Channel for Open<'_> {
    fn key(&self) -> u128 {
        self.0.key
    }

    fn calls(&self) -> Option<&Calls> {
        Some(&self.0.calls)
    }

    fn eager(&self) -> usize {
        SHORT
    }

    fn send(&self, to: &[usize], message: &[u8], idle: &mut Idle<'_>) -> Result<(), Lost> {
        if message.len() > LARGEST_MESSAGE {
            let problem = format!("cannot be sent {} bytes at once", message.len());
            return Err(Lost { rank: to.first().copied().unwrap_or_default(), problem });
        }
        let line = self.0;
        let to: Vec<mpi::Rank> = to.iter().map(|&rank| line.rank(rank)).collect::<Result<_, _>>()?;
        if message.len() <= SHORT {
            line.post(&to, message, MESSAGE);
            return Ok(());
        }
        mpi::request::scope(|scope| {
            let send = |&rank: &mpi::Rank| {
                line.comm.process_at_rank(rank).immediate_send_with_tag(scope, message, MESSAGE)
            };
            // All are on their way before one is waited for.
            let pending: Vec<_> = to.iter().map(send).collect();
            for request in pending {
                wait(request, idle);
            }
        });
        Ok(())
    }

    fn receive(&self, from: usize, idle: &mut Idle<'_>) -> Result<Vec<u8>, Lost> {
        let sender = self.0.comm.process_at_rank(self.0.rank(from)?);
        // Matched: the message that was seen is the one that is received, whatever other threads do.
        let mut pauses = Pauses::new(idle);
        let (message, status) = loop {
            match sender.immediate_matched_probe_with_tag(MESSAGE) {
                Some(found) => break found,
                None if pauses.next().is_break() => return Err(not_awaited(from)),
                None => {}
            }
        };
        Ok(received(message, status, idle))
    }

    fn notify(&self, to: &[usize], notice: &[u8]) {
        let to: Vec<mpi::Rank> = to.iter().filter_map(|&rank| self.0.rank(rank).ok()).collect();
        self.0.post(&to, notice, NOTICE);
    }

    fn notice(&self) -> Option<Vec<u8>> {
        let (message, status) = self.0.comm.any_process().immediate_matched_probe_with_tag(NOTICE)?;
        Some(received(message, status, &mut || Some(Duration::ZERO)))
    }
}

/// The content of a message that has been seen.
fn received(message: Message, status: Status, idle: &mut Idle<'_>) -> Vec<u8> {
    let mut bytes = vec![0; number(status.count(u8::equivalent_datatype()))];
    mpi::request::scope(|scope| wait(message.immediate_matched_receive_into(scope, &mut bytes[..]), idle));
    bytes
}

fn wait<'a, D: ?Sized, S: Scope<'a>>(mut request: Request<'a, D, S>, idle: &mut Idle<'_>) {
    let mut pauses = Pauses::new(idle);
    while let Err(pending) = request.test() {
        request = pending;
        // What MPI has begun has no other end.
        let _ = pauses.next();
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

    fn next(&mut self) -> ControlFlow<()> {
        self.looks = self.looks.saturating_add(1);
        if self.looks < LOOKS {
            std::hint::spin_loop();
            return ControlFlow::Continue(());
        }
        let pause = (self.idle)();
        match pause {
            Some(pause) if !pause.is_zero() => std::thread::sleep(pause),
            _ => std::thread::yield_now(),
        }
        if pause.is_some() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
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
