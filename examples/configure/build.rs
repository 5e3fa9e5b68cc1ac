//! The configuration as a build script has it: the header and the constants are there before anything is compiled.

#[path = "src/project.rs"]
#[allow(dead_code, missing_docs)]
mod project;

use dijitso::configure::Configure;

fn main() {
    #[allow(clippy::disallowed_methods)] // Cargo says so to build scripts, and to nobody else.
    let out = std::env::var_os("OUT_DIR").expect("cargo sets OUT_DIR");
    let configuration = match Configure::new("Project").with::<project::Project>().dir(out).run() {
        Ok(configuration) => configuration,
        Err(failed) => panic!("{failed}\n{}", failed.card()),
    };
    let written = configuration.write_header("project_config.h").and_then(|_| {
        configuration.write_types("project_types.h")?;
        configuration.write_make_macros("project_variables")?;
        configuration.write_rust("config.rs")
    });
    if let Err(failed) = written {
        panic!("{failed}");
    }
    for line in configuration.cargo() {
        println!("{line}");
    }
    println!("cargo::rerun-if-changed=src/project.rs");
    println!("cargo::rerun-if-changed=build.rs");
}
