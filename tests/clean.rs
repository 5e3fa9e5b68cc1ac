//! What is removed from a cache, and what is not, while others use it.

use std::time::{Duration, SystemTime};

use dijitso::{Cache, CacheKind, Category, Entry, KernelOrigin, KernelSpec, ProblemKind, Source};
use dijitso_tests::kernels::{self, NUMBER_BASE};

use crate::browse::{entries, filled};
use crate::harness::{Place, files, set_mode};

#[test]
fn a_dry_run_tells_the_same_and_removes_nothing() {
    let (place, _, cache) = filled();
    let before = files(&place.cache());
    let would = cache.clean().dry_run(true).run();
    assert_eq!(files(&place.cache()), before);
    let removed = cache.clean().run();
    assert_eq!((would.files, would.bytes), (removed.files.clone(), removed.bytes));
    assert_eq!((removed.count(CacheKind::Entry), cache.entries().count()), (6, 0));
    assert_eq!(cache.summary().index.files, 0);
    for file in &removed.files {
        assert!(!file.path.exists(), "{}", file.path.display());
    }
}

#[test]
fn only_what_fits_all_conditions_is_removed() {
    let (place, _, cache) = filled();
    let hour = Duration::from_secs(3600);
    assert!(cache.clean().older_than(hour).run().files.is_empty());
    assert!(cache.clean().unused_for(hour).run().files.is_empty());
    assert!(cache.clean().matching(|_| false).run().files.is_empty());
    assert!(cache.clean().kernel("absent").run().files.is_empty());
    assert!(cache.clean().kernel("axpy").older_than(hour).run().files.is_empty());
    let removed = cache.clean().kernel("axpy").kernel("k00001").older_than(Duration::ZERO).run();
    assert_eq!(removed.count(CacheKind::Entry), 2);
    // The index of the spec and that of the unit, for each.
    assert_eq!(removed.count(CacheKind::Index), 4, "{removed:?}");
    let removed =
        cache.clean().matching(|entry| entry.dependencies().is_empty()).kinds(&[CacheKind::Entry]).run();
    assert_eq!(removed.count(CacheKind::Entry), 3);
    assert_eq!(entries(&cache).iter().map(Entry::name).collect::<Vec<_>>(), ["successor"]);
    // What is left still works.
    let jit = place.jit();
    assert_eq!(jit.load(&kernels::successor(4)).unwrap().call(), 5);
    assert_eq!(cache.verify().problems, []);
}

#[test]
fn links_and_loose_directories_lead_no_removal_elsewhere() {
    let (place, _, cache) = filled();
    let precious = place.write("precious/letter.txt", "dear");
    let signature = "ff".repeat(32);
    place.write(&format!("precious/{signature}.so"), "mine");
    place.write(&format!("precious/{signature}.so.corrupt"), "mine");
    place.write(&format!("precious/{signature}"), "mine");
    for link in ["v1/ff", "v1/index/ff"] {
        let link = place.cache().join(link);
        let _ = std::fs::remove_dir_all(&link);
        std::os::unix::fs::symlink(place.path("precious"), link).unwrap();
    }
    std::fs::remove_dir_all(place.cache().join("v1/failures")).unwrap_or_default();
    std::fs::create_dir(place.cache().join("v1/failures")).unwrap();
    std::os::unix::fs::symlink(place.path("precious"), place.cache().join("v1/failures/x-000000000000"))
        .unwrap();
    let before = files(&place.path("precious"));
    cache.clean().run();
    assert_eq!((files(&place.path("precious")), cache.entries().flatten().count()), (before, 0));
    assert!(precious.exists() && cache.failures().unwrap().is_empty());

    place.jit().load(&kernels::number(1)).unwrap();
    set_mode(place.root(), 0o755);
    set_mode(&place.cache(), 0o755);
    set_mode(&place.cache().join("v1"), 0o777);
    let removed = cache.clean().run();
    assert!(removed.files.is_empty() && removed.failed[0].1.contains("every user"), "{removed:?}");
    assert!(cache.entries().flatten().count() == 1, "it may be looked at all the same");
}

#[test]
fn the_sources_that_debuggers_show_go_with_their_kernel() {
    let place = Place::new();
    let jit = place.builder().profile(dijitso::Profile::Debug).build().unwrap();
    jit.load_all(&[kernels::number(1), kernels::number(2)]).unwrap();
    let cache = jit.cache();
    assert_eq!(cache.summary().sources.files, 2);
    let removed = cache.clean().kernel("k00001").run();
    assert_eq!((removed.count(CacheKind::Entry), removed.count(CacheKind::Source)), (1, 1), "{removed:?}");
    let left = cache.find("k00002").unwrap().unit_signature();
    assert!(place.cache().join("v1/sources").join(left.to_hex()).is_dir());
    assert_eq!(cache.clean().kinds(&[CacheKind::Source]).run().count(CacheKind::Source), 0, "it is shown");
    let broken = KernelSpec::<kernels::Number>::new("broken", 0, || {
        // SAFETY: it does not compile.
        unsafe { Source::new("int broken() { return x; }") }
    });
    jit.load(&broken).unwrap_err();
    assert_eq!(cache.summary().sources.files, 1, "the failure's are in its bundle");
    assert_eq!(cache.clean().run().count(CacheKind::Source), 1);
    assert_eq!(cache.summary().sources.files, 0);
}

#[test]
fn a_removed_failure_is_forgotten_and_tried_again() {
    let place = Place::new();
    let run = || place.client(["text", "broken", "int broken() { return x; }"]).run().outcome.stats;
    assert_eq!((run().compiled, run().compiled), (1, 0));
    let cache = Cache::open(place.cache()).unwrap();
    let failures = cache.failures().unwrap();
    assert_eq!((failures.len(), failures[0].kernel()), (1, "broken"));
    assert!(
        failures[0].log().unwrap().contains("'x' was not declared")
            || failures[0].log().unwrap().contains("undeclared")
    );
    assert!(failures[0].read("broken.cpp").unwrap().contains("return x"));
    assert!(failures[0].read("../../../../../../../../etc/passwd").is_err());
    assert!(failures[0].when() <= SystemTime::now());
    let removed = cache.clean().kinds(&[CacheKind::Failure]).run();
    assert_eq!((removed.count(CacheKind::Failure), removed.count(CacheKind::Index)), (1, 1), "{removed:?}");
    assert_eq!(run().compiled, 1);
}

#[test]
fn what_is_removed_stays_loaded_and_is_built_again_by_the_next() {
    let (place, jit, cache) = filled();
    let kernel = jit.load(&kernels::number(2)).unwrap();
    cache.clean().run();
    assert_eq!(kernel.call(), NUMBER_BASE + 2);
    assert_eq!(jit.load(&kernels::number(2)).unwrap().origin(), KernelOrigin::Memory);
    assert_eq!(place.jit().load(&kernels::number(2)).unwrap().origin(), KernelOrigin::Built);
    let ran = place.client(["numbers", "2", "3"]).ok();
    assert_eq!(ran.values(), [f64::from(NUMBER_BASE + 2)]);
}

#[test]
fn others_load_while_everything_is_removed_and_looked_at() {
    let place = Place::new();
    let cache = Cache::open(place.cache()).unwrap();
    let clients: Vec<_> = (0..4).map(|_| place.client(["numbers", "0", "12"]).spawn()).collect();
    let mut running = clients;
    let mut rounds = 0;
    while running.iter_mut().any(|client| client.try_wait().unwrap().is_none()) {
        let found = cache.verify();
        assert!(found.problems.iter().all(|p| p.kind != ProblemKind::Damaged), "{found:?}");
        let _ = (cache.summary(), cache.grep("return", &Category::ALL).count());
        let removed = cache.clean().run();
        assert!(removed.failed.is_empty(), "{removed:?}");
        rounds += 1;
    }
    assert!(rounds > 0);
    for client in running {
        let ran = crate::harness::Ran::of(client.wait_with_output().unwrap());
        assert!(ran.outcome.error.is_none(), "{:?}\n{}", ran.outcome.error, ran.stderr);
        assert_eq!(ran.values(), (0..12).map(|i| f64::from(NUMBER_BASE + i)).collect::<Vec<_>>());
    }
}
