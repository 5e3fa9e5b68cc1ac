//! Any communicator of the `mpi` crate (rsmpi).
//!
//! Messages must not meet those of the program, so they travel on a duplicate of its communicator. The duplicate is made
//! at the first use, and MPI itself keeps it, as an attribute of the original: so it is found again without a table
//! here, is freed with the original, and an original that got the handle of one that was freed never finds the other's.
//!
//! Every call of MPI is made on the calling thread and returns at once; what takes time is asked for again and again.

use std::mem::ManuallyDrop;
use std::rc::Rc;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use mpi::attribute::CommAttribute;
use mpi::datatype::Equivalence as _;
use mpi::request::{Request, Scope};
use mpi::topology::{Communicator as Mpi, SimpleCommunicator};
use mpi::traits::{
    AnyCommunicator as _, AsRaw as _, CommunicatorCollectives as _, Destination as _, FromRaw as _,
    Root as _, Source as _,
};

use super::communicator::{Calls, Channel, Communicator, Idle, LARGEST_MESSAGE, Lost, new_key};

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
            return Ok(Box::new(&*private.0));
        }
        // Every rank comes here once for each communicator. `MPI_Comm_dup` does not return before all have come, and
        // takes a core meanwhile: so they meet first.
        wait(self.immediate_barrier(), idle);
        set(self, Private(Rc::new(Line::new(self, idle))));
        match self.get_attr::<Private>() {
            Some(private) => Ok(Box::new(&*private.0)),
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
}

impl Line {
    /// All ranks are here.
    fn new(original: &(impl Mpi + ?Sized), idle: &mut Idle<'_>) -> Line {
        let comm = ManuallyDrop::new(original.duplicate());
        let mut key = new_key().to_le_bytes();
        let root = comm.process_at_rank(0);
        mpi::request::scope(|scope| wait(root.immediate_broadcast_into(scope, &mut key[..]), idle));
        Line { comm, key: u128::from_le_bytes(key), calls: Calls::default() }
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

impl Channel for &Line {
    fn key(&self) -> u128 {
        self.key
    }

    fn calls(&self) -> Option<&Calls> {
        Some(&self.calls)
    }

    fn send(&self, to: &[usize], message: &[u8], idle: &mut Idle<'_>) -> Result<(), Lost> {
        if message.len() > LARGEST_MESSAGE {
            let problem = format!("cannot be sent {} bytes at once", message.len());
            return Err(Lost { rank: to.first().copied().unwrap_or_default(), problem });
        }
        let to: Vec<mpi::Rank> = to.iter().map(|&rank| self.rank(rank)).collect::<Result<_, _>>()?;
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
        let (message, status) = loop {
            match sender.immediate_matched_probe() {
                Some(found) => break found,
                None => sleep(idle()),
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
    while let Err(pending) = request.test() {
        request = pending;
        sleep(idle());
    }
}

fn sleep(pause: Duration) {
    if pause.is_zero() { std::thread::yield_now() } else { std::thread::sleep(pause) }
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
