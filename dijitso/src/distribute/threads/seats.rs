//! What the ranks of one communicator share: mailboxes, counts, and who is gone.

use std::cell::Cell;
use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::Threads;
use crate::distribute::communicator::{Calls, new_key};

/// What the ranks of one communicator share.
#[derive(Debug)]
pub(super) struct Seats {
    pub(super) key: u128,
    /// The longest message that is not waited for.
    pub(super) eager: usize,
    pub(super) seats: Vec<Seat>,
    pub(super) splits: Mutex<HashMap<u64, Split>>,
    pub(super) split: Condvar,
}

/// The place of one rank.
#[derive(Debug, Default)]
pub(super) struct Seat {
    pub(super) machine: Option<String>,
    pub(super) mail: Mutex<Mail>,
    /// Mail has come, a message was taken, or somebody is gone.
    pub(super) news: Condvar,
    pub(super) gone: AtomicBool,
    pub(super) panicked: AtomicBool,
    /// How many are waiting for this rank right now.
    pub(super) awaited: AtomicUsize,
    pub(super) messages: AtomicU64,
    pub(super) bytes: AtomicU64,
    pub(super) sent: AtomicU64,
    pub(super) sent_bytes: AtomicU64,
}

/// What has come for one rank.
#[derive(Debug, Default)]
pub(super) struct Mail {
    /// By sender.
    pub(super) parcels: HashMap<usize, VecDeque<Parcel>>,
    pub(super) notices: VecDeque<Vec<u8>>,
}

#[derive(Debug)]
pub(super) struct Parcel {
    pub(super) bytes: Arc<[u8]>,
    /// Set when the receiver has it; for those that are waited for.
    pub(super) taken: Option<Arc<AtomicBool>>,
}

/// A split in progress.
#[derive(Debug, Default)]
pub(super) struct Split {
    pub(super) wishes: HashMap<usize, (usize, usize)>,
    pub(super) parts: Option<HashMap<usize, Threads>>,
}

/// That a rank waits for others, for as long as it does.
pub(super) struct Awaiting<'a> {
    group: &'a Seats,
    whom: &'a [usize],
}

impl<'a> Awaiting<'a> {
    pub(super) fn new(group: &'a Seats, whom: &'a [usize]) -> Awaiting<'a> {
        for &rank in whom {
            group.seats[rank].awaited.fetch_add(1, Ordering::SeqCst);
        }
        Awaiting { group, whom }
    }
}

impl Drop for Awaiting<'_> {
    fn drop(&mut self) {
        for &rank in self.whom {
            self.group.seats[rank].awaited.fetch_sub(1, Ordering::SeqCst);
        }
    }
}

impl Seats {
    pub(super) fn new(machines: Vec<Option<String>>, eager: usize) -> Arc<Seats> {
        let seats = machines.into_iter().map(|machine| Seat { machine, ..Seat::default() }).collect();
        let (splits, split) = (Mutex::default(), Condvar::new());
        Arc::new(Seats { key: new_key(), eager, seats, splits, split })
    }

    pub(super) fn ranks(self: Arc<Seats>) -> impl Iterator<Item = Threads> {
        let size = self.seats.len();
        (0..size).map(move |rank| Threads {
            group: self.clone(),
            rank,
            splits: Cell::new(0),
            calls: Calls::default(),
        })
    }

    pub(super) fn gone(&self, rank: usize) -> bool {
        self.seats[rank].gone.load(Ordering::SeqCst)
    }

    /// The communicators into which the wishes of all ranks divide this one, by the ranks here.
    pub(super) fn parts(&self, wishes: &HashMap<usize, (usize, usize)>) -> HashMap<usize, Threads> {
        let mut order: Vec<(usize, usize, usize)> =
            wishes.iter().map(|(&rank, &(color, key))| (color, key, rank)).collect();
        order.sort_unstable();
        let mut parts = HashMap::new();
        for part in order.chunk_by(|a, b| a.0 == b.0) {
            let machines = part.iter().map(|&(.., rank)| self.seats[rank].machine.clone()).collect();
            let members = part.iter().map(|&(.., rank)| rank);
            parts.extend(members.zip(Seats::new(machines, self.eager).ranks()));
        }
        parts
    }
}

impl Seat {
    pub(super) fn count(&self, bytes: u64, sent: bool) {
        self.messages.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        if sent {
            self.sent.fetch_add(1, Ordering::Relaxed);
            self.sent_bytes.fetch_add(bytes, Ordering::Relaxed);
        }
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
