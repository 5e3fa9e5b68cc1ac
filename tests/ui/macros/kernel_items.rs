#![allow(unused)]

use dijitso::Source;

type Fill = unsafe extern "C" fn(usize, *mut f64);

#[dijitso::kernel]
struct Structure {
    field: u32,
}

#[dijitso::kernel]
const NUMBER: u32 = 1;

#[dijitso::kernel]
unsafe impl Send for Structure {}

trait Kernels {
    #[dijitso::kernel]
    fn fill(order: u32) -> Source<Fill>;
}

// Everything that is wrong with a kernel is said at once.
#[dijitso::kernel(nmae = "fill")]
async fn three_mistakes(name: &str) -> Source<Fill> {
    loop {}
}

// What was refused is still there, so nothing is wrong with its use.
fn main() {
    let structure = Structure { field: NUMBER };
    println!("{}", structure.field);
}
