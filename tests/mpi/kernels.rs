//! Collective loads over MPI. Every cell of the matrix runs over threads, see `distribute`; here are the main ones.

use super::{Installed, SIZES, finish, with_each_mpi};
use crate::harness::{Place, soak};

const STRATEGIES: [&str; 4] = ["root", "node", "process", "spread"];

/// What each rank printed, by rank, without its number.
fn ranks(mpi: &Installed, place: &Place, ranks: usize, words: &[&str]) -> Vec<String> {
    let mut command = mpi.command(ranks, "mpi-kernels");
    let output = finish(command.args(words).env("DIJITSO_CACHE_DIR", place.cache()));
    let (said, told) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{words:?} on {ranks} ranks: {}\n{said}\n{told}", output.status);
    (0..ranks)
        .map(|rank| {
            let begin = format!("rank {rank} ");
            let line = said.lines().find_map(|line| line.strip_prefix(&begin));
            line.unwrap_or_else(|| panic!("nothing from rank {rank}: {said}\n{told}")).to_owned()
        })
        .collect()
}

fn field(line: &str, name: &str) -> u64 {
    let mut words = line.split(' ').skip_while(|word| *word != name).skip(1);
    words.next().and_then(|word| word.parse().ok()).unwrap_or_else(|| panic!("no {name} in {line}"))
}

fn cold_then_warm_with_every_strategy(mpi: &Installed) {
    for size in SIZES {
        for caches in ["shared", "separate"] {
            // Starting ranks is what costs: all strategies with all sizes in the soak.
            for strategy in
                STRATEGIES.iter().filter(|strategy| soak() || matches!(size, 2 | 4) || **strategy == "spread")
            {
                let place = Place::new();
                let at = format!("{size} {caches} {strategy}");
                let cold = ranks(mpi, &place, size, &[caches, strategy, "none", "3"]);
                assert!(cold.iter().all(|line| line.starts_with("sum 3 ")), "{at}: {cold:#?}");
                let built: u64 = cold.iter().map(|line| field(line, "built")).sum();
                let builders = match (*strategy, caches) {
                    ("process", _) | ("node", "separate") => size as u64,
                    _ => 1,
                };
                assert!(built >= 3 * builders && built <= 4 * builders, "{at}: {cold:#?}");
                let warm = ranks(mpi, &place, size, &[caches, strategy, "none", "3"]);
                assert!(warm.iter().all(|line| line.starts_with("sum 3 built 0 ")), "{at}: {warm:#?}");
            }
        }
    }
}

fn mixtures_of_warm_and_cold(mpi: &Installed) {
    for size in [2, 4] {
        for warm in [0, size - 1] {
            for caches in ["shared", "separate"] {
                let place = Place::new();
                let lines = ranks(mpi, &place, size, &[caches, "spread", &format!("warm@{warm}"), "2"]);
                assert!(
                    lines.iter().all(|line| line.starts_with("sum 1 ")),
                    "{size} {warm} {caches}: {lines:#?}"
                );
            }
        }
    }
    let place = Place::new();
    let lines = ranks(mpi, &place, 3, &["shared", "root", "late@1", "2"]);
    assert!(lines.iter().all(|line| line.starts_with("sum 1 ")), "{lines:#?}");
}

fn what_fails_fails_on_all_ranks_alike(mpi: &Installed) {
    let faults = [
        ("text", "was not declared"),
        ("generator", "no such element"),
        ("request@1", "asks for"),
        ("Agree@2", "planned"),
        ("LookUp@0", "planned"),
        ("Build@0", "planned"),
        ("Load@2", "planned"),
    ];
    for (fault, words) in faults {
        for caches in ["shared", "separate"] {
            let place = Place::new();
            let lines = ranks(mpi, &place, 3, &[caches, "spread", fault, "2"]);
            assert!(lines.windows(2).all(|pair| pair[0] == pair[1]), "{fault} {caches}: {lines:#?}");
            assert!(
                lines[0].starts_with("error ") && lines[0].contains(words),
                "{fault} {caches}: {lines:#?}"
            );
        }
    }
    for fault in ["directory@1", "compiler@1"] {
        let place = Place::new();
        let lines = ranks(mpi, &place, 3, &["separate", "root", fault, "2"]);
        assert!(lines.iter().all(|line| line.starts_with("sum 1 ")), "{fault}: {lines:#?}");
    }
}

/// Whatever it waits for when that happens, and though others are about to send it more than MPI takes without it.
fn a_rank_that_gives_up_takes_all_with_it(mpi: &Installed) {
    let whole = ranks(mpi, &Place::new(), 4, &["separate", "spread", "none", "8"]);
    assert!(whole.iter().any(|line| field(line, "offered") > 0), "nothing large is sent: {whole:#?}");
    for (size, lost) in [(2, 0), (2, 1), (4, 0), (4, 2)] {
        for at in if soak() { 0..10 } else { 2..5 } {
            let place = Place::new();
            let lines = ranks(mpi, &place, size, &["separate", "spread", &format!("lost-{at}@{lost}"), "8"]);
            let at = format!("{size} ranks, {lost} at {at}");
            assert!(lines.windows(2).all(|pair| pair[0] == pair[1]), "{at}: {lines:#?}");
            assert!(lines[0].starts_with("lost ") && lines[0].contains("as planned"), "{at}: {lines:#?}");
        }
    }
}

fn a_log_that_panics_is_no_end(mpi: &Installed) {
    let place = Place::new();
    let lines = ranks(mpi, &place, 3, &["shared", "root", "logger@0", "2"]);
    assert!(lines.iter().all(|line| line.starts_with("sum 1 ")), "{lines:#?}");
    assert!(field(&lines[1], "warned") > 0, "{lines:#?}");
}

with_each_mpi! {
    cold_then_warm_with_every_strategy,
    mixtures_of_warm_and_cold,
    what_fails_fails_on_all_ranks_alike,
    a_rank_that_gives_up_takes_all_with_it,
    a_log_that_panics_is_no_end,
}
