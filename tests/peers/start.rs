//! A whole program that needs one kernel: warm, and the very first time.

use std::path::Path;

use crate::kernels::Kind;
use crate::programs::{Bench, Numbers, built, jit, own, python, started_by, whole};
use crate::series::{Series, race};
use crate::table::{Row, Target, Unit};

pub(crate) fn rows(bench: &Bench) -> Vec<Row> {
    let (cache, peer) = (bench.path("start"), bench.path("start-python"));
    let ours = || own(["program".as_ref(), cache.as_os_str()]);
    let theirs = || python(&peer, &["program"]);
    whole(&mut ours());
    if bench.python {
        whole(&mut theirs());
    }
    let mut imports = Series::default();
    let [warm, warm_peer] = race(
        bench.rounds * 3,
        [
            Box::new(|_| whole(&mut ours())),
            Box::new(|_| if bench.python { whole(&mut theirs()) } else { f64::NAN }),
        ],
    );
    // Before its first kernel there is nothing in the cache, and the compiler is not known.
    let [first, first_peer] = race(
        bench.rounds,
        [
            Box::new(|_| whole(&mut own(["program".as_ref(), bench.fresh("first").as_os_str()]))),
            Box::new(|_| {
                if bench.python { whole(&mut python(&bench.fresh("first"), &["program"])) } else { f64::NAN }
            }),
        ],
    );
    let what = "whole program, one kernel, warm";
    let mut rows = Vec::new();
    if bench.python {
        for _ in 0..bench.rounds {
            imports.push(bench.python(&peer, &["program"])["import"]);
        }
        rows.push(Row::new(what, &warm).against("Python dijitso", &warm_peer).target(Target::Faster(15.0)));
        rows.push(Row::new(what, &warm).against("Python's `import dijitso` alone", &imports));
        let row = Row::new("whole program, one trivial kernel, empty cache", &first);
        rows.push(row.against("Python dijitso", &first_peer));
    } else {
        rows.push(Row::new(what, &warm));
        rows.push(Row::new("whole program, one trivial kernel, empty cache", &first));
    }
    if let Some(started) = started_by(&ours(), &bench.path("strace")) {
        let row = Row::new("processes that the warm program starts", &[started].into_iter().collect());
        rows.push(row.unit(Unit::Count).target(Target::Limit(0.0)));
    }
    rows
}

/// What a program does that needs one kernel.
pub(crate) fn worker(cache: &Path) -> Numbers {
    let jit = jit(cache);
    assert!(built(jit.load(&Kind::Trivial.spec(1))).call() > 0);
    Numbers::from([("processes".to_owned(), jit.stats().processes as f64)])
}
