//! The generator of the element matrix, `a[i][j]` = integral of `grad phi_i . grad phi_j` over a simplex.
//!
//! It is a sum over edges of `c * t[i][j]`: `c`, a number, depends on the simplex, and `t`, a table, does not
//! (`README.md` has the formulas). The generator knows `t` and writes the sums out: many terms are zero, many
//! sums are equal, the matrix is symmetric. A compiler that sees loops over tables finds none of this.

use std::collections::HashMap;

use dijitso::Source;
use itertools::Itertools as _;

use crate::basis::Basis;
use crate::cxx;
use crate::quadrature::Quadrature;

/// From the corners `x[(dim + 1) * dim]` of a simplex to its matrix `a[n * n]`, row after row.
pub type Stiffness = unsafe extern "C" fn(x: *const f64, a: *mut f64);

/// Seen outside as `fn stiffness(usize, usize) -> KernelSpec<Stiffness>`; runs only if no cache has it.
#[dijitso::kernel]
pub fn stiffness(dim: usize, degree: usize) -> Source<Stiffness> {
    let text = generate(&Basis::new(dim, degree));
    // Without the flag g++ packs the sums into vectors, and the kernel takes up to half as long again.
    // SAFETY: reads x[..(dim + 1) * dim], writes a[..n * n], keeps no state.
    unsafe { Source::new(text) }.flag("-fno-tree-slp-vectorize")
}

fn generate(basis: &Basis) -> String {
    let (dim, n) = (basis.dim, basis.nodes.len());
    let mut text = String::from("void stiffness(const double *x, double *__restrict a)\n{\n");
    text += &cxx::geometry(dim);
    text += &format!("  const double s = -1 / ({} * size);\n", cxx::factorial(dim));
    for [v, w] in (0..=dim).array_combinations() {
        let dot = (0..dim).map(|r| format!("k{v}{r} * k{w}{r}")).join(" + ");
        text += &format!("  const double c{v}{w} = s * ({dot});\n");
    }
    let tensor = edge_tensor(basis);
    let mut sums = HashMap::new();
    for (i, j) in (0..n).cartesian_product(0..n).filter(|(i, j)| i <= j) {
        let terms = tensor.iter().map(|(edge, t)| (edge, t[i * n + j])).filter(|(_, t)| t.abs() > ROUNDING);
        let terms = terms.collect_vec();
        let key = terms.iter().map(|(edge, t)| (*edge, (t / ROUNDING).round() as i64)).collect_vec();
        let next = format!("t{}", sums.len());
        let sum = sums.entry(key).or_insert_with(|| {
            let sum = terms.iter().map(|([v, w], t)| format!("{t:?} * c{v}{w}")).join(" + ");
            text += &format!("  const double {next} = {};\n", if terms.is_empty() { "0" } else { &sum });
            next
        });
        text += &format!("  a[{}] = {sum};\n", i * n + j);
    }
    // Written out, too, this would double the time to compile, for a tenth less to run.
    text += &format!("  for (int i = 1; i < {n}; ++i)\n    for (int j = 0; j < i; ++j)\n");
    text + &format!("      a[{n} * i + j] = a[{n} * j + i];\n}}\n")
}

/// What differs by less is equal, and was only rounded differently.
const ROUNDING: f64 = 1e-12;

/// `t[i * n + j]` for each edge, integrated exactly.
pub(crate) fn edge_tensor(basis: &Basis) -> Vec<([usize; 2], Vec<f64>)> {
    let rule = Quadrature::new(basis.dim, 2 * (basis.degree - 1));
    let slopes = rule.points.iter().map(|l| basis.derivatives(l)).collect_vec();
    let edge = |[v, w]: [usize; 2]| {
        let along = |slope: &Vec<f64>| slope[w] - slope[v];
        let nodes = (0..basis.nodes.len()).cartesian_product(0..basis.nodes.len());
        let mean = |(i, j): (usize, usize)| {
            slopes.iter().zip(&rule.weights).map(|(d, weight)| weight * along(&d[i]) * along(&d[j])).sum()
        };
        ([v, w], nodes.map(mean).collect())
    };
    (0..=basis.dim).array_combinations().map(edge).collect()
}
