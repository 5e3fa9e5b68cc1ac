//! How to wait: without taking the cores from those who work, and without keeping silent about it.
//!
//! A wait that only gives up the core is answered fastest, but many ranks that do so stretch a compiler's run: with eight
//! of them on two cores, fourfold. So a wait sleeps for a fixed part of the time that it has already taken: what comes
//! soon is seen soon, what takes long is seen a little late, and the number of looks grows with the logarithm.

use std::fmt;
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
    Publish,
}

impl Step {
    pub(super) const ALL: [Step; 11] = [
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
            Step::Publish => "publishing",
        })
    }
}

/// How long a wait may be silent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    /// Before the first warning.
    pub(crate) first: Duration,
    /// Between warnings.
    pub(crate) again: Duration,
}

impl Patience {
    pub(crate) fn new(first: Duration) -> Patience {
        Patience { first, again: first.saturating_mul(5) }
    }
}

/// For this long a wait only gives up the core: most messages are on their way already.
const EAGER: Duration = Duration::from_micros(200);
/// The part of a wait that is slept through at once.
const PART: u32 = 16;
const SHORTEST: Duration = Duration::from_micros(20);
const LONGEST: Duration = Duration::from_millis(5);
/// While compilers run: these take longer, and need the cores.
const LONGEST_BUILD: Duration = Duration::from_millis(20);

/// One wait of one rank.
pub(super) struct Wait<'a> {
    pub(super) step: Step,
    /// The kernels asked for.
    pub(super) what: &'a str,
    pub(super) rank: usize,
    pub(super) size: usize,
    /// Whom it waits for, in words.
    pub(super) whom: &'a dyn fmt::Display,
    pub(super) patience: Patience,
}

impl Wait<'_> {
    /// Runs `action` with an idle function for its waiting.
    pub(super) fn during<R>(&self, action: impl FnOnce(&mut Idle<'_>) -> R) -> R {
        // The clock is read when there is something to wait for.
        let mut started = None;
        let mut warn_at = self.patience.first;
        let result = action(&mut || {
            let waited = started.get_or_insert_with(Instant::now).elapsed();
            if waited >= warn_at {
                log::warn!("{}", self.warning(waited));
                warn_at = waited.saturating_add(self.patience.again);
            }
            pause(self.step, waited)
        });
        trace::waited(started, || format!("{}: for {}, {}", self.what, self.whom, self.step));
        result
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
    if waited < EAGER {
        return Duration::ZERO;
    }
    let longest = if matches!(step, Step::Build | Step::Status) { LONGEST_BUILD } else { LONGEST };
    (waited / PART).clamp(SHORTEST, longest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_with_the_wait_and_are_longest_while_compilers_run() {
        let at = |step, micros| pause(step, Duration::from_micros(micros)).as_micros();
        assert_eq!(at(Step::Agree, 0), 0);
        assert_eq!(at(Step::Agree, 250), 20);
        assert_eq!(at(Step::Agree, 16_000), 1_000);
        assert_eq!(at(Step::Agree, 10_000_000), 5_000);
        assert_eq!(at(Step::Status, 10_000_000), 20_000);
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
