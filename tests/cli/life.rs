//! `stats`, `gc`, `trace`.

use dijitso_tests::kernels;
use serde_json::{Value, json};

use super::{Cli, assert_golden, assert_schema, filled, run};
use crate::harness::{CLIENT, Place, files};

/// What two programs did: one that builds two kernels, and one that finds them.
fn used() -> Place {
    let place = Place::new();
    for _ in 0..2 {
        place.jit().load_all(&[kernels::number(1), kernels::number(2)]).unwrap();
    }
    place
}

#[test]
fn what_programs_did_is_told_and_counted_anew() {
    let place = used();
    let said = run(&place, "stats").ok().out;
    assert_golden("stats", &place, &said);
    for line in [
        "kernels asked for    4",
        "found                2 (50.0 %)",
        "  in the cache       2",
        "built                2",
    ] {
        assert!(said.contains(line), "`{line}` is not in: {said}");
    }
    let answer = run(&place, "stats --json").ok().json();
    let activity = json!({
        "hits": "number", "memory_hits": "number", "prebuilt_hits": "number", "disk_hits": "number",
        "site_hits": "number", "received": "number", "built": "number", "negative_hits": "number",
        "misses": { "*": "number" }, "compile_seconds": "number", "saved_seconds": "number",
        "published": "number", "published_bytes": "number", "evicted": "number", "evicted_bytes": "number",
        "quarantined": "number",
    });
    assert_schema(
        &answer,
        &json!({ "cache": "string", "total": activity, "days": [{ "date": "string", "activity": activity }] }),
    );
    assert_eq!((&answer["total"]["built"], &answer["total"]["disk_hits"]), (&json!(2), &json!(2)));
    run(&place, "stats --zero").ok();
    assert!(run(&place, "stats").ok().out.contains("Nothing was done"));
}

#[test]
fn the_page_is_one_file_that_asks_nobody_for_anything() {
    let place = used();
    place
        .jit()
        .load(&kernels::text("marked", "int marked() { return 1; } // <script>alert(1)</script>"))
        .unwrap();
    run(&place, "stats --html page.html").ok();
    let page = std::fs::read_to_string(place.path("page.html")).unwrap();
    assert!(page.matches("<svg").count() == 4 && page.ends_with("</html>\n"), "{page}");
    for part in [
        "asked for",
        "compilers and linkers",
        "How the cache grew",
        "What is there now",
        "The slowest kernels",
        "not in the cache",
        "k00001(1)",
    ] {
        assert!(page.contains(part), "`{part}` is not in: {page}");
    }
    for stranger in ["http", "src=", "url(", "@import", "<script", "<link"] {
        assert!(!page.contains(stranger), "{stranger}");
    }
    run(&place, "stats --html page.html").ok();
    run(&place, "stats --html nowhere/page.html").failed(1, "nowhere/page.html");
    place.write("notes.html", "<!doctype html>precious");
    run(&place, "stats --html notes.html").failed(1, "no page of statistics");
    assert_eq!(std::fs::read_to_string(place.path("notes.html")).unwrap(), "<!doctype html>precious");
}

#[test]
fn what_is_said_about_caches_holds_for_one_that_is_named() {
    let (place, _, _) = filled();
    let cache = place.cache().display().to_string();
    let other = Place::new();
    other.write("config.toml", "[cache]\nmax_files = 1\n");
    let told = || Cli::new(&other).env("DIJITSO_CONFIG", other.path("config.toml"));
    let would = told().args(["gc", "--dry-run", "--cache-dir", &cache]).run().ok().out;
    assert!(would.contains("Would remove 6 kernels"), "{would}");
    // On a file system that others see, what is being written is left alone for a day.
    let left = place.path("cache/v1/tmp/new-left");
    std::fs::write(&left, b"half").unwrap();
    let gc = |network: &str| {
        let cli = Cli::new(&other).env("DIJITSO_CACHE_NETWORK", network);
        cli.args(["gc", "--cache-dir", &cache]).run().ok();
        left.exists()
    };
    assert!(gc("yes") && !gc("no"));
    let healthy = Cli::new(&place).env("DIJITSO_CACHE_NETWORK", "yes").args(["doctor"]).run().ok().out;
    assert!(healthy.contains("is on a network file system"), "{healthy}");
}

#[test]
fn an_import_keeps_the_bound() {
    let (place, _, _) = filled();
    run(&place, "export all.tar.gz").ok();
    let other = Place::new();
    other.jit().load_all(&[3, 4, 5].map(kernels::number)).unwrap();
    for file in files(&other.cache().join("v1")) {
        let earlier = std::time::SystemTime::now() - std::time::Duration::from_secs(3600);
        std::fs::File::open(&file).unwrap().set_modified(earlier).unwrap();
    }
    let archive = place.path("all.tar.gz").display().to_string();
    Cli::new(&other).env("DIJITSO_MAX_FILES", "8").args(["import", &archive]).run().ok();
    // The nine files of what was there go first, and not all of them.
    let left = files(&other.cache().join("v1")).iter().filter(|file| file.extension().is_some()).count();
    assert!((6..=8).contains(&left), "{left}");
    assert!(run(&other, "show --signatures").ok().out.lines().count() >= 6);
    assert!(run(&other, "stats --json").ok().json()["total"]["evicted"].as_u64().unwrap() > 0);
}

#[test]
fn a_cache_is_brought_within_its_bound_on_demand() {
    let (place, _, cache) = filled();
    let would = run(&place, "gc --max-size 1K --dry-run").ok().out;
    assert!(would.contains("Would remove 6 kernels") && would.contains("6 kernels"), "{would}");
    assert_eq!(would.lines().filter(|line| line.starts_with("entry ")).count(), 6);
    assert_eq!(cache.entries().count(), 6);
    let nothing = run(&place, "gc").ok().out;
    assert!(nothing.contains("; left: 6 kernels, "), "{nothing}");
    let quiet = run(&place, "gc --max-size 1K --dry-run --quiet").ok().out;
    assert_eq!(quiet.lines().count(), 1, "{quiet}");
    assert_golden("gc", &place, &run(&place, "gc --max-size 1G --max-age 1d").ok().out);
    assert_eq!(cache.entries().count(), 6);
    let answer = run(&place, "gc --json --max-size 1K").ok().json();
    assert_schema(
        &answer,
        &json!({
            "cache": "string", "dry_run": "boolean", "bytes": "number", "shortened": "number",
            "removed": [{ "kind": "string", "path": "string", "bytes": "number" }],
            "failed": [{ "path": "string", "problem": "string" }],
            "left": { "kernels": "number", "bytes": "number", "total_bytes": "number" },
        }),
    );
    assert_eq!((&answer["left"]["kernels"], cache.entries().count()), (&json!(0), 0));
    run(&place, "gc --max-size much").failed(2, "such as 500M or 5G");
}

#[test]
fn a_program_is_traced_as_if_it_ran_alone() {
    let place = Place::new();
    let said = Cli::new(&place).args(["trace", "out.json", CLIENT, "axpy", "2"]).run().ok();
    assert!(said.out.contains("\"stats\""), "its own output: {said:?}");
    let text = std::fs::read_to_string(place.path("out.json")).unwrap();
    // Chrome's array, whose end may be missing.
    let events: Vec<Value> =
        serde_json::from_str(&format!("{}]", text.trim_end().trim_end_matches([',', ']']))).unwrap();
    assert!(events.iter().any(|event| event.to_string().contains("compile")), "{text}");
    let other = Place::new();
    let named = other.cache().display().to_string();
    Cli::new(&place).args(["--cache-dir", &named, "trace", "out.json", CLIENT, "axpy", "2"]).run().ok();
    assert_eq!(other.entries().len(), 1, "the cache that is named");
    let failed = Cli::new(&place).args(["trace", "out.json", "false"]).run();
    assert_eq!(failed.status, 1, "the program's own status");
    run(&place, "trace out.json /no/such/program").failed(1, "cannot run /no/such/program");
    // Said before the program runs, which perhaps tells nobody.
    place.write("notes.txt", "precious");
    run(&place, "trace notes.txt true").failed(1, "is no trace");
    run(&place, "trace nowhere/out.json true").failed(1, "does not exist");
    run(&place, "trace . true").failed(1, "directory");
    run(&place, "trace /dev/null true").ok();
}
