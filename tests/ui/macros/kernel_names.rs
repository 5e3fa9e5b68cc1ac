#![allow(unused)]

use dijitso::Source;

type Fill = unsafe extern "C" fn(usize, *mut f64);

#[dijitso::kernel(name = "fill/all")]
fn slash() -> Source<Fill> {
    loop {}
}

#[dijitso::kernel(name = "..")]
fn parent() -> Source<Fill> {
    loop {}
}

#[dijitso::kernel(name = "")]
fn empty() -> Source<Fill> {
    loop {}
}

#[dijitso::kernel(
    name = "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
)]
fn long() -> Source<Fill> {
    loop {}
}

#[dijitso::kernel(name = "2d")]
fn digit() -> Source<Fill> {
    loop {}
}

#[dijitso::kernel(name = "template")]
fn keyword() -> Source<Fill> {
    loop {}
}

#[dijitso::kernel]
fn double() -> Source<Fill> {
    loop {}
}

#[dijitso::kernel]
fn größe() -> Source<Fill> {
    loop {}
}

fn main() {}
