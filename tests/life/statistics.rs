//! What is known afterwards of what many processes did.

use dijitso::{Activity, Cache, Stats, Threads};
use dijitso_tests::kernels;

use super::{DAY, age, end, quick};
use crate::harness::{Nobody, Place, files, set_mode};

fn sum(stats: &[Stats]) -> Activity {
    let mut sum = Activity::default();
    for s in stats {
        sum.memory_hits += s.memory_hits;
        sum.disk_hits += s.disk_hits;
        sum.built += s.built;
        sum.compile_us += s.compile_us;
        sum.saved_us += s.saved_us;
        sum.published += s.published;
        sum.published_bytes += s.published_bytes;
        sum.evicted += s.evicted;
        sum.evicted_bytes += s.evicted_bytes;
        for (reason, count) in &s.misses {
            *sum.misses.entry(reason.clone()).or_default() += count;
        }
    }
    sum
}

#[test]
fn eight_processes_are_counted_exactly() {
    let place = Place::new();
    let shim = quick(&place, ["heavy", "0", "1", "100"]);
    let cache = Cache::open(place.cache()).unwrap();
    assert_eq!(cache.statistics().total().built, 1);
    cache.zero_statistics().unwrap();
    let mut stats = Vec::new();
    for round in 0..2 {
        // Each shares half of its kernels with its neighbour; in the second round all are there.
        let client = |n: u32| {
            let (from, to) = ((10 + n * 10).to_string(), (30 + n * 10).to_string());
            place.client(["heavy", &from, &to, "100"]).env("CXX", shim.path()).spawn()
        };
        let running: Vec<_> = (0..8).map(client).collect();
        stats.extend(running.into_iter().map(|child| end(child).outcome.stats));
        let total = cache.statistics().total();
        assert_eq!(total, sum(&stats), "round {round}");
        assert_eq!(total.built, 90);
    }
    let total = cache.statistics().total();
    assert!(total.saved_us > 0 && total.disk_hits >= 160, "{total:?}");
    assert!(cache.statistics().days.len() <= 2, "midnight");
    cache.zero_statistics().unwrap();
    assert_eq!(cache.statistics().total(), Activity::default());
}

#[test]
fn what_was_saved_is_what_it_took() {
    let place = Place::new();
    let jit = place.jit();
    jit.load(&kernels::number(1)).unwrap();
    let took = jit.stats().compile_us;
    assert!(took > 0);
    let again = place.jit();
    again.load(&kernels::number(1)).unwrap();
    again.load(&kernels::number(1)).unwrap();
    assert_eq!((again.stats().saved_us, again.stats().disk_hits), (took, 1));
}

#[test]
fn a_warm_collective_load_writes_nothing_and_only_who_read_the_disk_says_so() {
    let place = Place::new();
    let specs = [1, 2, 3].map(kernels::number);
    place.jit().load_all(&specs).unwrap();
    let cache = Cache::open(place.cache()).unwrap();
    cache.zero_statistics().unwrap();
    let before = files(&place.cache());
    let jits = Threads::run(4, |comm| {
        let jit = place.jit();
        jit.on(&comm).load_all(&specs).unwrap();
        jit.on(&comm).load_all(&specs).unwrap();
        jit
    });
    assert_eq!(files(&place.cache()), before);
    assert_eq!(jits.iter().map(|jit| jit.stats().file_changes).sum::<u64>(), 0);
    drop(jits);
    let total = cache.statistics().total();
    assert_eq!((total.disk_hits, total.received, total.built), (3, 0, 0), "{total:?}");
    let lines = files(&place.cache().join("v1/statistics"));
    assert_eq!(lines.len(), 1);
    let text = std::fs::read_to_string(&lines[0]).unwrap();
    assert_eq!(text.lines().filter(|line| !line.is_empty()).count(), 1, "{text}");
}

#[test]
fn a_cache_that_cannot_be_written_is_read_without_a_word() {
    let Some(nobody) = Nobody::new() else { return };
    let client = || nobody.client(&["numbers", "1", "4"]);
    client().ok();
    let cache = Cache::open(nobody.place.cache()).unwrap();
    assert_eq!(cache.statistics().total().built, 3);
    let (v1, before) = (nobody.place.cache().join("v1"), files(&nobody.place.cache()));
    let dirs = || [v1.clone(), v1.join("statistics"), v1.join("tmp")];
    dirs().iter().for_each(|dir| set_mode(dir, 0o555));
    let lines = files(&v1.join("statistics"));
    lines.iter().for_each(|file| set_mode(file, 0o444));
    let ran = client().ok();
    assert_eq!((ran.warnings(), ran.outcome.stats.disk_hits), (0, 3), "{}", ran.stderr);
    assert_eq!(files(&nobody.place.cache()), before);
    assert_eq!(cache.statistics().total().disk_hits, 0);
    dirs().iter().for_each(|dir| set_mode(dir, 0o755));
    lines.iter().for_each(|file| set_mode(file, 0o644));
    client().ok();
    assert_eq!(cache.statistics().total().disk_hits, 3);
}

/// On a file server each machine has a file for each day; somebody has to fold them, also if nothing is built any more.
#[test]
fn a_cache_that_is_only_read_is_housekept_too() {
    let place = Place::new();
    place.client(["numbers", "1", "4"]).ok();
    let v1 = place.cache().join("v1");
    let old = v1.join("statistics/2020-02-02.somewhere");
    std::fs::write(&old, "\n{\"disk_hits\":7}").unwrap();
    let today = files(&v1.join("statistics")).into_iter().find(|file| *file != old).unwrap();
    std::fs::remove_file(&today).unwrap();
    age(&v1.join("tidied"), DAY * 2);
    let ran = place.client(["numbers", "1", "4"]).ok();
    assert_eq!((ran.outcome.stats.disk_hits, ran.outcome.stats.built), (3, 0));
    assert!(!old.exists() && v1.join("statistics/summary").exists());
    let days = Cache::open(place.cache()).unwrap().statistics().days;
    let hits = days.iter().map(|day| (day.date == "2020-02-02", day.activity.disk_hits)).collect::<Vec<_>>();
    assert_eq!(hits, [(true, 7), (false, 3)]);
}
