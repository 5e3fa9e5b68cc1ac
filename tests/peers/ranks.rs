//! Loads on several ranks under `mpirun`, beside Python dijitso over mpi4py.
//!
//! Each cell of the table is a start of its own, in which all values of that cell are taken, many kernels each; so neither
//! starting nor MPI's own beginning counts, and who hangs spoils nobody else's. The ranks are in mpi.rs and peer_mpi.py.

use std::path::Path;
use std::process::Command;

use crate::kernels::{Kind, form_text};
use crate::launch::{Outcome, mpirun, ranks, watched};
use crate::programs::{Bench, PYTHON, settle};
use crate::series::{Series, take_turns};
use crate::table::{Row, Target, Unit};

/// Kernels for each value.
const WARM: u32 = 20;
const COLD: u32 = 20;
/// Those of the batch, and on how many ranks it is loaded.
const BATCH: u32 = 32;
const PAIR: usize = 2;

const STRATEGIES: [&str; 4] = ["root", "node", "process", "spread"];
const DIJITSO: &str = "Python dijitso";
const DOLFIN: &str = "Python dijitso as dolfin calls it";

/// Who loads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Who {
    We,
    Dijitso,
}

/// One start in each round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Cell {
    who: Who,
    size: usize,
    strategy: &'static str,
    /// `shared`: one directory for all ranks; `separate`: one for each.
    caches: &'static str,
    kind: Kind,
}

/// All cells, and what became of their starts.
struct Field<'a> {
    bench: &'a Bench,
    program: &'a Path,
    launcher: &'static str,
    cells: Vec<(Cell, Vec<Outcome>)>,
}

pub(crate) fn rows(bench: &Bench) -> Vec<Row> {
    let (Some(program), Some(launcher)) = (&bench.mpi, mpirun()) else {
        eprintln!("loads on several ranks are left out: they take `--mpi PROGRAM` and Open MPI's mpirun");
        return Vec::new();
    };
    let cells = cells(&bench.sizes, bench.python).into_iter().map(|cell| (cell, Vec::new()));
    let mut field = Field { bench, program, launcher, cells: cells.collect() };
    field.run();
    let mut rows = field.loads();
    rows.extend(field.with_headers());
    rows.extend(field.first_uses());
    rows.extend(field.memory());
    rows.extend(field.batch());
    rows
}

fn cells(sizes: &[usize], python: bool) -> Vec<Cell> {
    let mut cells = Vec::new();
    let mut add = |who, size, strategy, caches, kind| {
        if who == Who::We || python && strategy != "spread" {
            cells.push(Cell { who, size, strategy, caches, kind });
        }
    };
    let (first, last) = (sizes[0], sizes[sizes.len() - 1]);
    for who in [Who::We, Who::Dijitso] {
        for &size in sizes {
            for strategy in STRATEGIES {
                add(who, size, strategy, "shared", Kind::Trivial);
                if (size == PAIR || size == last) && size > 1 && ["root", "process"].contains(&strategy) {
                    add(who, size, strategy, "separate", Kind::Trivial);
                }
            }
        }
        for size in [first, last] {
            add(who, size, "root", "shared", Kind::Cmath11);
        }
    }
    for &size in sizes.iter().filter(|size| **size > 1) {
        add(Who::Dijitso, size, "dolfin", "shared", Kind::Trivial);
    }
    cells
}

impl Cell {
    /// How it is called in a row, without the strategy.
    fn place(&self) -> String {
        let ranks = if self.size == 1 { "1 rank".to_owned() } else { format!("{} ranks", self.size) };
        if self.caches == "separate" { format!("{ranks}, a cache each") } else { ranks }
    }

    fn name(&self) -> String {
        let Cell { who, size, strategy, caches, kind } = self;
        format!("ranks-{who:?}-{size}-{strategy}-{caches}-{}", kind.name())
    }
}

impl Field<'_> {
    /// Ranks of one of the two, which do `words` with a cache.
    fn start(&self, who: Who, size: usize, words: &[&str]) -> Outcome {
        let mut command = ranks(self.launcher, size, &self.bench.path("."));
        match who {
            Who::We => command.arg(self.program),
            Who::Dijitso => {
                let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/peer_mpi.py");
                command.arg(PYTHON).arg(script)
            }
        };
        watched(command.args(words))
    }

    fn run(&mut self) {
        let theirs = self.bench.fresh("ranks-filled");
        if self.cells.iter().any(|(cell, _)| cell.who == Who::Dijitso) {
            self.fill(Who::Dijitso, 1, ["root", "shared"], &theirs, &[Kind::Trivial, Kind::Cmath11]);
        }
        for (cell, _) in &self.cells {
            let cache = self.bench.path(cell.name());
            match (cell.who, cell.caches) {
                // The files of a copy are not mapped, because somebody has put them there.
                (Who::We, caches) => {
                    self.fill(cell.who, cell.size, [cell.strategy, caches], &cache, &[cell.kind]);
                }
                (Who::Dijitso, "separate") => {
                    std::fs::create_dir(&cache).expect("a directory");
                    (0..cell.size).for_each(|rank| copy(&theirs, &cache.join(format!("rank-{rank}"))));
                }
                (Who::Dijitso, _) => copy(&theirs, &cache),
            }
        }
        settle();
        let rounds = self.bench.rounds.div_ceil(2);
        let mut outcomes: Vec<Vec<Outcome>> = vec![Vec::new(); self.cells.len()];
        take_turns(rounds, self.cells.len(), |round, at| {
            let (cell, _) = self.cells[at];
            let cache = self.bench.path(cell.name());
            // The compiler takes all the time: fewer will do.
            let cold = if cell.kind == Kind::Trivial { COLD } else { COLD / 2 };
            let numbers = [WARM, (round as u32 + 1) * 1000, cold].map(|number| number.to_string());
            let words = [
                "loads",
                cell.strategy,
                cell.caches,
                cache.to_str().expect("a path of text"),
                cell.kind.name(),
            ];
            let words: Vec<&str> = words.into_iter().chain(numbers.iter().map(String::as_str)).collect();
            outcomes[at].push(self.start(cell.who, cell.size, &words));
        });
        for ((_, of), outcomes) in self.cells.iter_mut().zip(outcomes) {
            *of = outcomes;
        }
    }

    /// Puts the kernels of the warm loads into a cache.
    fn fill(&self, who: Who, size: usize, [strategy, caches]: [&str; 2], cache: &Path, kinds: &[Kind]) {
        let path = cache.to_str().expect("a path of text");
        for kind in kinds {
            let words = ["fill", strategy, caches, path, kind.name(), &WARM.to_string()];
            let outcome = self.start(who, size, &words);
            assert!(outcome.trouble.is_none(), "{who:?} cannot fill a cache");
        }
    }

    fn series(&self, cell: Cell, name: &str) -> Option<Series> {
        let (_, outcomes) = self.cells.iter().find(|(other, _)| *other == cell)?;
        let mut series = Series::default();
        for Outcome { numbers, trouble } in outcomes {
            match (numbers.get(name), trouble) {
                (Some(value), _) => series.push(*value),
                (None, trouble) => series.trouble(trouble.unwrap_or("fail")),
            }
        }
        Some(series)
    }

    /// A row of ours against theirs, if they are in it: as fast at least.
    fn against(&self, what: String, name: &str, cell: Cell, theirs: (&'static str, &'static str)) -> Row {
        let (label, strategy) = theirs;
        let ours = self.series(cell, name).unwrap_or_default();
        match self.series(Cell { who: Who::Dijitso, strategy, ..cell }, name) {
            Some(theirs) => Row::new(what, &ours).against(label, &theirs).target(Target::AtMost(1.0)),
            None => Row::new(what, &ours),
        }
    }

    fn our_cells(&self, kind: Kind) -> Vec<Cell> {
        let cells = self.cells.iter().map(|(cell, _)| *cell);
        cells.filter(|cell| cell.who == Who::We && cell.kind == kind).collect()
    }

    fn loads(&self) -> Vec<Row> {
        let mut rows = Vec::new();
        for (name, what) in [("cold", "cold trivial kernel"), ("warm", "disk hit")] {
            for cell in self.our_cells(Kind::Trivial) {
                let Cell { strategy, .. } = cell;
                let what = format!("{what}, `{strategy}`, {}", cell.place());
                rows.push(self.against(what.clone(), name, cell, (DIJITSO, strategy)));
                if strategy == "root" && cell.caches == "shared" && self.bench.python && cell.size > 1 {
                    rows.push(self.against(what, name, cell, (DOLFIN, "dolfin")));
                }
            }
        }
        let cells = self.our_cells(Kind::Trivial).into_iter();
        for cell in cells.filter(|cell| cell.strategy == "root") {
            let what = format!("disk hit by `Jit::load`, {}", cell.place());
            let row = Row::new(what, &self.series(cell, "warm alone").unwrap_or_default());
            // Theirs asks nobody in any case.
            rows.push(match self.series(Cell { who: Who::Dijitso, ..cell }, "warm") {
                Some(theirs) => row.against(DIJITSO, &theirs).target(Target::AtMost(1.0)),
                None => row,
            });
        }
        rows
    }

    /// The most ranks against one, and with a compiler that has more to do.
    fn with_headers(&self) -> Vec<Row> {
        let mut rows = Vec::new();
        for (kind, what) in
            [(Kind::Trivial, "cold trivial kernel"), (Kind::Cmath11, "cold kernel with `<cmath>` in `c++11`")]
        {
            let cells = self.our_cells(kind);
            let roots = || cells.iter().filter(|cell| cell.strategy == "root" && cell.caches == "shared");
            let (Some(first), Some(last)) = (roots().next(), roots().next_back()) else { continue };
            let what = format!("{what}, `root`, {}", last.place());
            let alone = self.series(*first, "cold").unwrap_or_default();
            if first.size == 1 && last.size > 1 {
                let row = Row::new(&what, &self.series(*last, "cold").unwrap_or_default());
                rows.push(row.against("ours on 1 rank", &alone).target(Target::AtMost(1.3)));
            }
            if kind != Kind::Trivial {
                rows.push(self.against(what, "cold", *last, (DIJITSO, "root")));
            }
        }
        rows
    }

    fn first_uses(&self) -> Vec<Row> {
        let cells = self.our_cells(Kind::Trivial).into_iter();
        let roots = cells.filter(|cell| cell.strategy == "root" && cell.caches == "shared");
        let what = |cell: &Cell| format!("first use of a communicator, {}", cell.place());
        let peer = "`create_comms_and_role`";
        roots.map(|cell| self.against(what(&cell), "first use", cell, (peer, "root"))).collect()
    }

    fn memory(&self) -> Vec<Row> {
        let cells = self.our_cells(Kind::Trivial).into_iter();
        let roots = cells.filter(|cell| cell.strategy == "root" && cell.caches == "shared" && cell.size > 1);
        let mut rows = Vec::new();
        for cell in roots {
            let value = |name| self.series(cell, name).unwrap_or_default();
            let place = cell.place();
            let row = Row::new(format!("memory hit that all ranks agree on, {place}"), &value("agreed"));
            rows.push(
                row.against("three `MPI_Allreduce`", &value("three allreduces")).target(Target::AtMost(1.0)),
            );
            // Up a tree and down again is one allreduce.
            let most = 3.0 * 2.0 * (cell.size - 1) as f64;
            let messages = Row::new(format!("messages of all for it, {place}"), &value("messages"));
            rows.push(messages.unit(Unit::Count).target(Target::Limit(most)));
            let what = format!("memory hit by `Collective::loaded`, {place}");
            rows.push(self.against(what, "not agreed", cell, (DIJITSO, "root")));
        }
        rows
    }

    /// Many forms at once: divided over two ranks, by one builder, and by Python one after the other.
    fn batch(&self) -> Vec<Row> {
        if !self.bench.sizes.contains(&PAIR) {
            return Vec::new();
        }
        let texts = self.bench.fresh("ranks-forms");
        for i in 0..BATCH {
            std::fs::write(texts.join(format!("form{i:05}.cpp")), form_text(i)).expect("a file");
        }
        let texts = texts.to_str().expect("a path of text");
        let entrants = [
            (Who::We, PAIR, "spread", "2"),
            (Who::We, 1, "root", "1"),
            (Who::We, 1, "root", "2"),
            (Who::Dijitso, PAIR, "root", texts),
        ];
        let present = if self.bench.python { 4 } else { 3 };
        let mut series: [Series; 4] = Default::default();
        take_turns(self.bench.rounds.div_ceil(3), present, |_, at| {
            let (who, size, strategy, last) = entrants[at];
            let cache = self.bench.fresh("ranks-batch");
            let cache = cache.to_str().expect("a path of text");
            let words = ["batch", strategy, "shared", cache, &BATCH.to_string(), last];
            let Outcome { numbers, trouble } = self.start(who, size, &words);
            match numbers.get("batch") {
                Some(seconds) => series[at].push(*seconds),
                None => series[at].trouble(trouble.unwrap_or("fail")),
            }
        });
        let [spread, single, both, theirs] = series;
        let what = format!("{BATCH} forms by `load_all`, `spread`, {PAIR} ranks");
        let row = |label, series| Row::new(&what, &spread).against(label, series);
        let mut rows = vec![
            row("one builder, one compiler at a time", &single).target(Target::Faster(1.7)),
            row("one builder with both cores", &both),
        ];
        if self.bench.python {
            rows.push(row("Python dijitso, `root`", &theirs));
        }
        rows
    }
}

/// A filled cache for one cell. Time stamps stay: they tell whether anything has changed.
fn copy(from: &Path, to: &Path) {
    let status = Command::new("cp").arg("-a").args([from, to]).status();
    assert!(status.is_ok_and(|status| status.success()), "{} can be copied", from.display());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_strategy_meets_its_peer_on_every_number_of_ranks() {
        let cells = cells(&[1, 2, 4, 8], true);
        for size in [1, 2, 4, 8] {
            for strategy in STRATEGIES {
                let ours = Cell { who: Who::We, size, strategy, caches: "shared", kind: Kind::Trivial };
                assert!(cells.contains(&ours));
                let theirs = Cell { who: Who::Dijitso, ..ours };
                assert_eq!(cells.contains(&theirs), strategy != "spread");
            }
        }
        let names: std::collections::BTreeSet<String> = cells.iter().map(Cell::name).collect();
        assert_eq!(names.len(), cells.len(), "each has a directory of its own");
    }
}
