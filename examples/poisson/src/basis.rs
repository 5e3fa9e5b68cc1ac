//! Lagrange's basis on a simplex, of any degree in any dimension.
//!
//! A point is given by its barycentric coordinates `l[0..=dim]`, which sum to 1. A node is a point of the
//! lattice: integers `m[0..=dim]` with sum `degree`, for the point `l = m / degree`.

use itertools::Itertools as _;

/// The polynomials of one degree, each 1 at its own node and 0 at the others.
pub struct Basis {
    /// Of space.
    pub dim: usize,
    /// Of the polynomials.
    pub degree: usize,
    /// The integers `m` of each node, and the point `l`. Of degree 1 they are the corners, in their order.
    pub(crate) nodes: Vec<Vec<usize>>,
    pub(crate) points: Vec<Vec<f64>>,
}

impl Basis {
    /// The basis of a degree, in a dimension.
    pub fn new(dim: usize, degree: usize) -> Basis {
        let mut nodes = Vec::new();
        for node in (0..dim).map(|_| 0..=degree).multi_cartesian_product() {
            if let Some(first) = degree.checked_sub(node.iter().sum()) {
                nodes.push([first].into_iter().chain(node.into_iter().rev()).collect_vec());
            }
        }
        let point = |node: &Vec<usize>| node.iter().map(|&m| m as f64 / degree as f64).collect();
        Basis { dim, degree, points: nodes.iter().map(point).collect(), nodes }
    }

    /// The value of each function at a point.
    pub(crate) fn values(&self, l: &[f64]) -> Vec<f64> {
        let value = |node: &Vec<usize>| (0..l.len()).map(|a| self.factor(node[a], l[a]).0).product();
        self.nodes.iter().map(value).collect()
    }

    /// `[node][a]`: the derivative of each function by `l[a]`, as if the coordinates were independent. Along
    /// the simplex only differences mean something: that by `l[b]` less that by `l[a]` is the derivative
    /// along the edge from corner `a` to corner `b`.
    pub(crate) fn derivatives(&self, l: &[f64]) -> Vec<Vec<f64>> {
        let factor = |node: &[usize], a: usize, by: usize| {
            let (value, slope) = self.factor(node[a], l[a]);
            if a == by { slope } else { value }
        };
        let derivative = |node: &[usize], by| (0..l.len()).map(|a| factor(node, a, by)).product();
        self.nodes.iter().map(|node| (0..l.len()).map(|by| derivative(node, by)).collect()).collect()
    }

    /// One coordinate's part, 0 at `0/degree, .., (m - 1)/degree` and 1 at `m/degree`, and its derivative.
    fn factor(&self, m: usize, l: f64) -> (f64, f64) {
        let degree = self.degree as f64;
        (0..m).map(|k| k as f64).fold((1.0, 0.0), |(value, slope), k| {
            let (next, next_slope) = ((degree * l - k) / (k + 1.0), degree / (k + 1.0));
            (value * next, slope * next + value * next_slope)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_one_at_their_node_and_together_and_their_gradients_sum_to_zero() {
        for (dim, degree) in (1..=4).cartesian_product(1..=5) {
            let basis = Basis::new(dim, degree);
            for (i, l) in basis.points.iter().enumerate() {
                let unit = (0..basis.nodes.len()).map(|j| f64::from(u8::from(i == j)));
                assert!(basis.values(l).iter().zip(unit).all(|(v, unit)| (v - unit).abs() < 1e-12));
            }
            let l = (1..=dim + 1).map(|a| a as f64 / ((dim + 1) * (dim + 2) / 2) as f64).collect_vec();
            assert!((basis.values(&l).iter().sum::<f64>() - 1.0).abs() < 1e-12);
            assert!(basis.derivatives(&l).iter().map(|d| d[dim] - d[0]).sum::<f64>().abs() < 1e-11);
        }
    }
}
