//! How to wait: without taking the cores from those who work, and without keeping silent about it.
//!
//! A wait that only gives up the core is answered fastest, but many ranks that do so stretch a compiler's run: with eight
//! of them on two cores, fourfold. So a wait sleeps for a fixed part of the time that it has already taken: what comes
//! soon is seen soon, what takes long is seen a little late, and the number of looks grows with the logarithm.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::communicator::Idle;
use crate::error::human;
use crate::trace;

/// Where a collective call is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[repr(u8)]
pub(crate) enum Step {
    Meet,
    Agree,
    LookUp,
    Share,
    Plan,
    Build,
    Status,
    Move,
    HandOut,
    Load,
    Others,
    Publish,
}

impl Step {
    pub(super) const ALL: [Step; 12] = [
        Step::Meet,
        Step::Agree,
        Step::LookUp,
        Step::Share,
        Step::Plan,
        Step::Build,
        Step::Status,
        Step::Move,
        Step::HandOut,
        Step::Load,
        Step::Others,
        Step::Publish,
    ];
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Step::Meet => "meeting the other ranks",
            Step::Agree => "agreeing on what is asked for",
            Step::LookUp => "looking into the caches",
            Step::Share => "finding out who shares a cache directory",
            Step::Plan => "planning who builds what",
            Step::Build => "building",
            Step::Status => "hearing what became of the builds",
            Step::Move => "moving binaries between machines",
            Step::HandOut => "handing out binaries",
            Step::Load => "loading",
            Step::Others => "hearing whether the others have theirs",
            Step::Publish => "publishing",
        })
    }
}

/// For this long a wait only gives up the core: most messages are on their way already.
const EAGER: Duration = Duration::from_micros(200);
/// The part of a wait that is slept through at once.
const PART: u32 = 16;
const SHORTEST: Duration = Duration::from_micros(20);
const LONGEST: Duration = Duration::from_millis(5);
/// While compilers run: these take longer, and need the cores. Nothing is built in less than some milliseconds.
const EAGER_BUILD: Duration = Duration::from_micros(50);
const SHORTEST_BUILD: Duration = Duration::from_micros(500);
const LONGEST_BUILD: Duration = Duration::from_millis(20);

/// One wait of one rank.
pub(super) struct Wait<'a> {
    pub(super) step: Step,
    /// The kernels asked for.
    pub(super) what: &'a str,
    pub(super) rank: usize,
    pub(super) size: usize,
    pub(super) whom: Ranks<'a>,
    /// How long it may be silent.
    pub(super) patience: Duration,
}

/// Whom a rank waits for; nobody in particular if they are none.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ranks<'a>(pub(super) &'a [usize]);

impl fmt::Display for Ranks<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<String> = self.0.iter().map(usize::to_string).collect();
        match names.as_slice() {
            [] => f.write_str("the other ranks"),
            [name] => write!(f, "rank {name}"),
            names => write!(f, "ranks {}", names.join(", ")),
        }
    }
}

impl Wait<'_> {
    /// Runs `action` with an idle function for its waiting.
    pub(super) fn during<R>(&self, action: impl FnOnce(&mut Idle<'_>) -> R) -> R {
        self.until(&mut || false, action)
    }

    /// The same for a wait that `over` ends. It is asked when the wait has become one that sleeps.
    pub(super) fn until<R>(
        &self,
        over: &mut dyn FnMut() -> bool,
        action: impl FnOnce(&mut Idle<'_>) -> R,
    ) -> R {
        // The clock is read when there is something to wait for.
        let mut started = None;
        let mut warn_at = self.patience.saturating_mul(self.turn());
        let result = action(&mut || {
            let waited = started.get_or_insert_with(Instant::now).elapsed();
            if waited >= warn_at {
                self.warn(waited);
                warn_at = waited.saturating_mul(5);
            }
            let pause = pause(self.step, waited);
            (pause.is_zero() || !over()).then_some(pause)
        });
        trace::waited(started, || format!("{}: for {}, {}", self.what, self.whom, self.step));
        result
    }

    /// How many times the patience this rank is silent. In every tree a rank hears from higher ranks on the way up, and from a lower
    /// one on the way down. If one does not come, those above it wait for the way up: a few, of which the last waits for just
    /// that one. All others wait for the way down; they speak in the order of their ranks, so that in so many minutes there
    /// are so many lines, however many ranks wait.
    fn turn(&self) -> u32 {
        let Ranks(whom) = self.whom;
        if whom.iter().any(|&other| other > self.rank) {
            return 1;
        }
        u32::try_from(self.rank).unwrap_or(u32::MAX).max(1)
    }

    fn warn(&self, waited: Duration) {
        // A panic here would come out of the middle of a call of MPI.
        let _ = catch_unwind(AssertUnwindSafe(|| log::warn!("{}", self.warning(waited))));
    }

    fn warning(&self, waited: Duration) -> String {
        let Wait { step, what, rank, size, whom, .. } = self;
        let waited = human(waited);
        format!(
            "rank {rank} of {size} has been waiting for {whom} for {waited}, {step} ({what}); it may still be busy, may \
             have died, or may not have called the same function"
        )
    }
}

fn pause(step: Step, waited: Duration) -> Duration {
    let (eager, shortest, longest) = match step {
        Step::Build | Step::Status => (EAGER_BUILD, SHORTEST_BUILD, LONGEST_BUILD),
        _ => (EAGER, SHORTEST, LONGEST),
    };
    if waited < eager { Duration::ZERO } else { (waited / PART).clamp(shortest, longest) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::distribute::tree::Tree;

    #[test]
    fn pauses_grow_with_the_wait_and_are_longest_while_compilers_run() {
        let at = |step, micros| pause(step, Duration::from_micros(micros)).as_micros();
        assert_eq!(at(Step::Agree, 0), 0);
        assert_eq!(at(Step::Agree, 199), 0);
        assert_eq!(at(Step::Agree, 250), 20);
        assert_eq!(at(Step::Agree, 16_000), 1_000);
        assert_eq!(at(Step::Agree, 10_000_000), 5_000);
        assert_eq!((at(Step::Status, 49), at(Step::Status, 50)), (0, 500));
        assert_eq!(at(Step::Status, 16_000), 1_000);
        assert_eq!(at(Step::Status, 10_000_000), 20_000);
    }

    /// How many ranks have spoken when the patience has passed so many times, if one of them does not come to an agreement.
    fn spoken(size: usize, absent: usize, times: u32) -> usize {
        let path = std::iter::successors(Some(absent), |&rank| Tree::over_all(size, rank).parent);
        let above: Vec<usize> = path.skip(1).collect();
        let turn = |rank: usize| {
            let tree = Tree::over_all(size, rank);
            let below = tree.children.iter().rev().find(|&&child| child <= absent).copied();
            let whom = if above.contains(&rank) { below } else { tree.parent };
            let what = "kernel axpy";
            let whom = [whom.unwrap_or_default()];
            Wait { step: Step::Agree, what, rank, size, whom: Ranks(&whom), patience: Duration::MAX }.turn()
        };
        assert!(above.iter().all(|&rank| turn(rank) == 1), "who waits for it speaks at once");
        (0..size).filter(|&rank| rank != absent && turn(rank) <= times).count()
    }

    #[test]
    fn of_many_ranks_few_speak() {
        for absent in [0, 1, 8, 4095, 4096, 9999] {
            assert!((1..=6).contains(&spoken(10_000, absent, 1)), "{absent}");
            assert!(spoken(10_000, absent, 60) <= 60 + 5, "{absent}");
        }
        assert_eq!(spoken(2, 0, 1), 1);
    }

    #[test]
    fn a_long_wait_looks_rarely() {
        let mut waited = Duration::ZERO;
        let mut looks = 0;
        while waited < Duration::from_secs(1) {
            // A look and a yield take a microsecond or more.
            waited += pause(Step::Status, waited).max(Duration::from_micros(1));
            looks += 1;
        }
        assert!(looks < 500, "{looks}");
    }
}
