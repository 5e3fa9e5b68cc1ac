//! A hundred kernels at once, none built before.

use std::path::Path;
use std::time::Instant;

use dijitso::KernelSpec;
use dijitso_tests::kernels::Number;

use crate::kernels::Kind;
use crate::programs::{Bench, Numbers, built, jit};
use crate::series::race;
use crate::table::{Row, Target};

const COUNT: u32 = 100;

pub(crate) fn rows(bench: &Bench) -> Vec<Row> {
    let mut rows = Vec::new();
    for (kind, rounds) in [(Kind::Trivial, bench.rounds), (Kind::Cmath11, bench.rounds.div_ceil(2))] {
        let (name, count) = (kind.name(), COUNT.to_string());
        let [ours, theirs] = race(
            rounds,
            [
                Box::new(|_| {
                    let cache = bench.fresh("batch");
                    bench.worker(["batch", name, cache.to_str().expect("a path of text")])["seconds"]
                }),
                Box::new(|_| {
                    if !bench.python {
                        return f64::NAN;
                    }
                    bench.python(&bench.fresh("batch-python"), &["batch", name, &count])["seconds"]
                }),
            ],
        );
        let what = match kind {
            Kind::Trivial => format!("{COUNT} trivial kernels by `load_all`, empty cache"),
            _ => format!("{COUNT} kernels with `<cmath>` in `c++11` by `load_all`, empty cache"),
        };
        let row = Row::new(what, &ours);
        rows.push(match (bench.python, kind) {
            (false, _) => row,
            (true, Kind::Trivial) => row.against("Python dijitso", &theirs).target(Target::Faster(3.0)),
            (true, _) => row.against("Python dijitso", &theirs),
        });
    }
    rows
}

/// Seconds until all are loaded; what is asked of a compiler that is met for the first time is in it.
pub(crate) fn worker(kind: &str, cache: &Path) -> Numbers {
    let kind = Kind::named(kind);
    let specs: Vec<KernelSpec<Number>> = (0..COUNT).map(|i| kind.spec(i)).collect();
    let start = Instant::now();
    let jit = jit(cache);
    let kernels = built(jit.load_all(&specs));
    let seconds = start.elapsed().as_secs_f64();
    assert_eq!((kernels.len(), jit.stats().built), (specs.len(), u64::from(COUNT)));
    Numbers::from([("seconds".to_owned(), seconds)])
}
