//! How fast the error falls: the same problem on three meshes.

use std::error::Error;
use std::fmt;
use std::time::Instant;

use crate::solution::Solution;

/// What solving on three meshes, finer and finer, came to.
pub struct Study {
    /// On the finest mesh.
    pub last: Solution,
    /// The power of the mesh's width by which the error fell from the second mesh to the third.
    pub order: f64,
}

impl Study {
    /// Calls `solve` for a quarter, half, and all of `cells` parts along each side, and `say` with a line about each.
    ///
    /// # Errors
    /// Those of `solve`.
    pub fn new(
        cells: usize,
        say: impl Fn(&str),
        solve: impl Fn(usize) -> Result<Solution, Box<dyn Error>>,
    ) -> Result<Study, Box<dyn Error>> {
        let timed = |cells: usize| -> Result<Solution, Box<dyn Error>> {
            let started = Instant::now();
            let solution = solve(cells)?;
            let Solution { nodes, iterations, error, .. } = solution;
            let seconds = started.elapsed().as_secs_f64();
            say(&format!("{cells:5} {nodes:9} {iterations:11}  {error:9.3e} {seconds:8.2}"));
            Ok(solution)
        };
        say("cells     nodes  iterations   L2 error  seconds");
        timed(cells.div_ceil(4))?;
        let half = cells.div_ceil(2);
        let before = timed(half)?.error;
        let last = timed(cells)?;
        let order = (before / last.error).ln() / (cells as f64 / half as f64).ln();
        Ok(Study { last, order })
    }
}

/// The two lines that scripts read.
impl fmt::Display for Study {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "order {:.3}\nL2 error {:.6e}", self.order, self.last.error)
    }
}
