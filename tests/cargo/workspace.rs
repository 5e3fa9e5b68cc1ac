//! Several packages: generators that are shared, versions that are not, the example of this repository.

use std::collections::BTreeSet;

use super::*;

#[test]
fn crates_of_a_workspace_share_generators_and_bring_a_table_each() {
    let package = Package::empty("workspace");
    package.write(
        "Cargo.toml",
        "[workspace]\nmembers = [\"generators\", \"left\", \"right\", \"app\"]\nresolver = \"3\"\n",
    );
    let manifest = |name: &str, more: &str| {
        format!("[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2021\"\n\n{more}\n")
    };
    let dijitso = format!("dijitso = {{ path = {:?} }}\n", dijitso());
    package.write("generators/Cargo.toml", &manifest("generators", &format!("[dependencies]\n{dijitso}")));
    package.write(
        "generators/src/lib.rs",
        "pub type Number = extern \"C\" fn(f64) -> f64;
         #[dijitso::kernel]
         pub fn times(n: i32) -> dijitso::Source<Number> {
             // SAFETY: arithmetic only.
             unsafe { dijitso::Source::new(format!(\"double times(double x) {{ return {n} * x + LEVEL; }}\")) }
                 .preamble(\"#ifdef __AMX_TILE__\\n#define LEVEL 0.5\\n#elif defined(__AVX2__)\\n#define LEVEL 0.25\\n#else\\n#define LEVEL 0\\n#endif\")
         }",
    );
    // Both have one kernel in common.
    for (name, kernels, cpus) in
        [("left", "[1, 2]", ""), ("right", "[2, 3]", ".cpu([\"x86-64\", \"sapphirerapids\", \"x86-64-v3\"])")]
    {
        let cpus = if std::env::consts::ARCH == "x86_64" { cpus } else { "" };
        let shared = format!("{dijitso}generators = {{ path = \"../generators\" }}\n");
        package.write(
            &format!("{name}/Cargo.toml"),
            &manifest(name, &format!("[dependencies]\n{shared}\n[build-dependencies]\n{shared}")),
        );
        package.write(
            &format!("{name}/build.rs"),
            &format!("fn main() {{ dijitso::prebuild().kernels({kernels}.map(generators::times)){cpus}.compile(\"kernels\"); }}"),
        );
        package
            .write(&format!("{name}/src/lib.rs"), "#![forbid(unsafe_code)]\ndijitso::include_prebuilt!();");
    }
    package.write(
        "app/Cargo.toml",
        &manifest(
            "app",
            &format!("[dependencies]\n{dijitso}generators = {{ path = \"../generators\" }}\nleft = {{ path = \"../left\" }}\nright = {{ path = \"../right\" }}"),
        ),
    );
    package.write(
        "app/src/main.rs",
        "fn main() {
             let jit = dijitso::Jit::builder().prebuilt(&left::PREBUILT).prebuilt(&right::PREBUILT).build().unwrap();
             for n in 1..=3 {
                 let kernel = jit.load(&generators::times(n)).unwrap();
                 println!(\"{} {:?}\", kernel.call(4.0), kernel.origin());
             }
             let all = jit.load_all(&[1, 3, 2].map(generators::times)).unwrap();
             println!(\"{:?} {}\", all[1].origin(), jit.stats().prebuilt_hits);
             println!(\"{}\", jit.load(&generators::times(9)).is_err());
         }",
    );
    package.ok(&["build"]);
    let lines = without_compiler("debug/app", &[]);
    // The processor's level shows in the value; sapphirerapids is more than this test asks of a machine.
    let level = if std::env::consts::ARCH != "x86_64" {
        0.0
    } else if has_all_of("sapphirerapids") {
        0.5
    } else if has_all_of("x86-64-v3") {
        0.25
    } else {
        0.0
    };
    let expected = ["4 Prebuilt".to_owned(), "8 Prebuilt".to_owned(), format!("{} Prebuilt", 12.0 + level)];
    assert_eq!(lines[..3], expected, "the first table serves what both have");
    assert_eq!(lines[3..], ["Prebuilt 6", "true"], "and what nobody has is an error without a compiler");
}

/// Whether this machine has all that the compiler uses for a processor. One feature of it proves nothing: a virtual machine may hide
/// others.
fn has_all_of(processor: &str) -> bool {
    let macros = |processor: &str| -> BTreeSet<String> {
        let mut compiler = Command::new("c++");
        compiler.arg(format!("-march={processor}")).args(["-dM", "-E", "-x", "c++", "/dev/null"]);
        let output = compiler.output().unwrap();
        assert!(output.status.success(), "{}", text(&output));
        // `__AVX2__`, and not `__tune_haswell__`.
        let feature =
            |line: &&str| line.ends_with("__ 1") && !line.contains(|c: char| c.is_ascii_lowercase());
        let defines = String::from_utf8_lossy(&output.stdout).into_owned();
        let names = defines.lines().filter_map(|line| line.strip_prefix("#define "));
        names.filter(feature).map(str::to_owned).collect()
    };
    macros(processor).is_subset(&macros("native"))
}

#[test]
fn two_versions_of_dijitso_in_one_lockfile_are_told_where_the_table_is_compiled() {
    let package = Package::elsewhere("versions");
    // The next version, whose tables have another format.
    let next = package.dir.join("next");
    for name in ["dijitso", "dijitso-macros"] {
        let from = root().join(name);
        for file in files(&from) {
            let path = next.join(name).join(file.strip_prefix(&from).unwrap());
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::copy(&file, path).unwrap();
        }
    }
    let manifest = std::fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let manifest = manifest.replace("\"tests\", \"examples/*\"", "").replace("0.1.0", "0.2.0");
    package.write("next/Cargo.toml", &manifest);
    package.edit("next/dijitso/src/prebuild/table.rs", "const FORMAT: u32 = 1;", "const FORMAT: u32 = 2;");
    package.write(
        "Cargo.toml",
        &format!(
            "[package]\nname = \"versions\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[dependencies]\ndijitso = {{ path = {:?} }}\n\
             [build-dependencies]\ndijitso-next = {{ package = \"dijitso\", path = \"next/dijitso\" }}\n[workspace]\nexclude = [\"next\"]\n",
            dijitso()
        ),
    );
    let kernel = "#[dijitso::kernel]\npub fn one() -> dijitso::Source<extern \"C\" fn() -> f64> {\n\
                  // SAFETY: returns a number.\nunsafe { dijitso::Source::new(\"double one() { return 1; }\") }\n}\n";
    package.write("src/kernels.rs", kernel);
    package.write(
        "build.rs",
        "extern crate dijitso_next as dijitso;\n#[path = \"src/kernels.rs\"] mod kernels;\nfn main() { dijitso::prebuild().kernel(kernels::one()).compile(\"k\"); }",
    );
    package.write("src/lib.rs", "pub mod kernels;\ndijitso::include_prebuilt!();");
    let said = package.fails(&["check"]);
    assert!(said.contains("build.rs wrote this table of kernels with dijitso 0.2.0"), "{said}");
    assert!(said.contains("[build-dependencies] name the same version"), "{said}");
    assert!(!said.contains("linking with"), "{said}");
}

#[test]
fn the_example_runs_where_there_is_no_compiler() {
    let package = Package::empty("example");
    let from = root().join("examples/prebuild");
    for file in files(&from) {
        let text = std::fs::read_to_string(&file).unwrap();
        package.write(&file.strip_prefix(&from).unwrap().display().to_string(), &text);
    }
    let manifest = "[package]\nname = \"prebuild\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[workspace]\n";
    let dependency = format!("dijitso = {{ path = {:?} }}\n", dijitso());
    package.write(
        "Cargo.toml",
        &format!("{manifest}[dependencies]\n{dependency}[build-dependencies]\n{dependency}"),
    );
    package.ok(&["build"]);
    let lines = without_compiler("debug/prebuild", &[]);
    assert_eq!(lines[3], "degree 8: Prebuilt, at 2: 511");
    assert_eq!(lines[4], "kernels compiled now: 0");
}
