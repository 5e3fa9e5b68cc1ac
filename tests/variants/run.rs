//! The edited programs differ in their module `kernels` only: `plain` is the original, `commented` has
//! comments and blank lines more, `body` another generator, `helper` another function that the
//! generator calls.

use dijitso::{Jit, KernelSpec};
use dijitso_tests::kernels::Number;
use dijitso_tests::protocol::{Loaded, Outcome};

pub(crate) fn main(spec: &KernelSpec<Number>) {
    let jit = Jit::builder().build().expect("a Jit");
    let mut outcome = Outcome::default();
    if let [_, command, path] = &std::env::args().collect::<Vec<_>>()[..]
        && command == "export"
    {
        jit.export(std::slice::from_ref(spec), path).unwrap_or_else(|e| panic!("{}", e.report()));
    }
    match jit.load(spec) {
        Ok(kernel) => outcome.kernels.push(Loaded {
            name: spec.name().to_owned(),
            origin: kernel.origin(),
            value: f64::from(kernel.call()),
        }),
        Err(error) => outcome.error = Some(error.report()),
    }
    outcome.stats = jit.stats();
    println!("{}", serde_json::to_string(&outcome).expect("JSON"));
}
