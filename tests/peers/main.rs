//! The engine beside its peers: Python dijitso and the bare tools, in one table from one run.
//!
//! `tests/peers/run` builds and calls it. Every number is a median over rounds in which all contestants of a
//! row take turns; what depends on the state of a process is measured in a process of its own.

mod batch;
mod cold;
mod command;
mod forms;
mod growth;
mod hits;
mod kernels;
mod launch;
mod machine;
mod programs;
mod ranks;
mod series;
mod start;
mod table;
mod wrapper;

use std::path::{Path, PathBuf};

use crate::programs::{Bench, Numbers};
use crate::table::Row;

const USAGE: &str = "\
usage: peers [--rounds N] [--without-python] [--mpi PROGRAM] [--ranks N,N ..] [PART ..]
parts: hits start cold batch forms mpi growth command; all of them if none is named
PROGRAM is `mpi-peers`, without which the part `mpi` is left out";

/// A part of the table.
type Part = (&'static str, fn(&Bench) -> Vec<Row>);

const PARTS: [Part; 8] = [
    ("hits", hits::rows),
    ("start", start::rows),
    ("cold", cold::rows),
    ("batch", batch::rows),
    ("forms", forms::rows),
    ("mpi", ranks::rows),
    ("growth", growth::rows),
    ("command", command::rows),
];

fn main() {
    wrapper::run_if_named();
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    if let ["worker", rest @ ..] = words.as_slice() {
        println!("{}", serde_json::to_string(&worker(rest)).expect("JSON"));
    } else {
        table(&words);
    }
}

fn worker(words: &[&str]) -> Numbers {
    match *words {
        ["memory", part, cache] => hits::memory_worker(part, Path::new(cache)),
        ["calls", cache] => hits::calls_worker(Path::new(cache)),
        ["disk", size, cache] => hits::disk_worker(size, Path::new(cache)),
        ["bare", list] => hits::bare_worker(Path::new(list)),
        ["program", cache] => start::worker(Path::new(cache)),
        ["batch", kind, cache] => batch::worker(kind, Path::new(cache)),
        ["forms", root, cache, flags] => forms::worker(Path::new(root), Path::new(cache), Path::new(flags)),
        ["thousand", cache, shim] => growth::thousand_worker(Path::new(cache), shim),
        ["fill", cache, shim, from, to, bytes, bound] => {
            command::fill_worker(cache, shim, [from, to, bytes, bound])
        }
        ["growth", part, cache] => growth::growth_worker(part, Path::new(cache)),
        _ => panic!("there is no worker `{}`", words.join(" ")),
    }
}

fn table(words: &[&str]) {
    let mut bench = Bench::new(5, programs::has_python());
    let mut chosen = Vec::new();
    let mut words = words.iter().copied();
    while let Some(word) = words.next() {
        match word {
            "--rounds" => bench.rounds = number(words.next()),
            "--without-python" => bench.python = false,
            "--mpi" => bench.mpi = Some(PathBuf::from(words.next().expect(USAGE))),
            "--ranks" => {
                let sizes = words.next().expect(USAGE).split(',');
                bench.sizes = sizes.map(|size| number(Some(size))).collect();
            }
            _ => chosen.push(*PARTS.iter().find(|(name, _)| *name == word).expect(USAGE)),
        }
    }
    if chosen.is_empty() {
        chosen.extend(PARTS);
    }
    for line in machine::description() {
        println!("{line}  ");
    }
    println!("rounds: {}\n\n{}", bench.rounds, table::HEADING);
    let mut short = 0;
    for (name, rows) in chosen {
        eprintln!("measuring: {name}");
        for row in rows(&bench) {
            short += usize::from(row.met() == Some(false));
            println!("{row}");
        }
    }
    println!("\nload after: {}; {short} rows are short of their targets", machine::load());
}

fn number(word: Option<&str>) -> usize {
    word.and_then(|word| word.parse().ok()).filter(|number| *number > 0).expect(USAGE)
}
