//! What the user asks for is there, or the configuration fails; what nobody can say is no missing feature.

use super::packages::library;
use super::*;

/// A module that can do without BLAS.
#[derive(Debug, Serialize, Deserialize)]
struct Tolerant;

impl Module for Tolerant {
    const NAME: &'static str = "tolerant";

    fn options(options: &mut Options) {
        options.of::<Blas>();
    }

    fn configure(cx: &Cx<'_>) -> Result<Tolerant, Failed> {
        assert!(cx.optional::<Blas>()?.is_none());
        Ok(Tolerant)
    }
}

#[test]
fn what_an_option_asks_for_is_not_left_out_where_its_module_is_optional() {
    let place = Place::new();
    std::fs::create_dir_all(place.path("wrong/lib")).unwrap();
    let wrong = format!("--with-blas-dir={}", place.path("wrong").display());
    let failed = place.configure().optional::<Blas>().arguments([wrong.clone()]).run().unwrap_err();
    assert!(failed.is_demanded() && failed.to_string().contains("not where the options say"), "{failed}");
    let card = failed.card();
    assert!(card.contains("option --with-blas-dir") && card.contains("there is nothing of it in"), "{card}");
    let failed = place.configure().with::<Tolerant>().arguments([wrong]).run().unwrap_err();
    assert_eq!(failed.path(), ["packages.blas"], "{failed}");
    place.configure().optional::<Blas>().arguments(["--with-blas=no"]).run().unwrap();
    let wrapper = place.script("bin/mpicc", "echo gcc -ldijitso_there_is_no_mpi");
    let wrong = format!("--with-mpicc={wrapper}");
    let failed = place.configure().optional::<Mpi>().arguments([wrong]).run().unwrap_err();
    assert!(failed.is_demanded() && failed.card().contains("the wrapper"), "{}", failed.card());
    assert!(!failed.card().contains("the system"), "there or nowhere: {}", failed.card());
}

#[test]
fn a_compiler_without_openmp_fails_only_if_openmp_is_asked_for() {
    let place = Place::new();
    let without =
        "case \" $* \" in *openmp*|*' -mp '*) echo 'error: no OpenMP' >&2; exit 1;; esac\nexec gcc \"$@\"";
    let configure = || place.with_cc(without).optional::<OpenMp>();
    assert!(configure().run().unwrap().get::<OpenMp>().is_none());
    let failed = configure().arguments(["--with-openmp=yes"]).run().unwrap_err();
    assert!(failed.is_demanded() && failed.to_string().contains("no OpenMP"), "{failed}");
    // Each flag that was tried has a line of its own.
    for flag in ["-fopenmp", "-qopenmp", "-fopenmp=libomp", "-mp"] {
        let line = format!("flag {flag} defining _OPENMP (C): ");
        assert!(failed.card().lines().any(|told| told.contains(&line)), "{flag}: {}", failed.card());
    }
}

#[test]
fn nobody_knows_about_lapack_where_the_compiler_cannot_link_an_empty_program() {
    let place = Place::new();
    library(&place, "opt/lib", "openblas", &["ddot_", "dgemm_"]);
    let dies = "if test -f u0.c && test \"$(cat u0.c)\" = 'int main(void) { return 0; }'; then kill -9 $$; fi\nexec gcc \"$@\"";
    let dir = format!("--with-blas-dir={}", place.path("opt").display());
    let failed = place.with_cc(dies).with::<Blas>().arguments([dir]).run().unwrap_err();
    assert_eq!(failed.kind(), FailureKind::Unknown, "{failed}");
    assert!(failed.to_string().contains("killed by signal 9"), "{failed}");
}

/// A compiler that says that it compiles for another machine.
fn cross() -> String {
    let real = std::env::consts::ARCH;
    format!(
        "said=$(mktemp); gcc \"$@\" 2>\"$said\"; status=$?\n\
         sed 's/^Target: {real}-/Target: riscv64-/' \"$said\" >&2; rm -f \"$said\"; exit $status"
    )
}

#[test]
fn libraries_are_looked_for_in_the_directory_of_the_machine_that_the_compiler_compiles_for() {
    let place = Place::new();
    library(&place, "opt/lib/riscv64-linux-gnu", "openblas", &["ddot_", "dgemm_"]);
    let dir = format!("--with-blas-dir={}", place.path("opt").display());
    let failed = place.configure().with::<Blas>().arguments([dir.clone()]).run().unwrap_err();
    assert!(failed.card().contains("there is nothing of it in"), "{}", failed.card());
    let cross = cross();
    let found = place.with_cc(&cross).with::<Blas>().arguments([dir]).run().unwrap();
    assert!(found.get::<Blas>().unwrap().from.contains("lib/riscv64-linux-gnu"));
}

#[test]
fn fortran_is_asked_with_the_wrapper_beside_the_one_for_c() {
    if !there("mpicc") || !there("mpifort") || !there("gfortran") {
        return;
    }
    let place = Place::new();
    place.script("opt/bin/mpicc", "exec mpicc \"$@\"");
    place.script("opt/bin/mpifort", "echo \"$(mpifort -show) -DBESIDE\"");
    let wrapper = format!("--with-mpicc={}", place.path("opt/bin/mpicc").display());
    let run = || place.configure().with::<Mpi>().arguments([wrapper.clone()]).run().unwrap();
    let configuration = run();
    let mpi = configuration.get::<Mpi>().unwrap();
    assert!(mpi.fortran && mpi.fortran_settings.to_string().contains("-DBESIDE"), "{mpi:?}");
    assert!(!mpi.settings.to_string().contains("-DBESIDE"), "{mpi:?}");
    configuration.write_make_macros("variables").unwrap();
    assert!(place.read("build/variables").contains("MPI_FORTRAN_LIB"));
    // One of another installation says nothing about this one.
    std::fs::remove_file(place.path("opt/bin/mpifort")).unwrap();
    let mpi = run().get::<Mpi>().unwrap();
    assert!(!mpi.fortran_settings.to_string().contains("mpifh"), "{mpi:?}");
}

/// Where a test runs as a program with other variables.
const CHILD: &str = "DIJITSO_DEMANDED_CHILD";

fn child(place: &Place, test: &str) -> std::process::Command {
    let mut command = std::process::Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", &format!("configure::tests::packages_demanded::{test}")]);
    command.env(CHILD, place.path("")).env_remove("CMAKE_PREFIX_PATH").stdout(std::process::Stdio::null());
    for name in ["PKG_CONFIG_PATH", "PKG_CONFIG_LIBDIR", "MPI_HOME", "MPI_ROOT", "I_MPI_ROOT"] {
        command.env_remove(name);
    }
    command
}

#[test]
fn cargo_is_told_of_the_variables_and_files_that_packages_read() {
    if let Some(dir) = crate::config::env::named(CHILD) {
        let place = Place::of(dir.into());
        let found = place.configure().with::<Blas>().run();
        place.write("told", &found.unwrap().cargo().join("\n"));
        return;
    }
    let place = Place::new();
    library(&place, "opt/lib", "any", &["ddot_", "dgemm_"]);
    let lib = place.path("opt/lib");
    let file = place.write(
        "opt/lib/pkgconfig/blas.pc",
        &format!("Version: 3\nRequires: more\nLibs: -L{} -lany\n", lib.display()),
    );
    let more = place.write("opt/lib/pkgconfig/more.pc", "Version: 1\n");
    let mut command = child(&place, "cargo_is_told_of_the_variables_and_files_that_packages_read");
    command.env("PKG_CONFIG_PATH", lib.join("pkgconfig")).env("PKG_CONFIG_LIBDIR", "/no/such");
    assert!(command.status().unwrap().success());
    let told = place.read("told");
    let has = |line: &str| told.lines().any(|told| told == line);
    for name in ["PKG_CONFIG_PATH", "PKG_CONFIG_LIBDIR"] {
        assert!(has(&format!("cargo::rerun-if-env-changed={name}")), "{told}");
    }
    for path in [file, more] {
        assert!(has(&format!("cargo::rerun-if-changed={}", path.display())), "{told}");
    }
    assert!(!has("cargo::rerun-if-env-changed=BLAS_DIR"), "it was found before: {told}");
    std::fs::remove_file(place.path("opt/lib/pkgconfig/blas.pc")).unwrap();
    command.env("BLAS_DIR", place.path("opt")).env("PATH", "/usr/bin");
    std::fs::rename(lib.join("libany.so"), lib.join("libblas.so")).unwrap();
    assert!(command.status().unwrap().success());
    let told = place.read("told");
    for name in ["BLAS_DIR", "OPENBLAS_ROOT", "CMAKE_PREFIX_PATH", "OpenBLAS_DIR", "LAPACK_ROOT"] {
        assert!(told.contains(&format!("cargo::rerun-if-env-changed={name}\n")), "{name}: {told}");
    }
    assert!(
        told.contains(&format!("cargo::rerun-if-changed={}\n", lib.join("pkgconfig").display())),
        "{told}"
    );
}

#[test]
fn pkg_config_has_directories_of_the_machine_that_the_compiler_compiles_for_whoever_asks_first() {
    if let Some(dir) = crate::config::env::named(CHILD) {
        let place = Place::of(dir.into());
        // Nobody has looked for a compiler before.
        let told = |configure: Configure| configure.optional::<Blas>().run().unwrap().cargo().join("\n");
        place.write("own", &told(place.configure()));
        place.write("other", &told(place.with_cc(&cross())));
        return;
    }
    let place = Place::new();
    let test = "pkg_config_has_directories_of_the_machine_that_the_compiler_compiles_for_whoever_asks_first";
    assert!(child(&place, test).status().unwrap().success());
    let dir = format!("/usr/lib/{}-linux-gnu/pkgconfig", std::env::consts::ARCH);
    // Its names are not there, so the directory is watched.
    let there = std::path::Path::new(&dir).exists();
    assert_eq!(place.read("own").contains(&dir), there);
    assert!(!place.read("other").contains(&dir));
}
