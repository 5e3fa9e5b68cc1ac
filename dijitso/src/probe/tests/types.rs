//! Types, members and symbols: what is declared, what is complete, what has no size, and what is defined.

use super::*;

#[test]
fn a_type_is_complete_or_none() {
    for (name, desk) in desks() {
        for language in [Language::C, Language::Cxx] {
            let probes = desk.probes();
            let of = |of: &str| Type::new(of).in_language(language);
            let (anything, declared, defined, time, pointer) = probes.ask_all((
                of("struct dijitso_anything"),
                of("struct s").after("struct s;\n"),
                of("struct s").after("struct s { int x; };\n"),
                of("struct tm").after("time.h"),
                of("void *"),
            ));
            assert!(anything.is_no() && declared.is_no(), "{name} {language}: {anything:?} {declared:?}");
            for yes in [defined, time, pointer] {
                assert!(yes.is_yes(), "{name} {language}: {}", reason(&yes));
            }
            let empty = probes.ask(&of(" "));
            assert!(matches!(empty, Verdict::Unknown(_)), "{name} {language}: {empty:?}");
        }
    }
}

#[test]
fn a_bit_field_is_a_member_without_a_size() {
    for (name, desk) in desks() {
        for language in [Language::C, Language::Cxx] {
            let probes = desk.probes();
            let member = |member: &str| {
                let text = "struct bits { unsigned small : 3; short large; int many[3]; };\n";
                Member::new("struct bits", member).after(text).in_language(language)
            };
            let answers = probes.ask_all(["small", "large", "many", "none"].map(member));
            let bytes: Vec<Option<u64>> = answers.iter().map(|answer| answer.clone().yes()).collect();
            assert_eq!(bytes, [Some(0), Some(2), Some(12), None], "{name} {language}");
            assert!(answers[3].is_no() && reason(&answers[3]).contains("none"), "{name} {language}");
        }
    }
}

#[test]
fn symbols_are_found_by_name_and_by_declaration() {
    for (name, desk) in desks() {
        desk.write("data.c", "int dijitso_data = 3;\n");
        let target = desk.path("libdata.so");
        let mut gcc = std::process::Command::new("gcc");
        gcc.args(["-shared", "-fPIC", "-o"]).arg(&target).arg(desk.path("data.c"));
        assert!(gcc.status().unwrap().success());
        let data = Settings::new().lib_dir(desk.dir.path()).lib("data");
        for language in [Language::C, Language::Cxx] {
            let probes = desk.probes();
            let symbol = |name: &str| Symbol::new(name).in_language(language);
            let prefix = if language == Language::Cxx { "extern \"C\" " } else { "extern " };
            let declaration = format!("#line 1\n{prefix}int dijitso_data;");
            let (environ, none, of_library, without, declared, undeclared) = probes.ask_all((
                symbol("environ"),
                symbol("dijitso_none"),
                symbol("dijitso_data").with(&data),
                symbol("dijitso_data"),
                symbol("dijitso_data").after(&declaration).with(&data),
                symbol("dijitso_data").after("stdio.h").with(&data),
            ));
            for yes in [environ, of_library, declared] {
                assert!(yes.is_yes(), "{name} {language}: {}", reason(&yes));
            }
            for no in [none, without, undeclared] {
                assert!(no.is_no(), "{name} {language}: {no:?}");
            }
            let only = probes.ask_all(
                ["EOF", "stdout", "fileno", "SEEK_SET", "dijitso_none"]
                    .map(|name| symbol(name).after("stdio.h").declared()),
            );
            let words: Vec<&str> = only.iter().map(Verdict::word).collect();
            assert_eq!(words, ["yes", "yes", "yes", "yes", "no"], "{name} {language}");
            // What is only declared is not linked.
            let alone = symbol("dijitso_data").after(&declaration).declared();
            assert!(probes.ask(&alone).is_yes(), "{name} {language}");
        }
    }
}

#[test]
fn the_order_of_bytes_is_a_constant_that_nothing_is_run_for() {
    for (name, desk) in desks() {
        let little = Constant::new("__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__");
        let verdict = desk.probes().ask(&little);
        let expected = i64::from(cfg!(target_endian = "little"));
        assert_eq!(verdict.clone().yes(), Some(expected), "{name}: {}", reason(&verdict));
    }
}
