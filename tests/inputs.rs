//! Files that a kernel is made from: each change of one is a miss, each return to an earlier state a hit.

use std::path::Path;

use dijitso::{Jit, KernelSpec, Source};
use dijitso_tests::kernels::{self, Number};

use crate::harness::{Place, not_permitted, real_compiler, root};

#[test]
fn a_changed_header_is_a_miss_and_its_return_is_a_hit() {
    for quoted in [false, true] {
        let place = Place::new();
        let header = place.write("include/state.h", "#define STATE 1\n");
        let spec = kernels::state(place.path("include"), quoted);
        let load = |jit: &Jit| jit.load(&spec).unwrap().call();
        // In one process each `Jit` looks anew; A, B, A: two compiles.
        let mut compiled = 0;
        for (text, value, compiles) in [(1, 1, 1), (2, 2, 1), (1, 1, 0), (2, 2, 0)] {
            std::fs::write(&header, format!("#define STATE {text}\n")).unwrap();
            let jit = place.jit();
            assert_eq!(load(&jit), value, "quoted: {quoted}");
            assert_eq!(jit.stats().compiled, compiles);
            compiled += jit.stats().compiled;
        }
        assert_eq!(compiled, 2);
    }
}

#[test]
fn header_a_b_a_across_processes_compiles_twice() {
    let place = Place::new();
    let header = place.write("include/state.h", "#define STATE 1\n");
    let dir = place.path("include");
    let mut compiled = 0;
    for value in [1.0, 2.0, 1.0] {
        std::fs::write(&header, format!("#define STATE {value}\n")).unwrap();
        let ran = place.client(["state", dir.to_str().unwrap(), "angled", "2"]).ok();
        assert_eq!(ran.values(), [value, value]);
        compiled += ran.outcome.stats.compiled;
    }
    assert_eq!(compiled, 2);
}

#[test]
fn a_header_touched_but_not_changed_compiles_nothing() {
    let place = Place::new();
    let header = place.write("include/state.h", "#define STATE 1\n");
    let dir = place.path("include");
    let run = || place.client(["state", dir.to_str().unwrap(), "angled", "1"]).ok();
    run();
    std::fs::write(&header, "#define STATE 1\n").unwrap();
    run().assert_warm();
    // And replaced by a copy with another inode.
    std::fs::write(place.path("new.h"), "#define STATE 1\n").unwrap();
    std::fs::rename(place.path("new.h"), &header).unwrap();
    run().assert_warm();
}

#[test]
fn a_header_that_is_now_found_earlier_is_a_miss() {
    let place = Place::new();
    place.write("late/state.h", "#define STATE 1\n");
    std::fs::create_dir(place.path("early")).unwrap();
    let dirs = [place.path("early"), place.path("late")];
    let spec: KernelSpec<Number> = KernelSpec::new("finds", (), move || {
        // SAFETY: has no arguments and no state.
        unsafe { Source::new("int finds() { return STATE; }") }
            .include("<state.h>")
            .include_dir(&dirs[0])
            .include_dir(&dirs[1])
    });
    let load = || {
        let jit = place.jit();
        (jit.load(&spec).unwrap().call(), jit.stats().compiled)
    };
    assert_eq!(load(), (1, 1));
    assert_eq!(load(), (1, 0));
    let early = place.write("early/state.h", "#define STATE 2\n");
    assert_eq!(load(), (2, 1), "the header in the earlier directory");
    std::fs::remove_file(early).unwrap();
    assert_eq!(load(), (1, 0), "and back");
}

/// Compilers search a directory where it is named first, be it named by a variable, too; but where a variable for system headers
/// has it if that does.
#[test]
fn a_directory_that_a_flag_and_a_variable_name_is_watched_where_it_is_searched() {
    let text = "#include <state.h>\nextern \"C\" int finds() { return STATE; }";
    for (variable, found, compiled) in [("CPATH", 1.0, 1), ("CPLUS_INCLUDE_PATH", 2.0, 0)] {
        let place = Place::new();
        place.write("late/state.h", "#define STATE 2\n");
        std::fs::create_dir(place.path("early")).unwrap();
        let (early, late) = (place.path("early"), place.path("late"));
        let load = || {
            let client = place.client(["unit", "finds", text]).env(variable, &early);
            let ran = client.env("CXXFLAGS", format!("-I{} -I{}", early.display(), late.display())).ok();
            (ran.values(), ran.outcome.stats.compiled)
        };
        assert_eq!(load(), (vec![2.0], 1), "{variable}");
        assert_eq!(load(), (vec![2.0], 0), "{variable}");
        place.write("early/state.h", "#define STATE 1\n");
        assert_eq!(load(), (vec![found], compiled), "{variable}");
        std::fs::remove_file(early.join("state.h")).unwrap();
        assert_eq!(load(), (vec![2.0], 0), "{variable}");
    }
}

/// A compiler passes over a directory that is not there, and tells of its search without it.
#[test]
fn a_directory_that_is_not_there_yet_is_watched() {
    let text = "#include <state.h>\nextern \"C\" int finds() { return STATE; }";
    for by_flag in [false, true] {
        for variable in ["CPATH", "CPLUS_INCLUDE_PATH"] {
            let place = Place::new();
            place.write("late/state.h", "#define STATE 2\n");
            let [early, late] = ["early", "late"].map(|dir| place.path(dir).display().to_string());
            let load = || {
                let client = place.client(["unit", "finds", text]);
                let ran = match by_flag {
                    true => client.env("CXXFLAGS", format!("-isystem {early}")).env(variable, &late),
                    false => client.env(variable, format!("{early}:{late}")),
                };
                let ran = ran.ok();
                (ran.values(), ran.outcome.stats.compiled)
            };
            let case = format!("{variable} {by_flag}");
            assert_eq!((load(), load()), ((vec![2.0], 1), (vec![2.0], 0)), "{case}");
            std::fs::create_dir(&early).unwrap();
            assert_eq!(load(), (vec![2.0], 0), "{case}: nothing is in it");
            // CPATH is searched before directories for system headers, and these before the other variable's.
            let (found, compiled) = if by_flag && variable == "CPATH" { (2.0, 0) } else { (1.0, 1) };
            place.write("early/state.h", "#define STATE 1\n");
            assert_eq!(load().0, vec![found], "{case}");
            assert_eq!(load(), (vec![found], 0), "{case}");
            std::fs::remove_dir_all(&early).unwrap();
            assert_eq!(load().0, vec![2.0], "{case}");
            // At once, without a look at the empty directory.
            std::fs::create_dir(&early).unwrap();
            place.write("early/state.h", "#define STATE 3\n");
            assert_eq!(
                (load().0, compiled),
                (vec![if compiled == 1 { 3.0 } else { 2.0 }], compiled),
                "{case}"
            );
        }
    }
}

#[test]
fn a_header_in_usr_local_include_is_tracked() {
    if !root() {
        return not_permitted("writing to /usr/local/include");
    }
    let name = format!("dijitso-test-{}.h", std::process::id());
    let path = Path::new("/usr/local/include").join(&name);
    if std::fs::write(&path, "#define VALUE 1\n").is_err() {
        return not_permitted("writing to /usr/local/include");
    }
    let place = Place::new();
    let include = format!("<{name}>");
    let spec: KernelSpec<Number> = KernelSpec::new("local", (), move || {
        // SAFETY: has no arguments and no state.
        unsafe { Source::new("int local() { return VALUE; }") }.include(&include)
    });
    let load = || {
        let jit = place.jit();
        (jit.load(&spec).map(|kernel| kernel.call()), jit.stats().compiled)
    };
    let first = load();
    std::fs::write(&path, "#define VALUE 2\n").unwrap();
    let second = load();
    std::fs::remove_file(&path).unwrap();
    assert_eq!((first.0.unwrap(), first.1), (1, 1));
    assert_eq!((second.0.unwrap(), second.1), (2, 1));
}

#[test]
fn a_linked_static_archive_is_tracked() {
    let place = Place::new();
    std::fs::create_dir(place.path("lib")).unwrap();
    let archive = place.path("lib/libanswer.a");
    let make = |value: i32| {
        let object = place.path("answer.o");
        let source = place.write("answer.c", &format!("int answer(void) {{ return {value}; }}\n"));
        let done = std::process::Command::new(real_compiler())
            .args(["-x", "c", "-fPIC", "-c"])
            .arg(source)
            .arg("-o")
            .arg(&object)
            .status();
        assert!(done.unwrap().success());
        let _ = std::fs::remove_file(&archive);
        assert!(
            std::process::Command::new("ar").arg("cr").arg(&archive).arg(object).status().unwrap().success()
        );
    };
    for by_path in [false, true] {
        let (archive, dir) = (archive.clone(), place.path("lib"));
        let spec: KernelSpec<Number> = KernelSpec::new("asks", by_path, move || {
            let text = "extern \"C\" int answer(); extern \"C\" int asks() { return answer(); }";
            // SAFETY: has no arguments and no state.
            let source = unsafe { Source::translation_unit(text) };
            if by_path {
                source.link(archive.display().to_string())
            } else {
                source.link("answer").link_dir(&dir)
            }
        });
        let mut seen = Vec::new();
        for value in [1, 2, 1, 2] {
            make(value);
            let jit = place.jit();
            assert_eq!(jit.load(&spec).unwrap().call(), value, "by path: {by_path}");
            seen.push(jit.stats().compiled);
        }
        assert_eq!(seen, [1, 1, 0, 0], "A, B, A, B; by path: {by_path}");
    }
}

#[test]
fn a_changed_dependency_is_a_miss_for_its_dependents() {
    let place = Place::new();
    let header = place.write("include/base_value.h", "#define BASE 10\n");
    let dir = place.path("include");
    let base = move || -> KernelSpec<()> {
        let dir = dir.clone();
        KernelSpec::new("base", (), move || {
            let text = "#include <base_value.h>\nextern \"C\" int base() { return BASE; }";
            // SAFETY: `base` has no arguments and no state.
            unsafe { Source::translation_unit(text) }.include_dir(&dir).export("base")
        })
    };
    let spec: KernelSpec<Number> = KernelSpec::new("above", (), move || {
        let text = "extern \"C\" int base(); extern \"C\" int above() { return base() + 1; }";
        // SAFETY: has no arguments and no state.
        unsafe { Source::translation_unit(text) }.depends_on(&base())
    });
    let load = || {
        let jit = place.jit();
        (jit.load(&spec).unwrap().call(), jit.stats().compiled)
    };
    assert_eq!(load(), (11, 2));
    assert_eq!(load(), (11, 0));
    std::fs::write(&header, "#define BASE 20\n").unwrap();
    assert_eq!(load().0, 21);
    std::fs::write(&header, "#define BASE 10\n").unwrap();
    assert_eq!(load(), (11, 0));
}
