//! "did you mean": the known name nearest to a misspelt one.

/// The nearest of `known`, if it is near enough to be what was meant.
pub(crate) fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    // A third of the letters may be wrong; with more, every short name would be near every other.
    let limit = (name.chars().count() / 3).clamp(1, 3);
    known.map(|k| (distance(name, k), k)).filter(|(d, _)| *d <= limit).min().map(|(_, k)| k)
}

/// Letters to insert, remove, replace or swap with their neighbour.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows: Vec<Vec<usize>> = vec![(0..=b.len()).collect()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let replace = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = replace.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: [&str; 4] = ["cxx", "cxxflags", "timeout", "include_dirs"];

    #[test]
    fn a_slip_of_the_keyboard_is_recognised() {
        assert_eq!(nearest("cxxflag", KNOWN.into_iter()), Some("cxxflags"));
        assert_eq!(nearest("tiemout", KNOWN.into_iter()), Some("timeout"));
        assert_eq!(nearest("include-dir", KNOWN.into_iter()), Some("include_dirs"));
    }

    #[test]
    fn another_word_is_not() {
        assert_eq!(nearest("colour", KNOWN.into_iter()), None);
        assert_eq!(nearest("", KNOWN.into_iter()), None);
    }
}
