//! Kernels that are there already.

use std::cell::LazyCell;
use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, SamplingMode, Throughput};

use crate::kernels::{Loop, axpy, number};
use crate::place::{cache, child, compiler, jit};

/// Kernels on disk of each size, and how many one child loads at most.
const SIZES: [(&str, u32); 3] = [("small", 200), ("medium", 200), ("large", 20)];

/// The spec exists, or is made anew for each load.
pub(crate) fn memory(c: &mut Criterion) {
    let engine = LazyCell::new(|| {
        let engine = jit(cache(), compiler());
        engine.load(&number(0)).unwrap_or_else(|e| panic!("{}", e.report()));
        engine
    });
    let mut group = c.benchmark_group("memory hit");
    group.bench_function("spec exists", |b| {
        let spec = number(0);
        b.iter(|| engine.load(black_box(&spec)));
    });
    group.bench_function("spec made anew", |b| b.iter(|| engine.load(&number(black_box(0)))));
    group.bench_function("spec made anew by attribute", |b| {
        // Compiled really: its name has another length than the numbers'.
        let real =
            dijitso::Jit::builder().cache_dir(cache()).build().unwrap_or_else(|e| panic!("{}", e.report()));
        real.load(&axpy(Loop::Plain)).unwrap_or_else(|e| panic!("{}", e.report()));
        b.iter(|| real.load(&axpy(black_box(Loop::Plain))));
    });
    group.finish();
}

/// In children, each of which loads an entry once, against bare `dlopen` and `dlsym` of the same files.
pub(crate) fn disk(c: &mut Criterion) {
    let mut group = c.benchmark_group("disk hit");
    group.sample_size(10).sampling_mode(SamplingMode::Flat);
    group.warm_up_time(Duration::from_millis(200)).measurement_time(Duration::from_secs(2));
    for (size, count) in SIZES {
        let built = LazyCell::new(|| child(&format!("build:{size}"), cache(), 0, count));
        group.throughput(Throughput::Elements(1));
        for part in ["each", "bare"] {
            let name = if part == "each" { "load" } else { "bare dlopen and dlsym" };
            group.bench_function(format!("{name}, {size}"), |b| {
                LazyCell::force(&built);
                b.iter_custom(|loads| {
                    let mut left = u32::try_from(loads).expect("few loads");
                    let mut elapsed = Duration::ZERO;
                    while left > 0 {
                        let now = left.min(count - 1);
                        elapsed += child(&format!("{part}:{size}"), cache(), 1, now);
                        left -= now;
                    }
                    elapsed
                });
            });
        }
    }
    group.finish();
}
