//! What a build with the feature `mpi` says where something that it needs is missing.

use super::*;
use crate::harness::which;

/// The variables that decide where MPI and libclang are looked for.
const DECIDING: [&str; 7] = [
    "MPICC",
    "MPI_PKG_CONFIG",
    "CRAY_MPICH_DIR",
    "PKG_CONFIG_PATH",
    "PKG_CONFIG_LIBDIR",
    "LIBCLANG_PATH",
    "LLVM_CONFIG_PATH",
];

const NO_MPICC: &str = "an MPI compiler wrapper (`mpicc` is not on PATH; MPICC may name another)";

fn rustc() -> PathBuf {
    Path::new(env!("CARGO")).with_file_name("rustc")
}

/// A directory for PATH with these programs and no others.
fn only(name: &str, programs: &[&str]) -> PathBuf {
    let dir = fresh(name);
    for program in programs {
        std::os::unix::fs::symlink(which(program).unwrap(), dir.join(program)).unwrap();
    }
    dir
}

/// Cargo itself, because what matters is what it begins with: `mpi-sys` must not have failed before. One job at a time
/// is the worst case.
#[test]
fn one_line_says_what_the_feature_mpi_lacks() {
    let package = Package::empty("lacking");
    package.write(
        "Cargo.toml",
        &format!(
            "[package]\nname = \"lacking\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[workspace]\n\
             [dependencies]\ndijitso = {{ path = {:?}, features = [\"mpi\"] }}\n",
            dijitso()
        ),
    );
    package.write("src/lib.rs", "");
    let (nothing, linker) = (fresh("lacking.nothing"), only("lacking.path", &["cc", "ld"]));
    for jobs in ["1", "2"] {
        let mut command = package.command(&["build", "--jobs", jobs]);
        for variable in DECIDING {
            command.env_remove(variable);
        }
        command.env("PATH", &linker).env("RUSTC", rustc()).env("LIBCLANG_PATH", &nothing);
        let output = command.output().unwrap();
        let said = text(&output);
        let errors: Vec<&str> = said.lines().filter(|line| line.starts_with("error")).collect();
        let expected = format!(
            "error: dijitso-mpi-check@0.1.0: dijitso's feature `mpi` needs {NO_MPICC}, and libclang (it is not in `{}`, which \
             LIBCLANG_PATH names); on Debian: apt install libopenmpi-dev libclang-dev",
            nothing.display()
        );
        assert!(!output.status.success());
        assert!(errors.contains(&&*expected), "{jobs} jobs: {said}");
        // Side by side, and compiled by an earlier run, the script of `mpi-sys` fails at the same time.
        if jobs == "1" {
            assert_eq!(errors, [&expected, "error: build script logged errors"], "{said}");
            assert!(!said.contains("panicked"), "{said}");
        }
    }
}

/// The build script alone, with these variables and no others; what it complains about.
fn complaint(script: &Path, variables: &[(&str, &Path)]) -> Option<String> {
    let output = Command::new(script).env_clear().envs(variables.iter().copied()).output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    let said = String::from_utf8(output.stdout).unwrap();
    let mut errors =
        said.lines().filter_map(|line| line.strip_prefix("cargo::error=dijitso's feature `mpi` needs "));
    let first = errors.next().map(str::to_owned);
    assert_eq!(errors.next(), None, "one line is enough");
    first
}

#[test]
fn nothing_is_refused_that_could_be_built() {
    let dir = fresh("needs");
    let script = dir.join("check");
    let source = root().join("dijitso/mpi/check/build.rs");
    let compiled =
        Command::new(rustc()).args(["--edition", "2024", "-o"]).arg(&script).arg(source).output().unwrap();
    assert!(compiled.status.success(), "{}", text(&compiled));

    let (nothing, clang) = (fresh("needs.nothing"), fresh("needs.clang"));
    std::fs::write(clang.join("libclang-14.so.1"), "").unwrap();
    std::fs::write(nothing.join("libclang-cpp.so.14"), "").unwrap();
    let nowhere = Path::new("/no/such/mpicc");
    let path = ("PATH", &*nothing);
    let libclang = ("LIBCLANG_PATH", &*clang);

    // MPI: a wrapper that can be run, whatever it says; a package; or a way that only `mpi-sys` understands.
    let absent = format!("{NO_MPICC}; on Debian: apt install libopenmpi-dev");
    assert_eq!(complaint(&script, &[path, libclang]), Some(absent));
    let named = complaint(&script, &[path, libclang, ("MPICC", nowhere)]).unwrap();
    assert!(
        named.starts_with("an MPI compiler wrapper (`/no/such/mpicc`, which MPICC names, cannot be run)"),
        "{named}"
    );
    assert_eq!(complaint(&script, &[path, libclang, ("MPICC", &which("false").unwrap())]), None);
    for (program, answer) in [("mpicc", "false"), ("pkg-config", "true"), ("pkgconf", "true")] {
        let bin = fresh("needs.bin");
        std::os::unix::fs::symlink(which(answer).unwrap(), bin.join(program)).unwrap();
        assert_eq!(complaint(&script, &[("PATH", &bin), libclang]), None, "{program}");
    }
    for way in ["CRAY_MPICH_DIR", "MPI_PKG_CONFIG", "PKG_CONFIG", "HOST_PKG_CONFIG_PATH"] {
        assert_eq!(complaint(&script, &[path, libclang, (way, nowhere)]), None, "{way}");
    }

    // libclang: in the directory that is named or the file itself, or where it is searched if none is.
    let wrapper = which("true").unwrap();
    let mpi = ("MPICC", &*wrapper);
    let absent = format!(
        "libclang (it is not in `{}`, which LIBCLANG_PATH names); on Debian: apt install libclang-dev",
        nothing.display()
    );
    assert_eq!(complaint(&script, &[mpi, ("LIBCLANG_PATH", &nothing)]), Some(absent));
    assert_eq!(complaint(&script, &[mpi, ("LIBCLANG_PATH", &clang.join("libclang-14.so.1"))]), None);
}
