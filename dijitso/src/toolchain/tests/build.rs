//! Compiling and linking with the real tools.

use super::*;

#[test]
fn two_builds_of_one_text_are_equal_to_the_byte() {
    for cxx in compilers() {
        let mut bench = Bench::new(&[cxx]);
        let toolchain = bench.find().unwrap();
        for profile in [Profile::Optimized, Profile::Debug] {
            bench.config.build.profile = sourced(profile);
            let flags = bench.flags(&toolchain, &plain());
            for text in [ADD, STATIC] {
                let (one, _) = bench.build(&toolchain, &flags, text, "one");
                let (two, _) = bench.build(&toolchain, &flags, text, "another-place");
                assert!(one == two, "{cxx} {profile:?}");
                let here = bench.dir.path().file_name().unwrap().as_encoded_bytes().to_owned();
                assert!(
                    !one.windows(here.len()).any(|window| window == here),
                    "the directory is in the library"
                );
            }
        }
    }
}

#[test]
fn small_kernels_skip_the_driver_and_others_do_not() {
    for cxx in compilers() {
        for linker in ["", "-fuse-ld=lld"] {
            let mut bench = Bench::new(&[cxx]);
            if !linker.is_empty() {
                if !installed("ld.lld") {
                    continue;
                }
                bench.config.build.ldflags = vec![Flag::new(linker, Origin::Builder)];
            }
            let toolchain = bench.find().unwrap();
            let flags = bench.flags(&toolchain, &plain());
            for (text, ways, needed) in [
                (ADD, 2, &[][..]),
                (SINE, 2, &["libm.so.6"][..]),
                (STATIC, 2, &[][..]),
                (THROWS, 1, &["libstdc++.so.6"][..]),
            ] {
                let (library, commands) = bench.build(&toolchain, &flags, text, "here");
                assert_eq!(commands.len(), ways, "{cxx} {linker}: {text}");
                let libraries = dynamic_needs(&library);
                assert!(
                    needed.iter().all(|name| libraries.iter().any(|l| l == name)),
                    "{cxx} {text}: {libraries:?}"
                );
                assert!(ways == 1 || !libraries.iter().any(|l| l.contains("stdc++")), "{libraries:?}");
                let parsed = object::File::parse(&*library).unwrap();
                assert!(parsed.section_by_name(".eh_frame_hdr").is_some(), "or a caught throw would abort");
                assert!(
                    parsed
                        .dynamic_symbols()
                        .any(|symbol| symbol.name() == Ok("entry") && symbol.is_definition())
                );
                // The driver's way gives a library too.
                let Some(driver) = commands.last() else { continue };
                succeeded(&driver.run(&bench.counters).unwrap());
            }
        }
    }
}

#[test]
fn what_only_the_driver_knows_goes_through_the_driver() {
    for flag in ["-flto", "-fsanitize=undefined", "-static-libgcc"] {
        let mut bench = Bench::new(&["g++"]);
        let toolchain = bench.find().unwrap();
        bench.cxxflags(&[flag, "-Ofast", "-ffast-math"]);
        bench.config.build.ldflags = vec![Flag::new("-ffast-math", Origin::Builder)];
        let flags = bench.flags(&toolchain, &plain());
        let (_, commands) = bench.build(&toolchain, &flags, ADD, "here");
        assert_eq!(commands.len(), 1, "{flag}");
        let line = commands[0].to_string();
        assert!(
            line.contains(flag) && !line.contains("fast"),
            "loading it would change the arithmetic: {line}"
        );
    }
}

#[test]
fn undefined_symbols_fail_every_way_of_linking() {
    let bench = Bench::new(&["g++"]);
    let toolchain = bench.find().unwrap();
    let flags = bench.flags(&toolchain, &plain());
    let (_, commands) = bench.build(&toolchain, &flags, ADD, "here");
    let cwd = bench.dir.path().join("here");
    std::fs::write(
        cwd.join("unit.cpp"),
        "extern \"C\" double nobody(); extern \"C\" double entry() { return nobody(); }",
    )
    .unwrap();
    let compile = toolchain.compile_command(
        &flags,
        Language::Cxx,
        "unit.cpp",
        "unit.o",
        "unit.d",
        &cwd,
        Path::new("."),
    );
    succeeded(&compile.run(&bench.counters).unwrap());
    for command in commands {
        let output = command.run(&bench.counters).unwrap();
        assert!(!output.status.success() && output.text().contains("nobody"), "{}", output.text());
    }
}

#[test]
fn a_missing_header_is_named_by_the_dependency_command() {
    for cxx in compilers() {
        let bench = Bench::new(&[cxx]);
        let toolchain = bench.find().unwrap();
        let flags = bench.flags(&toolchain, &plain());
        let cwd = bench.dir.path();
        std::fs::write(cwd.join("unit.cpp"), "#include <not/there.h>\n#include \"neither.h\"\n").unwrap();
        let command = toolchain.dependency_command(&flags, Language::Cxx, "unit.cpp", "unit.d", cwd);
        succeeded(&command.run(&bench.counters).unwrap());
        let rule = std::fs::read_to_string(cwd.join("unit.d")).unwrap();
        assert!(rule.contains(" not/there.h") && rule.contains(" neither.h"), "{rule}");
    }
}

fn dynamic_needs(library: &[u8]) -> Vec<String> {
    use object::read::elf::{Dyn as _, ElfFile64, FileHeader as _};
    let file = ElfFile64::<object::Endianness>::parse(library).unwrap();
    let (endian, header) = (file.endian(), file.elf_header());
    let sections = header.sections(endian, library).unwrap();
    let Some((entries, strings)) = sections.dynamic(endian, library).unwrap() else { return Vec::new() };
    let strings = sections.strings(endian, library, strings).unwrap();
    let needed = entries.iter().filter(|entry| entry.tag(endian) == object::elf::DT_NEEDED);
    needed.map(|entry| String::from_utf8_lossy(entry.string(endian, strings).unwrap()).into_owned()).collect()
}
