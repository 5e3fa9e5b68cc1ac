//! Collective loads over MPI with a real compiler, and what goes wrong with it, from the beginning. What goes wrong in the
//! middle is in [`trials`](super::trials).

use super::{Installed, finish, with_each_mpi};
use crate::harness::{Place, soak};

/// What each rank had to say, by rank.
fn ranks(mpi: &Installed, place: &Place, ranks: usize, words: &[&str]) -> Vec<String> {
    let mut command = mpi.command(ranks, "mpi-kernels");
    command.args(words).arg(place.root()).env("DIJITSO_CACHE_DIR", place.cache());
    let output = finish(&mut command);
    let (said, told) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{words:?} on {ranks} ranks: {}\n{said}\n{told}", output.status);
    (0..ranks).map(|rank| std::fs::read_to_string(place.path(&format!("rank-{rank}"))).unwrap()).collect()
}

fn field(line: &str, name: &str) -> u64 {
    let mut words = line.split(' ').skip_while(|word| *word != name).skip(1);
    words.next().and_then(|word| word.parse().ok()).unwrap_or_else(|| panic!("no {name} in {line}"))
}

fn what_fails_fails_on_all_ranks_alike(mpi: &Installed) {
    // All that the compiler says: one error for each name that it does not know.
    let names: Vec<String> = (0..20).map(|i| format!("nonsense{i}")).collect();
    let faults = [("text", &names[..]), ("generator", &["no such element".to_owned()])];
    for (fault, words) in faults {
        for (caches, size) in [("shared", 8), ("separate", 3)] {
            let place = Place::new();
            let lines = ranks(mpi, &place, size, &[caches, "spread", fault, "2"]);
            assert!(lines.windows(2).all(|pair| pair[0] == pair[1]), "{fault} {caches}: {lines:#?}");
            let whole = words.iter().all(|words| lines[0].contains(words));
            assert!(lines[0].starts_with("error ") && whole, "{fault} {caches}: {}", lines[0]);
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
        // In the soak up to its last message.
        let mut whole = !soak();
        for at in if soak() { 0..100 } else { 2..5 } {
            let place = Place::new();
            let lines = ranks(mpi, &place, size, &["separate", "spread", &format!("lost-{at}@{lost}"), "8"]);
            if at >= 5 && lines.iter().all(|line| line == "whole") {
                whole = true;
                break;
            }
            // Who misses its very last message, and whoever would have had it from there, stands alone with that.
            if at >= 5 && lines[0] == "whole" {
                let told = |line: &String| line.starts_with("lost ") && line.contains("as planned");
                assert!(told(&lines[lost]), "{at}: {lines:#?}");
                assert!(lines.iter().all(|line| line == "whole" || told(line)), "{at}: {lines:#?}");
                continue;
            }
            let at = format!("{size} ranks, {lost} at {at}");
            assert!(lines.windows(2).all(|pair| pair[0] == pair[1]), "{at}: {lines:#?}");
            assert!(lines[0].starts_with("lost ") && lines[0].contains("as planned"), "{at}: {lines:#?}");
        }
        assert!(whole, "{size} ranks, {lost}: there is no last message");
    }
}

fn a_log_that_panics_is_no_end(mpi: &Installed) {
    let place = Place::new();
    let lines = ranks(mpi, &place, 3, &["shared", "root", "logger@0", "2"]);
    assert!(lines.iter().all(|line| line.starts_with("sum 1 ")), "{lines:#?}");
    assert!(field(&lines[1], "warned") > 0, "{lines:#?}");
}

with_each_mpi! {
    what_fails_fails_on_all_ranks_alike,
    a_rank_that_gives_up_takes_all_with_it,
    a_log_that_panics_is_no_end,
}
