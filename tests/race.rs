//! Many at once, and death at any moment.

use std::collections::BTreeSet;
use std::time::Duration;

use dijitso_tests::kernels::NUMBER_BASE;
use dijitso_tests::protocol::{ShimMode, ShimStep};

use crate::harness::{Place, Ran, files, soak};

fn numbers(range: std::ops::Range<i32>) -> Vec<f64> {
    range.map(|i| f64::from(NUMBER_BASE + i)).collect()
}

/// Eight clients at once; every one must get every kernel.
fn eight_processes(place: &Place, args: [&str; 3]) -> Vec<Ran> {
    let running: Vec<_> = (0..8).map(|_| place.client(args).spawn()).collect();
    running
        .into_iter()
        .map(|child| {
            let ran = Ran::of(child.wait_with_output().unwrap());
            assert!(ran.outcome.error.is_none(), "{:?}", ran.outcome.error);
            ran
        })
        .collect()
}

#[test]
fn eight_processes_that_want_one_kernel_build_it_once() {
    let place = Place::new();
    let all = eight_processes(&place, ["numbers", "7", "8"]);
    assert!(all.iter().all(|ran| ran.values() == numbers(7..8)));
    let compiled: u64 = all.iter().map(|ran| ran.outcome.stats.compiled).sum();
    assert_eq!(compiled, 1);
    assert_eq!(place.entries().len(), 1);
}

#[test]
fn eight_processes_that_want_forty_kernels_build_each_once() {
    let place = Place::new();
    let all = eight_processes(&place, ["batch", "0", "40"]);
    assert!(all.iter().all(|ran| ran.values() == numbers(0..40)));
    let compiled: u64 = all.iter().map(|ran| ran.outcome.stats.compiled).sum();
    assert_eq!(compiled, 40);
    assert_eq!(place.entries().len(), 40);
    place.client(["batch", "0", "40"]).ok().assert_warm();
}

#[test]
fn eight_threads_that_want_forty_kernels_build_each_once() {
    let place = Place::new();
    let ran = place.client(["threads", "8", "0", "40"]).ok();
    assert_eq!(ran.outcome.kernels.len(), 8 * 40);
    assert_eq!(ran.values()[..40], numbers(0..40));
    assert_eq!(ran.outcome.stats.compiled, 40);
}

#[test]
fn threads_in_processes_want_what_others_want_too() {
    let place = Place::new();
    let running: Vec<_> = (0..3).map(|_| place.client(["threads", "4", "0", "10"]).spawn()).collect();
    let mut compiled = 0;
    for child in running {
        let ran = Ran::of(child.wait_with_output().unwrap());
        assert!(ran.outcome.error.is_none(), "{:?}", ran.outcome.error);
        assert_eq!(ran.values()[..10], numbers(0..10));
        compiled += ran.outcome.stats.compiled;
    }
    assert_eq!(compiled, 10);
}

/// A small generator of pseudo-random numbers: the kills come at other moments in every round.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % below
    }
}

#[test]
fn a_program_killed_at_any_moment_leaves_a_valid_cache_and_nothing_else() {
    let place = Place::new();
    let tmp = place.path("tmp");
    std::fs::create_dir(&tmp).unwrap();
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15 ^ u64::from(std::process::id()));
    let rounds = if soak() { 300 } else { 20 };
    for round in 0..rounds {
        // Always something new to build, so that the kill finds it at work.
        let (from, to) = ((round * 20).to_string(), (round * 20 + 20).to_string());
        let mut child = place.client(["batch", &from, &to]).env("TMPDIR", &tmp).spawn();
        std::thread::sleep(Duration::from_millis(5 + dice.roll(400)));
        child.kill().unwrap();
        child.wait().unwrap();

        // Whatever it left, what is published is whole, and loads.
        let ran = place.client(["batch", &from, &to]).env("TMPDIR", &tmp).ok();
        let expected = numbers(round * 20..round * 20 + 20);
        assert_eq!(ran.values(), expected, "round {round}");
        assert_eq!((ran.outcome.stats.quarantined, ran.warnings()), (0, 0), "round {round}: {}", ran.stderr);
        place.client(["batch", &from, &to]).ok().assert_warm();
    }
    // The compilers that were orphaned end by themselves; the next run that builds removes what they left.
    let mut left = Vec::new();
    for attempt in 99_000..99_020 {
        let (from, to) = (attempt.to_string(), (attempt + 1).to_string());
        place.client(["batch", &from, &to]).env("TMPDIR", &tmp).ok();
        left = files(&tmp);
        left.extend(
            files(&place.cache()).into_iter().filter(|f| f.parent().is_some_and(|p| p.ends_with("tmp"))),
        );
        if left.is_empty() {
            return;
        }
        std::thread::sleep(Duration::from_millis(500));
    }
    panic!("left behind: {left:?}");
}

#[test]
fn a_builder_that_is_killed_holds_nobody_up() {
    let place = Place::new();
    let shim = place.shim();
    shim.set(ShimMode::Slow { milliseconds: 20_000 }, ShimStep::Compile);
    let mut holder = place.client(["numbers", "1", "2"]).env("CXX", shim.path()).spawn();
    wait_for(|| !shim.compiles().is_empty());
    let started = std::time::Instant::now();
    let waiter = place.client(["numbers", "1", "2"]).env("CXX", shim.path()).spawn();
    std::thread::sleep(Duration::from_millis(200));
    shim.set(ShimMode::Pass, ShimStep::Compile);
    holder.kill().unwrap();
    holder.wait().unwrap();
    let ran = Ran::of(waiter.wait_with_output().unwrap());
    assert_eq!(ran.values(), numbers(1..2));
    assert!(started.elapsed() < Duration::from_secs(10), "it waited for a dead builder");
}

#[test]
fn a_builder_that_is_stopped_is_not_waited_for_without_end() {
    let place = Place::new();
    let shim = place.shim();
    let config = place.write("config.toml", "[cache]\nlock_wait = 0.5\n");
    shim.set(ShimMode::Slow { milliseconds: 15_000 }, ShimStep::Compile);
    let client =
        || place.client(["numbers", "1", "2"]).env("CXX", shim.path()).env("DIJITSO_CONFIG", &config);
    let mut holder = client().spawn();
    wait_for(|| !shim.compiles().is_empty());
    shim.set(ShimMode::Pass, ShimStep::Compile);
    let started = std::time::Instant::now();
    let ran = client().ok();
    assert_eq!((ran.values(), ran.outcome.stats.compiled), (numbers(1..2), 1));
    assert!(started.elapsed() < Duration::from_secs(10));
    holder.kill().unwrap();
    holder.wait().unwrap();
}

fn wait_for(mut condition: impl FnMut() -> bool) {
    for _ in 0..600 {
        if condition() {
            return;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("it did not happen within 30 s");
}

/// The kernel that does not fit is an error, and all before it work: in a process that has most of its mappings already.
#[test]
fn a_process_that_loads_more_kernels_than_the_system_can_map_is_told_so() {
    let (kernels, room) = if soak() { (14_000, 10_000) } else { (1_500, 1_000) };
    let ran = load_where_few_mappings_are_left(kernels, room);
    let values = ran.values();
    // A kernel has at least two.
    assert!(values.len() > kernels as usize / 10, "only {} kernels: {:?}", values.len(), ran.outcome.error);
    assert_eq!(values, numbers(1..values.len() as i32 + 1), "a wrong library was called");
    let distinct: BTreeSet<u64> = values.iter().map(|v| v.to_bits()).collect();
    assert_eq!(distinct.len(), values.len());
    assert!(ran.error().contains("vm.max_map_count"), "{}", ran.error());
}

/// A compiler needs a mapping for the stack with which it is started.
#[test]
fn a_process_that_can_map_nothing_more_is_told_why_no_compiler_starts() {
    let ran = load_where_few_mappings_are_left(1, 0);
    assert_eq!(ran.values(), Vec::<f64>::new());
    let error = ran.error();
    assert!(error.contains("cannot start") && error.contains("raise vm.max_map_count"), "{error}");
}

fn load_where_few_mappings_are_left(kernels: u32, room: u32) -> Ran {
    let limit: u32 = std::fs::read_to_string("/proc/sys/vm/max_map_count").unwrap().trim().parse().unwrap();
    let taken = limit.saturating_sub(room);
    println!("{kernels} kernels beside {taken} mappings, of {limit}");
    let place = Place::new();
    let shim = place.shim();
    shim.set(ShimMode::Stamp, ShimStep::Compile);
    place.client(["numbers", "0", "1"]).env("CXX", shim.path()).ok();
    let words = ["many".to_owned(), "1".to_owned(), (kernels + 1).to_string(), taken.to_string()];
    // The allocator must not be what needs a mapping first: it gets all it needs at once, in one piece.
    let client = place.client(words).env("CXX", shim.path()).env("MALLOC_ARENA_MAX", "1");
    client.env("MALLOC_TOP_PAD_", "1073741824").env("MALLOC_MMAP_THRESHOLD_", "1073741824").run()
}
