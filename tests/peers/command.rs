//! The command `dijitso` on caches as they are after years, and what their bounds cost.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use dijitso::KernelSpec;
use dijitso_tests::kernels::{self, Number};

use crate::growth::free_compiler;
use crate::programs::{Bench, Numbers, built, said, whole};
use crate::series::{Series, race};
use crate::table::{Row, Target, Unit};

/// Entries of the large cache. Each process fills in so many: a process cannot hold many more libraries.
const ENTRIES: u32 = 20_000;
const BY_ONE: u32 = 10_000;
/// Of the cache that is verified: kernels, and bytes in each.
const VERIFIED: (u32, u32) = (800, 500_000);
/// Of what is published with and without a bound.
const PUBLISHED: (u32, u32) = (400, 10_000);

pub(crate) fn rows(bench: &Bench) -> Vec<Row> {
    let shim = free_compiler(bench);
    let mut rows = start(bench);
    rows.extend(large(bench, &shim));
    rows.extend(verified(bench, &shim));
    rows.extend(published(bench, &shim));
    rows
}

/// The command, which is built beside this program.
fn command(cache: &Path, words: &[&str]) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("own path").with_file_name("cli"));
    command.args(words).arg("--cache-dir").arg(cache).current_dir("/").stdin(Stdio::null());
    command
}

fn start(bench: &Bench) -> Vec<Row> {
    let nowhere = bench.path("nowhere");
    let python = bench.python && said("dijitso", &["version"]).is_some();
    let [ours, theirs] = race(
        bench.rounds * 5,
        [
            Box::new(|_| whole(&mut command(&nowhere, &["version"]))),
            Box::new(|_| match python {
                true => whole(Command::new("dijitso").arg("version").env("HOME", bench.path(""))),
                false => f64::NAN,
            }),
        ],
    );
    let row = Row::new("`dijitso version`", &ours);
    let row = if python { row.against("Python's `dijitso version`", &theirs) } else { row };
    vec![row.target(Target::Limit(0.005))]
}

fn large(bench: &Bench, shim: &Path) -> Vec<Row> {
    let cache = bench.path("large");
    for from in (0..ENTRIES).step_by(BY_ONE as usize) {
        fill(bench, &cache, shim, (from, from + BY_ONE, 0), 0);
    }
    let (mut seconds, mut peaks) = (Series::default(), Series::default());
    for _ in 0..bench.rounds {
        let (elapsed, peak) = watched(&mut command(&cache, &["show"]));
        seconds.push(elapsed);
        peaks.push(peak);
    }
    let what = format!("`dijitso show` of {ENTRIES} entries");
    vec![
        Row::new(what.clone(), &seconds).target(Target::Limit(1.5 * f64::from(ENTRIES) / 1e5)),
        Row::new(format!("peak memory, {what}"), &peaks).unit(Unit::Bytes).target(Target::Limit(200e6)),
    ]
}

fn verified(bench: &Bench, shim: &Path) -> Vec<Row> {
    let (cache, (kernels, bytes)) = (bench.path("verified"), VERIFIED);
    fill(bench, &cache, shim, (0, kernels, bytes), 0);
    let seconds = (0..bench.rounds).map(|_| whole(&mut command(&cache, &["verify", "--quiet"]))).collect();
    let of_entries = f64::from(kernels) * f64::from(bytes);
    let row = Row::new(format!("`dijitso verify` of {:.0} MB", of_entries / 1e6), &seconds);
    vec![row.target(Target::Limit(of_entries / 300e6))]
}

/// What a bound costs who publishes: one that is far away, and one that is reached, where each kernel that comes removes
/// another.
fn published(bench: &Bench, shim: &Path) -> Vec<Row> {
    let (kernels, bytes) = PUBLISHED;
    let full = u64::from(kernels) * u64::from(bytes);
    let bounds = [0, 5_000_000_000, full];
    let caches = bounds.map(|bound| bench.path(format!("bounded-{bound}")));
    for cache in &caches {
        fill(bench, cache, shim, (0, kernels, bytes), 0);
    }
    // Others every time, as many in all caches.
    let publish = |n: usize| {
        let (cache, bound) = (&caches[n], bounds[n]);
        move |round: usize| {
            let from = (round as u32 + 1) * kernels;
            fill(bench, cache, shim, (from, from + kernels, bytes), bound)
        }
    };
    let [without, with, at] =
        race(bench.rounds * 2, [Box::new(publish(0)), Box::new(publish(1)), Box::new(publish(2))]);
    let row = |what: &str, series: &Series| {
        let what = format!("`load_all` of {kernels} specs, free compiler, {what}");
        Row::new(what, series).against("without a bound", &without)
    };
    vec![
        row("with a bound", &with).target(Target::AtMost(1.05)),
        row("into a cache that is full: each removes one", &at),
    ]
}

/// Seconds in which a process of its own builds these kernels (from, to, bytes) into a cache.
fn fill(bench: &Bench, cache: &Path, shim: &Path, (from, to, bytes): (u32, u32, u32), bound: u64) -> f64 {
    let words = [from, to, bytes].map(|word| word.to_string());
    let bound = bound.to_string();
    let text = |path: &Path| path.to_str().expect("a path of text").to_owned();
    let [cache, shim] = [cache, shim].map(text);
    let args = ["fill", &cache, &shim, &words[0], &words[1], &words[2], &bound];
    bench.worker(args)["seconds"]
}

pub(crate) fn fill_worker(cache: &str, shim: &str, numbers: [&str; 4]) -> Numbers {
    let [from, to, bytes, bound] = numbers.map(|word| word.parse::<u64>().expect("a number"));
    let [from, to, bytes] = [from, to, bytes].map(|n| u32::try_from(n).expect("a small number"));
    let kind = |n| if bytes == 0 { kernels::number(n) } else { kernels::heavy(n, bytes) };
    let jit = built(dijitso::Jit::builder().cache_dir(cache).cxx(shim).max_size(bound).build());
    // It compiles the first one really.
    built(jit.load(&kind(0)));
    let specs: Vec<KernelSpec<Number>> = (from.max(1)..to).map(kind).collect();
    let start = Instant::now();
    built(jit.load_all(&specs));
    Numbers::from([("seconds".to_owned(), start.elapsed().as_secs_f64())])
}

/// Seconds and largest size of a process, which is looked at until it ends.
fn watched(command: &mut Command) -> (f64, f64) {
    let start = Instant::now();
    let mut child = command.stdout(Stdio::null()).spawn().unwrap_or_else(|e| panic!("{command:?}: {e}"));
    let status = PathBuf::from(format!("/proc/{}/status", child.id()));
    let mut peak = 0.0_f64;
    loop {
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kilobytes = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<f64>().ok());
        peak = peak.max(kilobytes.unwrap_or_default() * 1024.0);
        if let Some(status) = child.try_wait().expect("its status") {
            assert!(status.success(), "{command:?}: {status}");
            return (start.elapsed().as_secs_f64(), peak);
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}
