#![allow(unused)]

use std::collections::HashMap;

use dijitso::{CxxType, Sign};

struct Plain;

#[derive(Sign)]
struct Signed {
    order: u32,
    map: HashMap<String, u32>,
}

#[derive(Sign)]
enum Variants {
    Tuple(Vec<Plain>),
    Named { plain: Plain },
}

#[derive(Sign)]
struct Generic<T> {
    value: Option<T>,
}

#[derive(CxxType)]
#[repr(C)]
struct Layout {
    plain: Plain,
    text: String,
    reference: &'static f64,
}

fn signed(value: &impl Sign) {}

fn main() {
    signed(&Generic { value: Some(Plain) });
}
