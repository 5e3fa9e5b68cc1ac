//! The kernels of the benches. Names of one kind have the same length: the free compiler exchanges them.

use dijitso::{KernelSpec, Sign, Source};

pub(crate) type Number = extern "C" fn() -> i32;
pub(crate) type Axpy = unsafe extern "C" fn(n: usize, a: f64, x: *const f64, y: *mut f64);

/// The cheapest kernel there is.
pub(crate) fn number(i: u32) -> KernelSpec<Number> {
    let name = format!("k{i:05x}");
    dijitso::spec!(Number, name.clone(), i, move || {
        // SAFETY: has no arguments and no state.
        unsafe { Source::new(format!("int {name}() {{ return {i}; }}\n")) }
    })
}

/// One with a table of doubles.
pub(crate) fn table(i: u32, doubles: u32) -> KernelSpec<Number> {
    let kind = if doubles > 10_000 { 'm' } else { 't' };
    let name = format!("{kind}{i:05x}");
    dijitso::spec!(Number, name.clone(), (i, doubles), move || {
        let text = format!(
            "extern const double values[{doubles}];\nconst double values[{doubles}] = {{1.5}};\n\
             int {name}() {{ volatile int at = 7; return int(values[at]); }}"
        );
        // SAFETY: has no arguments and no state.
        unsafe { Source::new(text) }
    })
}

/// As long as what form compilers write for large forms.
pub(crate) fn long(text: &str) -> KernelSpec<Number> {
    let text = text.to_owned();
    dijitso::spec!(Number, "long_text", text.clone(), move || {
        // SAFETY: has no arguments and no state.
        unsafe { Source::new(text.clone()) }
    })
}

/// 2.6 MB of C++ with many numbers.
pub(crate) fn long_text() -> String {
    let mut text = String::from("static const double values[] = {\n");
    for i in 0..118_000_u32 {
        text += &format!("{:.17},{}", f64::from(i).sin(), if i % 8 == 7 { "\n" } else { " " });
    }
    text + "};\nint long_text() { return int(values[7]); }\n"
}

/// How the loop of [`axpy`] is written.
#[derive(Debug, Clone, Copy, Sign)]
pub(crate) enum Loop {
    Plain,
    Unrolled(u32),
}

/// A kernel declared by attribute.
#[dijitso::kernel]
pub(crate) fn axpy(shape: Loop) -> Source<Axpy> {
    let step = match shape {
        Loop::Plain => 1,
        Loop::Unrolled(step) => step,
    };
    let body: String = (0..step).map(|k| format!("y[i + {k}] += a * x[i + {k}]; ")).collect();
    let text = format!(
        "void axpy(std::size_t n, double a, const double *x, double *y) {{
           std::size_t i = 0;
           for (; i + {step} <= n; i += {step}) {{ {body} }}
           for (; i < n; ++i) y[i] += a * x[i];
         }}"
    );
    // SAFETY: reads x[..n], writes y[..n], keeps no state.
    unsafe { Source::new(text) }.include("<cstddef>")
}
