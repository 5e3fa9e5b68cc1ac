//! What is written, and when.

use super::*;

#[test]
fn the_headers_compile_and_say_what_was_found() {
    let place = Place::new();
    let configuration = place.configure().with::<App>().run().unwrap();
    assert!(configuration.write_header("demo_config.h").unwrap());
    assert!(configuration.write_types("demo_types.h").unwrap());
    let program = place.write(
        "build/program.c",
        "#include \"demo_config.h\"\n#include \"demo_config.h\"\n#include \"demo_types.h\"\n\
         #if DEMO_SIZEOF_LONG != 8 || defined(DEMO_HAVE_NONE) || DEMO_LEVEL != 2\n#error wrong\n#endif\nint x;\n",
    );
    let status =
        std::process::Command::new("gcc").args(["-fsyntax-only", "-Wall"]).arg(&program).status().unwrap();
    assert!(status.success());
    let text = place.read("build/demo_config.h");
    assert!(
        text.contains("/* #undef DEMO_HAVE_NONE */") && text.contains("there is no <dijitso/none.h>"),
        "{text}"
    );
    assert!(text.contains("bytes of a long (module types at"), "{text}");
}

/// Everything that can be written depends on the level.
#[derive(Serialize, Deserialize)]
struct Everything;

impl Module for Everything {
    const NAME: &'static str = "everything";

    fn options(options: &mut Options) {
        options.of::<App>();
    }

    fn configure(cx: &Cx<'_>) -> Result<Everything, Failed> {
        let level = cx.require::<App>()?.level;
        cx.typedef("demo_level", if level == 1 { "int" } else { "long" }, "as the options say");
        cx.prototype("demo", &format!("int demo(char (*)[{level}]);"), "as the options say");
        cx.make_rule("show", &[], &[&format!("@echo {level}")]);
        cx.pkg_config("demo", "A demonstration", &format!("1.{level}"), &[]);
        cx.template("demo.conf.in", "demo.conf");
        Ok(Everything)
    }
}

#[test]
fn what_did_not_change_is_not_written() {
    use std::os::unix::fs::MetadataExt as _;
    let place = Place::new();
    place.write("demo.conf.in", "level=@level@\n");
    place.write("config.h.in", "#undef DEMO_LEVEL\n");
    let run = |level: &str| {
        let configure = place.configure().with::<Everything>().program(["true"]).arguments([level]);
        configure.run().unwrap()
    };
    let write = |configuration: &Configuration| -> Vec<(&str, bool)> {
        let written = [
            ("header.h", configuration.write_header("header.h")),
            ("types.h", configuration.write_types("types.h")),
            ("config.h", configuration.write_header_from("config.h.in", "config.h")),
            ("variables", configuration.write_make_macros("variables")),
            ("rules", configuration.write_make_rules("rules")),
            ("demo.conf", configuration.write_templates().map(|changed| changed == 1)),
            ("other.conf", configuration.write_template("demo.conf.in", "other.conf")),
            ("demo.pc", configuration.write_pkg_config("demo.pc")),
            ("config.rs", configuration.write_rust("config.rs")),
            ("reconfigure", configuration.write_reconfigure("reconfigure")),
        ];
        written.map(|(name, written)| (name, written.unwrap())).into()
    };
    // An inode's change shows what a time of modification does not: that its mode was set, or that it was written within a tick.
    let stamp = |name: &str| {
        let file = std::fs::metadata(place.path("build").join(name)).unwrap();
        (file.ino(), file.mtime(), file.mtime_nsec(), file.ctime(), file.ctime_nsec(), file.mode())
    };
    let logs = ["configure.log", "configure.json"];
    let first = write(&run("--with-level=1"));
    let names: Vec<&str> = first.iter().map(|(name, _)| *name).collect();
    assert!(first.iter().all(|(_, written)| *written), "{first:?}");
    let stamps = || -> Vec<_> { names.iter().chain(&logs).map(|name| (*name, stamp(name))).collect() };
    let before = stamps();
    let again = write(&run("--with-level=1"));
    assert!(again.iter().all(|(_, written)| !written), "{again:?}");
    assert_eq!(stamps(), before);
    let other = write(&run("--with-level=3"));
    assert!(other.iter().all(|(_, written)| *written), "{other:?}");
    for ((name, now), (_, before)) in stamps().iter().zip(&before).take(names.len()) {
        assert_ne!(now, before, "{name}");
    }
    // The script can be run, whoever has changed that.
    let script = place.path("build/reconfigure");
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o644)).unwrap();
    assert!(!run("--with-level=3").write_reconfigure("reconfigure").unwrap());
    assert_eq!(std::fs::metadata(&script).unwrap().permissions().mode() & 0o777, 0o755);
}

#[test]
fn make_reads_the_macros_and_the_rules() {
    #[derive(Serialize, Deserialize)]
    struct Rules;
    impl Module for Rules {
        const NAME: &'static str = "rules";
        fn configure(cx: &Cx<'_>) -> Result<Rules, Failed> {
            cx.make_macro("WORD", "a # b $(OTHER)", "with a hash");
            cx.make_macro("OTHER", "c", "used by another one");
            cx.make_rule("show", &["dep"], &["@echo '$(WORD) $(CC) $(LIBS)'"]);
            cx.make_rule("dep", &[], &["@echo dep"]);
            cx.settings(None, &Settings::new().lib_dir("/opt/x").lib("x"));
            let _ = cx.ask(&Size::new("int"));
            Ok(Rules)
        }
    }
    let place = Place::new();
    let configuration = place.configure().with::<Rules>().run().unwrap();
    configuration.write_make_macros("variables").unwrap();
    configuration.write_make_rules("rules").unwrap();
    place.write("build/Makefile", "include variables\ninclude rules\n");
    let make =
        std::process::Command::new("make").current_dir(place.path("build")).arg("show").output().unwrap();
    assert_eq!(String::from_utf8_lossy(&make.stdout), "dep\na # b c gcc -L/opt/x -lx\n");
}

#[test]
fn templates_are_filled_in_and_an_unknown_placeholder_is_told_with_its_line() {
    let place = Place::new();
    place.write("demo.conf.in", "level=@level@ cc=@CC@\nmail=me@example.org x@@y @ @\nprefix=@prefix@\n");
    place.write("wrong.in", "fine\nhere @levle@\n");
    let configuration =
        place.configure().with::<App>().arguments(["--prefix=/opt/demo", "--with-level=5"]).run().unwrap();
    assert!(configuration.write_template("demo.conf.in", "demo.conf").unwrap());
    let text = place.read("build/demo.conf");
    assert_eq!(text, "level=5 cc=gcc\nmail=me@example.org x@@y @ @\nprefix=/opt/demo\n");
    let failed = configuration.write_template("wrong.in", "wrong").unwrap_err().to_string();
    assert!(failed.contains("wrong.in:2") && failed.contains("did you mean @level@?"), "{failed}");
    assert!(!place.path("build/wrong").exists());
}

#[test]
fn a_macro_that_two_modules_define_differently_fails_with_both_places() {
    #[derive(Serialize, Deserialize)]
    struct Other;
    impl Module for Other {
        const NAME: &'static str = "other";
        fn configure(cx: &Cx<'_>) -> Result<Other, Failed> {
            cx.define("SIZEOF_LONG", "4", "as it was once");
            Ok(Other)
        }
    }
    let failed = Place::new().configure().with::<Types>().with::<Other>().run().unwrap_err().to_string();
    assert!(
        failed.contains("`8` by module types at") && failed.contains("`4` by module other at"),
        "{failed}"
    );
    assert!(failed.contains("tests/mod.rs:") && failed.contains("tests/outputs.rs:"), "{failed}");
}

#[test]
fn the_pkg_config_file_is_read_by_pkg_config() {
    #[derive(Serialize, Deserialize)]
    struct Described;
    impl Module for Described {
        const NAME: &'static str = "described";
        fn configure(cx: &Cx<'_>) -> Result<Described, Failed> {
            cx.pkg_config("demo", "A demonstration", "1.2", &[]);
            cx.settings(None, &Settings::new().define("DEMO", "1").lib("m"));
            Ok(Described)
        }
    }
    let place = Place::new();
    let configuration =
        place.configure().with::<Described>().arguments(["--prefix=/opt/demo"]).run().unwrap();
    configuration.write_pkg_config("demo.pc").unwrap();
    let ask = |args: &[&str]| {
        let mut command = std::process::Command::new("pkg-config");
        let output =
            command.env("PKG_CONFIG_PATH", place.path("build")).args(args).arg("demo").output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    };
    assert_eq!(ask(&["--modversion"]), "1.2");
    let cflags = ask(&["--cflags"]);
    assert!(cflags.contains("-DDEMO=1") && cflags.contains("-I/opt/demo/include"), "{cflags}");
    assert_eq!(ask(&["--libs"]), "-L/opt/demo/lib -ldemo");
    assert_eq!(ask(&["--libs", "--static"]), "-L/opt/demo/lib -ldemo -lm");
    let none = place.configure().with::<Types>().run().unwrap();
    assert!(none.write_pkg_config("none.pc").is_err());
}

#[test]
fn cargo_is_told_what_to_link_what_is_configured_and_what_to_watch() {
    #[derive(Serialize, Deserialize)]
    struct Told;
    impl Module for Told {
        const NAME: &'static str = "told";
        fn configure(cx: &Cx<'_>) -> Result<Told, Failed> {
            cx.require::<Types>()?;
            cx.settings(None, &Settings::new().lib_dir("/opt/x").lib("x").lib("/opt/y/liby.a"));
            cx.define("HAVE_X", "1", "x is there");
            cx.define("NAME", "\"x\"", "of it");
            cx.metadata("root", "/opt/x");
            Ok(Told)
        }
    }
    let place = Place::new();
    place.write("include/own.h", "");
    let configuration = place.configure().with::<Told>().run().unwrap();
    let lines = configuration.cargo();
    for line in [
        "cargo::rustc-link-search=native=/opt/x",
        "cargo::rustc-link-lib=x",
        "cargo::rustc-link-search=native=/opt/y",
        "cargo::rustc-link-lib=static=y",
        "cargo::rustc-cfg=have_x",
        "cargo::rustc-cfg=name=\"x\"",
        "cargo::rustc-check-cfg=cfg(have_none, values(any()))",
        "cargo::metadata=root=/opt/x",
        "cargo::rerun-if-env-changed=CC",
        "cargo::rerun-if-env-changed=CPATH",
        "cargo::rerun-if-env-changed=DEMO_PREFIX",
    ] {
        assert!(lines.iter().any(|known| known == line), "{line} is missing in\n{}", lines.join("\n"));
    }
    let watched = |end: &str| {
        lines.iter().any(|line| line.starts_with("cargo::rerun-if-changed=") && line.ends_with(end))
    };
    assert!(watched("/gcc") && watched("/cc1"), "a compiler that is upgraded is noticed: {lines:?}");
}

#[test]
fn the_rust_module_compiles() {
    let place = Place::new();
    let configuration = place.configure().with::<App>().run().unwrap();
    configuration.write_rust("config.rs").unwrap();
    let text = place.read("build/config.rs");
    assert!(
        text.contains("pub const SIZEOF_LONG: i64 = 8;")
            && text.contains("pub const HAVE_NONE: bool = false;"),
        "{text}"
    );
    assert!(text.contains("/// bytes of a long"), "{text}");
    place.write("build/main.rs", "mod config;\npub fn long() -> i64 { config::SIZEOF_LONG }\n");
    let rustc = std::process::Command::new("rustc")
        .current_dir(place.path("build"))
        .args(["--crate-type=lib", "--emit=metadata", "-Dwarnings", "main.rs"])
        .status()
        .unwrap();
    assert!(rustc.success());
}

#[test]
fn autoconfs_templates_are_understood() {
    let place = Place::new();
    place.write("config.h.in", "#undef DEMO_SIZEOF_LONG\n\n/* none */\n#undef DEMO_HAVE_NONE\n");
    let configuration = place.configure().with::<Types>().run().unwrap();
    configuration.write_header_from("config.h.in", "config.h").unwrap();
    assert_eq!(
        place.read("build/config.h"),
        "#define DEMO_SIZEOF_LONG 8\n\n/* none */\n/* #undef DEMO_HAVE_NONE */\n"
    );
}

#[test]
fn the_script_configures_again_and_changes_are_told() {
    let place = Place::new();
    let configure =
        |level: &str| place.configure().with::<App>().program(["my tool", "conf"]).arguments([level]);
    let first = configure("--with-level=1").run().unwrap();
    assert!(first.is_first() && first.changes().is_empty());
    first.write_reconfigure("reconfigure").unwrap();
    let script = place.read("build/reconfigure");
    assert!(script.ends_with("exec 'my tool' conf '--with-level=1' \"$@\"\n"), "{script}");
    let mode = std::fs::metadata(place.path("build/reconfigure")).unwrap().permissions().mode();
    assert_eq!(mode & 0o111, 0o111);
    let second = configure("--with-level=3").run().unwrap();
    let changes = second.changes().join("\n");
    assert!(
        changes.contains("option with-level: 1 (option --with-level) -> 3 (option --with-level)"),
        "{changes}"
    );
    assert!(changes.contains("macro LEVEL: 1 -> 3") && changes.contains("module app:"), "{changes}");
}

#[test]
fn with_diff_it_is_told_what_would_change_and_nothing_is_written() {
    let place = Place::new();
    let configure = |arguments: &[&str]| place.configure().with::<App>().arguments(arguments.iter().copied());
    let nothing = configure(&["--diff"]).run().unwrap_err();
    assert!(nothing.to_string().contains("--diff has nothing to compare with"), "{nothing}");
    let first = configure(&["--with-level=1"]).run().unwrap();
    first.write_header("config.h").unwrap();
    let all = || -> Vec<String> {
        ["config.h", "configure.json", "configure.log"]
            .map(|name| place.read(&format!("build/{name}")))
            .into()
    };
    let before = all();
    let other = configure(&["--with-level=2", "--diff"]).run().unwrap();
    assert!(other.only_looks() && other.write_header("config.h").unwrap(), "the header would change");
    assert!(other.write_reconfigure("reconfigure").unwrap() && !place.path("build/reconfigure").exists());
    let said = other.summary();
    assert!(
        said.contains("changed since the last configuration") && said.contains("macro LEVEL: 1 -> 2"),
        "{said}"
    );
    assert!(!said.contains("diff"), "how it was asked is no change: {said}");
    assert_eq!(all(), before);
    let same = configure(&["--with-level=1", "--diff"]).run().unwrap();
    assert!(same.summary().contains("nothing changed") && !same.write_header("config.h").unwrap());
}

#[test]
fn the_script_runs_from_anywhere_as_it_ran_before() {
    let place = Place::new();
    let tool = place.script("tool", "echo \"$PWD|$CPATH|$TOOL_TOKEN|$*\"");
    let run = |arguments: &[&str]| {
        let configure = place.configure().with::<App>().program([tool.as_str(), "it's"]);
        configure
            .arguments(arguments.iter().copied())
            .run()
            .unwrap()
            .write_reconfigure("reconfigure")
            .unwrap();
    };
    let call = |words: &[&str]| {
        let script = place.path("build/reconfigure");
        std::process::Command::new(script)
            .args(words)
            .current_dir("/")
            .env("CPATH", "/other")
            .output()
            .unwrap()
    };
    run(&["--with-level=1"]);
    let said = call(&["--diff"]);
    let directory = std::env::current_dir().unwrap();
    let expected = format!("{}|||it's --with-level=1 --diff\n", directory.display());
    assert_eq!(String::from_utf8_lossy(&said.stdout), expected);
    // A secret is asked for, and never written.
    run(&["--with-level=1", "--with-key=hunter2secret"]);
    assert!(!place.read("build/reconfigure").contains("hunter2"));
    let refused = call(&[]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("--with-key was a secret: give it again"));
    let other = call(&["--with-key-file=x"]);
    assert_eq!(other.status.code(), Some(2), "another option that only begins so");
    let said = call(&["--with-key=again"]);
    assert!(String::from_utf8_lossy(&said.stdout).ends_with("it's --with-level=1 --with-key=again\n"));
}

#[test]
fn an_argument_with_a_secret_in_it_is_asked_for_and_not_just_left_out() {
    let place = Place::new();
    let arguments = [
        "--with-key=hunter2secret",
        "--prefix",
        "/opt/hunter2secret/x",
        "--with-level=1",
        "CFLAGS=-DKEY=hunter2secret",
    ];
    let configure = place.configure().with::<App>().program(["true"]).arguments(arguments);
    configure.run().unwrap().write_reconfigure("reconfigure").unwrap();
    let text = place.read("build/reconfigure");
    assert!(!text.contains("hunter2") && text.ends_with("exec true '--with-level=1' \"$@\"\n"), "{text}");
    let call = |words: &[&str]| {
        let said = std::process::Command::new(place.path("build/reconfigure")).args(words).output().unwrap();
        (said.status.code(), String::from_utf8_lossy(&said.stderr).into_owned())
    };
    let (status, said) = call(&["--with-key=again"]);
    assert!(status == Some(2) && said.contains("--prefix was a secret: give it again"), "{said}");
    let (status, said) = call(&["--with-key=again", "--prefix=/opt/y"]);
    assert!(status == Some(2) && said.contains("CFLAGS was a secret: give it again"), "{said}");
    assert_eq!(call(&["--with-key=again", "--prefix=/opt/y", "CFLAGS=-DKEY=z"]).0, Some(0));
}

#[test]
fn the_record_tells_the_machine_the_process_and_what_was_found() {
    let place = Place::new();
    let configuration = place.configure().with::<App>().arguments(["--with-level=2"]).run().unwrap();
    let record: serde_json::Value = serde_json::from_str(&configuration.dump()).unwrap();
    assert_eq!(record["machine"]["architecture"], std::env::consts::ARCH);
    assert_eq!(record["process"]["id"], std::process::id().to_string());
    assert_eq!(record["directory"], std::env::current_dir().unwrap().to_str().unwrap());
    assert_eq!(record["arguments"], serde_json::json!(["--with-level=2"]));
    assert_eq!(record["defines"]["LEVEL"], "2");
    assert!(record["compilers"]["CC"]["version"].is_string(), "{record}");
    // The same again is no change, although another moment.
    let written = std::fs::metadata(place.path("build/configure.json")).unwrap().modified().unwrap();
    place.configure().with::<App>().arguments(["--with-level=2"]).run().unwrap();
    assert_eq!(std::fs::metadata(place.path("build/configure.json")).unwrap().modified().unwrap(), written);
}
