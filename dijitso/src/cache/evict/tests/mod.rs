//! How the bound is kept.

mod tidying;

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::*;
use crate::cache::store::tests::{params, store};
use crate::cache::{Cache, CacheKind, Inputs, Store, Variant, VariantOutcome};
use crate::config::params::Network;
use crate::fs::Fs;
use crate::fs::used::tests::age;
use crate::signature::{Signature, digest};
use crate::toolchain::CpuFeatures;

const DAY: Duration = Duration::from_secs(24 * 3600);

fn signature(n: u32) -> Signature {
    digest(&n.to_le_bytes())
}

fn variant(outcome: VariantOutcome) -> Variant {
    Variant {
        toolchain: digest(b"toolchain"),
        unit: digest(b"unit"),
        outcome,
        entry: true,
        cpu: CpuFeatures::NONE,
        created: 1,
        took_us: 0,
        dependencies: Vec::new(),
        inputs: Inputs::default(),
    }
}

/// A cache with a bound.
fn bounded(dir: &tempfile::TempDir, size: u64, files: u64) -> Store {
    let mut store = store(&dir.path().join("cache"));
    store.bound = Bound { size, files };
    store
}

/// Publishes `len` bytes under the name of `n`, with what leads to them.
fn publish(store: &Store, n: u32, len: usize) -> PathBuf {
    let (content, bytes) = (signature(n), vec![n as u8; len]);
    store.publish(&content, &bytes).unwrap();
    store.add_variant(&signature(n | 1 << 31), variant(VariantOutcome::Content(content))).unwrap();
    store.entry_path(&content)
}

fn look(store: &Store) -> Cache {
    Cache::of(store.root(), Network::Auto, store.bound)
}

/// Bytes and files of entries and index.
fn held(store: &Store) -> (u64, u64) {
    let mut files = Vec::new();
    let folders = scan::Folders::of(store);
    let each = (0..scan::FOLDERS).map(|folder| folders.look(folder, &mut files));
    let amount = each.fold(growth::Amount::default(), growth::Amount::plus);
    (amount.bytes, amount.files)
}

#[test]
fn a_cache_that_is_filled_keeps_its_bound_whoever_fills_it() {
    let dir = tempfile::tempdir().unwrap();
    let (size, len) = (2_000_000, 4_000);
    let (mut most, mut looks) = (0, 0);
    for n in 0..3_000 {
        // Each by a process of its own.
        let store = bounded(&dir, size, 0);
        publish(&store, n, len);
        store.evict_if_full();
        looks += u32::from(store.fs().counters().snapshot().evicted > 0);
        if n.is_multiple_of(20) {
            most = most.max(held(&store).0);
        }
    }
    assert!(most <= size / 10 * 11, "{most} of {size}");
    assert!(most >= size / 10 * 8, "{most} of {size}");
    // 3,000 entries are six times the bound; a fifth of it goes each time.
    assert!((15..60).contains(&looks), "{looks}");
    let (bytes, files) = held(&bounded(&dir, size, 0));
    assert!(bytes >= size / 10 * 7 && files > 300, "{bytes} bytes in {files} files");
}

#[test]
fn the_number_of_files_is_bounded_too() {
    let dir = tempfile::tempdir().unwrap();
    let store = bounded(&dir, 0, 400);
    for n in 0..1_000 {
        publish(&store, n, 10);
        store.evict_if_full();
    }
    let (_, files) = held(&store);
    assert!((280..=440).contains(&files), "{files}");
    let stats = store.fs().counters().snapshot();
    assert_eq!(stats.evicted + files, 2_000);
}

#[test]
fn the_least_recently_used_go_first() {
    let dir = tempfile::tempdir().unwrap();
    let store = bounded(&dir, 0, 0);
    for n in 0..10 {
        let path = publish(&store, n, 1000);
        age(&path, DAY * (20 - n));
        age(&store.index_path(&signature(n | 1 << 31)), DAY * (20 - n));
    }
    // The oldest is used again: by its entry, and by what led there.
    assert!(store.index(&signature(1 << 31)).is_some());
    store.fs().mark_used(&store.entry_path(&signature(0))).unwrap();
    let whole = held(&store).0;
    let gc = || look(&store).gc().max_size(whole - 1);
    let would = gc().dry_run(true).run();
    assert_eq!(held(&store).0, whole);
    let removed = gc().run();
    assert_eq!(would, removed);
    let gone: Vec<bool> = (0..10).map(|n| !store.entry_path(&signature(n)).exists()).collect();
    assert_eq!(gone, [false, true, true, true, false, false, false, false, false, false]);
    assert_eq!((removed.count(CacheKind::Entry), removed.count(CacheKind::Index)), (3, 3));
    assert!(held(&store).0 <= whole / 10 * 8);
    assert_eq!(look(&store).statistics().total().evicted, 6);
    assert_eq!(look(&store).gc().run().files, [], "a cache that was opened without a bound has none");
    let removed = look(&store).gc().max_age(DAY * 12).run();
    assert_eq!(removed.count(CacheKind::Entry), 5, "{removed:?}");
}

#[test]
fn a_large_cache_is_seen_in_parts() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = bounded(&dir, 0, 0);
    std::fs::create_dir_all(store.v1().join("00")).unwrap();
    for n in 0..(SAMPLE as u32 * 2) {
        let path = store.entry_path(&signature(n));
        if std::fs::write(&path, b"0123456789").is_err() {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, b"0123456789").unwrap();
        }
    }
    let whole = SAMPLE as u64 * 20;
    store.bound.size = whole * 98 / 100;
    publish(&store, u32::MAX, 10_000);
    store.evict_if_full();
    let stats = store.fs().counters().snapshot();
    assert!((SAMPLE as u64..SAMPLE as u64 * 3 / 2).contains(&stats.file_stats), "{}", stats.file_stats);
    assert!(stats.evicted > SAMPLE as u64 / 10, "{}", stats.evicted);
    // How much there is, is known to a percent.
    let known = growth::read(store.fs(), &store.growth_path()).unwrap();
    let really = held(&store).0;
    assert!(known.bytes.abs_diff(really) * 20 < really, "{known:?} {really}");
}

#[test]
fn who_cannot_evict_publishes_all_the_same() {
    for network in [Network::No, Network::Yes] {
        let dir = tempfile::tempdir().unwrap();
        let mut params = params();
        (params.network.value, params.max_size.value) = (network, 1000);
        let open = || Store::open(&dir.path().join("cache"), &Fs::new(Default::default()), &params).unwrap();
        let (store, another) = (open(), open());
        store.create_softly();
        let other = another.guard("evict").unwrap();
        for n in 0..10 {
            publish(&store, n, 1000);
            store.evict_if_full();
        }
        assert!(held(&store).0 > 10_000, "{network:?}");
        drop(other);
        publish(&store, 10, 1000);
        store.evict_if_full();
        assert!(held(&store).0 <= 1000, "{network:?}");
    }
}

#[test]
fn links_lead_no_eviction_elsewhere() {
    let dir = tempfile::tempdir().unwrap();
    let store = bounded(&dir, 0, 0);
    let precious = dir.path().join("precious");
    std::fs::create_dir(&precious).unwrap();
    let content = signature(1);
    let path = store.entry_path(&content);
    std::fs::write(precious.join(path.file_name().unwrap()), b"mine").unwrap();
    std::os::unix::fs::symlink(&precious, path.parent().unwrap()).unwrap();
    for dir in ["sources", "sites", "failures"] {
        std::os::unix::fs::symlink(&precious, store.v1().join(dir)).unwrap();
    }
    age(&precious.join(path.file_name().unwrap()), DAY * 100);
    let removed = look(&store).gc().max_size(1).run();
    assert_eq!((removed.files, std::fs::read_dir(&precious).unwrap().count()), (vec![], 1));
}

#[test]
fn whoever_makes_room_on_demand_is_the_only_one_and_loses_no_note() {
    let dir = tempfile::tempdir().unwrap();
    let store = bounded(&dir, 1_000_000, 0);
    for n in 0..20 {
        publish(&store, n, 10_000);
    }
    let files = || held(&store).1;
    let before = files();
    let other = store.try_lock_named("evict").unwrap();
    let (ended, end) = std::sync::mpsc::channel();
    std::thread::scope(|scope| {
        scope.spawn(|| ended.send(look(&store).gc().max_size(1).run()).unwrap());
        // While another one makes room nothing is removed, and its end is waited for.
        assert!(end.recv_timeout(Duration::from_millis(200)).is_err());
        assert_eq!(files(), before);
        drop(other);
        assert_eq!(end.recv().unwrap().failed, []);
    });
    assert_eq!(files(), 0);
    // What is gone already was counted by whoever removed it.
    let mut bin = Bin::new(&store);
    publish(&store, 1, 100);
    let mut seen = Vec::new();
    let folders = scan::Folders::of(&store);
    for folder in 0..scan::FOLDERS {
        folders.look(folder, &mut seen);
    }
    for file in &seen {
        std::fs::remove_file(file.what.path(&store)).unwrap();
        bin.evict(file);
    }
    assert_eq!(bin.evicted, growth::Amount::default());
}
