//! Kernels that nobody built yet, with a compiler that costs nothing (the linker is the real one), in children:
//! a process can hold only so many libraries.

use std::time::Duration;

use criterion::{BenchmarkId, Criterion, SamplingMode, Throughput};

use crate::place::{cache, child, unused};

/// One after the other.
pub(crate) fn cold(c: &mut Criterion) {
    let mut group = c.benchmark_group("cold build, free compiler");
    group.sample_size(10).sampling_mode(SamplingMode::Flat);
    group.warm_up_time(Duration::from_millis(200)).measurement_time(Duration::from_secs(4));
    group.bench_function("one by one", |b| {
        b.iter_custom(|count| {
            let count = u32::try_from(count).expect("few kernels");
            child("each", cache(), unused(count), count)
        });
    });
    group.finish();
}

/// By one `load_all`, cold and then warm.
pub(crate) fn batches(c: &mut Criterion) {
    let mut group = c.benchmark_group("load_all, free compiler");
    group.sample_size(10).sampling_mode(SamplingMode::Flat);
    group.warm_up_time(Duration::from_millis(200)).measurement_time(Duration::from_secs(2));
    for count in [1, 10, 100, 1000] {
        group.throughput(Throughput::Elements(u64::from(count)));
        group.bench_function(BenchmarkId::new("cold", count), |b| {
            b.iter_custom(|times| (0..times).map(|_| child("all", cache(), unused(count), count)).sum());
        });
        let mut from = None;
        group.bench_function(BenchmarkId::new("warm", count), |b| {
            let from = *from.get_or_insert_with(|| {
                let from = unused(count);
                child("all", cache(), from, count);
                from
            });
            b.iter_custom(|times| (0..times).map(|_| child("all", cache(), from, count)).sum());
        });
    }
    group.finish();
}
