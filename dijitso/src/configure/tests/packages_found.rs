//! A project's own package: found through CMake, or built as the last candidate, and tested in any case.

use super::*;
use crate::probe::CMakePackage;

const DEMO: PackageOptions = crate::package_options!("demo");
const LIBS: &[&[&str]] = &[&["dijitsodemo"]];

/// How it is looked for.
#[derive(Debug, Clone)]
pub(super) struct How {
    package: CMakePackage,
    recipe: Recipe,
}

impl How {
    pub(super) fn new(package: CMakePackage) -> How {
        How { package, recipe: Recipe::without_tarball("demo", BuildWith::Autotools) }
    }
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Demo {
    pub(super) from: String,
    pub(super) settings: Settings,
}

impl Module for Demo {
    const NAME: &'static str = "packages.demo";

    fn options(options: &mut Options) {
        DEMO.add_to(options);
    }

    fn configure(cx: &Cx<'_>) -> Result<Demo, Failed> {
        let how = cx.provided::<How>()?;
        let candidates = Candidates::of(cx, &DEMO, LIBS)?
            .of_pkg_config(cx, &["dijitsodemo"])
            .of_cmake_package(how.package.clone())
            .of_environment(&["DIJITSO_DEMO_OF_TESTS"], LIBS)
            .of_system(LIBS)
            .of_download(cx, &DEMO, &how.recipe, LIBS)?;
        let works =
            |settings: &Settings| cx.ask(&Function::new("demo_value").after("dijitsodemo.h").with(settings));
        let (from, settings, ()) = candidates.choose(cx, works)?;
        Ok(Demo { from, settings })
    }
}

impl Place {
    /// An installation: a shared library that needs a static one, headers, and what CMake is told.
    fn installed(&self, config: &str) -> PathBuf {
        let prefix = self.path("opt");
        self.write(
            "opt/include/demo/dijitsodemo.h",
            "#if DEMO != 3\n#error DEMO\n#endif\nint demo_value(void);\n",
        );
        let one = self.write("one.c", "int demo_base(void);\nint demo_value(void) { return demo_base(); }\n");
        let two = self.write("two.c", "int demo_base(void) { return 1; }\n");
        std::fs::create_dir_all(prefix.join("lib")).unwrap();
        let run = |program: &str, args: &[&std::ffi::OsStr]| {
            assert!(std::process::Command::new(program).args(args).status().unwrap().success());
        };
        let (object, archive) = (self.path("two.o"), prefix.join("lib/libdemobase.a"));
        run("gcc", &["-c".as_ref(), "-o".as_ref(), object.as_ref(), two.as_ref()]);
        run("ar", &["rcs".as_ref(), archive.as_ref(), object.as_ref()]);
        let (object, archive) = (self.path("one.o"), prefix.join("lib/libdijitsodemo.a"));
        run("gcc", &["-c".as_ref(), "-o".as_ref(), object.as_ref(), one.as_ref()]);
        run("ar", &["rcs".as_ref(), archive.as_ref(), object.as_ref()]);
        self.write("opt/lib/cmake/Demo-1.2/DemoConfig.cmake", config);
        self.write("opt/lib/cmake/Demo-1.2/DemoConfigVersion.cmake", "set(PACKAGE_VERSION 1.2)\n");
        prefix
    }

    fn demo(&self, how: &How) -> Configure {
        self.configure().provide(how.clone()).with::<Demo>()
    }
}

const CONFIG: &str = r#"
include("${CMAKE_CURRENT_LIST_DIR}/DemoTargets.cmake" OPTIONAL)
get_filename_component(prefix "${CMAKE_CURRENT_LIST_DIR}/../../.." ABSOLUTE)
find_package(Threads REQUIRED)
add_library(Demo::base STATIC IMPORTED)
set_target_properties(Demo::base PROPERTIES IMPORTED_LOCATION "${prefix}/lib/libdemobase.a"
  INTERFACE_LINK_LIBRARIES "m;$<$<CONFIG:Debug>:no-such-library>")
add_library(Demo::Demo STATIC IMPORTED)
set_target_properties(Demo::Demo PROPERTIES IMPORTED_LOCATION "${prefix}/lib/libdijitsodemo.a"
  INTERFACE_INCLUDE_DIRECTORIES "$<BUILD_INTERFACE:${prefix}/include/demo>"
  INTERFACE_COMPILE_DEFINITIONS "DEMO=3;$<$<COMPILE_LANGUAGE:C>:OF_C>"
  INTERFACE_LINK_OPTIONS "-Wl,--as-needed"
  INTERFACE_LINK_LIBRARIES "$<LINK_ONLY:Demo::base>")
add_library(Demo::tool MODULE IMPORTED)
"#;

#[test]
fn what_a_package_tells_cmake_is_evaluated_tested_and_remembered_with_the_files_that_say_it() {
    if !there("cmake") {
        return;
    }
    let place = Place::new();
    let prefix = place.installed(CONFIG);
    let how = How::new(CMakePackage::new("Demo").below(&prefix));
    let first = place.demo(&how).run().unwrap();
    let demo = first.get::<Demo>().unwrap();
    assert_eq!(demo.from, "CMake's package Demo 1.2");
    let (lib, include) = (prefix.join("lib"), prefix.join("include/demo"));
    let expected = format!(
        "-DDEMO=3 -DOF_C -I{} -Wl,--as-needed {lib}/libdijitsodemo.a {lib}/libdemobase.a -lm",
        include.display(),
        lib = lib.display()
    );
    assert_eq!(demo.settings.to_string(), expected);
    assert!(demo.settings.explain()[0].contains("DemoConfig.cmake"), "{:?}", demo.settings.explain());
    let warm = place.demo(&how).run().unwrap();
    assert_eq!(warm.probes().unwrap().stats().processes, 0);
    assert_eq!(warm.get::<Demo>().unwrap().settings.to_string(), expected);
    // An upgrade is noticed, in the file that is found and in one that it reads.
    let name = "opt/lib/cmake/Demo-1.2/DemoConfig.cmake";
    place.write(name, &CONFIG.replace("OF_C", "OF_ANOTHER"));
    let upgraded = place.demo(&how).run().unwrap();
    assert!(upgraded.get::<Demo>().unwrap().settings.to_string().contains("-DOF_ANOTHER"));
    place.write("opt/lib/cmake/Demo-1.2/more.cmake", "set(more 1)\n");
    place.write(
        name,
        &format!(
            "include(\"${{CMAKE_CURRENT_LIST_DIR}}/more.cmake\")\n{}",
            CONFIG.replace("OF_C", "A${more}")
        ),
    );
    assert!(place.demo(&how).run().unwrap().get::<Demo>().unwrap().settings.to_string().contains("-DA1 "));
    assert_eq!(place.demo(&how).run().unwrap().probes().unwrap().stats().processes, 0);
    place.write("opt/lib/cmake/Demo-1.2/more.cmake", "set(more 2)\n");
    assert!(place.demo(&how).run().unwrap().get::<Demo>().unwrap().settings.to_string().contains("-DA2 "));
    // A library that is gone is no candidate any more.
    std::fs::remove_file(lib.join("libdemobase.a")).unwrap();
    let card = place.demo(&how).run().unwrap_err().card().to_owned();
    assert!(card.contains("CMake's package Demo") && card.lines().count() <= 40, "{card}");
}

#[test]
fn variables_of_old_packages_and_chosen_targets_are_taken_and_what_is_wrong_is_told() {
    if !there("cmake") {
        return;
    }
    let place = Place::new();
    let old = "set(DEMO_LIBRARIES ${CMAKE_CURRENT_LIST_DIR}/../../libdijitsodemo.a ${CMAKE_CURRENT_LIST_DIR}/../../libdemobase.a)\n\
               set(DEMO_INCLUDE_DIRS ${CMAKE_CURRENT_LIST_DIR}/../../../include/demo)\nset(DEMO_DEFINITIONS -DDEMO=3)\n";
    let prefix = place.installed(old);
    let package = || CMakePackage::new("Demo").below(&prefix);
    let found = place.demo(&How::new(package())).run().unwrap();
    assert!(found.get::<Demo>().unwrap().settings.to_string().starts_with("-DDEMO=3 -I/"));
    let refused = |config: &str, package: CMakePackage| {
        place.write("opt/lib/cmake/Demo-1.2/DemoConfig.cmake", config);
        let failed = place.demo(&How::new(package)).run().unwrap_err();
        assert!(
            failed.to_string().contains("demo was not found; name its place with --with-demo-dir"),
            "{failed}"
        );
        failed.card().to_owned()
    };
    let card = refused(CONFIG, package().target("Demo::none"));
    assert!(card.contains("it has no target Demo::none; it has: "), "{card}");
    let card = refused("set(Demo_FOUND 0)\nset(Demo_NOT_FOUND_MESSAGE \"it is too cold\")\n", package());
    assert!(card.contains("too cold"), "{card}");
    let card = refused("message(FATAL_ERROR \"it is broken\")\n", package());
    assert!(card.contains("CMake's package Demo: it is broken (CMake Error at"), "{card}");
    let card = refused(&CONFIG.replace("\"m;", "\"Demo::missing;"), package());
    assert!(card.contains("Demo::missing"), "{card}");
    let card = refused(CONFIG, CMakePackage::new("Demo) message(x").below(&prefix));
    assert!(card.contains("is no name in CMake"), "{card}");
    // What refused it is asked again: it may have been repaired elsewhere.
    place.write("opt/lib/cmake/Demo-1.2/DemoConfig.cmake", CONFIG);
    place.demo(&How::new(package().target("Demo::Demo"))).run().unwrap();
}

/// Where this test runs as a program with other variables.
const CHILD: &str = "DIJITSO_FOUND_CHILD";

#[test]
fn the_environment_says_where_packages_are_and_without_cmake_the_next_candidate_is_tried() {
    let name = "the_environment_says_where_packages_are_and_without_cmake_the_next_candidate_is_tried";
    if let Some(dir) = crate::config::env::named(CHILD) {
        let place = Place::of(dir.into());
        let found = place.demo(&How::new(CMakePackage::new("Demo"))).run();
        let told = match found {
            Ok(found) => found.get::<Demo>().unwrap().from.clone(),
            Err(failed) => failed.card().to_owned(),
        };
        place.write("told", &told);
        return;
    }
    let place = Place::new();
    let prefix = place.installed(CONFIG);
    let told = |variables: &[(&str, &std::ffi::OsStr)]| {
        let mut command = std::process::Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", &format!("configure::tests::packages_found::{name}")]);
        command.env(CHILD, place.path("")).env_remove("CMAKE_PREFIX_PATH").env_remove("Demo_DIR");
        command.envs(variables.iter().copied()).stdout(std::process::Stdio::null());
        assert!(command.status().unwrap().success());
        place.read("told")
    };
    assert!(told(&[]).contains("there is no DemoConfig.cmake or demo-config.cmake"));
    if there("cmake") {
        for (variable, value) in [
            ("CMAKE_PREFIX_PATH", prefix.clone()),
            ("Demo_DIR", prefix.join("lib/cmake/Demo-1.2")),
            ("DEMO_ROOT", prefix.clone()),
        ] {
            assert_eq!(told(&[(variable, value.as_ref())]), "CMake's package Demo 1.2", "{variable}");
        }
    }
    // A machine with compilers and nothing else.
    std::fs::create_dir_all(place.path("path")).unwrap();
    for program in ["gcc", "g++", "as", "ld"] {
        let path = format!("/usr/bin/{program}");
        std::os::unix::fs::symlink(path, place.path("path").join(program)).unwrap();
    }
    let path = place.path("path");
    let card = told(&[("CMAKE_PREFIX_PATH", prefix.as_ref()), ("PATH", path.as_ref())]);
    assert!(card.contains("cmake is needed to read it and not found on PATH"), "{card}");
    assert!(card.contains("the system: dijitsodemo"), "{card}");
}

/// Of a library `dijitsodemo` from `demo.c`, with its header.
pub(super) const CONFIGURE: &str = r#"#!/bin/sh
for word; do case $word in --prefix=*) prefix=${word#*=};; CC=*) cc=${word#*=};; esac; done
cat > Makefile <<END
all:
	$cc -shared -fPIC -o libdijitsodemo.so demo.c
install:
	mkdir -p $prefix/lib $prefix/include
	cp libdijitsodemo.so $prefix/lib
	cp dijitsodemo.h $prefix/include
END
"#;

const CMAKE: &str = "cmake_minimum_required(VERSION 3.5)\nproject(demo C)\nadd_library(dijitsodemo SHARED demo.c)\n\
                     install(TARGETS dijitsodemo DESTINATION lib)\ninstall(FILES dijitsodemo.h DESTINATION include)\n";

#[test]
fn what_is_nowhere_is_built_from_a_tarball_that_options_name_and_then_tested() {
    let place = Place::new();
    let files = [
        ("configure", CONFIGURE, 0o755),
        ("CMakeLists.txt", CMAKE, 0o644),
        ("demo.c", "int demo_value(void) { return 1; }\n", 0o644),
        ("dijitsodemo.h", "int demo_value(void);\n", 0o644),
    ];
    let (path, sha256) = packages_build::tarball(&place, &files);
    let mut how = How::new(CMakePackage::new("DijitsoDemoNowhere"));
    let (download, sha) =
        (format!("--download-demo={}", path.display()), format!("--download-demo-sha256={sha256}"));
    let run = |how: &How, arguments: &[&str]| {
        place.demo(how).arguments(arguments.iter().map(|word| (*word).to_owned())).run()
    };
    let card = |how: &How, arguments: &[&str]| run(how, arguments).unwrap_err().card().to_owned();
    let off = card(&how, &[]);
    assert!(off.contains("it is not asked for; --download-demo does"), "{off}");
    let without = card(&how, &[&download]);
    assert!(
        without.contains("without its SHA-256") && without.contains("option --download-demo"),
        "{without}"
    );
    assert!(!place.path("build/packages").exists(), "nothing is built");
    let nameless = card(&how, &["--download-demo"]);
    assert!(nameless.contains("nobody names its tarball; write --download-demo=<path or URL>"), "{nameless}");
    let wrong = run(&how, &[&download, &format!("--download-demo-sha256={}", "0".repeat(64))]).unwrap_err();
    assert!(wrong.to_string().contains("not what the recipe means"), "{wrong}");
    assert!(wrong.card().contains("the system: dijitsodemo"), "what was tried before: {}", wrong.card());
    let built = run(&how, &[&download, &sha]).unwrap();
    let demo = built.get::<Demo>().unwrap();
    assert!(demo.from.contains("prefix/lib (dijitsodemo)"), "{demo:?}");
    assert!(demo.settings.explain().iter().all(|line| line.contains("package demo built in")), "{demo:?}");
    assert_eq!(run(&how, &[&download, &sha]).unwrap().probes().unwrap().stats().processes, 0);
    // The tarball of a recipe, by the other build system.
    if there("cmake") {
        how.recipe = Recipe::new("demo", path.to_str().unwrap(), sha256, BuildWith::CMake);
        let built = run(&how, &["--download-demo"]).unwrap();
        assert!(built.get::<Demo>().unwrap().from.contains("prefix/lib (dijitsodemo)"));
    }
    let dir = format!("--with-demo-dir={}", place.path("build").display());
    let elsewhere = card(&how, &[&download, &sha, &dir]);
    assert!(elsewhere.contains("other options say where it is"), "{elsewhere}");
    let off = card(&how, &["--no-download-demo"]);
    assert!(off.contains("not asked for"), "{off}");
}

#[test]
fn what_was_built_is_believed_no_more_than_what_was_found() {
    let place = Place::new();
    let files = [
        ("configure", CONFIGURE, 0o755),
        ("demo.c", "int another_value(void) { return 1; }\n", 0o644),
        ("dijitsodemo.h", "int demo_value(void);\n", 0o644),
    ];
    let (path, sha256) = packages_build::tarball(&place, &files);
    let mut how = How::new(CMakePackage::new("DijitsoDemoNowhere"));
    how.recipe = Recipe::new("demo", path.to_str().unwrap(), sha256, BuildWith::Autotools);
    let failed = place.demo(&how).arguments(["--download-demo".to_owned()]).run().unwrap_err();
    assert!(failed.card().contains("prefix/lib (dijitsodemo)"), "{}", failed.card());
    assert!(failed.card().contains("demo_value"), "{}", failed.card());
}

#[test]
fn blas_is_found_through_cmake_where_pkg_config_knows_nothing() {
    if let Some(dir) = crate::config::env::named(CHILD) {
        let place = Place::of(dir.into());
        let found = place.configure().with::<Blas>().run().unwrap();
        let blas = found.get::<Blas>().unwrap();
        place.write("told", &format!("{} {} {}", blas.from, blas.settings, blas.lapack));
        return;
    }
    if !there("cmake") {
        return;
    }
    let place = Place::new();
    let source = place.write("b.c", "void ddot_(void) {}\nvoid dgemm_(void) {}\nvoid dgetrf_(void) {}\n");
    let library = place.path("libany.so");
    let mut gcc = std::process::Command::new("gcc");
    assert!(gcc.args(["-shared", "-fPIC", "-o"]).arg(&library).arg(source).status().unwrap().success());
    let text = format!("set(OpenBLAS_VERSION 0.9)\nset(OpenBLAS_LIBRARIES {})\n", library.display());
    place.write("opt/share/cmake/OpenBLAS/OpenBLASConfig.cmake", &text);
    let name = "configure::tests::packages_found::blas_is_found_through_cmake_where_pkg_config_knows_nothing";
    let mut command = std::process::Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", name]).env(CHILD, place.path("")).env("PKG_CONFIG_LIBDIR", "/no/such");
    command.env("CMAKE_PREFIX_PATH", place.path("opt")).stdout(std::process::Stdio::null());
    assert!(command.status().unwrap().success());
    let told = place.read("told");
    assert!(told.starts_with("CMake's package OpenBLAS 0.9 ") && told.ends_with("-lany true"), "{told}");
}
