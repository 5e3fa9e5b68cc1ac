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
use crate::source::{AnySpec, Parts};

thread_local! {
    /// What this thread is in the middle of: kernels whose generator runs or whose dependencies are
    /// being looked for, outermost first.
    static STACK: RefCell<Vec<Frame>> = const { RefCell::new(Vec::new()) };
}

struct Frame {
    /// The table it belongs to.
    table: usize,
    signature: Signature,
    /// As errors name the kernel.
    name: String,
    /// What its generator has loaded so far.
    loads: Vec<(AnySpec, Signature)>,
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
    spec: AnySpec,
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

impl Working {
    /// What the generator loaded, in its order; asked when it has just returned.
    pub(super) fn loads(&self) -> Vec<(AnySpec, Signature)> {
        STACK
            .with_borrow_mut(|stack| stack.last_mut().map(|frame| std::mem::take(&mut frame.loads)))
            .unwrap_or_default()
    }
}

impl Flights {
    /// Notes that a program loaded a kernel; if the program is a generator, that is an input of its text.
    pub(super) fn loaded(&self, spec: &AnySpec, content: Signature) {
        STACK.with_borrow_mut(|stack| {
            if let Some(frame) = stack.iter_mut().rfind(|frame| frame.table == self.id()) {
                frame.loads.push((spec.clone(), content));
            }
        });
    }

    /// Marks that this thread generates `signature` or looks for what it depends on.
    pub(super) fn working(&self, signature: Signature, name: String) -> Working {
        STACK.with_borrow_mut(|stack| {
            stack.push(Frame { table: self.id(), signature, name, loads: Vec::new() })
        });
        Working
    }

    /// The circle that this thread closes by needing `signature`, if it is in the middle of it.
    pub(super) fn circle(&self, spec: &AnySpec) -> Option<Error> {
        let signature = &spec.signature();
        STACK.with_borrow(|stack| {
            let mine: Vec<&Frame> = stack.iter().filter(|frame| frame.table == self.id()).collect();
            let start = mine.iter().position(|frame| frame.signature == *signature)?;
            let path =
                mine[start..].iter().map(|frame| frame.name.clone()).chain([spec.description()]).collect();
            Some(Error::Cycle { path })
        })
    }

    fn id(&self) -> usize {
        std::ptr::from_ref(self).addr()
    }

    /// Whether this thread runs a generator of this engine.
    pub(super) fn is_working(&self) -> bool {
        !self.stack().is_empty()
    }

    /// This table's part of the thread's stack.
    fn stack(&self) -> Vec<Signature> {
        STACK.with_borrow(|stack| {
            stack.iter().filter(|frame| frame.table == self.id()).map(|frame| frame.signature).collect()
        })
    }

    pub(super) fn join(&self, spec: &AnySpec) -> Joined<'_> {
        let signature = spec.signature();
        // Before anything else: a thread that gave up waiting is in the middle of what another one owns.
        if let Some(error) = self.circle(spec) {
            return Joined::Cycle(error);
        }
        let me = std::thread::current().id();
        let mut table = self.lock();
        if let Some(flight) = table.flights.get(&signature) {
            if flight.owner != me {
                return Joined::Busy;
            }
            return Joined::Again(flight.parts.get().cloned());
        }
        let flight =
            Arc::new(Flight { owner: me, spec: spec.clone(), parts: OnceCell::new(), done: OnceCell::new() });
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

/// Whether this thread runs a generator.
pub(crate) fn is_generating() -> bool {
    STACK.with_borrow(|stack| !stack.is_empty())
}

enum Deadlock {
    /// Kernels that need each other.
    Circle(Vec<String>),
    /// Only the order in which threads took their work: somebody must do it twice.
    Order,
}

impl Table {
    fn name(&self, signature: &Signature) -> String {
        self.flights.get(signature).map_or_else(|| signature.short(), |f| f.spec.description())
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
            let kernel = self.flight.spec.description();
            Err(Error::Generator { kernel, problem: "was abandoned by a panic".to_owned() })
        });
        let mut table = self.flights.lock();
        table.flights.remove(&self.signature);
        let awaited = !table.waits.is_empty();
        drop(table);
        // A system call, which most loads need not make.
        if awaited {
            self.flights.landed.notify_all();
        }
    }
}
