//! Thousands of ranks, counted: messages per rank grow with the logarithm, file operations with the cache groups.

use std::sync::Arc;

use dijitso::{Communicator as _, Network, Stats, Threads};
use dijitso_tests::kernels::{NUMBER_BASE, number};

use crate::harness::Place;

/// A load of `kernels` on `ranks` ranks, 64 a machine, with one directory on a file server.
fn load(place: &Arc<Place>, ranks: usize, kernels: u32) -> Vec<Stats> {
    let place = place.clone();
    let machines: Vec<String> = (0..ranks).map(|rank| format!("machine-{}", rank / 64)).collect();
    let specs: Arc<Vec<_>> = Arc::new((0..kernels).map(number).collect());
    let machines: Vec<&str> = machines.iter().map(String::as_str).collect();
    let results = Threads::on_machines(&machines).run(move |comm| {
        let jit = place.builder().network(Network::Yes).build()?;
        let before = jit.stats();
        let kernels = jit.on(&comm).load_all(&*specs)?;
        assert!(kernels.iter().enumerate().all(|(i, kernel)| kernel.call() - NUMBER_BASE == i as i32));
        let mut stats = jit.stats();
        stats.opens -= before.opens;
        stats.file_changes -= before.file_changes;
        let _ = comm.rank();
        dijitso::Result::<Stats>::Ok(stats)
    });
    results.into_iter().map(|stats| stats.unwrap()).collect()
}

#[test]
fn messages_grow_with_the_logarithm_and_files_not_at_all() {
    let place = Arc::new(Place::new());
    load(&place, 2, 64);
    let mut table = Vec::new();
    for ranks in [2, 16, 256, 4096] {
        for kernels in [1, 64] {
            let stats = load(&place, ranks, kernels);
            let sum = |field: fn(&Stats) -> u64| stats.iter().map(field).sum::<u64>();
            let most = |field: fn(&Stats) -> u64| stats.iter().map(field).max().unwrap_or(0);
            let work = sum(|s| s.generated + s.compiled + s.processes + s.published);
            assert_eq!(work, 0, "{ranks} ranks, {kernels} kernels");
            table.push((
                ranks,
                kernels,
                most(|s| s.messages_sent - s.messages_offered),
                sum(|s| s.opens),
                sum(|s| s.file_changes),
                most(|s| s.message_bytes),
                sum(|s| s.messages_sent) - 2 * sum(|s| s.messages_offered),
            ));
        }
    }
    for (ranks, kernels, messages, opens, changes, bytes, _) in &table {
        println!(
            "{ranks} ranks, {kernels} kernels: at most {messages} messages and {bytes} bytes a rank, {opens} files opened and {changes} changed by all"
        );
    }
    for pair in table.chunks(2) {
        // But what is large is offered first, and its receiver answers.
        assert_eq!(pair[0].6, pair[1].6, "messages do not depend on the number of kernels");
        assert!(pair[1].2 <= pair[0].2 + 4, "nor those of one rank: {} and {}", pair[0].2, pair[1].2);
    }
    let (few, many) = (&table[1], &table[7]);
    assert_eq!(few.3, many.3, "one rank reads, however many there are");
    assert!(
        table.iter().all(|row| row.4 <= 4),
        "nothing is written but the token that shows who shares the directory"
    );
    // Twelve doublings of the number of ranks, a few messages each.
    assert!(many.2 <= few.2 + 12 * 24, "{} and {} messages", few.2, many.2);
}
