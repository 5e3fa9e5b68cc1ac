//! Discoveries over threads that pretend to be on several machines, with real directories.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustix::mount::{MountFlags, MountPropagationFlags};
use rustix::thread::CpuSet;

use super::layout::Layout;
use super::roles::role;
use super::session::Session;
use super::team::Team;
use super::threads::{ThreadGroup, Threads};
use super::{Communicator as _, Role};
use crate::cache::Store;
use crate::config::Config;
use crate::config::params::{BuildOn, CacheParams, Network, Params};
use crate::error::{Error, Result};
use crate::fs::Fs;
use crate::stats::{Counters, Stats};
use crate::toolchain::CpuFeatures;

fn cache_params(root: &Path, network: Network) -> crate::config::Cache {
    let cache = CacheParams { dir: Some(root.to_owned()), network: Some(network), ..CacheParams::default() };
    Config::resolve(Params { cache, ..Params::default() }).unwrap().cache
}

/// A cache that is there.
fn store(root: &Path, network: Network, counters: &Arc<Counters>) -> Store {
    let store = new_store(root, network, counters);
    store.create_softly();
    store
}

/// A cache that nobody has written to yet.
fn new_store(root: &Path, network: Network, counters: &Arc<Counters>) -> Store {
    Store::open(root, &Fs::new(counters.clone()), &cache_params(root, network)).unwrap()
}

fn discover(comm: &Threads, store: &Store, jobs: Option<usize>) -> Result<Layout> {
    let counters = store.fs().counters().clone();
    let what = "kernel axpy".to_owned();
    let mut session = Session::open(comm, what, Duration::from_secs(60), counters)?;
    Layout::discover(&mut session, store, jobs, CpuFeatures::from_bits(0b11 << (comm.rank() / 8)))
}

/// The layout that all ranks found, which is the same, and what was counted meanwhile.
fn found(group: ThreadGroup, roots: &[PathBuf], network: Network) -> (Layout, Stats) {
    let counters = Arc::default();
    let stores: Vec<Store> = roots.iter().map(|root| store(root, network, &counters)).collect();
    let before = counters.snapshot();
    let layouts = group.run(|comm| discover(&comm, &stores[comm.rank() % stores.len()], None).unwrap());
    let after = counters.snapshot();
    let mut layouts = layouts.into_iter();
    let first = layouts.next().unwrap();
    assert!(layouts.all(|layout| layout == first));
    let file_stats = after.file_stats - before.file_stats;
    let file_changes = after.file_changes - before.file_changes;
    let opens = after.opens - before.opens;
    for root in roots {
        let left = std::fs::read_dir(root.join("v1/tmp")).map_or(0, Iterator::count);
        assert_eq!(left, 0, "nothing is left in {}", root.display());
    }
    (first, Stats { file_stats, file_changes, opens, ..Stats::default() })
}

fn machines(ranks: usize, machines: usize) -> Vec<String> {
    (0..ranks).map(|rank| format!("m{}", rank * machines / ranks)).collect()
}

fn on(machines: &[String]) -> ThreadGroup {
    Threads::on_machines(&machines.iter().map(String::as_str).collect::<Vec<_>>())
}

fn nodes(layout: &Layout) -> usize {
    layout.node_of.iter().max().map_or(0, |max| *max as usize + 1)
}

fn operations(stats: &Stats) -> (u64, u64, u64) {
    (stats.file_stats, stats.file_changes, stats.opens)
}

#[test]
fn one_machine_with_one_directory_is_asked_once() {
    let dir = tempfile::tempdir().unwrap();
    for size in [1, 2, 3, 7, 16, 64, 256] {
        let (layout, stats) = found(Threads::group(size), &[dir.path().join("cache")], Network::Auto);
        assert_eq!((layout.size(), nodes(&layout), layout.groups.len()), (size, 1, 1));
        assert_eq!(layout.group(size - 1).ranks, (0..size).collect::<Vec<_>>());
        assert!(layout.groups[0].has_directory);
        assert_eq!(operations(&stats), (1, 0, 0));
        assert_eq!(layout.cpu_of, (0..size as u32).map(|rank| rank / 8).collect::<Vec<_>>());
        assert_eq!(layout.slots.iter().filter(|slots| **slots > 0).count(), 1, "they are not bound to cores");
    }
}

#[test]
fn a_path_on_several_machines_is_a_directory_on_each() {
    let dir = tempfile::tempdir().unwrap();
    let (layout, stats) = found(on(&machines(256, 32)), &[dir.path().join("cache")], Network::No);
    assert_eq!((nodes(&layout), layout.groups.len()), (32, 32));
    assert_eq!(layout.node_of[247..249], [30, 31]);
    assert_eq!(layout.group(255).ranks, (248..256).collect::<Vec<_>>());
    assert_eq!(operations(&stats), (32, 0, 0));
    assert_eq!(layout.slots.iter().filter(|slots| **slots > 0).count(), 32, "each machine has its cores");
}

#[test]
fn a_directory_on_a_server_is_found_with_as_many_looks_as_machines() {
    let dir = tempfile::tempdir().unwrap();
    let (layout, stats) = found(on(&machines(256, 32)), &[dir.path().join("cache")], Network::Yes);
    assert_eq!((nodes(&layout), layout.groups.len()), (32, 1));
    // All look at their directory, all but one for the token, which is put up and removed.
    assert_eq!(operations(&stats), (32 + 31, 2, 0));
}

#[test]
fn different_paths_lead_to_one_directory() {
    let dir = tempfile::tempdir().unwrap();
    let (real, link) = (dir.path().join("real"), dir.path().join("link"));
    std::os::unix::fs::symlink(&real, &link).unwrap();
    std::fs::create_dir(&real).unwrap();
    let roots = [real, link, dir.path().join("other")];
    for (group, count) in [(Threads::group(6), 1), (on(&machines(6, 2)), 2)] {
        let (layout, _) = found(group, &roots, Network::Yes);
        assert_eq!(nodes(&layout), count);
        assert_eq!(
            layout.groups.iter().map(|group| &group.ranks[..]).collect::<Vec<_>>(),
            [&[0, 1, 3, 4][..], &[2, 5]]
        );
    }
    let (layout, _) = found(Threads::group(6), &roots, Network::No);
    assert_eq!(layout.groups.len(), 2, "on one machine a token is not needed");
}

fn roles(layout: &Layout, build_on: BuildOn) -> Vec<Role> {
    let layout = &Arc::new(layout.clone());
    (0..layout.size()).map(|rank| role(&Team::of(layout, rank, build_on, false), layout)).collect()
}

#[test]
fn two_directories_have_the_roles_that_dijitso_gives() {
    use Role::{Builder as B, Receiver as R, Waiter as W};
    let dir = tempfile::tempdir().unwrap();
    let roots = [dir.path().join("a"), dir.path().join("b")];
    let (layout, _) = found(Threads::group(6), &roots, Network::Auto);
    assert_eq!(layout.group_of, [0, 1, 0, 1, 0, 1]);
    assert_eq!(roles(&layout, BuildOn::Root), [B, R, W, W, W, W]);
    assert_eq!(roles(&layout, BuildOn::Node), [B, B, W, W, W, W]);
    assert_eq!(roles(&layout, BuildOn::Process), [B; 6]);
    let spread = roles(&layout, BuildOn::Spread);
    assert_eq!((spread[0], spread[1]), (B, R), "the first rank has all cores");
    // One machine each, so cores for both.
    let names: Vec<String> = (0..6).map(|rank| format!("m{}", rank % 2)).collect();
    let (layout, _) = found(on(&names), &roots, Network::Auto);
    assert_eq!(roles(&layout, BuildOn::Spread), [B, B, W, W, W, W]);
    assert_eq!(roles(&layout, BuildOn::Root), [B, R, W, W, W, W]);
}

#[test]
fn what_crashed_programs_left_is_not_mistaken_and_is_swept() {
    let dir = tempfile::tempdir().unwrap();
    let roots = [dir.path().join("a"), dir.path().join("b")];
    let counters = Arc::default();
    for root in &roots {
        let tmp = store(root, Network::Yes, &counters).tmp_dir();
        for round in 0..8 {
            for rank in 0..4 {
                std::fs::write(tmp.join(format!("shared-{:032x}-{round}-{rank}", 0)), b"").unwrap();
            }
        }
    }
    let names = machines(4, 4);
    let stores: Vec<Store> = roots.iter().map(|root| store(root, Network::Yes, &counters)).collect();
    let layouts = on(&names).run(|comm| discover(&comm, &stores[comm.rank() % 2], None).unwrap());
    assert!(layouts.iter().all(|layout| layout.group_of == [0, 1, 0, 1]));
    assert_eq!(std::fs::read_dir(stores[0].tmp_dir()).unwrap().count(), 32);
    assert_eq!(store(&roots[0], Network::No, &counters).sweep(), 32);
}

#[test]
fn where_no_token_can_be_put_up_the_same_directory_is_still_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let roots = [dir.path().join("a"), dir.path().join("b")];
    let counters = Arc::default();
    let stores: Vec<Store> = roots.iter().map(|root| store(root, Network::Yes, &counters)).collect();
    for root in &roots {
        // As on a file system that is mounted to be read.
        std::fs::remove_dir_all(root.join("v1/tmp")).unwrap();
        std::fs::write(root.join("v1/tmp"), b"").unwrap();
    }
    let before = counters.snapshot();
    let layouts = on(&machines(64, 16)).run(|comm| discover(&comm, &stores[comm.rank() % 2], None).unwrap());
    let after = counters.snapshot();
    assert!(layouts.iter().all(|layout| *layout == layouts[0]));
    assert_eq!(layouts[0].groups.len(), 2);
    // 16 machines with two views each; in each directory the first tries, then the others.
    assert_eq!(after.file_stats - before.file_stats, 32);
    assert_eq!(after.file_changes - before.file_changes, 32);
}

#[test]
fn a_directory_that_is_new_or_vanished_is_created() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("cache");
    let counters = Arc::default();
    let one = new_store(&root, Network::Yes, &counters);
    let before = counters.snapshot();
    for _ in 0..2 {
        let layouts = on(&machines(256, 32)).run(|comm| discover(&comm, &one, None).unwrap());
        assert!(layouts.iter().all(|layout| layout.groups.len() == 1 && layout.groups[0].has_directory));
        assert!(root.join("v1/tmp").is_dir());
        std::fs::remove_dir_all(&root).unwrap();
    }
    let after = counters.snapshot();
    let operations = |stats: &Stats| stats.file_stats + stats.file_changes + stats.opens;
    let most = operations(&after) - operations(&before);
    assert!(most <= 2 * 32 * 10, "{most} operations of 32 machines, twice");
}

#[test]
fn who_has_no_directory_takes_part() {
    let dir = tempfile::tempdir().unwrap();
    let (root, absent) = (dir.path().join("cache"), dir.path().join("absent"));
    let counters = Arc::default();
    let has = store(&root, Network::Auto, &counters);
    let params = cache_params(&absent, Network::Auto);
    let has_none = Store::open_to_read(&absent, &Fs::new(counters), &params).unwrap();
    let names = machines(8, 2);
    let layouts = on(&names).run(|comm| {
        let store = if comm.rank() % 4 < 2 { &has_none } else { &has };
        discover(&comm, store, None).unwrap()
    });
    for layout in layouts {
        assert_eq!(layout.group_of, [0, 0, 1, 1, 2, 2, 3, 3]);
        let directories: Vec<bool> = layout.groups.iter().map(|group| group.has_directory).collect();
        assert_eq!(directories, [false, true, false, true]);
    }
    assert!(!absent.exists());
}

#[test]
fn a_rank_that_is_gone_ends_it_for_all() {
    let dir = tempfile::tempdir().unwrap();
    let one = store(dir.path(), Network::Yes, &Arc::default());
    for gone in [0, 1, 7] {
        let ended = on(&machines(8, 4)).run(|comm| match comm.rank() == gone {
            true => None,
            false => Some(discover(&comm, &one, None)),
        });
        for result in ended.into_iter().flatten() {
            let Err(Error::Communication { problem }) = result else { panic!("{result:?}") };
            assert!(problem.contains(&format!("rank {gone}")), "{problem}");
        }
    }
}

#[test]
fn ranks_that_are_bound_to_cores_build_on_these() {
    let dir = tempfile::tempdir().unwrap();
    let one = store(dir.path(), Network::Auto, &Arc::default());
    let all = rustix::thread::sched_getaffinity(None).unwrap();
    let cores: Vec<usize> = (0..CpuSet::MAX_CPU).filter(|core| all.is_set(*core)).collect();
    let ranks = 2 * cores.len();
    let layouts = Threads::run(ranks, |comm| {
        let mut mine = CpuSet::new();
        mine.set(cores[comm.rank() % cores.len()]);
        rustix::thread::sched_setaffinity(None, &mine).unwrap();
        discover(&comm, &one, None).unwrap()
    });
    let expected: Vec<u16> = (0..ranks).map(|rank| u16::from(rank < cores.len())).collect();
    assert!(layouts.iter().all(|layout| layout.slots == expected), "{:?}", layouts[0].slots);
    let told = Threads::run(2, |comm| discover(&comm, &one, Some(1)).unwrap());
    assert_eq!(told[0].slots, [1, 0], "at most as many as told");
}

#[test]
fn messages_grow_with_the_logarithm_of_the_ranks() {
    let dir = tempfile::tempdir().unwrap();
    let one = store(dir.path(), Network::Yes, &Arc::default());
    let most = |ranks: usize| {
        // Without the offers of large ones.
        let traffic = on(&machines(ranks, ranks / 4)).eager(1 << 20).run(|comm| {
            discover(&comm, &one, None).unwrap();
            comm.traffic().most_messages
        });
        traffic.into_iter().max().unwrap()
    };
    // Over all ranks three times, with seven next to rank 0 for each power of eight below their number; six times over the machines.
    for (ranks, widest, log_of_machines) in [(16, 7 + 1, 2), (64, 7 + 7, 4), (256, 7 + 7 + 3, 6)] {
        assert_eq!(most(ranks), 3 * widest + 6 * log_of_machines, "{ranks} ranks");
    }
}

/// A mount namespace for this thread alone; `false` where the system does not permit it.
#[allow(unsafe_code)]
fn own_mounts() -> bool {
    // SAFETY: only mounts are separated; descriptors stay shared with all threads.
    let separated = unsafe { rustix::thread::unshare_unsafe(rustix::thread::UnshareFlags::NEWNS) };
    let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
    separated.is_ok() && rustix::mount::mount_change("/", private).is_ok()
}

#[test]
fn mount_namespaces_decide_what_a_path_leads_to() {
    if !std::thread::spawn(own_mounts).join().unwrap() {
        eprintln!("skipped: this user may not make mount namespaces");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let (root, other) = (dir.path().join("cache"), dir.path().join("other"));
    let counters = Arc::default();
    for root in [&root, &other] {
        store(root, Network::Auto, &counters);
    }
    let layouts = Threads::run(8, |comm| {
        let mut path = &root;
        match comm.rank() {
            // The same path, another directory.
            1 | 5 => {
                assert!(own_mounts());
                rustix::mount::mount("none", &root, "tmpfs", MountFlags::empty(), c"mode=700").unwrap();
            }
            // Another path, the same directory.
            2 => {
                assert!(own_mounts());
                rustix::mount::mount_bind(&root, &other).unwrap();
                path = &other;
            }
            // Only another namespace.
            3 => assert!(own_mounts()),
            6 => path = &other,
            _ => {}
        }
        discover(&comm, &store(path, Network::Auto, &counters), None).unwrap()
    });
    for layout in layouts {
        assert_eq!(layout.group_of, [0, 1, 0, 0, 0, 2, 3, 0]);
        assert_eq!(nodes(&layout), 1, "descriptors can be opened across mount namespaces");
    }
}
