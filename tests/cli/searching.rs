//! `grep`, `grepfunction`, `checkout`.

use std::process::Command;

use dijitso_tests::kernels;
use serde_json::json;

use super::{Cli, assert_golden, assert_schema, filled, run};
use crate::harness::{Place, files};

#[test]
fn lines_are_found_and_shown_with_where_they_are() {
    let (place, ..) = filled();
    assert_golden(
        "grep",
        &place,
        &run(&place, "grep base() --categories src,inc --linenumbers --signature base").ok().out,
    );
    let counted = run(&place, "grep --countonly base() --categories src").ok().out;
    assert!(
        counted.contains("base(4) base.cpp: 1") && counted.contains("successor(4) successor.cpp: 1"),
        "{counted}"
    );
    let only = run(&place, "grep --filesonly --pattern base() --categories inc").ok().out;
    assert!(only.lines().count() == 1 && only.contains("base(4) base.h"), "{only}");
    let regex = run(&place, r"grep --regexmode y\[i\s\+\s[01]\] --signature axpy --categories src").ok().out;
    assert_eq!(regex.matches("+= a * x[i + ").count(), 3, "{regex}");
    let libraries = run(&place, "grep base --categories lib").ok().out;
    assert!(libraries.contains("    base\n"), "the exported symbol: {libraries}");
    let one = run(&place, "grep base --categories all --signature successor --countonly").ok().out;
    assert!(!one.contains("base(4)"), "{one}");
}

#[test]
fn nothing_found_is_status_1_and_no_message() {
    let (place, ..) = filled();
    for words in ["grep nowhere-to-be-found", "grepfunction nowhere", "grep --categories log base"] {
        let said = run(&place, words);
        assert_eq!((said.status, said.out.as_str(), said.err.as_str()), (1, "", ""), "{words}");
    }
    run(&place, "grep --regexmode a(").failed(2, "no regular expression");
    run(&place, "grep").failed(2, "required arguments");
    run(&place, "grep x --categories sources").failed(2, "there are inc, src, lib, log, facts and all");
    run(&place, "grep x --signature nothing").failed(1, "no kernel `nothing`");
}

#[test]
fn found_lines_are_there_for_programs() {
    let (place, ..) = filled();
    let file =
        json!({ "signature": "signature", "kernel": "string", "category": "string", "file": "string" });
    let with = |key: &str, kind: &str| {
        let mut file = file.clone();
        file[key] = kind.into();
        file
    };
    let answer = run(&place, "grep --json base()").ok().json();
    let mut found = with("line", "number");
    found["text"] = "string".into();
    assert_schema(&answer, &json!({ "matches": [found] }));
    let counted = run(&place, "grep --json --countonly base()").ok().json();
    assert_schema(&counted, &json!({ "files": [with("count", "number")] }));
    let only = run(&place, "grep --json --filesonly base()").ok().json();
    assert_schema(&only, &json!({ "files": [file] }));
}

#[test]
fn a_function_is_shown_with_where_it_is_written() {
    let (place, ..) = filled();
    assert_golden("grepfunction", &place, &run(&place, "grepfunction base").ok().out);
}

#[test]
fn functions_are_printed_as_they_are_written() {
    let place = Place::new();
    let helper = "static int helper(int a) {\n\tconst char *s = \"}\"; (void)s;\n  return a; /* } */\n}";
    let text = format!(
        "// int helper() {{ return 1; }}\n{helper}\nextern \"C\" int outer() {{ return helper(3); }}\n"
    );
    place.jit().load(&kernels::unit("outer", &text)).unwrap();
    let said = run(&place, "grepfunction helper").ok().out;
    let (place_line, body) = said.split_once('\n').unwrap();
    assert!(place_line.ends_with("outer_unit.cpp:2") || place_line.ends_with("outer.cpp:2"), "{said}");
    assert!(body.starts_with(helper), "{said}");
    let head = run(&place, "grepfunction --no-body --name helper").ok().out;
    // The first line names the kernel by its arguments, one of which is the text here.
    assert_eq!(head.split_once('\n').unwrap().1, "static int helper(int a)\n");
    let answer = run(&place, "grepfunction --json helper").ok().json();
    let function = json!({
        "signature": "signature", "kernel": "string", "file": "string", "line": "number", "head": "string",
        "text": "string",
    });
    assert_schema(&answer, &json!({ "functions": [function] }));
    assert_eq!(answer["functions"][0]["text"], helper);
    run(&place, "grepfunction --signature outer outer").ok();
    let numbered = run(&place, "grepfunction --linenumbers helper").ok().out;
    assert!(
        numbered.contains("    2: static int helper(int a) {\n") && numbered.contains("    5: }\n"),
        "{numbered}"
    );
    let matching = run(&place, "grepfunction --regexmode --no-body (help|out)er").ok().out;
    let at = |text: &str| matching.find(text);
    assert!(
        at("static int helper(int a)") < at("extern \"C\" int outer()") && at("helper").is_some(),
        "{matching}"
    );
    run(&place, "grepfunction --regexmode elp").failed(1, "");
    run(&place, "grepfunction --regexmode (").failed(2, "no regular expression");
    let counted = run(&place, "grepfunction --regexmode --countonly .*er --json").ok().json();
    assert_eq!(counted["files"][0]["count"], 2);
    let file = json!({ "signature": "signature", "kernel": "string", "file": "string" });
    assert_schema(
        &run(&place, "grepfunction --filesonly helper --json").ok().json(),
        &json!({ "files": [file] }),
    );
    assert!(run(&place, "grepfunction --countonly helper").ok().out.trim_end().ends_with(".cpp: 1"));
    assert!(run(&place, "grepfunction --filesonly helper").ok().out.trim_end().ends_with(".cpp"));
}

#[test]
fn a_kernel_that_was_checked_out_can_be_built_again() {
    let (place, _, cache) = filled();
    let said = run(&place, "checkout successor").ok().out;
    assert_golden("checkout", &place, &said);
    let dir = place.path(&format!("jitcheckout-{}", cache.find("successor").unwrap().signature().short()));
    assert!(Command::new(dir.join("command.sh")).status().unwrap().success());
    assert!(dir.join("unit.so").exists());
    let answer = run(&place, "checkout --json --signature base -o out --categories src,inc").ok().json();
    assert_schema(
        &answer,
        &json!({
            "signature": "signature", "kernel": "string", "directory": "string", "files": ["string"],
            "script": "string?", "missing": ["signature"],
        }),
    );
    assert!(place.path("out/base.h").exists() && !place.path("out/build.log").exists());
}

#[test]
fn what_cannot_be_checked_out_is_said_and_nothing_is_overwritten() {
    let (place, ..) = filled();
    place.write("taken/mine.txt", "mine");
    run(&place, "checkout base -o taken").failed(1, "not empty");
    assert_eq!(files(&place.path("taken")).len(), 1);
    // Python dijitso says that it extracted the files.
    run(&place, "checkout 123456789abc").failed(1, "no kernel `123456789abc`");
    run(&place, "checkout axpy").failed(1, "2 entries are `axpy`");
    Cli::new(&place).args(["checkout", "axpy(Plain)", "-o", "plain"]).run().ok();
}
