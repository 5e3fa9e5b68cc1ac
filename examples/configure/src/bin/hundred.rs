//! The checks of `hundred/checks.txt`, timed: what `hundred/run` compares with Autoconf, CMake and Meson.
//!
//! `hundred CACHE_DIR` prints how long the checks took, how many processes that was, and how many were a yes;
//! `hundred CACHE_DIR answers` which ones, a line each, sizes with the bytes; `hundred CACHE_DIR kernels` the first for what a
//! just-in-time compiler has to know: the compiler, its flags, and that a small kernel can be compiled and linked.

use std::process::ExitCode;
use std::time::Instant;

use dijitso::configure::{Configure, KernelCompiler};
use dijitso::probe::{All, CompilerFlag, Function, Header, Language, Probes, Size, Verdict};

fn main() -> ExitCode {
    let Some(cache) = std::env::args().nth(1) else {
        eprintln!("usage: hundred CACHE_DIR [answers | kernels]");
        return ExitCode::FAILURE;
    };
    let word = std::env::args().nth(2);
    if word.as_deref() == Some("kernels") {
        return kernels(&cache);
    }
    let started = Instant::now();
    let checks = include_str!("../../hundred/checks.txt");
    let of = |kind: &str| -> Vec<&str> {
        checks.lines().filter_map(|line| line.strip_prefix(kind)?.strip_prefix(' ')).collect()
    };
    let probes = match Probes::builder().cache_dir(cache).compiler(Language::C, "gcc").build() {
        Ok(probes) => probes,
        Err(error) => {
            eprintln!("{}", error.report());
            return ExitCode::FAILURE;
        }
    };
    let names = ["header", "function", "size", "flag"].map(of);
    let [headers, functions, sizes, flags] = &names;
    let headers: Vec<Header> = headers.iter().copied().map(Header::new).collect();
    let functions: Vec<Function> = functions.iter().copied().map(Function::new).collect();
    let sizes: Vec<Size> = sizes.iter().copied().map(|name| Size::new(name).after("stddef.h")).collect();
    let flags: Vec<CompilerFlag> = flags.iter().copied().map(CompilerFlag::new).collect();
    // All of all kinds side by side.
    let (headers, functions, sizes, flags) =
        probes.ask_all((All(headers), All(functions), All(sizes), All(flags)));
    let yes = [
        said("header", &names[0], headers, |()| String::new()),
        said("function", &names[1], functions, |()| String::new()),
        said("size", &names[2], sizes, |bytes| format!(" {bytes}")),
        said("flag", &names[3], flags, |_| String::new()),
    ]
    .concat();
    let all: usize = names.iter().map(Vec::len).sum();
    let (took, processes) = (started.elapsed().as_secs_f64() * 1e3, probes.stats().processes);
    println!("{took:.1} ms, {processes} processes, {} of {all} are a yes", yes.len());
    if word.as_deref() == Some("answers") {
        yes.iter().for_each(|line| println!("{line}"));
    }
    ExitCode::SUCCESS
}

fn kernels(cache: &str) -> ExitCode {
    let started = Instant::now();
    let probes = Probes::builder().cache_dir(cache);
    let configuration = match Configure::new("Kernels").probes(probes).with::<KernelCompiler>().run() {
        Ok(configuration) => configuration,
        Err(failed) => {
            eprintln!("{failed}\n{}", failed.card());
            return ExitCode::FAILURE;
        }
    };
    let took = started.elapsed().as_secs_f64() * 1e3;
    let processes = configuration.probes().map_or(0, |probes| probes.stats().processes);
    println!("{took:.1} ms, {processes} processes");
    ExitCode::SUCCESS
}

/// A line for each yes: what it is, its name, and what was said of it.
fn said<T>(
    kind: &str,
    names: &[&str],
    verdict: Verdict<Vec<Verdict<T>>>,
    words: impl Fn(T) -> String,
) -> Vec<String> {
    let each = verdict.yes().unwrap_or_default().into_iter();
    let yes = names.iter().zip(each).filter_map(|(name, verdict)| Some((name, verdict.yes()?)));
    yes.map(|(name, answer)| format!("{kind} {name}{}", words(answer))).collect()
}
