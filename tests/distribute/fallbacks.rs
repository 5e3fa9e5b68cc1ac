//! Where the system denies what is fastest, kernels take another way: files in memory, `/proc`, running what was written, other
//! users' files.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use dijitso::{BuildOn, Communicator as _, Result, Stats, Threads};
use dijitso_tests::denied::{deny_memory_files, forbid_running_from, hide_proc};
use dijitso_tests::kernels::{NUMBER_BASE, number};
use dijitso_tests::trouble::own_mounts;

use super::{RANKS, WORLDS, World, same_error};
use crate::harness::{NOBODY, Place, not_permitted, own, root, set_mode, soak};

/// What a rank must do without.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Denial {
    MemoryFiles,
    /// It cannot even find out where it is.
    Proc,
    /// Nothing that was written to a disk can be mapped.
    Running,
}

impl Denial {
    /// From now on, for the calling thread.
    fn begin(self, cache: &Path) {
        if self != Denial::MemoryFiles {
            assert!(own_mounts(), "it was permitted before");
        }
        match self {
            Denial::MemoryFiles => deny_memory_files().unwrap(),
            Denial::Proc => hide_proc().unwrap(),
            Denial::Running => {
                std::fs::create_dir_all(cache).unwrap();
                let places = [cache, "/dev/shm".as_ref(), "/var/tmp".as_ref(), &std::env::temp_dir()];
                for place in places.into_iter().chain(["/tmp".as_ref()]).filter(|place| place.is_dir()) {
                    forbid_running_from(place).unwrap();
                }
            }
        }
    }
}

/// Two loads on all ranks; before the second one, or the first with `early`, something is denied to some of them. What each
/// rank's engine did in the second load.
fn load(
    world: World,
    build_on: BuildOn,
    denied: &'static [usize],
    denial: Denial,
    early: bool,
) -> Vec<Result<Stats>> {
    let place = Arc::new(Place::new());
    world.run(RANKS, move |comm| {
        let rank = comm.rank();
        let deny = || {
            if denied.contains(&rank) {
                denial.begin(&world.directory(&place, rank));
            }
        };
        if early {
            deny();
        }
        let jit = world.builder(&place, rank).build()?;
        all(&jit.on(&comm).build_on(build_on).load_all(&[number(1), number(2)])?, &[1, 2]);
        if !early {
            deny();
        }
        let before = jit.stats();
        let kernels = jit.on(&comm).build_on(build_on).load_all(&[number(3), number(4)]);
        let mut stats = jit.stats();
        all(&kernels?, &[3, 4]);
        stats.message_bytes -= before.message_bytes;
        Ok(stats)
    })
}

fn all(kernels: &[dijitso::Kernel<dijitso_tests::kernels::Number>], numbers: &[i32]) {
    assert!(kernels.iter().map(|kernel| kernel.call() - NUMBER_BASE).eq(numbers.iter().copied()));
}

fn permitted() -> bool {
    let permitted = std::thread::spawn(|| own_mounts() && deny_memory_files().is_ok()).join().unwrap();
    if !permitted {
        not_permitted("mounting, or filters for system calls,");
    }
    permitted
}

const SOME: [&[usize]; 4] = [&[0], &[1], &[3], &[0, 1, 2, 3]];

#[test]
fn whatever_is_denied_all_get_their_kernels() {
    if !permitted() {
        return;
    }
    let mut tried = 0;
    for (number, denial) in [Denial::MemoryFiles, Denial::Proc, Denial::Running].into_iter().enumerate() {
        for (at, denied) in SOME.into_iter().enumerate() {
            for (which, world) in WORLDS.into_iter().enumerate() {
                // All in the soak; else each of them in one world, and in each world one of them.
                if !soak() && (number + at + which) % WORLDS.len() > 0 {
                    continue;
                }
                tried += 1;
                let early = (number + at / 2).is_multiple_of(2);
                let build_on = if at % 2 == 0 { BuildOn::Root } else { BuildOn::Spread };
                let results = load(world, build_on, denied, denial, early);
                let at = format!("{denial:?} on {denied:?}, {world:?} {build_on:?} {early}");
                assert_eq!(same_error(&results), None, "{at}");
            }
        }
    }
    println!("{tried} of {} denials", 3 * SOME.len() * WORLDS.len());
}

#[test]
fn machines_hand_out_bytes_where_memory_cannot_be_shared() {
    if !permitted() {
        return;
    }
    let sent = |denied: &'static [usize], denial| {
        let results = load(World::Separate, BuildOn::Root, denied, denial, false);
        assert_eq!(same_error(&results), None, "{denial:?} {denied:?}");
        results[0].as_ref().unwrap().message_bytes
    };
    let usual = sent(&[], Denial::Proc);
    // Two libraries of 14 kB to two children.
    let libraries = 2 * 2 * 10_000;
    assert!(usual < libraries, "{usual} bytes: the libraries themselves were not to be sent");
    for (denied, denial) in [(&[0][..], Denial::MemoryFiles), (&[1], Denial::Proc), (&[3], Denial::Proc)] {
        let bytes = sent(denied, denial);
        assert!(bytes > usual + libraries, "{denial:?} {denied:?}: {bytes} instead of {usual} bytes");
    }
    // Who cannot make such files can map those of others.
    let bytes = sent(&[3], Denial::MemoryFiles);
    assert!(bytes < libraries, "{bytes}");
}

#[test]
fn ranks_of_different_users_get_the_same_kernels() {
    if !root() {
        return not_permitted("becoming another user");
    }
    let place = Arc::new(Place::new());
    set_mode(place.root(), 0o755);
    for rank in 0..RANKS {
        let cache: PathBuf = World::Separate.directory(&place, rank);
        std::fs::create_dir(&cache).unwrap();
        set_mode(&cache, 0o700);
        own(&cache, if rank % 2 == 1 { NOBODY } else { 0 });
    }
    let results = World::Separate.run(RANKS, move |comm: Threads| {
        if comm.rank() % 2 == 1 {
            become_nobody();
        }
        let jit = World::Separate.builder(&place, comm.rank()).build()?;
        for build_on in [BuildOn::Root, BuildOn::Spread] {
            let numbers = if build_on == BuildOn::Root { [1, 2] } else { [3, 4] };
            all(
                &jit.on(&comm).build_on(build_on).load_all(&numbers.map(number))?,
                &numbers.map(|i| i as i32),
            );
        }
        Result::<_>::Ok(jit.stats())
    });
    assert_eq!(same_error(&results), None);
    for (rank, stats) in results.into_iter().flatten().enumerate() {
        let due = if rank == 0 { (4, 0) } else { (0, 4) };
        assert_eq!((stats.built, stats.received), due, "rank {rank}");
        assert!(rank == 0 || stats.published == 4, "rank {rank} has its own directory: {stats:?}");
    }
}

/// The calling thread alone: the system counts users by threads.
fn become_nobody() {
    use rustix::process::{Gid, Uid};
    let (user, group) = (Uid::from_raw(NOBODY), Gid::from_raw(NOBODY));
    rustix::thread::set_thread_groups(&[]).unwrap();
    rustix::thread::set_thread_res_gid(group, group, group).unwrap();
    rustix::thread::set_thread_res_uid(user, user, user).unwrap();
}
