//! The table: what was compared, and whether it is as good as it must be.

use std::fmt;

use crate::series::Series;

/// What the values of a row are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    /// Seconds.
    Time,
    /// Bytes.
    Bytes,
    /// Pieces.
    Count,
}

/// What a row must reach.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Target {
    /// Ours is at most so many times theirs.
    AtMost(f64),
    /// Ours is at least so many times faster than theirs.
    Faster(f64),
    /// Ours, whatever theirs is, is at most this.
    Limit(f64),
    /// Nothing: the row is there to be read.
    None,
}

/// One comparison.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) what: String,
    pub(crate) unit: Unit,
    pub(crate) ours: Series,
    /// Whose, and their values.
    pub(crate) theirs: Option<(&'static str, Series)>,
    pub(crate) target: Target,
}

impl Row {
    pub(crate) fn new(what: impl Into<String>, ours: &Series) -> Row {
        Row { what: what.into(), unit: Unit::Time, ours: ours.clone(), theirs: None, target: Target::None }
    }

    pub(crate) fn unit(mut self, unit: Unit) -> Row {
        self.unit = unit;
        self
    }

    pub(crate) fn against(mut self, name: &'static str, theirs: &Series) -> Row {
        self.theirs = Some((name, theirs.clone()));
        self
    }

    pub(crate) fn target(mut self, target: Target) -> Row {
        self.target = target;
        self
    }

    fn they_never_succeed(&self) -> bool {
        self.theirs.as_ref().is_some_and(|(_, of)| of.median().is_nan() && !of.troubles().is_empty())
    }

    /// Ours in parts of theirs, by medians.
    fn ratio(&self) -> Option<f64> {
        let (_, theirs) = self.theirs.as_ref()?;
        let ratio = self.ours.median() / theirs.median();
        ratio.is_finite().then_some(ratio)
    }

    /// `None` if there is no target.
    pub(crate) fn met(&self) -> Option<bool> {
        // Ours must not hang, however fast it is otherwise.
        if self.target != Target::None && !self.ours.troubles().is_empty() {
            return Some(false);
        }
        let ahead = matches!(self.target, Target::AtMost(_) | Target::Faster(_));
        // Who gets there is ahead of who never does.
        if ahead && self.they_never_succeed() {
            return Some(self.ours.median().is_finite());
        }
        // What could not be compared is not met.
        match self.target {
            Target::AtMost(most) => Some(self.ratio().is_some_and(|ratio| ratio <= most)),
            Target::Faster(times) => Some(self.ratio().is_some_and(|ratio| 1.0 / ratio >= times)),
            Target::Limit(most) => Some(self.ours.median() <= most),
            Target::None => None,
        }
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, theirs) = match &self.theirs {
            Some((name, theirs)) => (*name, values(theirs, self.unit)),
            None => ("", String::new()),
        };
        let ratio = match (self.ratio(), self.target) {
            (None, _) => String::new(),
            (Some(ratio), Target::Faster(_)) => format!("{} times faster", digits(1.0 / ratio)),
            (Some(ratio), _) => digits(ratio),
        };
        let target = match self.target {
            Target::AtMost(most) => format!("at most {most}"),
            Target::Faster(times) => format!("at least {times} times faster"),
            Target::Limit(most) => format!("at most {}", value(most, self.unit)),
            Target::None => String::new(),
        };
        let met = self.met().map_or("", |met| if met { "yes" } else { "**no**" });
        let ours = values(&self.ours, self.unit);
        write!(f, "| {} | {ours} | {name} | {theirs} | {ratio} | {target} | {met} |", self.what)
    }
}

pub(crate) const HEADING: &str = "\
| what | ours: median (min to max) | compared with | theirs: median (min to max) | ratio | target | met |
|---|---|---|---|---|---|---|";

fn values(series: &Series, unit: Unit) -> String {
    let [median, min, max] = [series.median(), series.min(), series.max()].map(|v| value(v, unit));
    let troubles =
        series.troubles().into_iter().map(|(what, count, all)| format!("{what}s in {count} of {all}"));
    let mut parts: Vec<String> = troubles.collect();
    if !series.median().is_nan() || parts.is_empty() {
        parts.insert(0, if min == max { median } else { format!("{median} ({min} to {max})") });
    }
    parts.join("; ")
}

fn value(value: f64, unit: Unit) -> String {
    let (scaled, name) = match unit {
        Unit::Count => return digits(value),
        Unit::Time => scale(value, &[(1.0, "s"), (1e-3, "ms"), (1e-6, "us"), (1e-9, "ns")]),
        Unit::Bytes => scale(value, &[(1e6, "MB"), (1e3, "kB"), (1.0, "B")]),
    };
    format!("{} {name}", digits(scaled))
}

/// In the largest unit of which it is at least one; the smallest, if it is less than all.
fn scale(value: f64, units: &[(f64, &'static str)]) -> (f64, &'static str) {
    let fits = |unit: &&(f64, &str)| value.abs() >= unit.0;
    let (size, name) = units.iter().find(fits).or(units.last()).copied().unwrap_or((1.0, ""));
    (value / size, name)
}

/// Three digits that count.
fn digits(value: f64) -> String {
    match value.abs() {
        v if !v.is_finite() => "?".to_owned(),
        v if v >= 99.95 || v == 0.0 => format!("{value:.0}"),
        v if v >= 9.995 => format!("{value:.1}"),
        v if v >= 0.0995 => format!("{value:.2}"),
        _ => format!("{value:.4}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(values: &[f64]) -> Series {
        values.iter().copied().collect()
    }

    #[test]
    fn a_row_shows_medians_extremes_ratio_and_verdict() {
        let row = Row::new("cold", &series(&[0.020, 0.018, 0.030]))
            .against("c++", &series(&[0.040, 0.040, 0.040]))
            .target(Target::AtMost(0.75));
        assert_eq!(
            row.to_string(),
            "| cold | 20.0 ms (18.0 ms to 30.0 ms) | c++ | 40.0 ms | 0.50 | at most 0.75 | yes |"
        );
        assert_eq!(row.target(Target::AtMost(0.4)).met(), Some(false));
    }

    #[test]
    fn faster_is_theirs_over_ours() {
        let row = Row::new("hit", &series(&[2e-7])).against("Python", &series(&[2e-5]));
        let row = row.target(Target::Faster(40.0));
        let expected =
            "| hit | 200 ns | Python | 20.0 us | 100 times faster | at least 40 times faster | yes |";
        assert_eq!(row.to_string(), expected);
        assert_eq!(row.target(Target::Faster(101.0)).met(), Some(false));
    }

    #[test]
    fn a_limit_needs_nobody_else() {
        let row = Row::new("memory", &series(&[150e6])).unit(Unit::Bytes).target(Target::Limit(200e6));
        assert_eq!(row.to_string(), "| memory | 150 MB |  |  |  | at most 200 MB | yes |");
        let row = Row::new("descriptors", &series(&[1.0])).unit(Unit::Count).target(Target::Limit(0.0));
        assert_eq!(row.to_string(), "| descriptors | 1.00 |  |  |  | at most 0 | **no** |");
    }

    #[test]
    fn who_hangs_or_fails_is_shown_with_it() {
        let mut theirs = series(&[0.040]);
        theirs.trouble("hang");
        let row = Row::new("cold", &series(&[0.020])).against("Python", &theirs).target(Target::AtMost(1.0));
        assert_eq!(
            row.to_string(),
            "| cold | 20.0 ms | Python | 40.0 ms; hangs in 1 of 2 | 0.50 | at most 1 | yes |"
        );
        let mut theirs = Series::default();
        theirs.trouble("fail");
        let row = Row::new("cold", &series(&[0.020])).against("Python", &theirs).target(Target::AtMost(1.0));
        assert_eq!(row.to_string(), "| cold | 20.0 ms | Python | fails in 1 of 1 |  | at most 1 | yes |");
        let mut ours = Series::default();
        ours.trouble("hang");
        assert_eq!(Row { ours: ours.clone(), ..row.clone() }.met(), Some(false));
        ours.push(0.001);
        assert_eq!(Row { ours, ..row }.met(), Some(false), "even if it hangs only sometimes");
    }

    #[test]
    fn what_was_not_measured_is_not_met() {
        let row = Row::new("x", &Series::default()).against("y", &series(&[1.0]));
        assert_eq!(row.clone().target(Target::AtMost(1.0)).met(), Some(false));
        assert_eq!(row.clone().target(Target::Faster(1.0)).met(), Some(false));
        assert_eq!(row.clone().target(Target::Limit(1.0)).met(), Some(false));
        assert_eq!(row.met(), None);
    }
}
