//! A small package and what can go wrong with it.

use super::*;
use crate::harness::{need, real_compiler};

const KERNELS: &str = r#"
use dijitso::Source;
pub type Number = extern "C" fn(f64) -> f64;

#[dijitso::kernel]
pub fn scale(n: i32) -> Source<Number> {
    assert!(n != 13, "thirteen is no factor");
    // SAFETY: arithmetic only.
    unsafe { Source::new(format!("double scale(double x) {{ return {n} * x + EXTRA; }}")) }.include("\"extra.h\"")
}

#[dijitso::kernel]
pub fn calls(name: &'static str, library: &'static str) -> Source<Number> {
    // SAFETY: arithmetic only.
    unsafe { Source::new(format!("double calls(double x) {{ return x + {name}(); }}")) }
        .preamble(format!("extern \"C\" int {name}();"))
        .link(library)
}
"#;

const MAIN: &str = r#"
mod kernels;
dijitso::include_prebuilt!();

fn main() {
    let jit = dijitso::Jit::builder().prebuilt(&PREBUILT).prebuilt(&NAME::PREBUILT).sealed().build().unwrap();
    println!("{} {}", PREBUILT.len(), NAME::PREBUILT.len());
    for spec in [1, 2].map(kernels::scale).into_iter().chain([1, 2].map(NAME::kernels::scale)) {
        println!("{:?}", jit.load(&spec).ok().map(|kernel| (kernel.call(3.0), kernel.origin())));
    }
    if let Some(library) = option_env!("LIBRARY") {
        println!("{}", jit.load(&kernels::calls("two", library)).unwrap().call(1.0));
    }
}
"#;

/// A package with this list of kernels in its build script, and the table in its library and in its program.
fn small(name: &str, list: &str) -> Package {
    let package = Package::empty(name);
    let dependency = format!("dijitso = {{ path = {:?} }}\n", dijitso());
    package.write(
        "Cargo.toml",
        &format!(
            "[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[workspace]\n\
             [dependencies]\n{dependency}[build-dependencies]\n{dependency}"
        ),
    );
    package.write("src/kernels.rs", KERNELS);
    package.write("src/lib.rs", "pub mod kernels;\ndijitso::include_prebuilt!();");
    package.write("src/main.rs", &MAIN.replace("NAME", name));
    package.list(list);
    package
}

impl Package {
    fn list(&self, list: &str) {
        // The header is written by the build script itself, where cargo wants it.
        self.write(
            "build.rs",
            &format!(
                "#[path = \"src/kernels.rs\"] #[allow(dead_code)] mod kernels;\n\
                 fn main() {{\n\
                     let out = std::path::PathBuf::from(std::env::var_os(\"OUT_DIR\").unwrap());\n\
                     std::fs::write(out.join(\"extra.h\"), \"#define EXTRA 0\\n\").unwrap();\n\
                     dijitso::prebuild().include_dir(out){list}.compile(\"small\");\n\
                 }}\n"
            ),
        );
    }
}

#[test]
fn a_library_and_a_program_may_both_include_the_table_of_their_package() {
    let package = small("small", ".kernels([1, 2].map(kernels::scale))");
    assert_eq!(package.ok(&["build"]).1, 2);
    let loaded = |n: i32| format!("Some(({}.0, Prebuilt))", 3 * n);
    let expected = ["2 2".to_owned(), loaded(1), loaded(2), loaded(1), loaded(2)];
    assert_eq!(without_compiler("debug/small", &[]), expected);
    // The header that the build script writes into its own directory is no reason to run it again.
    let (said, compiled) = package.ok(&["build", "--verbose"]);
    assert!(compiled == 0 && said.contains("Fresh small"), "{said}");

    // Nor is it one to compile anything, as long as it says the same.
    package.list(".kernels([1, 2, 3].map(kernels::scale))");
    assert_eq!(package.ok(&["build"]).1, 1);
    package.edit("build.rs", "EXTRA 0", "EXTRA 1");
    assert_eq!(package.ok(&["build"]).1, 3);

    // No kernels any more.
    package.list(".kernels([0; 0].map(kernels::scale))");
    assert_eq!(package.ok(&["build"]).1, 0);
    assert_eq!(without_compiler("debug/small", &[]), ["0 0", "None", "None", "None", "None"]);
    let (said, _) = package.ok(&["build", "--verbose"]);
    assert!(said.contains("Fresh small"), "{said}");
}

#[test]
fn what_a_build_script_cannot_do_is_an_error_of_cargo() {
    let package = small("wrong", ".kernels([1, 13, 2].map(kernels::scale))");
    let said = package.fails(&["build"]);
    assert!(said.contains("error: wrong@0.1.0: kernel scale(13), generated at src/kernels.rs:"), "{said}");
    assert!(said.contains("its generator panicked: thirteen is no factor"), "{said}");
    assert!(!said.contains("stack backtrace") && !said.contains("src/prebuild/"), "{said}");
    assert_eq!(package.compiled(), 0, "nothing is compiled that will not be used");

    package.list(".kernels([1, 2].map(kernels::scale))");
    let output = package.command(&["build"]).env("CXX", "no-such-compiler").output().unwrap();
    let said = text(&output);
    assert!(
        !output.status.success() && said.contains("error: wrong@0.1.0: no usable C++ compiler"),
        "{said}"
    );
    assert!(said.contains("no-such-compiler: not found on PATH"), "{said}");
    // Cargo runs a script that failed again, whatever has changed.
    assert_eq!(package.ok(&["build"]).1, 2);

    // What cannot become part of the program: nobody defines it; a file that is not there.
    package.list(".kernel(kernels::calls(\"nobody\", \"m\"))");
    let said = package.fails(&["build"]);
    let kernel = "error: wrong@0.1.0: kernel calls(\"nobody\", \"m\"), generated at src/kernels.rs:";
    assert!(said.contains(kernel) && said.contains("cannot be linked into a program"), "{said}");
    assert!(said.contains("undefined") && said.contains("nobody"), "{said}");
    package.list(".kernel(kernels::calls(\"nobody\", \"/nowhere/libnobody.so\"))");
    let said = package.fails(&["build"]);
    assert!(said.contains("calls(\"nobody\", \"/nowhere/libnobody.so\")"), "{said}");
    assert!(said.contains("/nowhere/libnobody.so") && !said.contains("linking with"), "{said}");
    package.list(".kernel(kernels::calls(\"nobody\", \"/nowhere/libnobody.a\"))");
    let said = package.fails(&["build"]);
    assert!(
        said.contains("error: wrong@0.1.0: kernel calls(\"nobody\", \"/nowhere/libnobody.a\")"),
        "{said}"
    );
}

#[test]
fn a_shared_library_stays_one_of_the_program() {
    let package = small("shared", "");
    let library = package.dir.join("lib/libtwo.so");
    package.write("lib/two.cpp", "extern \"C\" int two() { return 2; }");
    let mut made = Command::new(real_compiler());
    made.args(["-shared", "-fPIC", "-o"]).arg(&library).arg(package.dir.join("lib/two.cpp"));
    assert!(made.status().unwrap().success());
    let name = library.to_str().unwrap();
    package.list(&format!(".kernel(kernels::calls(\"two\", {name:?}))"));
    let output = package.command(&["build"]).env("LIBRARY", name).output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    let mut program = Command::new(target().join("debug/shared"));
    program.env_clear().env("DIJITSO_CACHE_DIR", target().join("no-cache"));
    let without = program.output().unwrap();
    assert!(text(&without).contains("libtwo.so"), "{}", text(&without));
    let with = program.env("LD_LIBRARY_PATH", library.parent().unwrap()).output().unwrap();
    assert!(text(&with).ends_with("\n3\n"), "{}", text(&with));
}

/// `--keep-going`: Rust's own libraries for the target are probably not here, so that what the build script does for
/// it is all that can be seen.
#[test]
fn a_build_for_another_target_compiles_the_kernels_for_it() {
    let (other, machine) = if std::env::consts::ARCH == "x86_64" { ("aarch64", 183) } else { ("x86_64", 62) };
    let triple = format!("{other}-unknown-linux-gnu");
    let package = small("cross", ".kernels([1, 2].map(kernels::scale))");
    let variable = format!("CXX_{other}_unknown_linux_gnu");
    let build = |cxx: Option<&str>| {
        let mut command = package.command(&["build", "--keep-going", "--target", &triple]);
        command.env_remove("CXX").envs(cxx.map(|cxx| (&variable, cxx)));
        command.env(
            format!("CARGO_TARGET_{}_LINKER", triple.to_uppercase().replace('-', "_")),
            format!("{other}-linux-gnu-gcc"),
        );
        command.output().unwrap()
    };
    let said = text(&build(Some("no-such-compiler")));
    assert!(said.contains("error: cross@0.1.0: no usable C++ compiler; tried: no-such-compiler"), "{said}");
    assert!(said.contains(&format!("it is the compiler for {triple}")) && said.contains(&variable), "{said}");

    if need(&format!("{other}-linux-gnu-g++")).is_none() {
        return;
    }
    let output = build(None);
    let said = text(&output);
    assert!(output.status.success() || said.contains("can't find crate for `core`"), "{said}");
    assert!(!said.contains("custom build command"), "{said}");
    let out = out_dir(&triple, "cross-");
    let objects: Vec<PathBuf> =
        files(&out).into_iter().filter(|path| path.extension().is_some_and(|e| e == "o")).collect();
    assert!(objects.len() >= 2, "{objects:?}");
    for path in objects {
        let bytes = std::fs::read(&path).unwrap();
        assert_eq!(u16::from_le_bytes([bytes[18], bytes[19]]), machine, "{}", path.display());
    }
    assert!(archive(&out).metadata().unwrap().len() > 500);
}
