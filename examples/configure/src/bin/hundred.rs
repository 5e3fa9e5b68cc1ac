//! The checks of `hundred/checks.txt`, timed: what `hundred/run` compares with Autoconf, CMake and Meson.
//!
//! `hundred CACHE_DIR` prints how long the checks took, how many processes that was, and how many were a yes;
//! `hundred CACHE_DIR kernels` the same for what a just-in-time compiler has to know: the compiler, its flags, and that a
//! small kernel can be compiled and linked.

use std::process::ExitCode;
use std::time::Instant;

use dijitso::configure::{Configure, KernelCompiler};
use dijitso::probe::{All, CompilerFlag, Function, Header, Language, Probes, Size, Verdict};

fn main() -> ExitCode {
    let Some(cache) = std::env::args().nth(1) else {
        eprintln!("usage: hundred CACHE_DIR [kernels]");
        return ExitCode::FAILURE;
    };
    if std::env::args().nth(2).as_deref() == Some("kernels") {
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
    let headers: Vec<Header> = of("header").into_iter().map(Header::new).collect();
    let functions: Vec<Function> = of("function").into_iter().map(Function::new).collect();
    let sizes: Vec<Size> = of("size").into_iter().map(|name| Size::new(name).after("stddef.h")).collect();
    let flags: Vec<CompilerFlag> = of("flag").into_iter().map(CompilerFlag::new).collect();
    // All of all kinds side by side.
    let (headers, functions, sizes, flags) =
        probes.ask_all((All(headers), All(functions), All(sizes), All(flags)));
    let answers = [count(&headers), count(&functions), count(&sizes), count(&flags)];
    let yes: usize = answers.iter().map(|(yes, _)| yes).sum();
    let all: usize = answers.iter().map(|(_, all)| all).sum();
    let (took, processes) = (started.elapsed().as_secs_f64() * 1e3, probes.stats().processes);
    println!("{took:.1} ms, {processes} processes, {yes} of {all} are a yes");
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

fn count<T>(verdict: &Verdict<Vec<Verdict<T>>>) -> (usize, usize) {
    match verdict {
        Verdict::Yes(each) => (each.iter().filter(|verdict| verdict.is_yes()).count(), each.len()),
        _ => (0, 0),
    }
}
