//! The fault matrix: see `dijitso_tests::matrix`, and `tests/distribute/matrix`, which has all cells.

use std::collections::BTreeSet;
use std::time::Duration;

use dijitso::BuildOn;
use dijitso_tests::disagreement::{self, Odd, disagree};
use dijitso_tests::matrix::{Account, Cell, Verdict, take_part};
use dijitso_tests::trouble::Trouble;
use mpi::traits::Communicator as _;

use super::setting::{Caches, Setting};

pub(super) const STRATEGIES: [BuildOn; 4] = [BuildOn::Root, BuildOn::Node, BuildOn::Process, BuildOn::Spread];

/// All ways to share caches, with all strategies.
pub(super) fn settings(setting: &Setting) -> Vec<(Caches, BuildOn)> {
    let all = setting.all_caches();
    all.into_iter().flat_map(|caches| STRATEGIES.map(|build_on| (caches, build_on))).collect()
}

/// Of the cells of one trouble one in so many is run, where over threads all are. A prime, so that it falls on all steps.
const ONE_IN: usize = 17;

/// Runs cells: a part of those of one trouble, or with `main` some of each, which have all steps and all of these ranks.
pub(super) fn run(setting: &Setting, which: &str) {
    setting.make_reference();
    let settings = settings(setting);
    // How the ranks go where nothing goes wrong.
    let ways: Vec<Vec<String>> = settings
        .iter()
        .map(|&(caches, build_on)| {
            let accounts = setting.gather(one(setting, caches, build_on, None));
            setting.told(accounts.map(|all| all.into_iter().map(|account| account.way).collect()))
        })
        .collect();
    let all = |trouble: Trouble, rank: usize| -> Vec<(usize, Cell)> {
        let in_setting = |at: usize| Cell::all(trouble, rank, &ways[at][rank]).map(move |cell| (at, cell));
        (0..settings.len()).flat_map(in_setting).collect()
    };
    let (mut cells, mut there_are) = (Vec::new(), 0);
    for trouble in Trouble::ALL.into_iter().filter(|trouble| setting.mounts || !trouble.needs_mounts()) {
        let of_ranks: Vec<_> = setting.some_ranks().into_iter().map(|rank| all(trouble, rank)).collect();
        if which == "main" || which == format!("{trouble:?}") {
            there_are += of_ranks.iter().map(Vec::len).sum::<usize>();
            cells.extend(if which == "main" {
                chosen(setting, trouble, &of_ranks, &ways)
            } else {
                of_ranks.concat().into_iter().step_by(ONE_IN).collect()
            });
        }
    }
    let mut failed = 0;
    let mut steps = BTreeSet::new();
    for &(at, cell) in &cells {
        let ((caches, build_on), way) = (settings[at], &ways[at][cell.rank]);
        steps.insert(cell.step(way));
        if let Some(accounts) = setting.gather(one(setting, caches, build_on, Some(cell))) {
            match cell.judge(way, &accounts) {
                Ok(verdict) => failed += usize::from(verdict == Verdict::Failed),
                Err(words) => panic!("{caches:?} {build_on:?} {words}"),
            }
        }
    }
    if setting.rank == 0 {
        let steps = Vec::from_iter(steps).join(" ");
        println!("{} of {there_are} cells, before {steps}: {failed} failed alike", cells.len());
    }
}

/// On one machine one trouble on these ranks and on several on those, each time before another step; and somebody who is late
/// before each.
fn chosen(
    setting: &Setting,
    trouble: Trouble,
    of_ranks: &[Vec<(usize, Cell)>],
    ways: &[Vec<String>],
) -> Vec<(usize, Cell)> {
    let kind = Trouble::ALL.iter().position(|other| *other == trouble).expect("one of them");
    let mut chosen = Vec::new();
    for (number, cells) in of_ranks.iter().enumerate() {
        let step = |(at, cell): &(usize, Cell)| cell.step(&ways[*at][cell.rank]).to_owned();
        let steps = Vec::from_iter(cells.iter().map(step).collect::<BTreeSet<String>>());
        let mine = |(at, _): &(usize, &String)| match trouble {
            Trouble::Late => at % of_ranks.len() == number,
            _ => {
                (kind + number).is_multiple_of(2) == setting.a_machine.is_none()
                    && *at == (kind * 3 + number) / 2 % steps.len()
            }
        };
        for (at, wanted) in steps.iter().enumerate().filter(mine) {
            let mut cells: Vec<_> = cells.iter().filter(|cell| step(cell) == *wanted).collect();
            // Who does not compile afterwards does not notice.
            let matters = |cell: &&(usize, Cell)| cell.1.matters(&ways[cell.0][cell.1.rank]);
            if cells.iter().any(matters) {
                cells.retain(matters);
            }
            chosen.push(*cells[(kind * 29 + at * 17) % cells.len()]);
        }
    }
    chosen
}

fn one(setting: &Setting, caches: Caches, build_on: BuildOn, cell: Option<Cell>) -> Account {
    let full = cell.is_some_and(|cell| cell.trouble.needs_a_small_disk());
    let place = setting.dir.join(if full { "disk/cell" } else { "cell" });
    setting.furnish(&place, caches);
    let around = setting.around(&place, caches);
    let builder = || match cell {
        // Others may take their time, if the machine is busy.
        Some(Cell { trouble: Trouble::Hanging, .. }) => {
            setting.builder(&around, caches).timeout(Duration::from_secs(4))
        }
        _ => setting.builder(&around, caches),
    };
    let account = take_part(&setting.world.duplicate(), build_on, &builder, &around, cell);
    setting.clear(&place, caches);
    account
}

/// Each of six, of each rank.
pub(super) fn disagreements(setting: &Setting) {
    setting.make_reference();
    let mut done = 0;
    let settings = settings(setting);
    for (number, odd) in Odd::ALL.into_iter().enumerate() {
        for rank in setting.some_ranks() {
            let (caches, build_on) = settings[(number * 5 + rank) % settings.len()];
            let place = setting.dir.join("cell");
            setting.furnish(&place, caches);
            let builder = setting.builder(&setting.around(&place, caches), caches);
            let said = disagree(&setting.world, build_on, builder, (odd, rank));
            setting.clear(&place, caches);
            if let Some(said) = setting.gather(said) {
                disagreement::judge((odd, rank), &said).unwrap_or_else(|words| panic!("{words}"));
                done += 1;
            }
        }
    }
    if setting.rank == 0 {
        println!("{done} requests that differ");
    }
}
