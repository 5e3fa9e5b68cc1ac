//! Compiles the kernels of `src/kernels`, which the crate itself uses as well.

#[path = "src/kernels/mod.rs"]
#[allow(dead_code)]
mod kernels;

use kernels::{Loop, axpy, chained, class_of, diagonal, extra, guarded, table};

fn main() {
    // For examples/figures.rs: so many kernels more.
    let more: i32 = option_env!("CONSUMER_KERNELS").map_or(0, |number| number.parse().unwrap());
    dijitso::prebuild()
        .kernels([Loop::Plain, Loop::Unrolled(2), Loop::Unrolled(8)].map(axpy))
        .kernel(axpy(Loop::Plain))
        .kernels([3, 5].map(diagonal))
        .kernel(guarded())
        .kernel(chained())
        .kernels(["first", "second"].map(class_of))
        .kernel(table())
        .kernels((0..more).map(extra))
        .include_dir("first")
        .include_dir("include")
        .std("c++17")
        .compile("consumer-kernels");
}
