//! Finding compilers, knowing them again, and refusing broken ones.

use super::*;

#[test]
fn a_known_compiler_is_found_again_without_a_process() {
    for cxx in compilers() {
        let bench = Bench::new(&[cxx]);
        let first = bench.find().unwrap();
        let flags = bench.flags(&first, &plain());
        let resolved = first.resolved_cpu(&bench.config, &bench.counters).unwrap();
        let asked = bench.processes();
        assert!(asked > 0 && asked < 12, "{cxx}: {asked} processes");
        let again = bench.find().unwrap();
        assert_eq!(again.identity(), first.identity());
        assert_eq!(bench.flags(&again, &plain()).text(), flags.text());
        assert_eq!(again.resolved_cpu(&bench.config, &bench.counters).unwrap(), resolved);
        assert!(again.unchanged(&bench.fs));
        assert_eq!(bench.processes(), asked, "{cxx}: nothing is asked twice");

        let family = if cxx == "g++" { Family::Gcc } else { Family::Clang };
        assert_eq!(first.family(), family);
        assert!(first.target().contains("linux"));
        let inside = |tool: &str| first.ingredients().iter().any(|(name, _)| name == tool);
        match family {
            Family::Gcc => {
                assert!(["cc1plus", "cc1", "as", "ld"].iter().all(|t| inside(&format!("tool {t}"))))
            }
            Family::Clang => assert!(inside("tool clang") && inside("tool ld")),
        }
        assert!(inside("tool driver"));
    }
}

/// A configuration asks about the compiler's default processor, a kernel about this machine's.
#[test]
fn a_compiler_is_the_same_whichever_processor_it_is_asked_about() {
    for cxx in compilers() {
        let bench = Bench::new(&[cxx]);
        let mut other = Bench::new(&[cxx]);
        other.config.build.cpu = sourced(Cpu::Generic);
        let (native, default) = (bench.find().unwrap(), other.find().unwrap());
        assert_eq!(native.identity(), default.identity(), "{cxx}");
        let asked = other.processes();
        other.flags(&default, &plain());
        assert_eq!(other.processes(), asked, "{cxx}: nothing is left to ask");
        // Where the other one left off.
        other.config.build.cpu = bench.config.build.cpu.clone();
        let same = |flags: FlagSet| (flags.text(), flags.features, flags.search);
        assert_eq!(same(other.flags(&default, &plain())), same(bench.flags(&native, &plain())), "{cxx}");
        // What is native, and what is predefined for it: by some clang once more, without what it has no flag for.
        assert!(other.processes() <= asked + 3, "{cxx}");
    }
}

/// A driver tells only of those that are there.
#[test]
fn directories_that_variables_name_are_noticed_when_they_come() {
    for cxx in compilers() {
        let mut bench = Bench::new(&[cxx]);
        let dir = bench.dir.path().join("later");
        bench.config.compiler_env.insert("LIBRARY_PATH", dir.clone().into());
        let first = bench.find().unwrap();
        let dirs = |toolchain: &Toolchain| {
            let template = bench.flags(toolchain, &plain()).template.unwrap();
            template
                .dirs
                .iter()
                .filter(|word| word[2..].starts_with(dir.to_str().unwrap()))
                .cloned()
                .collect()
        };
        let below = dir.join(first.target());
        for place in [&dir, &below] {
            std::fs::create_dir(place).unwrap();
            let then: Vec<String> = dirs(&bench.find().unwrap());
            assert!(then.contains(&format!("-L{}", place.display())) || cxx != "g++", "{cxx}: {then:?}");
        }
        let memo = bench.find().unwrap().identity();
        std::fs::remove_dir_all(&dir).unwrap();
        let asked = Toolchain::find(&bench.config, &bench.fs, &bench.counters, None).unwrap();
        assert_eq!(
            (memo, asked.identity()),
            (first.identity(), first.identity()),
            "{cxx}: it is no other compiler"
        );
    }
    let mut bench = Bench::new(&["g++"]);
    bench.config.compiler_env.insert("COMPILER_PATH", bench.dir.path().join("tools").into());
    let before = bench.find().unwrap();
    std::fs::create_dir(bench.dir.path().join("tools")).unwrap();
    assert_eq!(bench.find().unwrap().identity(), before.identity());
    bench.script("tools/as", "exec /usr/bin/as \"$@\"");
    assert_ne!(bench.find().unwrap().identity(), before.identity(), "another assembler");
}

/// A compiler that is killed has not said that it knows no `native`, and kernels for any machine would be slow for ever.
#[test]
fn a_compiler_that_is_killed_when_it_is_asked_about_the_processor_is_asked_again() {
    let bench = Bench::new(&[]);
    let dies = bench.dir.path().join("dies");
    std::fs::write(&dies, "").unwrap();
    let text = format!("case \"$*\" in *-march=native*) test -e {} && kill -9 $$;; esac", dies.display());
    let script = bench.script("mycxx", &format!("{text}\nexec g++ \"$@\""));
    let mut with = Bench::new(&[&script]);
    with.config.build.cpu = sourced(Cpu::Generic);
    let toolchain = with.find().unwrap();
    with.config.build.cpu = sourced(Cpu::Native);
    let error = with.try_flags(&toolchain, &plain()).unwrap_err();
    assert!(error.to_string().contains("killed by signal 9"), "{error}");
    std::fs::remove_file(dies).unwrap();
    assert!(!with.flags(&toolchain, &plain()).cpu_text.contains("default"));
}

/// Debian has them in packages of their own.
#[test]
fn what_takes_part_in_a_link_that_compiles_is_known() {
    for (cxx, program) in [("g++", "lto1"), ("clang++", "LLVMgold")] {
        if !compilers().contains(&cxx) {
            continue;
        }
        for words in [&[cxx][..], &[cxx, "-flto"]] {
            let bench = Bench::new(words);
            let toolchain = bench.find().unwrap();
            let of = |flags: &[&str]| bench.flags(&toolchain, &wanted(Language::Cxx, flags));
            let (of_words, of_kernel) = (of(&[]), of(&["-flto"]));
            let (_, path) = toolchain.record().compiler_at_link().unwrap();
            assert!(path.exists(), "{cxx}: {}", path.display());
            let known = |flags: &FlagSet| flags.files().iter().any(|(name, _)| name == program);
            assert_eq!((known(&of_words), known(&of_kernel)), (words.len() > 1, true), "{words:?}");
            assert!(!of_words.inputs().contains(&path) && of_kernel.inputs().contains(&path), "{words:?}");
        }
    }
}

#[test]
fn without_a_directory_to_remember_it_works_too() {
    let bench = Bench::new(&["g++"]);
    let one = Toolchain::find(&bench.config, &bench.fs, &bench.counters, None).unwrap();
    let unwritable = Path::new("/proc/nowhere");
    let two = Toolchain::find(&bench.config, &bench.fs, &bench.counters, Some(unwritable)).unwrap();
    assert_eq!(one.identity(), two.identity());
}

#[test]
fn a_damaged_record_is_as_good_as_none() {
    let bench = Bench::new(&["g++"]);
    let identity = bench.find().unwrap().identity();
    let record = std::fs::read_dir(bench.memo()).unwrap().next().unwrap().unwrap().path();
    let bytes = std::fs::read(&record).unwrap();
    for damage in [&bytes[..0], &bytes[..64], &bytes[..65], &bytes[..bytes.len() - 1], &bytes[1..]] {
        std::fs::write(&record, damage).unwrap();
        let before = bench.processes();
        assert_eq!(bench.find().unwrap().identity(), identity);
        assert!(bench.processes() > before);
        assert_eq!(std::fs::read(&record).unwrap().len(), bytes.len(), "it is written again");
    }
}

#[test]
fn wrappers_are_part_of_the_compiler_and_so_is_what_they_run() {
    let bench = Bench::new(&["g++"]);
    let plain = bench.find().unwrap().identity();
    let script = bench.script("mycxx", "exec g++ \"$@\"");
    let wrapped = Bench::new(&[&script]);
    let found = wrapped.find().unwrap();
    assert_ne!(found.identity(), plain);
    let tools = found.ingredients().into_iter().map(|(_, text)| text).collect::<Vec<_>>().join("\n");
    assert!(tools.contains("mycxx") && tools.contains("/cc1plus") && tools.contains("/g++"), "{tools}");
    bench.script("mycxx", "exec g++ -DX \"$@\"");
    assert!(!found.unchanged(&wrapped.fs));
    assert_ne!(wrapped.find().unwrap().identity(), found.identity());
    if installed("ccache") {
        let cached = Bench::new(&["ccache", "g++"]);
        let found = cached.find().unwrap();
        let tools = found.ingredients().into_iter().map(|(_, text)| text).collect::<Vec<_>>().join("\n");
        assert!(tools.contains("/ccache") && tools.contains("/g++") && tools.contains("/cc1plus"), "{tools}");
        assert_eq!(found.words(), ["ccache", "g++"]);
        assert!(found.unchanged(&cached.fs));
    }
}

#[test]
fn a_compiler_replaced_in_place_is_another_one_and_a_touched_one_is_not() {
    let bench = Bench::new(&[]);
    let output = Command::new("/usr/bin/g++", Path::new("/"), Duration::from_secs(60))
        .arg("-print-prog-name=cc1plus")
        .run(&bench.counters)
        .unwrap();
    let original = String::from_utf8(output.stdout).unwrap();
    // A script in cc1plus's place: as good as a compiler, and quick to digest.
    let tools = bench.dir.path().join("tools");
    std::fs::create_dir(&tools).unwrap();
    let text = format!("exec {} \"$@\"", original.trim());
    let cc1plus = bench.script("tools/cc1plus", &text);
    let script = bench.script("mycxx", &format!("exec g++ -B{}/ \"$@\"", tools.display()));
    let with = Bench::new(&[&script]);

    let first = with.find().unwrap();
    assert!(first.ingredients().iter().any(|(_, path)| path.contains("tools/cc1plus")));
    let asked = with.processes();
    bench.script("tools/cc1plus", &text);
    assert!(first.unchanged(&with.fs), "the same content, written again");
    assert_eq!(with.find().unwrap().identity(), first.identity());
    assert_eq!(with.processes(), asked);
    bench.script("tools/cc1plus", &format!("# patched\n{text}"));
    assert!(!first.unchanged(&with.fs));
    let second = with.find().unwrap();
    assert_ne!(second.identity(), first.identity());
    bench.script("tools/cc1plus", &text);
    assert_eq!(with.find().unwrap().identity(), first.identity());
    // An assembler that is now found earlier.
    bench.script("tools/as", "exec as \"$@\"");
    assert_ne!(with.find().unwrap().identity(), first.identity());
    std::fs::remove_file(cc1plus).unwrap();
}

#[test]
fn a_refused_compiler_says_why_and_a_named_one_is_not_replaced() {
    let mut bench = Bench::new(&[]);
    let scripts = [
        (
            bench.script("fails", "echo 'licence expired' >&2; exit 3"),
            "exited with status 3: licence expired",
        ),
        (bench.script("killed", "kill -9 $$"), "was killed by signal 9"),
        (bench.script("hangs", "sleep 100"), "did not answer within 300 ms"),
        (bench.script("silent", "exit 0"), "is neither gcc nor clang"),
        (
            bench.script("talks", "head -c 100000000 /dev/zero >&2; head -c 100000000 /dev/zero"),
            "is neither gcc nor clang",
        ),
        (bench.script("nonsense", "echo ' /bin/true \"a' >&2; echo yes"), "is neither gcc nor clang"),
        (bench.script("pretends", "echo ' /x/cc1plus a.cpp' >&2"), "another kind of machine"),
        ("/no/such/c++".to_owned(), "does not exist"),
        ("no-such-compiler".to_owned(), "not found on PATH"),
        (bench.dir.path().display().to_string(), "is a directory"),
    ];
    for (script, reason) in &scripts {
        bench.config.build.cxx = Some(sourced(vec![script.clone()]));
        bench.config.build.timeout =
            sourced(Duration::from_millis(if script.ends_with("hangs") { 300 } else { 20_000 }));
        let refused = bench.find().unwrap_err();
        assert_eq!(refused.len(), 1, "{refused:?}");
        assert!(refused[0].0.contains(script.as_str()) && refused[0].0.contains("builder"), "{refused:?}");
        assert!(refused[0].1.contains(reason), "{reason}: {refused:?}");
    }
    bench.config.build.cxx = None;
    bench.config.path = Some(OsString::from("/nonexistent"));
    let refused = bench.find().unwrap_err();
    assert_eq!(refused.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["c++", "g++", "clang++"]);
    // One that is broken is passed over where none was named.
    bench.script("c++", "exit 1");
    let mut path = bench.dir.path().as_os_str().to_owned();
    path.push(":/usr/bin:/bin");
    bench.config.path = Some(path);
    assert_eq!(bench.find().unwrap().words(), ["g++"]);
}
