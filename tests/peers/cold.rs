//! Kernels that nobody built before, one at a time.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::kernels::{Kind, large, large_text};
use crate::programs::{Bench, built, said, settle};
use crate::series::{Series, race};
use crate::table::{Row, Target};
use crate::wrapper::{REAL, Wrapper};

pub(crate) fn rows(bench: &Bench) -> Vec<Row> {
    let mut rows = one(bench, Kind::Trivial, bench.rounds * 4, Some(0.75));
    rows.extend(one(bench, Kind::Cmath, bench.rounds * 2, Some(0.95)));
    rows.extend(one(bench, Kind::Cmath11, bench.rounds * 2, None));
    rows.extend(overhead(bench));
    rows
}

/// A cold kernel against one call of the compiler on the same text.
fn one(bench: &Bench, kind: Kind, rounds: usize, target: Option<f64>) -> Vec<Row> {
    let name = kind.name();
    let jit = bench.jit(&bench.path("cold"));
    built(jit.load(&kind.spec(0)));
    let number = |round: usize| u32::try_from(round + 1).expect("few rounds");
    let (source, floor_source) = (bench.path("bare.cpp"), bench.path("floor.cpp"));
    let (library, assembly) = (bench.path("bare.so"), bench.path("floor.s"));
    let compiler = PathBuf::from(said(REAL, &["-print-prog-name=cc1plus"]).expect("a compiler"));
    let gcc = compiler.is_absolute();
    let [ours, bare, floor, theirs] = race(
        rounds,
        [
            Box::new(|round| {
                let start = Instant::now();
                let kernel = built(jit.load(&kind.spec(number(round))));
                let elapsed = start.elapsed().as_secs_f64();
                assert_eq!(kernel.origin(), dijitso::KernelOrigin::Built);
                elapsed
            }),
            Box::new(|round| {
                std::fs::write(&source, kind.whole(number(round))).expect("a file");
                let mut command = Command::new(REAL);
                command.args(kind.std()).args(["-O2", "-shared", "-fPIC", "-o"]).args([&library, &source]);
                timed(&mut command)
            }),
            Box::new(|round| {
                std::fs::write(&floor_source, kind.whole(number(round))).expect("a file");
                let mut command = Command::new(if gcc { compiler.as_path() } else { Path::new(REAL) });
                if gcc {
                    // The driver tells it these two.
                    command.args(["-quiet", "-D_GNU_SOURCE", "-imultiarch", &multiarch()]);
                } else {
                    command.arg("-S");
                }
                command.args(kind.std()).args(["-O2", "-fPIC", "-o"]).args([&assembly, &floor_source]);
                timed(&mut command)
            }),
            Box::new(|round| {
                let number = number(round).to_string();
                let cache = bench.path(format!("cold-python-{name}"));
                // It says `-std=c++11` always.
                let python = bench.python && kind != Kind::Cmath;
                if python { bench.python(&cache, &["cold", name, &number])["seconds"] } else { f64::NAN }
            }),
        ],
    );
    let what = match kind {
        Kind::Trivial => "cold trivial kernel",
        Kind::Cmath => "cold kernel with `<cmath>`",
        Kind::Cmath11 => "cold kernel with `<cmath>` in `c++11`",
    };
    let mut rows = vec![
        Row::new(what, &ours)
            .against("`c++ -O2 -shared -fPIC`", &bare)
            .target(target.map_or(Target::None, Target::AtMost)),
        Row::new(what, &ours).against("`cc1plus -O2` alone", &floor),
    ];
    if bench.python && kind != Kind::Cmath {
        rows.push(Row::new(what, &ours).against("Python dijitso", &theirs));
    }
    rows
}

fn multiarch() -> String {
    said(REAL, &["-print-multiarch"]).unwrap_or_default()
}

fn timed(command: &mut Command) -> f64 {
    let start = Instant::now();
    let status = command.stdin(Stdio::null()).status();
    let elapsed = start.elapsed().as_secs_f64();
    assert!(status.as_ref().is_ok_and(|s| s.success()), "{command:?}: {status:?}");
    elapsed
}

/// What a large source costs beside its compilation, which a wrapper around the compiler measures (its own
/// start counts as ours) and the engine reports.
fn overhead(bench: &Bench) -> Vec<Row> {
    let wrapper = Wrapper::install(&bench.fresh("wrapper"));
    settle();
    let words = wrapper.path.to_str().expect("a path of text");
    let (cache, peer) = (bench.path("large"), bench.path("large-python"));
    let jit = built(bench.builder(&cache).cxx(words).build());
    built(jit.load(&Kind::Trivial.spec(1)));
    wrapper.taken();
    let file = bench.path("large.cpp");
    let mut reported = Series::default();
    let mut loads = Series::default();
    let mut bytes = 0;
    let [ours, theirs] = race(
        bench.rounds,
        [
            Box::new(|round| {
                let text = large_text(round as u32);
                bytes = text.len();
                let spec = large(&text);
                let start = Instant::now();
                let kernel = built(jit.load(&spec));
                let elapsed = start.elapsed().as_secs_f64();
                let report = kernel.report();
                let link = report.link.as_secs_f64();
                loads.push(elapsed);
                reported.push(elapsed - report.compile.as_secs_f64() - link);
                // The linker is started by the compiler or without it: the report knows both.
                elapsed - wrapper.taken()[0] - link
            }),
            Box::new(|round| {
                if !bench.python {
                    return f64::NAN;
                }
                std::fs::write(&file, large_text(1000 + round as u32)).expect("a file");
                let [name, file] = [&format!("large{round}"), file.to_str().expect("a path of text")];
                let elapsed = bench.python(&peer, &["large", name, file, words])["seconds"];
                elapsed - wrapper.taken().iter().sum::<f64>()
            }),
        ],
    );
    let what =
        format!("own time for a source of {:.1} MB (compiler measured by a wrapper)", bytes as f64 / 1e6);
    let mut row = Row::new(what, &ours).target(Target::Limit(0.020));
    if bench.python {
        row = row.against("Python dijitso", &theirs);
    }
    vec![
        row,
        Row::new("the same by `Kernel::report`", &reported),
        Row::new("the same with the compiler's time", &loads),
    ]
}
