#![allow(unused)]

use dijitso::{Sign, Source};

type Fill = unsafe extern "C" fn(usize, *mut f64);

#[derive(Clone, Sign)]
struct Name<'a>(&'a str);

// Not `'static`, and no token of it says so.
#[dijitso::kernel]
fn fill(name: Name) -> Source<Fill> {
    loop {}
}

fn main() {}
