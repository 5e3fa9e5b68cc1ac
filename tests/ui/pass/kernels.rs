#![deny(warnings, missing_docs)]

//! Everything that a generator may be.

use std::fmt;
use std::sync::Arc;

use dijitso::{KernelSpec, Sign, Source};

/// A kernel's type behind an alias; the macro looks at no type.
pub type Fill = unsafe extern "C" fn(usize, *mut f64);
type FillSource = Source<Fill>;
type Generated = std::result::Result<FillSource, fmt::Error>;

fn source(text: impl Into<String>) -> Source<Fill> {
    // SAFETY: never compiled.
    unsafe { Source::new(text.into()) }
}

/// Documented, as `missing_docs` asks.
#[dijitso::kernel]
pub fn fill() -> Source<Fill> {
    source("void fill(std::size_t n, double *x) {}")
}

#[dijitso::kernel(name = "fill_all", version = 2)]
pub(crate) fn named() -> FillSource {
    source("")
}

#[dijitso::kernel]
fn fallible(order: u32) -> Generated {
    let mut text = String::new();
    fmt::Write::write_fmt(&mut text, format_args!("{order}"))?;
    Ok(source(text))
}

#[dijitso::kernel]
fn boxed(file: std::path::PathBuf) -> Result<Source<Fill>, Box<dyn std::error::Error + Send + Sync>> {
    Ok(source(std::fs::read_to_string(file)?))
}

#[derive(Clone, Copy, Debug, Sign)]
struct Point {
    x: f64,
    y: f64,
}

#[derive(Clone, Copy, Debug, Sign)]
struct Marker;

#[dijitso::kernel]
fn patterns(
    (a, _b): (u32, u32),
    Point { x, .. }: Point,
    mut text: String,
    _: bool,
    [first, ..]: [u8; 2],
) -> Source<Fill> {
    text += &format!("{a} {x} {first}");
    source(text)
}

/// The names that the expansion uses are free for the user.
#[dijitso::kernel]
#[allow(non_snake_case)]
fn names(
    argument_0: u32,
    (_, argument_1): (u32, u32),
    generator: u32,
    names: u32,
    arguments: u32,
    kernel: u32,
    declaration: u32,
    Marker: Marker,
    r#type: u32,
) -> Source<Fill> {
    source(format!(
        "{argument_0} {argument_1} {generator} {names} {arguments} {kernel} {declaration} {Marker:?} {}",
        r#type
    ))
}

#[dijitso::kernel]
fn owned(
    list: Vec<f64>,
    shared: Arc<str>,
    literal: &'static str,
    optional: Option<&'static [u32]>,
) -> Source<Fill> {
    source(format!("{list:?} {shared} {literal} {optional:?}"))
}

#[dijitso::kernel]
#[allow(clippy::too_many_arguments)]
fn fifteen(
    a: u8,
    b: u16,
    c: u32,
    d: u64,
    e: i8,
    f: i16,
    g: i32,
    h: i64,
    i: usize,
    j: isize,
    k: f32,
    l: f64,
    m: bool,
    n: char,
    o: String,
) -> Source<Fill> {
    source(format!("{a}{b}{c}{d}{e}{f}{g}{h}{i}{j}{k}{l}{m}{n}{o}"))
}

#[cfg(any())]
#[dijitso::kernel]
fn conditional(missing: Missing) -> Source<Fill> {
    source("")
}

#[dijitso::kernel]
#[cfg(all())]
fn conditional(#[allow(unused_variables)] order: u32) -> Source<Fill> {
    source("")
}

#[dijitso::kernel]
#[cfg(any())]
fn conditional(missing: Missing) -> Source<Fill> {
    source("")
}

/// The name means the kernel, also inside: it can depend on another of its kind.
#[dijitso::kernel]
fn power(exponent: u32) -> Source<Fill> {
    let text = source(format!("{exponent}"));
    if exponent > 1 { text.depends_on(&power(exponent - 1)) } else { text }
}

#[dijitso::kernel]
fn without_entry() -> Source<()> {
    // SAFETY: never compiled.
    unsafe { Source::translation_unit("extern \"C\" int answer() { return 42; }") }.export("answer")
}

#[dijitso::kernel]
#[deprecated = "for the test"]
#[inline]
fn attributes() -> Source<Fill> {
    #![allow(unused_variables)]
    let unused = 1;
    source("")
}

macro_rules! kernels {
    ($($name:ident: $order:expr, $kernel:ty;)*) => {$(
        #[dijitso::kernel]
        fn $name(order: u32) -> Source<$kernel> {
            source(format!("{} {order}", $order))
        }
    )*};
}
kernels! {
    linear: 1, Fill;
    quadratic: 1 + 1, Fill;
}

struct Solver;

impl Solver {
    #[dijitso::kernel]
    fn step(order: u32) -> Source<Fill> {
        source(format!("{order}"))
    }
}

/// What the expansion needs is not found by the names that a prelude gives.
mod shadowed {
    #![allow(dead_code)]
    struct Option;
    struct Some;
    struct None;
    struct Result;
    struct Box;
    trait Clone {}
    trait Fn {}
    mod core {}
    mod std {}
    mod dijitso {}
    use super::{Fill, Source, source};

    #[::dijitso::kernel]
    pub(super) fn shadowed(order: u32) -> Source<Fill> {
        source(format!("{order}"))
    }
}

mod one {
    use super::*;

    #[dijitso::kernel]
    pub fn same(order: u32, list: Vec<Vec<u8>>) -> Source<Fill> {
        source(format!("{order} {list:?} {}", -1))
    }
}

mod other {
    use super::*;

    /// Documented.
    #[dijitso::kernel]
    #[rustfmt::skip]
    pub(crate) fn same( order : u32 , list : Vec<Vec<u8> > , ) -> Source< Fill >
    {
        // Commented.
        source ( format ! ( "{order} {list:?} {}" , - 1 ) )
    }
}

mod changed {
    use super::*;

    #[dijitso::kernel]
    pub fn same(order: u32, list: Vec<Vec<u8>>) -> Source<Fill> {
        source(format!("{order} {list:?} {}", -2))
    }
}

fn main() {
    let spec: KernelSpec<Fill> = fill();
    assert_eq!((spec.name(), spec.description().as_str()), ("fill", "fill()"));

    // The place of the function's name, below whatever is above it.
    let line = line!() + 4;
    /// Documented.
    #[dijitso::kernel]
    #[allow(dead_code)]
    fn local() -> Source<Fill> {
        source("")
    }
    assert_eq!(local().location(), format!("{}:{line}:8", file!()));

    assert_eq!(named().name(), "fill_all");
    assert_eq!(fallible(2).description(), "fallible(2)");
    assert_eq!(boxed("a".into()).description(), "boxed(\"a\")");
    assert_eq!(
        patterns((1, 2), Point { x: 0.5, y: 1.0 }, "t".to_owned(), true, [3, 4]).description(),
        "patterns((1, 2), Point { x: 0.5, y: 1.0 }, \"t\", true, [3, 4])"
    );
    assert_eq!(
        names(1, (2, 3), 4, 5, 6, 7, 8, Marker, 9).description(),
        "names(1, (2, 3), 4, 5, 6, 7, 8, Marker, 9)"
    );
    assert_ne!(
        owned(vec![1.0], "a".into(), "b", None).signature(),
        owned(vec![1.0], "b".into(), "a", None).signature()
    );
    fifteen(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11.0, 12.0, true, 'n', "o".to_owned());
    conditional(1);
    let _: KernelSpec<()> = without_entry();
    assert_ne!(power(2).signature(), power(1).signature());
    assert_ne!(linear(1).signature(), quadratic(1).signature());
    assert_eq!(Solver::step(1).name(), "step");
    assert_eq!(shadowed::shadowed(1).name(), "shadowed");
    #[allow(deprecated)]
    attributes();

    // Comments, documentation, visibility and spaces are not part of a kernel; its text is.
    let of = |kernel: fn(u32, Vec<Vec<u8>>) -> KernelSpec<Fill>| kernel(1, vec![]).signature();
    assert_eq!(of(one::same), of(other::same));
    assert_ne!(of(one::same), of(changed::same));

    let send: fn() -> Box<dyn Send + Sync> = || Box::new(fill());
    std::thread::spawn(move || drop(send())).join().unwrap();
}
