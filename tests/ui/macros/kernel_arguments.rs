#![allow(unused)]

use dijitso::Source;

type Fill = unsafe extern "C" fn(usize, *mut f64);

#[dijitso::kernel(nmae = "fill")]
fn typo() -> Source<Fill> {
    loop {}
}

#[dijitso::kernel(language = "c", version = 1)]
fn unknown() -> Source<Fill> {
    loop {}
}

#[dijitso::kernel(name = "a", version = 1, name = "b")]
fn twice() -> Source<Fill> {
    loop {}
}

#[dijitso::kernel(name, version =, crate = )]
fn without_values() -> Source<Fill> {
    loop {}
}

#[dijitso::kernel(name = fill, version = "2", crate = "dijitso")]
fn wrong_values() -> Source<Fill> {
    loop {}
}

#[dijitso::kernel(version = 4294967296)]
fn version_too_large() -> Source<Fill> {
    loop {}
}

#[dijitso::kernel(version = -1)]
fn version_negative() -> Source<Fill> {
    loop {}
}

#[dijitso::kernel("fill")]
fn without_key() -> Source<Fill> {
    loop {}
}

#[dijitso::kernel(name = "fill" version = 2)]
fn without_comma() -> Source<Fill> {
    loop {}
}

// The kernels above are declared all the same, so there is nothing wrong here.
fn main() {
    let _: [dijitso::KernelSpec<Fill>; 2] = [typo(), unknown()];
}
