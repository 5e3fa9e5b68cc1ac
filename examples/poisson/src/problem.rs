//! What is solved: `-div grad u = f` with a solution that we know, and how far from it one is.

use crate::basis::Basis;
use crate::generic::invert;
use crate::mesh::{Mesh, point};
use crate::quadrature::Quadrature;

/// The solution is the wave `sin(1 + K x)`. It is no polynomial, so no element has it exactly.
const K: [f64; 3] = [3.0, 2.0, 1.0];

/// The solution at a point; its values are given on the boundary.
pub(crate) fn solution(x: &[f64]) -> f64 {
    (1.0 + x.iter().zip(K).map(|(x, k)| k * x).sum::<f64>()).sin()
}

/// `f` as a C++ expression in the coordinates `p0`, `p1`, ...
pub(crate) fn source(dim: usize) -> String {
    let square: f64 = K[..dim].iter().map(|k| k * k).sum();
    let phase: String = (0..dim).map(|r| format!(" + {:?} * p{r}", K[r])).collect();
    format!("{square:?} * std::sin(1.0{phase})")
}

/// The square of `u` less the solution, integrated over this rank's simplices, by a rule that is exact for polynomials two
/// degrees above the basis. Over all ranks it sums to the square of the L2 norm.
pub(crate) fn squared_error(basis: &Basis, mesh: &Mesh, u: &[f64]) -> f64 {
    let dim = basis.dim;
    let rule = Quadrature::new(dim, 2 * (basis.degree + 2));
    let values: Vec<Vec<f64>> = rule.points.iter().map(|l| basis.values(l)).collect();
    let (mut inverse, mut sum) = (vec![0.0; dim * dim], 0.0);
    for (nodes, corners) in mesh.own_simplices() {
        let volume = invert(dim, corners, &mut inverse);
        for ((l, phi), weight) in rule.points.iter().zip(&values).zip(&rule.weights) {
            let computed: f64 = nodes.iter().zip(phi).map(|(&node, phi)| u[node as usize] * phi).sum();
            sum += weight * volume * (computed - solution(&point(l, corners))).powi(2);
        }
    }
    sum
}
