//! Quadrature on a simplex, exact for polynomials up to any degree in any dimension.

use crate::basis::Basis;
use crate::cxx::factorial;

/// Points in barycentric coordinates, and weights that sum to 1.
///
/// The rule is Grundmann's and Moeller's: lattices of points, symmetric in all corners, with one weight for
/// each lattice. Every second weight is negative, which costs a digit or two at the degrees used here.
pub(crate) struct Quadrature {
    pub(crate) points: Vec<Vec<f64>>,
    pub(crate) weights: Vec<f64>,
}

impl Quadrature {
    pub(crate) fn new(dim: usize, degree: usize) -> Quadrature {
        let (mut points, mut weights) = (Vec::new(), Vec::new());
        let (finest, exact) = (degree / 2, degree / 2 * 2 + 1);
        for coarser in 0..=finest {
            let size = (exact + dim - 2 * coarser) as f64;
            let sign = if coarser % 2 == 0 { 1.0 } else { -1.0 };
            let weight = sign * (size / 2.0).powi(exact as i32) * 2.0 * factorial(dim)
                / (factorial(coarser) * factorial(exact + dim - coarser));
            for node in Basis::new(dim, finest - coarser).nodes {
                points.push(node.iter().map(|&m| (2 * m + 1) as f64 / size).collect());
                weights.push(weight);
            }
        }
        Quadrature { points, weights }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The mean of `l[0]^m[0] * l[1]^m[1] ..` over a simplex is `dim! * m! / (dim + |m|)!`.
    #[test]
    fn monomials_up_to_the_degree_are_integrated_exactly() {
        for (dim, degree) in (1..=3).flat_map(|dim| (0..=12).map(move |degree| (dim, degree))) {
            let rule = Quadrature::new(dim, degree);
            for m in Basis::new(dim, degree).nodes {
                let monomial =
                    |l: &Vec<f64>| l.iter().zip(&m).map(|(l, m)| l.powi(*m as i32)).product::<f64>();
                let sum: f64 = rule.points.iter().zip(&rule.weights).map(|(l, w)| w * monomial(l)).sum();
                let mean = factorial(dim) * m.iter().map(|m| factorial(*m)).product::<f64>();
                assert!((sum * factorial(dim + degree) / mean - 1.0).abs() < 1e-9, "{dim} {m:?}: {sum}");
            }
        }
    }
}
