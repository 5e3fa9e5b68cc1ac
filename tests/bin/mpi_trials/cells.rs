//! The fault matrix: see `dijitso_tests::matrix`, and `tests/distribute/matrix`, which has all cells.

use std::time::Duration;

use dijitso::BuildOn;
use dijitso_tests::disagreement::{self, Odd, disagree};
use dijitso_tests::matrix::{Account, Cell, take_part};
use dijitso_tests::trouble::Trouble;
use mpi::traits::Communicator as _;

use super::setting::{Caches, Setting};

const CACHES: [Caches; 2] = [Caches::Shared, Caches::Separate];
const STRATEGIES: [BuildOn; 4] = [BuildOn::Root, BuildOn::Node, BuildOn::Process, BuildOn::Spread];

/// Runs cells: all of one trouble, or with `main` one of each trouble and rank.
pub(super) fn run(setting: &Setting, which: &str) {
    setting.make_reference();
    let settings: Vec<(Caches, BuildOn)> =
        CACHES.iter().flat_map(|caches| STRATEGIES.map(|build_on| (*caches, build_on))).collect();
    // How the ranks go where nothing goes wrong.
    let ways: Vec<Vec<String>> = settings
        .iter()
        .map(|&(caches, build_on)| {
            let accounts = setting.gather(one(setting, caches, build_on, None));
            setting.told(accounts.map(|all| all.into_iter().map(|account| account.way).collect()))
        })
        .collect();
    let ranks = struck(setting);
    let (mut done, mut failed) = (0, 0);
    for (kind, trouble) in Trouble::ALL.into_iter().enumerate() {
        if which != "main" && which != format!("{trouble:?}") {
            continue;
        }
        if trouble.needs_mounts() && !setting.mounts {
            continue;
        }
        for &rank in &ranks {
            let moments = |at: usize| (0..ways[at][rank].split(' ').count()).map(move |moment| (at, moment));
            let mut cells: Vec<(usize, usize)> = (0..settings.len()).flat_map(moments).collect();
            if which == "main" {
                cells = vec![cells[(kind * 29 + rank * 17) % cells.len()]];
            }
            for (at, moment) in cells {
                let (caches, build_on) = settings[at];
                let cell = Cell { trouble, rank, moment };
                let accounts = setting.gather(one(setting, caches, build_on, Some(cell)));
                let Some(accounts) = accounts else { continue };
                match cell.judge(&ways[at][rank], &accounts) {
                    Ok(verdict) => failed += usize::from(verdict == dijitso_tests::matrix::Verdict::Failed),
                    Err(words) => panic!("{caches:?} {build_on:?} {words}"),
                }
                done += 1;
            }
        }
    }
    if setting.rank == 0 {
        println!("{done} cells, {failed} failed alike");
    }
}

fn struck(setting: &Setting) -> Vec<usize> {
    let mut ranks = vec![0, 1, setting.size - 1];
    ranks.dedup();
    ranks
}

fn one(setting: &Setting, caches: Caches, build_on: BuildOn, cell: Option<Cell>) -> Account {
    let full = cell.is_some_and(|cell| cell.trouble.needs_a_small_disk());
    let place = setting.dir.join(if full { "disk/cell" } else { "cell" });
    setting.furnish(&place, caches);
    let around = setting.around(&place, caches);
    let builder = || match cell {
        // Others may take their time, if the machine is busy.
        Some(Cell { trouble: Trouble::Hanging, .. }) => {
            setting.builder(&around).timeout(Duration::from_secs(4))
        }
        _ => setting.builder(&around),
    };
    let account = take_part(&setting.world.duplicate(), build_on, &builder, &around, cell);
    setting.clear(&place, caches);
    account
}

/// Each of six, of each rank.
pub(super) fn disagreements(setting: &Setting) {
    setting.make_reference();
    let mut done = 0;
    for (number, odd) in Odd::ALL.into_iter().enumerate() {
        for rank in struck(setting) {
            let (caches, build_on) = (CACHES[(number + rank) % 2], STRATEGIES[(number + rank) % 4]);
            let place = setting.dir.join("cell");
            setting.furnish(&place, caches);
            let builder = setting.builder(&setting.around(&place, caches));
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
