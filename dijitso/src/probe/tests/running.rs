//! Programs that are run: what they are loaded with, how they end, and what they print.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use super::*;

/// A shared library whose function returns a number.
fn library(desk: &Desk, place: &str, number: u32) {
    let source = desk.write("number.c", &format!("int number(void) {{ return {number}; }}\n"));
    let target = desk.path(place);
    std::fs::create_dir_all(target.parent().unwrap()).unwrap();
    let mut gcc = Command::new("gcc");
    gcc.args(["-shared", "-fPIC", "-Wl,-soname,libnumber.so", "-o"]).arg(&target).arg(&source);
    assert!(gcc.status().unwrap().success());
}

const NUMBER: &str = "int number(void); int main(void) { return number(); }\n";

/// With what number it ends in a new session; and the next one, in which nothing has changed, asks nobody.
fn ends_with(desk: &Desk, question: &Run) -> i32 {
    let verdict = desk.probes().ask(question);
    let again = desk.probes();
    let status = again.ask(question).yes().map(|ran| ran.status);
    assert_eq!(again.stats().processes, 0);
    assert_eq!(verdict.clone().yes().map(|ran| ran.status), status, "{}", reason(&verdict));
    status.unwrap()
}

#[test]
fn a_library_that_would_be_loaded_earlier_is_watched() {
    let mut desk = Desk::new();
    library(&desk, "b/libnumber.so", 1);
    std::fs::create_dir(desk.path("a")).unwrap();
    let [a, b] = ["a", "b"].map(|dir| desk.path(dir).display().to_string());
    let linked = Settings::new().lib_dir(&b).lib("number");
    let by_path = Run::new(Language::C, NUMBER).any_status().with(&linked);
    let word = format!("-Wl,--enable-new-dtags,-rpath,{a},-rpath,{b}");
    let by_program = by_path.clone().with(&Settings::new().link_flag(word));
    for (question, variable) in [(&by_program, false), (&by_path, true)] {
        if variable {
            desk.variables.push(("LD_LIBRARY_PATH", format!("{a}:{b}")));
        }
        assert_eq!(ends_with(&desk, question), 1);
        library(&desk, "a/libnumber.so", 2);
        assert_eq!(ends_with(&desk, question), 2, "an earlier one came");
        library(&desk, "a/libnumber.so", 3);
        assert_eq!(ends_with(&desk, question), 3, "and was replaced");
        std::fs::remove_file(desk.path("a/libnumber.so")).unwrap();
        assert_eq!(ends_with(&desk, question), 1, "and is gone");
    }
}

#[test]
fn a_program_that_cannot_be_loaded_has_not_answered() {
    let mut desk = Desk::new();
    library(&desk, "b/libnumber.so", 1);
    let linked = Settings::new().lib_dir(desk.path("b")).lib("number");
    let question = Run::new(Language::C, NUMBER).any_status().with(&linked);
    let verdict = desk.probes().ask(&question);
    assert!(verdict.is_no() && reason(&verdict).contains("libnumber.so"), "{verdict:?}");
    let again = desk.probes();
    assert!(again.ask(&question).is_no() && again.stats().processes > 0, "it is not remembered");
    desk.variables.push(("LD_LIBRARY_PATH", desk.path("b").display().to_string()));
    assert_eq!(ends_with(&desk, &question), 1);
}

#[test]
fn a_program_that_somebody_ended_or_that_found_no_space_is_no_answer() {
    let desk = Desk::new();
    let probes = desk.probes();
    for signal in ["SIGKILL", "SIGTERM", "SIGHUP", "SIGXCPU", "SIGXFSZ"] {
        let text = format!("#include <signal.h>\nint main(void) {{ raise({signal}); return 0; }}\n");
        let verdict = probes.ask(&Run::new(Language::C, text).any_status());
        assert!(matches!(verdict, Verdict::Unknown(_)), "{signal}: {verdict:?}");
    }
    let full = "fputs(\"write: No space left on device\\n\", stderr); return 1;";
    let verdict = probes.ask(&Run::body(Language::C, "#include <stdio.h>", full));
    assert!(
        matches!(verdict, Verdict::Unknown(_)) && reason(&verdict).contains("no space left"),
        "{verdict:?}"
    );
}

#[test]
fn nothing_is_missing_in_the_middle_of_an_answer() {
    for (name, desk) in desks() {
        let probes = desk.probes();
        let loop_to = |n: u32| format!("for (int i = 0; i < {n}; i++) printf(\"%07d\\n\", i);");
        let run = |n| Run::body(Language::C, "#include <stdio.h>", &loop_to(n));
        let lines: String = (0..250_000).map(|n| format!("n{n:07} ")).collect();
        let text = format!("{lines}\n");
        let (ran, preprocessed, endless) =
            probes.ask_all((run(200_000), Preprocess::new(Language::C, text), run(2_000_000)));
        let ran = ran.yes().unwrap().stdout;
        assert!(ran.lines().count() == 200_000 && ran.contains("\n0100000\n"), "{name}");
        let preprocessed = preprocessed.yes().unwrap();
        assert!((0..250_000).step_by(1000).all(|n| preprocessed.contains(&format!("n{n:07}"))), "{name}");
        assert!(matches!(endless, Verdict::Unknown(_)) && reason(&endless).contains("8 MiB"), "{name}");
        let warm = desk.probes();
        assert_eq!(warm.ask(&run(200_000)).yes().unwrap().stdout, ran, "{name}: as remembered");
        assert_eq!(warm.stats().processes, 0, "{name}");
    }
}

#[test]
fn texts_of_each_language_are_preprocessed() {
    let desk = Desk::new();
    let probes = desk.probes();
    let (cxx, fortran) = probes.ask_all((
        Preprocess::new(Language::Cxx, "#ifdef __cplusplus\n#define A class\n#endif\nA x;\n"),
        Preprocess::new(Language::Fortran, "#define N 7\nprogram p\nprint *, N\nend program\n"),
    ));
    assert!(cxx.clone().yes().unwrap().contains("class x;"), "{}", reason(&cxx));
    assert!(fortran.clone().yes().unwrap().contains("print *, 7"), "{}", reason(&fortran));
}

#[test]
fn a_program_that_crashes_or_fails_without_a_word_is_a_no_and_one_that_was_ended_no_answer() {
    let desk = Desk::new();
    let tools = [
        ("crashes", "kill -SEGV $$", "no", "signal 11"),
        ("fails", "exit 1", "no", "exits with status 1"),
        ("fails_politely", "echo fails_politely 3.4; exit 1", "yes", ""),
        ("is_killed", "kill -KILL $$", "unknown", "signal 9"),
        ("leads_nowhere", "exec /no/such/tool \"$@\"", "unknown", "could not be run"),
    ];
    for (name, text, word, why) in tools {
        let verdict = desk.probes().ask(&Program::new(desk.script(&format!("bin/{name}"), text)));
        assert!(verdict.word() == word && reason(&verdict).contains(why), "{name}: {verdict:?}");
        let shown = desk
            .probes()
            .ask(&Program::new(desk.path(&format!("bin/{name}")).to_str().unwrap()).args(["-show"]));
        assert_eq!(shown.word(), word, "{name}");
        // Whether it is there is another question, for which it is not run.
        let there = Program::new(desk.path(&format!("bin/{name}")).to_str().unwrap()).args([""; 0]);
        let probes = desk.probes();
        assert!(probes.ask(&there).is_yes() && probes.stats().processes == 0, "{name}");
    }
}

#[test]
fn what_a_script_says_is_remembered_only_with_what_it_depends_on() {
    let desk = Desk::new();
    desk.script("opt/tool", "echo tool 1.0");
    let shim = desk.script("bin/tool", &format!("exec {} \"$@\"", desk.path("opt/tool").display()));
    let version = |question: &Program| desk.probes().ask(question).yes().unwrap().version;
    let alone = Program::new(&shim);
    let told = alone.clone().reads(desk.path("opt/tool").to_str().unwrap());
    assert_eq!((version(&alone), version(&told)), ("1.0".to_owned(), "1.0".to_owned()));
    let probes = desk.probes();
    assert!(probes.ask(&told).is_yes() && probes.stats().processes == 0);
    desk.script("opt/tool", "echo tool 2.0");
    assert_eq!((version(&alone), version(&told)), ("2.0".to_owned(), "2.0".to_owned()));
}

#[test]
fn a_version_that_a_library_says_is_asked_again_with_another_library() {
    let mut desk = Desk::new();
    library(&desk, "lib/libnumber.so", 1);
    let text = "#include <stdio.h>\nint number(void); int main(void) { printf(\"tool %d.0\\n\", number()); return 0; }\n";
    let source = desk.write("tool.c", text);
    let mut gcc = Command::new("gcc");
    gcc.arg(&source).arg("-o").arg(desk.path("tool")).arg(desk.path("lib/libnumber.so"));
    assert!(gcc.status().unwrap().success());
    desk.variables.push(("LD_LIBRARY_PATH", desk.path("lib").display().to_string()));
    let question = Program::new(desk.path("tool").to_str().unwrap());
    let version = || desk.probes().ask(&question).yes().unwrap().version;
    assert_eq!(version(), "1.0");
    let probes = desk.probes();
    assert!(probes.ask(&question).is_yes() && probes.stats().processes == 0);
    library(&desk, "lib/libnumber.so", 2);
    assert_eq!(version(), "2.0");
}

#[test]
fn whether_a_program_may_be_executed_is_noticed() {
    let mut desk = Desk::new();
    let mode =
        |path: &Path, mode| std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    // A program and no script: that is remembered.
    for dir in ["early", "late"] {
        std::fs::create_dir(desk.path(dir)).unwrap();
        std::fs::copy("/usr/bin/make", desk.path(dir).join("tool")).unwrap();
    }
    let [early, late] = ["early", "late"].map(|dir| desk.path(dir).join("tool"));
    let path = format!("{}:{}", desk.path("early").display(), desk.path("late").display());
    desk.variables = vec![("PATH", path)];
    let found = || desk.probes().ask(&Program::new("tool")).yes().map(|tool| tool.path);
    mode(&early, 0o644);
    assert_eq!(found(), Some(late.clone()));
    mode(&early, 0o755);
    assert_eq!(found(), Some(early.clone()), "the earlier one can be executed now");
    mode(&early, 0o644);
    mode(&late, 0o644);
    assert_eq!(found(), None);
    mode(&late, 0o755);
    assert_eq!(found(), Some(late));
}

#[test]
fn relative_names_are_those_of_the_working_directory_of_whoever_asks() {
    let program = Program::new("bin/tool");
    let here = std::env::current_dir().unwrap();
    assert_eq!(program.describe(), format!("program {}", here.join("bin/tool").display()));
    assert_eq!(Program::new("tool").describe(), "program tool");
    let library = Library::new("build/libx.a").describe();
    assert!(library.contains(&here.join("build/libx.a").display().to_string()), "{library}");
}
