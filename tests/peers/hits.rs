//! Kernels that are there already: in memory, and on disk.

use std::hint::black_box;
use std::path::Path;
use std::time::Instant;

use dijitso::KernelSpec;
use dijitso_tests::kernels::{self, Loop, Number};

use crate::kernels::table;
use crate::programs::{Bench, Numbers, built, jit};
use crate::series::{Entrant, Series, race};
use crate::table::{Row, Target};

/// Kernels loaded from disk in each measurement.
const SMALL: u32 = 100;
const LARGE: u32 = 10;

pub(crate) fn rows(bench: &Bench) -> Vec<Row> {
    let mut rows = memory(bench);
    rows.extend(disk(bench));
    rows
}

fn memory(bench: &Bench) -> Vec<Row> {
    let (cache, peer) = (bench.path("memory"), bench.path("memory-python"));
    let cache = cache.to_str().expect("a path of text");
    let ours = |part: &'static str| -> Entrant<'_> {
        Box::new(move |_| bench.worker(["memory", part, cache])["seconds"])
    };
    let theirs: Entrant<'_> =
        Box::new(|_| if bench.python { bench.python(&peer, &["memory"])["seconds"] } else { f64::NAN });
    let [known, attribute, builder, theirs] =
        race(bench.rounds, [ours("known"), ours("attribute"), ours("builder"), theirs]);
    let (mut call, mut pointer) = (Series::default(), Series::default());
    for _ in 0..bench.rounds * 2 {
        let numbers = bench.worker(["calls", cache]);
        call.push(numbers["kernel"]);
        pointer.push(numbers["pointer"]);
    }
    let mut rows = Vec::new();
    if bench.python {
        let against = |what: &str, ours| Row::new(what, ours).against("Python dijitso", &theirs);
        // Python is asked by a name that exists as well.
        rows.push(against("memory hit, the spec exists", &known).target(Target::Faster(40.0)));
        rows.push(against("memory hit, spec made anew by `#[kernel]`", &attribute));
        rows.push(against("memory hit, spec made anew by `KernelSpec::new`", &builder));
    } else {
        rows.push(Row::new("memory hit, the spec exists", &known));
    }
    let call = Row::new("call through `Kernel`", &call).against("plain function pointer", &pointer);
    rows.push(call.target(Target::AtMost(1.1)));
    rows
}

/// Seconds of one load of a kernel that is in memory.
pub(crate) fn memory_worker(part: &str, cache: &Path) -> Numbers {
    let jit = jit(cache);
    let (number, shape) = (kernels::number(1), black_box(Loop::Unrolled(8)));
    built(jit.load(&number));
    built(jit.load(&kernels::axpy(shape)));
    let seconds = match part {
        "known" => each(500_000, || drop(black_box(jit.load(black_box(&number))))),
        "attribute" => each(200_000, || drop(black_box(jit.load(&kernels::axpy(black_box(shape)))))),
        "builder" => each(200_000, || drop(black_box(jit.load(&kernels::number(black_box(1)))))),
        _ => panic!("no such part: {part}"),
    };
    assert_eq!(jit.stats().built + jit.stats().disk_hits, 2, "everything else came from memory");
    Numbers::from([("seconds".to_owned(), seconds)])
}

/// Seconds of a call through `Kernel` and through a function pointer: a few processor cycles, so both in one
/// process and in turn, and the least of many.
pub(crate) fn calls_worker(cache: &Path) -> Numbers {
    let kernel = built(jit(cache).load(&kernels::number(1)));
    let function: extern "C" fn() -> i32 = kernel.as_fn();
    let mut least = [f64::INFINITY; 2];
    for _ in 0..20 {
        let through_kernel = each(500_000, || {
            black_box(black_box(&kernel).call());
        });
        let through_pointer = each(500_000, || {
            black_box(black_box(&function)());
        });
        least = [least[0].min(through_kernel), least[1].min(through_pointer)];
    }
    Numbers::from([("kernel".to_owned(), least[0]), ("pointer".to_owned(), least[1])])
}

fn each(count: u32, mut work: impl FnMut()) -> f64 {
    for _ in 0..count / 10 {
        work();
    }
    let start = Instant::now();
    for _ in 0..count {
        work();
    }
    start.elapsed().as_secs_f64() / f64::from(count)
}

fn disk(bench: &Bench) -> Vec<Row> {
    let (cache, peer) = (bench.path("disk"), bench.path("disk-python"));
    let text = cache.to_str().expect("a path of text");
    let count = SMALL.to_string();
    if bench.python {
        bench.python(&peer, &["build", &count]);
    }
    let engine = jit(&cache);
    let mut rows = Vec::new();
    for size in ["small", "medium", "large"] {
        let kernels = built(engine.load_all(&specs(size)));
        let bytes = kernels[0].report().bytes;
        let lines =
            kernels.iter().map(|k| format!("{} {}\n", k.path().expect("a file").display(), k.exports()[0]));
        let list = bench.path(format!("{size}.list"));
        std::fs::write(&list, lines.collect::<String>()).expect("a file");
        let list = list.to_str().expect("a path of text");
        let python = bench.python && size == "small";
        let [ours, bare, theirs] = race(
            bench.rounds * 2,
            [
                Box::new(|_| bench.worker(["disk", size, text])["seconds"]),
                Box::new(|_| bench.worker(["bare", list])["seconds"]),
                Box::new(
                    |_| if python { bench.python(&peer, &["disk", &count])["seconds"] } else { f64::NAN },
                ),
            ],
        );
        let what = format!("disk hit, library of {:.1} kB", bytes as f64 / 1e3);
        let row = Row::new(&what, &ours).against("bare `dlopen` and `dlsym`", &bare);
        rows.push(row.target(Target::AtMost(1.5)));
        if python {
            rows.push(Row::new(&what, &ours).against("Python dijitso", &theirs));
        }
    }
    rows
}

fn specs(size: &str) -> Vec<KernelSpec<Number>> {
    match size {
        "small" => (0..SMALL).map(kernels::number).collect(),
        "medium" => (0..SMALL).map(|i| table(i, 1200)).collect(),
        _ => (0..LARGE).map(|i| table(i, 1 << 17)).collect(),
    }
}

/// Mean seconds of a load from disk. In a process of its own: a library that is loaded already costs
/// nothing the second time.
pub(crate) fn disk_worker(size: &str, cache: &Path) -> Numbers {
    let (jit, specs) = (jit(cache), specs(size));
    // The first load reads what all others share: headers' stamps, the program's build id.
    built(jit.load(&specs[0]));
    let start = Instant::now();
    for spec in &specs[1..] {
        black_box(built(jit.load(spec)).as_fn());
    }
    let seconds = start.elapsed().as_secs_f64() / (specs.len() - 1) as f64;
    assert_eq!(jit.stats().disk_hits, specs.len() as u64);
    Numbers::from([("seconds".to_owned(), seconds)])
}

/// Mean seconds of `dlopen` and `dlsym` of the same files, whose names and symbols are in `list`.
pub(crate) fn bare_worker(list: &Path) -> Numbers {
    use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW};
    let list = std::fs::read_to_string(list).expect("the list");
    let files: Vec<(&str, &str)> = list.lines().filter_map(|line| line.split_once(' ')).collect();
    let open = |(path, symbol): &(&str, &str)| {
        // SAFETY: our own kernels, which run nothing when loaded.
        let library = unsafe { Library::open(Some(*path), RTLD_NOW | RTLD_LOCAL) }.expect("a library");
        // SAFETY: it is not called.
        let address = unsafe { library.get::<*const ()>(symbol.as_bytes()) }.expect("a symbol").into_raw();
        black_box(address);
        std::mem::forget(library);
    };
    open(&files[0]);
    let start = Instant::now();
    files[1..].iter().for_each(open);
    let seconds = start.elapsed().as_secs_f64() / (files.len() - 1) as f64;
    Numbers::from([("seconds".to_owned(), seconds)])
}
