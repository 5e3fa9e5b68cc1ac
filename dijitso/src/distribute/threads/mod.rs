//! Ranks as threads of one process: the same steps and messages as under MPI, for thousands of ranks on a laptop.
//!
//! Messages go into the receiver's mailbox, large ones wait there until they are taken, as under MPI: code that would hang
//! there hangs here. Sleepers are woken by what they sleep for, so that 4,096 of them cost nothing.

mod group;
mod seats;

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use super::communicator::{Calls, Channel, Communicator, Idle, Lost, not_awaited};
pub use group::ThreadGroup;
use seats::{Awaiting, Mail, Parcel, Seat, Seats, lock};

/// One rank of a communicator whose ranks are threads of this process.
///
/// For tests and simulations: what a program does on thousands of ranks and on which machines it does it, counted
/// ([`traffic`](Self::traffic)), without MPI. A rank that is dropped while others wait for it is [`Lost`] to them.
/// dijitso has no counterpart.
///
/// ```
/// use dijitso::Communicator as _;
/// let ranks = dijitso::Threads::run(3, |comm| (comm.rank(), comm.size()));
/// assert_eq!(ranks, [(0, 3), (1, 3), (2, 3)]);
/// ```
#[derive(Debug)]
pub struct Threads {
    group: Arc<Seats>,
    rank: usize,
    /// How often this rank has split the communicator.
    splits: Cell<u64>,
    calls: Calls,
}

/// Messages sent and received by the ranks of a [`Threads`] communicator so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Traffic {
    /// Messages sent.
    pub messages: u64,
    /// Bytes in them.
    pub bytes: u64,
    /// Messages of the rank that sent and received most.
    pub most_messages: u64,
    /// Bytes of the rank that sent and received most.
    pub most_bytes: u64,
}

impl Threads {
    /// Runs `rank` on `size` threads, each with its rank of one communicator; returns when all have ended, with what they
    /// returned, by rank.
    ///
    /// # Panics
    /// If a rank panics: with its number and words, after all have ended.
    pub fn run<R: Send>(size: usize, rank: impl Fn(Threads) -> R + Sync) -> Vec<R> {
        Threads::group(size).run(rank)
    }

    /// The same with ranks that pretend to run on machines of these names, one name for each rank.
    ///
    /// ```
    /// use dijitso::Communicator as _;
    /// let sizes = dijitso::Threads::on_machines(&["a", "a", "b"]).run(|comm| {
    ///     let machine = usize::from(comm.machine() == Some("b"));
    ///     comm.split(machine, comm.rank()).map(|part| part.size())
    /// });
    /// assert_eq!(sizes, [Ok(2), Ok(2), Ok(1)]);
    /// ```
    pub fn on_machines(machines: &[&str]) -> ThreadGroup {
        ThreadGroup::new(machines.iter().map(|&name| Some(name.to_owned())).collect())
    }

    /// A communicator of this size that is yet to run.
    ///
    /// ```
    /// use dijitso::Communicator as _;
    /// let ranks = dijitso::Threads::group(2).try_run(|comm| assert_eq!(comm.rank(), 0, "oh no"));
    /// assert!(ranks[0].is_ok() && ranks[1].as_ref().is_err_and(|lost| lost.problem.contains("oh no")));
    /// ```
    pub fn group(size: usize) -> ThreadGroup {
        ThreadGroup::new(vec![None; size])
    }

    /// The machine that this rank pretends to run on.
    pub fn machine(&self) -> Option<&str> {
        self.seat().machine.as_deref()
    }

    /// The ranks that give the same `color` become a communicator, in the order of their keys, then ranks. Every rank
    /// must call this.
    ///
    /// # Errors
    /// A rank that is gone.
    pub fn split(&self, color: usize, key: usize) -> Result<Threads, Lost> {
        let nth = self.splits.replace(self.splits.get() + 1);
        let size = self.group.seats.len();
        let mut splits = lock(&self.group.splits);
        let split = splits.entry(nth).or_default();
        split.wishes.insert(self.rank, (color, key));
        if split.wishes.len() == size {
            split.parts = Some(self.group.parts(&split.wishes));
            self.group.split.notify_all();
        }
        loop {
            let Some(split) = splits.get_mut(&nth) else { return Err(self.lost(self.rank)) };
            if let Some(parts) = &mut split.parts {
                let part = parts.remove(&self.rank);
                if parts.is_empty() {
                    splits.remove(&nth);
                }
                return part.ok_or_else(|| self.lost(self.rank));
            }
            if let Some(rank) =
                (0..size).find(|rank| !split.wishes.contains_key(rank) && self.group.gone(*rank))
            {
                return Err(self.lost(rank));
            }
            // Who leaves wakes nobody here.
            splits = self.group.split.wait_timeout(splits, LONGEST).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// What all ranks of this communicator have sent and received until now.
    ///
    /// ```
    /// use dijitso::Communicator as _;
    /// let group = dijitso::Threads::run(2, |comm| {
    ///     let idle = &mut || Some(std::time::Duration::ZERO);
    ///     let channel = comm.channel(idle)?;
    ///     match comm.rank() {
    ///         0 => channel.send(&[1], b"hello", idle)?,
    ///         _ => assert_eq!(channel.receive(0, idle)?, b"hello"),
    ///     }
    ///     Ok::<_, dijitso::Lost>(comm.traffic())
    /// });
    /// assert_eq!(group[1].as_ref().map(|traffic| (traffic.messages, traffic.bytes)), Ok((1, 5)));
    /// ```
    pub fn traffic(&self) -> Traffic {
        let seats = &self.group.seats;
        let most = |count: &dyn Fn(&Seat) -> u64| seats.iter().map(count).max().unwrap_or_default();
        Traffic {
            messages: seats.iter().map(|seat| seat.sent.load(Ordering::Relaxed)).sum(),
            bytes: seats.iter().map(|seat| seat.sent_bytes.load(Ordering::Relaxed)).sum(),
            most_messages: most(&|seat| seat.messages.load(Ordering::Relaxed)),
            most_bytes: most(&|seat| seat.bytes.load(Ordering::Relaxed)),
        }
    }

    fn seat(&self) -> &Seat {
        &self.group.seats[self.rank]
    }

    fn lost(&self, rank: usize) -> Lost {
        let panicked = self.group.seats.get(rank).is_some_and(|seat| seat.panicked.load(Ordering::SeqCst));
        let problem = if panicked { "panicked" } else { "has ended" };
        Lost { rank, problem: problem.to_owned() }
    }

    /// Looks, sleeping between looks, until `look` finds something in the mailbox or one of `whom` is gone.
    fn until<T>(
        &self,
        whom: &[usize],
        idle: &mut Idle<'_>,
        mut look: impl FnMut(&mut Mail) -> Option<T>,
        mut awaited: impl FnMut(usize) -> bool,
    ) -> Result<T, Lost> {
        let seat = self.seat();
        let mut found = |mail: &mut Mail| {
            // Before the look: whoever is gone has done all it ever will.
            let gone: Vec<usize> = whom.iter().copied().filter(|&rank| self.group.gone(rank)).collect();
            match look(mail) {
                Some(found) => Some(Ok(found)),
                None => gone.into_iter().find(|&rank| awaited(rank)).map(|rank| Err(self.lost(rank))),
            }
        };
        if let Some(found) = found(&mut lock(&seat.mail)) {
            return found;
        }
        let _awaiting = Awaiting::new(&self.group, whom);
        let (mut nap, longest) = naps(self.group.seats.len());
        loop {
            // We are woken when there is something; this only gives `idle` a chance to speak.
            let Some(pause) = idle() else {
                return Err(not_awaited(whom.first().copied().unwrap_or_default()));
            };
            let pause = pause.max(nap);
            nap = (2 * nap).min(longest);
            let mut mail = lock(&seat.mail);
            if let Some(found) = found(&mut mail) {
                return found;
            }
            mail = seat.news.wait_timeout(mail, pause).unwrap_or_else(PoisonError::into_inner).0;
            if let Some(found) = found(&mut mail) {
                return found;
            }
        }
    }
}

const LONGEST: Duration = Duration::from_millis(250);

/// The first and the longest sleep of a rank that nobody wakes. Ten thousand that woke up a few times a second, for nothing, would
/// leave no core to those who work.
fn naps(ranks: usize) -> (Duration, Duration) {
    let ranks = u32::try_from(ranks).unwrap_or(u32::MAX);
    (
        Duration::from_millis(1).max(Duration::from_micros(50) * ranks),
        LONGEST.max(Duration::from_micros(500) * ranks),
    )
}

impl Communicator for Threads {
    fn rank(&self) -> usize {
        self.rank
    }

    fn size(&self) -> usize {
        self.group.seats.len()
    }

    fn channel(&self, _idle: &mut Idle<'_>) -> Result<Box<dyn Channel + '_>, Lost> {
        Ok(Box::new(Line(self)))
    }
}

/// The channel of a rank.
struct Line<'a>(&'a Threads);

impl Channel for Line<'_> {
    fn key(&self) -> u128 {
        self.0.group.key
    }

    fn machine(&self) -> Option<String> {
        self.0.machine().map(str::to_owned)
    }

    fn calls(&self) -> Option<&Calls> {
        Some(&self.0.calls)
    }

    fn eager(&self) -> usize {
        self.0.group.eager
    }

    fn send(&self, to: &[usize], message: &[u8], idle: &mut Idle<'_>) -> Result<(), Lost> {
        let Line(Threads { group, rank, .. }) = self;
        let bytes: Arc<[u8]> = message.into();
        let length = message.len() as u64;
        let mut pending = Vec::new();
        for &other in to {
            let Some(seat) = group.seats.get(other) else {
                return Err(Lost {
                    rank: other,
                    problem: format!("does not exist: there are {}", group.seats.len()),
                });
            };
            let taken = (message.len() > group.eager).then(Arc::<AtomicBool>::default);
            pending.extend(taken.iter().map(|taken| (other, taken.clone())));
            self.0.seat().count(length, true);
            seat.count(length, false);
            let mut mail = lock(&seat.mail);
            mail.parcels.entry(*rank).or_default().push_back(Parcel { bytes: bytes.clone(), taken });
            drop(mail);
            seat.news.notify_one();
        }
        if pending.is_empty() {
            return Ok(());
        }
        let is_taken = |taken: &AtomicBool| taken.load(Ordering::SeqCst);
        self.0.until(
            to,
            &mut || Some(idle().unwrap_or_default()),
            |_| pending.iter().all(|(_, taken)| is_taken(taken)).then_some(()),
            |rank| pending.iter().any(|(other, taken)| *other == rank && !is_taken(taken)),
        )
    }

    fn receive(&self, from: usize, idle: &mut Idle<'_>) -> Result<Vec<u8>, Lost> {
        let group = &self.0.group;
        let Some(sender) = group.seats.get(from) else {
            return Err(Lost {
                rank: from,
                problem: format!("does not exist: there are {}", group.seats.len()),
            });
        };
        let parcel =
            self.0.until(&[from], idle, |mail| mail.parcels.get_mut(&from)?.pop_front(), |_| true)?;
        let bytes = parcel.bytes.to_vec();
        if let Some(taken) = parcel.taken {
            taken.store(true, Ordering::SeqCst);
            // With its mailbox locked the sender is not between its look and its sleep.
            drop(lock(&sender.mail));
            sender.news.notify_one();
        }
        Ok(bytes)
    }

    fn notify(&self, to: &[usize], notice: &[u8]) {
        let length = notice.len() as u64;
        for seat in to.iter().filter_map(|&rank| self.0.group.seats.get(rank)) {
            self.0.seat().count(length, true);
            seat.count(length, false);
            lock(&seat.mail).notices.push_back(notice.to_vec());
            seat.news.notify_one();
        }
    }

    fn notice(&self) -> Option<Vec<u8>> {
        lock(&self.0.seat().mail).notices.pop_front()
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        let seat = self.seat();
        seat.panicked.store(std::thread::panicking(), Ordering::SeqCst);
        seat.gone.store(true, Ordering::SeqCst);
        if seat.awaited.load(Ordering::SeqCst) > 0 {
            for other in &self.group.seats {
                drop(lock(&other.mail));
                other.news.notify_one();
            }
        }
    }
}
