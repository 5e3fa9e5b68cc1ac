//! Packages: candidates in order, each tested.

use super::*;

/// Makes a library with these functions, as `lib<name>.so` in a directory.
fn library(place: &Place, dir: &str, name: &str, functions: &[&str]) {
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
    assert!(configuration.flags().explain("-fopenmp")[0].contains("module"), "{:?}", configuration.flags());
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

/// A tarball with these files in a directory `small-1.0`, and its digest.
fn tarball(place: &Place, files: &[(&str, &str, u32)]) -> (PathBuf, String) {
    let path = place.path("small-1.0.tar.gz");
    let file = std::fs::File::create(&path).unwrap();
    let mut tar = tar::Builder::new(flate2::write::GzEncoder::new(file, flate2::Compression::fast()));
    for (name, text, mode) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        header.set_mode(*mode);
        header.set_cksum();
        tar.append_data(&mut header, format!("small-1.0/{name}"), text.as_bytes()).unwrap();
    }
    tar.into_inner().unwrap().finish().unwrap();
    let digest = crate::signature::digest(&std::fs::read(&path).unwrap());
    (path, digest.to_hex())
}

const CONFIGURE: &str = "#!/bin/sh\nfor word; do case $word in --prefix=*) prefix=${word#*=};; CC=*) cc=${word#*=};; \
                         --fail) echo 'configure: error: as told' >&2; exit 1;; esac; done\n\
                         echo \"configured once\" >> ../../times\n\
                         printf 'all:\\n\\t%s -shared -fPIC -o libsmall.so small.c\\ninstall:\\n\\tmkdir -p %s/lib %s/include\\n\\tcp libsmall.so %s/lib\\n\\tcp small.h %s/include\\n' \
                         \"$cc\" \"$prefix\" \"$prefix\" \"$prefix\" \"$prefix\" > Makefile\n";

#[derive(Debug, Serialize, Deserialize)]
struct Small {
    settings: Settings,
}

impl Module for Small {
    const NAME: &'static str = "packages.small";

    fn configure(cx: &Cx<'_>) -> Result<Small, Failed> {
        let recipe = cx.provided::<Recipe>()?;
        let settings = cx.build(&recipe)?.lib("small");
        cx.need(&Function::new("small").after("small.h").with(&settings))?;
        Ok(Small { settings })
    }
}

fn autotools(place: &Place) -> (PathBuf, String) {
    tarball(
        place,
        &[
            ("configure", CONFIGURE, 0o755),
            ("small.c", "int small(void) { return 1; }\n", 0o644),
            ("small.h", "int small(void);\n", 0o644),
        ],
    )
}

#[test]
fn a_package_is_built_once_from_its_tarball_and_then_tested() {
    let place = Place::new();
    let (path, sha256) = autotools(&place);
    let recipe = Recipe::new("small", path.to_str().unwrap(), sha256, BuildWith::Autotools);
    let run = |recipe: &Recipe| place.configure().provide(recipe.clone()).with::<Small>().run();
    let first = run(&recipe).unwrap();
    assert!(first.get::<Small>().unwrap().settings.to_string().contains("-lsmall"));
    let second = run(&recipe).unwrap();
    assert_eq!(second.probes().unwrap().stats().processes, 0, "neither built nor asked again");
    // Another argument is another prefix.
    run(&recipe.clone().argument("--other")).unwrap();
    let packages = std::fs::read_dir(place.path("build/packages")).unwrap().count();
    assert_eq!(packages, 2);
}

#[test]
fn a_tarball_with_another_digest_is_refused_before_anything_of_it_runs() {
    let place = Place::new();
    let (path, _) = autotools(&place);
    let recipe = Recipe::new("small", path.to_str().unwrap(), "00".repeat(32), BuildWith::Autotools);
    let failed = place.configure().provide(recipe).with::<Small>().run().unwrap_err().to_string();
    assert!(failed.contains("must have 0000") && failed.contains("not what the recipe means"), "{failed}");
    let short = Recipe::new("small", path.to_str().unwrap(), "00", BuildWith::Autotools);
    let failed = place.configure().provide(short).with::<Small>().run().unwrap_err().to_string();
    assert!(failed.contains("not of 64 digits"), "{failed}");
}

#[test]
fn a_build_that_fails_shows_its_last_words_and_goes_on_where_it_failed() {
    let place = Place::new();
    let (path, sha256) = autotools(&place);
    let recipe = Recipe::new("small", path.to_str().unwrap(), sha256, BuildWith::Autotools);
    let failing = recipe.clone().argument("--fail");
    let failed = place.configure().provide(failing).with::<Small>().run().unwrap_err().to_string();
    assert!(failed.contains("configure: error: as told") && failed.contains("build.log"), "{failed}");
    // `make` fails as long as the directory is in its way.
    let run = || place.configure().provide(recipe.clone()).with::<Small>().run();
    run().unwrap();
    let root = std::fs::read_dir(place.path("build/packages")).unwrap().map(|entry| entry.unwrap().path());
    let root = root.into_iter().find(|root| root.join("prefix").exists()).unwrap();
    std::fs::remove_dir_all(root.join("prefix")).unwrap();
    std::fs::remove_file(root.join("built")).unwrap();
    run().unwrap();
    let times = std::fs::read_to_string(root.join("times")).unwrap();
    assert_eq!(times.lines().count(), 1, "it is not configured again");
    assert!(root.join("prefix/lib/libsmall.so").exists());
}

#[test]
fn a_package_of_cmake_is_configured_with_our_compilers_and_prefix() {
    let place = Place::new();
    let files = [
        (
            "CMakeLists.txt",
            "cmake_minimum_required(VERSION 3.5)\nproject(small C)\nadd_library(small SHARED small.c)\n\
                            install(TARGETS small DESTINATION lib)\ninstall(FILES small.h DESTINATION include)\n",
            0o644,
        ),
        ("small.c", "int small(void) { return 1; }\n", 0o644),
        ("small.h", "int small(void);\n", 0o644),
    ];
    let (path, sha256) = tarball(&place, &files);
    let recipe = Recipe::new("small", path.to_str().unwrap(), sha256, BuildWith::CMake);
    let there = std::process::Command::new("cmake").arg("--version").output().is_ok();
    match (there, place.configure().provide(recipe).with::<Small>().run()) {
        (true, outcome) => assert!(outcome.unwrap().get::<Small>().is_some()),
        (false, outcome) => {
            let failed = outcome.unwrap_err().to_string();
            assert!(failed.contains("cmake is needed and not found on PATH"), "{failed}");
        }
    }
}
