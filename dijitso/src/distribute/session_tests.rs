//! Sessions over threads: every size, every shape of message, sources and sinks that fail.

use std::sync::Arc;
use std::time::Duration;

use super::communicator::Communicator as _;
use super::session::Session;
use super::threads::{ThreadGroup, Threads};
use super::tree::Tree;
use super::waiting::Step;
use crate::error::{Error, Result};
use crate::stats::Counters;

const SIZES: [usize; 9] = [1, 2, 3, 4, 7, 8, 16, 33, 256];

pub(super) fn open(comm: &Threads) -> Session<'_> {
    open_counted(comm, &Arc::default())
}

pub(super) fn open_counted<'c>(comm: &'c Threads, counters: &Arc<Counters>) -> Session<'c> {
    try_open(comm, counters).unwrap()
}

pub(super) fn try_open<'c>(comm: &'c Threads, counters: &Arc<Counters>) -> Result<Session<'c>> {
    Session::open(comm, "kernel axpy".to_owned(), Duration::from_secs(60), counters.clone())
}

/// Runs all ranks with a session and the tree over all.
pub(super) fn run<R: Send>(size: usize, rank: impl Fn(&mut Session<'_>, &Tree) -> R + Sync) -> Vec<R> {
    run_group(Threads::group(size), rank)
}

fn run_group<R: Send>(group: ThreadGroup, rank: impl Fn(&mut Session<'_>, &Tree) -> R + Sync) -> Vec<R> {
    group.run(|comm| rank(&mut open(&comm), &Tree::over_all(comm.size(), comm.rank())))
}

pub(super) fn problem<T: std::fmt::Debug>(result: Result<T>) -> String {
    match result {
        Err(Error::Communication { problem }) => problem,
        other => panic!("{other:?}"),
    }
}

/// Bytes that tell where they are from.
pub(super) fn bytes(rank: usize, length: usize) -> Vec<u8> {
    (0..length).map(|i| (i * 31 + rank * 7 + i / 256) as u8).collect()
}

/// A source of these bytes that gives `step` of them at once.
pub(super) fn pieces(bytes: &[u8], step: usize) -> impl FnMut(&mut Vec<u8>) -> Result<bool> + '_ {
    let mut rest = bytes.chunks(step);
    move |out| {
        out.extend_from_slice(rest.next().unwrap_or_default());
        Ok(rest.len() > 0)
    }
}

fn full_disk() -> Error {
    Error::Declaration { kernel: "axpy".to_owned(), problem: "no space left".to_owned() }
}

#[test]
fn values_are_merged_in_the_order_of_ranks_for_everybody() {
    for size in SIZES {
        let all: Vec<usize> = (0..size).collect();
        for (rank, (merged, root, told)) in run(size, |session, tree| {
            let mine = vec![session.rank()];
            let concat = |mut a: Vec<usize>, b: Vec<usize>| {
                a.extend(b);
                a
            };
            let merged = session.all_reduce(Step::Agree, tree, mine.clone(), concat).unwrap();
            let root = session.reduce(Step::Status, tree, mine, concat).unwrap();
            let told = (session.rank() == 0).then(|| "from the root".to_owned());
            let told = session.broadcast(Step::Plan, tree, told).unwrap();
            (merged, root, told)
        })
        .into_iter()
        .enumerate()
        {
            assert_eq!(merged, all);
            assert_eq!(root, (rank == 0).then(|| all.clone()));
            assert_eq!(told, "from the root");
        }
    }
}

#[test]
fn values_of_any_length_travel_in_pieces() {
    for (chunk, length) in [(1, 9), (7, 6), (7, 7), (7, 8), (16, 0), (100, 10_000)] {
        let results = run_group(Threads::group(5).eager(0), |session, tree| {
            session.chunk = chunk;
            let mine = bytes(session.rank(), length);
            session.all_reduce(Step::Agree, tree, mine, |a, b| [a, b].concat()).unwrap()
        });
        let all: Vec<u8> = (0..5).flat_map(|rank| bytes(rank, length)).collect();
        assert!(results.iter().all(|result| *result == all), "chunk {chunk}, {length} bytes");
    }
}

#[test]
fn a_tree_over_some_ranks_leaves_the_others_alone() {
    let ranks = [6, 2, 3];
    let results = run(8, |session, _| {
        let tree = Tree::binomial(&ranks, session.rank())?;
        Some(session.all_reduce(Step::Move, &tree, session.rank().to_string(), |a, b| a + &b).unwrap())
    });
    for (rank, result) in results.into_iter().enumerate() {
        assert_eq!(result.as_deref(), ranks.contains(&rank).then_some("623"));
    }
}

#[test]
fn streams_go_down_in_order() {
    for size in SIZES {
        for (chunk, length, step) in [(16, 100, 7), (64, 64, 64), (64, 0, 1), (50, 1000, 333)] {
            let sent = bytes(1, length);
            let results = run(size, |session, tree| {
                session.chunk = chunk;
                let mut got = Vec::new();
                let mut source = pieces(&sent, step);
                let source = (session.rank() == 0).then_some(&mut source as _);
                let mut sink = |piece: &[u8]| {
                    got.extend_from_slice(piece);
                    Ok(())
                };
                session.stream_down(Step::Move, tree, source, &mut sink).unwrap();
                got
            });
            assert!(
                results[1..].iter().all(|got| *got == sent),
                "{size} ranks, chunk {chunk}, {length} bytes"
            );
        }
    }
}

#[test]
fn streams_go_up_in_order_for_each_rank() {
    for size in SIZES {
        for (chunk, length, step) in [(16, 100, 7), (64, 64, 64), (1000, 0, 1), (50, 300, 77)] {
            let results = run(size, |session, tree| {
                session.chunk = chunk;
                let mine = bytes(session.rank(), length);
                let mut got = vec![Vec::new(); size];
                let mut sink = |from: usize, piece: &[u8]| {
                    got[from].extend_from_slice(piece);
                    Ok(())
                };
                session.stream_up(Step::Move, tree, &mut pieces(&mine, step), &mut sink).unwrap();
                got
            });
            for (rank, got) in results[0].iter().enumerate() {
                assert_eq!(*got, bytes(rank, length), "rank {rank} of {size}, chunk {chunk}, {length} bytes");
            }
        }
    }
}

#[test]
fn what_is_small_travels_together() {
    let counters: Vec<Arc<Counters>> = (0..16).map(|_| Arc::default()).collect();
    Threads::run(16, |comm| {
        let mut session = open_counted(&comm, &counters[comm.rank()]);
        let tree = Tree::over_all(16, comm.rank());
        let mine = bytes(comm.rank(), 100);
        session.stream_up(Step::Move, &tree, &mut pieces(&mine, 10), &mut |_, _| Ok(())).unwrap();
    });
    let sent: Vec<u64> = counters.iter().map(|counters| counters.messages_sent.get()).collect();
    assert_eq!(sent, [vec![0], vec![1; 15]].concat(), "one message up for each rank");
}

#[test]
fn a_full_disk_on_one_rank_does_not_stop_the_stream() {
    for broken in 0..5 {
        let sent = bytes(1, 1000);
        let results = run(5, |session, tree| {
            session.chunk = 16;
            let mut got = Vec::new();
            let mut source = pieces(&sent, 30);
            let mut calls = 0;
            let rank = session.rank();
            let mut sink = |piece: &[u8]| {
                calls += 1;
                got.extend_from_slice(piece);
                if rank == broken && calls == 3 { Err(full_disk()) } else { Ok(()) }
            };
            let source = (rank == 0).then_some(&mut source as _);
            let down = session.stream_down(Step::Move, tree, source, &mut sink);
            // The session is as good as before.
            let after = session.all_reduce(Step::Status, tree, down.is_err(), |a, b| a | b).unwrap();
            (got, down, after)
        });
        for (rank, (got, down, after)) in results.into_iter().enumerate() {
            assert_eq!(after, broken != 0);
            match (rank, broken) {
                (0, _) => assert!(down.is_ok()),
                (rank, broken) if rank == broken => {
                    assert!(matches!(down, Err(Error::Declaration { .. })), "{down:?}");
                    assert_eq!(got.len(), 3 * 16, "nothing more goes into a sink that failed");
                }
                _ => assert!(down.is_ok() && got == sent),
            }
        }
    }
}

#[test]
fn a_source_that_fails_ends_the_stream_everywhere() {
    let results = run(5, |session, tree| {
        let mut source = |_: &mut Vec<u8>| Err(full_disk());
        let source = (session.rank() == 0).then_some(&mut source as _);
        let down = session.stream_down(Step::Move, tree, source, &mut |_| Ok(()));
        session.all_reduce(Step::Status, tree, (), |(), ()| ()).unwrap();
        down
    });
    assert!(matches!(results[0], Err(Error::Declaration { .. })));
    for result in results.into_iter().skip(1) {
        let problem = problem(result);
        assert!(problem.contains("rank 0 cannot read on") && problem.contains("no space left"), "{problem}");
    }
}

#[test]
fn sources_and_sinks_that_fail_on_the_way_up_do_not_stop_the_others() {
    for broken in 0..5 {
        let results = run(5, |session, tree| {
            session.chunk = 24;
            let rank = session.rank();
            let mine = bytes(rank, 100);
            let mut whole = pieces(&mine, 100);
            let mut source = |out: &mut Vec<u8>| if rank == broken { Err(full_disk()) } else { whole(out) };
            let mut got = vec![Vec::new(); 5];
            let mut sink = |from: usize, piece: &[u8]| {
                got[from].extend_from_slice(piece);
                Ok(())
            };
            let up = session.stream_up(Step::Move, tree, &mut source, &mut sink);
            let mut full = |_: usize, _: &[u8]| Err(full_disk());
            let full = session.stream_up(Step::Move, tree, &mut pieces(&mine, 100), &mut full);
            session.all_reduce(Step::Status, tree, (), |(), ()| ()).unwrap();
            (up, full, got)
        });
        for (rank, (up, full, _)) in results.iter().enumerate() {
            assert_eq!((up.is_err(), full.is_err()), (rank == broken, rank == 0));
        }
        for (from, got) in results[0].2.iter().enumerate() {
            assert_eq!(*got, if from == broken { Vec::new() } else { bytes(from, 100) });
        }
    }
}

#[test]
fn messages_grow_with_the_logarithm_of_the_ranks() {
    for size in [2_usize, 16, 256, 4096] {
        // Seven for each power of eight below: who is next to the root.
        let powers = [1, 8, 64, 512].into_iter().filter(|&power| power < size);
        let widest: u64 = powers.map(|power| 7.min((size - 1) / power) as u64).sum();
        // Without the offers of large ones.
        let traffic = Threads::group(size).eager(1 << 20).run(|comm| {
            let tree = Tree::over_all(size, comm.rank());
            let mut session = open(&comm);
            let sum = session.all_reduce(Step::Agree, &tree, comm.rank(), |a, b| a + b).unwrap();
            assert_eq!(sum, size * (size - 1) / 2);
            let sent = bytes(0, 100_000);
            let mut source = pieces(&sent, 50_000);
            let source = (comm.rank() == 0).then_some(&mut source as _);
            let mut got = 0;
            let mut sink = |piece: &[u8]| {
                got += piece.len();
                Ok(())
            };
            session.stream_down(Step::Move, &tree, source, &mut sink).unwrap();
            assert_eq!(got, if comm.rank() == 0 { 0 } else { 100_000 });
            session.all_reduce(Step::Load, &tree, (), |(), ()| ()).unwrap();
            comm.traffic()
        });
        // One up and one down in both reductions, and one stream: of the root's, and of everybody's.
        let last = traffic.iter().max_by_key(|traffic| traffic.messages).unwrap();
        assert_eq!(last.messages, 5 * (size as u64 - 1));
        assert_eq!(last.most_messages, 5 * widest);
    }
}
