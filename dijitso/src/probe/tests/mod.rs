//! Real compilers are asked; scripts behave like broken ones.

mod batch;
mod broken;
mod edits;
mod jobs;
mod languages;
mod links;
mod looking;
mod memory;
mod running;
mod types;

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use super::*;
use crate::config::env::Environment;

/// A cache of its own, and an environment with nothing in it but a path.
pub(super) struct Desk {
    pub(super) dir: tempfile::TempDir,
    pub(super) variables: Vec<(&'static str, String)>,
    pub(super) compilers: Vec<(Language, String)>,
}

impl Desk {
    pub(super) fn new() -> Desk {
        Desk {
            dir: tempfile::tempdir().unwrap(),
            variables: vec![("PATH", "/usr/local/bin:/usr/bin:/bin".to_owned())],
            compilers: vec![(Language::C, "gcc".to_owned()), (Language::Cxx, "g++".to_owned())],
        }
    }

    pub(super) fn clang() -> Desk {
        let compilers = vec![(Language::C, "clang".to_owned()), (Language::Cxx, "clang++".to_owned())];
        Desk { compilers, ..Desk::new() }
    }

    pub(super) fn builder(&self) -> ProbesBuilder {
        let variables: Vec<(&'static str, &str)> =
            self.variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let mut builder = Probes::builder().cache_dir(self.dir.path().join("cache")).jobs(2);
        builder = builder.in_environment(Environment::of(&variables)).without_environment_flags();
        for (language, command) in &self.compilers {
            builder = builder.compiler(*language, command.clone());
        }
        builder
    }

    /// A new session, as a new process would have it.
    pub(super) fn probes(&self) -> Probes {
        self.builder().build().unwrap()
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(super) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }

    /// A program of a shell's text.
    pub(super) fn script(&self, name: &str, text: &str) -> String {
        let path = self.write(name, &format!("#!/bin/sh\n{text}\n"));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        path.to_str().unwrap().to_owned()
    }
}

/// How many processes a session starts for its questions, once its compilers are known.
pub(super) fn processes(probes: &Probes, ask: impl FnOnce(&Probes)) -> u64 {
    let before = probes.stats().processes;
    ask(probes);
    probes.stats().processes - before
}

fn reason<T>(verdict: &Verdict<T>) -> String {
    verdict.reason().map(ToString::to_string).unwrap_or_default()
}

fn desks() -> Vec<(&'static str, Desk)> {
    vec![("gcc", Desk::new()), ("clang", Desk::clang())]
}

#[test]
fn sizes_alignments_and_constants_are_read_without_running_anything() {
    for (name, desk) in desks() {
        for language in [Language::C, Language::Cxx] {
            let probes = desk.probes();
            let (int, long, align, eof, big, negative, member) = probes.ask_all((
                Size::new("int").in_language(language),
                Size::new("off_t").after("sys/types.h").in_language(language),
                Align::new("long double").in_language(language),
                Constant::new("EOF").after("stdio.h").in_language(language),
                Constant::new("0x7fffffffffffffffLL").in_language(language),
                Constant::new("-5").in_language(language),
                Member::new("struct tm", "tm_sec").after("time.h").in_language(language),
            ));
            assert_eq!(int.yes(), Some(4), "{name} {language}");
            assert_eq!(
                (long.yes(), align.yes(), eof.yes()),
                (Some(8), Some(16), Some(-1)),
                "{name} {language}"
            );
            assert_eq!((big.yes(), negative.yes()), (Some(i64::MAX), Some(-5)), "{name} {language}");
            assert_eq!(member.yes(), Some(4), "{name} {language}");
        }
    }
}

#[test]
fn what_does_not_compile_is_a_no_with_the_compilers_words_and_spoils_no_neighbour() {
    for (name, desk) in desks() {
        let probes = desk.probes();
        let types = ["int", "no_such_t", "long", "struct nothing", "char", "also_none", "double"];
        let sizes = probes.ask_all(types.map(Size::new));
        let found: Vec<Option<u64>> = sizes.iter().map(|size| size.clone().yes()).collect();
        assert_eq!(found, [Some(4), None, Some(8), None, Some(1), None, Some(8)], "{name}");
        assert!(reason(&sizes[1]).contains("no_such_t"), "{name}: {}", reason(&sizes[1]));
        assert!(sizes[3].is_no() && sizes[5].is_no());
        let (known, unknown) = probes.ask_all((Type::new("size_t").after("stddef.h"), Type::new("size_tt")));
        assert!(known.is_yes() && unknown.is_no(), "{name}");
    }
}

#[test]
fn a_constant_that_is_none_is_a_no_in_both_languages() {
    for (name, desk) in desks() {
        let probes = desk.probes();
        for language in [Language::C, Language::Cxx] {
            let verdict = probes.ask(&Constant::new("rand()").after("stdlib.h").in_language(language));
            assert!(verdict.is_no(), "{name} {language}: {verdict:?}");
        }
    }
}

#[test]
fn forty_headers_are_one_process() {
    for (name, desk) in desks() {
        let probes = desk.probes();
        // The compiler is met, and its directories are asked for.
        let _ = probes.ask(&Header::new("stdio.h"));
        let mut names: Vec<String> = (0..36).map(|n| format!("dijitso/none{n}.h")).collect();
        names.extend(["math.h", "unistd.h", "sys/types.h", "errno.h"].map(str::to_owned));
        let mut verdicts = Vec::new();
        let count = processes(&probes, |probes| {
            verdicts = probes.ask_all(names.iter().map(Header::new).collect::<Vec<_>>());
        });
        // One for the headers, and one control: an empty text must be preprocessed before a No is believed.
        assert!(count <= 2, "{name}: {count}");
        assert_eq!(verdicts.iter().filter(|verdict| verdict.is_yes()).count(), 4, "{name}");
        assert!(verdicts[0].is_no() && reason(&verdicts[0]).contains("dijitso/none0.h"), "{name}");
    }
}

#[test]
fn a_header_that_is_there_and_cannot_be_used_is_told_apart() {
    let desk = Desk::new();
    desk.write("include/needy.h", "typedef size_t needy_t;\n");
    let probes = desk.probes();
    let with = Settings::new().include_dir(desk.path("include"));
    let (there, usable, after) = probes.ask_all((
        Header::new("needy.h").with(&with),
        Header::new("needy.h").with(&with).compiled(),
        Header::new("needy.h").with(&with).after("stddef.h"),
    ));
    assert!(there.is_yes() && after.is_yes());
    assert!(usable.is_no() && reason(&usable).contains("size_t"), "{}", reason(&usable));
}

#[test]
fn functions_are_found_by_name_by_declaration_and_by_call() {
    for (name, desk) in desks() {
        let probes = desk.probes();
        let m = Settings::new().lib("m");
        let (cosh, without, declared, undeclared, called) = probes.ask_all((
            Function::new("cosh").with(&m),
            Function::new("dijitso_none").with(&m),
            Function::new("cosh").after("math.h").with(&m),
            Function::new("cosh").after("stddef.h").with(&m),
            Function::called("std::sort((int *)0, (int *)0)").after("algorithm").in_language(Language::Cxx),
        ));
        assert!(cosh.is_yes(), "{name}: {}", reason(&cosh));
        assert!(declared.is_yes(), "{name}: {}", reason(&declared));
        assert!(called.is_yes(), "{name}: {}", reason(&called));
        assert!(
            without.is_no() && reason(&without).contains("`dijitso_none`"),
            "{name}: {}",
            reason(&without)
        );
        assert!(
            undeclared.is_no() && reason(&undeclared).contains("cosh"),
            "{name}: {}",
            reason(&undeclared)
        );
        let alone = probes.ask(&Function::called("dijitso::none()").in_language(Language::Cxx));
        assert!(alone.is_no(), "{name}");
    }
}

/// With its header in one directory and its library in another, alone and as what a library must have.
#[test]
fn a_function_of_cxx_brings_its_own_directories_and_libraries() {
    for (name, desk) in desks() {
        let desk = &desk;
        desk.write(
            "include/own.h",
            "namespace own { double twice(double); struct Box { int volume() const; }; }\n",
        );
        let text = "#include \"include/own.h\"\ndouble own::twice(double x) { return 2 * x; }\nint own::Box::volume() const { return 1; }\n";
        desk.write("own.cpp", text);
        std::fs::create_dir_all(desk.path("lib")).unwrap();
        let made = std::process::Command::new("g++")
            .args(["-shared", "-fPIC", "own.cpp", "-o", "lib/libown.so"])
            .current_dir(desk.dir.path())
            .status();
        assert!(made.unwrap().success());
        let header = Settings::new().include_dir(desk.path("include"));
        let library = || Settings::new().lib_dir(desk.path("lib"));
        let twice =
            || Function::called("own::twice(1.0)").after("own.h").in_language(Language::Cxx).with(&header);
        let volume = Function::called("own::Box().volume()").after("own.h").in_language(Language::Cxx);
        let (alone, method, without, of_library, none) = desk.probes().ask_all((
            twice().with(&library().lib("own")),
            volume.with(&header).with(&library().lib("own")),
            twice(),
            Library::new("own").function(twice()).in_language(Language::Cxx).with(&library()),
            Library::new("own").function(twice()).in_language(Language::Cxx),
        ));
        for yes in [&alone, &method] {
            assert!(yes.is_yes(), "{name}: {}", reason(yes));
        }
        assert!(of_library.is_yes(), "{name}: {}", reason(&of_library));
        assert!(without.is_no() && none.is_no(), "{name}: {without:?} {none:?}");
    }
}

/// As it was said: the build that these answers are for will have it, too.
#[test]
#[cfg(target_arch = "x86_64")]
fn a_processor_among_the_words_of_a_compiler_counts() {
    for (name, desk) in desks() {
        let of = |words: &str| {
            let probes = desk.builder().compiler(Language::C, format!("{name} {words}")).build().unwrap();
            probes.ask(&Macro::new("__AVX2__")).is_yes()
        };
        assert_eq!(
            (of("-march=haswell"), of("-march=x86-64"), of("-march=haswell")),
            (true, false, true),
            "{name}"
        );
    }
}

#[test]
fn many_functions_are_few_links_and_the_missing_ones_are_named() {
    for (name, desk) in desks() {
        let probes = desk.probes();
        let _ = probes.ask(&Function::new("puts"));
        let names =
            ["puts", "none_a", "getpid", "malloc", "none_b", "printf", "none_c", "qsort", "abs", "atoi"];
        let mut verdicts = Vec::new();
        let count = processes(&probes, |probes| {
            verdicts = probes.ask_all(names.map(Function::new).to_vec());
        });
        let there: Vec<bool> = verdicts.iter().map(Verdict::is_yes).collect();
        let expected: Vec<bool> = names.iter().map(|name| !name.starts_with("none")).collect();
        assert_eq!(there, expected, "{name}");
        // Compile and link with all, and without the missing ones; an empty program.
        assert!(count <= 6, "{name}: {count}");
    }
}

#[test]
fn a_library_is_the_first_that_has_what_is_wanted() {
    for (name, desk) in desks() {
        let probes = desk.probes();
        let cosh = || Function::new("cosh").after("math.h");
        let (m, none, wrong) = probes.ask_all((
            Library::any(["dijitso_none", "m"]).function(cosh()),
            Library::new("dijitso_none").function(cosh()),
            Library::new("m").function(Function::new("dijitso_none")),
        ));
        assert_eq!(m.yes().map(|settings| settings.to_string()).as_deref(), Some("-lm"), "{name}");
        assert!(none.is_no() && reason(&none).contains("dijitso_none"), "{name}: {}", reason(&none));
        assert!(wrong.is_no() && reason(&wrong).contains("m does not have"), "{name}: {}", reason(&wrong));
    }
}

#[test]
fn flags_are_accepted_only_without_a_word_and_with_their_effect() {
    for (name, desk) in desks() {
        let probes = desk.probes();
        let (wall, none, warning, hidden, openmp, effect) = probes.ask_all((
            CompilerFlag::new("-Wall"),
            CompilerFlag::new("-fdijitso-none"),
            CompilerFlag::new("-Wdijitso-none"),
            CompilerFlag::new("-Wno-dijitso-none"),
            CompilerFlag::new("-DDIJITSO").defines("DIJITSO"),
            CompilerFlag::new("-Wall").defines("DIJITSO"),
        ));
        assert!(wall.is_yes() && openmp.is_yes(), "{name}: {} {}", reason(&wall), reason(&openmp));
        for no in [none, warning, hidden] {
            assert!(no.is_no(), "{name}: {no:?}");
        }
        assert!(reason(&effect).contains("has no effect"), "{name}: {}", reason(&effect));
        let cxx = probes.ask(&CompilerFlag::new("-Wstrict-prototypes").in_language(Language::Cxx));
        assert!(name == "clang" || cxx.is_no(), "gcc only warns: {cxx:?}");
        let standards = ["-std=c++99", "-std=c++14", "-std=c++11"];
        let newest = FirstOf::new(standards.map(|flag| CompilerFlag::new(flag).in_language(Language::Cxx)));
        assert_eq!(probes.ask(&newest).yes().map(|(n, _)| n), Some(1), "{name}");
    }
}

#[test]
fn link_flags_are_accepted_only_without_a_word() {
    for (name, desk) in desks() {
        let probes = desk.probes();
        let (now, none, warned) = probes.ask_all((
            LinkerFlag::new("-Wl,-z,now"),
            LinkerFlag::new("-Wl,--dijitso-none"),
            LinkerFlag::new("-Wl,-z,dijitso-none"),
        ));
        assert!(now.is_yes(), "{name}: {}", reason(&now));
        assert!(none.is_no() && warned.is_no(), "{name}: {none:?} {warned:?}");
    }
}

#[test]
fn macros_of_one_prelude_are_one_process_and_their_texts_come_back() {
    for (name, desk) in desks() {
        let probes = desk.probes();
        let (char_bit, own, none) = probes.ask_all((
            Macro::new("CHAR_BIT").after("limits.h"),
            Macro::new("X").after("limits.h").after("#define X a + b"),
            Macro::new("DIJITSO_NONE").after("limits.h"),
        ));
        assert!(char_bit.yes().is_some_and(|text| text == "8" || text == "__CHAR_BIT__"), "{name}");
        assert_eq!(own.yes().as_deref(), Some("a + b"), "{name}");
        assert!(none.is_no(), "{name}");
    }
}

#[test]
fn programs_are_found_with_their_versions() {
    let desk = Desk::new();
    let old = desk.script("bin/dijitso-tool", "echo dijitso-tool 1.9.2");
    let probes = desk.probes();
    let (make, none, fine, newer) = probes.ask_all((
        Program::any(["dijitso-none", "make"]),
        Program::new("dijitso-none"),
        Program::new(&old).at_least("1.9"),
        Program::new(&old).at_least("1.10"),
    ));
    assert!(make.yes().is_some_and(|make| make.path.ends_with("make") && !make.version.is_empty()));
    assert!(none.is_no() && reason(&none).contains("not found on PATH"), "{}", reason(&none));
    assert_eq!(fine.yes().unwrap().version, "1.9.2");
    assert!(newer.is_no() && reason(&newer).contains("at least 1.10"), "{}", reason(&newer));
}

#[test]
fn texts_are_preprocessed_compiled_linked_and_run() {
    for (name, desk) in desks() {
        let probes = desk.probes();
        let (text, warned, wrong, linked, ran) = probes.ask_all((
            Preprocess::new(Language::C, "#define A 7\nA + 1\n"),
            Compile::new(Language::C, "#warning beware\nint x;\n"),
            Compile::body(Language::C, "", "this is wrong;"),
            Link::body(Language::C, "#include <stdlib.h>", "exit(0);"),
            Run::body(Language::C, "#include <stdio.h>", "puts(\"yes\"); fputs(\"no\", stderr);"),
        ));
        assert!(text.yes().unwrap().contains("7 + 1"), "{name}");
        assert!(warned.yes().unwrap().contains("beware"), "{name}");
        assert!(wrong.is_no() && wrong.reason().unwrap().commands().len() == 1, "{name}");
        assert_eq!(wrong.reason().unwrap().status(), Some(1), "{name}");
        assert!(linked.is_yes(), "{name}: {}", reason(&linked));
        let ran = ran.yes().unwrap();
        assert_eq!((ran.status, ran.stdout.as_str(), ran.stderr.as_str()), (0, "yes\n", "no"), "{name}");
    }
}

#[test]
fn a_program_that_fails_is_a_no_and_its_status_can_be_asked_for() {
    let desk = Desk::new();
    let probes = desk.probes();
    let text = "int main(void) { return 3; }\n";
    let (no, status, crash, arg) = probes.ask_all((
        Run::new(Language::C, text),
        Run::new(Language::C, text).any_status(),
        Run::new(Language::C, "#include <stdlib.h>\nint main(void) { abort(); }\n").any_status(),
        Run::new(Language::C, "int main(int c, char **v) { return v[1][0] - 'x' + c - 2; }\n").arg("x"),
    ));
    assert!(no.is_no());
    assert_eq!(status.yes().unwrap().status, 3);
    assert_eq!(crash.yes().unwrap().status, -6);
    assert!(arg.is_yes(), "{}", reason(&arg));
}

#[test]
fn a_program_sees_only_the_variables_that_are_named() {
    let desk = Desk::new();
    let probes = desk.probes();
    let text = "#include <stdio.h>\n#include <stdlib.h>\nint main(void) {\n\
                printf(\"%s %s\", getenv(\"HOME\") ? \"home\" : \"none\", getenv(\"PATH\") ? \"path\" : \"none\"); return 0; }\n";
    let (alone, named) =
        probes.ask_all((Run::new(Language::C, text), Run::new(Language::C, text).variable("HOME")));
    assert_eq!(alone.yes().unwrap().stdout, "none path");
    let home = if crate::config::env::named("HOME").is_some() { "home path" } else { "none path" };
    assert_eq!(named.yes().unwrap().stdout, home);
}
