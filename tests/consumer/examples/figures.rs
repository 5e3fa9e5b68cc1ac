//! What prebuilt kernels cost: `CONSUMER_KERNELS=200 cargo run --release --example figures`.

use std::hint::black_box;
use std::time::{Duration, Instant};

use consumer::PREBUILT;
use consumer::kernels::{Number, extra};
use dijitso::{Jit, KernelOrigin, KernelSpec};

const ROUNDS: usize = 200;

fn main() {
    let specs: Vec<KernelSpec<Number>> = (0..200).map(extra).filter(|spec| PREBUILT.contains(spec)).collect();
    println!("{} kernels in the table", PREBUILT.len());
    let jit = || Jit::builder().prebuilt(&PREBUILT).build().unwrap();
    let bare = best(30, || drop(black_box(Jit::builder().build().unwrap())));
    let with = best(30, || drop(black_box(jit())));
    println!("a Jit: {} ns, with the table {} ns", bare.as_nanos(), with.as_nanos());
    let Some(count) = u32::try_from(specs.len()).ok().filter(|count| *count > 0) else { return };
    let mut first = Duration::MAX;
    for _ in 0..30 {
        let jit = jit();
        let start = Instant::now();
        specs.iter().for_each(|spec| drop(black_box(jit.load(spec).unwrap())));
        first = first.min(start.elapsed());
    }
    println!("first load: {} ns", (first / count).as_nanos());
    let jit = jit();
    assert!(specs.iter().all(|spec| jit.load(spec).unwrap().origin() == KernelOrigin::Prebuilt));
    let load = best(ROUNDS, || specs.iter().for_each(|spec| drop(black_box(jit.load(spec).unwrap()))));
    println!("load: {} ns", (load / count).as_nanos());
    let kernel = jit.load(&specs[0]).unwrap();
    let function: Number = kernel.as_fn();
    let calls = 10_000;
    let through = best(ROUNDS, || {
        (0..calls).for_each(|n| {
            black_box(kernel.call(f64::from(n)));
        })
    });
    let plain = best(ROUNDS, || {
        (0..calls).for_each(|n| {
            black_box(black_box(function)(f64::from(n)));
        })
    });
    println!("call: {:.2} ns, through a function pointer {:.2} ns", each(through, calls), each(plain, calls));
}

fn each(time: Duration, calls: i32) -> f64 {
    time.as_secs_f64() * 1e9 / f64::from(calls)
}

fn best(rounds: usize, mut work: impl FnMut()) -> Duration {
    let time = |_| {
        let start = Instant::now();
        work();
        start.elapsed()
    };
    (0..rounds).map(time).min().unwrap()
}
