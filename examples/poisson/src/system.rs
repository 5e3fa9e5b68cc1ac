//! The linear system: assembled from the kernels' results, solved by preconditioned conjugate gradients.

use std::error::Error;

use dijitso::Kernel;
use sprs::linalg::trisolve::{lsolve_csc_dense_rhs, usolve_csr_dense_rhs};
use sprs::{CsMatI, TriMatI};

use crate::load::Load;
use crate::mesh::Mesh;
use crate::stiffness::Stiffness;

/// What `load_all` returns for the two specs.
pub(crate) type Kernels = (Kernel<Stiffness>, Kernel<Load>);

/// A symmetric matrix, of which the upper triangle is kept by rows (CSR), and the right side.
pub(crate) struct System {
    upper: CsMatI<f64, u32>,
    right: Vec<f64>,
}

/// Of the preconditioned residual, relative to the first.
const TOLERANCE: f64 = 1e-14;
const MOST_ITERATIONS: usize = 20_000;

impl System {
    /// Adds up the matrices and vectors of all simplices. Where a value is given, the row is that of the
    /// identity, and what the column contributes to others goes to the right side.
    pub(crate) fn assemble(mesh: &Mesh, given: &[Option<f64>], (stiffness, load): &Kernels) -> System {
        let (size, n) = (given.len(), mesh.n);
        let mut right: Vec<f64> = given.iter().map(|value| value.unwrap_or(0.0)).collect();
        let mut triplets = TriMatI::<f64, u32>::new((size, size));
        (0..size).filter(|row| given[*row].is_some()).for_each(|row| triplets.add_triplet(row, row, 1.0));
        let (mut a, mut b) = (vec![0.0; n * n], vec![0.0; n]);
        for (nodes, corners) in mesh.simplices() {
            // SAFETY: the kernels read the corners of one simplex and write n * n and n numbers.
            unsafe {
                stiffness.call(corners.as_ptr(), a.as_mut_ptr());
                load.call(corners.as_ptr(), b.as_mut_ptr());
            }
            let nodes = || nodes.iter().map(|node| *node as usize);
            let rows = nodes().zip(a.chunks_exact(n)).zip(&b);
            for ((row, a), b) in rows.filter(|((row, _), _)| given[*row].is_none()) {
                right[row] += b;
                for (column, a) in nodes().zip(a) {
                    match given[column] {
                        Some(value) => right[row] -= a * value,
                        None if column >= row => triplets.add_triplet(row, column, *a),
                        None => {}
                    }
                }
            }
        }
        System { upper: triplets.to_csr(), right }
    }

    /// The solution, and how many iterations it took.
    ///
    /// Scaled so that its diagonal is 1, the matrix is `U' + U - I`, where `U` is its upper triangle. The
    /// preconditioner is `U' U` (SSOR). Then the preconditioned matrix is `inv(U) + inv(U') (I - inv(U))`
    /// (Eisenstat): with the preconditioner an iteration costs no more than without.
    pub(crate) fn solve(mut self) -> Result<(Vec<f64>, usize), Box<dyn Error>> {
        let scale: Vec<f64> = self.upper.diag_iter().map(|d| 1.0 / d.map_or(1.0, |d| d.sqrt())).collect();
        for (mut row, factor) in self.upper.outer_iterator_mut().zip(&scale) {
            row.iter_mut().for_each(|(column, value)| *value *= factor * scale[column]);
        }
        let (upper, lower) = (self.upper.view(), self.upper.transpose_view());
        let mut residual: Vec<f64> = self.right.iter().zip(&scale).map(|(b, s)| b * s).collect();
        lsolve_csc_dense_rhs(lower, &mut *residual)?;
        let (mut direction, mut x) = (vec![0.0; scale.len()], vec![0.0; scale.len()]);
        let mut norm = dot(&residual, &residual);
        let (goal, mut beta, mut iterations) = (norm * TOLERANCE * TOLERANCE, 0.0, 0);
        while norm > goal {
            if iterations == MOST_ITERATIONS {
                return Err(format!("no solution after {iterations} iterations").into());
            }
            direction.iter_mut().zip(&residual).for_each(|(p, r)| *p = r + beta * *p);
            let mut first = direction.clone();
            usolve_csr_dense_rhs(upper, &mut *first)?;
            let mut second: Vec<f64> = direction.iter().zip(&first).map(|(p, t)| p - t).collect();
            lsolve_csc_dense_rhs(lower, &mut *second)?;
            let alpha = norm / (dot(&direction, &first) + dot(&direction, &second));
            x.iter_mut().zip(&direction).for_each(|(x, p)| *x += alpha * p);
            residual.iter_mut().zip(first.iter().zip(&second)).for_each(|(r, (s, t))| *r -= alpha * (s + t));
            let next = dot(&residual, &residual);
            (beta, norm, iterations) = (next / norm, next, iterations + 1);
        }
        usolve_csr_dense_rhs(upper, &mut *x)?;
        x.iter_mut().zip(&scale).for_each(|(x, s)| *x *= s);
        Ok((x, iterations))
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
