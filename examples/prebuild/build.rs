//! Compiles the kernels that the program will ask for, for three generations of processors side by side.

#[path = "src/kernels.rs"]
#[allow(dead_code)]
mod kernels;

#[allow(clippy::disallowed_methods)] // a build script runs on the host, and only cargo knows for which machine
fn main() {
    let target = std::env::var("CARGO_CFG_TARGET_ARCH").unwrap_or_default();
    let levels: &[&str] =
        if target == "x86_64" { &["x86-64", "x86-64-v3", "x86-64-v4"] } else { &["generic"] };
    dijitso::prebuild()
        .kernels(kernels::DEGREES.map(kernels::horner))
        .cpu(levels.iter().copied())
        .compile("horner");
}
