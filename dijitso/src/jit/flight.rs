//! The flight table: which kernels are being built in this process right now, and by which thread.
//!
//! It saves duplicate work and finds circles; it never decides whether a kernel is built. Every wait
//! ends: with the result, with a circle found, or at a deadline, after which the waiter builds the
//! kernel itself. No lock is held while a generator runs.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::ThreadId;
use std::time::{Duration, Instant};

use once_cell::sync::OnceCell;

use super::Outcome;
use crate::error::Error;
use crate::signature::Signature;
use crate::source::Parts;

thread_local! {
    /// What this thread is in the middle of: kernels whose generator runs or whose dependencies are
    /// being looked for, outermost first, with the table they belong to.
    static STACK: RefCell<Vec<(usize, Signature)>> = const { RefCell::new(Vec::new()) };
}

#[derive(Debug, Default)]
pub(super) struct Flights {
    table: Mutex<Table>,
    landed: Condvar,
}

#[derive(Debug, Default)]
struct Table {
    flights: HashMap<Signature, Arc<Flight>>,
    /// Which kernel a thread waits for, and which of its own kernels cannot go on before that.
    waits: HashMap<ThreadId, Wait>,
}

#[derive(Debug)]
struct Flight {
    owner: ThreadId,
    /// As errors name the kernel.
    name: String,
    /// Set once the generator has run, for a nested load on the same thread.
    parts: OnceCell<Arc<Parts>>,
    done: OnceCell<Outcome>,
}

#[derive(Debug)]
struct Wait {
    awaited: Signature,
    blocks: Vec<Signature>,
}

/// What [`Flights::join`] found.
pub(super) enum Joined<'a> {
    /// Nobody builds it: this thread does, and must [`Lead::land`] it (dropping it is a failure).
    Lead(Lead<'a>),
    /// This thread has it in an outer batch that cannot go on before the caller returns: build it
    /// here, from the parts if it was generated already.
    Again(Option<Arc<Parts>>),
    /// Another thread builds it.
    Busy,
    /// It is needed for itself.
    Cycle(Error),
}

/// What [`Flights::wait`] came back with.
pub(super) enum Waited {
    Landed(Outcome),
    /// The other thread cannot finish before we do, or took too long: build it here.
    GiveUp,
    Cycle(Error),
}

/// The right, and the duty, to build one kernel.
#[derive(Debug)]
pub(super) struct Lead<'a> {
    flights: &'a Flights,
    signature: Signature,
    flight: Arc<Flight>,
}

/// Marks a kernel as being worked on by this thread, until dropped.
pub(super) struct Working;

impl Drop for Working {
    fn drop(&mut self) {
        STACK.with_borrow_mut(|stack| {
            stack.pop();
        });
    }
}

impl Flights {
    /// Marks that this thread generates `signature` or looks for what it depends on.
    pub(super) fn working(&self, signature: Signature) -> Working {
        STACK.with_borrow_mut(|stack| stack.push((self.id(), signature)));
        Working
    }

    fn id(&self) -> usize {
        std::ptr::from_ref(self).addr()
    }

    /// This table's part of the thread's stack.
    fn stack(&self) -> Vec<Signature> {
        STACK.with_borrow(|stack| stack.iter().filter(|(id, _)| *id == self.id()).map(|(_, s)| *s).collect())
    }

    /// Whether this thread is in the middle of `signature`.
    pub(super) fn is_working(&self, signature: &Signature) -> bool {
        STACK.with_borrow(|stack| stack.contains(&(self.id(), *signature)))
    }

    pub(super) fn join(&self, signature: Signature, name: String) -> Joined<'_> {
        let me = std::thread::current().id();
        let mut table = self.lock();
        if let Some(flight) = table.flights.get(&signature) {
            if flight.owner != me {
                return Joined::Busy;
            }
            let stack = self.stack();
            if let Some(start) = stack.iter().position(|s| *s == signature) {
                let mut path: Vec<String> = stack[start..].iter().map(|s| table.name(s)).collect();
                path.push(name);
                return Joined::Cycle(Error::Cycle { path });
            }
            return Joined::Again(flight.parts.get().cloned());
        }
        let flight = Arc::new(Flight { owner: me, name, parts: OnceCell::new(), done: OnceCell::new() });
        table.flights.insert(signature, flight.clone());
        Joined::Lead(Lead { flights: self, signature, flight })
    }

    /// Waits for another thread's kernel, at most until `deadline`. `blocks` are kernels of the
    /// caller's batch that cannot be built before it; those on the thread's stack are added.
    pub(super) fn wait(&self, signature: Signature, mut blocks: Vec<Signature>, deadline: Instant) -> Waited {
        let me = std::thread::current().id();
        blocks.extend(self.stack());
        let mut table = self.lock();
        let Some(flight) = table.flights.get(&signature).cloned() else { return Waited::GiveUp };
        table.waits.insert(me, Wait { awaited: signature, blocks });
        let result = loop {
            if let Some(outcome) = flight.done.get() {
                break Waited::Landed(outcome.clone());
            }
            match table.deadlock(me) {
                Some(Deadlock::Circle(path)) => break Waited::Cycle(Error::Cycle { path }),
                Some(Deadlock::Order) => break Waited::GiveUp,
                None => {}
            }
            let now = Instant::now();
            if now >= deadline {
                break Waited::GiveUp;
            }
            // A circle may close by a wait that starts later; whoever closes it sees it, and wakes us.
            let pause = (deadline - now).min(Duration::from_millis(500));
            table = self.landed.wait_timeout(table, pause).unwrap_or_else(PoisonError::into_inner).0;
        };
        table.waits.remove(&me);
        result
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

enum Deadlock {
    /// Kernels that need each other.
    Circle(Vec<String>),
    /// Only the order in which threads took their work: somebody must do it twice.
    Order,
}

impl Table {
    fn name(&self, signature: &Signature) -> String {
        self.flights.get(signature).map_or_else(|| signature.short(), |f| f.name.clone())
    }

    /// Follows who waits for whom, from `me`. Threads that wait in a circle never finish; kernels
    /// need each other only if, on every thread of it, the kernel that the next one wants is blocked
    /// by the one this thread waits for.
    fn deadlock(&self, me: ThreadId) -> Option<Deadlock> {
        let mut path = Vec::new();
        let mut real = true;
        let mut thread = me;
        for _ in 0..=self.waits.len() {
            let wait = self.waits.get(&thread)?;
            let flight = self.flights.get(&wait.awaited)?;
            path.push(wait.awaited);
            let next = self.waits.get(&flight.owner)?;
            real &= next.blocks.contains(&wait.awaited);
            thread = flight.owner;
            if thread == me {
                let mut names: Vec<String> = path.iter().map(|s| self.name(s)).collect();
                names.extend(path.first().map(|s| self.name(s)));
                return Some(if real { Deadlock::Circle(names) } else { Deadlock::Order });
            }
        }
        None
    }
}

impl Lead<'_> {
    /// Leaves the generated parts for a nested load of the same kernel on this thread.
    pub(super) fn generated(&self, parts: &Arc<Parts>) {
        let _ = self.flight.parts.set(parts.clone());
    }

    /// Tells everybody who waits.
    pub(super) fn land(self, outcome: &Outcome) {
        let _ = self.flight.done.set(outcome.clone());
    }
}

impl Drop for Lead<'_> {
    fn drop(&mut self) {
        // Without a landing only a panic on this thread gets here; the waiters must not wait for it.
        self.flight.done.get_or_init(|| {
            let kernel = self.flight.name.clone();
            Err(Error::Generator { kernel, problem: "was abandoned by a panic".to_owned() })
        });
        self.flights.lock().flights.remove(&self.signature);
        self.flights.landed.notify_all();
    }
}
