//! What goes wrong between the parts of the engine: dependencies that vanish, many ways to one kernel,
//! failures that must not be remembered, threads that cannot wait for each other.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Barrier};
use std::time::Duration;

use dijitso::{Error, Jit, KernelOrigin, KernelSpec, Language, Params, Source};
use dijitso_tests::kernels::{self, Number};
use dijitso_tests::protocol::{ShimMode, ShimStep};

use crate::harness::{Place, need};

/// Exports `<name>_value`, which returns `value`, and a header that declares it.
fn library(name: &str, value: i32) -> KernelSpec<()> {
    let name = name.to_owned();
    KernelSpec::new(&name.clone(), value, move || {
        let text = format!("#include \"{name}.h\"\nint {name}_value() {{ return {value}; }}\n");
        // SAFETY: has no arguments and no state.
        unsafe { Source::translation_unit(text) }
            .header(format!("{name}.h"), format!("extern \"C\" int {name}_value();\n"))
            .export(format!("{name}_value"))
    })
}

/// Adds `more` to what a [`library`] returns.
fn user(name: &str, base: &str, value: i32, more: i32) -> KernelSpec<Number> {
    let (name, base) = (name.to_owned(), base.to_owned());
    KernelSpec::new(&name.clone(), (value, more), move || {
        let text = format!(
            "#include \"{base}.h\"\nextern \"C\" int {name}() {{ return {base}_value() + {more}; }}\n"
        );
        // SAFETY: has no arguments and no state.
        unsafe { Source::translation_unit(text) }.depends_on(&library(&base, value))
    })
}

fn remove_entries(place: &Place) {
    place.entries().iter().for_each(|entry| std::fs::remove_file(entry).unwrap());
}

#[test]
fn a_loaded_kernel_whose_entry_was_removed_is_built_again_for_its_dependents() {
    let place = Place::new();
    let jit = place.jit();
    jit.load(&library("base", 40)).unwrap();
    remove_entries(&place);
    assert_eq!(jit.load(&user("first", "base", 40, 1)).unwrap().call(), 41);
}

#[test]
fn one_removed_entry_is_built_again_for_all_its_dependents_at_once() {
    let place = Place::new();
    let jit = place.builder().jobs(4).build().unwrap();
    jit.load(&library("base", 40)).unwrap();
    remove_entries(&place);
    let specs: Vec<_> = (1..6).map(|more| user(&format!("user{more}"), "base", 40, more)).collect();
    let kernels = jit.load_all(&specs).unwrap();
    assert_eq!(kernels.iter().map(|k| k.call()).collect::<Vec<_>>(), [41, 42, 43, 44, 45]);
    assert_eq!(jit.stats().compiled, 7);
}

/// `step<n>` is linked to all steps below it: 2^(n-1) ways lead down.
fn step(n: u32) -> KernelSpec<Number> {
    KernelSpec::new(format!("step{n:02}"), n, move || {
        let calls: String = (0..n).map(|i| format!(" + step{i:02}_value()")).collect();
        let includes: String = (0..n).map(|i| format!("#include \"step{i:02}.h\"\n")).collect();
        let text = format!(
            "{includes}extern \"C\" int step{n:02}_value() {{ return 1{calls}; }}\n\
             extern \"C\" int step{n:02}() {{ return step{n:02}_value(); }}\n"
        );
        // SAFETY: has no arguments and no state.
        let source = unsafe { Source::translation_unit(text) }
            .header(format!("step{n:02}.h"), format!("extern \"C\" int step{n:02}_value();\n"))
            .export(format!("step{n:02}_value"));
        (0..n).fold(source, |source, i| source.depends_on(&step(i)))
    })
}

#[test]
fn a_kernel_to_which_many_ways_lead_is_looked_up_once() {
    let place = Place::new();
    assert_eq!(place.jit().load(&step(13)).unwrap().call(), 1 << 13);
    let warm = place.jit();
    let before = warm.stats();
    assert_eq!(warm.load(&step(13)).unwrap().call(), 1 << 13);
    let after = warm.stats();
    assert_eq!((after.generated, after.compiled, after.disk_hits), (0, 0, 14));
    assert!(after.opens - before.opens < 100, "{} files opened", after.opens - before.opens);

    // In a batch each is looked up once, too.
    let warm = place.jit();
    let before = warm.stats();
    warm.load_all((0..14).map(step).collect::<Vec<_>>()).unwrap();
    let after = warm.stats();
    assert!(after.opens - before.opens < 100, "{} files opened", after.opens - before.opens);
}

/// A text whose unit does not depend on the flags for C++, while the index key does.
#[test]
#[cfg(target_arch = "x86_64")]
fn what_another_programs_build_left_is_found_without_generating_the_second_time() {
    let place = Place::new();
    let spec = || -> KernelSpec<Number> {
        KernelSpec::new("plain_c", (), || {
            // SAFETY: has no arguments and no state.
            unsafe { Source::new("int plain_c(void) { return 3; }") }.language(Language::C)
        })
    };
    place.builder().cxxflag("-march=x86-64-v2").build().unwrap().load(&spec()).unwrap();
    let counts: Vec<_> = (0..3)
        .map(|_| {
            let jit = place.builder().cxxflag("-march=x86-64").build().unwrap();
            assert_eq!(jit.load(&spec()).unwrap().call(), 3);
            (jit.stats().generated, jit.stats().compiled)
        })
        .collect();
    assert_eq!(counts, [(1, 0), (0, 0), (0, 0)]);
}

fn run(program: &str, args: &[&str], dir: &Path) {
    let status = std::process::Command::new(program).args(args).current_dir(dir).status().unwrap();
    assert!(status.success(), "{program} {args:?}");
}

/// `libneeded.a` in `dir`, with this text.
fn archive(dir: &Path, text: &str) {
    std::fs::create_dir_all(dir).unwrap();
    std::fs::write(dir.join("needed.c"), text).unwrap();
    let _ = std::fs::remove_file(dir.join("libneeded.a"));
    run("cc", &["-c", "-fPIC", "needed.c", "-o", "needed.o"], dir);
    run("ar", &["rcs", "libneeded.a", "needed.o"], dir);
}

fn linked(name: &'static str, links: String, dirs: Vec<PathBuf>) -> KernelSpec<Number> {
    KernelSpec::new(name, (links.clone(), dirs.clone()), move || {
        let text = format!("extern \"C\" int needed();\nextern \"C\" int {name}() {{ return needed(); }}\n");
        // SAFETY: has no arguments and no state.
        let source = unsafe { Source::translation_unit(text) }.link(links.clone());
        dirs.iter().fold(source, |source, dir| source.link_dir(dir))
    })
}

fn an_archive_that_is_repaired_is_linked(compiler: &str) {
    if need(compiler.split(' ').next().unwrap_or_default()).is_none() || need("ar").is_none() {
        return;
    }
    for by_name in [false, true] {
        let place = Place::new();
        let dir = place.path("lib");
        let spec = || match by_name {
            true => linked("by_name", "needed".into(), vec![dir.clone()]),
            false => linked("by_path", dir.join("libneeded.a").display().to_string(), Vec::new()),
        };
        let load = || place.builder().cxx(compiler).build().unwrap().load(&spec());
        let error = load().unwrap_err();
        assert!(matches!(error, Error::Link { .. }), "{error:?}");
        archive(&dir, "int other(void) { return 1; }\n");
        assert!(load().unwrap_err().to_string().contains("needed"));
        archive(&dir, "int needed(void) { return 7; }\n");
        assert_eq!(load().unwrap_or_else(|e| panic!("{}", e.report())).call(), 7, "by name: {by_name}");
    }
}

#[test]
fn a_library_that_is_repaired_after_a_failed_link_is_linked() {
    an_archive_that_is_repaired_is_linked("g++");
}

#[test]
fn with_clang_a_library_that_is_repaired_is_linked_too() {
    an_archive_that_is_repaired_is_linked("clang++");
}

#[test]
fn with_another_linker_a_library_that_is_repaired_is_linked_too() {
    if need("ld.gold").is_some() {
        an_archive_that_is_repaired_is_linked("g++ -fuse-ld=gold");
    }
}

#[test]
fn a_library_that_no_directory_has_may_be_installed_later() {
    let place = Place::new();
    let load = || place.jit().load(&linked("nowhere", "dijitso_no_such_library".into(), Vec::new()));
    assert!(matches!(load().unwrap_err(), Error::Link { .. }));
    let again = place.jit();
    assert!(again.load(&linked("nowhere", "dijitso_no_such_library".into(), Vec::new())).is_err());
    assert_eq!(
        (again.stats().negative_hits, again.stats().compiled),
        (0, 1),
        "all of /usr/lib is not watched"
    );
}

#[test]
fn a_header_that_is_installed_after_a_failed_compile_is_found() {
    for compiler in ["g++", "clang++"] {
        if need(compiler).is_none() {
            continue;
        }
        let place = Place::new();
        let dir = place.path("include");
        std::fs::create_dir(&dir).unwrap();
        let load =
            || place.builder().cxx(compiler).build().unwrap().load(&kernels::state(dir.clone(), false));
        assert!(load().unwrap_err().to_string().contains("state.h"));
        place.write("include/state.h", "#define STATE 5\n");
        assert_eq!(load().unwrap_or_else(|e| panic!("{compiler}: {}", e.report())).call(), 5);
    }
}

#[test]
fn trouble_with_files_or_a_wrapper_is_not_remembered_as_a_mistake_in_the_text() {
    for stderr in [
        "k00001_unit.cpp:3:10: fatal error: cstddef: Stale file handle\n",
        "/nfs/include/a.h:1:2: error: Input/output error\n",
        "ccache: error: Failed to create directory /home/x/.ccache/tmp: Permission denied\n",
        "distcc[7]: ERROR: failed to connect\n",
    ] {
        let place = Place::new();
        let shim = place.shim();
        let jit = || place.builder().cxx(shim.word()).build().unwrap();
        let first = jit();
        shim.set(ShimMode::Fail { status: 1, stderr: stderr.as_bytes().to_vec() }, ShimStep::Compile);
        assert!(first.load(&kernels::number(1)).unwrap_err().to_string().contains(stderr.trim()));
        shim.set(ShimMode::Pass, ShimStep::Compile);
        assert!(jit().load(&kernels::number(1)).is_ok(), "remembered: {stderr}");
    }
}

/// A file that a kernel's own flag names decides what the compiler makes of the text.
#[test]
fn a_file_that_a_kernels_flag_names_is_tracked() {
    if need("g++").is_none() {
        return;
    }
    let place = Place::new();
    let specs = place.path("own.specs");
    let spec = || -> KernelSpec<Number> {
        let flag = format!("-specs={}", specs.display());
        KernelSpec::new("by_specs", flag.clone(), move || {
            // SAFETY: has no arguments and no state.
            unsafe { Source::new("int by_specs() { return FROM_SPECS; }") }.flag(&flag)
        })
    };
    let load = |value: i32| {
        std::fs::write(&specs, format!("*cc1plus:\n+ -DFROM_SPECS={value}\n\n")).unwrap();
        let kernel = place.builder().cxx("g++").build().unwrap().load(&spec());
        kernel.unwrap_or_else(|e| panic!("{}", e.report())).call()
    };
    assert_eq!([load(1), load(2), load(1)], [1, 2, 1]);
}

#[test]
fn two_dependencies_with_different_headers_of_one_name_are_an_error() {
    let base = |name: &'static str, value: i32| -> KernelSpec<()> {
        KernelSpec::new(name, (), move || {
            // SAFETY: constant.
            unsafe {
                Source::translation_unit(format!("extern \"C\" int {name}_value() {{ return {value}; }}\n"))
            }
            .header("sizes.h", format!("#define SIZE {value}\n"))
            .export(format!("{name}_value"))
        })
    };
    let spec: KernelSpec<Number> = KernelSpec::new("both", (), move || {
        // SAFETY: has no arguments and no state.
        unsafe {
            Source::translation_unit("#include \"sizes.h\"\nextern \"C\" int both() { return SIZE; }\n")
        }
        .depends_on(&base("small", 1))
        .depends_on(&base("large", 2))
    });
    let place = Place::new();
    let error = place.jit().load(&spec).map(|kernel| kernel.call()).expect_err("which of them is it?");
    let text = error.to_string();
    assert!(text.contains("sizes.h") && text.contains("small") && text.contains("large"), "{text}");
}

#[test]
fn checking_reads_headers_where_entries_keep_them() {
    let place = Place::new();
    let spec = user("checked", "base", 1, 1);
    place.jit().load(&spec).unwrap();
    place.jit().load(&library("base", 1)).unwrap();
    let jit = place.builder().check(true).build().unwrap();
    jit.load(&library("base", 1)).unwrap_or_else(|e| panic!("{}", e.report()));
    jit.load(&spec).unwrap_or_else(|e| panic!("{}", e.report()));
}

#[test]
fn a_broken_compiler_is_asked_once_for_a_batch() {
    let place = Place::new();
    let broken = place.write("broken", "#!/bin/sh\necho broken >&2\nexit 1\n");
    crate::harness::set_mode(&broken, 0o755);
    let jit = place.builder().cxx(broken.display().to_string()).build().unwrap();
    let asked = |jit: &Jit, n: u32| {
        let before = jit.stats().processes;
        let error = jit.load_all((0..n).map(kernels::number).collect::<Vec<_>>()).unwrap_err();
        assert!(error.to_string().contains("broken"), "{error}");
        jit.stats().processes - before
    };
    assert_eq!(asked(&jit, 20), asked(&jit, 1));
}

#[test]
fn parameters_replace_all_that_was_set_before() {
    let place = Place::new();
    let mut params = Params::default();
    params.cache.dir = Some(place.cache());
    let jit = Jit::builder().cxx("/no/such/compiler").params(params).build().unwrap();
    assert!(jit.load(&kernels::number(1)).is_ok());
}

#[test]
fn memory_hits_of_a_batch_are_counted() {
    let place = Place::new();
    let jit = place.jit();
    let specs = [kernels::number(1), kernels::number(2)];
    jit.load_all(&specs).unwrap();
    jit.load_all(&specs).unwrap();
    assert_eq!((jit.stats().memory_hits, jit.stats().built), (2, 2));
}

/// Kernels linked to each other in a circle; each generator meets the other's at the barrier, once.
fn ring(name: &'static str, other: &'static str, meet: Arc<(Barrier, AtomicU32)>) -> KernelSpec<Number> {
    KernelSpec::new(name, (), move || {
        if meet.1.fetch_add(1, Ordering::SeqCst) < 2 {
            meet.0.wait();
        }
        // SAFETY: has no arguments and no state.
        unsafe { Source::new(format!("int {name}() {{ return 1; }}")) }.depends_on(&ring(
            other,
            name,
            meet.clone(),
        ))
    })
}

#[test]
fn kernels_linked_to_each_other_are_a_circle_also_for_threads_that_do_not_wait() {
    for wait in [Duration::ZERO, Duration::from_secs(300)] {
        let place = Place::new();
        let jit = place.builder().lock_wait(wait).build().unwrap();
        let meet = Arc::new((Barrier::new(2), AtomicU32::new(0)));
        let specs = [ring("left", "right", meet.clone()), ring("right", "left", meet)];
        let errors = std::thread::scope(|s| {
            let threads =
                [0, 1].map(|i| (&jit, &specs[i])).map(|(jit, spec)| s.spawn(move || jit.load(spec)));
            threads.map(|thread| thread.join().unwrap().unwrap_err().report())
        });
        assert!(errors.iter().all(|text| text.contains("circle") && text.contains("left")), "{errors:?}");
        assert!(jit.load(&kernels::number(1)).is_ok());
    }
}

#[test]
fn the_script_of_a_failed_link_runs_only_what_led_to_the_failure() {
    let place = Place::new();
    let text = "extern \"C\" int nowhere();\nextern \"C\" int unlinked() { return nowhere(); }\n";
    let error = place.jit().load(&kernels::unit("unlinked", text)).unwrap_err();
    let Error::Link { bundle: Some(bundle), command, .. } = error else { panic!("{error:?}") };
    let script = std::fs::read_to_string(bundle.join("command.sh")).unwrap();
    let commands: Vec<&str> =
        script.lines().filter(|line| line.starts_with(['/', 'e']) && line.contains(" -o ")).collect();
    assert_eq!(commands.len(), 2, "one compile, one link: {script}");
    assert!(command.contains("-shared"), "{command}");
    let output =
        std::process::Command::new("sh").arg(bundle.join("command.sh")).env("CPATH", "/nonsense").output();
    let output = output.unwrap();
    let log = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && log.contains("nowhere"), "{log}");
}

#[test]
fn with_link_time_optimization_nothing_is_built_twice() {
    let place = Place::new();
    let build = || place.builder().cxxflag("-flto").build().unwrap();
    let jit = build();
    assert_eq!(jit.load(&kernels::number(1)).unwrap().origin(), KernelOrigin::Built);
    assert_eq!(jit.stats().compiled, 1);
    assert_eq!(build().load(&kernels::number(1)).unwrap().origin(), KernelOrigin::Disk);
}

/// A chain of dependencies as long as no generator writes one.
#[test]
fn a_long_chain_of_dependencies_is_no_end_of_the_stack() {
    fn link(n: u32) -> KernelSpec<Number> {
        KernelSpec::new(format!("link{n}"), n, move || -> Result<Source<Number>, &'static str> {
            if n == 0 {
                return Err("the end of the chain");
            }
            // SAFETY: has no arguments and no state.
            let source = unsafe { Source::new(format!("int link{n}() {{ return 1; }}")) };
            Ok(source.depends_on(&link(n - 1)))
        })
    }
    let place = Place::new();
    let jit = place.jit();
    let error = jit.load(&link(2000)).unwrap_err();
    assert!(error.to_string().contains("the end of the chain"), "{error}");
}

/// The text depends on what another kernel returns, and that on a header.
#[test]
fn a_kernel_that_a_generator_loaded_is_an_input_of_its_text() {
    let place = Place::new();
    let dir = place.path("include");
    let value = |value: i32| {
        place.write("include/state.h", &format!("#define STATE {value}\n"));
        let jit = place.jit();
        let inner = (jit.clone(), dir.clone());
        let spec: KernelSpec<Number> =
            KernelSpec::new("asks", dir.clone(), move || -> dijitso::Result<Source<Number>> {
                let state = inner.0.load(&kernels::state(inner.1.clone(), false))?.call();
                // SAFETY: has no arguments and no state.
                Ok(unsafe { Source::new(format!("int asks() {{ return {state}; }}")) })
            });
        (jit.load(&spec).unwrap().call(), jit.stats().generated, jit.stats().compiled)
    };
    assert_eq!(value(1), (1, 2, 2));
    assert_eq!(value(1), (1, 0, 0));
    assert_eq!(value(2), (2, 2, 2));
    assert_eq!(value(1).0, 1);
    assert_eq!(value(1).1, 0);
}

#[test]
fn a_failure_that_no_cache_can_keep_is_remembered_by_the_program() {
    let jit = Jit::builder().cache_dir("/proc/self/no-such-directory").build().unwrap();
    let wrong = || kernels::text("wrong", "int wrong() { return x; }");
    for _ in 0..3 {
        assert!(matches!(jit.load(&wrong()).unwrap_err(), Error::Compile { .. }));
    }
    let stats = jit.stats();
    assert_eq!((stats.compiled, stats.negative_hits), (1, 2), "{stats:?}");
}
