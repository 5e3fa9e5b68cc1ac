//! What is written is read back by whoever reads it: make, a shell, pkg-config, cargo, rustc.

use super::*;

#[test]
fn a_flag_of_the_user_that_a_module_contradicts_is_told_with_both_origins() {
    #[derive(Serialize, Deserialize)]
    struct Modern;
    impl Module for Modern {
        const NAME: &'static str = "modern";
        fn configure(cx: &Cx<'_>) -> Result<Modern, Failed> {
            cx.need(&Size::new("int").in_language(Language::Cxx))?;
            cx.flag(Language::Cxx, Stage::Compile, "-std=c++20");
            cx.flag(Language::Cxx, Stage::Compile, "-DSAME=1");
            Ok(Modern)
        }
    }
    let place = Place::new();
    let arguments = ["CXXFLAGS=-std=c++17 -DSAME"];
    let summary = place.configure().with::<Modern>().arguments(arguments).run().unwrap().summary();
    let told =
        summary.lines().find(|line| line.contains("contradict")).unwrap_or_else(|| panic!("{summary}"));
    assert!(told.contains("`-std=c++17` (from option --with-cxxflags)"), "{told}");
    assert!(told.contains("`-std=c++20` (from module modern at") && told.contains("written.rs:"), "{told}");
    assert!(!summary.contains("SAME`"), "{summary}");
}

/// Runs a program in a directory; what it says.
fn said(dir: &std::path::Path, program: &str, args: &[&str]) -> String {
    let output = std::process::Command::new(program).current_dir(dir).args(args).output().unwrap();
    let (said, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{program} {args:?}: {said}{errors}");
    said.into_owned()
}

/// Flags that Make, a shell or pkg-config would read as something else.
const HARD: [&str; 8] = [
    "-DNAME=\"x y\"",
    "-DHASH=a#b",
    "-DBACK=a\\#b\\",
    "-DDOLLARS=$(CC)$x$$",
    "-DVARIABLE=${prefix}",
    "-DQUOTE=it's",
    "-DSIGNS=f(x);&|<>*?[]{}!~`%",
    "-DLETTERS=é",
];

#[derive(Serialize, Deserialize)]
struct Hard;

impl Module for Hard {
    const NAME: &'static str = "hard";
    fn configure(cx: &Cx<'_>) -> Result<Hard, Failed> {
        cx.need(&Size::new("int"))?;
        HARD.iter().for_each(|flag| cx.flag(Language::C, Stage::Compile, flag));
        let dirs = ["-isystem", "/sys/a", "-isystem", "/sys/b"];
        cx.settings(
            Some(Language::C),
            &dirs.iter().fold(Settings::new(), |all, word| all.compile_flag(*word)),
        );
        cx.settings(None, &Settings::new().flag("-pthread").link_flag("-Wl,-rpath,$ORIGIN/../lib"));
        cx.settings(None, &Settings::new().lib_dir("/opt/my app").lib("one").lib("two").lib("one"));
        cx.make_words("WORDS", HARD, "as they are");
        cx.make_macro("RAW", "a\\#b # $(OTHER)", "with a hash");
        cx.make_macro("OTHER", "c", "used by another one");
        cx.make_rule("two", &[], &["@echo one\n@echo two", "@for x in a b; do \\", "echo $$x; done"]);
        cx.pkg_config("hard", "Hard\nflags", "1.2", &[]);
        Ok(Hard)
    }
}

#[test]
fn flags_come_through_make_and_the_shell_as_they_are() {
    let place = Place::new();
    let arguments = ["LDFLAGS=-Wl,-rpath,'$ORIGIN/own' -Xlinker -z -Xlinker now", "--prefix=/opt/my $app"];
    let configuration = place.configure().with::<Hard>().arguments(arguments).run().unwrap();
    configuration.write_make_macros("variables").unwrap();
    configuration.write_make_rules("rules").unwrap();
    place.write(
        "build/Makefile",
        "include variables\ninclude rules\nflags:\n\t@printf '%s\\n' $(CFLAGS)\nwords:\n\t@printf '%s\\n' $(WORDS)\n\
         link:\n\t@printf '%s\\n' $(LDFLAGS) $(LIBS)\nraw:\n\t@printf '%s\\n' '$(RAW)' '$(prefix)'\n",
    );
    let make = |target: &str| -> Vec<String> {
        said(&place.path("build"), "make", &["-s", target]).lines().map(str::to_owned).collect()
    };
    let flags: Vec<&str> =
        HARD.into_iter().chain(["-isystem", "/sys/a", "-isystem", "/sys/b", "-pthread"]).collect();
    assert_eq!(make("flags"), flags);
    assert_eq!(make("words"), HARD);
    let own = ["-Wl,-rpath,$ORIGIN/own", "-Xlinker", "-z", "-Xlinker", "now"];
    let link = ["-pthread", "-Wl,-rpath,$ORIGIN/../lib", "-L/opt/my app", "-lone", "-ltwo", "-lone"];
    assert_eq!(make("link"), own.into_iter().chain(link).collect::<Vec<_>>());
    assert_eq!(make("raw"), ["a\\#b # c", "/opt/my $app"]);
    assert_eq!(make("two"), ["one", "two", "a", "b"]);
}

#[test]
fn a_flag_that_no_line_can_have_is_told() {
    #[derive(Serialize, Deserialize)]
    struct Broken;
    impl Module for Broken {
        const NAME: &'static str = "broken";
        fn configure(cx: &Cx<'_>) -> Result<Broken, Failed> {
            cx.need(&Size::new("int"))?;
            cx.flag(Language::C, Stage::Compile, "-DX=a\nb");
            cx.pkg_config("broken", "Broken", "1", &[]);
            Ok(Broken)
        }
    }
    let configuration = Place::new().configure().with::<Broken>().run().unwrap();
    for failed in [configuration.write_make_macros("m"), configuration.write_pkg_config("p")] {
        let failed = failed.unwrap_err().to_string();
        assert!(failed.contains("line break") && failed.contains("-DX=a"), "{failed}");
    }
}

#[test]
fn pkg_config_tells_the_flags_as_they_are() {
    if !there("pkg-config") {
        return;
    }
    let place = Place::new();
    let configuration = place.configure().with::<Hard>().arguments(["--prefix=/opt/my app"]).run().unwrap();
    configuration.write_pkg_config("hard.pc").unwrap();
    let ask = |args: &[&str]| {
        let file = place.path("build/hard.pc");
        said(&place.path("build"), "pkg-config", &[args, &[file.to_str().unwrap()]].concat())
            .trim()
            .to_owned()
    };
    let words = |text: String| shlex::split(&text).unwrap();
    let mut flags = vec!["-I/opt/my app/include"];
    flags.extend(HARD);
    flags.extend(["-isystem", "/sys/a", "-isystem", "/sys/b", "-pthread"]);
    // pkgconf writes a backslash before each byte of a letter that is not ASCII: right for a shell, and no UTF-8.
    let is_ascii = |word: &str| !word.contains("LETTERS");
    flags.retain(|word| is_ascii(word));
    let told: Vec<String> = words(ask(&["--cflags"])).into_iter().filter(|word| is_ascii(word)).collect();
    assert_eq!(told, flags);
    assert_eq!(words(ask(&["--libs"])), ["-L/opt/my app/lib", "-lhard"]);
    let private = words(ask(&["--libs", "--static"]));
    for word in ["-pthread", "-Wl,-rpath,$ORIGIN/../lib", "-L/opt/my app", "-lone", "-ltwo"] {
        assert!(private.iter().any(|known| known == word), "{word} is missing in {private:?}");
    }
    assert_eq!(ask(&["--variable=prefix"]), "/opt/my app");
    let with =
        |prefix: &str| place.configure().with::<Hard>().arguments([format!("--prefix={prefix}")]).run();
    let failed = with("/opt/$x").unwrap().write_pkg_config("hard.pc").unwrap_err().to_string();
    assert!(failed.contains("--prefix=/opt/$x"), "{failed}");
}

#[test]
fn programs_that_depend_on_the_package_are_linked_with_its_libraries() {
    #[derive(Serialize, Deserialize)]
    struct Linked;
    impl Module for Linked {
        const NAME: &'static str = "linked";
        fn configure(cx: &Cx<'_>) -> Result<Linked, Failed> {
            let dir = cx.provided::<PathBuf>()?;
            let path = |name: &str| dir.join(name).to_string_lossy().into_owned();
            // The static one needs the shared one, which has no name without a number.
            let libs = Settings::new().lib(path("libdemostatic.a")).lib(path("libdemoshared.so.3"));
            let rpath = format!("-Wl,-rpath,{}", dir.display());
            cx.settings(
                None,
                &libs.link_flag(rpath).include_dir("/opt/demo include").include_dir("/opt/two"),
            );
            cx.define("TEST", true, "a name that rustc has");
            cx.define("HAVE_DEMO", true, "it is there");
            cx.define("LEVEL", 1, "a number");
            cx.undefine("HAVE_NONE", "it is not");
            Ok(Linked)
        }
    }
    let place = Place::new();
    let (dir, build) = (place.path("lib"), place.path("."));
    std::fs::create_dir_all(&dir).unwrap();
    place.write("shared.c", "int demo_shared(void) { return 40; }\n");
    place.write("static.c", "int demo_shared(void);\nint demo_static(void) { return demo_shared() + 2; }\n");
    let soname = "-Wl,-soname,libdemoshared.so.3";
    said(&build, "gcc", &["-shared", "-fPIC", soname, "-o", "lib/libdemoshared.so.3", "shared.c"]);
    said(&build, "gcc", &["-c", "-fPIC", "-o", "static.o", "static.c"]);
    said(&build, "ar", &["rcs", "lib/libdemostatic.a", "static.o"]);
    let lines = place.configure().with::<Linked>().provide(dir).run().unwrap().cargo();
    let lines: Vec<&str> =
        lines.iter().map(String::as_str).filter(|line| !line.starts_with("cargo::rerun")).collect();
    place.write("lines", &lines.join("\n"));
    place.write("Cargo.toml", "[workspace]\nmembers = [\"sys\", \"app\"]\nresolver = \"3\"\n");
    let package = "edition = \"2024\"\nversion = \"1.0.0\"\n";
    place.write("sys/Cargo.toml", &format!("[package]\nname = \"demo-sys\"\nlinks = \"demo\"\n{package}"));
    place.write("sys/build.rs", "fn main() { print!(\"{}\", include_str!(\"../lines\")); }\n");
    place.write(
        "sys/src/lib.rs",
        "unsafe extern \"C\" { safe fn demo_static() -> i32; }\n\
         #[cfg(not(all(have_demo, demo_test, level = \"1\", not(have_none))))]\ncompile_error!(\"wrong cfgs\");\n\
         pub fn number() -> i32 { demo_static() }\n",
    );
    place.write(
        "app/Cargo.toml",
        &format!("[package]\nname = \"app\"\n{package}[dependencies]\ndemo-sys = {{ path = \"../sys\" }}\n"),
    );
    place.write(
        "app/build.rs",
        "fn main() {\n    let told = |name| std::env::var(name).unwrap();\n    \
         assert_eq!(told(\"DEP_DEMO_INCLUDE\"), \"/opt/demo include:/opt/two\");\n    \
         for word in told(\"DEP_DEMO_LINK_ARGS\").split(' ') { println!(\"cargo::rustc-link-arg={word}\"); }\n}\n",
    );
    place.write("app/src/main.rs", "fn main() { println!(\"{}\", demo_sys::number()); }\n");
    assert_eq!(said(&build, "cargo", &["run", "--offline", "-q", "--target-dir", "target"]), "42\n");
}

#[test]
fn what_cargo_links_may_stand_twice_and_keeps_its_words_together() {
    #[derive(Serialize, Deserialize)]
    struct Twice;
    impl Module for Twice {
        const NAME: &'static str = "twice";
        fn configure(cx: &Cx<'_>) -> Result<Twice, Failed> {
            let words = ["-Xlinker", "-z", "-Xlinker", "now"];
            cx.settings(None, &words.iter().fold(Settings::new(), |all, word| all.link_flag(*word)));
            cx.settings(None, &Settings::new().lib("a").lib("b").lib("a").lib("-l:libc.a"));
            cx.define("TARGET_OS", "\"none\"", "rustc has one");
            cx.define("Level", 1, "twice");
            cx.define("LEVEL", 2, "in other letters");
            Ok(Twice)
        }
    }
    let place = Place::new();
    let lines = place.configure().define_prefix("").with::<Twice>().run().unwrap().cargo();
    let of = |name: &str| -> Vec<&str> {
        let name = format!("cargo::{name}=");
        lines.iter().filter_map(|line| line.strip_prefix(name.as_str())).collect()
    };
    assert_eq!(of("rustc-link-arg"), ["-Xlinker", "-z", "-Xlinker", "now"]);
    assert_eq!(of("rustc-link-lib"), ["a", "b", "a", "static:+verbatim=libc.a"]);
    assert_eq!(of("metadata"), ["link_args=-Xlinker -z -Xlinker now"]);
    assert_eq!(of("rustc-cfg"), ["level=\"2\""]);
    let warned = of("warning").join("\n");
    assert!(warned.contains("TARGET_OS") && warned.contains("Level"), "{warned}");
}

#[test]
fn templates_are_filled_in_with_what_modules_substitute() {
    #[derive(Serialize, Deserialize)]
    struct Filled;
    impl Module for Filled {
        const NAME: &'static str = "filled";
        fn configure(cx: &Cx<'_>) -> Result<Filled, Failed> {
            cx.need(&Size::new("int"))?;
            cx.flag(Language::C, Stage::Compile, "-DNAME=\"x y\"");
            cx.substitute("VERSION", "1.2", "of the project");
            cx.template("demo.conf.in", "etc/demo.conf");
            cx.template("run.in", "run");
            Ok(Filled)
        }
    }
    let place = Place::new();
    place.write("demo.conf.in", "version @VERSION@ of @PROJECT@\n");
    place.write("run.in", "printf '%s\\n' @CFLAGS@\n");
    let configuration = place.configure().with::<Filled>().run().unwrap();
    assert_eq!(configuration.write_templates().unwrap(), 2);
    assert_eq!(configuration.write_templates().unwrap(), 0, "nothing changed");
    assert_eq!(place.read("build/etc/demo.conf"), "version 1.2 of Demo\n");
    assert_eq!(said(&place.path("build"), "sh", &["run"]), "-DNAME=\"x y\"\n");
    // What is wrong in it is told at once, with both places.
    place.write("run.in", "@CFLAG@\n@VERSION@ @NONE@\n");
    let failed = configuration.write_templates().unwrap_err().to_string();
    assert!(
        failed.contains("run.in:1: nobody says what @CFLAG@ stands for; did you mean @CFLAGS@?"),
        "{failed}"
    );
    assert!(failed.contains("run.in:2: nobody says what @NONE@ stands for"), "{failed}");
    assert!(failed.contains("wanted by module filled at") && failed.contains("written.rs:"), "{failed}");
    let line = line!() + 1;
    let failed = configuration.write_template("run.in", "run").unwrap_err().to_string();
    assert!(failed.contains(&format!("written.rs:{line}")), "{failed}");
}

#[test]
fn a_placeholder_with_two_values_fails_with_both_places() {
    #[derive(Serialize, Deserialize)]
    struct Twice;
    impl Module for Twice {
        const NAME: &'static str = "twice";
        fn configure(cx: &Cx<'_>) -> Result<Twice, Failed> {
            cx.substitute("VERSION", "1.2", "of the project");
            cx.substitute("VERSION", "1.3", "of something else");
            Ok(Twice)
        }
    }
    let failed = Place::new().configure().with::<Twice>().run().unwrap_err().to_string();
    assert!(
        failed.contains("VERSION is given two values") && failed.matches("written.rs:").count() == 2,
        "{failed}"
    );
}

#[test]
fn types_and_prototypes_are_written_with_the_prefix_that_was_chosen_for_macros() {
    #[derive(Serialize, Deserialize)]
    struct Typed;
    impl Module for Typed {
        const NAME: &'static str = "typed";
        fn configure(cx: &Cx<'_>) -> Result<Typed, Failed> {
            cx.typedef("demo_index", "long long", "as wide as a pointer");
            cx.prototype("demo_sleep", "int demo_sleep(demo_index);", "/* no header */ declares it");
            cx.define("EIGHT", 8, "a number");
            cx.define("NEVER", false, "it is not there");
            Ok(Typed)
        }
    }
    let place = Place::new();
    let configuration = place.configure().with::<Typed>().define_prefix("MY_").run().unwrap();
    configuration.write_header("macros.h").unwrap();
    configuration.write_types("types.h").unwrap();
    let text = "#include \"macros.h\"\n#include \"types.h\"\n#if MY_EIGHT != 8 || defined(EIGHT) || defined(MY_NEVER)\n\
                #error wrong\n#endif\nint f(void) { return demo_sleep((demo_index)1); }\n";
    place.write("build/program.c", text);
    place.write("build/program.cpp", text);
    for (compiler, program) in [("gcc", "program.c"), ("g++", "program.cpp")] {
        said(&place.path("build"), compiler, &["-fsyntax-only", "-Wall", "-Werror", program]);
    }
}
