//! The generator, shared by the program and its `build.rs`.

use dijitso::Source;

/// Evaluates a polynomial at `n` points: coefficients from the constant up.
pub(crate) type Horner = unsafe extern "C" fn(n: usize, coefficients: *const f64, x: *const f64, y: *mut f64);

/// The degrees that are compiled ahead of time.
pub(crate) const DEGREES: [usize; 4] = [1, 2, 3, 8];

/// Horner's rule for one degree, with the coefficients in registers.
#[dijitso::kernel]
pub(crate) fn horner(degree: usize) -> Source<Horner> {
    let values: String = (0..=degree).map(|k| format!("const double c{k} = c[{k}];\n")).collect();
    let rule = (0..degree).rev().fold(format!("c{degree}"), |rule, k| format!("({rule} * x[i] + c{k})"));
    let text = format!(
        "void horner(std::size_t n, const double *c, const double *x, double *y) {{
           {values}
           for (std::size_t i = 0; i < n; ++i) y[i] = {rule};
         }}"
    );
    // SAFETY: reads c[..=degree] and x[..n], writes y[..n], keeps no state.
    unsafe { Source::new(text) }.include("<cstddef>")
}
