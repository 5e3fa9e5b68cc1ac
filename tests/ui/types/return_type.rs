#![allow(unused)]

use dijitso::Source;

type Fill = unsafe extern "C" fn(usize, *mut f64);

struct Failed;

#[dijitso::kernel]
fn text(order: u32) -> String {
    loop {}
}

#[dijitso::kernel]
fn option(order: u32) -> Option<Source<Fill>> {
    loop {}
}

#[dijitso::kernel]
fn error_without_display(order: u32) -> Result<Source<Fill>, Failed> {
    loop {}
}

#[dijitso::kernel]
fn no_function(order: u32) -> Source<f64> {
    loop {}
}

fn main() {}
