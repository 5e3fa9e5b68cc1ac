//! The kernels in an integration test.

#[test]
fn integration_tests_have_the_kernels() {
    let lines = consumer::values(&consumer::jit(true).unwrap());
    assert_eq!(lines.len(), 11);
    assert!(lines.iter().all(|line| line.contains("Prebuilt")), "{lines:?}");
}
