//! What cargo makes of crates with prebuilt kernels: copies of `tests/consumer`, built as a user would build them.
//!
//! The copies share a target directory, so that dijitso itself is compiled once; their places are fixed for the same
//! reason. Cargo lets one of them build at a time.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::SystemTime;

use crate::harness::{Shim, files, install, need};
use dijitso_tests::protocol::{ShimMode, ShimStep};

/// A package or workspace on disk.
struct Package {
    dir: PathBuf,
    shim: Shim,
    _elsewhere: Option<tempfile::TempDir>,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

fn fresh(name: &str) -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_dir_all(&dir);
    std::fs::create_dir_all(&dir).unwrap();
    dir
}

impl Package {
    fn empty(name: &str) -> Package {
        Package::at(fresh(name), name, None)
    }

    /// Outside of this workspace, whose version cargo gives to a package that inherits it from a nearer one.
    fn elsewhere(name: &str) -> Package {
        let dir = tempfile::tempdir().unwrap();
        Package::at(dir.path().canonicalize().unwrap(), name, Some(dir))
    }

    fn at(dir: PathBuf, name: &str, elsewhere: Option<tempfile::TempDir>) -> Package {
        let shims = fresh(&format!("{name}.shims"));
        install(crate::harness::SHIM.as_ref(), &shims.join("c++"));
        let shim = Shim::at(shims.join("c++"));
        shim.set(ShimMode::Pass, ShimStep::Compile);
        // The versions that everything else here is tested with, and no look at any registry.
        std::fs::copy(root().join("Cargo.lock"), dir.join("Cargo.lock")).unwrap();
        Package { dir, shim, _elsewhere: elsewhere }
    }

    /// A copy of `tests/consumer`.
    fn consumer(name: &str) -> Package {
        let package = Package::empty(name);
        package.add_consumer("");
        package
    }

    fn add_consumer(&self, below: &str) {
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("consumer");
        for file in files(&from) {
            let name = file.strip_prefix(&from).unwrap();
            if name.starts_with("target") || name == Path::new("Cargo.lock") {
                continue;
            }
            let text = std::fs::read_to_string(&file).unwrap();
            self.write(&format!("{below}{}", name.display()), &text.replace("../../dijitso", &dijitso()));
        }
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.dir.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn edit(&self, name: &str, from: &str, to: &str) {
        let path = self.dir.join(name);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{name}: {from}");
        // Cargo compares times, and the clock of the file system ticks slowly.
        std::thread::sleep(std::time::Duration::from_millis(20));
        std::fs::write(path, text.replace(from, to)).unwrap();
    }

    fn cargo(&self, words: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO"));
        command.current_dir(&self.dir).args(words).arg("--offline");
        command.env("CARGO_TARGET_DIR", target()).env("CXX", self.shim.word());
        command.env("DIJITSO_CACHE_DIR", target().join("cache")).env("DIJITSO_CONFIG", "/dev/null");
        for variable in
            ["CXXFLAGS", "CFLAGS", "CPATH", "RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "RUST_BACKTRACE"]
        {
            command.env_remove(variable);
        }
        command.output().unwrap()
    }

    /// Must succeed; what it said, and how many kernels it compiled.
    fn ok(&self, words: &[&str]) -> (String, usize) {
        let before = self.compiled();
        let output = self.cargo(words);
        assert!(output.status.success(), "{words:?}\n{}", text(&output));
        (text(&output), self.compiled() - before)
    }

    /// Kernels, without the questions of the `cc` crate whether the compiler knows a flag.
    fn compiled(&self) -> usize {
        let kernel = |call: &Vec<String>| call.iter().any(|word| word == "unit.o");
        self.shim.compiles().into_iter().filter(kernel).count()
    }

    fn fails(&self, words: &[&str]) -> String {
        let output = self.cargo(words);
        assert!(!output.status.success(), "{words:?}\n{}", text(&output));
        text(&output)
    }
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

fn dijitso() -> String {
    root().join("dijitso").display().to_string()
}

fn target() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("consumers")
}

/// What a program prints where there is no compiler: no variable is set but these.
fn without_compiler(program: &str, words: &[&str]) -> Vec<String> {
    let output = Command::new(target().join(program))
        .args(words)
        .env_clear()
        .env("PATH", "/nowhere")
        .env("DIJITSO_CACHE_DIR", target().join("no-cache"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", text(&output));
    String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect()
}

fn modified(path: &Path) -> SystemTime {
    path.metadata().unwrap().modified().unwrap()
}

/// The newest output directory of a package's build script.
fn out_dir(package: &str) -> PathBuf {
    let build = target().join("debug/build");
    let dirs = std::fs::read_dir(build).unwrap().flatten().map(|entry| entry.path().join("out"));
    let ours = |dir: &PathBuf| {
        let name = dir.parent().unwrap().file_name().unwrap().to_string_lossy().into_owned();
        name.strip_prefix(package).is_some_and(|rest| rest.len() == 16)
            && dir.join("dijitso_prebuilt.rs").exists()
    };
    dirs.filter(ours)
        .max_by_key(|dir| modified(&dir.parent().unwrap().join("output")))
        .expect("an output directory")
}

fn archive(out: &Path) -> PathBuf {
    files(out).into_iter().find(|path| path.extension().is_some_and(|e| e == "a")).expect("an archive")
}

#[test]
fn every_target_of_a_package_has_the_kernels_and_cargo_builds_no_more_than_it_must() {
    let package = Package::consumer("consumer");
    let sources = |package: &Package| -> Vec<(PathBuf, SystemTime)> {
        files(&package.dir).into_iter().map(|path| (path.clone(), modified(&path))).collect()
    };
    let (_, compiled) = package.ok(&["build", "--all-targets"]);
    // One of the kernels of build.rs is in C, which has another compiler.
    assert_eq!(compiled, 10);
    let out = out_dir("consumer-");
    let before = sources(&package);
    let (said, _) = package.ok(&["test"]);
    // Unit tests, integration tests, documentation.
    assert_eq!(said.matches("test result: ok. 1 passed").count(), 2, "{said}");
    assert_eq!(said.matches("test result: ok. 2 passed").count(), 1, "{said}");
    let run = |words: &[&str]| without_compiler("debug/consumer", words);
    let lines = run(&[]);
    assert_eq!(lines.iter().filter(|line| line.ends_with(" Prebuilt")).count(), 11, "{lines:?}");
    assert!(lines[11].starts_with("compiled 0 processes 0 "), "{lines:?}");
    assert_eq!(without_compiler("debug/examples/call", &[]), ["4.47213595499958 Prebuilt"]);
    if let Some(strace) = need("strace") {
        assert_eq!(system_calls_of_loads(&strace), [""; 0]);
    }

    // The same where nothing may be compiled; what is not there is told at once, all of it.
    let sealed = run(&["sealed"]);
    assert_eq!(sealed[..12], lines[..12]);
    let told = sealed[12..].join("\n");
    assert!(told.contains("extra(1)") && told.contains("extra(2)"), "{told}");
    assert!(told.contains("11 prebuilt kernels"), "{told}");

    // The same program, compiling now: equal signatures and results.
    let (said, _) = package.ok(&["run", "--quiet", "--", "jit"]);
    let jit: Vec<&str> = said.lines().filter(|line| !line.starts_with("compiled")).collect();
    let of = |lines: &[&str]| -> Vec<String> {
        lines.iter().map(|line| line.rsplit_once(' ').unwrap().0.to_owned()).collect()
    };
    let prebuilt: Vec<&str> = lines[..11].iter().map(String::as_str).collect();
    assert_eq!(of(&jit), of(&prebuilt));
    assert!(!said.contains("Prebuilt"), "{said}");

    // Repeated, no command compiles a kernel; and nothing is written beside the sources. (`check` and `doc` share an
    // output directory of their own: without a build of dijitso for the crate, cargo builds that for build.rs otherwise.)
    for words in [&["build"][..], &["check", "--all-targets"], &["doc", "--no-deps"], &["test", "--no-run"]] {
        package.ok(words);
        assert_eq!(package.ok(words).1, 0, "{words:?}");
    }
    assert_eq!(sources(&package), before);
    let (said, compiled) = package.ok(&["build", "--verbose"]);
    assert!(compiled == 0 && said.contains("Fresh consumer"), "{said}");

    let times = || [archive(&out), out.join("dijitso_prebuilt.rs")].map(|path| modified(&path));
    let old = times();
    // A comment, which also moves the generators.
    package.edit("src/kernels/mod.rs", "mod text;", "// Shared text.\n\nmod text;");
    assert_eq!(package.ok(&["build"]).1, 0);
    assert_eq!(times(), old);
    // What three kernels use; a header; the list of kernels.
    package.edit("src/kernels/text.rs", "void axpy(", "/* y += a x */ void axpy(");
    assert_eq!(package.ok(&["build"]).1, 3);
    assert_ne!(times()[0], old[0]);
    package.edit("include/factor.h", "1.0", "4.0");
    assert_eq!(package.ok(&["build"]).1, 2);
    assert!(run(&[]).iter().any(|line| line.starts_with("diagonal") && line.contains(" 6.9282")));
    package.edit("build.rs", "[3, 5].map(diagonal)", "[3, 5, 7].map(diagonal)");
    assert_eq!(package.ok(&["build"]).1, 1);

    // A text that does not compile, as cargo shows it; and mended again.
    package.edit("src/kernels/text.rs", "std::size_t i = 0;", "std::size_t i = zero;");
    let said = package.fails(&["build"]);
    let (error, log) =
        (said.find("error: consumer@0.3.0: kernel axpy("), said.find("error: 'zero' was not declared"));
    assert!(error.is_some() && log.is_some(), "{said}");
    assert!(said.contains("generated at src/kernels/mod.rs:") && !said.contains("panicked at"), "{said}");
    package.edit("src/kernels/text.rs", "std::size_t i = zero;", "std::size_t i = 0;");
    package.ok(&["build"]);

    // What is published holds the generators, and a build of it needs nothing else.
    let (said, _) = package.ok(&["package", "--list", "--allow-dirty"]);
    assert!(said.contains("src/kernels/text.rs") && said.contains("include/factor.h"), "{said}");

    // `clean` removes everything.
    package.ok(&["clean", "-p", "consumer"]);
    assert!(!out.exists());
}

#[test]
fn the_most_aggressive_release_profile_and_a_cdylib_keep_the_kernels() {
    let package = Package::consumer("consumer-release");
    package.ok(&["build", "--release", "--lib", "--bins"]);
    let lines = without_compiler("release/consumer", &[]);
    assert_eq!(lines.iter().filter(|line| line.ends_with(" Prebuilt")).count(), 11, "{lines:?}");

    let path = target().join("release/libconsumer.so");
    // SAFETY: our own library; its constructors do what C++ and Rust ask of them.
    let library = unsafe { libloading::Library::new(path) }.unwrap();
    // SAFETY: the consumer declares it so.
    let value = unsafe { library.get::<extern "C" fn(f64) -> f64>("consumer_value") }.unwrap();
    assert!((value(2.0) - 12f64.sqrt()).abs() < 1e-12);
    // Rust's own variables of this thread end with the thread, and must not find it gone.
    std::mem::forget(library);
    let path = target().join("release/libconsumer.so");
    let symbols = text(&Command::new("nm").args(["-D", "--defined-only"]).arg(path).output().unwrap());
    assert!(
        symbols.contains("consumer_value") && !symbols.contains("dijitso_axpy"),
        "kernels stay inside: {symbols}"
    );
}

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
    } else if has_amx() {
        0.5
    } else if has_avx2() {
        0.25
    } else {
        0.0
    };
    let expected = ["4 Prebuilt".to_owned(), "8 Prebuilt".to_owned(), format!("{} Prebuilt", 12.0 + level)];
    assert_eq!(lines[..3], expected, "the first table serves what both have");
    assert_eq!(lines[3..], ["Prebuilt 6", "true"], "and what nobody has is an error without a compiler");
}

fn has_avx2() -> bool {
    std::fs::read_to_string("/proc/cpuinfo").unwrap().contains(" avx2 ")
}

fn has_amx() -> bool {
    std::fs::read_to_string("/proc/cpuinfo").unwrap().contains(" amx_tile ")
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
    let said = package.fails(&["build"]);
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

/// What the program asks of the system while it loads and calls kernels.
fn system_calls_of_loads(strace: &Path) -> Vec<String> {
    let log = target().join("strace.log");
    let output = Command::new(strace)
        .arg("-o")
        .args([&log, &target().join("debug/examples/call")])
        .env_clear()
        .env("PATH", "/nowhere")
        .env("DIJITSO_CACHE_DIR", target().join("no-cache"))
        .output()
        .unwrap();
    let log = std::fs::read_to_string(&log).unwrap_or_default();
    if !output.status.success() && log.is_empty() {
        crate::harness::not_permitted("tracing");
        return Vec::new();
    }
    let at = |word: &str| {
        log.lines().position(|line| line.starts_with(&format!("write(2, {word:?}"))).expect(&log)
    };
    let (before, after) = (at("before\n"), at("after\n"));
    log.lines().take(after).skip(before + 1).map(str::to_owned).collect()
}
