#![deny(warnings)]

use dijitso::{ByValue, CxxArgument, CxxType, KernelFn};

#[derive(Clone, Copy, CxxType)]
#[repr(C)]
pub struct Point {
    pub x: f64,
    y: f64,
}

#[derive(CxxType)]
#[repr(C, align(32))]
#[allow(dead_code)]
pub struct Aligned {
    values: [f64; 3],
    #[cxx(name = "kind")]
    class: u8,
    r#type: u8,
}

// A private type in a public struct, pointers to itself, a callback.
#[derive(CxxType)]
#[repr(C)]
#[cxx(name = "graph::Node")]
#[allow(dead_code)]
pub struct Node {
    next: *const Node,
    same: *mut Self,
    point: Private,
    visit: Option<unsafe extern "C" fn(*const Node) -> bool>,
}

#[derive(CxxType)]
#[repr(C)]
struct Private {
    inner: Point,
}

#[derive(CxxType)]
#[repr(C)]
#[allow(dead_code)]
struct Pair<T, const N: usize>
where
    T: Copy,
{
    first: T,
    rest: [T; N],
}

trait Cell {
    type Scalar;
}

#[derive(Clone, Copy, CxxType)]
#[repr(C)]
struct Interval {
    length: f64,
}

impl Cell for Interval {
    type Scalar = f32;
}

#[derive(CxxType)]
#[repr(C)]
#[allow(dead_code)]
struct Associated<C: Cell> {
    scalar: C::Scalar,
    cell: C,
}

fn cxx_type<T: CxxType>() {}
fn argument<T: CxxArgument>() {}
fn by_value<T: ByValue>() {}
fn kernel_type<F: KernelFn>() {}

fn main() {
    cxx_type::<[Node; 2]>();
    argument::<Node>();
    by_value::<Point>();
    by_value::<Aligned>();
    by_value::<Pair<Point, 2>>();
    by_value::<Associated<Interval>>();
    cxx_type::<Pair<*const f64, 2>>();
    kernel_type::<unsafe extern "C" fn(Node, *const Pair<Point, 3>) -> Point>();
    kernel_type::<extern "C" fn(Point, Aligned, Private) -> Pair<f64, 2>>();
    let _ = Point { x: 1.0, y: 2.0 }.y
        + Private { inner: Point { x: 1.0, y: 2.0 } }.inner.x
        + Interval { length: 1.0 }.length;
}
