#![allow(unused)]

use std::fmt::Display;
use std::path::Path;

use dijitso::Source;

type Fill = unsafe extern "C" fn(usize, *mut f64);

#[dijitso::kernel]
fn generic<T>(value: T) -> Source<Fill>
where
    T: Display,
{
    loop {}
}

#[dijitso::kernel]
fn lifetime<'a>(name: &'a str) -> Source<Fill> {
    loop {}
}

#[dijitso::kernel]
const unsafe extern "C" fn qualified() -> Source<Fill> {
    loop {}
}

#[dijitso::kernel]
async fn asynchronous() -> Source<Fill> {
    loop {}
}

#[dijitso::kernel]
fn borrows(
    name: &str,
    points: &[f64],
    file: &Path,
    order: &u32,
    row: &[f64; 3],
    dynamic: &dyn Display,
) -> Source<Fill> {
    loop {}
}

#[dijitso::kernel]
fn borrows_inside(names: Vec<&str>, text: std::borrow::Cow<'_, str>, call: fn(&str) -> &str) -> Source<Fill> {
    loop {}
}

#[dijitso::kernel]
fn anonymous(value: impl Display, values: Vec<impl Display>) -> Source<Fill> {
    loop {}
}

#[dijitso::kernel]
fn without_return_type(order: u32) {
    loop {}
}

#[dijitso::kernel]
fn hidden_return_type(order: u32) -> impl dijitso::Generated {
    unsafe { Source::<Fill>::new("") }
}

#[dijitso::kernel]
fn conditional(#[cfg(test)] order: u32, #[allow(unused)] degree: u32) -> Source<Fill> {
    loop {}
}

#[dijitso::kernel]
#[rustfmt::skip]
fn seventeen(
    _1: u32, _2: u32, _3: u32, _4: u32, _5: u32, _6: u32, _7: u32, _8: u32, _9: u32, _10: u32, _11: u32, _12: u32,
    _13: u32, _14: u32, _15: u32, _16: u32, _17: u32,
) -> Source<Fill> {
    loop {}
}

struct Solver;

impl Solver {
    #[dijitso::kernel]
    fn method(&self, order: u32) -> Source<Fill> {
        loop {}
    }
}

fn main() {}
