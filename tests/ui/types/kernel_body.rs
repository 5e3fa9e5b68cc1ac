#![allow(unused)]

use dijitso::Source;

type Fill = unsafe extern "C" fn(usize, *mut f64);

// Mistakes inside are the compiler's to report, at their own places.
#[dijitso::kernel]
fn fill(order: u32) -> Source<Fill> {
    let text: u32 = "void fill(..)";
    undefined(order);
    loop {}
}

fn main() {}
