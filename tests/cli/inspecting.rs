//! `version`, `config`, `show`, `explain`, `verify`.

use dijitso::Profile;
use dijitso_tests::kernels::{self, Loop};
use regex::Regex;
use serde_json::json;

use super::{Cli, assert_golden, assert_schema, damage, filled, on_terminal, run};
use crate::harness::Place;

#[test]
fn the_version_is_told_in_each_form() {
    let place = Place::new();
    let version = format!("dijitso {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(run(&place, "version").ok().out, version);
    assert_eq!(run(&place, "--version").ok().out, version);
    let answer = run(&place, "version --json").ok().json();
    assert_schema(&answer, &json!({ "name": "string", "version": "string", "cache_format": "string" }));
}

#[test]
fn help_tells_of_every_subcommand_and_of_the_exit_status() {
    let place = Place::new();
    let help = run(&place, "--help").ok().out;
    assert_golden("help", &place, &help);
    let none = run(&place, "");
    assert_eq!((none.status, none.out.as_str()), (2, ""), "help that nobody asked for is an error");
    assert!(none.err.contains("Usage:"));
}

#[test]
fn parameters_are_shown_with_their_origin() {
    let place = Place::new();
    let config = place.write("config.toml", "[build]\ntimeout = 30\nlibs = [\"m\"]\n");
    let cli = || Cli::new(&place).env("DIJITSO_CONFIG", &config).env("CXXFLAGS", "-O1 -g").env("CXX", "g++");
    assert_golden("config", &place, &cli().args(["config"]).run().ok().out);
    let key = |key: &str| cli().args(["config", "--key", key]).run();
    assert_eq!(key("build.cxxflags").ok().out, "-O1 -g\n");
    assert_eq!(key("build.timeout").ok().out, "30\n");
    assert_eq!(key("build.std").ok().out, "\n");
    key("build.cxxflag").failed(2, "did you mean `build.cxxflags`?");
    let answer = cli().args(["config", "--json"]).run().ok().json();
    let value = json!({ "value": "string", "origin": "string" });
    assert_schema(&answer, &json!({ "settings": [{ "key": "string", "values": [value] }] }));
    let dir = cli().args(["config", "--key", "cache.dir", "--cache-dir", "elsewhere"]).run().ok().out;
    assert_eq!(dir, format!("{}\n", place.path("elsewhere").display()), "relative to where one is");
}

#[test]
fn what_is_there_is_shown() {
    let (place, _, cache) = filled();
    assert_golden("show", &place, &run(&place, "show").ok().out);
    assert_golden("show_files", &place, &run(&place, "show --files --no-summary successor").ok().out);
    let signatures: Vec<String> = cache.list().entries.iter().map(|entry| entry.signature.to_hex()).collect();
    let printed = run(&place, "show --signatures").ok().out;
    assert_eq!(printed.lines().collect::<Vec<_>>(), signatures);
    assert_golden("show_empty", &place, &run(&place, "show --cache-dir nothing").ok().out);
}

#[test]
fn a_terminal_gets_lines_that_fit_and_colours_and_a_pipe_gets_all() {
    let (place, jit, _) = filled();
    let long = format!("int wide() {{ return 1; }} // {}", "arguments ".repeat(20));
    jit.load(&kernels::text("wide", &long)).unwrap();
    let escapes = Regex::new("\x1b\\[[0-9;]*m").unwrap();
    for columns in [72, 80, 120, 200] {
        let said = on_terminal(&place, columns, "show --no-summary", "").ok().out;
        assert!(said.contains('\x1b'), "{said}");
        let plain = escapes.replace_all(&said, "");
        let widest = plain.lines().map(|line| line.trim_end().chars().count()).max().unwrap();
        assert!(widest <= columns as usize && plain.contains("wide(\""), "{columns}: {widest}\n{plain}");
    }
    let piped = run(&place, "show --no-summary").ok().out;
    assert!(piped.contains("for x86_64") || piped.contains("for aarch64"), "{piped}");
    // Somebody watches: the bar comes, and goes.
    let verified = on_terminal(&place, 80, "verify", "").ok().out;
    assert!(verified.contains("as they should be"), "{verified}");
    let hidden = on_terminal(&place, 80, "verify --quiet", "").ok().out;
    assert!(!hidden.contains("left"), "{hidden}");
}

#[test]
fn an_explanation_finds_what_a_macro_changed() {
    let place = Place::new();
    place.write("f.cpp", "extern \"C\" int f() { return FACTOR; }\n");
    run(&place, "build f.cpp -D FACTOR=1").ok();
    run(&place, "build f.cpp -D FACTOR=2").ok();
    let said = run(&place, "explain f").ok().out;
    assert_golden("explain", &place, &said);
    assert!(
        said.contains("`#define FACTOR 2` in line") && said.contains("there `#define FACTOR 1`"),
        "{said}"
    );
}

#[test]
fn a_listing_is_sorted_as_asked() {
    let (place, jit, _) = filled();
    jit.load(&kernels::text("large", &format!("int large() {{ return 1; }}\n// {}\n", "x".repeat(100_000))))
        .unwrap();
    let answer = run(&place, "show --json --sort size").ok().json();
    let sizes: Vec<u64> =
        answer["entries"].as_array().unwrap().iter().map(|e| e["bytes"].as_u64().unwrap()).collect();
    assert!(sizes.len() == 7 && sizes.is_sorted_by_key(|size| std::cmp::Reverse(*size)), "{sizes:?}");
    for order in ["built", "used", "signature"] {
        let answer = run(&place, &format!("show --json --limit 2 --sort {order}")).ok().json();
        assert_eq!(answer["entries"].as_array().unwrap().len(), 2);
    }
}

#[test]
fn a_listing_is_there_for_programs() {
    let (place, ..) = filled();
    let answer = run(&place, "show --json --files").ok().json();
    let usage = json!({ "files": "number", "bytes": "number" });
    let entry = json!({
        "signature": "signature", "kernel": "string", "description": "string", "bytes": "number",
        "library_bytes": "number", "source_bytes": "number", "header_bytes": "number", "log_bytes": "number",
        "built": "number", "last_used": "number?", "compile_seconds": "number", "compiler": "string",
        "files": [{ "category": "string", "name": "string", "bytes": "number" }],
    });
    assert_schema(
        &answer,
        &json!({
            "cache": "string", "exists": "boolean", "newer_formats": ["string"], "entries": [entry],
            "damaged": ["any"],
            "summary": {
                "entries": usage, "total": usage, "parts": { "*": "number" }, "damaged": usage, "index": usage,
                "failures": usage, "sources": usage, "sites": usage, "toolchains": usage, "statistics": usage,
                "temporary": usage, "index_is_estimated": "boolean",
            },
        }),
    );
    let only = run(&place, "show --json --categories src axpy").ok().json();
    assert_eq!(only["entries"].as_array().unwrap().len(), 2);
    assert_eq!(only["summary"]["parts"].as_object().unwrap().keys().collect::<Vec<_>>(), ["src"]);
}

#[test]
fn an_explanation_names_what_makes_a_kernel_another_one() {
    let (place, _, cache) = filled();
    let axpy = cache.find("axpy(Plain)").unwrap();
    let said = Cli::new(&place).args(["explain", "axpy(Plain)"]).run().ok();
    for line in ["arguments", "there", "Unrolled(2)", "compiler version", "-fno-math-errno", "default"] {
        assert!(said.out.contains(line), "`{line}` is not in: {}", said.out);
    }
    assert!(said.out.contains(&format!("generated at         {}", axpy.location())), "{}", said.out);
    let linked = run(&place, "explain successor").ok();
    assert!(linked.out.contains("linked to") && linked.out.contains("base(4)"), "{}", linked.out);
    assert!(linked.out.contains("No other entry is of this kernel"), "{}", linked.out);
}

#[test]
fn an_explanation_finds_the_flag_the_compiler_or_the_header_that_changed() {
    let place = Place::new();
    let header = place.write("include/state.h", "#define STATE 1\n");
    let spec = kernels::state(place.path("include"), true);
    let build = |flag: &str, profile: Profile| {
        let builder = place.builder().profile(profile).cxxflag(flag);
        builder.build().unwrap().load(&spec).unwrap().signature()
    };
    let first = build("-DA", Profile::Optimized);
    let flag = build("-DB", Profile::Optimized);
    let explain = |one: &dijitso::Signature, other: &dijitso::Signature| {
        let words = ["explain".to_owned(), one.short(), "--against".to_owned(), other.short()];
        Cli::new(&place).args(words).run().ok().out
    };
    let said = explain(&flag, &first);
    assert!(
        said.contains("-DB (builder), there none") && said.contains("none, there -DA (builder)"),
        "{said}"
    );
    std::fs::write(&header, "#define STATE 2\n").unwrap();
    let changed = build("-DB", Profile::Optimized);
    let said = explain(&changed, &flag);
    let file = format!("file {}", header.display());
    assert!(said.contains(&file) && said.contains("sha256"), "{said}");
    // Its nearest relative is the one that only the header distinguishes.
    let answer = Cli::new(&place).args(["explain", "--json", &changed.short()]).run().ok().json();
    assert_eq!(answer["against"]["signature"], flag.to_hex());
    assert_eq!(answer["differences"].as_array().unwrap().len(), 1);
    assert_eq!(answer["differences"][0]["ingredient"], file);
}

#[test]
fn an_explanation_is_there_for_programs() {
    let (place, ..) = filled();
    let answer = run(&place, "explain --json axpy").ok().json();
    assert_schema(
        &answer,
        &json!({
            "signature": "signature", "unit": "signature", "spec": "signature", "kernel": "string",
            "description": "string", "location": "string", "path": "string", "built": "number",
            "last_used": "number?", "compile_seconds": "number", "link_seconds": "number", "creator": "string",
            "cpu_features": ["string"], "ingredients": { "*": "string" },
            "flags": [{ "flag": "string", "origin": "string" }], "commands": ["string"],
            "inputs": { "*": "signature" }, "dependencies": ["signature"],
            "against": { "signature": "signature", "description": "string" },
            "differences": [{ "ingredient": "string", "this": "string?", "other": "string?" }],
        }),
    );
}

#[test]
fn a_sound_cache_is_verified_whole() {
    let (place, ..) = filled();
    assert_golden("verify", &place, &run(&place, "verify").ok().out);
    let answer = run(&place, "verify --json").ok().json();
    assert_eq!((&answer["entries"], &answer["sound"]), (&json!(6), &json!(true)));
}

#[test]
fn damage_is_found_and_repaired_and_what_was_removed_is_built_again() {
    let (place, jit, cache) = filled();
    let successor = cache.find("successor").unwrap();
    let base = cache.find("base").unwrap();
    // In the library of one that another is linked to, and in the archive of a third.
    damage(base.path(), 100);
    let number = cache.find("k00001").unwrap();
    damage(number.path(), usize::try_from(number.sizes().library).unwrap() + 50);
    let said = run(&place, "verify");
    assert_eq!(said.status, 1, "{said:?}");
    assert!(
        said.out.contains("its library is damaged") && said.out.contains("its archive is damaged"),
        "{}",
        said.out
    );
    assert!(said.out.contains("2 kernels cannot be used"), "{}", said.out);
    let answer = run(&place, "verify --json");
    let problem = json!({
        "kind": "string", "harm": "boolean", "path": "string", "signature": "signature?", "problem": "string",
    });
    assert_schema(
        &answer.json(),
        &json!({
            "cache": "string", "entries": "number", "indices": "number", "sound": "boolean",
            "problems": [problem], "repaired": "any",
        }),
    );
    assert_eq!(answer.status, 1);

    let repaired = run(&place, "verify --repair").ok();
    assert!(repaired.out.contains("Removed 3 kernels"), "{}", repaired.out);
    assert!(!base.path().exists() && !successor.path().exists() && !number.path().exists());
    run(&place, "verify").ok();
    drop(jit);
    let jit = place.jit();
    assert_eq!(jit.load(&kernels::successor(4)).unwrap().call(), 5);
    jit.load(&kernels::axpy(Loop::Plain)).unwrap();
    assert_eq!(jit.stats().compiled, 2, "what was sound is still there");
}

#[test]
fn nothing_is_found_sound_that_is_not_there() {
    let place = Place::new();
    run(&place, "verify --cache-dir no/such/cache").failed(1, "there is no cache in");
    run(&place, "verify").ok();
}

#[test]
fn what_is_sound_or_not_known_is_never_repaired_away() {
    let (place, jit, cache) = filled();
    // A copy in the wrong place; the one in the right place is sound.
    let number = cache.find("k00001").unwrap();
    let digits = &number.signature().to_hex()[..2];
    let folder = place.cache().join("v1").join(if digits == "00" { "01" } else { "00" });
    std::fs::create_dir_all(&folder).unwrap();
    let copy = folder.join(number.path().file_name().unwrap());
    std::fs::copy(number.path(), &copy).unwrap();
    // One that the system does not open now.
    let closed = cache.find("k00002").unwrap().path().to_owned();
    let aside = place.path("aside");
    std::fs::rename(&closed, &aside).unwrap();
    std::os::unix::fs::symlink(&closed, &closed).unwrap();
    let said = run(&place, "verify --repair");
    assert!(said.status == 1 && said.out.contains("unreadable"), "{said:?}");
    assert!(!copy.exists() && number.path().exists());
    std::fs::rename(&aside, &closed).unwrap();
    run(&place, "verify").ok();
    drop(jit);
    let jit = place.jit();
    jit.load_all(&[kernels::number(1), kernels::number(2)]).unwrap();
    assert_eq!((jit.stats().compiled, jit.stats().disk_hits), (0, 2));
    assert_eq!(jit.stats().generated, 0, "the index still leads to them");
}

#[test]
fn a_kernel_that_is_linked_to_one_of_a_site_cache_is_sound() {
    let (exporter, place) = (Place::new(), Place::new());
    let site = exporter.path("site");
    exporter.jit().export([kernels::base(6)], &site).unwrap();
    let load = || {
        let jit = place.builder().site_cache(&site).build().unwrap();
        assert_eq!(jit.load(&kernels::successor(6)).unwrap().call(), 7);
        jit.stats().compiled
    };
    assert_eq!(load(), 1);
    let said = run(&place, "verify").ok();
    assert!(said.out.contains("comes from a site cache"), "{}", said.out);
    run(&place, "verify --repair").ok();
    assert_eq!(load(), 0, "it is still there");
}

#[test]
fn what_is_done_is_told_on_demand() {
    let place = Place::new();
    place.write("f.cpp", "extern \"C\" int f() { return 1; }\n");
    assert_eq!(run(&place, "build f.cpp").ok().err, "");
    std::fs::remove_dir_all(place.cache()).unwrap();
    let detailed = run(&place, "build f.cpp -vv").ok().err;
    assert!(detailed.lines().any(|line| line.starts_with("debug: ")), "{detailed}");
}

#[test]
fn kernels_are_named_in_all_ways_everywhere() {
    let (place, _, cache) = filled();
    let axpy = cache.find("axpy(Plain)").unwrap();
    for name in ["axpy(Plain)", &axpy.signature().short(), &axpy.signature().to_hex()] {
        let shown = Cli::new(&place).args(["show", "--signatures", name]).run().ok().out;
        assert_eq!(shown.trim(), axpy.signature().to_hex(), "{name}");
    }
    let files = run(&place, "show --files --categories src axpy").ok().out;
    assert!(files.contains("  src  ") && !files.contains("  lib  "), "{files}");
    Cli::new(&place).args(["clean", "--kernel", "axpy(Plain)"]).run().ok();
    assert_eq!(cache.find("axpy").unwrap().description(), "axpy(Unrolled(2))");
}

#[test]
fn a_directory_that_is_named_must_be_a_cache() {
    let place = Place::new();
    for words in ["verify", "gc", "clean --all", "stats"] {
        run(&place, &format!("{words} --cache-dir no/such/cache")).failed(1, "there is no cache in");
    }
}
