#![allow(unused)]

use dijitso::{CxxType, Source};

#[derive(CxxType)]
#[repr(C)]
struct View {
    data: *const f64,
    len: usize,
}

#[derive(CxxType)]
#[repr(C)]
struct Nested {
    views: [View; 2],
}

#[dijitso::kernel]
fn pointer() -> Source<extern "C" fn(*const f64) -> f64> {
    loop {}
}

#[dijitso::kernel]
fn struct_with_pointer() -> Source<extern "C" fn(View) -> f64> {
    loop {}
}

#[dijitso::kernel]
fn nested_result() -> Source<extern "C" fn(f64) -> Nested> {
    loop {}
}

fn main() {}
