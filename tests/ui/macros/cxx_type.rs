#![allow(unused)]

use dijitso::CxxType;

#[derive(CxxType)]
struct NoRepr {
    x: f64,
}

#[derive(CxxType)]
#[repr(align(16))]
struct OtherRepr {
    x: f64,
}

#[derive(CxxType)]
#[repr(C, packed)]
struct Packed {
    x: u8,
    y: f64,
}

#[derive(CxxType)]
#[repr(C, packed(2))]
struct PackedTo {
    x: u8,
    y: f64,
}

#[derive(CxxType)]
#[repr(C)]
struct Tuple(f64, f64);

#[derive(CxxType)]
#[repr(C)]
struct Empty {}

#[derive(CxxType)]
#[repr(C)]
struct Unit;

#[derive(CxxType)]
#[repr(C)]
enum Shape {
    Triangle,
    Square,
}

#[derive(CxxType)]
#[repr(C)]
union Bits {
    float: f32,
    word: u32,
}

#[derive(CxxType)]
#[repr(C)]
struct Borrowed<'a> {
    x: &'a f64,
}

#[derive(CxxType)]
#[repr(C)]
struct Keyword {
    class: u32,
    größe: u32,
    #[cxx(name = "a::b")]
    qualified: u32,
    #[cxx(crate = ::dijitso)]
    unknown_key: u32,
}

#[derive(CxxType)]
#[repr(C)]
#[cxx(name = "geometry::class")]
struct Named {
    x: f64,
}

#[derive(CxxType)]
#[repr(C)]
struct template {
    x: f64,
}

#[derive(CxxType)]
#[repr(C)]
#[cxx(nam = "Point", name = Point)]
struct Keys {
    x: f64,
}

fn main() {}
