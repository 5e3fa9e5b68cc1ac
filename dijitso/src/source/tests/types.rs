//! Every type that can cross the border, by value and by pointer, in C++ and C.

use std::ffi::c_void;
use std::mem::offset_of;

use super::*;
use crate::cxx::{
    ByValue, CChar, CLongLong, CULongLong, Complex32, Complex64, CxxArgument, CxxExpr, CxxType, Layouts,
};

/// A small struct by value: 16 bytes, one integer and one floating register.
#[derive(Debug, Clone, Copy, PartialEq)]
#[repr(C)]
struct Mixed {
    weight: f64,
    count: i32,
    flag: bool,
}

/// A struct that is passed in memory, with an array and a struct inside.
#[derive(Debug, Clone, Copy, PartialEq)]
#[repr(C)]
struct Large {
    points: [[f64; 3]; 2],
    inner: Mixed,
    next: *const Large,
}

#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
struct Aligned {
    x: [f32; 4],
}

#[derive(Debug, Clone, Copy)]
#[repr(C)]
struct Callbacks {
    scale: Option<unsafe extern "C" fn(f64, *const c_void) -> f64>,
    data: *mut c_void,
}

#[derive(Debug, Clone, Copy)]
#[repr(C)]
struct Pair<T> {
    first: T,
    second: T,
}

macro_rules! described {
    ($([$($param:ident)?] $type:ty, $name:literal { $($field:ident: $of:ty,)* })*) => {$(
        // SAFETY: what the derive would write.
        unsafe impl$(<$param: CxxType>)? CxxType for $type {
            fn expr(layouts: &mut Layouts) -> CxxExpr {
                layouts.structure::<Self>(
                    $name,
                    |_arguments| { $(_arguments.type_argument::<$param>();)? },
                    |_fields| { $(_fields.field::<$of>(stringify!($field), offset_of!(Self, $field));)* },
                )
            }
        }
        // SAFETY: as above.
        unsafe impl$(<$param: CxxArgument>)? CxxArgument for $type {}
    )*};
}
described! {
    [] Mixed, "Mixed" { weight: f64, count: i32, flag: bool, }
    [] Large, "Large" { points: [[f64; 3]; 2], inner: Mixed, next: *const Large, }
    [] Aligned, "Aligned" { x: [f32; 4], }
    [] Callbacks, "Callbacks" {
        scale: Option<unsafe extern "C" fn(f64, *const c_void) -> f64>,
        data: *mut c_void,
    }
    [T] Pair<T>, "Pair" { first: T, second: T, }
}
// SAFETY: numbers only.
unsafe impl ByValue for Mixed {}

type Scalars = unsafe extern "C" fn(
    bool,
    i8,
    i16,
    i32,
    i64,
    isize,
    u8,
    u16,
    u32,
    u64,
    usize,
    f32,
    f64,
    CLongLong,
    CULongLong,
) -> f64;

fn sum(f: Scalars) -> f64 {
    // SAFETY: numbers only.
    unsafe { f(true, -2, 3, -4, 5, -6, 7, 8, 9, u64::MAX, 11, 0.5, 0.25, CLongLong(-14), CULongLong(15)) }
}

const SCALARS: &str = "(
    bool a, signed char b, short c, int d, long e, long f, unsigned char g, unsigned short h, unsigned i,
    unsigned long j, unsigned long k, float l, double m, long long n, unsigned long long o) {
  return a + b + c + d + e + f + g + h + i + (j == ~0ul ? 10 : 0) + k + l + m + n + o;
}";

#[test]
fn every_scalar_and_fifteen_arguments_arrive() {
    let expected = 1. - 2. + 3. - 4. + 5. - 6. + 7. + 8. + 9. + 10. + 11. + 0.5 + 0.25 - 14. + 15.;
    let text = format!("double k{SCALARS}");
    compiles::<Scalars>(source(text.clone()));
    runs::<Scalars>(source(text), |f, _| assert_eq!(sum(f), expected));

    let text = format!("double k{}", SCALARS.replace("bool", "_Bool"));
    compiles::<Scalars>(source(text.clone()).language(C));
    runs::<Scalars>(source(text).language(C), |f, _| assert_eq!(sum(f), expected));
}

#[test]
fn fixed_width_names_of_cstdint_are_the_same_types() {
    type Fixed = unsafe extern "C" fn(*const i8, *mut u16, i32, u64, usize, isize, *const *const f64) -> i64;
    let text = "int64_t k(const int8_t *, uint16_t *, int32_t, uint64_t, size_t, ptrdiff_t, const double * const *) {
        return 0;
    }";
    compiles::<Fixed>(
        source(text).include("<cstdint>").include("<cstddef>").preamble("using namespace std;"),
    );
    let text = "int64_t k(const int8_t *a, uint16_t *b, int32_t c, uint64_t d, size_t e, ptrdiff_t f,
                  const double * const *g) {
        return *a + *b + c + (int64_t)(d + e) + f + (int64_t)**g;
    }";
    compiles::<Fixed>(source(text).include("<stdint.h>").include("<stddef.h>").language(C));
}

#[test]
fn no_argument_and_no_result() {
    type Nothing = unsafe extern "C" fn();
    compiles::<Nothing>(source("void k() {}"));
    compiles::<Nothing>(source("void k(void) {}").language(C));
    runs::<Nothing>(source("void k() {}"), |f, _| {
        // SAFETY: does nothing.
        unsafe { f() }
    });
}

const LARGE: Large = Large {
    points: [[1., 2., 3.], [4., 5., 6.]],
    inner: Mixed { weight: 0.5, count: -7, flag: true },
    next: std::ptr::null(),
};

type Structs = unsafe extern "C" fn(Mixed, Large, *const Large, *mut Pair<f64>) -> Mixed;

const STRUCTS: &str = "Mixed k(Mixed m, Large l, const Large *p, Pair_double *pair) {
  Mixed r;
  r.weight = m.weight + l.points[1][2] + p->points[0][1] + l.inner.weight;
  r.count = m.count + l.inner.count + (l.next == 0);
  r.flag = m.flag && p->next == 0;
  pair->first = 3; pair->second = 4;
  return r;
}";

fn structs(f: Structs) {
    let mut pair = Pair { first: 0.0, second: 0.0 };
    let mixed = Mixed { weight: 10.0, count: 3, flag: true };
    // SAFETY: reads and writes what it is given.
    let result = unsafe { f(mixed, LARGE, &LARGE, &mut pair) };
    assert_eq!(result, Mixed { weight: 18.5, count: -3, flag: true });
    assert_eq!((pair.first, pair.second), (3.0, 4.0));
}

#[test]
fn structs_are_defined_and_passed_by_value_and_by_pointer() {
    compiles::<Structs>(source(STRUCTS));
    runs::<Structs>(source(STRUCTS), |f, _| structs(f));
    compiles::<Structs>(source(STRUCTS).language(C));
    runs::<Structs>(source(STRUCTS).language(C), |f, _| structs(f));
}

const OWN_STRUCTS: &str = "struct Mixed { double weight; int count; bool flag; };
struct Large { double points[2][3]; Mixed inner; const Large *next; };
struct Pair_double { double first, second; };
";

#[test]
fn a_whole_unit_defines_its_structs_itself() {
    let text = format!("{OWN_STRUCTS}static {STRUCTS}");
    compiles::<Structs>(whole(text.clone()).preamble("struct Mixed;"));
    runs::<Structs>(whole(text), |f, _| structs(f));

    let c = "typedef struct Mixed { double weight; int count; _Bool flag; } Mixed;
        typedef struct Large { double points[2][3]; Mixed inner; const struct Large *next; } Large;
        typedef struct { double first, second; } Pair_double;
        Mixed k(Mixed m, Large l, const Large *p, Pair_double *pair);\n";
    compiles::<Structs>(whole(c.to_owned() + STRUCTS).language(C));
}

#[test]
fn a_struct_that_differs_from_rusts_is_refused() {
    for (from, to, says) in [
        ("int count", "long count", "struct Mixed"),
        ("int count", "unsigned count", "field count is not of the type int that Rust has"),
        ("double weight; int count;", "int count; double weight;", "field weight is elsewhere in Rust"),
        ("bool flag; }", "bool flag; ~Mixed() {} }", "must be plain data"),
        ("first, second", "first, second, third", "struct Pair_double has another size in Rust: 16"),
    ] {
        let text = OWN_STRUCTS.replace(from, to) + STRUCTS;
        for log in refused::<Structs>(whole(text)) {
            assert!(log.contains(says), "{says}:\n{log}");
        }
    }
}

#[test]
fn a_qualified_struct_is_taken_from_the_users_header() {
    #[repr(C)]
    struct Point {
        x: f64,
    }
    // SAFETY: what the derive would write.
    unsafe impl CxxType for Point {
        fn expr(layouts: &mut Layouts) -> CxxExpr {
            layouts.structure::<Self>(
                "geo::Point",
                |_| {},
                |fields| fields.field::<f64>("x", offset_of!(Self, x)),
            )
        }
    }
    type UsesPoint = unsafe extern "C" fn(*const Point) -> f64;
    let text = "double k(const geo::Point *p) { return p->x; }";
    let header = "namespace geo { struct Point { double x; }; }\n";
    compiles::<UsesPoint>(source(text).header("geo.h", header).include("\"geo.h\""));
    let wrong =
        source::<UsesPoint>(text).header("geo.h", header.replace("double", "long")).include("\"geo.h\"");
    for log in refused(wrong) {
        assert!(log.contains("field x is not of the type double that Rust has"), "{log}");
    }
    let in_c = generated(source::<UsesPoint>(text).language(C)).unwrap_err().to_string();
    assert!(in_c.contains("C has no `::`"), "{in_c}");
}

#[test]
fn alignment_beyond_the_fields_is_kept() {
    type Over = unsafe extern "C" fn(*const Aligned) -> usize;
    let text = "unsigned long k(const Aligned *) { return sizeof(Aligned); }";
    runs::<Over>(source(text), |f, _| {
        // SAFETY: does not read it.
        assert_eq!(unsafe { f(std::ptr::null()) }, 64);
    });
    compiles::<Over>(source(text.replace("*)", "*a)").replace("return", "(void)a; return")).language(C));
}

#[test]
fn callbacks_and_function_pointers() {
    type Apply = unsafe extern "C" fn(
        extern "C" fn(f64) -> f64,
        *const Callbacks,
        Option<unsafe extern "C" fn()>,
    ) -> extern "C" fn(f64) -> f64;
    extern "C" fn twice(x: f64) -> f64 {
        2.0 * x
    }
    unsafe extern "C" fn scale(x: f64, data: *const c_void) -> f64 {
        // SAFETY: the test passes a number.
        x * unsafe { *data.cast::<f64>() }
    }
    let text = "typedef double (*Function)(double);
        static double saved;
        static double result(double x) { return x + saved; }
        Function k(double (*f)(double), const Callbacks *c, void (*none)(void)) {
          saved = f(1.5) + c->scale(2.0, c->data) + (none == 0);
          return &result;
        }";
    let test = |f: Apply| {
        let mut factor = 10.0f64;
        let callbacks = Callbacks { scale: Some(scale), data: (&raw mut factor).cast() };
        // SAFETY: all pointers are valid for the call.
        let result = unsafe { f(twice, &callbacks, None) };
        assert_eq!(result(100.0), 3.0 + 20.0 + 1.0 + 100.0);
    };
    compiles::<Apply>(source(text));
    runs::<Apply>(source(text), |f, _| test(f));
    compiles::<Apply>(source(text).language(C));
    runs::<Apply>(source(text).language(C), |f, _| test(f));
}

#[test]
fn complex_numbers_by_value_and_by_pointer() {
    type Complex = extern "C" fn(Complex64, Complex32, f64) -> Complex64;
    type Single = unsafe extern "C" fn(*const Complex64, Complex32) -> Complex32;
    let z = Complex64 { re: 1.0, im: 2.0 };
    let w = Complex32 { re: 3.0, im: 4.0 };
    let test = |f: Complex| assert_eq!(f(z, w, 2.0), Complex64 { re: 2.0 * -5.0, im: 2.0 * 10.0 });
    // SAFETY: reads `z`.
    let single = |f: Single| assert_eq!(unsafe { f(&z, w) }, Complex32 { re: -5.0, im: 10.0 });

    let text = "std::complex<double> k(std::complex<double> z, std::complex<float> w, double a) {
        return a * z * std::complex<double>(w);
    }";
    compiles::<Complex>(source(text));
    runs::<Complex>(source(text), |f, _| test(f));
    let text = "std::complex<float> k(const std::complex<double> *z, std::complex<float> w) {
        return std::complex<float>(*z) * w;
    }";
    runs::<Single>(source(text), |f, _| single(f));

    let text = "double _Complex k(double _Complex z, float _Complex w, double a) { return a * z * w; }";
    compiles::<Complex>(source(text).language(C));
    runs::<Complex>(source(text).language(C), |f, _| test(f));
    let text =
        "float _Complex k(const double _Complex *z, float _Complex w) { return (float _Complex)*z * w; }";
    runs::<Single>(source(text).language(C), |f, _| single(f));
}

#[test]
fn characters_arrays_and_void() {
    type Pointers =
        unsafe extern "C" fn(*const CChar, *const [f64; 3], *mut [[i32; 2]; 4], *const c_void, *mut *mut f64);
    let text = "void k(const char *, const double (*)[3], int (*)[4][2], const void *, double **) {}";
    compiles::<Pointers>(source(text));
    let text = "void k(const char *a, const double (*b)[3], int (*c)[4][2], const void *d, double **e) {
        (void)a; (void)b; (void)c; (void)d; (void)e;
    }";
    // An array of const is no array of const in C before C23, so gcc objects under -Wpedantic only.
    compiles::<Pointers>(source(text).language(C));
}

#[test]
fn structs_that_cxx_has_not_are_refused() {
    #[repr(C)]
    struct Empty {}
    #[repr(C)]
    struct Keyword {
        class: f64,
    }
    #[repr(C)]
    struct Other {
        x: f64,
    }
    #[repr(C)]
    struct Hollow {
        x: [f64; 0],
        y: c_void,
    }
    described! {
        [] Empty, "Empty" {}
        [] Keyword, "Keyword" { class: f64, }
        [] Other, "Mixed" { x: f64, }
        [] Hollow, "Hollow" { x: [f64; 0], y: c_void, }
    }
    fn problem<T: CxxType>() -> String {
        let k = source::<unsafe extern "C" fn(*const T, *const Mixed)>("");
        generated(k).unwrap_err().to_string()
    }
    assert!(problem::<Empty>().contains("has no size"));
    assert!(problem::<Keyword>().contains("field `class`"));
    assert!(problem::<Other>().contains("two different structs are called `Mixed`"));
    let same = source::<unsafe extern "C" fn(Mixed)>("void Mixed(struct Mixed) {}").entry("Mixed");
    assert!(generated(same).unwrap_err().to_string().contains("have one name"));
    let hollow = problem::<Hollow>();
    assert!(hollow.contains("length 0") && hollow.contains("holds `c_void`"), "{hollow}");
}
