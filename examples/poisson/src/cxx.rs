//! Pieces of C++ that both kernels contain.

use itertools::Itertools as _;

/// The simplex with the corners `x[(dim + 1) * dim]`, corner after corner: `det`, the determinant of its
/// edges from corner 0, and `k<a><r>`, component `r` of the gradient of barycentric coordinate `a`, times
/// `det`. `size` is `|det|`, which is `dim!` times the volume.
pub(crate) fn geometry(dim: usize) -> String {
    let mut text = String::new();
    for (r, c) in (0..dim).cartesian_product(0..dim) {
        text += &format!("  const double j{r}{c} = x[{}] - x[{r}];\n", (c + 1) * dim + r);
    }
    for (r, c) in (0..dim).cartesian_product(0..dim) {
        let sign = if (r + c) % 2 == 0 { "" } else { "-" };
        let others = |k: usize| (0..dim).filter(|&l| l != k).collect_vec();
        text += &format!("  const double k{}{r} = {sign}{};\n", c + 1, determinant(&others(r), &others(c)));
    }
    for r in 0..dim {
        let others = (1..=dim).map(|a| format!("k{a}{r}")).join(" + ");
        text += &format!("  const double k0{r} = -({others});\n");
    }
    let det = (0..dim).map(|r| format!("j{r}0 * k1{r}")).join(" + ");
    text + &format!("  const double det = {det};\n  const double size = det < 0 ? -det : det;\n")
}

/// The determinant of these rows and columns of `j`, expanded along the first column.
fn determinant(rows: &[usize], columns: &[usize]) -> String {
    let (c, others) = (columns[0], &columns[1..]);
    if others.is_empty() {
        return format!("j{}{c}", rows[0]);
    }
    let term = |(k, r): (usize, &usize)| {
        let sign = if k % 2 == 0 { "" } else { "-" };
        let below = rows.iter().copied().filter(|l| l != r).collect_vec();
        format!("{sign}j{r}{c} * {}", determinant(&below, others))
    };
    format!("({})", rows.iter().enumerate().map(term).join(" + "))
}

/// A constant table. `{:?}` writes a number with as many digits as it takes to read it back unchanged.
pub(crate) fn table(name: &str, rows: &[Vec<f64>]) -> String {
    let row = |row: &Vec<f64>| format!("    {{{}}}", row.iter().map(|v| format!("{v:?}")).join(", "));
    let text = rows.iter().map(row).join(",\n");
    format!("  static const double {name}[{}][{}] = {{\n{text}}};\n", rows.len(), rows[0].len())
}

/// `n!`; that of the dimension is how many times the unit simplex fits into the unit cube.
pub(crate) fn factorial(n: usize) -> f64 {
    (1..=n).map(|k| k as f64).product()
}
