//! Real modules that need each other, as FFC hands them to a JIT: ours side by side as far as their
//! dependencies allow, against one after the other with the same flags.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use dijitso::{Cpu, Jit};
use dijitso_tests::corpus::{self, modules};

use crate::programs::{Bench, Numbers, built};
use crate::series::{Series, race};
use crate::table::{Row, Target};

pub(crate) fn rows(bench: &Bench) -> Vec<Row> {
    let Some(root) = corpus::root() else {
        eprintln!("no corpus: FFC's modules are left out (DIJITSO_CORPUS says where it is)");
        return Vec::new();
    };
    let text = root.to_str().expect("a path of text");
    let manifest = root.join("ffc_jit/manifest.json");
    let manifest = manifest.to_str().expect("a path of text");
    let mut link = Series::default();
    let flags = bench.path("flags");
    let mut count = 0.0;
    let [ours, serial, theirs] = race(
        bench.rounds.div_ceil(2),
        [
            Box::new(|_| {
                let cache = bench.fresh("forms");
                let words = ["forms", text, cache.to_str().expect("a path"), flags.to_str().expect("a path")];
                let numbers = bench.worker(words);
                count = numbers["modules"];
                link.push(numbers["compilers"]);
                numbers["seconds"]
            }),
            Box::new(|_| {
                let words = std::fs::read_to_string(&flags).expect("the flags of the first entrant");
                serially(&root, &bench.fresh("serial"), &words)
            }),
            Box::new(|_| {
                if !bench.python {
                    return f64::NAN;
                }
                bench.python(&bench.fresh("forms-python"), &["forms", manifest])["seconds"]
            }),
        ],
    );
    let what = format!("FFC's {count} modules (-O2, empty cache)");
    let mut rows = vec![
        Row::new(&what, &ours)
            .against("`c++` one after the other, same flags", &serial)
            .target(Target::AtMost(0.65)),
    ];
    if bench.python {
        let row = Row::new(&what, &ours).against("Python dijitso, `-O2`", &theirs);
        rows.push(row.target(Target::AtMost(0.65)));
    }
    rows.push(Row::new(&what, &ours).against("sum of our own compilers and linkers", &link));
    rows
}

/// Loads all modules and writes down the flags that they were compiled with.
pub(crate) fn worker(root: &Path, cache: &Path, flags: &Path) -> Numbers {
    let start = Instant::now();
    // The manifest's flags know nothing of this processor, and Python's commands neither.
    let jit = built(Jit::builder().cache_dir(cache).cpu(Cpu::Generic).build());
    let kernels = modules::load(root, &jit).unwrap_or_else(|error| panic!("{error}"));
    let seconds = start.elapsed().as_secs_f64();
    assert_eq!(jit.stats().built, kernels.len() as u64);
    let compilers: f64 = kernels.iter().map(|k| (k.report().compile + k.report().link).as_secs_f64()).sum();
    std::fs::write(flags, recorded(kernels[0].path().expect("a file")).join(" ")).expect("a file");
    Numbers::from([
        ("seconds".to_owned(), seconds),
        ("compilers".to_owned(), compilers),
        ("modules".to_owned(), kernels.len() as f64),
    ])
}

/// The flags of the compiler's command, as the entry tells them; not where it read and wrote.
fn recorded(entry: &Path) -> Vec<String> {
    let mut zip = zip::ZipArchive::new(std::fs::File::open(entry).expect("the entry")).expect("an archive");
    let mut text = String::new();
    zip.by_name("entry.json").expect("entry.json").read_to_string(&mut text).expect("text");
    let value: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let command = value["commands"][0].as_str().expect("a command");
    let words = command.split_whitespace().skip(1);
    words.take_while(|word| !word.starts_with("-ffile-prefix-map")).map(str::to_owned).collect()
}

/// As Python dijitso does it, without Python: for each module one call that compiles and links.
fn serially(root: &Path, out: &Path, flags: &str) -> f64 {
    let folder = root.join("ffc_jit");
    let modules = modules::files(root).unwrap_or_else(|error| panic!("{error}"));
    let include: Vec<PathBuf> = vec![root.join("include"), folder.join("modules")];
    let start = Instant::now();
    for module in &modules {
        let mut command = Command::new(crate::wrapper::REAL);
        command.args(flags.split_whitespace()).arg("-shared");
        command.args(include.iter().map(|dir| format!("-I{}", dir.display())));
        command.arg(&module.source).arg("-o").arg(out.join(format!("lib{}.so", module.name)));
        command.arg(format!("-L{}", out.display())).arg(format!("-Wl,-rpath,{}", out.display()));
        command.args(module.dependencies.iter().map(|name| format!("-l{name}")));
        let status = command.stdin(Stdio::null()).stderr(Stdio::null()).status();
        assert!(status.as_ref().is_ok_and(|s| s.success()), "{command:?}: {status:?}");
    }
    start.elapsed().as_secs_f64()
}
