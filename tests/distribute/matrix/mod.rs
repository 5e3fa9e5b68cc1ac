//! The fault matrix over threads: whatever goes wrong on one rank, before whichever of its steps, all ranks return the same.
//!
//! A cell is a way to go wrong, a world, a strategy, a rank, and one of the places that this rank comes by in a load in which
//! nothing goes wrong. These are written down in [`ways`], and compared with what happens: a step that gets another name, or is
//! not reached any more, cannot take its cells with it unseen.

mod ways;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use dijitso::{BuildOn, Communicator as _};
use dijitso_tests::disagreement::{Odd, disagree, judge};
use dijitso_tests::kernels::number;
use dijitso_tests::matrix::{Account, Cell, REQUEST, Verdict, take_part};
use dijitso_tests::protocol::{ShimMode, ShimStep};
use dijitso_tests::trouble::{Around, Trouble, own_mounts, small_disk};

use super::{RANKS, World};
use crate::harness::{Place, copy, not_permitted, real_compiler, soak};
use ways::WAYS;

/// The ranks on which something goes wrong, as the ways have them.
pub(super) const STRUCK: [usize; 3] = [0, 1, RANKS - 1];

const STEPS: [&str; 9] = ["Agree", "Build", "HandOut", "Load", "LookUp", "Move", "Plan", "Publish", "Share"];

/// Places in all ways together: so many cells has each way to go wrong.
const CELLS: usize = 725;

/// What a rank works with, made once for all cells: compilers that were asked everything.
pub(super) struct Workshop {
    place: Place,
    compilers: Vec<PathBuf>,
}

impl Workshop {
    pub(super) fn new() -> Arc<Workshop> {
        let place = Place::new();
        let shims: Vec<_> = (0..RANKS).map(|rank| place.shim_named(&format!("c++-{rank}"))).collect();
        for shim in shims.iter().rev() {
            shim.set(ShimMode::Stamp, ShimStep::Compile);
            let jit = place.builder().cxx(shim.word()).build().unwrap();
            // One by one: the first becomes the template. The second is what is in a cache beforehand.
            jit.load(&number(0)).unwrap();
            jit.load(&number(REQUEST[0])).unwrap();
        }
        // Each has a template of its own.
        for shim in &shims {
            for extension in ["o", "key"] {
                let template = shims[RANKS - 1].beside(extension);
                if template != shim.beside(extension) {
                    std::fs::copy(template, shim.beside(extension)).unwrap();
                }
            }
        }
        let compilers = shims.iter().map(|shim| shim.path().to_owned()).collect();
        Arc::new(Workshop { place, compilers })
    }

    pub(super) fn around(&self, world: World, place: &Place, rank: usize) -> Around {
        Around {
            cache: world.directory(place, rank),
            compiler: self.compilers[rank].clone(),
            real: real_compiler(),
            lateness: Duration::from_millis(if soak() { 2000 } else { 300 }),
        }
    }

    /// Makes the caches of all ranks: with what is known of compilers, and the last one with a kernel.
    pub(super) fn furnish(&self, world: World, place: &Place, trouble: Option<Trouble>) {
        if trouble.is_some_and(Trouble::needs_mounts) {
            assert!(own_mounts(), "it was permitted before");
        }
        let directories: BTreeSet<PathBuf> = (0..RANKS).map(|rank| world.directory(place, rank)).collect();
        for directory in directories {
            if trouble.is_some_and(Trouble::needs_a_small_disk) {
                small_disk(&directory).unwrap();
            }
            let known = self.place.cache().join("v1/toolchains");
            copy(&known, &directory.join("v1/toolchains"));
            // Where several share one and each builds for itself, each has one of these.
            for rank in 0..RANKS {
                copy(&known, &directory.join(format!("rank-{rank}/v1/toolchains")));
            }
        }
        copy(&self.place.cache(), &world.directory(place, RANKS - 1));
    }

    fn run(self: &Arc<Self>, world: World, build_on: BuildOn, cell: Option<Cell>) -> Vec<Account> {
        let place = Arc::new(Place::new());
        let (workshop, site) = (self.clone(), place.clone());
        let trouble = cell.map(|cell| cell.trouble);
        let furnish = move || workshop.furnish(world, &site, trouble);
        let workshop = self.clone();
        world.prepared(RANKS, furnish, move |comm| {
            let around = workshop.around(world, &place, comm.rank());
            let builder = || {
                let builder = world.builder(&place, comm.rank()).cxx(around.compiler.display().to_string());
                match trouble {
                    // Others may take their time, if the machine is busy.
                    Some(Trouble::Hanging) => builder.timeout(Duration::from_secs(4)),
                    _ => builder,
                }
            };
            take_part(&comm, build_on, &builder, &around, cell)
        })
    }
}

/// How a rank goes.
pub(super) fn way_of(world: World, build_on: BuildOn, rank: usize) -> &'static str {
    let (_, _, ways) = WAYS.iter().find(|(w, b, _)| (*w, *b) == (world, build_on)).unwrap();
    ways[STRUCK.iter().position(|struck| *struck == rank).unwrap()]
}

/// Every cell of one trouble, with the way of its rank.
fn cells(trouble: Trouble) -> Vec<(World, BuildOn, Cell, &'static str)> {
    let mut cells = Vec::new();
    for (world, build_on, ways) in WAYS {
        for (rank, way) in STRUCK.into_iter().zip(ways) {
            cells.extend(Cell::all(trouble, rank, way).map(|cell| (*world, *build_on, cell, *way)));
        }
    }
    cells
}

/// In the normal run one cell for each step, on ranks and from worlds and strategies that differ with step and trouble.
fn chosen(trouble: Trouble) -> Vec<(World, BuildOn, Cell, &'static str)> {
    let kind = Trouble::ALL.iter().position(|other| *other == trouble).unwrap();
    let pick = |(number, step): (usize, &&str)| {
        let mut cells = cells(trouble);
        cells.retain(|(_, _, cell, way)| {
            cell.step(way) == *step && cell.rank == STRUCK[(kind + number) % STRUCK.len()]
        });
        // Who does not compile afterwards does not notice.
        if cells.iter().any(|(_, _, cell, way)| cell.matters(way)) {
            cells.retain(|(_, _, cell, way)| cell.matters(way));
        }
        cells[(kind * 29 + number * 17) % cells.len()]
    };
    STEPS.iter().enumerate().map(pick).collect()
}

/// Runs the cells of one trouble, `side_by_side` at a time.
fn matrix(trouble: Trouble, side_by_side: usize) {
    let all = cells(trouble);
    assert_eq!(all.len(), CELLS, "the table of ways");
    let cells = if soak() { all } else { chosen(trouble) };
    let due = if soak() { CELLS } else { STEPS.len() };
    assert_eq!(cells.len(), due);
    if trouble.needs_mounts() && !std::thread::spawn(own_mounts).join().unwrap() {
        return not_permitted("mounting");
    }
    let next = AtomicUsize::new(0);
    let wrong = Mutex::new(Vec::new());
    let (survived, failed) = (AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..side_by_side {
            scope.spawn(|| {
                let workshop = Workshop::new();
                while let Some((world, build_on, cell, way)) = cells.get(next.fetch_add(1, Ordering::Relaxed))
                {
                    match cell.judge(way, &workshop.run(*world, *build_on, Some(*cell))) {
                        Ok(Verdict::Survived) => survived.fetch_add(1, Ordering::Relaxed),
                        Ok(Verdict::Failed) => failed.fetch_add(1, Ordering::Relaxed),
                        Err(words) => {
                            wrong.lock().unwrap().push(format!("{world:?} {build_on:?} {words}"));
                            0
                        }
                    };
                }
            });
        }
    });
    let (survived, failed) = (survived.into_inner(), failed.into_inner());
    println!("{trouble:?}: {} of {CELLS} cells: {survived} survived, {failed} failed alike", cells.len());
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "{} of {} cells:\n{}", wrong.len(), cells.len(), wrong.join("\n"));
    assert_eq!(survived + failed, due);
}

#[test]
fn the_ways_are_those_of_the_table() {
    let workshop = Workshop::new();
    let mut found = String::new();
    let mut expected = String::new();
    for (world, build_on, ways) in WAYS {
        let accounts = workshop.run(*world, *build_on, None);
        let all = [&REQUEST[..], &[4, 1]].concat();
        let due = Ok(all.iter().map(|&i| i as i32).collect());
        assert!(accounts.iter().all(|account| account.anew == due), "{world:?} {build_on:?}: {accounts:#?}");
        // As it stands in the file.
        let entry = |[first, second, last]: [&str; 3]| {
            format!(
                "    ({world:?}, {build_on:?}, [\n        {first:?},\n        {second:?},\n        {last:?},\n    ]),\n"
            )
        };
        found += &entry(STRUCK.map(|rank| accounts[rank].way.as_str()));
        expected += &entry(*ways);
    }
    assert!(found == expected, "the table in ways.rs should be\n{found}");
    let steps: BTreeSet<&str> = WAYS
        .iter()
        .flat_map(|(_, _, ways)| ways.iter().flat_map(|way| way.split(' ')))
        .map(|step| step.trim_end_matches('!'))
        .collect();
    assert!(steps.iter().eq(STEPS.iter()), "{steps:?}");
}

/// Each of six disagreements, of each rank: in each world and with each strategy in the soak, in one of them else.
#[test]
fn requests_that_differ() {
    let odd = Odd::ALL.iter().flat_map(|odd| STRUCK.map(|rank| (*odd, rank)));
    let settings: Vec<(World, BuildOn)> =
        WAYS.iter().map(|(world, build_on, _)| (*world, *build_on)).collect();
    let all: Vec<_> = odd.flat_map(|odd| settings.iter().map(move |setting| (odd, *setting))).collect();
    assert_eq!(all.len(), 6 * 3 * 20);
    let cells: Vec<_> = match soak() {
        true => all,
        false => all.chunks(20).enumerate().map(|(number, cells)| cells[number * 7 % 20]).collect(),
    };
    let workshop = Workshop::new();
    for (odd, (world, build_on)) in &cells {
        let (place, odd, build_on, world) = (Arc::new(Place::new()), *odd, *build_on, *world);
        let (workshop, site) = (workshop.clone(), place.clone());
        let tools = workshop.clone();
        let said = world.prepared(
            RANKS,
            move || tools.furnish(world, &site, None),
            move |comm| {
                let around = workshop.around(world, &place, comm.rank());
                let builder = world.builder(&place, comm.rank()).cxx(around.compiler.display().to_string());
                disagree(&comm, build_on, builder, odd)
            },
        );
        judge(odd, &said).unwrap_or_else(|words| panic!("{world:?} {build_on:?} {words}"));
    }
    println!("{} of {} requests that differ", cells.len(), 6 * 3 * 20);
}

/// A test for each.
macro_rules! troubles {
    ($($test:ident: $trouble:ident, $side_by_side:literal;)*) => {
        $(#[test] fn $test() { matrix(Trouble::$trouble, $side_by_side); })*

        #[test]
        fn no_trouble_is_forgotten() {
            assert_eq!([$(Trouble::$trouble),*], Trouble::ALL);
        }
    };
}

troubles! {
    ranks_that_are_late: Late, 3;
    errors: Error, 1;
    panics: Panic, 1;
    compilers_that_refuse: Refusing, 1;
    compilers_that_are_killed: Killed, 1;
    compilers_that_hang: Hanging, 3;
    full_disks: Full, 1;
    caches_that_become_read_only: ReadOnly, 1;
    caches_that_vanish: Vanished, 1;
    files_where_the_cache_was: Blocked, 1;
    entries_that_are_damaged: Corrupt, 1;
}
