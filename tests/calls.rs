//! What a loaded kernel can do: arguments of every kind, exports, exceptions, C.

use dijitso::{Complex64, CxxType, Error, KernelSpec, Language, Source};
use dijitso_tests::kernels::Number;

use crate::harness::Place;

/// One kernel of each arity: adds its arguments.
#[test]
fn kernels_take_up_to_15_arguments() {
    fn spec<F: dijitso::KernelFn>(n: usize) -> KernelSpec<F> {
        let name = format!("sum{n}");
        let parameters: Vec<String> = (0..n).map(|i| format!("double a{i}")).collect();
        let sum: String = (0..n).map(|i| format!(" + {} * a{i}", i + 1)).collect();
        let text = format!("double {name}({}) {{ return 0.5{sum}; }}", parameters.join(", "));
        // SAFETY: has no pointers and no state.
        KernelSpec::new(&name, (), move || unsafe { Source::new(text.clone()) }).package("dijitso-tests", "1")
    }
    macro_rules! arities {
        ($jit:ident: $($n:literal => ($($value:literal),*) $expected:literal;)*) => {$({
            let kernel = $jit.load(&spec::<extern "C" fn($(arities!(@type $value)),*) -> f64>($n)).unwrap();
            assert_eq!(kernel.call($($value),*), $expected, "arity {}", $n);
        })*};
        (@type $value:literal) => { f64 };
    }
    let place = Place::new();
    let jit = place.jit();
    arities! { jit:
        0 => () 0.5;
        1 => (1.) 1.5;
        2 => (1., 1.) 3.5;
        3 => (1., 1., 1.) 6.5;
        4 => (1., 1., 1., 1.) 10.5;
        5 => (1., 1., 1., 1., 1.) 15.5;
        6 => (1., 1., 1., 1., 1., 1.) 21.5;
        7 => (1., 1., 1., 1., 1., 1., 1.) 28.5;
        8 => (1., 1., 1., 1., 1., 1., 1., 1.) 36.5;
        9 => (1., 1., 1., 1., 1., 1., 1., 1., 1.) 45.5;
        10 => (1., 1., 1., 1., 1., 1., 1., 1., 1., 1.) 55.5;
        11 => (1., 1., 1., 1., 1., 1., 1., 1., 1., 1., 1.) 66.5;
        12 => (1., 1., 1., 1., 1., 1., 1., 1., 1., 1., 1., 1.) 78.5;
        13 => (1., 1., 1., 1., 1., 1., 1., 1., 1., 1., 1., 1., 1.) 91.5;
        14 => (1., 1., 1., 1., 1., 1., 1., 1., 1., 1., 1., 1., 1., 1.) 105.5;
        15 => (1., 1., 1., 1., 1., 1., 1., 1., 1., 1., 1., 1., 1., 1., 2.) 135.5;
    }
}

#[derive(Debug, Clone, Copy, PartialEq, CxxType)]
#[repr(C)]
struct Cell {
    number: u32,
    corners: [f64; 3],
    inside: bool,
}

#[test]
fn arguments_of_every_kind_arrive_as_they_were_sent() {
    type Mixed = unsafe extern "C" fn(
        i8,
        u8,
        i16,
        u16,
        i32,
        u32,
        i64,
        u64,
        f32,
        bool,
        *const Cell,
        Cell,
        *mut f64,
    ) -> f64;
    let text = "double mixed(std::int8_t a, std::uint8_t b, std::int16_t c, std::uint16_t d, std::int32_t e,
  std::uint32_t f, std::int64_t g, std::uint64_t h, float i, bool j, const Cell *k, Cell l, double *out) {
  out[0] = a; out[1] = b; out[2] = c; out[3] = d; out[4] = e; out[5] = f; out[6] = double(g); out[7] = double(h);
  out[8] = i; out[9] = j; out[10] = k->corners[2]; out[11] = l.number; out[12] = l.inside;
  return k->corners[0] + l.corners[1];
}";
    // SAFETY: reads one cell, writes 13 values.
    let spec: KernelSpec<Mixed> =
        KernelSpec::new("mixed", (), move || unsafe { Source::new(text) }.include("<cstdint>"));
    let place = Place::new();
    let kernel = place.jit().load(&spec).unwrap();
    let cell = Cell { number: 7, corners: [0.25, 0.5, 0.75], inside: true };
    let mut out = [0.0; 13];
    // SAFETY: one cell, 13 values.
    let sum =
        unsafe { kernel.call(-1, 255, -2, 65535, -3, 4, -5, 6, 1.5, true, &cell, cell, out.as_mut_ptr()) };
    assert_eq!(out, [-1., 255., -2., 65535., -3., 4., -5., 6., 1.5, 1., 0.75, 7., 1.]);
    assert_eq!(sum, 0.75);
}

#[test]
fn structs_and_complex_numbers_come_back_by_value() {
    type Middle = extern "C" fn(Cell) -> Cell;
    let text = "Cell middle(Cell c) { c.corners[1] = 9; c.inside = !c.inside; return c; }";
    // SAFETY: has no pointers and no state.
    let spec: KernelSpec<Middle> = KernelSpec::new("middle", (), move || unsafe { Source::new(text) });
    let place = Place::new();
    let jit = place.jit();
    let cell = jit.load(&spec).unwrap().call(Cell { number: 1, corners: [1., 2., 3.], inside: false });
    assert_eq!(cell, Cell { number: 1, corners: [1., 9., 3.], inside: true });

    type Rotate = extern "C" fn(Complex64) -> Complex64;
    let text =
        "std::complex<double> rotate(std::complex<double> z) { return z * std::complex<double>(0, 1); }";
    // SAFETY: has no pointers and no state.
    let spec: KernelSpec<Rotate> =
        KernelSpec::new("rotate", (), move || unsafe { Source::new(text) }.include("<complex>"));
    let z = jit.load(&spec).unwrap().call(Complex64 { re: 2.0, im: 3.0 });
    assert_eq!((z.re, z.im), (-3.0, 2.0));
}

#[test]
fn kernels_may_call_back() {
    type Apply = unsafe extern "C" fn(f: unsafe extern "C" fn(f64) -> f64, x: f64) -> f64;
    let text = "double apply(double (*f)(double), double x) { return f(f(x)); }";
    // SAFETY: calls `f` twice.
    let spec: KernelSpec<Apply> = KernelSpec::new("apply", (), move || unsafe { Source::new(text) });
    unsafe extern "C" fn twice(x: f64) -> f64 {
        2.0 * x
    }
    let place = Place::new();
    let kernel = place.jit().load(&spec).unwrap();
    // SAFETY: `twice` takes any number.
    assert_eq!(unsafe { kernel.call(twice, 5.0) }, 20.0);
}

/// What the fast link must not break: unwinding inside the kernel, constructors, thread-local state.
#[test]
fn kernels_may_throw_and_catch_hold_a_vector_and_be_thread_local() {
    let text = r#"
static std::vector<int> table = {1, 2, 3, 4};
static thread_local int calls = 10;
struct Guard { int *n; ~Guard() { ++*n; } };
int everything() {
  int unwound = 0;
  try {
    Guard guard{&unwound};
    if (table.at(99)) return -1;
  } catch (const std::out_of_range &) {
    return ++calls * 1000 + unwound * 100 + std::accumulate(table.begin(), table.end(), 0);
  }
  return -2;
}"#;
    let spec: KernelSpec<Number> = KernelSpec::new("everything", (), move || {
        // SAFETY: its state is thread-local or constant.
        unsafe { Source::new(text) }.include("<vector>").include("<stdexcept>").include("<numeric>")
    });
    let place = Place::new();
    for jit in [place.jit(), place.jit()] {
        let kernel = jit.load(&spec).unwrap();
        let first = kernel.call() - 110;
        assert_eq!(kernel.call() - first, 1110, "a second call on this thread counts on");
        let elsewhere = std::thread::scope(|s| s.spawn(|| kernel.call()).join().unwrap());
        assert_eq!(elsewhere, 11110, "another thread counts for itself");
    }
}

#[test]
fn the_mathematics_library_is_found() {
    type Root = extern "C" fn(f64) -> f64;
    let spec: KernelSpec<Root> = KernelSpec::new("bessel", (), || {
        // SAFETY: has no pointers and no state.
        unsafe { Source::new("double bessel(double x) { return std::cyl_bessel_j(0, x) + std::tgamma(x); }") }
            .include("<cmath>")
            .std("c++17")
    });
    let place = Place::new();
    let value = place.jit().load(&spec).unwrap().call(1.0);
    assert!((value - 1.765_197_686_557_966_6).abs() < 1e-12, "{value}");
}

#[test]
fn other_exports_are_found_by_name_and_a_missing_one_lists_them() {
    let place = Place::new();
    let spec: KernelSpec<()> = KernelSpec::new("exports", (), || {
        let text = "extern \"C\" { int two() { return 2; }  extern const double weights[3]; const double weights[3] = {1, 2, 3};
int hidden() { return 3; } }";
        // SAFETY: `two` has no arguments, `weights` is constant.
        unsafe { Source::translation_unit(text) }.export("two").export("weights")
    });
    let kernel = place.jit().load(&spec).unwrap();
    // SAFETY: the source defines `int two()`.
    let two = unsafe { kernel.function::<extern "C" fn() -> i32>("two") }.unwrap();
    assert_eq!(two(), 2);
    let weights = kernel.data::<[f64; 3]>("weights").unwrap();
    // SAFETY: the source defines three doubles.
    assert_eq!(unsafe { *weights.as_ref() }, [1.0, 2.0, 3.0]);
    assert!(kernel.data::<[f64; 4]>("weights").is_err(), "larger than the symbol");
    // SAFETY: it is not there.
    let error = unsafe { kernel.function::<extern "C" fn() -> i32>("hidden") }.unwrap_err();
    let text = error.to_string();
    assert!(matches!(error, Error::Symbol { .. }), "{error:?}");
    assert!(text.contains("`hidden`") && text.contains("two") && text.contains("weights"), "{text}");
}

#[test]
fn generated_c_is_a_kernel_too() {
    type Scale = unsafe extern "C" fn(n: usize, x: *mut f64);
    let spec: KernelSpec<Scale> = KernelSpec::new("scale_c", 3, || {
        let text = "void scale_c(size_t n, double *restrict x) { for (size_t i = 0; i < n; ++i) x[i] *= 3; }";
        // SAFETY: reads and writes x[..n].
        unsafe { Source::new(text) }.include("<stddef.h>").language(Language::C).std("c17")
    });
    let place = Place::new();
    let kernel = place.jit().load(&spec).unwrap();
    let mut x = [1.0, 2.0];
    // SAFETY: 2 elements.
    unsafe { kernel.call(2, x.as_mut_ptr()) };
    assert_eq!(x, [3.0, 6.0]);
}

#[test]
fn preambles_defines_flags_and_headers_reach_the_compiler() {
    let spec: KernelSpec<Number> = KernelSpec::new("all_parts", (), || {
        // SAFETY: has no arguments and no state.
        unsafe { Source::new("int all_parts() { return ONE + two + THREE + FOUR; }") }
            .define("ONE", "1")
            .preamble("static const int two = 2;")
            .flag("-DTHREE=3")
            .header("four.h", "#define FOUR 4\n")
            .include("\"four.h\"")
    });
    let place = Place::new();
    assert_eq!(place.jit().load(&spec).unwrap().call(), 10);
}

#[test]
fn text_spliced_from_parts_keeps_its_order() {
    let spec: KernelSpec<Number> = KernelSpec::new("spliced", (), || {
        let mut text = dijitso::cxx!(r"int spliced() { int sum = 0;");
        for i in 1..=4 {
            text.push(format!(" sum += {i};\n"));
        }
        // SAFETY: has no arguments and no state.
        unsafe { Source::new(text + dijitso::cxx!(r" return sum; }")) }
    });
    let place = Place::new();
    assert_eq!(place.jit().load(&spec).unwrap().call(), 10);
}
