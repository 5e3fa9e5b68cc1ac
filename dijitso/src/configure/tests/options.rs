//! Options from all their sources, with who set them.

use super::*;

/// Set for the child process: the place that it configures in.
const CHILD: &str = "DIJITSO_TEST_OPTIONS_CHILD";

const COLOUR: Opt<String> =
    Opt::text("with-colour", "red", "*", "of everything").variable("DIJITSO_TEST_COLOUR");
const PARTS: Opt<Vec<String>> = Opt::library("with-parts", "", "what it is made of");

#[derive(Debug, Serialize, Deserialize)]
struct Chosen {
    level: i64,
    colour: String,
    parts: Vec<String>,
    origins: Vec<String>,
}

impl Module for Chosen {
    const NAME: &'static str = "chosen";
    fn options(options: &mut Options) {
        options.add(&LEVEL).add(&COLOUR).add(&PARTS);
    }
    fn configure(cx: &Cx<'_>) -> Result<Chosen, Failed> {
        let origins = [cx.origin(&LEVEL)?, cx.origin(&COLOUR)?, cx.origin(&PARTS)?];
        Ok(Chosen {
            level: cx.get(&LEVEL)?,
            colour: cx.get(&COLOUR)?,
            parts: cx.get(&PARTS)?,
            origins: origins.map(|origin| origin.to_string()).to_vec(),
        })
    }
}

fn configure(place: &Place) -> Configure {
    place.configure().with::<Chosen>()
}

/// What a process with these variables comes to.
fn told(test: &str, variables: &[(&str, &std::ffi::OsStr)]) -> String {
    let place = Place::new();
    place.write("site.toml", "# of the site\nwith-level = 7\nwith-parts = [\"-Wl,-z,now\", \"foo\"]\n");
    let mut command = std::process::Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", &format!("configure::tests::options::{test}")]).env(CHILD, place.path(""));
    command.envs(variables.iter().copied()).stdout(std::process::Stdio::null());
    assert!(command.status().unwrap().success());
    place.read("told")
}

/// Whether this is such a process. It has told then.
fn is_child() -> bool {
    let Some(dir) = crate::config::env::named(CHILD) else { return false };
    let place = Place::of(dir.into());
    let configure = configure(&place).options_file(place.path("site.toml"));
    let told = match configure.run() {
        Ok(configuration) => {
            let chosen = configuration.get::<Chosen>().unwrap();
            format!("{} {} {:?}\n{}", chosen.level, chosen.colour, chosen.parts, chosen.origins.join("\n"))
        }
        Err(failed) => failed.to_string(),
    };
    place.write("told", &told);
    true
}

#[test]
fn variables_are_stronger_than_the_file_and_all_are_named() {
    if is_child() {
        return;
    }
    let name = "variables_are_stronger_than_the_file_and_all_are_named";
    let text = told(name, &[]);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "7 red [\"-Wl,-z,now\", \"foo\"]");
    assert!(lines[1].starts_with("configuration file ") && lines[1].ends_with("site.toml, line 2"), "{text}");
    assert!(lines[2].starts_with("default at ") && lines[2].contains("tests/options.rs:"), "{text}");
    assert!(lines[3].ends_with("site.toml, line 3"), "{text}");
    let text = told(name, &[("DEMO_WITH_LEVEL", "3".as_ref()), ("DIJITSO_TEST_COLOUR", "blue".as_ref())]);
    assert!(text.starts_with("3 blue "), "{text}");
    assert!(
        text.contains("\nenvironment variable DEMO_WITH_LEVEL\nenvironment variable DIJITSO_TEST_COLOUR\n"),
        "{text}"
    );
    let both = [("DEMO_WITH_COLOUR", "green".as_ref()), ("DIJITSO_TEST_COLOUR", "blue".as_ref())];
    let text = told(name, &both);
    assert!(text.starts_with("7 green ") && text.contains("environment variable DEMO_WITH_COLOUR"), "{text}");
}

#[test]
fn a_variable_that_is_no_text_is_told() {
    use std::os::unix::ffi::OsStrExt as _;
    if is_child() {
        return;
    }
    let value = std::ffi::OsStr::from_bytes(b"bl\xff");
    let text = told("a_variable_that_is_no_text_is_told", &[("DEMO_WITH_COLOUR", value)]);
    assert_eq!(text, "--with-colour: its value is no UTF-8 (environment variable DEMO_WITH_COLOUR)");
}

#[test]
fn two_options_by_one_name_are_told_with_both_places() {
    let line = line!() + 1;
    const OTHER: Opt<bool> = Opt::boolean("with-level", true, "something else");
    #[derive(Serialize, Deserialize)]
    struct Clash;
    impl Module for Clash {
        const NAME: &'static str = "clash";
        fn options(options: &mut Options) {
            options.add(&OTHER);
            crate::package_options!("openmp").add_to(options);
        }
        fn configure(_: &Cx<'_>) -> Result<Clash, Failed> {
            Ok(Clash)
        }
    }
    let failed =
        Place::new().configure().with::<App>().with::<Clash>().optional::<OpenMp>().run().unwrap_err();
    assert_eq!(failed.kind(), FailureKind::Program);
    let text = failed.to_string();
    assert!(text.contains("two options are called --with-level: \"how much is checked\" (0..9, "), "{text}");
    assert!(text.contains(&format!("tests/options.rs:{line}:")) && text.contains("tests/mod.rs:"), "{text}");
    assert!(text.contains("two options are called --with-openmp") && text.contains("openmp.rs:"), "{text}");
}

#[test]
fn what_one_declaration_keeps_secret_is_secret() {
    const OPEN: Opt<String> = Opt::text("with-key", "", "*", "of the door");
    const SECRET: Opt<String> =
        Opt::text("with-key", "", "*", "of the door").secret().variable("DIJITSO_TEST_KEY");
    #[derive(Serialize, Deserialize)]
    struct Door;
    impl Module for Door {
        const NAME: &'static str = "door";
        fn options(options: &mut Options) {
            options.add(&OPEN).add(&SECRET);
        }
        fn configure(cx: &Cx<'_>) -> Result<Door, Failed> {
            cx.note(format!("the key is {}", cx.get(&OPEN)?));
            Ok(Door)
        }
    }
    let configuration =
        Place::new().configure().with::<Door>().arguments(["DIJITSO_TEST_KEY=swordfish"]).run().unwrap();
    let all =
        [configuration.dump(), configuration.log().to_owned(), configuration.events().to_owned()].concat();
    assert!(!all.contains("swordfish") && configuration.log().contains("the key is (secret)"), "{all}");
}

#[test]
fn flags_tell_by_what_question_they_were_found() {
    #[derive(Serialize, Deserialize)]
    struct Found;
    impl Module for Found {
        const NAME: &'static str = "found";
        fn options(options: &mut Options) {
            options.of::<OpenMp>();
        }
        fn configure(cx: &Cx<'_>) -> Result<Found, Failed> {
            cx.require::<OpenMp>()?;
            let flag = cx.need(&CompilerFlag::new("-fno-math-errno"))?;
            cx.settings(Some(Language::C), &Settings::new().compile_flag(flag.text).asked_by(flag.origin));
            Ok(Found)
        }
    }
    let configuration = Place::new().configure().with::<Found>().run().unwrap();
    let told = |flag: &str| configuration.flags().explain(flag).join("\n");
    let errno = told("-fno-math-errno");
    assert!(errno.contains("from asked of the compiler: flag -fno-math-errno (C), module at "), "{errno}");
    assert!(errno.contains("tests/options.rs:"), "{errno}");
    let openmp = told("-fopenmp");
    assert!(
        openmp.contains("flag -fopenmp defining _OPENMP (C++)") && openmp.contains("openmp.rs:"),
        "{openmp}"
    );
}

#[test]
fn libraries_of_the_system_tell_the_line_that_lists_them() {
    const MATHS: PackageOptions = crate::package_options!("maths");
    #[derive(Serialize, Deserialize)]
    struct Maths(Settings, u32);
    impl Module for Maths {
        const NAME: &'static str = "maths";
        fn options(options: &mut Options) {
            MATHS.add_to(options);
        }
        fn configure(cx: &Cx<'_>) -> Result<Maths, Failed> {
            let line = line!() + 1;
            let candidates = Candidates::of(cx, &MATHS, &[])?.of_system(&[&["m"]]);
            let works = |settings: &Settings| cx.ask(&Function::new("cosh").after("math.h").with(settings));
            Ok(Maths(candidates.choose(cx, works)?.1, line))
        }
    }
    let configuration = Place::new().configure().with::<Maths>().run().unwrap();
    let Maths(settings, line) = configuration.get::<Maths>().unwrap();
    let explained = settings.explain().join("\n");
    assert!(explained.starts_with("-lm (module maths at "), "{explained}");
    assert!(explained.ends_with(&format!("options.rs:{line})")), "{explained}");
}

#[test]
fn where_a_default_is_declared_is_no_change() {
    let place = Place::new();
    let run = || place.configure().with::<Types>().run().unwrap();
    run();
    let record = place.read("build/configure.json");
    let moved = record.replace("default at dijitso", "default at elsewhere/dijitso");
    assert_ne!(record, moved);
    place.write("build/configure.json", &moved);
    assert_eq!(run().changes(), [""; 0]);
    place.write("build/configure.json", &moved.replace("\"/usr/local\"", "\"/opt/old\""));
    assert_eq!(run().changes(), ["option prefix: /opt/old (default) -> /usr/local (default)"]);
}

const DEPTH: Opt<i64> = Opt::int("utility-depth", 1, 0, 9, "how deep utilities look");

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Utility(i64);

impl Child for Utility {
    const NAME: &'static str = "utility";
    type Key = String;

    fn options(options: &mut Options) {
        options.add(&DEPTH);
    }

    fn configure(_: &String, cx: &Cx<'_>) -> Result<Utility, Failed> {
        cx.get(&DEPTH).map(Utility)
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct AllUtilities;

impl Module for AllUtilities {
    const NAME: &'static str = "utilities";

    fn options(options: &mut Options) {
        options.of_child::<Utility>();
    }

    fn configure(cx: &Cx<'_>) -> Result<AllUtilities, Failed> {
        cx.child::<Utility>(&"git".to_owned()).map(|_| AllUtilities)
    }
}

#[test]
fn modules_of_a_list_have_options_in_common() {
    let configure = || Place::new().configure().with::<AllUtilities>();
    assert!(configure().help().contains("--utility-depth"));
    let configuration = configure().arguments(["--utility-depth=3"]).run().unwrap();
    assert_eq!(configuration.child::<Utility>(&"git".to_owned()), Some(Utility(3)));
}
