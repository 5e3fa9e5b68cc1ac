//! What becomes of the flags.

use super::*;

#[test]
fn flags_come_in_order_with_their_origins() {
    let mut bench = Bench::new(&["g++"]);
    let toolchain = bench.find().unwrap();
    bench.cxxflags(&["-O2", "-Iinc", "-fopenmp", "-Wl,-rpath,/x"]);
    bench.config.build.std = Some(sourced("c++17".to_owned()));
    let mut of_kernel = wanted(Language::Cxx, &["-O1", "-ffast-math"]);
    of_kernel.include_dirs = vec![PathBuf::from("/kernel")];
    let flags = bench.flags(&toolchain, &of_kernel);
    let compile = texts(&flags.compile);
    let at =
        |text: &str| compile.iter().position(|t| *t == text).unwrap_or_else(|| panic!("{text}: {compile:?}"));
    assert!(at("-O3") < at("-O2") && at("-O2") < at("-O1") && at("-I/kernel") < at("-O2"));
    assert!(at("-fopenmp") < at("-std=c++17"), "the program is stronger than the environment");
    assert_eq!(compile.last(), Some(&"-fPIC"));
    assert!(!compile.iter().any(|text| text.starts_with("-Wl") || text.contains("native")));
    assert_eq!(texts(&flags.link), ["-fopenmp", "-Wl,-rpath,/x"]);
    assert!(flags.needs_driver_link);
    assert_eq!(flags.compile[at("-O1")].origin, Origin::Spec("kernel".to_owned()));
    assert_eq!(flags.compile[at("-O2")].origin, Origin::Environment("CXXFLAGS".to_owned()));
    let first = &flags.search.dirs[..2];
    assert_eq!(first[0].path, Path::new("/kernel"));
    assert!(first[1].path.ends_with("inc") && first[1].path.is_absolute());
    let place = |dir: &str| flags.search.dirs.iter().find(|d| d.path == Path::new(dir)).map(|d| d.place);
    assert_eq!(place("/usr/include"), Some(Place::Builtin));
    assert_eq!(place("/usr/local/include"), Some(Place::User));

    let of_c = bench.flags(&toolchain, &wanted(Language::C, &["-w"]));
    let compile = texts(&of_c.compile);
    assert!(compile.contains(&"-Werror=incompatible-pointer-types"));
    assert!(!compile.contains(&"-O2") && !compile.contains(&"-std=c++17") && !compile.contains(&"-w"));
    assert!(of_c.search.dirs.iter().all(|dir| !dir.path.ends_with("c++/12")));

    bench.config.build.profile = sourced(Profile::Debug);
    let debug = bench.flags(&toolchain, &plain());
    assert!(texts(&debug.compile).contains(&"-g") && !texts(&debug.compile).contains(&"-O3"));
}

#[cfg(target_arch = "x86_64")]
#[test]
fn the_processor_is_resolved_wherever_it_is_named() {
    for cxx in compilers() {
        let mut bench = Bench::new(&[cxx]);
        let toolchain = bench.find().unwrap();
        let native = bench.flags(&toolchain, &plain());
        assert!(native.cpu_text.starts_with("native (") && !native.text().contains("=native "));
        assert!(native.features.missing_on_host().is_empty());
        let spec = bench.flags(&toolchain, &wanted(Language::Cxx, &["-march=native"]));
        assert_eq!(texts(&spec.compile), texts(&native.compile));

        bench.cxxflags(&["-march=x86-64-v3"]);
        let named = bench.flags(&toolchain, &plain());
        assert_eq!(named.cpu_text, "x86-64-v3");
        let names = named.features.names();
        assert!(names.contains(&"avx2".to_owned()) && !names.contains(&"avx512f".to_owned()), "{names:?}");
        assert!(!texts(&named.compile).iter().any(|text| text.starts_with("-mavx512")));
        assert!(!toolchain.resolved_cpu(&bench.config, &bench.counters).unwrap().contains("native"));

        bench.config.build.cpu = sourced(Cpu::Generic);
        let generic = bench.flags(&toolchain, &plain());
        assert_eq!(generic.cpu_text, "default");
        assert!(!generic.features.names().contains(&"avx2".to_owned()));
        bench.config.build.cpu = sourced(Cpu::Named("x86-64-v2".to_owned()));
        assert_eq!(bench.flags(&toolchain, &plain()).cpu_text, "x86-64-v2");

        let words = Bench::new(&[cxx, "-march=native", "-DX"]);
        let of_words = words.find().unwrap();
        assert_eq!(of_words.words(), [cxx, "-DX"]);
        assert_ne!(of_words.identity(), toolchain.identity(), "the other words are part of the compiler");
        assert_eq!(words.flags(&of_words, &plain()).cpu_text, native.cpu_text);
        let words = Bench::new(&[cxx, "-march=x86-64-v2"]);
        assert_eq!(words.flags(&words.find().unwrap(), &plain()).cpu_text, "x86-64-v2");

        let before = bench.processes();
        bench.flags(&bench.find().unwrap(), &plain());
        assert_eq!(bench.processes(), before, "the answers about flags are remembered too");
    }
}

#[test]
fn flags_that_the_compiler_refuses_are_an_error_that_names_who_set_them() {
    for cxx in compilers() {
        let mut bench = Bench::new(&[cxx]);
        let toolchain = bench.find().unwrap();
        let refusal = |bench: &Bench| bench.try_flags(&toolchain, &plain()).unwrap_err().to_string();
        bench.cxxflags(&["-march=nonsense"]);
        let error = refusal(&bench);
        assert!(
            error.contains("-march=nonsense") && error.contains("environment variable CXXFLAGS"),
            "{error}"
        );
        bench.cxxflags(&["-m32"]);
        assert!(refusal(&bench).contains("-m32"));
    }
}

#[test]
fn the_users_directories_are_told_from_the_compilers_own() {
    let mut bench = Bench::new(&["g++"]);
    let cpath = bench.dir.path().join("cpath");
    std::fs::create_dir(&cpath).unwrap();
    bench.config.compiler_env.insert("CPATH", cpath.clone().into());
    let toolchain = bench.find().unwrap();
    let flags =
        bench.flags(&toolchain, &wanted(Language::Cxx, &["-isystem", "/usr/share", "-I", "/usr/lib"]));
    let place = |dir: &Path| flags.search.dirs.iter().find(|d| d.path == dir).map(|d| d.place);
    assert_eq!(place(&cpath), Some(Place::User));
    assert_eq!(place(Path::new("/usr/share")), Some(Place::User));
    assert_eq!(place(Path::new("/usr/lib")), Some(Place::User));
    assert_eq!(place(Path::new("/usr/include")), Some(Place::Builtin));
    // Those that are not there yet stand before all that the compiler lists.
    let there = flags.search.dirs.iter().filter(|dir| dir.path.exists());
    let order: Vec<_> = there.map(|dir| dir.path.clone()).collect();
    assert_eq!(order[..3], [PathBuf::from("/usr/lib"), cpath.clone(), PathBuf::from("/usr/share")]);
    // A directory that was missing and now exists changes where headers are found.
    assert!(toolchain.unchanged(&bench.fs));
}

#[test]
fn on_another_kind_of_machine_native_is_asked_again_and_both_are_kept() {
    for cxx in compilers() {
        let bench = Bench::new(&[cxx]);
        let toolchain = bench.find().unwrap();
        let here = bench.flags(&toolchain, &plain());
        {
            let mut record = toolchain.record();
            record.natives[0].host = "another".to_owned();
            record.predefined.clear();
            toolchain.keep(&record);
        }
        let toolchain = bench.find().unwrap();
        let before = bench.processes();
        assert_eq!(bench.flags(&toolchain, &plain()).text(), here.text());
        assert!(bench.processes() > before);
        let toolchain = bench.find().unwrap();
        let before = bench.processes();
        assert_eq!(bench.flags(&toolchain, &plain()).features, here.features);
        assert_eq!(bench.processes(), before);
        assert_eq!(toolchain.record().natives.len(), 2);
    }
}
