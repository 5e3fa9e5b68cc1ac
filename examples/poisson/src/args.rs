//! What both programs, this one and `poisson-mpi`, are told: which elements, on which meshes.

use clap::value_parser;

/// Options of the command line.
#[derive(clap::Args)]
#[command(about = None, long_about = None)]
pub struct Args {
    /// Dimension of space: 2 or 3.
    #[arg(long, value_parser = value_parser!(u8).range(2..=3))]
    pub dim: u8,
    /// Degree of the polynomials: 1 to 4.
    #[arg(long, value_parser = value_parser!(u8).range(1..=4))]
    pub degree: u8,
    /// Parts along each side in the finest of three meshes, at least 4; the others have a quarter and a
    /// half as many. Each part of a square is 2 triangles, each part of a cube 6 tetrahedra.
    #[arg(long, value_parser = value_parser!(u32).range(4..))]
    pub cells: u32,
}

/// In 3D and with degree 4 their matrix takes 2 GB to assemble.
const MOST_NODES: u32 = 1 << 20;

impl Args {
    /// What is wrong with the options together, for so many ranks, each of which has room for a mesh.
    pub fn check(&self, ranks: u32) -> Result<(), String> {
        let nodes = (f64::from(self.degree) * f64::from(self.cells) + 1.0).powi(self.dim.into());
        let most = u64::from(MOST_NODES) * u64::from(ranks);
        if nodes > most as f64 {
            return Err(format!("--cells {}: that makes {nodes:.1e} nodes, of at most {most}", self.cells));
        }
        Ok(())
    }
}
