//! What happens before anything is looked up or compiled.

use std::cell::LazyCell;
use std::hint::black_box;

use criterion::{Criterion, Throughput};

use crate::kernels::{Loop, axpy, long, long_text, number};

/// Making a spec and signing it.
pub(crate) fn signature(c: &mut Criterion) {
    let mut group = c.benchmark_group("signature of a spec");
    group.bench_function("by attribute", |b| {
        b.iter(|| axpy(black_box(Loop::Unrolled(8))).signature());
    });
    group.bench_function("by builder", |b| b.iter(|| number(black_box(7)).signature()));
    let text = LazyCell::new(long_text);
    group.bench_function("key of 2.6 MB", |b| b.iter(|| long(black_box(&text)).signature()));
    group.finish();
}

/// The generator, the check of its text, and the translation unit, as on a miss; through the hook that the
/// crate has for it, because every public way compiles too.
pub(crate) fn rendering(c: &mut Criterion) {
    let mut group = c.benchmark_group("generate and render");
    let spec = axpy(Loop::Unrolled(8));
    group.bench_function("small", |b| b.iter(|| dijitso::private::rendered(black_box(&spec))));
    let spec = LazyCell::new(|| long(&long_text()));
    group.throughput(Throughput::Bytes(2_600_000));
    group.bench_function("2.6 MB", |b| b.iter(|| dijitso::private::rendered(black_box(&spec))));
    group.finish();
}
