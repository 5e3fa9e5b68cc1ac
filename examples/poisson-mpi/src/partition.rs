//! The parts of the mesh: which rank owns which nodes, and which it needs besides.
//!
//! The square or cube of small ones that the mesh is made of (see `poisson::Mesh`) is divided into blocks, one for each
//! rank. All this follows from four numbers, so each rank finds out for itself what it will send and receive, and
//! nobody says a word.

use std::ops::Range;

use itertools::Itertools as _;
use poisson::{Basis, Block, Mesh};

/// A mesh divided among ranks.
pub struct Partition {
    degree: usize,
    cells: usize,
    /// The cubes of each rank; of no length along all sides where there are more ranks than cubes.
    blocks: Vec<Block>,
}

/// What a rank exchanges with another one, as numbers of nodes in its own part of the mesh, in an order that is the
/// same on both.
pub struct Link {
    /// The other rank.
    pub rank: usize,
    /// Its own nodes that the other one needs.
    pub send: Vec<usize>,
    /// The other one's nodes that it needs.
    pub receive: Vec<usize>,
}

impl Partition {
    /// Divides a mesh with `cells` parts along each side.
    pub fn new(basis: &Basis, cells: usize, ranks: usize) -> Partition {
        let blocks = divide(vec![0..cells; basis.dim], ranks);
        Partition { degree: basis.degree, cells, blocks }
    }

    /// A rank's part of the mesh: all simplices that have one of its nodes, so that it can compute whole rows of the
    /// matrix. Those in the last layer of its neighbours' cubes they compute, too.
    pub fn mesh(&self, basis: &Basis, rank: usize) -> Mesh {
        let mut mesh = Mesh::of(basis, self.cells, &self.cubes(rank));
        mesh.own.fill(false);
        for node in numbers(&self.owned(rank), &self.needed(rank)) {
            mesh.own[node] = true;
        }
        mesh
    }

    /// The ranks that a rank has something to exchange with.
    pub fn links(&self, rank: usize) -> Vec<Link> {
        let needed = self.needed(rank);
        let link = |other| Link {
            rank: other,
            send: numbers(&common(&self.owned(rank), &self.needed(other)), &needed),
            receive: numbers(&common(&self.owned(other), &needed), &needed),
        };
        let others = (0..self.blocks.len()).filter(|other| *other != rank).map(link);
        others.filter(|link| !link.send.is_empty() || !link.receive.is_empty()).collect()
    }

    /// The places of a rank's own nodes in the lattice of all nodes: those on its cubes, less the upper faces, which are
    /// the next cubes' if there are any.
    fn owned(&self, rank: usize) -> Block {
        let last = |cube: usize| if cube == self.cells { self.degree * cube + 1 } else { self.degree * cube };
        self.blocks[rank].iter().map(|side| self.degree * side.start..last(side.end)).collect()
    }

    /// The cubes that have one of its nodes.
    fn cubes(&self, rank: usize) -> Block {
        self.blocks[rank].iter().map(|side| side.start.saturating_sub(1)..side.end).collect()
    }

    /// The nodes on these cubes: its own, and the others that its rows of the matrix have columns for.
    fn needed(&self, rank: usize) -> Block {
        let places = |side: &Range<usize>| match side.is_empty() {
            true => 0..0,
            false => self.degree * side.start..self.degree * side.end + 1,
        };
        self.cubes(rank).iter().map(places).collect()
    }
}

/// Cuts a block across its longest side, in proportion to the ranks on either side, until each has one.
fn divide(mut block: Block, ranks: usize) -> Vec<Block> {
    if ranks == 1 {
        if block.iter().any(Range::is_empty) {
            block.fill(0..0);
        }
        return vec![block];
    }
    let side = block.iter().position_max_by_key(|side| side.len()).unwrap_or_default();
    let first = ranks.div_ceil(2);
    let cut = block[side].start + (block[side].len() * first).div_ceil(ranks);
    let mut rest = block.clone();
    (block[side].end, rest[side].start) = (cut, cut);
    [divide(block, first), divide(rest, ranks - first)].concat()
}

/// What two blocks have in common.
fn common(a: &Block, b: &Block) -> Block {
    a.iter().zip(b).map(|(a, b)| a.start.max(b.start)..a.end.min(b.end)).collect()
}

/// The numbers of the places of a block, where they are counted within another one.
fn numbers(block: &Block, within: &Block) -> Vec<usize> {
    let number = |place: Vec<usize>| {
        place.iter().zip(within).fold(0, |number, (place, side)| number * side.len() + place - side.start)
    };
    block.iter().cloned().multi_cartesian_product().map(number).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Meshes on numbers of ranks; on the first, some ranks of 8 have nothing.
    fn for_each_case(check: impl Fn(&Basis, usize, &Partition)) {
        let kinds = [(2, 1, 1), (2, 1, 5), (2, 2, 3), (2, 4, 2), (3, 1, 2), (3, 1, 4), (3, 3, 2)];
        for ((dim, degree, cells), ranks) in kinds.into_iter().cartesian_product([1, 2, 3, 4, 5, 8, 13]) {
            let basis = Basis::new(dim, degree);
            check(&basis, cells, &Partition::new(&basis, cells, ranks));
        }
    }

    fn meshes(basis: &Basis, partition: &Partition) -> Vec<Mesh> {
        (0..partition.blocks.len()).map(|rank| partition.mesh(basis, rank)).collect()
    }

    fn own(mesh: &Mesh) -> usize {
        mesh.own.iter().filter(|own| **own).count()
    }

    #[test]
    fn every_node_and_every_simplex_is_somebodys() {
        for_each_case(|basis, cells, partition| {
            let (whole, parts) = (Mesh::new(basis, cells), meshes(basis, partition));
            assert_eq!(parts.iter().map(own).sum::<usize>(), whole.points.len());
            let simplices = parts.iter().map(|part| part.own_simplices().count()).sum::<usize>();
            assert_eq!(simplices, whole.simplices().len());
        });
    }

    #[test]
    fn what_is_sent_is_what_is_received_and_all_that_is_needed() {
        for_each_case(|basis, _, partition| {
            let parts = meshes(basis, partition);
            for (rank, part) in parts.iter().enumerate() {
                let mut known = part.own.clone();
                for link in partition.links(rank) {
                    let back = partition.links(link.rank).into_iter().find(|back| back.rank == rank).unwrap();
                    assert_eq!(link.receive.len(), back.send.len());
                    for (here, there) in link.receive.iter().zip(back.send) {
                        assert!(!known[*here] && parts[link.rank].own[there]);
                        known[*here] = true;
                        let [x, y] = [&part.points[*here], &parts[link.rank].points[there]];
                        assert!(x.iter().zip(y).all(|(x, y)| (x - y).abs() < 1e-14));
                    }
                }
                assert!(known.iter().all(|known| *known));
            }
        });
    }

    #[test]
    fn parts_are_as_small_as_there_are_many() {
        let basis = Basis::new(3, 2);
        let largest = |ranks| {
            let parts = meshes(&basis, &Partition::new(&basis, 8, ranks));
            (parts.iter().map(own).max().unwrap(), parts.iter().map(|part| part.points.len()).max().unwrap())
        };
        assert_eq!(largest(1), (17 * 17 * 17, 17 * 17 * 17));
        assert_eq!(largest(2), (9 * 17 * 17, 11 * 17 * 17));
        assert_eq!(largest(8), (9 * 9 * 9, 11 * 11 * 11));
    }
}
