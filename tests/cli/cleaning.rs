//! `clean`.

use std::time::{Duration, SystemTime};

use dijitso_tests::kernels::{self, Loop};
use serde_json::json;

use super::{Cli, assert_golden, assert_schema, filled, on_terminal, run};
use crate::harness::{Place, files};

#[test]
fn only_the_cache_that_is_named_is_cleaned() {
    let (place, _, cache) = filled();
    let other = Place::new();
    other.jit().load(&kernels::number(7)).unwrap();
    let named = other.cache().display().to_string();
    Cli::new(&place).args(["clean", "--all", "--cache-dir", &named]).run().ok();
    assert_eq!(other.entries().len(), 0);
    assert_eq!(cache.entries().count(), 6, "the one of the environment is as it was");
}

#[test]
fn in_a_directory_of_somebody_else_nothing_is_removed() {
    let place = Place::new();
    let v1 = place.path("api/v1");
    let hex = "0123456789abcdef".repeat(4);
    for name in [
        "tmp/upload",
        "locks/door",
        "sets/a",
        "toolchains/gcc.json",
        "sites/example.org/index.html",
        "failures/night-1/log",
        "statistics/2020.csv",
        "index/ab/old",
        "routes.py",
        &format!("tmp/new-{hex}"),
        &format!("sites/{hex}/index.html"),
        &format!("01/{hex}.so"),
    ] {
        let path = v1.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, name).unwrap();
        let long_ago = SystemTime::now() - Duration::from_secs(400 * 86_400);
        for path in [&path, path.parent().unwrap()] {
            std::fs::File::open(path).unwrap().set_modified(long_ago).unwrap();
        }
    }
    let before = files(&place.path("api"));
    for words in [
        "gc",
        "gc --max-size 1",
        "clean --all",
        "clean --categories site,toolchain,temporary",
        "stats --zero",
    ] {
        let words = format!("{words} --cache-dir api");
        let said = run(&place, &words);
        let text = format!("{}{}", said.out, said.err);
        assert!(
            said.status == 1 && text.contains("nothing says that it is a cache of dijitso"),
            "{words}: {said:?}"
        );
    }
    run(&place, "verify --repair --cache-dir api").failed(1, "");
    assert_eq!(files(&place.path("api")), before);
    // A program that was told to keep its kernels there does, and its housekeeping leaves alone what is not its own.
    let jit = dijitso::Jit::builder().cache_dir(place.path("api")).build().unwrap();
    jit.load(&kernels::number(7)).unwrap();
    let after = files(&place.path("api"));
    let swept = v1.join(format!("tmp/new-{hex}"));
    let gone: Vec<_> = before.iter().filter(|path| !after.contains(path) && **path != swept).collect();
    assert_eq!(gone, Vec::<&std::path::PathBuf>::new());
}

#[test]
fn a_dry_run_tells_what_would_go_and_removes_nothing() {
    let (place, _, cache) = filled();
    let before = files(&place.cache());
    let would = run(&place, "clean --dry-run").ok().out;
    assert!(would.contains("Would remove 6 kernels"), "{would}");
    assert_eq!(would.lines().filter(|line| line.starts_with("entry ")).count(), 6);
    assert_eq!(files(&place.cache()), before);
    let removed = run(&place, "clean --all").ok().out;
    assert_golden("clean", &place, &removed);
    assert_eq!(cache.entries().count(), 0);
}

#[test]
fn nothing_is_removed_without_being_told_what() {
    let (place, _, cache) = filled();
    run(&place, "clean").failed(2, "say what to remove, or --all");
    run(&place, "clean --all --kernel axpy").failed(2, "cannot be used with");
    assert_eq!(cache.entries().count(), 6);
}

#[test]
fn on_a_terminal_one_is_asked() {
    let (place, _, cache) = filled();
    let before = files(&place.cache());
    let no = on_terminal(&place, 80, "clean", "n\n").ok().out;
    assert!(no.contains("Remove 6 kernels, 12 index files") && no.contains("[y/N]"), "{no}");
    assert!(no.contains("Nothing was removed."), "{no}");
    assert_eq!(files(&place.cache()), before);
    assert!(on_terminal(&place, 80, "clean --kernel axpy", "\n").ok().out.contains("Nothing was removed."));
    let yes = on_terminal(&place, 80, "clean --kernel axpy", "y\n").ok().out;
    assert!(yes.contains("Removed 2 kernels"), "{yes}");
    // Where it cannot be asked, it must be said.
    on_terminal(&place, 80, "--quiet clean --kernel k00001", "").failed(2, "");
    on_terminal(&place, 80, "clean --kernel k00001 2>log", "").failed(2, "");
    assert!(std::fs::read_to_string(place.path("log")).unwrap().contains("--yes"));
    let unasked = on_terminal(&place, 80, "clean --kernel k00001 --yes", "").ok().out;
    assert!(unasked.contains("Removed 1 kernel") && !unasked.contains("[y/N]"), "{unasked}");
    on_terminal(&place, 80, "clean", "y\n").ok();
    assert_eq!(cache.entries().count(), 0);
    assert!(on_terminal(&place, 80, "clean --categories entry", "").ok().out.contains("nothing to remove"));
}

#[test]
fn conditions_choose_what_goes() {
    let (place, _, cache) = filled();
    let left = || {
        let mut left: Vec<String> =
            cache.entries().map(|entry| entry.unwrap().description().to_owned()).collect();
        left.sort_unstable();
        left.join(" ")
    };
    run(&place, "clean --older-than 1h").ok();
    run(&place, "clean --unused-for 1d").ok();
    run(&place, "clean --categories failure,temporary").ok();
    assert_eq!(left(), "axpy(Plain) axpy(Unrolled(2)) base(4) k00001(1) k00002(2) successor(4)");
    let number = cache.find("k00002").unwrap().signature().short();
    run(&place, &format!("clean --signature {number}")).ok();
    assert_eq!(left(), "axpy(Plain) axpy(Unrolled(2)) base(4) k00001(1) successor(4)");
    run(&place, "clean --kernel axpy --kernel k00001").ok();
    assert_eq!(left(), "base(4) successor(4)");
    run(&place, "clean --older-than 0s").ok();
    assert_eq!(left(), "");
}

#[test]
fn what_was_removed_is_listed_for_programs() {
    let (place, ..) = filled();
    let answer = run(&place, "clean --json --kernel axpy").ok().json();
    assert_schema(
        &answer,
        &json!({
            "cache": "string", "dry_run": "boolean", "bytes": "number", "shortened": "number",
            "removed": [{ "kind": "string", "path": "string", "bytes": "number" }],
            "failed": [{ "path": "string", "problem": "string" }],
        }),
    );
    let kinds: Vec<&str> =
        answer["removed"].as_array().unwrap().iter().map(|f| f["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds.iter().filter(|kind| **kind == "entry").count(), 2, "{kinds:?}");
}

#[test]
fn what_nothing_is_named_is_no_reason_to_remove_everything() {
    let (place, _, cache) = filled();
    run(&place, "clean --kernel axpi").failed(1, "did you mean `axpy`?");
    run(&place, "clean --signature 0000000000000000").failed(1, "no kernel `0000000000000000`");
    run(&place, "clean --signature axpy").failed(1, "2 entries are `axpy`");
    run(&place, "clean --older-than yesterday").failed(2, "such as 12h or 30d");
    run(&place, "clean --categories src").failed(2, "one file and removed whole");
    run(&place, "clean --categories entries").failed(2, "there are entry, damaged");
    assert_eq!(cache.entries().count(), 6);
}

#[test]
fn a_loaded_kernel_stays_loaded_and_a_removed_one_is_built_again() {
    let (place, jit, _) = filled();
    let kernel = jit.load(&kernels::number(1)).unwrap();
    run(&place, "clean --all").ok();
    assert_eq!(kernel.call(), kernels::NUMBER_BASE + 1);
    let again = place.jit();
    again.load(&kernels::axpy(Loop::Plain)).unwrap();
    assert_eq!(again.stats().compiled, 1);
    assert_eq!(jit.cache().entries().flatten().count(), 1, "what is loaded is not written again");
}
