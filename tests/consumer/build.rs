//! Compiles the kernels of `src/kernels`, which the crate itself uses as well.

#[path = "src/kernels/mod.rs"]
#[allow(dead_code)]
mod kernels;

use kernels::{Loop, axpy, chained, class_of, diagonal, guarded, table};

fn main() {
    dijitso::prebuild()
        .kernels([Loop::Plain, Loop::Unrolled(2), Loop::Unrolled(8)].map(axpy))
        .kernel(axpy(Loop::Plain))
        .kernels([3, 5].map(diagonal))
        .kernel(guarded())
        .kernel(chained())
        .kernels(["first", "second"].map(class_of))
        .kernel(table())
        .include_dir("include")
        .std("c++17")
        .compile("consumer-kernels");
}
