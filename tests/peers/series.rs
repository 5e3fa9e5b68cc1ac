//! Measured values, and how they are taken: in turn, so that a machine that becomes slower for a minute is
//! slower for everybody.

/// Values of one thing, in seconds, bytes or pieces.
#[derive(Debug, Clone, Default)]
pub(crate) struct Series {
    values: Vec<f64>,
    /// What was done instead of yielding a value, a word each time.
    troubles: Vec<&'static str>,
}

impl Series {
    pub(crate) fn push(&mut self, value: f64) {
        self.values.push(value);
    }

    /// There is no value because of this: `hang`, `fail`.
    pub(crate) fn trouble(&mut self, what: &'static str) {
        self.troubles.push(what);
    }

    /// Each kind of trouble, how often, and out of how many.
    pub(crate) fn troubles(&self) -> Vec<(&'static str, usize, usize)> {
        let mut kinds = self.troubles.clone();
        kinds.sort_unstable();
        kinds.dedup();
        let all = self.values.len() + self.troubles.len();
        let count = |kind| self.troubles.iter().filter(|trouble| **trouble == kind).count();
        kinds.into_iter().map(|kind| (kind, count(kind), all)).collect()
    }

    pub(crate) fn median(&self) -> f64 {
        let sorted = self.sorted();
        match sorted.len() {
            0 => f64::NAN,
            n if n % 2 == 1 => sorted[n / 2],
            n => (sorted[n / 2 - 1] + sorted[n / 2]) / 2.0,
        }
    }

    pub(crate) fn min(&self) -> f64 {
        self.sorted().first().copied().unwrap_or(f64::NAN)
    }

    pub(crate) fn max(&self) -> f64 {
        self.sorted().last().copied().unwrap_or(f64::NAN)
    }

    fn sorted(&self) -> Vec<f64> {
        let mut sorted = self.values.clone();
        sorted.sort_by(f64::total_cmp);
        sorted
    }
}

impl FromIterator<f64> for Series {
    fn from_iter<I: IntoIterator<Item = f64>>(values: I) -> Series {
        Series { values: values.into_iter().collect(), troubles: Vec::new() }
    }
}

/// One that takes part in a race: called with the number of the round, returns what it measured.
pub(crate) type Entrant<'a> = Box<dyn FnMut(usize) -> f64 + 'a>;

/// Round after round, each entrant once in every round; who begins changes from round to round.
pub(crate) fn race<const N: usize>(rounds: usize, mut entrants: [Entrant<'_>; N]) -> [Series; N] {
    let mut series = std::array::from_fn(|_| Series::default());
    take_turns(rounds, N, |round, n| series[n].push(entrants[n](round)));
    series
}

/// The same for entrants of another kind: calls `run` with the number of the round and that of the entrant.
pub(crate) fn take_turns(rounds: usize, entrants: usize, mut run: impl FnMut(usize, usize)) {
    for round in 0..rounds {
        for turn in 0..entrants {
            run(round, (round + turn) % entrants);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_value_in_the_middle() {
        let series: Series = [3.0, 1.0, 2.0].into_iter().collect();
        assert_eq!((series.min(), series.median(), series.max()), (1.0, 2.0, 3.0));
        let series: Series = [4.0, 1.0, 2.0, 3.0].into_iter().collect();
        assert_eq!(series.median(), 2.5);
        assert!(Series::default().median().is_nan());
    }

    #[test]
    fn troubles_are_counted() {
        let mut series: Series = [1.0, 2.0].into_iter().collect();
        assert_eq!(series.troubles(), []);
        for what in ["hang", "fail", "hang"] {
            series.trouble(what);
        }
        assert_eq!((series.median(), series.troubles()), (1.5, vec![("fail", 1, 5), ("hang", 2, 5)]));
    }

    #[test]
    fn entrants_take_turns() {
        let log = std::cell::RefCell::new(Vec::new());
        let entrant = |name: char| -> Entrant<'_> {
            let log = &log;
            Box::new(move |round| {
                log.borrow_mut().push(name);
                round as f64
            })
        };
        let [a, b] = race(3, [entrant('a'), entrant('b')]);
        assert_eq!(log.borrow().iter().collect::<String>(), "abbaab");
        assert_eq!((a.max(), b.min()), (2.0, 0.0));
    }
}
