//! What a link reads, with each linker: an answer is asked again when any of it changes.

use std::path::Path;
use std::process::Command;

use super::*;

fn gcc(args: &[&str], dir: &Path) {
    assert!(Command::new("gcc").args(args).current_dir(dir).status().unwrap().success(), "{args:?}");
}

/// A shared library that defines a function, and perhaps needs another library.
fn library(desk: &Desk, place: &str, function: &str, more: &[&str]) {
    let body = match more {
        [] => format!("int {function}(void) {{ return 1; }}\n"),
        _ => format!("int inner(void); int {function}(void) {{ return inner(); }}\n"),
    };
    desk.write("made.c", &body);
    let target = desk.path(place);
    std::fs::create_dir_all(target.parent().unwrap()).unwrap();
    let target = target.to_str().unwrap().to_owned();
    gcc(&[&["-shared", "-fPIC", "-o", &target, "made.c"], more].concat(), desk.dir.path());
}

/// What a new session says, and that the next one remembers it.
fn settled<Q: Question>(desk: &Desk, question: &Q) -> &'static str {
    let word = desk.probes().ask(question).word();
    let warm = desk.probes();
    assert_eq!(warm.ask(question).word(), word);
    assert_eq!(warm.stats().processes, 0, "{word}: {} is remembered", question.describe());
    word
}

const LINKERS: [&str; 3] = ["-fuse-ld=bfd", "-fuse-ld=gold", "-fuse-ld=lld"];

/// gcc knows few names; this one is no linker on the path of [`without_mold`].
const NOT_HERE: &str = "-fuse-ld=mold";

/// A path with an empty directory `bin`, and everything that the machine has but that linker.
fn without_mold(desk: &mut Desk) {
    let [bin, system] = ["bin", "system"].map(|dir| desk.path(dir));
    std::fs::create_dir(&bin).unwrap();
    std::fs::create_dir(&system).unwrap();
    for entry in std::fs::read_dir("/usr/bin").unwrap().map(Result::unwrap) {
        if !entry.file_name().to_string_lossy().ends_with("mold") {
            std::os::unix::fs::symlink(entry.path(), system.join(entry.file_name())).unwrap();
        }
    }
    desk.variables = vec![("PATH", format!("{}:{}", bin.display(), system.display()))];
}

#[test]
fn a_linker_that_is_there_is_accepted_and_remembered() {
    for (name, desk) in desks() {
        for flag in LINKERS {
            assert_eq!(settled(&desk, &LinkerFlag::new(flag)), "yes", "{name} {flag}");
        }
        assert_eq!(settled(&desk, &LinkerFlag::new("-fuse-ld=dijitso")), "no", "{name}");
    }
}

#[test]
fn with_every_linker_a_library_that_comes_or_goes_is_noticed() {
    for (name, desk) in desks() {
        for (n, flag) in LINKERS.iter().enumerate() {
            let [a, b] = ["a", "b"].map(|dir| desk.path(&format!("{dir}{n}")));
            std::fs::create_dir_all(&a).unwrap();
            std::fs::create_dir_all(&b).unwrap();
            let ask = |own: bool| {
                // The flags are the question's own, or those of the session.
                let dirs = Settings::new().link_flag(*flag).lib_dir(&a).lib_dir(&b);
                let question = Library::new("late").function(Function::new("wanted"));
                let words =
                    || [(*flag).to_owned(), format!("-L{}", a.display()), format!("-L{}", b.display())];
                let session = || {
                    let with = |builder: ProbesBuilder, word| builder.link_flag(Language::C, word);
                    words().into_iter().fold(desk.builder(), with).build().unwrap()
                };
                match own {
                    true => desk.probes().ask(&question.with(&dirs)).word(),
                    false => session().ask(&question).word(),
                }
            };
            for own in [true, false] {
                let said = |expected: &str, what: &str| {
                    assert_eq!(ask(own), expected, "{name} {flag} {own}: {what}");
                };
                said("no", "nowhere");
                library(&desk, &format!("b{n}/liblate.so"), "wanted", &[]);
                said("yes", "installed");
                library(&desk, &format!("a{n}/liblate.so"), "other", &[]);
                said("no", "another one is found first");
                std::fs::remove_file(a.join("liblate.so")).unwrap();
                said("yes", "and no more");
                std::fs::remove_file(b.join("liblate.so")).unwrap();
                said("no", "gone");
            }
        }
    }
}

#[test]
fn with_every_linker_what_a_script_names_in_vain_is_noticed_when_it_comes() {
    for (name, desk) in desks() {
        for flag in LINKERS {
            let real = format!("real{}/libscripted.so", &flag[10..]);
            let script = format!("INPUT ( {} )\n", desk.path(&real).display());
            desk.write("scripts/libscripted.so", &script);
            let with =
                Settings::new().link_flag(format!("-L{}", desk.path("scripts").display())).link_flag(flag);
            let question = Library::new("scripted").function(Function::new("inner")).with(&with);
            assert_eq!(desk.probes().ask(&question).word(), "no", "{name} {flag}");
            library(&desk, &real, "inner", &[]);
            assert_eq!(desk.probes().ask(&question).word(), "yes", "{name} {flag}");
        }
    }
}

#[test]
fn a_linker_that_is_installed_or_replaced_later_is_noticed() {
    for (name, mut desk) in desks() {
        without_mold(&mut desk);
        let question = LinkerFlag::new(NOT_HERE);
        assert_eq!(settled(&desk, &question), "no", "{name}");
        desk.script("bin/ld.mold", "exec /usr/bin/ld.lld \"$@\"");
        assert_eq!(settled(&desk, &question), "yes", "{name}");
        desk.script("bin/ld.mold", "echo 'ld.mold: error: no' >&2; exit 1");
        assert_eq!(desk.probes().ask(&question).word(), "no", "{name}");
    }
}

#[test]
fn what_a_linker_says_on_its_own_is_no_complaint_about_a_flag() {
    let mut desk = Desk::new();
    without_mold(&mut desk);
    // It cannot be told what it is, and it lists what it reads among its complaints.
    let text = "case \" $* \" in *--help*) exit 0;; esac\necho 'ld: attempt to open /x.o succeeded' >&2\n\
                exec /usr/bin/ld.lld \"$@\"";
    desk.script("bin/ld.mold", text);
    let verdict = desk.probes().ask(&LinkerFlag::new(NOT_HERE));
    assert!(verdict.is_yes(), "{}", reason(&verdict));
}

#[test]
fn a_link_without_a_list_of_what_it_read_is_not_remembered() {
    let mut desk = Desk::new();
    without_mold(&mut desk);
    desk.script("bin/ld.mold", "exec /usr/bin/ld.lld \"$@\" > /dev/null");
    let question = LinkerFlag::new(NOT_HERE);
    assert!(desk.probes().ask(&question).is_yes());
    let again = desk.probes();
    assert!(again.ask(&question).is_yes() && again.stats().processes > 0);
}

#[test]
fn a_library_that_another_one_needs_is_watched() {
    let mut desk = Desk::new();
    library(&desk, "inner/libinner.so", "inner", &[]);
    let inner = desk.path("inner").display().to_string();
    library(&desk, "outer/libouter.so", "wanted", &["-L", &inner, "-linner"]);
    let with = Settings::new().lib_dir(desk.path("outer")).link_flag(format!("-Wl,-rpath-link,{inner}"));
    let question = || Library::new("outer").function(Function::new("wanted")).with(&with);
    assert_eq!(settled(&desk, &question()), "yes");
    library(&desk, "inner/libinner.so", "other", &[]);
    assert_eq!(settled(&desk, &question()), "no", "it lost what is needed");
    library(&desk, "inner/libinner.so", "inner", &[]);
    assert_eq!(settled(&desk, &question()), "yes");
    // And where the loader's own variable leads to it.
    let with = Settings::new().lib_dir(desk.path("outer"));
    let question = Library::new("outer").function(Function::new("wanted")).with(&with);
    assert_eq!(settled(&desk, &question), "no");
    desk.variables.push(("LD_LIBRARY_PATH", inner));
    assert_eq!(settled(&desk, &question), "yes");
    desk.variables.pop();
    assert_eq!(settled(&desk, &question), "no");
}

#[test]
fn files_that_words_of_a_link_name_are_watched() {
    let desk = Desk::new();
    let good = "{ global: main; local: *; };\n";
    let script = desk.write("names.map", good);
    let response = desk.write("words", "-Wl,-z,now\n");
    let flags = [format!("-Wl,--version-script={}", script.display()), format!("@{}", response.display())];
    for (flag, file, bad) in
        [(&flags[0], "names.map", "{ broken"), (&flags[1], "words", "-Wl,--dijitso-none\n")]
    {
        let text = "int main(void) { return 0; }\n";
        let question = Link::new(Language::C, text).with(&Settings::new().link_flag(flag.clone()));
        let before = std::fs::read_to_string(desk.path(file)).unwrap();
        assert_eq!(settled(&desk, &question), "yes", "{flag}");
        desk.write(file, bad);
        assert_eq!(settled(&desk, &question), "no", "{flag}");
        std::fs::remove_file(desk.path(file)).unwrap();
        assert_eq!(desk.probes().ask(&question).word(), "no", "{flag}: gone");
        desk.write(file, &before);
        assert_eq!(settled(&desk, &question), "yes", "{flag}");
    }
}

#[test]
fn what_a_thin_archive_only_names_is_watched() {
    for flag in LINKERS {
        let desk = Desk::new();
        let make = |function: &str| {
            desk.write("member.c", &format!("int {function}(void) {{ return 1; }}\n"));
            gcc(&["-c", "member.c"], desk.dir.path());
        };
        make("wanted");
        let archive = desk.path("libthin.a").display().to_string();
        let run = |program: &str, args: &[&str]| {
            let status = Command::new(program).args(args).current_dir(desk.dir.path()).status();
            assert!(status.unwrap().success(), "{program}");
        };
        run("ar", &["rcsT", &archive, "member.o"]);
        let text = "int wanted(void); int main(void) { return wanted(); }\n";
        let question = Link::new(Language::C, text).with(&Settings::new().link_flag(flag).lib(archive));
        assert!(desk.probes().ask(&question).is_yes(), "{flag}");
        std::fs::write(desk.path("member.o"), "no object\n").unwrap();
        assert_eq!(desk.probes().ask(&question).word(), "no", "{flag}");
    }
}
