//! The generator of the element vector, `b[i]` = integral of `f phi_i` over a simplex.
//!
//! Here all numbers are needed and different, so they stay tables. The bounds of the loops are constants: the
//! code is as fast as written-out sums, and compiles in a quarter of the time. `f` is inlined.

use dijitso::Source;
use itertools::Itertools as _;

use crate::basis::Basis;
use crate::quadrature::Quadrature;
use crate::{cxx, problem};

/// From the corners `x[(dim + 1) * dim]` of a simplex to its vector `b[n]`.
pub type Load = unsafe extern "C" fn(x: *const f64, b: *mut f64);

/// Seen outside as `fn load(usize, usize) -> KernelSpec<Load>`; runs only if no cache has it.
#[dijitso::kernel]
pub fn load(dim: usize, degree: usize) -> Source<Load> {
    let text = generate(&Basis::new(dim, degree));
    // SAFETY: reads x[..(dim + 1) * dim], writes b[..n], keeps no state.
    unsafe { Source::new(text) }.include("<cmath>")
}

fn generate(basis: &Basis) -> String {
    let (dim, n) = (basis.dim, basis.nodes.len());
    let rule = Quadrature::new(dim, 2 * basis.degree);
    let points = rule.points.len();
    // The weights are folded into the basis.
    let weighted = |(l, weight): (&Vec<f64>, &f64)| basis.values(l).iter().map(|v| v * weight).collect();
    let phi = rule.points.iter().zip(&rule.weights).map(weighted).collect_vec();

    let mut text = String::from("void load(const double *x, double *__restrict b)\n{\n");
    text += &cxx::table("l", &rule.points);
    text += &cxx::table("phi", &phi);
    text += &cxx::geometry(dim);
    text += &format!("  double f[{points}];\n  for (int q = 0; q < {points}; ++q) {{\n");
    for r in 0..dim {
        let coordinate = (0..=dim).map(|a| format!("l[q][{a}] * x[{}]", a * dim + r)).join(" + ");
        text += &format!("    const double p{r} = {coordinate};\n");
    }
    text += &format!("    f[q] = size / {} * {};\n  }}\n", cxx::factorial(dim), problem::source(dim));
    text += &format!("  for (int i = 0; i < {n}; ++i)\n    b[i] = 0;\n");
    text += &format!("  for (int q = 0; q < {points}; ++q)\n    for (int i = 0; i < {n}; ++i)\n");
    text + "      b[i] += f[q] * phi[q][i];\n}\n"
}
