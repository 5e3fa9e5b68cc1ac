//! The kernels in an integration test.

#[test]
fn integration_tests_have_the_kernels() {
    let lines = consumer::values(&consumer::jit(true).unwrap());
    assert_eq!(lines.len(), 11);
    assert!(lines.iter().all(|line| line.contains("Prebuilt")), "{lines:?}");
}

#[test]
fn a_kernel_that_is_compiled_now_may_depend_on_a_prebuilt_one() {
    use consumer::kernels::{base, late};
    let jit = consumer::jit(true).unwrap();
    assert_eq!(jit.load(&base()).unwrap().origin(), dijitso::KernelOrigin::Prebuilt);
    let (first, kernel) = jit.load_all((&base(), &late())).unwrap();
    assert_eq!(first.origin(), dijitso::KernelOrigin::Prebuilt);
    assert_ne!(kernel.origin(), dijitso::KernelOrigin::Prebuilt);
    assert_eq!(kernel.call(2.0), 2.0 * 27.0);
    assert_eq!(jit.lookup(&consumer::kernels::chained()).unwrap().map(|kernel| kernel.call(2.0)), Some(27.0));
}
