//! What is remembered, and what makes it be asked again.

use std::time::{Duration, SystemTime};

use super::*;

/// A hundred questions of all kinds.
fn ask_a_hundred(probes: &Probes) -> Vec<String> {
    let headers: Vec<Header> = (0..20).map(|n| Header::new(format!("dijitso/none{n}.h"))).collect();
    let there = ["math.h", "unistd.h", "errno.h", "time.h", "signal.h"].map(Header::new);
    let sizes =
        ["char", "short", "int", "long", "long long", "float", "double", "long double", "void *", "none"];
    let functions = ["cosh", "sinh", "lgamma", "none_a", "none_b"];
    let m = Settings::new().lib("m");
    let mut words = Vec::new();
    let mut note = |word: &str| words.push(word.to_owned());
    probes.ask_all(headers).iter().for_each(|verdict| note(verdict.word()));
    probes.ask_all(there).iter().for_each(|verdict| note(verdict.word()));
    probes.ask_all(sizes.map(Size::new)).iter().for_each(|verdict| note(verdict.word()));
    probes.ask_all(sizes.map(Align::new)).iter().for_each(|verdict| note(verdict.word()));
    let functions = functions.map(|name| Function::new(name).with(&m));
    probes.ask_all(functions).iter().for_each(|verdict| note(verdict.word()));
    let flags = ["-Wall", "-Wextra", "-O2", "-fno-math-errno", "-fdijitso-none"];
    probes.ask_all(flags.map(CompilerFlag::new)).iter().for_each(|verdict| note(verdict.word()));
    let (library, program, text, ran, link) = probes.ask_all((
        Library::any(["dijitso_none", "m"]).function(Function::new("cos")),
        Program::new("make"),
        Compile::new(Language::Cxx, "#include <vector>\nstd::vector<int> v;\n"),
        Run::body(Language::C, "#include <stdio.h>", "puts(\"yes\");"),
        LinkerFlag::new("-Wl,-z,now"),
    ));
    for word in [library.word(), program.word(), text.word(), ran.word(), link.word()] {
        note(word);
    }
    words
}

#[test]
fn a_warm_session_starts_no_process_and_says_the_same() {
    for (name, desk) in desks() {
        let first = desk.probes();
        let cold = ask_a_hundred(&first);
        assert!(first.stats().processes > 0);
        let second = desk.probes();
        assert_eq!(ask_a_hundred(&second), cold, "{name}");
        assert_eq!(second.stats().processes, 0, "{name}");
        assert!(!cold.contains(&"unknown".to_owned()), "{name}: {cold:?}");
    }
}

#[test]
fn a_shadow_session_asks_everything_and_agrees() {
    let desk = Desk::new();
    let cold = ask_a_hundred(&desk.probes());
    let shadow = desk.builder().shadow().build().unwrap();
    assert_eq!(ask_a_hundred(&shadow), cold);
    assert!(shadow.stats().processes > 10);
    assert_eq!(shadow.disagreements(), []);
}

#[test]
fn a_shadow_session_finds_an_answer_that_is_wrong() {
    let desk = Desk::new();
    // Its answer depends on what no record shows.
    let tool = desk.script("bin/moody", &format!("cat {}", desk.path("mood").display()));
    desk.write("mood", "moody 1.0");
    let question = || Program::new(&tool).reads(desk.path("other").to_str().unwrap());
    assert_eq!(desk.probes().ask(&question()).yes().unwrap().version, "1.0");
    desk.write("mood", "moody 2.0");
    assert_eq!(desk.probes().ask(&question()).yes().unwrap().version, "1.0", "as remembered");
    let shadow = desk.builder().shadow().build().unwrap();
    assert_eq!(shadow.ask(&question()).yes().unwrap().version, "2.0");
    assert_eq!(shadow.disagreements().len(), 1);
    assert!(shadow.disagreements()[0].to_string().contains("moody"));
}

#[test]
fn an_installed_header_asks_anew_only_what_it_affects() {
    let desk = Desk::new();
    std::fs::create_dir(desk.path("include")).unwrap();
    let with = Settings::new().include_dir(desk.path("include"));
    let ask = |probes: &Probes| {
        let (late, other, size) = probes.ask_all((
            Header::new("late.h").with(&with),
            Header::new("other.h").with(&with),
            Size::new("int").with(&with),
        ));
        [late.word(), other.word(), size.word()]
    };
    assert_eq!(ask(&desk.probes()), ["no", "no", "yes"]);
    let probes = desk.probes();
    assert_eq!(ask(&probes), ["no", "no", "yes"]);
    assert_eq!(probes.stats().processes, 0);
    desk.write("include/late.h", "");
    let probes = desk.probes();
    assert_eq!(ask(&probes), ["yes", "no", "yes"]);
    assert_eq!(probes.stats().processes, 1, "one preprocessor for one header");
    std::fs::remove_file(desk.path("include/late.h")).unwrap();
    assert_eq!(ask(&desk.probes()), ["no", "no", "yes"]);
}

#[test]
fn a_header_that_changes_or_is_shadowed_asks_anew() {
    let desk = Desk::new();
    desk.write("b/x.h", "typedef char x_t;\n");
    std::fs::create_dir(desk.path("a")).unwrap();
    let with = Settings::new().include_dir(desk.path("a")).include_dir(desk.path("b"));
    let size = |desk: &Desk| desk.probes().ask(&Size::new("x_t").after("x.h").with(&with)).yes();
    assert_eq!(size(&desk), Some(1));
    desk.write("b/x.h", "typedef short x_t;\n");
    assert_eq!(size(&desk), Some(2), "another content");
    desk.write("a/x.h", "typedef int x_t;\n");
    assert_eq!(size(&desk), Some(4), "found earlier");
    std::fs::remove_file(desk.path("a/x.h")).unwrap();
    assert_eq!(size(&desk), Some(2), "and no more");
    let probes = desk.probes();
    assert_eq!(probes.ask(&Size::new("x_t").after("x.h").with(&with)).yes(), Some(2));
    assert_eq!(probes.stats().processes, 0);
}

/// Compilers pass over what is not there, and tell of their search without it.
#[test]
fn a_directory_of_a_variable_that_is_not_there_yet_is_watched() {
    let variables =
        [("CPATH", Language::C), ("C_INCLUDE_PATH", Language::C), ("CPLUS_INCLUDE_PATH", Language::Cxx)];
    for (variable, language) in variables {
        for (name, mut desk) in desks() {
            let dir = desk.path("later").display().to_string();
            desk.variables.push((variable, dir));
            let question = || Compile::new(language, "#include <late.h>\n");
            assert_eq!(desk.probes().ask(&question()).word(), "no", "{name} {variable}");
            desk.write("later/late.h", "");
            assert_eq!(desk.probes().ask(&question()).word(), "yes", "{name} {variable}");
            std::fs::remove_dir_all(desk.path("later")).unwrap();
            assert_eq!(desk.probes().ask(&question()).word(), "no", "{name} {variable}");
        }
    }
}

/// One that anybody names for system headers is searched after all others, though flags and `CPATH` name it, too.
#[test]
fn a_directory_that_is_named_several_times_is_watched_where_it_is_searched() {
    for (name, mut desk) in desks() {
        let [a, b] = ["a", "b"].map(|dir| desk.path(dir).display().to_string());
        desk.variables.push(("CPATH", a.clone()));
        let plain = || Settings::new().include_dir(&a).include_dir(&b);
        let by_flag = plain().compile_flag("-isystem").compile_flag(&a);
        for (with, variable, sizes) in
            [(plain(), None, [1, 1]), (plain(), Some("CPLUS_INCLUDE_PATH"), [1, 2]), (by_flag, None, [1, 2])]
        {
            desk.variables.truncate(2);
            desk.variables.extend(variable.map(|variable| (variable, a.clone())));
            desk.write("a/x.h", "typedef char x_t;\n");
            std::fs::create_dir_all(desk.path("b")).unwrap();
            let size = |desk: &Desk| {
                let question = Size::new("x_t").after("x.h").in_language(Language::Cxx).with(&with);
                desk.probes().ask(&question).yes()
            };
            let first = size(&desk);
            desk.write("b/x.h", "typedef short x_t;\n");
            assert_eq!([first, size(&desk)], sizes.map(Some), "{name} {variable:?} {with}");
            std::fs::remove_file(desk.path("b/x.h")).unwrap();
            assert_eq!(size(&desk), Some(1), "{name} {variable:?} {with}");
        }
    }
}

#[test]
fn a_no_is_remembered_with_the_headers_that_were_missing() {
    for (name, desk) in desks() {
        std::fs::create_dir(desk.path("include")).unwrap();
        desk.write("include/outer.h", "#include <inner.h>\n");
        let with = Settings::new().include_dir(desk.path("include"));
        let question = || Compile::new(Language::C, "#include <outer.h>\n").with(&with);
        assert!(desk.probes().ask(&question()).is_no(), "{name}");
        let probes = desk.probes();
        assert!(probes.ask(&question()).is_no(), "{name}");
        assert_eq!(probes.stats().processes, 0, "{name}");
        desk.write("include/inner.h", "");
        let verdict = desk.probes().ask(&question());
        assert!(verdict.is_yes(), "{name}: {}", reason(&verdict));
    }
}

/// Makes a shared library that defines a function.
fn library(desk: &Desk, place: &str, function: &str) {
    let source = desk.write("made.c", &format!("int {function}(void) {{ return 1; }}\n"));
    let target = desk.path(place);
    std::fs::create_dir_all(target.parent().unwrap()).unwrap();
    let mut command = std::process::Command::new("gcc");
    command.args(["-shared", "-fPIC", "-o"]).arg(&target).arg(&source);
    assert!(command.status().unwrap().success());
}

#[test]
fn a_library_that_is_installed_replaced_or_shadowed_asks_anew() {
    for (name, desk) in desks() {
        std::fs::create_dir_all(desk.path("a")).unwrap();
        std::fs::create_dir_all(desk.path("b")).unwrap();
        let with = Settings::new().lib_dir(desk.path("a")).lib_dir(desk.path("b"));
        let ask = |desk: &Desk| {
            let question = Library::new("late").function(Function::new("wanted")).with(&with);
            desk.probes().ask(&question).word()
        };
        assert_eq!(ask(&desk), "no", "{name}");
        library(&desk, "b/liblate.so", "other");
        assert_eq!(ask(&desk), "no", "{name}: without the function");
        library(&desk, "b/liblate.so", "wanted");
        assert_eq!(ask(&desk), "yes", "{name}");
        library(&desk, "a/liblate.so", "other");
        assert_eq!(ask(&desk), "no", "{name}: another one is found first");
        std::fs::remove_file(desk.path("a/liblate.so")).unwrap();
        assert_eq!(ask(&desk), "yes", "{name}");
        let probes = desk.probes();
        let question = Library::new("late").function(Function::new("wanted")).with(&with);
        assert!(probes.ask(&question).is_yes());
        assert_eq!(probes.stats().processes, 0, "{name}");
    }
}

#[test]
fn a_variable_that_compilers_read_is_part_of_the_question() {
    let mut desk = Desk::new();
    desk.write("include/through.h", "");
    let question = Header::new("through.h");
    assert!(desk.probes().ask(&question).is_no());
    desk.variables.push(("CPATH", desk.path("include").to_str().unwrap().to_owned()));
    assert!(desk.probes().ask(&question).is_yes());
    desk.variables.pop();
    let probes = desk.probes();
    assert!(probes.ask(&question).is_no());
    assert_eq!(probes.stats().processes, 0, "both answers are remembered");
}

#[test]
fn a_variable_that_chooses_the_compiler_behind_a_wrapper_is_part_of_the_question() {
    for variable in ["OMPI_CC", "MPICH_CC", "I_MPI_CC"] {
        let mut desk = Desk::new();
        let wrapper = desk.script("bin/mpicc", &format!("exec ${{{variable}:-/usr/bin/gcc}} \"$@\""));
        desk.compilers = vec![(Language::C, wrapper)];
        let question = Macro::new("__clang__");
        let is_clang = |desk: &Desk| {
            let verdict = desk.probes().ask(&question);
            assert!(verdict.is_yes() || verdict.is_no(), "{variable}: {}", reason(&verdict));
            verdict.is_yes()
        };
        assert!(!is_clang(&desk), "{variable}");
        desk.variables.push((variable, "/usr/bin/clang".to_owned()));
        assert!(is_clang(&desk), "{variable}");
        desk.variables.pop();
        assert!(!is_clang(&desk), "{variable}");
    }
}

#[test]
fn a_variable_that_chooses_the_fortran_compiler_behind_a_wrapper_is_part_of_the_question() {
    let mut desk = Desk::new();
    let wrapper = desk.script("bin/mpifort", "exec ${OMPI_FC:-/usr/bin/gfortran} $OMPI_FCFLAGS \"$@\"");
    desk.compilers.push((Language::Fortran, wrapper));
    let text = "program p\ninteger :: i\ni = 3.5d0\nend program\n";
    let ask = |desk: &Desk| desk.probes().ask(&Compile::new(Language::Fortran, text)).word();
    assert_eq!(ask(&desk), "yes");
    desk.variables.push(("OMPI_FCFLAGS", "-Werror=conversion".to_owned()));
    assert_eq!(ask(&desk), "no");
    desk.variables.pop();
    assert_eq!(ask(&desk), "yes");
}

#[test]
fn a_compiler_that_is_swapped_in_place_asks_anew() {
    let mut desk = Desk::new();
    let compiler = desk.script("bin/cc", "exec /usr/bin/gcc \"$@\"");
    desk.compilers = vec![(Language::C, compiler)];
    let question = Macro::new("SWAPPED");
    assert!(desk.probes().ask(&question).is_no());
    desk.script("bin/cc", "exec /usr/bin/gcc -DSWAPPED=1 \"$@\"");
    assert_eq!(desk.probes().ask(&question).yes().as_deref(), Some("1"));
}

#[test]
fn a_program_that_is_installed_earlier_on_the_path_asks_anew() {
    let mut desk = Desk::new();
    desk.script("late/tool", "echo tool 2.0");
    std::fs::create_dir(desk.path("early")).unwrap();
    let path = format!("{}:{}:/usr/bin:/bin", desk.path("early").display(), desk.path("late").display());
    desk.variables = vec![("PATH", path)];
    let version = |desk: &Desk| desk.probes().ask(&Program::new("tool")).yes().unwrap().version;
    assert_eq!(version(&desk), "2.0");
    desk.script("early/tool", "echo tool 1.0");
    assert_eq!(version(&desk), "1.0");
}

#[test]
fn within_a_session_nothing_is_asked_twice() {
    let desk = Desk::new();
    let probes = desk.builder().without_cache().build().unwrap();
    let question = Size::new("int");
    assert_eq!(probes.ask(&question).yes(), Some(4));
    assert_eq!(processes(&probes, |probes| assert!(probes.ask(&question).is_yes())), 0);
    assert!(!desk.path("cache").exists(), "and nothing is kept");
}

#[test]
fn a_damaged_answer_is_asked_again() {
    let desk = Desk::new();
    assert!(desk.probes().ask(&Size::new("int")).is_yes());
    let dir = desk.path("cache/v1/probes");
    let files: Vec<_> = std::fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(!files.is_empty());
    for file in &files {
        std::fs::write(file, b"garbage").unwrap();
    }
    let probes = desk.probes();
    assert_eq!(probes.ask(&Size::new("int")).yes(), Some(4));
    assert!(probes.stats().processes > 0);
}

#[test]
fn stamps_that_are_too_fresh_are_proved_by_content() {
    let desk = Desk::new();
    let header = desk.write("include/x.h", "typedef char x_t;\n");
    let with = Settings::new().include_dir(desk.path("include"));
    let size = |desk: &Desk| desk.probes().ask(&Size::new("x_t").after("x.h").with(&with)).yes();
    assert_eq!(size(&desk), Some(1));
    // The same length and the same time.
    let time = std::fs::metadata(&header).unwrap().modified().unwrap();
    std::fs::write(&header, "typedef long x_t;\n").unwrap();
    std::fs::File::options().write(true).open(&header).unwrap().set_modified(time).unwrap();
    assert_eq!(size(&desk), Some(8));
    let old = SystemTime::now() - Duration::from_secs(100);
    std::fs::File::options().write(true).open(&header).unwrap().set_modified(old).unwrap();
    assert_eq!(size(&desk), Some(8), "touched");
}

#[test]
fn two_compilers_behind_ccache_are_told_apart() {
    let mut desk = Desk::new();
    let is_clang = |desk: &Desk| {
        let verdict = desk.probes().ask(&Macro::new("__clang__"));
        assert!(verdict.is_yes() || verdict.is_no(), "is ccache installed? {}", reason(&verdict));
        verdict.is_yes()
    };
    for (compiler, expected) in [("gcc", false), ("clang", true), ("gcc", false)] {
        desk.compilers = vec![(Language::C, format!("ccache {compiler}"))];
        assert_eq!(is_clang(&desk), expected, "{compiler}");
    }
    // And one that becomes another in its place.
    let compiler = desk.script("bin/gcc", "exec /usr/bin/gcc \"$@\"");
    desk.compilers = vec![(Language::C, format!("ccache {compiler}"))];
    assert!(!is_clang(&desk));
    desk.script("bin/gcc", "exec /usr/bin/clang \"$@\"");
    assert!(is_clang(&desk));
    desk.script("bin/gcc", "exec /usr/bin/gcc \"$@\"");
    assert!(!is_clang(&desk));
}

#[test]
fn a_header_that_is_a_circle_of_links_is_asked_about_every_time() {
    let desk = Desk::new();
    desk.write("b/y.h", "typedef int y_t;\n");
    std::fs::create_dir(desk.path("a")).unwrap();
    for (from, to) in [("y.h", "z.h"), ("z.h", "y.h")] {
        std::os::unix::fs::symlink(desk.path("a").join(to), desk.path("a").join(from)).unwrap();
    }
    let with = Settings::new().include_dir(desk.path("a")).include_dir(desk.path("b"));
    let question = || Compile::new(Language::C, "#include <y.h>\ny_t y;\n").with(&with);
    assert!(desk.probes().ask(&question()).is_no());
    // Without the circle the other one is found, behind a link that leads nowhere.
    std::fs::remove_file(desk.path("a/z.h")).unwrap();
    let verdict = desk.probes().ask(&question());
    assert!(verdict.is_yes(), "{}", reason(&verdict));
    std::os::unix::fs::symlink(desk.path("a/y.h"), desk.path("a/z.h")).unwrap();
    assert!(desk.probes().ask(&question()).is_no(), "and with it again it is not");
}

#[test]
fn a_no_because_of_a_circle_of_links_is_none_when_the_circle_is_gone() {
    for name in ["z.h", "sub/z.h"] {
        let desk = Desk::new();
        desk.write(&format!("b/{name}"), "typedef int z_t;\n");
        let circle = desk.path("a").join(name);
        std::fs::create_dir_all(circle.parent().unwrap()).unwrap();
        std::os::unix::fs::symlink(&circle, &circle).unwrap();
        let with = Settings::new().include_dir(desk.path("a")).include_dir(desk.path("b"));
        let text = Compile::new(Language::C, format!("#include <{name}>\nz_t z;\n")).with(&with);
        let header = Header::new(name).with(&with);
        let ask = || {
            let (text, header) = desk.probes().ask_all((text.clone(), header.clone()));
            (text.word(), header.word())
        };
        assert_eq!(ask().0, "no", "{name}");
        std::fs::remove_file(&circle).unwrap();
        assert_eq!(ask(), ("yes", "yes"), "{name}");
    }
}
