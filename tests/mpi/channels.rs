//! What dijitso asks of MPI: messages that are private, on any communicator, at any thread level.

use super::{Installed, SIZES, with_each_mpi};
use crate::harness::soak;

/// All ranks did what these words say.
fn done(mpi: &Installed, ranks: usize, words: &[&str]) {
    assert_eq!(mpi.run(ranks, "mpi-channels", words), format!("done on {ranks} ranks\n"), "{words:?}");
}

fn messages_arrive_whole_and_in_order(mpi: &Installed) {
    for ranks in SIZES {
        done(mpi, ranks, &["messages", "single"]);
    }
}

fn every_level_of_threads_will_do(mpi: &Installed) {
    for level in ["funneled", "serialized", "multiple"] {
        done(mpi, 3, &["messages", level]);
    }
}

fn messages_of_the_program_are_left_alone(mpi: &Installed) {
    for ranks in [1, 2, 4] {
        done(mpi, ranks, &["privacy"]);
    }
}

fn every_kind_of_communicator_will_do(mpi: &Installed) {
    for ranks in [1, 2, 3, 4] {
        done(mpi, ranks, &["communicators"]);
    }
}

fn communicators_may_come_and_go(mpi: &Installed) {
    // Both implementations have far fewer than these at a time.
    done(mpi, 2, &["cycles", if soak() { "40000" } else { "5000" }]);
    done(mpi, 3, &["cycles", "100"]);
}

fn who_is_early_sleeps(mpi: &Installed) {
    done(mpi, 3, &["late"]);
}

fn inter_communicators_are_refused(mpi: &Installed) {
    done(mpi, 4, &["inter"]);
}

fn before_and_after_mpi_there_is_an_error(mpi: &Installed) {
    done(mpi, 1, &["ends"]);
    done(mpi, 3, &["ends"]);
}

with_each_mpi! {
    messages_arrive_whole_and_in_order,
    every_level_of_threads_will_do,
    messages_of_the_program_are_left_alone,
    every_kind_of_communicator_will_do,
    communicators_may_come_and_go,
    who_is_early_sleeps,
    inter_communicators_are_refused,
    before_and_after_mpi_there_is_an_error,
}
