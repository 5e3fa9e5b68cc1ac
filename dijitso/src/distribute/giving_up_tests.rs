//! Ranks that cannot go on with a call: all others hear of it, whatever they wait for.

use std::sync::Arc;
use std::time::Duration;

use super::communicator::{Communicator as _, Lost};
use super::session::Session;
use super::session_tests::{bytes, open, open_counted, pieces, problem, run, try_open};
use super::threads::Threads;
use super::tree::Tree;
use super::waiting::Step;
use crate::error::Error;
use crate::stats::Counters;

#[test]
fn ranks_in_different_calls_all_learn_it() {
    for odd in 0..5 {
        let results = Threads::run(5, |comm| {
            let mut session = open(&comm);
            if comm.rank() == odd {
                drop(session);
                session = open(&comm);
            }
            let tree = Tree::over_all(5, comm.rank());
            session.all_reduce(Step::Agree, &tree, (), |(), ()| ())
        });
        for result in results {
            let problem = problem(result);
            assert!(problem.contains("call 2") && problem.contains("call 1"), "{problem}");
            assert!(
                problem.contains("kernel axpy") && problem.contains("the same functions in the same order")
            );
        }
    }
}

#[test]
fn ranks_in_different_steps_all_learn_it() {
    for odd in 0..8 {
        let results = run(8, |session, tree| {
            let step = if session.rank() == odd { Step::Plan } else { Step::Agree };
            let first = session.all_reduce(step, tree, (), |(), ()| ());
            // Whoever was through with the first is told in the next one, whatever its tree.
            let near = [session.rank() & !1, session.rank() | 1];
            let near = Tree::binomial(&near, session.rank()).unwrap();
            first.and_then(|()| session.all_reduce(Step::Status, &near, (), |(), ()| ()))
        });
        for result in results {
            assert!(problem(result).contains("where another was due"));
        }
    }
}

#[test]
fn messages_of_others_are_refused() {
    let results = run(2, |session, tree| {
        if session.rank() == 1 {
            let text = b"GET / HTTP/1.1 and more";
            session.send(Step::Agree, &[0], text).unwrap();
        }
        session.all_reduce(Step::Agree, tree, (), |(), ()| ())
    });
    for result in results {
        let problem = problem(result);
        assert!(problem.contains("another version") && problem.contains("rank 1"), "{problem}");
    }
    // The right header in front of what is no such value.
    let results = run(2, |session, tree| match session.rank() {
        0 => session.reduce(Step::Agree, tree, String::new(), |a, _| a).map(drop),
        _ => {
            session.reduce(Step::Agree, tree, vec![0xff_u8; 3], |a, _| a).unwrap();
            session.all_reduce(Step::Status, tree, (), |(), ()| ())
        }
    });
    for result in results {
        assert!(problem(result).contains("cannot read"));
    }
}

#[test]
fn who_gave_up_once_is_out_of_step_for_good() {
    let results = Threads::run(3, |comm| {
        let tree = Tree::over_all(3, comm.rank());
        let mut session = open(&comm);
        let step = if comm.rank() == 2 { Step::Plan } else { Step::Agree };
        let first = session.all_reduce(step, &tree, 1, |a, b| a + b);
        drop(session);
        let second = try_open(&comm, &Arc::default())
            .and_then(|mut session| session.all_reduce(Step::Agree, &tree, 1, |a, b| a + b));
        (first, second)
    });
    for (first, second) in results {
        let (first, second) = (problem(first), problem(second));
        assert!(first.contains("where another was due"), "{first}");
        assert!(second.contains("where another was due"), "{second}");
    }
}

#[test]
fn what_a_call_left_behind_is_never_taken_for_another_ones() {
    let results = Threads::run(3, |comm| {
        let tree = Tree::over_all(3, comm.rank());
        let call = |number: usize| {
            let mut session = try_open(&comm, &Arc::default())?;
            let step = if (comm.rank(), number) == (1, 0) { Step::Plan } else { Step::Agree };
            session.all_reduce(step, &tree, vec![number], |a, b| [a, b].concat())
        };
        (0..5).map(call).collect::<Vec<_>>()
    });
    for calls in results {
        for call in calls {
            let problem = problem(call);
            assert!(problem.contains("where another was due"), "{problem}");
        }
    }
}

/// Gives up, in words that name this rank.
fn give_up(session: &mut Session<'_>) -> Error {
    // Only the first of a tree may have a value to tell.
    let tree = Tree { parent: Some(session.size()), children: Vec::new() };
    let error = session.broadcast(Step::Plan, &tree, Some(session.rank())).unwrap_err();
    assert!(matches!(error, Error::Communication { .. }), "{error:?}");
    error
}

#[test]
fn who_sends_something_large_to_a_rank_that_gave_up_before_hears_of_it() {
    for size in [2, 3, 9, 20, 100] {
        let places: Vec<usize> = if size < 30 { (0..size).collect() } else { vec![0, 1, 8, 9, 64, 98, 99] };
        for odd in places {
            let turned: Vec<usize> = (0..size).rev().collect();
            // That a rank has ended would be known without a notice.
            let end = std::sync::Barrier::new(size);
            let until_the_end = |result| {
                end.wait();
                result
            };
            let results = Threads::group(size).eager(1024).run(|comm| {
                let mut session = open(&comm);
                let rank = comm.rank();
                if rank == odd {
                    return until_the_end(Err(give_up(&mut session)));
                }
                session.chunk = 3000;
                let all = Tree::over_all(size, rank);
                // Whom a rank meets here, it does not meet in the tree over all.
                let turned = Tree::binomial(&turned, rank).unwrap();
                let sent = bytes(1, 10_000);
                let mut source = pieces(&sent, 2000);
                let source = turned.parent.is_none().then_some(&mut source as _);
                let down = session.stream_down(Step::Move, &turned, source, &mut |_| Ok(()));
                let load = |()| session.all_reduce(Step::Load, &all, vec![rank; 2000], |a, _| a).map(drop);
                until_the_end(down.and_then(load))
            });
            let problems: Vec<String> = results.into_iter().map(problem).collect();
            assert!(problems.iter().all(|problem| *problem == problems[odd]), "{size}, {odd}: {problems:#?}");
        }
    }
}

#[test]
fn large_values_go_up_to_ranks_that_gave_up_before() {
    for odd in 0..20 {
        let end = std::sync::Barrier::new(20);
        let results = Threads::group(20).eager(1024).run(|comm| {
            let mut session = open(&comm);
            let tree = Tree::over_all(20, comm.rank());
            let result = if comm.rank() == odd {
                Err(give_up(&mut session))
            } else {
                session.all_reduce(Step::Agree, &tree, vec![1_u8; 5000], |a, b| [a, b].concat()).map(drop)
            };
            end.wait();
            result
        });
        let problems: Vec<String> = results.into_iter().map(problem).collect();
        assert!(problems.iter().all(|problem| *problem == problems[odd]), "{odd}: {problems:#?}");
    }
}

#[test]
fn a_call_ends_well_though_the_next_one_was_given_up_already() {
    let given_up = std::sync::Barrier::new(2);
    let results = Threads::run(3, |comm| {
        let tree = Tree::over_all(3, comm.rank());
        let mut session = open(&comm);
        if comm.rank() == 2 {
            given_up.wait();
            // Rank 0 has the notice, and looks for such.
            std::thread::sleep(Duration::from_millis(20));
        }
        let first = session.reduce(Step::Agree, &tree, 1, |a, b| a + b);
        drop(session);
        let mut session = match try_open(&comm, &Arc::default()) {
            Ok(session) => session,
            Err(error) => return (first, error),
        };
        let second = match comm.rank() {
            1 => give_up(&mut session),
            _ => session.all_reduce(Step::Agree, &tree, 1, |a, b| a + b).unwrap_err(),
        };
        if comm.rank() == 1 {
            given_up.wait();
        }
        (first, second)
    });
    assert_eq!(results[0].0.as_ref().ok(), Some(&Some(3)));
    assert!(results[1..].iter().all(|(first, _)| matches!(first, Ok(None))));
    assert!(results.windows(2).all(|pair| pair[0].1.to_string() == pair[1].1.to_string()), "{results:?}");
}

#[test]
fn what_is_large_is_offered_first() {
    let counters: Vec<Arc<Counters>> = (0..3).map(|_| Arc::default()).collect();
    Threads::group(3).eager(2000).run(|comm| {
        let mut session = open_counted(&comm, &counters[comm.rank()]);
        let tree = Tree::over_all(3, comm.rank());
        for length in [1900, 2100] {
            let told = (comm.rank() == 0).then(|| vec![7_u8; length]);
            assert_eq!(session.broadcast(Step::Plan, &tree, told).unwrap().len(), length);
        }
    });
    let count = |of: fn(&Counters) -> u64| counters.iter().map(|counters| of(counters)).collect::<Vec<_>>();
    assert_eq!(count(|of| of.messages_offered.get()), [2, 0, 0]);
    assert_eq!(count(|of| of.messages_sent.get()), [2 + 2 * 2, 1, 1]);
}

#[test]
fn a_long_reason_is_the_same_on_all_ranks() {
    let results = Threads::run(4, |comm| {
        let what = "k".repeat(2000);
        let mut session = Session::open(&comm, what, Duration::from_secs(60), Arc::default()).unwrap();
        let step = if comm.rank() == 3 { Step::Plan } else { Step::Agree };
        problem(session.all_reduce(step, &Tree::over_all(4, comm.rank()), (), |(), ()| ()))
    });
    assert!(results.windows(2).all(|pair| pair[0] == pair[1]), "{results:#?}");
}

#[test]
fn a_rank_that_ends_is_named_to_all() {
    for size in [2, 5, 16, 100] {
        for ended in [0, 1, size - 1] {
            let results = Threads::group(size).try_run(|comm| {
                let rank = comm.rank();
                assert_ne!(rank, ended, "its own fault");
                let mut session = open(&comm);
                session.all_reduce(Step::Status, &Tree::over_all(size, rank), (), |(), ()| ())
            });
            for (rank, result) in results.into_iter().enumerate() {
                if rank == ended {
                    let problem = "panicked: assertion `left != right` failed: its own fault";
                    assert!(result.unwrap_err().problem.starts_with(problem));
                } else {
                    let problem = problem(result.unwrap());
                    assert!(problem.contains(&format!("rank {ended} panicked")), "{rank}: {problem}");
                }
            }
        }
    }
}

#[test]
fn a_panic_between_two_steps_is_heard_of() {
    let results = Threads::group(6).try_run(|comm| {
        let mut session = open(&comm);
        let tree = Tree::over_all(6, comm.rank());
        session.all_reduce(Step::Agree, &tree, (), |(), ()| ()).unwrap();
        assert_ne!(session.rank(), 3);
        session.all_reduce(Step::Status, &tree, (), |(), ()| ())
    });
    for (rank, result) in results.into_iter().enumerate().filter(|(rank, _)| *rank != 3) {
        let problem = problem(result.unwrap());
        assert!(problem.contains("rank 3") && problem.contains("panicked"), "{rank}: {problem}");
    }
}

#[test]
fn a_channel_gives_what_was_sent_before_the_end() {
    let results = Threads::run(2, |comm| {
        let idle = &mut || Some(Duration::ZERO);
        let channel = comm.channel(idle).unwrap();
        if comm.rank() == 1 {
            channel.send(&[0], b"last words", idle).unwrap();
            return None;
        }
        let words = channel.receive(1, idle).unwrap();
        Some((words, channel.receive(1, idle), channel.send(&[1], &[0; 10_000], idle)))
    });
    let (words, then, sent) = results[0].clone().unwrap();
    assert_eq!(words, b"last words");
    let lost = Lost { rank: 1, problem: "has ended".to_owned() };
    assert_eq!(then, Err(lost.clone()));
    assert_eq!(sent, Err(lost), "nobody will take a large message");
}
