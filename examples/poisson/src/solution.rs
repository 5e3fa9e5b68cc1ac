//! The solution on one mesh.

use std::error::Error;

use crate::basis::Basis;
use crate::mesh::Mesh;
use crate::problem;
use crate::ranks::Ranks;
use crate::system::{Kernels, System};

/// What was computed on one mesh, or on this rank's part of it.
pub struct Solution {
    /// The mesh, or this rank's part of it.
    pub mesh: Mesh,
    /// The values at the nodes of `mesh`.
    pub u: Vec<f64>,
    /// How many nodes the whole mesh has.
    pub nodes: usize,
    /// How many iterations the solver took.
    pub iterations: usize,
    /// The L2 norm of its error, in K (times m, or m^1.5 in 3D), over the whole mesh.
    pub error: f64,
}

impl Solution {
    /// Assembles and solves.
    ///
    /// # Errors
    /// The same on all ranks: the system has no solution, or none that was found.
    pub fn on(
        mesh: Mesh,
        basis: &Basis,
        kernels: &Kernels,
        ranks: &impl Ranks,
    ) -> Result<Solution, Box<dyn Error>> {
        let given = |(x, boundary): (&Vec<f64>, &bool)| boundary.then(|| problem::solution(x));
        let given: Vec<Option<f64>> = mesh.points.iter().zip(&mesh.boundary).map(given).collect();
        let (u, iterations) = System::assemble(&mesh, &given, kernels).solve(ranks)?;
        let error = ranks.sum(problem::squared_error(basis, &mesh, &u)).sqrt();
        let nodes = ranks.sum(mesh.own.iter().filter(|own| **own).count() as f64) as usize;
        Ok(Solution { mesh, u, nodes, iterations, error })
    }
}
