//! A reference file: the inputs of a form's integrals, and the tensors they must give.

use std::path::Path;

use serde::Deserialize;

/// What is known about one form.
#[derive(Debug, Deserialize)]
pub struct Reference {
    /// The form.
    pub name: String,
    /// C++: the factory function.
    pub factory: Option<String>,
    /// C: the data symbol.
    pub form_object: Option<String>,
    /// `ffc_jit`: the module that holds the form.
    pub module: Option<String>,
    /// What the form says of itself.
    pub form_signature: String,
    /// Rank of the tensors.
    pub rank: i32,
    /// Largest permitted difference, relative to the largest entry.
    pub tolerance: f64,
    /// Every integral, facet by facet.
    pub integrals: Vec<Integral>,
}

/// One call.
#[derive(Debug, Deserialize)]
pub struct Integral {
    /// What is integrated over.
    pub kind: Kind,
    /// C: the name of the function.
    pub kernel: Option<String>,
    /// The arguments by name.
    pub args: Args,
    /// The tensor, row by row.
    #[serde(rename = "A")]
    pub a: Vec<f64>,
}

/// What is integrated over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A cell.
    Cell,
    /// A facet on the boundary.
    ExteriorFacet,
    /// A facet between two cells.
    InteriorFacet,
}

/// Arguments of `tabulate_tensor`, of the C++ and of the C interface.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Args {
    /// Vertices of the cell (C: of both cells).
    pub coordinate_dofs: Vec<f64>,
    /// C++: vertices of the first cell.
    pub coordinate_dofs_0: Vec<f64>,
    /// C++: vertices of the second cell.
    pub coordinate_dofs_1: Vec<f64>,
    /// C++: local number of the facet.
    pub facet: usize,
    /// C++: local number in the first cell.
    pub facet_0: usize,
    /// C++: local number in the second cell.
    pub facet_1: usize,
    /// C++: orientation of the cell.
    pub cell_orientation: i32,
    /// C++: orientation of the first cell.
    pub cell_orientation_0: i32,
    /// C++: orientation of the second cell.
    pub cell_orientation_1: i32,
    /// Coefficients.
    pub w: Option<Coefficients>,
    /// C: constants.
    pub c: Option<Vec<f64>>,
    /// C: local numbers of the facet.
    pub entity_local_index: Option<Vec<i32>>,
    /// C: permutations of the facet.
    pub quadrature_permutation: Option<Vec<u8>>,
}

/// C++ has an array for each coefficient, C one for all.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub enum Coefficients {
    /// One array (an empty list reads as this, too).
    Flat(Vec<f64>),
    /// An array for each.
    Each(Vec<Vec<f64>>),
}

/// How many values behind a tensor are checked to be left alone.
const GUARD: usize = 8;

impl Reference {
    /// Reads a file.
    ///
    /// # Errors
    /// Says which file is not as expected.
    pub fn read(path: &Path) -> Result<Reference, String> {
        let text = super::read(path)?;
        serde_json::from_str(&text).map_err(|e| format!("{}: {e}", path.display()))
    }

    /// Calls `tabulate` for every integral, with a tensor filled with `fill`, and compares. Returns the
    /// largest difference found.
    ///
    /// # Errors
    /// The first integral that differs, or that `tabulate` refuses.
    pub fn compare(
        &self,
        fill: f64,
        mut tabulate: impl FnMut(&Integral, *mut f64) -> Result<(), String>,
    ) -> Result<f64, String> {
        let mut worst = 0.0_f64;
        for (number, integral) in self.integrals.iter().enumerate() {
            let size = integral.a.len();
            let mut a = vec![fill; size + GUARD];
            a[size..].fill(f64::INFINITY);
            let what = format!("{}, integral {number} ({:?})", self.name, integral.kind);
            tabulate(integral, a.as_mut_ptr()).map_err(|e| format!("{what}: {e}"))?;
            if a[size..].iter().any(|v| *v != f64::INFINITY) {
                return Err(format!("{what}: the kernel wrote behind its tensor"));
            }
            let largest = integral.a.iter().fold(0.0_f64, |m, v| m.max(v.abs()));
            for (i, (a, b)) in a.iter().zip(&integral.a).enumerate() {
                let difference = (a - b).abs() / largest;
                if difference.is_nan() || difference > self.tolerance {
                    return Err(format!("{what}: entry {i} is {a:e} instead of {b:e}"));
                }
                worst = worst.max(difference);
            }
        }
        Ok(worst)
    }
}
