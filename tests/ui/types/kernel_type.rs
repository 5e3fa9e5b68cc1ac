#![allow(unused)]

use dijitso::Source;

struct Point {
    x: f64,
}

#[dijitso::kernel]
fn no_cxx_type() -> Source<unsafe extern "C" fn(*const Point)> {
    loop {}
}

#[dijitso::kernel]
fn slice() -> Source<unsafe extern "C" fn(*const [f64])> {
    loop {}
}

#[dijitso::kernel]
fn array_by_value() -> Source<unsafe extern "C" fn([f64; 3])> {
    loop {}
}

#[dijitso::kernel]
fn reference() -> Source<unsafe extern "C" fn(&f64)> {
    loop {}
}

#[dijitso::kernel]
fn string_result() -> Source<unsafe extern "C" fn() -> String> {
    loop {}
}

#[dijitso::kernel]
fn rust_function() -> Source<fn(f64)> {
    loop {}
}

#[dijitso::kernel]
#[rustfmt::skip]
fn sixteen() -> Source<
    unsafe extern "C" fn(u8, u8, u8, u8, u8, u8, u8, u8, u8, u8, u8, u8, u8, u8, u8, u8),
> {
    loop {}
}

fn main() {}
