#![allow(unused)]

use std::collections::HashMap;

use dijitso::Source;

type Fill = unsafe extern "C" fn(usize, *mut f64);

#[dijitso::kernel]
fn fill(values: HashMap<String, f64>) -> Source<Fill> {
    loop {}
}

fn main() {}
