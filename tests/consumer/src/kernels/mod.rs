//! The generators, for the crate and for its build script.

mod text;

use dijitso::{KernelSpec, Language, Sign, Source};

/// `y += a * x` over `n` elements.
pub type Axpy = unsafe extern "C" fn(n: usize, a: f64, x: *const f64, y: *mut f64);
/// From numbers to a number.
pub type Number = extern "C" fn(f64) -> f64;

/// How a loop is written.
#[derive(Clone, Copy, Sign)]
pub enum Loop {
    Plain,
    Unrolled(u32),
}

#[dijitso::kernel]
pub fn axpy(shape: Loop) -> Source<Axpy> {
    let step = match shape {
        Loop::Plain => 1,
        Loop::Unrolled(step) => step,
    };
    // SAFETY: reads x[..n], writes y[..n], keeps no state.
    unsafe { Source::new(text::axpy(step)) }.include("<cstddef>")
}

/// The length of a space diagonal.
#[dijitso::kernel]
pub fn diagonal(dimension: u32) -> Source<Number> {
    // SAFETY: arithmetic only.
    unsafe {
        Source::new(format!("double diagonal(double x) {{ return x * std::sqrt({dimension}.0 * FACTOR); }}"))
    }
    .include("<cmath>")
    .include("\"factor.h\"")
}

/// Throws and catches inside, keeps a vector, has state of its own in each thread.
#[dijitso::kernel]
pub fn guarded() -> Source<Number> {
    // SAFETY: arithmetic only.
    unsafe {
        Source::new(dijitso::cxx!(
            r"static const std::vector<double> values{1.0, 2.0, 3.0};
              thread_local int calls = 0;
              double guarded(double x) {
                ++calls;
                try { return values.at(static_cast<std::size_t>(x)) + calls; }
                catch (const std::out_of_range &) { return -1.0; }
              }"
        ))
    }
    .include("<vector>")
    .include("<stdexcept>")
}

/// A kernel that others link to, with a header that they include.
#[dijitso::kernel]
pub fn base() -> Source<()> {
    // SAFETY: as the header declares it.
    unsafe {
        Source::translation_unit(
            "#include \"base.h\"\nint base_value(int x) { return 10 * x; }\nconst int base_offset = 7;",
        )
    }
    .header("base.h", "extern \"C\" { int base_value(int x); extern const int base_offset; }")
    .export("base_value")
    .export("base_offset")
}

#[dijitso::kernel]
pub fn chained() -> Source<Number> {
    // SAFETY: arithmetic only.
    unsafe {
        Source::new("double chained(double x) { return base_value(static_cast<int>(x)) + base_offset; }")
    }
    .include("\"base.h\"")
    .depends_on(&base())
}

/// Not prebuilt, but what it links to is.
#[dijitso::kernel]
pub fn late() -> Source<Number> {
    // SAFETY: arithmetic only.
    unsafe {
        Source::new("double late(double x) { return 2 * (base_value(static_cast<int>(x)) + base_offset); }")
    }
    .include("\"base.h\"")
    .depends_on(&base())
}

/// Units that define a class of one name with other members, and a factory of one name.
pub fn class_of(which: &'static str) -> KernelSpec<()> {
    dijitso::spec!((), "class_of", which, move || {
        // SAFETY: the functions are called as they are declared.
        unsafe { Source::translation_unit(text::class_of(which)) }.export("create_*").export("weights")
    })
}

/// A unit in C.
#[dijitso::kernel]
pub fn table() -> Source<extern "C" fn(i32) -> i32> {
    // SAFETY: arithmetic only.
    unsafe {
        Source::new("int table(int x) { static const int squares[] = {0, 1, 4, 9}; return squares[x & 3]; }")
    }
    .language(Language::C)
}

/// Prebuilt in any number, or not at all.
#[dijitso::kernel]
pub fn extra(n: i32) -> Source<Number> {
    // SAFETY: arithmetic only.
    unsafe { Source::new(format!("double extra(double x) {{ return x + {n}; }}")) }
}
