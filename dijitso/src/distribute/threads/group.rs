//! A communicator that is yet to run, and its run.

use super::Threads;
use super::seats::Seats;
use crate::distribute::communicator::{Lost, SHORT};

/// A communicator that is yet to run: from [`Threads::group`] or [`Threads::on_machines`].
#[derive(Debug, Clone)]
pub struct ThreadGroup {
    machines: Vec<Option<String>>,
    eager: usize,
}

impl ThreadGroup {
    pub(super) fn new(machines: Vec<Option<String>>) -> ThreadGroup {
        ThreadGroup { machines, eager: SHORT }
    }

    /// The longest message that is sent without waiting until it is taken; at least 1,024 bytes and, unless set, 4,000.
    ///
    /// ```
    /// assert_eq!(dijitso::Threads::group(2).eager(1 << 20).run(|comm| dijitso::Communicator::rank(&comm)), [0, 1]);
    /// ```
    #[must_use]
    pub fn eager(mut self, bytes: usize) -> ThreadGroup {
        self.eager = bytes.max(1024);
        self
    }

    /// See [`Threads::run`].
    ///
    /// # Panics
    /// If a rank panics: with its number and words, after all have ended.
    pub fn run<R: Send>(self, rank: impl Fn(Threads) -> R + Sync) -> Vec<R> {
        let ended: Result<Vec<R>, Lost> = self.try_run(rank).into_iter().collect();
        ended.unwrap_or_else(|lost| panic!("{lost}"))
    }

    /// The same where a rank that panics is one of the results.
    pub fn try_run<R: Send>(self, rank: impl Fn(Threads) -> R + Sync) -> Vec<Result<R, Lost>> {
        // What is reserved is hardly used, but counts where memory is limited.
        let stack = if self.machines.len() <= 64 { 2 << 20 } else { 512 << 10 };
        let run = &rank;
        std::thread::scope(|scope| {
            let threads: Vec<_> = Seats::new(self.machines, self.eager)
                .ranks()
                .map(|comm| {
                    let builder =
                        std::thread::Builder::new().name(format!("rank {}", comm.rank)).stack_size(stack);
                    builder.spawn_scoped(scope, move || run(comm))
                })
                .collect();
            let ended =
                threads.into_iter().enumerate().map(|(rank, thread)| match thread.map(|t| t.join()) {
                    Ok(Ok(result)) => Ok(result),
                    Ok(Err(panic)) => Err(Lost { rank, problem: format!("panicked: {}", words(&*panic)) }),
                    Err(error) => Err(Lost { rank, problem: format!("has no thread: {error}") }),
                });
            ended.collect()
        })
    }
}

fn words(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("(no words)")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::distribute::communicator::Communicator as _;

    #[test]
    fn parts_are_ordered_by_key_and_keep_their_machines() {
        let group = Threads::on_machines(&["a", "b", "c", "d", "e"]);
        let parts = group.run(|comm| {
            let key = comm.channel(&mut || Some(std::time::Duration::ZERO)).unwrap().key();
            let part = comm.split(comm.rank() % 2, 5 - comm.rank()).unwrap();
            let part_key = part.channel(&mut || Some(std::time::Duration::ZERO)).unwrap().key();
            assert_ne!(key, part_key);
            // Again, and of a part.
            let one = part.split(part.rank(), 0).unwrap();
            assert_eq!((one.size(), one.machine()), (1, comm.machine()));
            assert_eq!(comm.split(0, 0).unwrap().rank(), comm.rank());
            (part.rank(), part.size(), part.machine().map(str::to_owned), part_key)
        });
        let places: Vec<_> =
            parts.iter().map(|(rank, size, machine, _)| (*rank, *size, machine.as_deref())).collect();
        let places_by_key =
            [(2, 3, Some("a")), (1, 2, Some("b")), (1, 3, Some("c")), (0, 2, Some("d")), (0, 3, Some("e"))];
        assert_eq!(places, places_by_key);
        assert!(parts[0].3 == parts[2].3 && parts[1].3 == parts[3].3 && parts[0].3 != parts[1].3);
    }

    #[test]
    fn a_split_without_somebody_fails() {
        let parts =
            Threads::run(4, |comm| (comm.rank() != 2).then(|| comm.split(0, 0).map(|part| part.size())));
        let lost = Lost { rank: 2, problem: "has ended".to_owned() };
        assert_eq!(parts, [Some(Err(lost.clone())), Some(Err(lost.clone())), None, Some(Err(lost))]);
    }

    #[test]
    fn a_panic_is_the_result_of_its_rank() {
        let ranks = Threads::group(3).try_run(|comm| assert_ne!(comm.rank(), 1, "not one"));
        assert!(ranks[0].is_ok() && ranks[2].is_ok());
        let lost = ranks[1].as_ref().unwrap_err();
        assert!(lost.rank == 1 && lost.problem.starts_with("panicked: ") && lost.problem.contains("not one"));
    }
}
