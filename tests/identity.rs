//! What changes a kernel behind everybody's back: variables, configuration and tools that compilers read
//! by themselves, and files that are exchanged while they are read. None may leave an old kernel in place.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use dijitso::{KernelSpec, Source};
use dijitso_tests::kernels::{self, Number};

use crate::harness::{Place, install, install_changed, need, set_mode, skip, which};

/// How often a kernel that needs nothing is compiled with this environment.
fn compiled(place: &Place, env: &[(&str, &str)]) -> u64 {
    let client = place.client(["numbers", "1", "2"]);
    let client = env.iter().fold(client, |client, (name, value)| client.env(name, value));
    client.ok().outcome.stats.compiled
}

/// A linker writes it into the library: it decides which libraries a kernel finds when it is loaded.
#[test]
fn the_run_path_that_linkers_read_counts() {
    let place = Place::new();
    assert_eq!(compiled(&place, &[]), 1);
    assert_eq!(compiled(&place, &[("LD_RUN_PATH", "/one")]), 1);
    assert_eq!(compiled(&place, &[("LD_RUN_PATH", "/two")]), 1);
    assert_eq!(compiled(&place, &[("LD_RUN_PATH", "/one")]), 0);
}

/// A compiler writes it into the kernel as `__DATE__`.
#[test]
fn the_date_that_compilers_read_counts() {
    let place = Place::new();
    let value = |epoch: &str| {
        let text = "int year() { return __DATE__[10] - '0'; }";
        let ran = place.client(["text", "year", text]).without("CXX").env("SOURCE_DATE_EPOCH", epoch).ok();
        (ran.values()[0], ran.outcome.stats.compiled)
    };
    assert_eq!(value("0"), (0.0, 1));
    assert_eq!(value("40000000"), (1.0, 1), "1971");
    assert_eq!(value("0"), (0.0, 0));
}

/// Open MPI's wrapper runs what its variables say.
#[test]
fn the_variables_that_mpi_wrappers_read_count() {
    let Some(_) = need("mpicxx") else { return };
    let open_mpi = Command::new("mpicxx").arg("--showme:version").output().unwrap();
    if !open_mpi.status.success() {
        return skip("mpicxx is not Open MPI's");
    }
    let place = Place::new();
    let mpi = ("CXX", "mpicxx");
    assert_eq!(compiled(&place, &[mpi]), 1);
    let shim = place.shim();
    assert_eq!(compiled(&place, &[mpi, ("OMPI_CXX", &shim.word())]), 1);
    assert_eq!(shim.compiles().len(), 1, "another compiler");
    assert_eq!(compiled(&place, &[mpi, ("OMPI_CXXFLAGS", "-fwrapv")]), 1);
    assert_eq!(compiled(&place, &[mpi, ("OMPI_CPPFLAGS", "-DX")]), 1);
    // In the place of the directories where its libraries are, which a kernel without MPI does not need.
    assert_eq!(compiled(&place, &[mpi, ("OMPI_LDFLAGS", "-L/nowhere")]), 1);
    assert_eq!(compiled(&place, &[mpi]), 0);
}

/// A gcc of our own, all its parts behind links: gcc finds them from where its driver is.
struct Gcc {
    driver: PathBuf,
    /// Where its `cc1plus` and everything beside it is.
    parts: PathBuf,
    /// The real one.
    cc1plus: PathBuf,
}

impl Gcc {
    fn new(place: &Place) -> Option<Gcc> {
        let real = which("g++")?.canonicalize().ok()?;
        let said = Command::new(&real).arg("-print-prog-name=cc1plus").output().ok()?;
        let cc1plus = PathBuf::from(String::from_utf8_lossy(&said.stdout).trim());
        let parts = cc1plus.parent()?.to_owned();
        let gcc = Gcc {
            cc1plus,
            driver: place.path("gcc/bin/g++"),
            parts: place.path("gcc").join(parts.strip_prefix("/usr").ok()?),
        };
        std::fs::create_dir_all(gcc.driver.parent()?).ok()?;
        std::fs::create_dir_all(&gcc.parts).ok()?;
        install(&real, &gcc.driver);
        for entry in std::fs::read_dir(parts).ok()?.flatten() {
            symlink(entry.path(), gcc.parts.join(entry.file_name())).ok()?;
        }
        Some(gcc)
    }

    /// Puts a script in the place of `cc1plus` that gives the real one another word.
    fn replace_cc1plus(&self, word: &str) {
        self.replace("cc1plus", word);
    }

    fn replace(&self, compiler: &str, word: &str) {
        let real = self.cc1plus.with_file_name(compiler);
        let script = format!("#!/bin/sh\nexec '{}' \"$@\" {word}\n", real.display());
        let new = self.parts.join("new");
        std::fs::write(&new, script).unwrap();
        set_mode(&new, 0o755);
        std::fs::rename(new, self.parts.join(compiler)).unwrap();
    }
}

fn compiles(place: &Place, cxx: &Path) -> u64 {
    compiled(place, &[("CXX", cxx.to_str().unwrap())])
}

/// How often kernels are compiled that have these flags of their own.
fn compiled_with(place: &Place, cxx: &Path, name: &'static str, flags: &[String]) -> u64 {
    let flags = flags.to_vec();
    let spec: KernelSpec<Number> = KernelSpec::new(name, (), move || {
        // SAFETY: has no arguments and no state.
        let source = unsafe { Source::new(format!("int {name}() {{ return 3; }}")) };
        flags.iter().fold(source, Source::flag)
    });
    let jit = place.builder().cxx(cxx.display().to_string()).build().unwrap();
    jit.load(&spec).unwrap();
    jit.stats().compiled
}

/// A kernel's own flag makes gcc run a compiler in the link that has no part in other kernels.
#[test]
fn the_compiler_that_a_kernels_flag_calls_for_counts_for_that_kernel_alone() {
    let place = Place::new();
    let Some(gcc) = Gcc::new(&place) else { return skip("no gcc that can be copied") };
    let plain = || compiled_with(&place, &gcc.driver, "plain", &[]);
    let at_link = || compiled_with(&place, &gcc.driver, "at_link", &["-flto".to_owned()]);
    assert_eq!((plain(), plain(), at_link(), at_link()), (1, 0, 1, 0));
    for word in ["-fwrapv", "-ftrapv"] {
        gcc.replace("lto1", word);
        assert_eq!((plain(), at_link(), at_link()), (0, 1, 0), "{word}");
    }
}

/// So does a linker that only one kernel wants.
#[test]
fn the_linker_that_a_kernels_flag_calls_for_counts_for_that_kernel_alone() {
    let (Some(cxx), Some(lld)) = (need("g++"), need("ld.lld")) else { return };
    let place = Place::new();
    let own = place.path("own");
    std::fs::create_dir(&own).unwrap();
    let install = |text: &str| {
        let script = format!("#!/bin/sh\n# {text}\nexec '{}' \"$@\"\n", lld.display());
        std::fs::write(own.join("new"), script).unwrap();
        set_mode(&own.join("new"), 0o755);
        std::fs::rename(own.join("new"), own.join("ld.lld")).unwrap();
    };
    install("one");
    let flags = [format!("-B{}/", own.display()), "-fuse-ld=lld".to_owned()];
    let plain = || compiled_with(&place, &cxx, "plain", &[]);
    let linked = || compiled_with(&place, &cxx, "linked", &flags);
    assert_eq!((plain(), plain(), linked(), linked()), (1, 0, 1, 0));
    for text in ["two", "three"] {
        install(text);
        assert_eq!((plain(), linked(), linked()), (0, 1, 0), "{text}");
    }
}

/// gcc obeys a file of this name beside its libraries; Spack and others put one there to add run paths.
#[test]
fn a_specs_file_of_gcc_makes_another_compiler() {
    let place = Place::new();
    let Some(gcc) = Gcc::new(&place) else { return skip("no gcc that can be copied") };
    let specs = Command::new(&gcc.driver).arg("-dumpspecs").output().unwrap();
    let specs = String::from_utf8(specs.stdout).unwrap();
    let (before, after) = specs.split_once("*cc1plus:\n").expect("specs for cc1plus");
    assert_eq!((compiles(&place, &gcc.driver), compiles(&place, &gcc.driver)), (1, 0));
    for flag in ["-fwrapv", "-ftrapv"] {
        std::fs::write(gcc.parts.join("specs"), format!("{before}*cc1plus:\n{flag} {after}")).unwrap();
        assert_eq!((compiles(&place, &gcc.driver), compiles(&place, &gcc.driver)), (1, 0), "{flag}");
    }
    std::fs::remove_file(gcc.parts.join("specs")).unwrap();
    assert_eq!(compiles(&place, &gcc.driver), 0, "the kernels of before are there");
}

/// clang obeys a file that is named like itself and lies beside it.
#[test]
fn a_configuration_file_of_clang_makes_another_compiler() {
    let Some(clang) = need("clang++") else { return };
    let place = Place::new();
    let said = Command::new(&clang).arg("-print-target-triple").output().unwrap();
    let name = format!("{}-clang++", String::from_utf8_lossy(&said.stdout).trim());
    let (driver, file) = (place.path("bin").join(&name), format!("bin/{name}.cfg"));
    std::fs::create_dir(place.path("bin")).unwrap();
    install(&clang.canonicalize().unwrap(), &driver);
    if !Command::new(&driver).arg("--version").output().unwrap().status.success() {
        return skip("clang cannot be copied");
    }
    assert_eq!((compiles(&place, &driver), compiles(&place, &driver)), (1, 0));
    for flag in ["-fwrapv", "-ftrapv"] {
        place.write(&file, flag);
        assert_eq!((compiles(&place, &driver), compiles(&place, &driver)), (1, 0), "{flag}");
    }
}

/// `-B` chooses the tools behind the driver: what they are counts, not only where.
#[test]
fn an_assembler_that_a_flag_selects_is_part_of_the_compiler() {
    let (Some(gcc), Some(real)) = (need("g++"), need("as")) else { return };
    let place = Place::new();
    std::fs::create_dir(place.path("tools")).unwrap();
    let flag = format!("-B{}", place.path("tools").display());
    let run = || compiled(&place, &[("CXX", gcc.to_str().unwrap()), ("CXXFLAGS", &flag)]);
    assert_eq!((run(), run()), (1, 0));
    install(&real, &place.path("tools/as"));
    assert_eq!((run(), run()), (1, 0), "now there is one");
    install_changed(&real, &place.path("tools/as"));
    assert_eq!((run(), run()), (1, 0), "now it is another one");
}

/// The loader decides what an assembler or a compiler is made of.
#[test]
fn another_library_behind_a_compiler_makes_another_compiler() {
    let (Some(gcc), Some(real)) = (need("g++"), need("as")) else { return };
    let place = Place::new();
    let said = Command::new("ldd").arg(&real).output().unwrap();
    let said = String::from_utf8_lossy(&said.stdout);
    let library = said.lines().find(|line| line.contains("libbfd")).and_then(|l| l.split(' ').nth(2));
    let Some(library) = library.map(PathBuf::from) else { return skip("as has no library of its own") };
    std::fs::create_dir(place.path("lib")).unwrap();
    let own = place.path("lib").join(library.file_name().unwrap());
    install_changed(&library, &own);
    let cxx = ("CXX", gcc.to_str().unwrap());
    let dir = place.path("lib").display().to_string();
    assert_eq!(compiled(&place, &[cxx]), 1);
    assert_eq!(compiled(&place, &[cxx, ("LD_LIBRARY_PATH", &dir)]), 1, "another library");
    install(&library, &own);
    assert_eq!(compiled(&place, &[cxx, ("LD_LIBRARY_PATH", &dir)]), 0, "the same library elsewhere");
    assert_eq!(compiled(&place, &[cxx, ("LD_LIBRARY_PATH", "/nonexistent")]), 0);
}

/// What flags name is part of a kernel, also where no make rule mentions it.
#[test]
fn a_profile_that_a_flag_names_is_part_of_a_kernel() {
    let Some(clang) = need("clang++") else { return };
    let (Some(tool), place) = (which("llvm-profdata-14").or_else(|| which("llvm-profdata")), Place::new())
    else {
        return skip("llvm-profdata is not installed");
    };
    let profile = |count: u32| {
        let text = format!("k00001\n0\n1\n{count}\n\n");
        let input = place.write("input", &text);
        let output = place.path("default.profdata");
        let made = Command::new(&tool).arg("merge").arg(input).arg("-o").arg(output).status().unwrap();
        assert!(made.success());
    };
    let flag = format!("-fprofile-use={}", place.root().display());
    let run = || compiled(&place, &[("CXX", clang.to_str().unwrap()), ("CXXFLAGS", &flag)]);
    profile(1);
    assert_eq!((run(), run()), (1, 0));
    profile(1000);
    assert_eq!((run(), run()), (1, 0), "another profile");
}

/// ccache takes a driver that did not change for a compiler that did not change.
#[test]
fn ccache_does_not_keep_a_compiler_that_was_replaced() {
    let Some(_) = need("ccache") else { return };
    let place = Place::new();
    let Some(gcc) = Gcc::new(&place) else { return skip("no gcc that can be copied") };
    let cache = place.path("ccache");
    let cxx = format!("env CCACHE_DIR={} ccache {}", cache.display(), gcc.driver.display());
    // Without an entry, whose name would tell.
    let spec: KernelSpec<()> = KernelSpec::new("exported", (), || {
        let text = "#ifndef VALUE\n#define VALUE 1\n#endif\nextern \"C\" int value() { return VALUE; }\n";
        // SAFETY: has no arguments and no state.
        unsafe { Source::translation_unit(text) }.export("value")
    });
    let value = || {
        let jit = place.builder().cxx(cxx.as_str()).build().unwrap();
        let kernel = jit.load(&spec).unwrap();
        // SAFETY: its type is `Number`.
        let value = unsafe { kernel.function::<Number>("value") }.unwrap();
        (value(), jit.stats().compiled)
    };
    gcc.replace_cc1plus("");
    assert_eq!(value(), (1, 1));
    gcc.replace_cc1plus("-DVALUE=2");
    assert_eq!(value(), (2, 1));
}

/// A version is changed by a link while the compiler runs: all files are old, and none was compiled.
#[test]
fn a_link_to_headers_that_turns_during_a_build_leaves_no_old_kernel() {
    let place = Place::new();
    for version in ["1", "2"] {
        place.write(&format!("v{version}/state.h"), &format!("#define STATE {version}\n"));
    }
    symlink("v1", place.path("link")).unwrap();
    symlink("link", place.path("current")).unwrap();
    let real = crate::harness::real_compiler();
    let script = format!(
        "#!/bin/sh\n'{}' \"$@\"\nstatus=$?\ncase \"$*\" in *-###*) ;; *' -c '*)\nif [ -e '{root}/turn' ]; then\n\
         rm '{root}/turn'; ln -s v2 '{root}/new'; mv -T '{root}/new' '{root}/link'; fi;;\nesac\nexit $status\n",
        real.display(),
        root = place.root().display()
    );
    let cxx = place.write("c++", &script);
    set_mode(&cxx, 0o755);
    let current = place.path("current");
    let state =
        || place.client(["state", current.to_str().unwrap(), "plain", "1"]).env("CXX", &cxx).ok().values()[0];
    place.write("turn", "");
    state();
    assert!(!place.path("turn").exists(), "it was turned");
    assert_eq!(state(), 2.0);
}

/// The same with a directory that is moved into another's place.
#[test]
fn headers_whose_directory_is_exchanged_during_a_build_leave_no_old_kernel() {
    let place = Place::new();
    place.write("current/state.h", "#define STATE 1\n");
    place.write("new/state.h", "#define STATE 2\n");
    let real = crate::harness::real_compiler();
    let script = format!(
        "#!/bin/sh\n'{}' \"$@\"\nstatus=$?\ncase \"$*\" in *-###*) ;; *' -c '*)\nif [ -e '{root}/new' ]; then\n\
         mv '{root}/current' '{root}/old'; mv '{root}/new' '{root}/current'; fi;;\nesac\nexit $status\n",
        real.display(),
        root = place.root().display()
    );
    let cxx = place.write("c++", &script);
    set_mode(&cxx, 0o755);
    let current = place.path("current");
    let state =
        || place.client(["state", current.to_str().unwrap(), "plain", "1"]).env("CXX", &cxx).ok().values()[0];
    state();
    assert!(place.path("old").exists(), "it was exchanged");
    assert_eq!(state(), 2.0);
}

/// Names that mean something to a linker, a shell or a make rule.
#[test]
fn strange_names_of_directories_are_only_names() {
    let place = Place::new();
    for name in ["a b", "a,b", "a=b", "a:b", "a'b", "a$b", "a#b", "a%b", "a\nb", "a\\b", "ä", "$ORIGIN"] {
        let dir = place.path("odd").join(name);
        let (tmp, headers) = (dir.join("tmp"), dir.join("include"));
        std::fs::create_dir_all(&tmp).unwrap();
        let run = |args: [&str; 2]| {
            place.client(args).env("TMPDIR", &tmp).env("DIJITSO_CACHE_DIR", dir.join("cache")).ok()
        };
        assert_eq!(run(["axpy", "4"]).outcome.stats.compiled, 1, "{name:?}");
        run(["axpy", "4"]).assert_warm();
        if name.contains('\n') {
            continue;
        }
        std::fs::create_dir(&headers).unwrap();
        for state in ["1", "2"] {
            std::fs::write(headers.join("state.h"), format!("#define STATE {state}\n")).unwrap();
            let jit = place.builder().rpath_dir(&dir).lib_dir(&dir).build().unwrap();
            let kernel = jit
                .load(&kernels::state(headers.clone(), true))
                .unwrap_or_else(|e| panic!("{name:?}: {}", e.report()));
            assert_eq!(kernel.call().to_string(), state, "{name:?}");
        }
    }
}

/// A path that is no text would reach the compiler as another path.
#[test]
fn directories_that_are_no_text_are_refused() {
    use std::os::unix::ffi::OsStrExt as _;
    let place = Place::new();
    let dir = place.root().join(std::ffi::OsStr::from_bytes(b"caf\xe9"));
    std::fs::create_dir(&dir).unwrap();
    std::fs::write(dir.join("state.h"), "#define STATE 1\n").unwrap();
    let error = place.jit().load(&kernels::state(dir.clone(), true)).unwrap_err().to_string();
    assert!(error.contains("UTF-8"), "{error}");
    for jit in
        [place.builder().include_dir(&dir), place.builder().lib_dir(&dir), place.builder().rpath_dir(&dir)]
    {
        let error = jit.build().unwrap_err().to_string();
        assert!(error.contains("UTF-8"), "{error}");
    }
    let run =
        || place.client(["axpy", "4"]).env("TMPDIR", &dir).env("DIJITSO_CACHE_DIR", dir.join("cache")).ok();
    assert_eq!(run().outcome.stats.compiled, 1, "as places they are fine");
    run().assert_warm();
}
