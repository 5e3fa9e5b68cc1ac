//! Runs kernels that `build.rs` compiled.
//!
//! ```
//! let jit = consumer::jit(true).unwrap();
//! assert!(consumer::values(&jit).iter().all(|line| line.contains("Prebuilt")));
//! ```

#[allow(missing_docs)]
pub mod kernels;
mod table;

use dijitso::{Jit, Kernel, KernelOrigin, Result};
use kernels::{Loop, axpy, chained, class_of, diagonal, guarded, table};

pub use table::PREBUILT;

/// With or without the prebuilt kernels.
pub fn jit(prebuilt: bool) -> Result<Jit> {
    if prebuilt { builder().prebuilt(&PREBUILT).build() } else { builder().build() }
}

/// With the prebuilt kernels, and nothing but these.
pub fn sealed() -> Result<Jit> {
    builder().prebuilt(&PREBUILT).sealed().build()
}

fn builder() -> dijitso::JitBuilder {
    let include = concat!(env!("CARGO_MANIFEST_DIR"), "/include");
    Jit::builder().cpu(dijitso::Cpu::Generic).std("c++17").include_dir(include)
}

/// Loads and calls every kernel: a line for each, with its name, its spec's signature, what it computed and where
/// it came from.
pub fn values(jit: &Jit) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = |name: &str, signature: String, value: f64, origin: KernelOrigin| {
        lines.push(format!("{name} {} {value} {origin:?}", &signature[..12]));
    };
    for shape in [Loop::Plain, Loop::Unrolled(2), Loop::Unrolled(8)] {
        let (x, mut y) = ([1.0, 2.0, 3.0], [0.5; 3]);
        let kernel = load(jit, axpy(shape));
        // SAFETY: both have three elements.
        unsafe { kernel.call(x.len(), 2.0, x.as_ptr(), y.as_mut_ptr()) };
        line("axpy", axpy(shape).signature().to_string(), y.iter().sum(), kernel.origin());
    }
    for spec in [diagonal(3), diagonal(5), guarded(), chained()] {
        let kernel = load(jit, spec.clone());
        line(spec.name(), spec.signature().to_string(), kernel.call(2.0), kernel.origin());
    }
    let (inside, outside) = (load(jit, guarded()).call(0.0), load(jit, guarded()).call(9.0));
    line("guarded", guarded().signature().to_string(), inside + outside, load(jit, guarded()).origin());
    for spec in ["first", "second"].map(class_of) {
        let kernel = load(jit, spec.clone());
        // SAFETY: the source declares them so.
        let (form, step, weights) = unsafe {
            (
                kernel.function::<extern "C" fn() -> i32>("create_form").unwrap()(),
                kernel.function::<extern "C" fn() -> i32>("create_step").unwrap()(),
                *kernel.data::<[f64; 2]>("weights").unwrap().as_ref(),
            )
        };
        let value = f64::from(form) + f64::from(step) / 8.0 + weights[0] / 1024.0 + weights[1] / 4096.0;
        line("class_of", spec.signature().to_string(), value, kernel.origin());
    }
    let kernel = load(jit, table());
    line("table", table().signature().to_string(), f64::from(kernel.call(3)), kernel.origin());
    lines
}

fn load<F: dijitso::KernelFn>(jit: &Jit, spec: dijitso::KernelSpec<F>) -> Kernel<F> {
    jit.load(&spec).unwrap_or_else(|error| panic!("{}", error.report()))
}

/// For programs that load the library at run time.
#[unsafe(no_mangle)]
pub extern "C" fn consumer_value(x: f64) -> f64 {
    jit(true).and_then(|jit| jit.load(&diagonal(3))).map_or(f64::NAN, |kernel| kernel.call(x))
}

#[cfg(test)]
mod tests {
    #[test]
    fn unit_tests_have_the_kernels() {
        let lines = super::values(&super::jit(true).unwrap());
        assert!(lines.iter().all(|line| line.contains("Prebuilt")), "{lines:?}");
    }
}
