#![allow(unused)]

use dijitso::Source;

type Fill = unsafe extern "C" fn(usize, *mut f64);

#[derive(Clone)]
struct Shape(u32);

#[dijitso::kernel]
fn fill(order: u32, shape: Shape) -> Source<Fill> {
    loop {}
}

#[dijitso::kernel]
fn nested(shapes: Vec<(Shape, u32)>) -> Source<Fill> {
    loop {}
}

fn main() {
    let _ = fill(1, Shape(2));
}
