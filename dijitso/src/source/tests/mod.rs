//! What is rendered, through real compilers: it must compile where it should, with every standard,
//! and refuse what does not match, in words that name the problem. The loaded functions are called,
//! because only a call shows that both sides agree about how values are passed.

#![allow(unsafe_code)]

mod declarations;
mod library;
mod messages;
mod specs;
mod types;

use std::path::Path;
use std::process::Command;

use super::*;
use crate::cxx::{KernelFn, Language};

const CXX: &[&str] = &["g++", "clang++"];
const CC: &[&str] = &["gcc", "clang"];
const C: Language = Language::C;
const SYMBOL: &str = "dijitso_k_00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

fn source<F: KernelFn>(text: impl Into<Text>) -> Source<F> {
    // SAFETY: the tests call only what they have read.
    unsafe { Source::new(text) }
}

fn whole<F: KernelFn>(text: impl Into<Text>) -> Source<F> {
    // SAFETY: as above.
    unsafe { Source::translation_unit(text) }
}

fn rendered<F: KernelFn>(source: Source<F>) -> Rendered {
    let parts = generated(source).unwrap_or_else(|error| panic!("{error}"));
    render(&parts, "k", SYMBOL, true)
}

fn generated<F: KernelFn>(source: Source<F>) -> crate::error::Result<Parts> {
    KernelSpec::<F>::new("k", (), move || source.clone()).any().generate()
}

/// Writes the files and compiles them; the compiler's text on failure.
fn compile(rendered: &Rendered, compiler: &str, flags: &[&str], dir: &Path) -> Result<(), String> {
    for (name, text) in &rendered.files {
        std::fs::write(dir.join(name), text).unwrap();
    }
    std::fs::write(dir.join("k.ver"), &rendered.version_script).unwrap();
    let output = Command::new(compiler)
        .args(flags)
        .arg(&rendered.main)
        .current_dir(dir)
        .env("LC_ALL", "C")
        .output()
        .unwrap_or_else(|error| panic!("{compiler}: {error}"));
    match output.status.success() {
        true => Ok(()),
        false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
    }
}

fn syntax(rendered: &Rendered, compiler: &str, std: &str) -> Result<(), String> {
    let dir = tempfile::tempdir().unwrap();
    let flags = ["-fsyntax-only", "-Wall", "-Wextra", "-Wmissing-declarations", "-Werror", std];
    compile(rendered, compiler, &flags, dir.path())
}

/// Compiles with every compiler and every standard, warnings being errors.
fn compiles<F: KernelFn>(source: Source<F>) {
    let rendered = rendered(source);
    let (compilers, standards): (&[&str], &[&str]) = match rendered.main.ends_with(".c") {
        true => (CC, &["-std=c11", "-std=gnu17"]),
        false => (CXX, &["-std=c++11", "-std=c++14", "-std=c++17", "-std=gnu++20"]),
    };
    for compiler in compilers {
        for std in standards {
            if let Err(log) = syntax(&rendered, compiler, std) {
                panic!("{compiler} {std}:\n{log}\n{:#?}", rendered.files);
            }
        }
    }
}

/// What g++ (gcc) and clang++ (clang) say about a source that must not compile.
fn refused<F: KernelFn>(source: Source<F>) -> Vec<String> {
    let rendered = rendered(source);
    let compilers = if rendered.main.ends_with(".c") { CC } else { CXX };
    let logs = compilers.iter().map(|compiler| syntax(&rendered, compiler, "-O0"));
    logs.map(|log| log.expect_err("it must not compile")).collect()
}

/// Builds with each compiler, loads, and passes the function to `test`.
fn runs<F: KernelFn>(source: Source<F>, test: impl Fn(F, &libloading::Library)) {
    let rendered = rendered(source);
    let c = rendered.main.ends_with(".c");
    for compiler in if c { CC } else { CXX } {
        for level in ["-O0", "-O2"] {
            let dir = tempfile::tempdir().unwrap();
            let flags =
                [level, "-shared", "-fPIC", "-Wl,--version-script=k.ver", "-Wl,-z,defs", "-o", "k.so"];
            if let Err(log) = compile(&rendered, compiler, &flags, dir.path()) {
                panic!("{compiler}:\n{log}");
            }
            // SAFETY: our own library, without constructors.
            let library = unsafe { libloading::Library::new(dir.path().join("k.so")) }.unwrap();
            let address = match rendered.exports.iter().find(|name| *name == SYMBOL) {
                // SAFETY: only its address is taken.
                Some(_) => *unsafe { library.get::<*const ()>(SYMBOL.as_bytes()) }.unwrap(),
                None => std::ptr::null(),
            };
            // SAFETY: rendered and compiled for this very type.
            test(unsafe { F::from_address(address) }, &library);
        }
    }
}
