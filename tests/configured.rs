//! A configured compiler for kernels.

use dijitso::configure::{Configure, FailureKind, KernelCompiler};
use dijitso::probe::{Language, Probes};

use crate::harness::Place;
use dijitso_tests::kernels::{self, Loop};

fn configure(place: &Place, arguments: &[&str]) -> Result<KernelCompiler, dijitso::configure::Failed> {
    let probes = Probes::builder().cache_dir(place.cache()).without_environment_flags();
    let probes = probes.compiler(Language::Cxx, "g++");
    let run =
        Configure::new("Test").probes(probes).with::<KernelCompiler>().arguments(arguments.iter().copied());
    run.run().map(|configuration| configuration.get::<KernelCompiler>().unwrap())
}

#[test]
fn kernels_are_built_by_the_compiler_that_was_configured() {
    let place = Place::new();
    let compiler = configure(&place, &["CXX=clang++", "CXXFLAGS=-O1"]).unwrap();
    assert_eq!(compiler.cxx, ["clang++"]);
    let jit = place.builder().toolchain(&compiler).build().unwrap();
    let kernel = jit.load(&kernels::axpy(Loop::Plain)).unwrap();
    let entry = jit.cache().entry(&kernel.signature()).unwrap().unwrap();
    assert!(entry.compiler().contains("clang"), "{}", entry.compiler());
    assert!(jit.settings().iter().any(|setting| format!("{setting:?}").contains("-O1")));
}

#[test]
fn a_compiler_that_cannot_link_kernels_is_told_before_any_kernel() {
    let failed = configure(&Place::new(), &["LDFLAGS=-Wl,--no-such-flag"]).unwrap_err();
    assert!(matches!(failed.kind(), FailureKind::No | FailureKind::Unknown), "{failed}");
    assert!(failed.card().contains("--no-such-flag"), "{}", failed.card());
}
