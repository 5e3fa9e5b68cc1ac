//! Packages that describe themselves to CMake: what is remembered of them stays true, and what nobody can say is told so.

use super::*;
use crate::probe::CMakePackage;

#[derive(Debug, Serialize, Deserialize)]
struct Asked {
    settings: Settings,
}

impl Module for Asked {
    const NAME: &'static str = "packages.asked";

    fn configure(cx: &Cx<'_>) -> Result<Asked, Failed> {
        let package = cx.provided::<CMakePackage>()?;
        Ok(Asked { settings: cx.need(&*package)?.settings })
    }
}

impl Place {
    /// A package below these prefixes.
    fn asking(&self, prefixes: &[&str]) -> Configure {
        let package = CMakePackage::new("Demo");
        let package = prefixes.iter().fold(package, |package, prefix| package.below(self.path(prefix)));
        self.configure().provide(package).with::<Asked>()
    }

    /// Its settings, and how many processes were run to know them.
    fn asked(&self, prefixes: &[&str]) -> (String, u64) {
        let found = self.asking(prefixes).run().unwrap();
        (found.get::<Asked>().unwrap().settings.to_string(), found.probes().unwrap().stats().processes)
    }
}

const NEEDS: &str = "find_package(Yonder QUIET)\nset(Demo_LIBRARIES m)\n\
    include(\"${CMAKE_CURRENT_LIST_DIR}/more.cmake\" OPTIONAL)\n\
    find_library(DEMO_Q dijitso_q HINTS \"${CMAKE_CURRENT_LIST_DIR}/lib\")\n\
    if(DEMO_Q)\n  list(APPEND Demo_DEFINITIONS -DWITH_Q)\nendif()\n\
    if(Yonder_FOUND)\n  list(APPEND Demo_DEFINITIONS -DYONDER=${Yonder_VERSION})\nendif()\n";

#[test]
fn what_a_package_could_do_without_is_noticed_when_it_comes_moves_and_goes() {
    if !there("cmake") {
        return;
    }
    let place = Place::new();
    place.write("opt/share/cmake/Demo/DemoConfig.cmake", NEEDS);
    std::fs::create_dir_all(place.path("first")).unwrap();
    let asked = || place.asked(&["first", "opt"]);
    let first = asked();
    assert!(first.0 == "-lm" && first.1 > 0, "{first:?}");
    assert_eq!(asked(), ("-lm".to_owned(), 0));
    // The file stays as it is all the time.
    place.write("opt/lib/cmake/Yonder/YonderConfig.cmake", "set(Yonder_VERSION 1)\n");
    assert_eq!(asked().0, "-DYONDER=1 -lm");
    assert_eq!(asked(), ("-DYONDER=1 -lm".to_owned(), 0));
    place.write("first/lib/cmake/yonder-2/yonder-config.cmake", "set(Yonder_VERSION 2)\n");
    assert_eq!(asked().0, "-DYONDER=2 -lm");
    std::fs::remove_dir_all(place.path("first/lib")).unwrap();
    assert_eq!(asked().0, "-DYONDER=1 -lm");
    place.write("opt/share/cmake/Demo/more.cmake", "set(Demo_DEFINITIONS -DMORE)\n");
    assert_eq!(asked().0, "-DMORE -DYONDER=1 -lm");
    place.write("opt/share/cmake/Demo/lib/libdijitso_q.a", "");
    assert_eq!(asked().0, "-DMORE -DWITH_Q -DYONDER=1 -lm");
    assert_eq!(asked().1, 0);
    // What is remembered is not wrong if it is not believed any more.
    std::fs::remove_dir_all(place.path("opt/lib")).unwrap();
    place.asking(&["first", "opt"]).arguments(["--shadow"]).run().unwrap();
    assert_eq!(asked().0, "-DMORE -DWITH_Q -lm");
}

#[test]
fn a_refusal_is_remembered_until_what_it_lacks_is_there() {
    if !there("cmake") {
        return;
    }
    let place = Place::new();
    let text = "find_package(Yonder QUIET)\nif(NOT Yonder_FOUND)\n  set(Demo_FOUND FALSE)\n  set(Demo_NOT_FOUND_MESSAGE \"no Yonder\")\n\
                endif()\nset(Demo_LIBRARIES m)\n";
    place.write("opt/share/cmake/Demo/DemoConfig.cmake", text);
    let package = || CMakePackage::new("Demo").below(place.path("opt"));
    let run = || {
        let probes = Probes::builder().cache_dir(place.path("cache")).without_environment_flags();
        let probes = probes.compiler(Language::C, "gcc").compiler(Language::Cxx, "g++").build().unwrap();
        let verdict = probes.ask(&package());
        (verdict.reason().map(ToString::to_string).unwrap_or_default(), probes.stats().processes)
    };
    assert!(run().0.contains("no Yonder"));
    let (why, processes) = run();
    assert!(why.contains("no Yonder") && processes == 0, "{why} {processes}");
    place.write("opt/lib/cmake/Yonder/YonderConfig.cmake", "");
    let (why, processes) = run();
    assert!(why.is_empty() && processes > 0, "{why} {processes}");
}

/// Where this test runs as a program with another `PATH`.
const CHILD: &str = "DIJITSO_CMAKE_CHILD";

#[test]
fn what_cmake_cannot_do_for_anybody_is_no_refusal_of_a_package() {
    let name = "what_cmake_cannot_do_for_anybody_is_no_refusal_of_a_package";
    if let Some(dir) = crate::config::env::named(CHILD) {
        let place = Place::of(dir.into());
        let package = CMakePackage::new("Demo").below(place.path("opt"));
        let failed = place.configure().provide(package).with::<Asked>().run().unwrap_err();
        place.write("told", &format!("{:?} {failed}", failed.kind()));
        return;
    }
    let place = Place::new();
    place.write("opt/share/cmake/Demo/DemoConfig.cmake", "set(Demo_LIBRARIES m)\n");
    let told = |script: &str| {
        place.script("path/cmake", script);
        let path = format!("{}:/usr/bin:/bin", place.path("path").display());
        let mut command = std::process::Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", &format!("configure::tests::packages_cmake::{name}")]).env("PATH", path);
        command.env(CHILD, place.path("")).stdout(std::process::Stdio::null());
        assert!(command.status().unwrap().success());
        place.read("told")
    };
    let full = told("echo 'CMake Error: x: No space left on device' >&2; exit 1");
    assert!(full.starts_with("Unknown ") && full.contains("no space left"), "{full}");
    let broken =
        told("printf 'CMake Error at a.cmake:1 (x):\\n  The C compiler cannot link.\\n' >&2; exit 1");
    assert!(broken.starts_with("Unknown "), "{broken}");
    assert!(
        broken.contains("cannot even configure an empty project: The C compiler cannot link."),
        "{broken}"
    );
    let old =
        told("printf 'CMake Error at a.cmake:1 (x):\\n  CMake 3.13 or higher is required.\\n' >&2; exit 1");
    assert!(old.starts_with("No ") && old.contains("or higher is required"), "{old}");
}
