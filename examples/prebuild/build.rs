//! Compiles the kernels that the program will ask for, for three generations of processors side by side.

#[path = "src/kernels.rs"]
#[allow(dead_code)]
mod kernels;

fn main() {
    let levels: &[&str] =
        if cfg!(target_arch = "x86_64") { &["x86-64", "x86-64-v3", "x86-64-v4"] } else { &["generic"] };
    dijitso::prebuild()
        .kernels(kernels::DEGREES.map(kernels::horner))
        .cpu(levels.iter().copied())
        .compile("horner");
}
