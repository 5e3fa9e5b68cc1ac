//! The linear system: assembled from the kernels' results, solved by preconditioned conjugate gradients.

use std::error::Error;

use dijitso::Kernel;
use sprs::linalg::trisolve::{lsolve_csc_dense_rhs, usolve_csr_dense_rhs};
use sprs::prod::mul_acc_mat_vec_csr;
use sprs::{CsMatI, TriMatI};

use crate::load::Load;
use crate::mesh::Mesh;
use crate::ranks::Ranks;
use crate::stiffness::Stiffness;

/// What `load_all` returns for the two specs.
pub type Kernels = (Kernel<Stiffness>, Kernel<Load>);

/// A symmetric matrix and the right side: on each rank the rows of its own nodes.
pub struct System {
    /// The columns of its own nodes, of which the upper triangle is kept by rows (CSR).
    upper: CsMatI<f64, u32>,
    /// The columns of other ranks' nodes.
    others: CsMatI<f64, u32>,
    right: Vec<f64>,
}

/// Of the preconditioned residual, relative to the first.
const TOLERANCE: f64 = 1e-14;
const MOST_ITERATIONS: usize = 20_000;

impl System {
    /// Adds up the matrices and vectors of all simplices. Where a value is given, the row is that of the
    /// identity, and what the column contributes to others goes to the right side. The rows of other ranks'
    /// nodes are those of the identity, too, with 0 on the right side.
    pub fn assemble(mesh: &Mesh, given: &[Option<f64>], (stiffness, load): &Kernels) -> System {
        let (size, n, own) = (given.len(), mesh.n, &mesh.own);
        let mut right: Vec<f64> = given.iter().map(|value| value.unwrap_or(0.0)).collect();
        let mut upper = TriMatI::<f64, u32>::new((size, size));
        let mut others = TriMatI::<f64, u32>::new((size, size));
        for row in (0..size).filter(|row| given[*row].is_some() || !own[*row]) {
            upper.add_triplet(row, row, 1.0);
            right[row] *= f64::from(u8::from(own[row]));
        }
        let (mut a, mut b) = (vec![0.0; n * n], vec![0.0; n]);
        for (nodes, corners) in mesh.simplices() {
            // SAFETY: the kernels read the corners of one simplex and write n * n and n numbers.
            unsafe {
                stiffness.call(corners.as_ptr(), a.as_mut_ptr());
                load.call(corners.as_ptr(), b.as_mut_ptr());
            }
            let nodes = || nodes.iter().map(|node| *node as usize);
            let rows = nodes().zip(a.chunks_exact(n)).zip(&b);
            for ((row, a), b) in rows.filter(|((row, _), _)| own[*row] && given[*row].is_none()) {
                right[row] += b;
                for (column, a) in nodes().zip(a) {
                    match given[column] {
                        Some(value) => right[row] -= a * value,
                        None if !own[column] => others.add_triplet(row, column, *a),
                        None if column >= row => upper.add_triplet(row, column, *a),
                        None => {}
                    }
                }
            }
        }
        System { upper: upper.to_csr(), others: others.to_csr(), right }
    }

    /// The solution, and how many iterations it took.
    ///
    /// Scaled so that its diagonal is 1, the matrix is `U' + U - I + O`, where `U` is its upper triangle and `O`
    /// are the columns of other ranks. The preconditioner is `U' U` (SSOR). Then the preconditioned matrix is
    /// `inv(U) + inv(U') (I - inv(U) + O inv(U))` (Eisenstat): with the preconditioner an iteration costs no more
    /// than without.
    ///
    /// Values at other ranks' nodes are 0 in all vectors, so that nothing counts twice in a sum, except in
    /// `known`, by which `O` is multiplied, and in the solution.
    ///
    /// # Errors
    /// The same on all ranks: the matrix is singular, or there is no solution after many iterations.
    pub fn solve(mut self, ranks: &impl Ranks) -> Result<(Vec<f64>, usize), Box<dyn Error>> {
        let diagonal: Vec<f64> = self.upper.diag_iter().map(|d| d.copied().unwrap_or(0.0)).collect();
        if ranks.sum(diagonal.iter().filter(|d| **d <= 0.0).count() as f64) > 0.0 {
            return Err("the matrix is singular".into());
        }
        let mut scale: Vec<f64> = diagonal.iter().map(|d| 1.0 / d.sqrt()).collect();
        ranks.exchange(&mut scale);
        for matrix in [&mut self.upper, &mut self.others] {
            for (mut row, factor) in matrix.outer_iterator_mut().zip(&scale) {
                row.iter_mut().for_each(|(column, value)| *value *= factor * scale[column]);
            }
        }
        let (upper, lower) = (self.upper.view(), self.upper.transpose_view());
        let mut residual: Vec<f64> = self.right.iter().zip(&scale).map(|(b, s)| b * s).collect();
        lsolve_csc_dense_rhs(lower, &mut *residual)?;
        let (mut direction, mut x) = (vec![0.0; scale.len()], vec![0.0; scale.len()]);
        let mut norm = ranks.sum(dot(&residual, &residual));
        let (goal, mut beta, mut iterations) = (norm * TOLERANCE * TOLERANCE, 0.0, 0);
        while norm > goal {
            if iterations == MOST_ITERATIONS {
                return Err(format!("no solution after {iterations} iterations").into());
            }
            direction.iter_mut().zip(&residual).for_each(|(p, r)| *p = r + beta * *p);
            let mut first = direction.clone();
            usolve_csr_dense_rhs(upper, &mut *first)?;
            let mut second: Vec<f64> = direction.iter().zip(&first).map(|(p, t)| p - t).collect();
            let mut known = first.clone();
            ranks.exchange(&mut known);
            mul_acc_mat_vec_csr(self.others.view(), &*known, &mut *second);
            lsolve_csc_dense_rhs(lower, &mut *second)?;
            let alpha = norm / ranks.sum(dot(&direction, &first) + dot(&direction, &second));
            x.iter_mut().zip(&direction).for_each(|(x, p)| *x += alpha * p);
            residual.iter_mut().zip(first.iter().zip(&second)).for_each(|(r, (s, t))| *r -= alpha * (s + t));
            let next = ranks.sum(dot(&residual, &residual));
            (beta, norm, iterations) = (next / norm, next, iterations + 1);
        }
        usolve_csr_dense_rhs(upper, &mut *x)?;
        x.iter_mut().zip(&scale).for_each(|(x, s)| *x *= s);
        ranks.exchange(&mut x);
        Ok((x, iterations))
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
