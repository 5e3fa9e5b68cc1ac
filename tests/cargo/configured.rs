//! A package whose build script configures it.

use std::time::Duration;

use super::*;
use crate::harness::set_mode;

const BUILD: &str = r#"
use dijitso::configure::{Configure, Cx, Failed, Module};
use dijitso::probe::{Header, Settings};

#[derive(serde::Serialize, serde::Deserialize)]
struct Late(bool);

impl Module for Late {
    const NAME: &'static str = "late";

    fn configure(cx: &Cx<'_>) -> Result<Late, Failed> {
        let settings = Settings::new().include_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/vendor"));
        let late = cx.want(&Header::new("late.h").with(&settings))?.is_some();
        match late {
            true => cx.define("HAVE_LATE", "1", "it is there"),
            false => cx.undefine("HAVE_LATE", "it is not there"),
        }
        cx.metadata("late", late.to_string());
        Ok(Late(late))
    }
}

fn main() {
    let out = std::env::var_os("OUT_DIR").unwrap();
    let cc = concat!("CC=", env!("CARGO_MANIFEST_DIR"), "/compiler/cc");
    let configuration = Configure::new("App").with::<Late>().arguments([cc]).dir(&out).run().unwrap();
    configuration.write_rust("config.rs").unwrap();
    for line in configuration.cargo() {
        println!("{line}");
    }
    println!("cargo::rerun-if-changed=build.rs");
    let runs = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("runs");
    let so_far = std::fs::read_to_string(&runs).unwrap_or_default();
    std::fs::write(&runs, so_far + "x").unwrap();
}
"#;

const MAIN: &str = r#"
#[allow(dead_code)]
mod config {
    include!(concat!(env!("OUT_DIR"), "/config.rs"));
}

fn main() {
    println!("late.h: {}", config::HAVE_LATE);
}
"#;

#[test]
fn a_build_script_runs_again_when_what_was_missing_appears_or_the_compiler_changes_and_only_then() {
    let package = Package::empty("configured");
    let dependency = format!(
        "dijitso = {{ path = {:?} }}\nserde = {{ version = \"1\", features = [\"derive\"] }}\n",
        dijitso()
    );
    package.write(
        "Cargo.toml",
        &format!(
            "[package]\nname = \"configured\"\nversion = \"0.1.0\"\nedition = \"2024\"\nlinks = \"configured\"\n\
             [workspace]\n[build-dependencies]\n{dependency}"
        ),
    );
    package.write("build.rs", BUILD);
    package.write("src/main.rs", MAIN);
    package.write("vendor/other.h", "\n");
    package.write("compiler/include/late.h", "\n");
    let compiler =
        |options: &str| install_compiler(&package, &format!("#!/bin/sh\nexec gcc {options}\"$@\"\n"));
    compiler("");
    let run = || {
        let (said, _) = package.ok(&["run"]);
        let line = said.lines().find(|line| line.starts_with("late.h: ")).unwrap_or(&said).to_owned();
        (line, std::fs::read_to_string(package.dir.join("runs")).unwrap().len())
    };
    assert_eq!(run(), ("late.h: false".to_owned(), 1));
    assert_eq!(run(), ("late.h: false".to_owned(), 1), "nothing changed");
    package.write("vendor/late.h", "\n");
    assert_eq!(run(), ("late.h: true".to_owned(), 2));
    assert_eq!(run(), ("late.h: true".to_owned(), 2));
    std::fs::remove_file(package.dir.join("vendor/late.h")).unwrap();
    assert_eq!(run(), ("late.h: false".to_owned(), 3));
    // Another compiler, which finds the header among its own.
    compiler("-I\"${0%/*}/include\" ");
    assert_eq!(run(), ("late.h: true".to_owned(), 4));
    assert_eq!(run(), ("late.h: true".to_owned(), 4));
    // The same file, which is written to.
    package.edit("compiler/cc", "-I", "-DNOT_I=");
    assert_eq!(run(), ("late.h: false".to_owned(), 5));
    assert_eq!(run(), ("late.h: false".to_owned(), 5));
}

/// As package managers do: a new file under the old name, with the time that it has in an archive.
fn install_compiler(package: &Package, script: &str) {
    package.write("unpacked/cc", script);
    let unpacked = package.dir.join("unpacked/cc");
    set_mode(&unpacked, 0o755);
    let of_archive = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    std::fs::File::options().write(true).open(&unpacked).unwrap().set_modified(of_archive).unwrap();
    std::fs::rename(unpacked, package.dir.join("compiler/cc")).unwrap();
}
