//! Simplex meshes of the unit square and cube, with the nodes of all degrees.

use std::ops::Range;

use itertools::Itertools as _;

use crate::basis::Basis;

/// A mesh of simplices with numbered nodes.
///
/// The square or cube is cut into `cells` parts along each side, and each part into `dim!` simplices, one for
/// each way from its first corner to its last along its edges (Kuhn). Then all nodes are points of one
/// integer lattice with `degree * cells` steps along each side, and the place in the lattice is a node's
/// number: simplices that share an edge or a face agree on the nodes there, however they are turned.
pub struct Mesh {
    pub(crate) dim: usize,
    /// How many nodes a simplex has.
    pub(crate) n: usize,
    /// The nodes of each simplex, in the order of its basis.
    nodes: Vec<u32>,
    /// The corners of each simplex, as kernels take them.
    corners: Vec<f64>,
    /// The coordinates of each node.
    pub points: Vec<Vec<f64>>,
    /// Whether each node lies on the boundary.
    pub boundary: Vec<bool>,
    /// Whether the value at each node is computed on this rank: all are, unless the mesh is a part of one.
    pub own: Vec<bool>,
}

/// A block of a lattice, or of the parts that the mesh is cut into: a range along each side.
pub type Block = Vec<Range<usize>>;

impl Mesh {
    /// The whole mesh.
    pub fn new(basis: &Basis, cells: usize) -> Mesh {
        Mesh::of(basis, cells, &vec![0..cells; basis.dim])
    }

    /// The simplices in a block of the `cells` parts along each side, and the nodes on these, whose numbers
    /// count in the same order from 0.
    pub fn of(basis: &Basis, cells: usize, block: &Block) -> Mesh {
        let (dim, n, degree) = (basis.dim, basis.nodes.len(), basis.degree);
        let side = |range: &Range<usize>| if range.is_empty() { 0 } else { degree * range.len() + 1 };
        let size = block.iter().map(side).product();
        let (points, boundary, own) = (vec![Vec::new(); size], vec![false; size], vec![true; size]);
        let mut mesh = Mesh { dim, n, nodes: Vec::new(), corners: Vec::new(), points, boundary, own };
        let cubes = block.iter().cloned().multi_cartesian_product();
        for (cube, way) in cubes.cartesian_product((0..dim).permutations(dim)) {
            let moved = |v: usize, r: usize| cube[r] + usize::from(way[..v].contains(&r));
            let mut places = (0..=dim).map(|v| (0..dim).map(|r| moved(v, r)).collect_vec()).collect_vec();
            if way.iter().array_combinations().filter(|[a, b]| a > b).count() % 2 == 1 {
                places.swap(0, 1); // or its volume would be negative, which VTK does not like
            }
            let corners = places.iter().flat_map(|place| bend(place, cells)).collect_vec();
            for (node, l) in basis.nodes.iter().zip(&basis.points) {
                let along = |r: usize| node.iter().zip(&places).map(|(m, place)| m * place[r]).sum::<usize>();
                let place = (0..dim).map(along).collect_vec();
                let within =
                    place.iter().zip(block).map(|(p, range)| (p - degree * range.start, side(range)));
                let number = within.fold(0, |number, (p, side)| number * side + p);
                mesh.nodes.push(number as u32);
                mesh.boundary[number] = place.iter().any(|&p| p == 0 || p == degree * cells);
                mesh.points[number] = point(l, &corners);
            }
            mesh.corners.extend(corners);
        }
        mesh
    }

    /// Nodes and corners of each simplex.
    pub fn simplices(&self) -> impl ExactSizeIterator<Item = (&[u32], &[f64])> {
        self.nodes.chunks_exact(self.n).zip(self.corners.chunks_exact((self.dim + 1) * self.dim))
    }

    /// Those of this rank: where several ranks have a simplex, it belongs to the one whose its first node is.
    pub fn own_simplices(&self) -> impl Iterator<Item = (&[u32], &[f64])> {
        let first = |nodes: &[u32]| nodes.iter().min().copied().unwrap_or_default();
        self.simplices().filter(move |(nodes, _)| self.own[first(nodes) as usize])
    }
}

/// The point with the barycentric coordinates `l` in the simplex with these corners.
pub(crate) fn point(l: &[f64], corners: &[f64]) -> Vec<f64> {
    let corners = corners.chunks_exact(l.len() - 1);
    (0..l.len() - 1).map(|r| l.iter().zip(corners.clone()).map(|(l, corner)| l * corner[r]).sum()).collect()
}

/// Where a corner lies: moved inside, so that no two simplices are alike and no kernel can profit from it.
fn bend(place: &[usize], cells: usize) -> Vec<f64> {
    let even = place.iter().map(|&p| p as f64 / cells as f64).collect_vec();
    let shift: f64 = 0.05 * even.iter().map(|x| (std::f64::consts::PI * x).sin()).product::<f64>();
    even.iter().enumerate().map(|(r, x)| if r % 2 == 0 { x + shift } else { x - shift }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generic::invert;

    #[test]
    fn simplices_fill_the_cube_and_share_their_nodes() {
        for (dim, degree) in [2, 3].into_iter().cartesian_product(1..=4) {
            let basis = Basis::new(dim, degree);
            let mesh = Mesh::new(&basis, 3);
            let (side, power) = (degree * 3 + 1, dim as u32);
            assert_eq!(mesh.points.iter().filter(|x| x.len() == dim).count(), side.pow(power));
            assert_eq!(mesh.boundary.iter().filter(|b| !**b).count(), (side - 2).pow(power));
            let mut volume = 0.0;
            for (nodes, corners) in mesh.simplices() {
                volume += invert(dim, corners, &mut vec![0.0; dim * dim]);
                for (&node, l) in nodes.iter().zip(&basis.points) {
                    let there = &mesh.points[node as usize];
                    assert!(point(l, corners).iter().zip(there).all(|(x, y)| (x - y).abs() < 1e-14));
                }
            }
            assert!((volume - 1.0).abs() < 1e-12);
        }
    }
}
