//! A package that is in many places at once, each of which would do: which one is taken, and which one when that is gone.

use super::packages::library;
use super::packages_build::tarball;
use super::packages_found::{CONFIGURE, Demo, How};
use super::*;
use crate::probe::CMakePackage;

/// What is put into each place: a library with the functions that the package's test wants, and one that tells the places apart.
struct Everywhere {
    place: Place,
    /// Of the package, as its options have it.
    name: &'static str,
    /// Of the library, and of pkg-config's file.
    library: &'static str,
    functions: &'static [&'static str],
    /// CMake's name.
    cmake: &'static str,
    /// The variable that says where it is.
    variable: &'static str,
    /// The test, which runs itself as a program with other variables.
    test: &'static str,
}

/// The places, in the order in which they are believed; only the first three are named by options.
const PLACES: [&str; 8] =
    ["lib", "dir", "include", "pkg_config", "cmake", "environment", "system", "download"];

/// Where this test runs as such a program.
const CHILD: &str = "DIJITSO_ORDER_CHILD";

impl Everywhere {
    /// Where it is installed.
    fn at(&self, place: &str) -> PathBuf {
        self.place.path(place)
    }

    fn install(&self, place: &str) {
        let own = format!("of_{place}");
        let functions: Vec<&str> = self.functions.iter().copied().chain([own.as_str()]).collect();
        library(&self.place, &format!("{place}/lib"), self.library, &functions);
        let header = functions.iter().map(|name| format!("void {name}(void);\n")).collect::<String>();
        self.place.write(&format!("{place}/include/{}.h", self.library), &header);
        let (dir, library) = (self.at(place), self.library);
        let (include, lib) = (dir.join("include"), dir.join("lib"));
        match place {
            "pkg_config" => {
                let text = format!(
                    "Name: x\nDescription: x\nVersion: 1.5\nCflags: -I{}\nLibs: -L{} -l{library}\n",
                    include.display(),
                    lib.display()
                );
                self.place.write(&format!("{place}/{library}.pc"), &text);
            }
            "cmake" => {
                let cmake = self.cmake;
                let text = format!(
                    "set({cmake}_VERSION 1.6)\nset({cmake}_LIBRARIES {}/lib{library}.so)\nset({cmake}_INCLUDE_DIRS {})\n",
                    lib.display(),
                    include.display()
                );
                self.place.write(&format!("{place}/share/{cmake}/{cmake}Config.cmake"), &text);
            }
            _ => {}
        }
    }

    /// Everywhere, and as a tarball: the options that ask for it to be built.
    fn install_everywhere(&self) -> Vec<String> {
        PLACES.iter().filter(|place| **place != "download").for_each(|place| self.install(place));
        let functions = self.functions.iter().chain(&["of_download"]);
        let source: String = functions.clone().map(|name| format!("void {name}(void) {{}}\n")).collect();
        let header: String = functions.map(|name| format!("void {name}(void);\n")).collect();
        let (library, named) = (self.library, format!("{}.h", self.library));
        let cmake = format!(
            "cmake_minimum_required(VERSION 3.5)\nproject(demo C)\nadd_library({library} demo.c)\n\
             install(TARGETS {library} DESTINATION lib)\n"
        );
        let files = [
            ("configure", CONFIGURE, 0o755),
            ("CMakeLists.txt", cmake.as_str(), 0o644),
            ("demo.c", source.as_str(), 0o644),
            (named.as_str(), header.as_str(), 0o644),
        ];
        let (path, sha256) = tarball(&self.place, &files);
        let name = self.name;
        vec![format!("--download-{name}={}", path.display()), format!("--download-{name}-sha256={sha256}")]
    }

    fn option(&self, place: &str) -> String {
        let at = self.at(place);
        let value = match place {
            "lib" => at.join(format!("lib/lib{}.so", self.library)),
            "include" => at.join("include"),
            _ => at,
        };
        format!("--with-{}-{place}={}", self.name, value.display())
    }

    /// Where it is taken from, and in which place the library is that is linked; or the failure, and nothing.
    fn taken(&self, arguments: &[String]) -> (String, String) {
        self.place.write("arguments", &arguments.join("\n"));
        let mut command = std::process::Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", &format!("configure::tests::packages_order::{}", self.test)]);
        // Whoever else describes it to CMake says that it is not there.
        for other in [self.cmake, "LAPACK"] {
            let text = format!("set({other}_FOUND FALSE)\n");
            self.place.write(&format!("nowhere/share/{other}/{other}Config.cmake"), &text);
        }
        let prefixes = std::env::join_paths([self.at("cmake"), self.at("nowhere")]).unwrap();
        command.env("CMAKE_PREFIX_PATH", prefixes).env(CHILD, self.place.path(""));
        command.env("PKG_CONFIG_PATH", self.at("pkg_config")).env("PKG_CONFIG_LIBDIR", "/no/such");
        command.env(self.variable, self.at("environment"));
        command.env("CPATH", self.at("system/include")).env("LIBRARY_PATH", self.at("system/lib"));
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        let told = self.place.read("told");
        std::fs::remove_file(self.at("told")).unwrap();
        let (from, linked) = told.split_once('\n').unwrap();
        (from.to_owned(), linked.to_owned())
    }

    /// What the program with other variables does.
    fn tell<M: Module>(dir: std::ffi::OsString, settings: fn(&M) -> (&str, &Settings)) {
        let place = Place::of(dir.into());
        let arguments = place.read("arguments");
        let how = How::new(CMakePackage::new("Demo"));
        let told = match place.configure().provide(how).with::<M>().arguments(arguments.lines()).run() {
            Ok(found) => {
                let (module, probes) = (found.get::<M>().unwrap(), found.probes().unwrap());
                let (from, settings) = settings(&module);
                let function = |at: &str| Function::new(format!("of_{at}")).with(settings);
                let is_linked = |at: &&&str| probes.ask(&function(at)).is_yes();
                let linked: Vec<&str> = PLACES.iter().filter(is_linked).copied().collect();
                format!("{from}\n{}", linked.join(" "))
            }
            Err(failed) => format!("{}\n", failed.to_string().replace('\n', " ")),
        };
        place.write("told", &told);
    }

    /// Each place is taken as long as all behind it are there, too, and not one of those before it. Nothing is built before that
    /// is the only way. Up to the last place of these.
    fn check(&self, until: &str) {
        let download = self.install_everywhere();
        let built = self.place.path("build/packages");
        for (n, place) in PLACES.iter().enumerate() {
            let options = PLACES[n.min(3)..3].iter().map(|place| self.option(place));
            let arguments: Vec<String> = options.chain(download.clone()).collect();
            let (from, linked) = self.taken(&arguments);
            let expected = match *place {
                "lib" => "the options".to_owned(),
                "include" => "the option for headers".to_owned(),
                "pkg_config" => format!("pkg-config {} 1.5", self.library),
                "cmake" => format!("CMake's package {} 1.6", self.cmake),
                "system" => format!("the system: {}", self.library),
                // Below a directory whose name is a digest.
                "download" if from.starts_with(built.to_str().unwrap()) => from.clone(),
                place => format!("{}/lib ({})", self.at(place).display(), self.library),
            };
            assert_eq!(from, expected, "{place}");
            // Headers alone are named, so the library is the system's.
            assert_eq!(linked, if *place == "include" { "system" } else { place }, "{from}");
            assert_eq!(built.exists(), *place == "download", "{place}");
            if *place == until {
                return;
            }
            // Those that options name are still there, but not named any more.
            if n >= 3 {
                std::fs::remove_dir_all(self.at(place)).unwrap();
            }
        }
    }
}

#[test]
fn a_package_is_taken_from_the_first_of_its_places_and_when_that_is_gone_from_the_next() {
    if let Some(dir) = crate::config::env::named(CHILD) {
        return Everywhere::tell::<Demo>(dir, |demo| (&demo.from, &demo.settings));
    }
    if !there("cmake") {
        return;
    }
    let demo = Everywhere {
        place: Place::new(),
        name: "demo",
        library: "dijitsodemo",
        functions: &["demo_value"],
        cmake: "Demo",
        variable: "DIJITSO_DEMO_OF_TESTS",
        test: "a_package_is_taken_from_the_first_of_its_places_and_when_that_is_gone_from_the_next",
    };
    demo.check("download");
    // What an option names is there or nowhere, whatever else would do.
    std::fs::remove_dir_all(demo.at("dir/lib")).unwrap();
    PLACES.iter().skip(3).filter(|place| **place != "download").for_each(|place| demo.install(place));
    let (failed, _) = demo.taken(&[demo.option("dir")]);
    assert!(failed.contains("demo is not where the options say that it is"), "{failed}");
}

#[test]
fn blas_is_taken_from_the_first_of_its_places_and_when_that_is_gone_from_the_next() {
    if let Some(dir) = crate::config::env::named(CHILD) {
        return Everywhere::tell::<Blas>(dir, |blas| (&blas.from, &blas.settings));
    }
    if !there("cmake") {
        return;
    }
    let blas = Everywhere {
        place: Place::new(),
        name: "blas",
        library: "openblas",
        functions: &["ddot_", "dgemm_"],
        cmake: "OpenBLAS",
        variable: "OPENBLAS_ROOT",
        test: "blas_is_taken_from_the_first_of_its_places_and_when_that_is_gone_from_the_next",
    };
    // That of this machine, if it has one, is behind ours, and before what would be built.
    blas.check("system");
}
