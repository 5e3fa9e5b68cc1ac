//! Generates a C++ kernel for the unroll factor given on the command line (default 8), compiles it on the
//! first run, and takes it from the cache on every later one.

use std::fmt::Write as _;

use dijitso::Source;

/// `y += a * x` over `n` elements.
type Axpy = unsafe extern "C" fn(n: usize, a: f64, x: *const f64, y: *mut f64);

/// Seen outside as `fn axpy(u32) -> KernelSpec<Axpy>`; the body runs only if the kernel is nowhere yet.
#[dijitso::kernel]
fn axpy(unroll: u32) -> Source<Axpy> {
    let text = generate(unroll);
    println!("the generator runs and writes:\n\n{text}");
    // SAFETY: reads x[..n], writes y[..n], keeps no state.
    unsafe { Source::new(text) }.include("<cstddef>")
}

fn generate(unroll: u32) -> String {
    let mut text = String::from("void axpy(std::size_t n, double a, const double *x, double *y)\n{\n");
    let _ = writeln!(text, "  std::size_t i = 0;\n  for (; i + {unroll} <= n; i += {unroll}) {{");
    for k in 0..unroll {
        let _ = writeln!(text, "    y[i + {k}] += a * x[i + {k}];");
    }
    text + "  }\n  for (; i < n; ++i)\n    y[i] += a * x[i];\n}\n"
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let unroll = std::env::args().nth(1).map_or(Ok(8), |word| word.parse::<u32>())?.max(1);
    let jit = dijitso::Jit::builder().build()?;
    let kernel = jit.load(&axpy(unroll)).inspect_err(|error| eprintln!("{}", error.report()))?;

    let x: Vec<f64> = (0..1000).map(f64::from).collect();
    let mut y = vec![1.0; x.len()];
    // SAFETY: both have `len` elements.
    unsafe { kernel.call(x.len(), 3.0, x.as_ptr(), y.as_mut_ptr()) };
    println!("y[999] = {} (expected 2998)", y[999]);

    let stats = jit.stats();
    println!("kernel from: {:?}, {}", kernel.origin(), kernel.report());
    println!("generator calls: {}, compiled: {}", stats.generated, stats.compiled);
    println!("processes started: {}", stats.processes);
    println!("cache: {}", jit.cache_dir().display());
    Ok(())
}
