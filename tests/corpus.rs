//! Real kernels, from text to numbers, and again from the cache in another process.

use std::path::PathBuf;

use dijitso::KernelOrigin;

use crate::harness::{Place, Ran, skip};

fn corpus() -> Option<PathBuf> {
    let root = dijitso_tests::corpus::root();
    if root.is_none() {
        skip("the corpus of generated kernels is not there; say where with DIJITSO_CORPUS");
    }
    root
}

/// Cold, then warm in a second process: the same numbers, and no work.
fn cold_and_warm(part: &str, kernels: usize, compiles: u64) -> Option<(Ran, Ran)> {
    let root = corpus()?;
    let place = Place::new();
    let args = ["corpus", part, root.to_str().unwrap()];

    let cold = place.client(args).ok();
    assert_eq!(cold.outcome.kernels.len(), kernels);
    assert_eq!(cold.outcome.stats.compiled, compiles);
    assert_eq!(cold.outcome.stats.generated, compiles);
    assert_eq!(cold.warnings(), 0, "{}", cold.stderr);

    let warm = place.client(args).ok();
    warm.assert_warm();
    assert_eq!(warm.values(), cold.values());
    assert_eq!(warm.outcome.stats.disk_hits, compiles);
    Some((cold, warm))
}

#[test]
fn every_ufc_form_gives_its_tensors() {
    let Some((_, warm)) = cold_and_warm("ufc", 10, 10) else { return };
    assert!(warm.outcome.kernels.iter().all(|kernel| kernel.origin == KernelOrigin::Disk));
}

#[test]
fn ffcs_module_graph_is_built_and_linked_as_its_own_jit_does() {
    // 15 modules, and a wrapper for each of the 4 forms.
    cold_and_warm("ffc_jit", 19, 19);
}

#[test]
fn a_generator_may_load_what_it_depends_on_as_ffcs_does() {
    cold_and_warm("ffc_jit_recursive", 19, 19);
}

#[test]
fn every_ffcx_form_gives_its_tensors() {
    let Some((_, warm)) = cold_and_warm("ffcx", 6, 5) else { return };
    assert!(warm.outcome.kernels.iter().all(|kernel| kernel.origin == KernelOrigin::Disk));
}

#[test]
fn our_own_generators_of_both_shapes_work_without_the_corpus() {
    let place = Place::new();
    let cold = place.client(["small"]).ok();
    assert_eq!(cold.outcome.stats.compiled, 6);
    let warm = place.client(["small"]).ok();
    warm.assert_warm();
}
