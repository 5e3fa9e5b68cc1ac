//! Memory: of a thousand kernels, and of a hundred thousand loads of the same few.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use dijitso::KernelSpec;
use dijitso_tests::kernels::{self, Number};

use crate::programs::{Bench, Numbers, built, jit, settle};
use crate::series::Series;
use crate::table::{Row, Target, Unit};
use crate::wrapper::REAL;

const SPECS: u32 = 1000;
const FEW: u32 = 50;
const LOADS: usize = 100_000;
/// What an allocator may keep in another order than before.
const NOISE: f64 = 256.0 * 1024.0;

pub(crate) fn rows(bench: &Bench) -> Vec<Row> {
    let mut rows = thousand(bench);
    for (part, what) in [("memory", "memory hits"), ("disk", "disk hits, by 2,000 `Jit`s")] {
        let cache = bench.path("growth");
        let numbers = bench.worker(["growth", part, cache.to_str().expect("a path of text")]);
        let grown = |name: &str| [numbers[name]].into_iter().collect::<Series>();
        let row = |of: &str| format!("growth of {of} over {LOADS} {what}");
        rows.push(Row::new(row("memory"), &grown("memory")).unit(Unit::Bytes).target(Target::Limit(NOISE)));
        rows.push(Row::new(row("mappings"), &grown("maps")).unit(Unit::Count).target(Target::Limit(0.0)));
        rows.push(Row::new(row("open files"), &grown("files")).unit(Unit::Count).target(Target::Limit(0.0)));
    }
    rows
}

fn thousand(bench: &Bench) -> Vec<Row> {
    let shim = free_compiler(bench);
    let shim = shim.to_str().expect("a path of text");
    let (mut peaks, mut warm_peaks) = (Series::default(), Series::default());
    let cache = std::cell::RefCell::new(bench.path("none"));
    let [cold, warm] = race_in_order(bench.rounds.div_ceil(2), |warm| {
        if !warm {
            *cache.borrow_mut() = bench.fresh("thousand");
        }
        let dir = cache.borrow().clone();
        let numbers = bench.worker(["thousand", dir.to_str().expect("a path of text"), shim]);
        if warm { &mut warm_peaks } else { &mut peaks }.push(numbers["peak"]);
        numbers["seconds"]
    });
    let limit = |row: Row| row.unit(Unit::Bytes).target(Target::Limit(200e6));
    vec![
        limit(Row::new(format!("peak memory, `load_all` of {SPECS} specs, free compiler"), &peaks)),
        limit(Row::new(format!("peak memory, `load_all` of {SPECS} specs, warm"), &warm_peaks)),
        Row::new(format!("`load_all` of {SPECS} specs, free compiler"), &cold),
        Row::new(format!("`load_all` of {SPECS} specs, warm"), &warm),
    ]
}

/// A compiler that costs (next to) nothing.
pub(crate) fn free_compiler(bench: &Bench) -> PathBuf {
    let shim = bench.path("free-c++");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../dijitso/benches/free_compiler.c");
    let mut command = Command::new(REAL);
    command.args(["-x", "c", "-O1"]).arg(format!("-DREAL=\"{REAL}\"")).arg(source).arg("-o").arg(&shim);
    assert!(command.status().is_ok_and(|status| status.success()), "{command:?}");
    settle();
    shim
}

/// Cold first, then warm, in every round: the second needs what the first leaves.
fn race_in_order(rounds: usize, mut run: impl FnMut(bool) -> f64) -> [Series; 2] {
    let mut series = [Series::default(), Series::default()];
    for _ in 0..rounds {
        series[0].push(run(false));
        series[1].push(run(true));
    }
    series
}

/// Seconds and largest size of a process that loads all of them.
pub(crate) fn thousand_worker(cache: &Path, shim: &str) -> Numbers {
    let jit = built(dijitso::Jit::builder().cache_dir(cache).cxx(shim).build());
    // It compiles the first one really.
    built(jit.load(&kernels::number(0)));
    let specs: Vec<KernelSpec<Number>> = (1..=SPECS).map(kernels::number).collect();
    let start = Instant::now();
    let kernels = built(jit.load_all(&specs));
    let seconds = start.elapsed().as_secs_f64();
    let stats = jit.stats();
    assert_eq!((kernels.len(), stats.built + stats.disk_hits), (specs.len(), u64::from(SPECS) + 1));
    Numbers::from([("seconds".to_owned(), seconds), ("peak".to_owned(), of_status("VmHWM"))])
}

/// What grows from the first 1,000 loads on.
pub(crate) fn growth_worker(part: &str, cache: &Path) -> Numbers {
    let specs: Vec<KernelSpec<Number>> = (0..FEW).map(kernels::number).collect();
    let engine = jit(cache);
    built(engine.load_all(&specs));
    let pass = || match part {
        "memory" => specs.iter().for_each(|spec| drop(built(engine.load(spec)))),
        _ => {
            let engine = jit(cache);
            specs.iter().for_each(|spec| drop(built(engine.load(spec))));
            assert_eq!(engine.stats().disk_hits, u64::from(FEW));
        }
    };
    let passes = LOADS / specs.len();
    (0..passes / 100).for_each(|_| pass());
    let before = held();
    (0..passes).for_each(|_| pass());
    let after = held();
    ["memory", "maps", "files"]
        .iter()
        .enumerate()
        .map(|(n, name)| ((*name).to_owned(), after[n] - before[n]))
        .collect()
}

/// Resident memory, mappings, open files.
fn held() -> [f64; 3] {
    let maps = std::fs::read_to_string("/proc/self/maps").expect("maps").lines().count();
    let files = std::fs::read_dir("/proc/self/fd").expect("fd").count();
    [of_status("VmRSS"), maps as f64, files as f64]
}

/// Bytes.
fn of_status(name: &str) -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("status");
    let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("a line of this name");
    let number = line.split_whitespace().nth(1).and_then(|n| n.parse::<f64>().ok()).expect("kilobytes");
    number * 1024.0
}
