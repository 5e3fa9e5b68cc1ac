//! Copies of `tests/consumer`: every kind of target, what is built again, and the profiles that drop most.

use super::*;
use crate::harness::need;

#[test]
fn every_target_of_a_package_has_the_kernels_and_cargo_builds_no_more_than_it_must() {
    let package = Package::consumer("consumer");
    let (_, compiled) = package.ok(&["build", "--all-targets"]);
    // One of the kernels of build.rs is in C, which has another compiler.
    assert_eq!(compiled, 10);
    let sources = || -> Vec<(PathBuf, SystemTime)> {
        files(&package.dir).into_iter().map(|path| (path.clone(), modified(&path))).collect()
    };
    let before = sources();
    everything_runs(&package);

    // Nothing was touched: no command compiles a kernel, not the first `check` either, and nothing is written beside
    // the sources.
    let repeated: [&[&str]; 3] = [&["check", "--all-targets"], &["doc", "--no-deps"], &["test", "--no-run"]];
    assert_eq!(package.compiles(repeated), [0; 3]);
    let (said, compiled) = package.ok(&["build", "--verbose"]);
    assert!(compiled == 0 && said.contains("Fresh consumer"), "{said}");
    assert!(!said.contains("Running `"), "{said}");
    assert_eq!(sources(), before);

    what_changed_is_compiled(&package);
    failures_are_shown_as_cargo_shows_them(&package);

    let out = out_dir("", "consumer-");
    package.ok(&["clean", "-p", "consumer"]);
    assert!(!out.exists());
}

/// Unit tests, integration tests, documentation, an example, a library for others; compiled ahead of time, now, and
/// not at all.
fn everything_runs(package: &Package) {
    let (said, _) = package.ok(&["test"]);
    assert_eq!(said.matches("test result: ok. 1 passed").count(), 2, "{said}");
    assert_eq!(said.matches("test result: ok. 2 passed").count(), 1, "{said}");
    assert_eq!(without_compiler("debug/examples/call", &[]), ["4.47213595499958 Prebuilt"]);
    holds_kernels("debug/libconsumer.so", "consumer_value");
    if let Some(strace) = need("strace") {
        assert_eq!(system_calls_of_loads(&strace), [""; 0]);
    }

    let lines = without_compiler("debug/consumer", &[]);
    assert_eq!(lines.iter().filter(|line| line.ends_with(" Prebuilt")).count(), 11, "{lines:?}");
    assert!(lines[11].starts_with("compiled 0 processes 0 "), "{lines:?}");
    // The same where nothing may be compiled; what is not there is told at once, all of it.
    let sealed = without_compiler("debug/consumer", &["sealed"]);
    assert_eq!(sealed[..12], lines[..12]);
    let told = sealed[12..].join("\n");
    assert!(told.contains("extra(1)") && told.contains("extra(2)"), "{told}");
    assert!(told.contains("11 prebuilt kernels"), "{told}");

    // The same program, compiling now: equal signatures and results.
    let said = package.cargo(&["run", "--quiet", "--", "jit"]);
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    let jit: Vec<&str> = said.lines().filter(|line| !line.starts_with("compiled")).collect();
    let of = |lines: &[&str]| -> Vec<String> {
        lines.iter().map(|line| line.rsplit_once(' ').unwrap().0.to_owned()).collect()
    };
    let prebuilt: Vec<&str> = lines[..11].iter().map(String::as_str).collect();
    assert_eq!(of(&jit), of(&prebuilt));
    assert!(!said.contains("Prebuilt"), "{said}");
}

fn what_changed_is_compiled(package: &Package) {
    let out = out_dir("", "consumer-");
    let times = || [archive(&out), out.join("dijitso_prebuilt.rs")].map(|path| modified(&path));
    let build = || package.ok(&["build", "--bins"]).1;
    let old = times();
    // A comment, which also moves the generators.
    package.edit("src/kernels/mod.rs", "mod text;", "// Shared text.\n\nmod text;");
    assert_eq!(build(), 0);
    assert_eq!(times(), old);
    // What three kernels use; a generator; a header; the list of kernels.
    package.edit("src/kernels/text.rs", "void axpy(", "/* y += a x */ void axpy(");
    assert_eq!(build(), 3);
    assert_ne!(times()[0], old[0]);
    package.edit("src/kernels/mod.rs", "{0, 1, 4, 9}", "{0, 1, 4, 16}");
    assert_eq!(build(), 0, "this one is in C, which has another compiler");
    package.edit("include/factor.h", "1.0", "4.0");
    assert_eq!(build(), 2);
    let lines = without_compiler("debug/consumer", &[]);
    assert!(lines.iter().any(|line| line.starts_with("diagonal") && line.contains(" 6.9282")), "{lines:?}");
    assert!(lines.iter().any(|line| line.starts_with("table") && line.contains(" 16 Prebuilt")), "{lines:?}");
    package.edit("build.rs", "[3, 5].map(diagonal)", "[3, 5, 7].map(diagonal)");
    assert_eq!(build(), 1);

    // A header that would now be found earlier, where there was none; and not any more.
    package.write("first/factor.h", "#define FACTOR 9.0\n");
    assert_eq!(build(), 3);
    let lines = without_compiler("debug/consumer", &[]);
    assert!(lines.iter().any(|line| line.starts_with("diagonal") && line.contains(" 10.392")), "{lines:?}");
    assert_eq!(build(), 0);
    std::fs::remove_file(package.dir.join("first/factor.h")).unwrap();
    assert_eq!(build(), 3);
    // What nobody reads concerns nobody.
    package.write("first/other.h", "");
    let old = times();
    assert_eq!(build(), 0);
    assert_eq!(times(), old);

    // A variable of the compiler, which concerns all; and a table that an older build left.
    let with = |flags: &str| {
        let before = package.compiled();
        let output = package.command(&["build", "--bins"]).env("CXXFLAGS", flags).output().unwrap();
        assert!(output.status.success(), "{}", text(&output));
        package.compiled() - before
    };
    assert_eq!([with("-DUNUSED"), with("-DUNUSED")], [11, 0]);
    assert_eq!(build(), 11);
}

fn failures_are_shown_as_cargo_shows_them(package: &Package) {
    // In text whose lines are the Rust file's, and in text whose are not.
    package.edit("src/kernels/text.rs", "std::size_t i = 0;", "std::size_t i = zero;");
    package.edit("src/kernels/mod.rs", "x + {n}", "y + {n}");
    package.edit("src/kernels/mod.rs", "return values.at", "return value.at");
    package.edit("build.rs", ".kernel(guarded())", ".kernel(guarded()).kernel(extra(1))");
    let said = package.fails(&["build"]);
    for kernel in ["axpy(Plain)", "extra(1)", "guarded()"] {
        assert!(
            said.contains(&format!(
                "error: consumer@0.3.0: kernel {kernel}, generated at src/kernels/mod.rs:"
            )),
            "{said}"
        );
    }
    let stderr = said.split_once("--- stderr").expect(&said).1;
    let first = stderr.find("error: 'zero' was not declared").expect(stderr);
    let summary = stderr.find("error: kernel axpy(Plain)").expect(stderr);
    assert!(first < summary, "{said}");
    let generators = std::fs::read_to_string(package.dir.join("src/kernels/mod.rs")).unwrap();
    let line = generators.lines().position(|line| line.contains("return value.at")).unwrap() + 1;
    assert!(stderr.contains(&format!("src/kernels/mod.rs:{line}:")), "{said}");
    assert!(!said.contains("panicked at") && !said.contains("rerun-if"), "{said}");
    // Nothing was touched, and it is wrong as before; mended, what was right is not compiled again.
    assert!(package.fails(&["build"]).contains("'zero' was not declared"));
    package.edit("src/kernels/text.rs", "std::size_t i = zero;", "std::size_t i = 0;");
    package.edit("src/kernels/mod.rs", "y + {n}", "x + {n}");
    package.edit("src/kernels/mod.rs", "return value.at", "return values.at");
    // `guarded` is the one of before, and `extra` is new.
    assert_eq!(package.ok(&["build", "--bins"]).1, 3 + 1);
}

#[test]
fn the_most_aggressive_release_profile_keeps_the_kernels_of_programs_and_libraries() {
    let package = Package::consumer("consumer-release");
    // What is a library for Rust as well is not optimized as a whole; the plugin is.
    package.ok(&["build", "--release", "--lib", "--bins", "--example", "plugin"]);
    runs_released("release");
}

/// The options of the most aggressive profile apart from each other. Each takes a build of dijitso and everything below it,
/// so only `tests/soak/run` has them.
#[test]
fn one_code_unit_keeps_the_kernels() {
    profile("units", "codegen-units = 1");
}

#[test]
fn thin_link_time_optimization_keeps_the_kernels() {
    profile("thin", "lto = \"thin\"\ncodegen-units = 16");
}

#[test]
fn fat_link_time_optimization_keeps_the_kernels() {
    profile("fat", "lto = \"fat\"\npanic = \"unwind\"");
}

#[test]
fn abort_on_panic_keeps_the_kernels() {
    profile("abort", "panic = \"abort\"\nlto = \"off\"\ncodegen-units = 16");
}

fn profile(name: &str, options: &str) {
    if !crate::harness::soak() {
        return eprintln!("skipped: only with DIJITSO_SOAK (see tests/soak/run)");
    }
    let package = Package::consumer(&format!("consumer-{name}"));
    let manifest = std::fs::read_to_string(package.dir.join("Cargo.toml")).unwrap();
    let profile = format!("\n[profile.{name}]\ninherits = \"dev\"\nopt-level = 1\n{options}\n");
    let all = format!("[profile.{name}.package.\"*\"]\nopt-level = 0\ndebug = false\n");
    package.write("Cargo.toml", &(manifest + &profile + &all));
    package.ok(&["build", "--profile", name, "--lib", "--bins", "--example", "plugin"]);
    runs_released(name);
}

fn runs_released(profile: &str) {
    let lines = without_compiler(&format!("{profile}/consumer"), &[]);
    assert_eq!(lines.iter().filter(|line| line.ends_with(" Prebuilt")).count(), 11, "{profile}: {lines:?}");
    holds_kernels(&format!("{profile}/libconsumer.so"), "consumer_value");
    holds_kernels(&format!("{profile}/examples/libplugin.so"), "plugin_value");
}

/// A library with a function that loads and calls a kernel.
fn holds_kernels(library: &str, function: &str) {
    let path = target().join(library);
    // SAFETY: our own library; its constructors do what C++ and Rust ask of them.
    let library = unsafe { libloading::Library::new(&path) }.unwrap();
    // SAFETY: it is declared so.
    let value = unsafe { library.get::<extern "C" fn(f64) -> f64>(function) }.unwrap();
    assert!((value(2.0) - 12f64.sqrt()).abs() < 1e-12);
    // Rust's own variables of this thread end with the thread, and must not find it gone.
    std::mem::forget(library);
    let symbols = text(&Command::new("nm").args(["-D", "--defined-only"]).arg(path).output().unwrap());
    let kernels = ["dijitso_axpy", "create_form", "weights"];
    assert!(symbols.contains(function), "{symbols}");
    assert!(!kernels.iter().any(|kernel| symbols.contains(kernel)), "kernels stay inside: {symbols}");
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
