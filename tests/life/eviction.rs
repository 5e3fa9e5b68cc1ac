//! Real processes that fill a cache.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use dijitso::{BuildOn, Cache, CacheKind, Communicator as _, KernelOrigin, Network, Stats, Threads};
use dijitso_tests::kernels::{self, NUMBER_BASE};

use super::{DAY, age, end, quick, used};
use crate::harness::{Place, files, soak};

/// Bytes of everything below a directory.
fn bytes(place: &Place) -> u64 {
    files(&place.cache()).iter().map(|file| file.symlink_metadata().map_or(0, |data| data.len())).sum()
}

/// 2,000 kernels of 60 kB, which is 130 MB, by eight processes, into 50 MB; two fifths of all that where time is short.
#[test]
fn eight_processes_that_fill_a_cache_keep_its_bound() {
    let place = Place::new();
    let shim = quick(&place, ["heavy", "0", "1", "55000"]);
    let (bound, each) = if soak() { (50_000_000, 250) } else { (20_000_000, 100) };
    let client = |from: u32, to: u32| {
        let words = ["heavy".to_owned(), from.to_string(), to.to_string(), "55000".to_owned()];
        place.client(words).env("CXX", shim.path()).env("DIJITSO_MAX_SIZE", bound.to_string())
    };
    let mut running: Vec<_> = (0..8).map(|n| client(n * each, (n + 1) * each).spawn()).collect();
    let mut most = 0;
    while running.iter_mut().any(|client| client.try_wait().unwrap().is_none()) {
        most = most.max(bytes(&place));
        std::thread::sleep(Duration::from_millis(20));
    }
    // One was built to find out what the compiler is.
    let (mut built, mut evicted) = (1, 0);
    for (n, client) in running.into_iter().enumerate() {
        let ran = end(client);
        let all = n as u32 * each..(n as u32 + 1) * each;
        let expected: Vec<f64> = all.map(|i| f64::from(NUMBER_BASE) + f64::from(i)).collect();
        assert_eq!(ran.values(), expected);
        assert_eq!((ran.warnings(), ran.outcome.stats.quarantined), (0, 0), "{}", ran.stderr);
        built += ran.outcome.stats.built;
        evicted += ran.outcome.stats.evicted_bytes;
    }
    assert!(most <= bound / 10 * 11, "{most} bytes of {bound}");
    assert!(bytes(&place) >= bound / 10 * 7, "{} bytes of {bound}", bytes(&place));
    let cache = Cache::open(place.cache()).unwrap();
    let total = cache.statistics().total();
    assert_eq!((total.built, total.evicted_bytes), (built, evicted));
    assert!(built >= u64::from(8 * each));
    assert!(total.published_bytes > 2 * bound, "{total:?}");
    // What is left is whole, and what is gone is built again.
    assert_eq!(cache.verify().problems.iter().find(|p| p.path.extension().is_some_and(|e| e == "so")), None);
    assert_eq!(client(3, 4).ok().values(), [f64::from(NUMBER_BASE + 3)]);
}

#[test]
fn what_a_bound_costs_is_next_to_nothing() {
    let place = Place::new();
    let shim = quick(&place, ["heavy", "0", "1", "100"]);
    let operations = |from: u32, bound: &str| {
        let (from, to) = (from.to_string(), (from + 40).to_string());
        let client = place.client(["heavy", &from, &to, "100"]).env("CXX", shim.path());
        let Stats { opens, file_stats, file_changes, evicted, .. } =
            client.env("DIJITSO_MAX_SIZE", bound).ok().outcome.stats;
        (opens + file_stats + file_changes, evicted)
    };
    // Somebody has looked how much there is.
    operations(1000, "40K");
    let (without, _) = operations(2000, "0");
    let (with, evicted) = operations(3000, "5G");
    assert_eq!(evicted, 0);
    assert!(with * 100 <= without * 105, "{with} and {without} file operations");
    // At the bound, each kernel that comes removes another one's three files.
    let (at_the_bound, evicted) = operations(4000, "280K");
    assert!(evicted >= 40, "{evicted}");
    assert!(at_the_bound <= without * 2 + evicted * 2, "{at_the_bound} and {without} file operations");
}

#[test]
fn a_use_is_marked_once_a_day_by_whoever_reads_the_file() {
    let place = Place::new();
    let jit = place.jit();
    let path = jit.load(&kernels::axpy(kernels::Loop::Plain)).unwrap().path().unwrap().to_owned();
    let marked: Vec<PathBuf> =
        files(&place.cache()).into_iter().filter(|f| !f.ends_with("CACHEDIR.TAG")).collect();
    for file in &marked {
        age(file, DAY * 3);
    }
    let again = || {
        let jit = place.jit();
        assert_eq!(jit.load(&kernels::axpy(kernels::Loop::Plain)).unwrap().origin(), KernelOrigin::Disk);
        jit.stats().file_changes
    };
    let cache = jit.cache();
    let yesterday = std::time::SystemTime::now() - DAY;
    cache.verify();
    cache.summary();
    assert!(cache.entry(&jit.load(&kernels::axpy(kernels::Loop::Plain)).unwrap().signature()).is_ok());
    assert!(used(&path) < yesterday, "whoever looks around uses nothing");
    // The entry, and both index files: that of the spec, which was read, and that of the unit. The list of the
    // compiler's headers is known to this process.
    assert_eq!((again(), again()), (3, 0));
    assert!(used(&path) > yesterday);
    assert!(cache.find("axpy").unwrap().last_used().unwrap() > yesterday);
    let index = marked.iter().filter(|f| f.starts_with(place.cache().join("v1/index")));
    assert!(index.clone().count() == 2 && index.clone().all(|file| used(file) > yesterday));
}

#[test]
fn a_kernel_whose_dependency_was_evicted_is_built_again() {
    let place = Place::new();
    place.client(["successor", "4"]).ok().values();
    let cache = Cache::open(place.cache()).unwrap();
    let base = cache.find("base").unwrap();
    age(base.path(), DAY * 40);
    let removed = cache.gc().max_age(DAY * 39).run();
    assert_eq!((removed.count(CacheKind::Entry), base.path().exists()), (1, false));
    let ran = place.client(["successor", "4"]).ok();
    assert_eq!((ran.values(), ran.outcome.stats.built), (vec![5.0], 1), "{:?}", ran.outcome.stats);
    assert!(ran.outcome.stats.misses.keys().any(|why| why.contains("removed")), "{:?}", ran.outcome.stats);
    place.client(["successor", "4"]).ok().assert_warm();
}

#[test]
fn what_is_evicted_stays_loaded() {
    let place = Place::new();
    let jit = place.builder().max_size(1).build().unwrap();
    let kernels = jit.load_all(&[1, 2, 3].map(kernels::number)).unwrap();
    assert!(jit.stats().evicted > 0);
    assert_eq!(kernels.iter().map(|k| k.call() - NUMBER_BASE).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(jit.load(&kernels::successor(1)).unwrap().call(), 2, "it is linked to what was evicted");
}

/// On each machine of a cluster with a cache directory of its own, most of what is in it was received.
#[test]
fn ranks_that_only_receive_keep_their_bound_too() {
    let place = Arc::new(Place::new());
    let shim = quick(&place, ["heavy", "0", "1", "20000"]);
    let bound = 200_000;
    for network in [Network::No, Network::Yes] {
        let (at, compiler) = (place.clone(), shim.path().to_owned());
        let stats = Threads::run(3, move |comm| {
            let cache = at.path(&format!("{network:?}-{}", comm.rank()));
            let builder = at.builder().cache_dir(&cache).network(network).max_size(bound);
            let jit = builder.cxx(compiler.display().to_string()).build().unwrap();
            let mut most = 0;
            for i in 0..40 {
                jit.on(&comm).build_on(BuildOn::Root).load(&kernels::heavy(i, 20_000)).unwrap();
                let there = jit.cache().summary();
                most = most.max(there.entries.bytes + there.index.bytes);
            }
            assert!(most > bound / 2, "rank {}: {most}", comm.rank());
            (most, jit.stats())
        });
        for (rank, (most, stats)) in stats.iter().enumerate() {
            assert!(*most <= bound / 10 * 11, "{network:?}: rank {rank} has {most} bytes of {bound}");
            assert!(stats.evicted > 0 && (rank == 0) == (stats.built == 40), "{rank}: {stats:?}");
        }
    }
}
