//! Where a compiler looks, and what refused texts have read: whatever words it is given.

use super::*;

#[test]
fn where_it_is_not_known_where_a_compiler_looks_nothing_is_remembered() {
    let mut desk = Desk::new();
    std::fs::create_dir(desk.path("include")).unwrap();
    // With this directory it does not come to tell where it looks, and does everything else.
    let killed = "case \" $* \" in *isystem*' -v '*) kill -9 $$;; esac\nexec /usr/bin/gcc \"$@\"";
    let compiler = desk.script("bin/cc", killed);
    desk.compilers = vec![(Language::C, compiler)];
    let with = Settings::new().compile_flag(format!("-isystem{}", desk.path("include").display()));
    let ask = || desk.probes().ask(&Header::new("late.h").with(&with)).word();
    assert_eq!(ask(), "no");
    desk.write("include/late.h", "");
    assert_eq!(ask(), "yes");
}

#[test]
fn with_words_that_no_kernel_may_have_the_directories_are_watched_nevertheless() {
    for (name, desk) in desks() {
        let words = desk.write("words", &format!("-I{}\n", desk.path("include").display()));
        std::fs::create_dir_all(desk.path("include")).unwrap();
        let include = desk.path("include");
        let response = Settings::new().compile_flag(format!("@{}", words.display()));
        let own = |flag: &str| Settings::new().compile_flag(flag).include_dir(&include);
        for (n, with) in [own("-static"), own("-save-temps"), own("-MP"), response].into_iter().enumerate() {
            let header = format!("late{n}.h");
            let ask = |desk: &Desk| desk.probes().ask(&Header::new(&header).with(&with)).word();
            assert_eq!(ask(&desk), "no", "{name} {n}");
            desk.write(&format!("include/{header}"), "");
            assert_eq!(ask(&desk), "yes", "{name} {n}");
            std::fs::remove_file(desk.path(&format!("include/{header}"))).unwrap();
            assert_eq!(ask(&desk), "no", "{name} {n}");
        }
        // And what such a file says is part of the question.
        let with = Settings::new().compile_flag(format!("@{}", words.display()));
        desk.write("words", "-DX=1\n");
        let ask = |desk: &Desk| desk.probes().ask(&Macro::new("X").with(&with)).yes();
        assert_eq!(ask(&desk).as_deref(), Some("1"), "{name}");
        desk.write("words", "-DX=2\n");
        assert_eq!(ask(&desk).as_deref(), Some("2"), "{name}");
    }
}

#[test]
fn a_refused_text_with_a_forced_include_is_asked_again_with_another_header() {
    for (name, desk) in desks() {
        let forced = desk.write("forced.h", "typedef int other_t;\n");
        for own in [true, false] {
            let word = format!("-include{}", forced.display());
            let ask = || {
                let question = Compile::new(Language::C, "wanted_t x;\n");
                match own {
                    true => desk.probes().ask(&question.with(&Settings::new().flag(&word))).word(),
                    false => {
                        let session = desk.builder().compile_flag(Language::C, &word).build().unwrap();
                        session.ask(&question).word()
                    }
                }
            };
            assert_eq!(ask(), "no", "{name} {own}");
            desk.write("forced.h", "typedef int wanted_t;\n");
            assert_eq!(ask(), "yes", "{name} {own}");
            desk.write("forced.h", "typedef int other_t;\n");
        }
    }
}

#[test]
fn a_refused_text_of_fortran_is_asked_again_with_another_include() {
    let desk = Desk::new();
    desk.write("include/wanted.inc", "this is no fortran\n");
    let with = Settings::new().include_dir(desk.path("include"));
    let text = "PROGRAM P\nINCLUDE 'wanted.inc'\nI = 3\nEND PROGRAM\n";
    let question = || Compile::new(Language::Fortran, text).with(&with);
    assert!(desk.probes().ask(&question()).is_no());
    desk.write("include/wanted.inc", "INTEGER I\n");
    let verdict = desk.probes().ask(&question());
    assert!(verdict.is_yes(), "{}", reason(&verdict));
}
