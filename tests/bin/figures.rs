//! Figures, as ratios from one run: what a hit costs against bare `dlopen` and `dlsym` of the same file, a
//! cold kernel against the compiler, a memory hit in nanoseconds.
//!
//! `cargo run --release -p dijitso-tests --bin figures`

use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use dijitso::{Jit, KernelSpec, Source};
use dijitso_tests::kernels::{self, Number};

/// Small kernels, and kernels of a megabyte, loaded in each measurement.
const SMALL: u32 = 200;
const LARGE: u32 = 10;
const ROUNDS: usize = 7;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    match words.as_slice() {
        [] => all(),
        ["hits", size, cache] => println!("{}", hits(size, Path::new(cache)).as_nanos()),
        ["bare", list] => println!("{}", bare(Path::new(list)).as_nanos()),
        _ => panic!("figures knows no `{}`", words.join(" ")),
    }
}

fn all() {
    let dir = tempfile::tempdir().expect("a directory");
    let cache = dir.path().join("cache");
    let jit = jit(&cache);
    for size in ["small", "medium", "large"] {
        let kernels = jit.load_all(&specs(size)).unwrap_or_else(|e| panic!("{}", e.report()));
        let bytes = kernels[0].report().bytes;
        let lines =
            kernels.iter().map(|k| format!("{} {}\n", k.path().expect("a file").display(), k.exports()[0]));
        let list = dir.path().join(size);
        std::fs::write(&list, lines.collect::<String>()).expect("a file");
        // Each in a process of its own: a library that is loaded costs nothing the second time.
        let hit = best(&["hits".as_ref(), size.as_ref(), cache.as_os_str()]);
        let bare = best(&["bare".as_ref(), list.as_os_str()]);
        let extra = (hit.saturating_sub(bare)).as_secs_f64() * 1e3 / (bytes as f64 / 1e6);
        println!(
            "disk hit of {bytes} bytes: {:.1} us, bare dlopen and dlsym {:.1} us, ratio {:.2}, {extra:.2} ms a MB more",
            micros(hit),
            micros(bare),
            hit.as_secs_f64() / bare.as_secs_f64(),
        );
    }
    memory(&jit);
    cold(&jit, dir.path());
}

fn jit(cache: &Path) -> Jit {
    Jit::builder().cache_dir(cache).build().unwrap_or_else(|e| panic!("{}", e.report()))
}

fn specs(size: &str) -> Vec<KernelSpec<Number>> {
    match size {
        "small" => (0..SMALL).map(kernels::number).collect(),
        "medium" => (0..SMALL).map(|i| table(i, 1200)).collect(),
        _ => (0..LARGE).map(|i| table(i, 1 << 17)).collect(),
    }
}

/// A kernel with a table of so many doubles.
fn table(i: u32, doubles: u32) -> KernelSpec<Number> {
    let name = format!("table{doubles}_{i:03}");
    KernelSpec::new(&name, (i, doubles), {
        let name = name.clone();
        move || {
            let text = format!(
                "extern const double values[{doubles}];\nconst double values[{doubles}] = {{1.5}};\n\
                 int {name}() {{ volatile int at = 7; return int(values[at]) + {i}; }}"
            );
            // SAFETY: has no arguments and no state.
            unsafe { Source::new(text) }
        }
    })
}

/// Mean time of a load from disk.
fn hits(size: &str, cache: &Path) -> Duration {
    let (jit, specs) = (jit(cache), specs(size));
    // The first load reads what all others share: headers' stamps, the program's build id.
    jit.load(&specs[0]).expect("a kernel");
    let start = Instant::now();
    for spec in &specs[1..] {
        std::hint::black_box(jit.load(spec).expect("a kernel").as_fn());
    }
    let elapsed = start.elapsed();
    assert_eq!(jit.stats().disk_hits, specs.len() as u64);
    elapsed / (specs.len() as u32 - 1)
}

/// Mean time of `dlopen` and `dlsym` of the same files, whose names and symbols are in `list`.
fn bare(list: &Path) -> Duration {
    use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW};
    let list = std::fs::read_to_string(list).expect("the list");
    let files: Vec<(&str, &str)> = list.lines().filter_map(|line| line.split_once(' ')).collect();
    let open = |(path, symbol): &(&str, &str)| {
        // SAFETY: our own kernels, which run nothing when loaded.
        let library = unsafe { Library::open(Some(*path), RTLD_NOW | RTLD_LOCAL) }.expect("a library");
        // SAFETY: it is not called.
        let address = unsafe { library.get::<*const ()>(symbol.as_bytes()) }.expect("a symbol").into_raw();
        std::hint::black_box(address);
        std::mem::forget(library);
    };
    open(&files[0]);
    let start = Instant::now();
    files[1..].iter().for_each(open);
    start.elapsed() / (files.len() as u32 - 1)
}

/// The least of several runs of this program.
fn best(args: &[&OsStr]) -> Duration {
    let own = std::env::current_exe().expect("own path");
    let run = || -> u64 {
        let output = Command::new(&own).args(args).output().expect("a run");
        let text = String::from_utf8_lossy(&output.stdout);
        text.trim().parse().unwrap_or_else(|_| panic!("{text}{}", String::from_utf8_lossy(&output.stderr)))
    };
    Duration::from_nanos((0..ROUNDS).map(|_| run()).min().unwrap_or_default())
}

fn memory(jit: &Jit) {
    let specs = specs("small");
    let spec = &specs[0];
    let rounds = 1_000_000_u32;
    let start = Instant::now();
    for _ in 0..rounds {
        std::hint::black_box(jit.load(spec).expect("a kernel").as_fn());
    }
    println!("memory hit: {} ns", (start.elapsed() / rounds).as_nanos());
}

/// A cold kernel against one call of the compiler driver on the same text, one after the other.
fn cold(jit: &Jit, dir: &Path) {
    let source = dir.join("bare.cpp");
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for i in 0..30 {
        let start = Instant::now();
        let kernel = jit.load(&kernels::number(10_000 + i)).expect("a kernel");
        ours.push(start.elapsed());
        if i == 0 {
            println!("one cold kernel: {}", kernel.report());
        }
        std::fs::write(&source, format!("extern \"C\" int k{i:05}() {{ return {i}; }}\n")).expect("a file");
        let start = Instant::now();
        let status = Command::new("/usr/bin/c++")
            .args(["-O2", "-shared", "-fPIC", "-o"])
            .args([&dir.join("bare.so"), &source])
            .status();
        theirs.push(start.elapsed());
        assert!(status.is_ok_and(|s| s.success()), "c++ must work");
    }
    let (ours, theirs) = (median(ours), median(theirs));
    println!(
        "cold kernel: {:.1} ms, c++ -O2 -shared -fPIC {:.1} ms, ratio {:.2}",
        micros(ours) / 1e3,
        micros(theirs) / 1e3,
        ours.as_secs_f64() / theirs.as_secs_f64(),
    );
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}
