//! Packages: candidates in order, each tested.

use super::*;

/// Makes a library with these functions, as `lib<name>.so` in a directory.
pub(super) fn library(place: &Place, dir: &str, name: &str, functions: &[&str]) {
    let text: String = functions.iter().map(|name| format!("void {name}(void) {{}}\n")).collect();
    let source = place.write("made.c", &text);
    std::fs::create_dir_all(place.path(dir)).unwrap();
    let target = place.path(&format!("{dir}/lib{name}.so"));
    let mut command = std::process::Command::new("gcc");
    command.args(["-shared", "-fPIC", "-fno-builtin", "-o"]).arg(target).arg(source);
    assert!(command.status().unwrap().success());
}

#[test]
fn threads_and_openmp_are_found_with_what_they_need() {
    let place = Place::new();
    let configuration = place.configure().with::<Threads>().with::<OpenMp>().run().unwrap();
    assert!(configuration.get::<Threads>().is_some());
    let openmp = configuration.get::<OpenMp>().unwrap();
    assert_eq!(openmp.flags[&Language::Cxx], "-fopenmp");
    let explained = configuration.flags().explain("-fopenmp");
    assert!(explained.iter().all(|line| line.contains("asked of the compiler")), "{explained:?}");
    assert!(configuration.summary().contains("OpenMP"));
    let failed = place.configure().with::<OpenMp>().arguments(["--without-openmp"]).run().unwrap_err();
    assert!(failed.to_string().contains("not wanted (option --without-openmp)"), "{failed}");
}

#[test]
fn a_package_is_taken_from_where_the_option_says_and_tested() {
    let place = Place::new();
    library(&place, "opt/lib", "openblas", &["ddot_", "dgemm_", "dgetrf_"]);
    let dir = format!("--with-blas-dir={}", place.path("opt").display());
    let configuration = place.configure().with::<Blas>().arguments([dir]).run().unwrap();
    let blas = configuration.get::<Blas>().unwrap();
    assert!(blas.lapack && blas.naming.name("ddot") == "ddot_", "{blas:?}");
    assert!(blas.from.contains("opt/lib"), "{blas:?}");
    let explained = configuration.flags().explain("-lopenblas");
    assert!(explained[0].contains("option --with-blas-dir"), "{explained:?}");
    configuration.write_header("h").unwrap();
    assert!(place.read("build/h").contains("#define DEMO_HAVE_LAPACK 1"));
}

#[test]
fn a_library_that_only_has_the_name_is_refused_with_the_reason() {
    let place = Place::new();
    library(&place, "opt/lib", "openblas", &["something_else"]);
    let dir = format!("--with-blas-dir={}", place.path("opt").display());
    let failed = place.configure().with::<Blas>().arguments([dir]).run().unwrap_err();
    let card = failed.card();
    assert!(failed.to_string().contains("not where the options say"), "{failed}");
    assert!(card.contains("tried") && card.contains("ddot"), "{card}");
    assert!(card.lines().count() <= 40);
}

#[test]
fn names_without_an_underscore_are_found_too() {
    let place = Place::new();
    library(&place, "opt/lib", "blas", &["ddot", "dgemm"]);
    let lib = format!("--with-blas-lib=-L{} -lblas", place.path("opt/lib").display());
    let configuration = place.configure().with::<Blas>().arguments([lib]).run().unwrap();
    let blas = configuration.get::<Blas>().unwrap();
    assert_eq!((blas.naming.name("dgemm").as_str(), blas.lapack), ("dgemm", false));
}

#[test]
fn mpi_is_found_through_its_wrapper_and_linked_but_not_run() {
    let place = Place::new();
    let outcome = place.configure().with::<Mpi>().run();
    let there =
        std::process::Command::new("mpicc").arg("-show").output().is_ok_and(|output| output.status.success());
    match (there, outcome) {
        (true, Ok(configuration)) => {
            let mpi = configuration.get::<Mpi>().unwrap();
            assert!(!mpi.implementation.is_empty() && mpi.standard.starts_with(['2', '3', '4']), "{mpi:?}");
            assert!(mpi.from.contains("mpicc"), "{mpi:?}");
            let warm = place.configure().with::<Mpi>().run().unwrap();
            assert_eq!(warm.probes().unwrap().stats().processes, 0);
        }
        (false, Err(failed)) => assert!(failed.card().contains("tried"), "{}", failed.card()),
        (there, outcome) => panic!("mpicc there: {there}; {outcome:?}"),
    }
}

#[test]
fn a_wrapper_that_tells_nonsense_is_refused_and_told() {
    let place = Place::new();
    let wrapper = place.script("bin/mpicc", "echo gcc -I/no/such -lnothing_of_mpi");
    let failed = place
        .configure()
        .with::<Mpi>()
        .arguments([format!("--with-mpicc={wrapper}"), "--with-mpi-lib=dijitso_none".to_owned()]);
    let failed = failed.run().unwrap_err();
    assert!(failed.card().contains("tried"), "{}", failed.card());
}
