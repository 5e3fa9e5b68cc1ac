#![allow(unused)]

use std::borrow::Cow;
use std::rc::Rc;

use dijitso::{Sign, Source};

type Fill = unsafe extern "C" fn(usize, *mut f64);

#[derive(Sign)]
struct Shape(u32);

// Not `Clone`.
#[dijitso::kernel]
fn copied(shape: Shape) -> Source<Fill> {
    loop {}
}

// Neither `Send` nor `Sync`.
#[dijitso::kernel]
fn sent(shape: Rc<u32>) -> Source<Fill> {
    loop {}
}

fn main() {}
