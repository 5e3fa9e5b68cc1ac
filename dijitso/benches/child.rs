//! What runs in a process of its own. Each prints the nanoseconds of what is measured, in all.

use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant};

use dijitso::{Jit, KernelSpec};

use crate::kernels::{Number, number, table};
use crate::place::jit;

pub(crate) fn run(args: &[String]) {
    let [part, from, count, cache, compiler] = args else { panic!("five words for a child: {args:?}") };
    let [from, count]: [u32; 2] = [from, count].map(|word| word.parse().expect("a number"));
    let engine = jit(Path::new(cache), Path::new(compiler));
    let (part, kind) = part.split_once(':').unwrap_or((part, "small"));
    let specs: Vec<_> = (from..from + count).map(|i| spec(kind, i)).collect();
    let elapsed = match part {
        "build" => build(&engine, kind, &specs),
        "each" => {
            load(&engine, &spec(kind, 0));
            timed(|| specs.iter().for_each(|spec| load(&engine, spec)))
        }
        "all" => timed(|| {
            black_box(engine.load_all(&specs).unwrap_or_else(|e| panic!("{}", e.report())));
        }),
        "bare" => bare(&engine, kind, &specs),
        _ => panic!("there is no part `{part}`"),
    };
    println!("{}", elapsed.as_nanos());
}

fn spec(kind: &str, i: u32) -> KernelSpec<Number> {
    match kind {
        "small" => number(i),
        "medium" => table(i, 1200),
        "large" => table(i, 1 << 17),
        _ => panic!("there is no kind `{kind}`"),
    }
}

fn load(jit: &Jit, spec: &KernelSpec<Number>) {
    let kernel = jit.load(spec).unwrap_or_else(|e| panic!("{}", e.report()));
    black_box(kernel.as_fn());
}

fn timed(work: impl FnOnce()) -> Duration {
    let start = Instant::now();
    work();
    start.elapsed()
}

/// Builds them, and writes a list of files and symbols for `bare`. One by one: with the free compiler, those
/// that are compiled together are nothing but functions that return.
fn build(jit: &Jit, kind: &str, specs: &[KernelSpec<Number>]) -> Duration {
    let mut list = String::new();
    let elapsed = timed(|| {
        for spec in specs {
            let kernel = jit.load(spec).unwrap_or_else(|e| panic!("{}", e.report()));
            list += &format!("{} {}\n", kernel.path().expect("a file").display(), kernel.exports()[0]);
        }
    });
    std::fs::write(self::list(jit, kind), list).expect("the list");
    elapsed
}

fn list(jit: &Jit, kind: &str) -> std::path::PathBuf {
    jit.cache_dir().with_file_name(format!("{kind}.list"))
}

/// `dlopen` and `dlsym` of the files of these kernels.
fn bare(jit: &Jit, kind: &str, specs: &[KernelSpec<Number>]) -> Duration {
    use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW};
    let list = std::fs::read_to_string(list(jit, kind)).expect("the list");
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
    timed(|| files[1..=specs.len()].iter().for_each(open))
}
