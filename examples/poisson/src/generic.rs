//! The element matrix as one writes it without a generator, for a dimension and a degree that are known only
//! when the program runs; and how that compares.

use std::error::Error;
use std::hint::black_box;
use std::time::{Duration, Instant};

use dijitso::Kernel;
use itertools::Itertools as _;

use crate::basis::Basis;
use crate::cxx::factorial;
use crate::mesh::Mesh;
use crate::quadrature::Quadrature;
use crate::stiffness::{Stiffness, edge_tensor};

/// By loops over quadrature points, coordinates and nodes, so nested that a compiler can use vectors.
fn over_points(basis: &Basis) -> impl FnMut(&[f64], &mut [f64]) {
    let (dim, n) = (basis.dim, basis.nodes.len());
    let rule = Quadrature::new(dim, 2 * (basis.degree - 1));
    let mut table = Vec::new(); // [point][coordinate][node]: gradients on the unit simplex
    for slopes in rule.points.iter().map(|l| basis.derivatives(l)) {
        for c in 0..dim {
            table.extend(slopes.iter().map(|slope| slope[c + 1] - slope[0]));
        }
    }
    let (mut gradients, mut inverse) = (vec![0.0; dim * n], vec![0.0; dim * dim]);
    move |x, a| {
        let volume = invert(dim, x, &mut inverse);
        a.fill(0.0);
        for (reference, weight) in table.chunks_exact(dim * n).zip(&rule.weights) {
            gradients.fill(0.0);
            for (r, gradient) in gradients.chunks_exact_mut(n).enumerate() {
                for (c, reference) in reference.chunks_exact(n).enumerate() {
                    let factor = inverse[c * dim + r];
                    gradient.iter_mut().zip(reference).for_each(|(g, d)| *g += factor * d);
                }
            }
            for gradient in gradients.chunks_exact(n) {
                for (row, component) in a.chunks_exact_mut(n).zip(gradient) {
                    let factor = weight * volume * component;
                    row.iter_mut().zip(gradient).for_each(|(a, g)| *a += factor * g);
                }
            }
        }
    }
}

/// By the kernel's own formula, a sum over edges, with tables in which every entry is taken for a number.
fn over_edges(basis: &Basis) -> impl FnMut(&[f64], &mut [f64]) {
    let (dim, tensor) = (basis.dim, edge_tensor(basis));
    let mut inverse = vec![0.0; dim * dim];
    move |x, a| {
        let volume = invert(dim, x, &mut inverse);
        // Of barycentric coordinates: the rows of the inverse, and for the first what makes their sum zero.
        let gradient = |v: usize, r: usize| match v.checked_sub(1) {
            Some(c) => inverse[c * dim + r],
            None => -(0..dim).map(|c| inverse[c * dim + r]).sum::<f64>(),
        };
        a.fill(0.0);
        for ([v, w], tensor) in &tensor {
            let factor = -volume * (0..dim).map(|r| gradient(*v, r) * gradient(*w, r)).sum::<f64>();
            a.iter_mut().zip(tensor).for_each(|(a, t)| *a += factor * t);
        }
    }
}

/// The volume of a simplex, and the inverse, row after row, of the matrix whose columns are its first edges.
pub(crate) fn invert(dim: usize, x: &[f64], inverse: &mut [f64]) -> f64 {
    let j = |r: usize, c: usize| x[(c + 1) * dim + r] - x[r];
    for (r, c) in (0..dim).cartesian_product(0..dim) {
        // Counted in a circle, so that the cofactors have their signs.
        let (r1, r2, c1, c2) = ((r + 1) % dim, (r + 2) % dim, (c + 1) % dim, (c + 2) % dim);
        inverse[c * dim + r] = match dim {
            2 if r == c => j(r1, c1),
            2 => -j(r1, c1),
            _ => j(r1, c1) * j(r2, c2) - j(r1, c2) * j(r2, c1),
        };
    }
    let det: f64 = (0..dim).map(|r| j(r, 0) * inverse[r]).sum();
    inverse.iter_mut().for_each(|v| *v /= det);
    det.abs() / factorial(dim)
}

/// Prints how many matrices each makes in a second, if they make the same.
///
/// # Errors
/// They do not.
pub fn race(basis: &Basis, mesh: &Mesh, kernel: &Kernel<Stiffness>) -> Result<(), Box<dyn Error>> {
    // SAFETY: reads the corners of one simplex, writes n * n numbers, for which there is room.
    let mut generated = |x: &[f64], a: &mut [f64]| unsafe { kernel.call(x.as_ptr(), a.as_mut_ptr()) };
    let (mut points, mut edges) = (over_points(basis), over_edges(basis));
    let [mut a, mut b, mut c] = [(); 3].map(|()| vec![0.0; basis.nodes.len() * basis.nodes.len()]);
    for (_, x) in mesh.simplices() {
        generated(x, &mut a);
        points(x, &mut b);
        edges(x, &mut c);
        let largest = b.iter().fold(0.0, |most: f64, v| most.max(v.abs()));
        let same = |b: &[f64]| a.iter().zip(b).all(|(a, b)| (a - b).abs() <= 1e-10 * largest);
        if !same(&b) || !same(&c) {
            return Err("the kernel's matrix is not that of the generic loops".into());
        }
    }
    let kernel = rate(mesh, &mut a, &mut generated);
    println!("element matrices per second:\n  generated kernel                    {kernel:9.2e}");
    let (points, edges) = (rate(mesh, &mut b, &mut points), rate(mesh, &mut c, &mut edges));
    println!("  generic loop over quadrature points {points:9.2e}   speed-up {:.1}", kernel / points);
    println!("  generic loop over edges             {edges:9.2e}   speed-up {:.1}", kernel / edges);
    Ok(())
}

/// The best of several rounds over the mesh, in calls per second.
fn rate(mesh: &Mesh, a: &mut [f64], call: &mut dyn FnMut(&[f64], &mut [f64])) -> f64 {
    let (started, mut best) = (Instant::now(), Duration::MAX);
    while started.elapsed() < Duration::from_millis(100) {
        let round = Instant::now();
        mesh.simplices().for_each(|(_, x)| call(black_box(x), black_box(a)));
        best = best.min(round.elapsed());
    }
    mesh.simplices().len() as f64 / best.as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stiffness::stiffness;

    #[test]
    fn kernels_agree_with_the_generic_loop() {
        let cache = tempfile::tempdir().unwrap();
        let jit = dijitso::Jit::builder().cache_dir(cache.path()).build().unwrap();
        for (dim, degree) in [2, 3].into_iter().cartesian_product(1..=4) {
            let basis = Basis::new(dim, degree);
            race(&basis, &Mesh::new(&basis, 2), &jit.load(&stiffness(dim, degree)).unwrap()).unwrap();
        }
    }
}
