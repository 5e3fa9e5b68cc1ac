//! Programs that must not compile: what is missing is told at once, and nothing is started or created.

use super::*;

#[test]
fn a_sealed_program_is_told_everything_that_is_missing() {
    let (place, open) = (Place::new(), open_place());
    export(&place, open.path());
    let jit = sealed(open.path());
    let error = jit.load_all((
        &kernels::axpy(Loop::Unrolled(8)),
        &kernels::number(1),
        &kernels::number(7),
        &kernels::axpy(Loop::Plain),
        &kernels::number(7),
    ));
    let error = error.unwrap_err();
    let text = error.to_string();
    for part in [
        "3 kernels are missing",
        "axpy(Unrolled(8)), generated at",
        "axpy(Plain)",
        "k00007(7)",
        "kernels.rs",
        &kernels::number(7).signature().short(),
        NOWHERE,
        &format!("site cache {} (3 kernels)", open.path().display()),
        "Jit::export",
        "DIJITSO_SITE_CACHE",
    ] {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
    assert_eq!(missing(error).len(), 3);
    let one = missing(jit.load(&kernels::number(8)).unwrap_err());
    assert!(one.len() == 1 && one[0].contains("not in the cache; not in "), "{one:?}");
    let stats = jit.stats();
    assert_eq!((stats.generated, stats.compiled, stats.processes), (0, 0, 0));
    assert_eq!(jit.load(&kernels::number(1)).unwrap().call(), NUMBER_BASE + 1, "what is there is there");
}

#[test]
fn a_sealed_program_reads_the_users_cache_and_starts_nothing() {
    let place = Place::new();
    let shim = place.shim();
    place.builder().cxx(shim.word()).build().unwrap().load(&kernels::number(1)).unwrap();
    let calls = shim.calls().len();
    let jit = place.builder().cxx(shim.word()).sealed().build().unwrap();
    assert_eq!(jit.load(&kernels::number(1)).unwrap().origin(), KernelOrigin::Disk);
    let gone = missing(jit.load(&kernels::successor(1)).unwrap_err());
    assert!(gone[0].starts_with("successor(1)"), "{gone:?}");
    assert_eq!((shim.calls().len(), jit.stats().generated), (calls, 0));
    place.client(["numbers", "1", "2"]).ok();
    let ran = place.client(["numbers", "1", "3"]).env("DIJITSO_SEALED", "1").run();
    assert!(
        ran.error().contains("1 kernel is missing") && ran.error().contains("k00002(2)"),
        "{}",
        ran.error()
    );
    assert_eq!(ran.warnings(), 0, "{}", ran.stderr);
    assert_eq!(ran.outcome.kernels.len(), 1);
}

#[test]
fn a_sealed_program_creates_nothing() {
    let place = Place::new();
    let jit = place.builder().sealed().build().unwrap();
    assert_eq!(missing(jit.load(&kernels::number(1)).unwrap_err()).len(), 1);
    assert!(!place.cache().exists());
    let ran = bare(Client::new(crate::harness::CLIENT, Path::new("")), Path::new(""))
        .args(["numbers", "1", "2"])
        .env("DIJITSO_SEALED", "1")
        .run();
    assert!(ran.error().contains("no cache (HOME is not set)\n  no site cache\n"), "{}", ran.error());
}
