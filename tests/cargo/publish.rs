//! What is published, and whether it can be built from that alone.

use super::*;

/// Cargo packs all three crates, unpacks what it packed, and builds that: the consumer with the packed dijitso, from a place that
/// nobody may write to. (`cargo publish --dry-run` does the same, and asks the registry, too.)
#[test]
fn a_package_with_prebuilt_kernels_can_be_published() {
    let package = Package::elsewhere("publish");
    for name in ["dijitso", "dijitso-macros"] {
        let from = root().join(name);
        for file in files(&from) {
            let path = package.dir.join(name).join(file.strip_prefix(&from).unwrap());
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::copy(&file, path).unwrap();
        }
    }
    let manifest = std::fs::read_to_string(root().join("Cargo.toml")).unwrap();
    package.write("Cargo.toml", &manifest.replace("\"tests\", \"examples/*\"", "\"consumer\""));
    package.add_consumer("consumer/");
    // Neither a workspace nor a profile of its own: it is a member here.
    let manifest = std::fs::read_to_string(package.dir.join("consumer/Cargo.toml")).unwrap();
    let manifest = manifest.split("# What people set").next().unwrap();
    package.write(
        "consumer/Cargo.toml",
        &manifest.replace(&dijitso(), "../dijitso").replace("publish = false\n", ""),
    );

    let (said, compiled) = package.ok(&["package", "--workspace", "--allow-dirty"]);
    assert!(said.contains("Verifying consumer v0.3.0"), "{said}");
    assert_eq!(compiled, 10);
    let (said, _) = package.ok(&["package", "--list", "--allow-dirty", "--package", "consumer"]);
    for file in ["build.rs", "src/kernels/mod.rs", "src/kernels/text.rs", "include/factor.h"] {
        assert!(said.lines().any(|line| line == file), "{said}");
    }
}
