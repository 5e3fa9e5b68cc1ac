//! Parameters through the doors a user has: the builder, variables, the configuration file.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;

use dijitso::{BuildParams, CacheParams, Error, Jit, Params, Profile};
use dijitso_tests::kernels;

use crate::harness::{Place, real_compiler};

const TEXT: &str = "int value() { return VALUE; }";

#[test]
fn the_environment_beats_the_file_and_the_file_the_default() {
    let place = Place::new();
    let config = place.write("config.toml", "[build]\ncxxflags = [\"-DVALUE=1\"]\n");
    let run = |flags: Option<&str>| {
        let client = place.client(["text", "value", TEXT]).env("DIJITSO_CONFIG", &config);
        match flags {
            Some(flags) => client.env("CXXFLAGS", flags),
            None => client,
        }
        .ok()
        .values()
    };
    assert_eq!(run(None), [1.0]);
    assert_eq!(run(Some("-UVALUE -DVALUE=2")), [2.0], "flags add up, and the later one wins");
}

#[test]
fn the_program_beats_the_environment() {
    let place = Place::new();
    let elsewhere = place.path("elsewhere");
    let jit = Jit::builder().cache_dir(&elsewhere).build().unwrap();
    assert_eq!(jit.cache_dir(), elsewhere);
    let cache = CacheParams { dir: Some(place.cache()), ..CacheParams::default() };
    let build = BuildParams { cxxflags: vec!["-DVALUE=5".into()], ..BuildParams::default() };
    let params = Params { cache, build, ..Params::default() };
    let jit = Jit::builder().params(params).build().unwrap();
    assert_eq!(jit.load(&kernels::text("value", TEXT)).unwrap().call(), 5);
}

#[test]
fn the_users_file_is_found_in_the_configuration_directory_and_never_here() {
    let place = Place::new();
    place.write("xdg/dijitso/config.toml", "[build]\ncxxflags = \"-DVALUE=7\"\n");
    place.write("here/dijitso/config.toml", "[build]\ncxxflags = \"-DVALUE=8\"\n");
    place.write("here/config.toml", "[build]\ncxxflags = \"-DVALUE=9\"\n");
    let run = || place.client(["text", "value", TEXT]).cwd(&place.path("here")).without("DIJITSO_CONFIG");
    let ran = run().env("XDG_CONFIG_HOME", place.path("xdg")).ok();
    assert_eq!(ran.values(), [7.0]);
    let ran = run().env("XDG_CONFIG_HOME", ".").env("HOME", place.path("nobody")).run();
    assert!(ran.error().contains("VALUE"), "{}", ran.error());
}

#[test]
fn kernels_are_cached_whatever_the_bytes_in_the_name_of_the_users_file() {
    let place = Place::new();
    let config = place.root().join(OsStr::from_bytes(b"\xff.toml"));
    std::fs::write(&config, "[build]\ncxxflags = \"-DVALUE=3\"\n").unwrap();
    let run = || place.client(["text", "value", TEXT]).env("DIJITSO_CONFIG", &config).ok();
    let cold = run();
    assert_eq!((cold.values(), cold.warnings()), (vec![3.0], 0), "{}", cold.stderr);
    run().assert_warm();
}

#[test]
fn a_misspelt_key_stops_the_program_with_a_suggestion() {
    let place = Place::new();
    let config = place.write("config.toml", "[build]\nprofil = \"debug\"\n");
    let ran = place.client(["nothing"]).env("DIJITSO_CONFIG", &config).run();
    let text = ran.error();
    for part in ["profil", "did you mean `profile`?", "known keys:", "config.toml, line 2"] {
        assert!(text.contains(part), "`{part}` is not in: {text}");
    }
}

#[test]
fn a_wrong_variable_stops_the_program_with_what_is_allowed() {
    let place = Place::new();
    for (name, value, allowed) in [
        ("DIJITSO_LOAD", "ram", "auto, file, memory"),
        ("DIJITSO_CACHE_NETWORK", "nfs", "auto, yes, no"),
        ("DIJITSO_BUILD_ON", "nodes", "root, node, process, spread"),
        ("DIJITSO_PROFILE", "fast", "optimized, debug"),
        ("DIJITSO_JOBS", "0", "at least 1"),
        ("DIJITSO_JOBS", "all", "whole number"),
        ("DIJITSO_TIMEOUT", "-3", "number of seconds"),
        ("DIJITSO_CHECK", "maybe", "1 or 0"),
        ("DIJITSO_CPU", "-O3", "native"),
        ("DIJITSO_CACHE_DIR", "cache", "absolute path"),
        ("DIJITSO_CONFIG", "config.toml", "absolute path"),
        ("CXXFLAGS", "\"-DX", "quote"),
    ] {
        let ran = place.client(["nothing"]).env(name, value).run();
        let text = ran.error();
        assert!(text.contains(name) && text.contains(allowed), "{name}={value}: {text}");
    }
}

/// A daemon or a container often has no home: its kernels are built in memory, and it is told once what to set.
#[test]
fn without_home_and_without_a_directory_kernels_are_built_in_memory() {
    let place = Place::new();
    let homeless = |words: &[&str]| {
        let client = place.client(words).without("DIJITSO_CACHE_DIR").env("TMPDIR", place.root());
        ["HOME", "XDG_CACHE_HOME", "VIRTUAL_ENV", "CONDA_PREFIX"]
            .into_iter()
            .fold(client, |c, v| c.without(v))
    };
    let ran = homeless(&["nothing"]).ok();
    assert_eq!((ran.warnings(), ran.outcome.stats.processes), (0, 0), "{}", ran.stderr);
    for profile in ["optimized", "debug"] {
        let ran = homeless(&["numbers", "1", "4"]).env("DIJITSO_PROFILE", profile).ok();
        assert_eq!((ran.outcome.stats.built, ran.outcome.stats.memory_loads), (3, 3));
        assert_eq!(ran.warnings(), 1, "{}", ran.stderr);
        assert!(ran.stderr.contains("HOME is not set; set DIJITSO_CACHE_DIR"), "{}", ran.stderr);
    }
    let ran = homeless(&["text", "broken", "int broken() { return x; }"]).run();
    assert!(
        ran.error().contains("kernel broken") && ran.error().contains("'x' was not declared"),
        "{}",
        ran.error()
    );
    let site = place.path("site").display().to_string();
    let ran = homeless(&["export", &site, "numbers", "1", "3"]).run();
    assert!(ran.error().contains("cannot be exported without being cached"), "{}", ran.error());
    assert!(ran.error().contains("HOME is not set"), "{}", ran.error());
    let left = crate::harness::files(place.root());
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn the_cache_follows_the_active_environment() {
    let place = Place::new();
    std::fs::create_dir(place.path("conda")).unwrap();
    place
        .client(["numbers", "1", "2"])
        .without("DIJITSO_CACHE_DIR")
        .without("VIRTUAL_ENV")
        .env("CONDA_PREFIX", place.path("conda"))
        .env("XDG_CACHE_HOME", place.path("xdg"))
        .ok();
    assert!(place.path("conda/.cache/dijitso/CACHEDIR.TAG").is_file());
    place
        .client(["numbers", "1", "2"])
        .without("DIJITSO_CACHE_DIR")
        .without("VIRTUAL_ENV")
        .without("CONDA_PREFIX")
        .env("XDG_CACHE_HOME", place.path("xdg"))
        .ok();
    assert!(place.path("xdg/dijitso/CACHEDIR.TAG").is_file());
}

#[test]
fn contradictory_builder_values_are_errors_not_panics() {
    let place = Place::new();
    for builder in [
        place.builder().cxx("\"g++"),
        place.builder().cxx(""),
        place.builder().jobs(0),
        place.builder().timeout(std::time::Duration::ZERO),
        place.builder().std("c++20 -DX"),
        place.builder().cache_dir("relative"),
        place.builder().cxxflag(""),
    ] {
        let error = builder.build().expect_err("it makes no sense");
        assert!(matches!(error, Error::Config { .. }), "{error:?}");
        assert!(error.to_string().contains("builder"), "{error}");
    }
}

/// A shared library `libanswer.so` that returns `answer`.
fn library(place: &Place, dir: &str, answer: i32) {
    let source = place
        .write(&format!("{dir}/answer.cpp"), &format!("extern \"C\" int answer() {{ return {answer}; }}"));
    let output = place.path(dir).join("libanswer.so");
    let compiler = std::process::Command::new(real_compiler())
        .args(["-shared", "-fPIC", "-o"])
        .args([&output, &source])
        .status();
    assert!(compiler.unwrap().success());
}

#[test]
fn directories_and_libraries_reach_compiler_linker_and_loader() {
    let place = Place::new();
    library(&place, "lib", 40);
    place.write("include/answer.h", "extern \"C\" int answer();\n#define TWO 2\n");
    let unit = kernels::unit(
        "asked",
        "#include \"answer.h\"\nextern \"C\" int asked() { return answer() + TWO; }\n",
    );
    // Without one of them it does not work. (First, because what is loaded once is found without a directory.)
    let all =
        || place.builder().cache_dir(place.path("other")).include_dir(place.path("include")).lib("answer");
    assert!(matches!(all().build().unwrap().load(&unit), Err(Error::Link { .. })));
    assert!(matches!(all().lib_dir(place.path("lib")).build().unwrap().load(&unit), Err(Error::Load { .. })));
    let build = BuildParams {
        include_dirs: vec![place.path("include")],
        lib_dirs: vec![place.path("lib")],
        rpath_dirs: vec![place.path("lib")],
        libs: vec!["answer".into()],
        ..BuildParams::default()
    };
    let cache = CacheParams { dir: Some(place.cache()), ..CacheParams::default() };
    let jit = Jit::builder().params(Params { cache, build, ..Params::default() }).build().unwrap();
    assert_eq!(jit.load(&unit).unwrap_or_else(|e| panic!("{}", e.report())).call(), 42);
    let entry = jit.cache().find("asked").unwrap();
    assert!(entry.libraries().unwrap().contains(&"libanswer.so".to_owned()), "{:?}", entry.libraries());
    let inputs: Vec<&String> = entry.inputs().keys().collect();
    for file in ["include/answer.h", "lib/libanswer.so"] {
        assert!(inputs.iter().any(|path| path.ends_with(file)), "{file} is not in {inputs:?}");
    }
}

#[test]
fn failures_are_kept_only_if_wanted() {
    let place = Place::new();
    let broken = kernels::text("broken", "int broken() { return x; }");
    let jit = place.builder().keep_failures(false).build().unwrap();
    let Err(Error::Compile { bundle: None, .. }) = jit.load(&broken) else {
        panic!("an error without a bundle")
    };
    assert!(jit.cache().failures().unwrap().is_empty());
    let other = kernels::text("broken", "int broken() { return y; }");
    let Err(Error::Compile { bundle: Some(path), .. }) = place.jit().load(&other) else {
        panic!("an error with one")
    };
    assert_eq!(jit.cache().failures().unwrap()[0].path(), path);
}

#[test]
fn the_parameters_in_force_are_shown_with_who_set_them() {
    let place = Place::new();
    let settings = place.builder().cxxflag("-DA").profile(Profile::Debug).build().unwrap().settings();
    let shown =
        |name: &str| settings.iter().find(|s| s.name == name).map(ToString::to_string).unwrap_or_default();
    assert_eq!(shown("profile"), "build.profile = debug (builder)");
    assert!(shown("cxxflags").ends_with("-DA (builder)"), "{}", shown("cxxflags"));
    assert_eq!(shown("dir"), format!("cache.dir = {} (builder)", place.cache().display()));
    assert_eq!(shown("durable"), "cache.durable = false (default)");
    let wrong =
        Params { build: BuildParams { jobs: Some(0), ..BuildParams::default() }, ..Params::default() };
    assert!(matches!(wrong.resolve(), Err(Error::Config { .. })));
}

#[test]
fn kernels_on_a_network_file_system_load_from_memory() {
    let place = Place::new();
    let memory_loads = |network: &str| {
        let ran = place.client(["numbers", "1", "2"]).env("DIJITSO_CACHE_NETWORK", network).ok();
        ran.outcome.stats.memory_loads
    };
    assert_eq!(memory_loads("no"), 0);
    assert_eq!(memory_loads("yes"), 1);
}

/// The same flags from other layers stand in another order, in which another one wins.
#[test]
fn the_same_flags_from_other_places_are_another_kernel() {
    let place = Place::new();
    let text = ["text", "told", "int told() { return TOLD; }"];
    let value = |config: &str, variable: &str, flag: &str| {
        let config = place.write("config.toml", config);
        let ran = place.client(text).env("DIJITSO_CONFIG", config).env(variable, flag).ok();
        ran.values()[0]
    };
    // What the environment says stands after what the file says.
    assert_eq!(value("[build]\ncppflags = [\"-DTOLD=1\"]\n", "CXXFLAGS", "-DTOLD=2"), 2.0);
    assert_eq!(value("[build]\ncxxflags = [\"-DTOLD=2\"]\n", "CPPFLAGS", "-DTOLD=1"), 1.0);
    assert_eq!(value("[build]\ncppflags = [\"-DTOLD=1\"]\n", "CXXFLAGS", "-DTOLD=2"), 2.0);
}
