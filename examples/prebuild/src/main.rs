//! Evaluates polynomials with kernels that `build.rs` compiled.
//!
//! ```text
//! cargo build --release -p prebuild
//! env -i target/release/prebuild     # without a compiler, a cache, a home
//! target/release/prebuild 5          # a degree that was not prebuilt is compiled now
//! ```

mod kernels;

use dijitso::{Jit, Kernel};
use kernels::{DEGREES, Horner, horner};

dijitso::include_prebuilt!();

fn main() -> std::process::ExitCode {
    let degrees: Vec<usize> = std::env::args().skip(1).filter_map(|word| word.parse().ok()).collect();
    match run(if degrees.is_empty() { &DEGREES } else { &degrees }) {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            eprint!("{}", error.report());
            std::process::ExitCode::FAILURE
        }
    }
}

fn run(degrees: &[usize]) -> dijitso::Result<()> {
    let jit = Jit::builder().prebuilt(&PREBUILT).build()?;
    for &degree in degrees {
        let kernel = jit.load(&horner(degree))?;
        println!("degree {degree}: {:?}, at 2: {}", kernel.origin(), at_two(&kernel, degree));
    }
    println!("kernels compiled now: {}", jit.stats().compiled);
    Ok(())
}

/// `1 + x + x^2 + ..` at 2.
fn at_two(kernel: &Kernel<Horner>, degree: usize) -> f64 {
    let (coefficients, x, mut y) = (vec![1.0; degree + 1], [2.0], [0.0]);
    // SAFETY: one coefficient more than the degree, one point, one result.
    unsafe { kernel.call(x.len(), coefficients.as_ptr(), x.as_ptr(), y.as_mut_ptr()) };
    y[0]
}
