//! Compilers: found, told apart, replaced, missing; and the flags they are given.

use std::path::PathBuf;
use std::process::Command;

use dijitso::{Cpu, Error, KernelOrigin, Load, Profile};
use dijitso_tests::kernels::{self, Loop, NUMBER_BASE};
use dijitso_tests::protocol::{ShimMode, ShimStep};

use crate::harness::{Place, SHIM, files, install, install_changed, need, set_mode, which};

#[test]
fn gcc_and_clang_build_the_same_kernels_under_different_signatures() {
    let (Some(_), Some(_)) = (need("g++"), need("clang++")) else { return };
    let place = Place::new();
    let mut signatures = Vec::new();
    for cxx in ["g++", "clang++"] {
        let jit = place.builder().cxx(cxx).build().unwrap();
        let kernel = jit.load(&kernels::number(1)).unwrap();
        assert_eq!((kernel.call(), kernel.origin()), (NUMBER_BASE + 1, KernelOrigin::Built), "{cxx}");
        signatures.push(kernel.signature());
        dijitso_tests::small_forms::check(&jit).unwrap();
        assert_eq!(jit.load(&kernels::successor(1)).unwrap().call(), 2, "{cxx}");
    }
    assert_ne!(signatures[0], signatures[1]);
}

#[test]
fn a_compiler_may_be_several_words() {
    let Some(_) = need("ccache") else { return };
    let place = Place::new();
    let run =
        || place.client(["axpy", "4"]).env("CXX", "ccache g++").env("CCACHE_DIR", place.path("ccache")).ok();
    assert_eq!(run().outcome.stats.compiled, 1);
    run().assert_warm();
}

#[test]
fn flags_come_in_the_order_of_precedence_and_reach_the_compiler() {
    let place = Place::new();
    let shim = place.shim();
    let jit = place
        .builder()
        .cxx(shim.word())
        .cppflag("-DFIRST")
        .cxxflag("-fno-exceptions")
        .include_dir("/nonexistent/include")
        .std("c++17")
        .build()
        .unwrap();
    jit.load(&kernels::number(1)).unwrap();
    let compiles = shim.compiles();
    assert_eq!(compiles.len(), 1);
    let call = &compiles[0];
    let at = |word: &str| {
        call.iter().position(|w| w == word).unwrap_or_else(|| panic!("{word} is not in {call:?}"))
    };
    for word in ["-O3", "-fno-math-errno", "-fno-trapping-math", "-fPIC", "-std=c++17", "-DFIRST"] {
        at(word);
    }
    assert!(at("-O3") < at("-fno-exceptions"), "what the program says comes later and wins: {call:?}");
    for word in ["-ffast-math", "-ffinite-math-only", "-march=native", "-shared"] {
        assert!(!call.iter().any(|w| w == word), "{word} in {call:?}");
    }
}

#[test]
fn every_flag_is_recorded_with_who_asked_for_it() {
    let place = Place::new();
    let config = place.write("config.toml", "[build]\ncxxflags = \"-DFROM_FILE\"\n");
    let client =
        place.client(["axpy", "4"]).env("CXXFLAGS", "-DFROM_VARIABLE").env("DIJITSO_CONFIG", &config);
    client.ok();
    let entry = std::fs::File::open(&place.entries()[0]).unwrap();
    let mut archive = zip::ZipArchive::new(entry).unwrap();
    let mut text = String::new();
    std::io::Read::read_to_string(&mut archive.by_name("entry.json").unwrap(), &mut text).unwrap();
    for (flag, origin) in [
        ("-O3", "default"),
        ("-DFROM_VARIABLE", "environment variable CXXFLAGS"),
        ("-DFROM_FILE", "config.toml, line 2"),
        ("-march=", "asked of the compiler"),
    ] {
        let at = text.find(flag).unwrap_or_else(|| panic!("{flag} is not in {text}"));
        let near: String = text[at..].chars().take(200).collect();
        assert!(near.contains(origin), "{flag} must come from {origin}: {near}");
    }
}

#[test]
fn the_debug_profile_is_for_debuggers() {
    let place = Place::new();
    let shim = place.shim();
    let jit = place.builder().cxx(shim.word()).profile(Profile::Debug).build().unwrap();
    jit.load(&kernels::number(1)).unwrap();
    let call = &shim.compiles()[0];
    assert!(call.contains(&"-g".to_owned()) && call.contains(&"-O0".to_owned()), "{call:?}");
    assert!(!call.contains(&"-O3".to_owned()), "{call:?}");
}

/// A library linked with `-ffast-math` changes the arithmetic of the thread that loads it.
#[test]
fn fast_math_is_for_the_compiler_and_never_for_the_linker() {
    let place = Place::new();
    let shim = place.shim();
    let jit = place.builder().cxx(shim.word()).cxxflag("-ffast-math").lib("m").build().unwrap();
    let tiny = f64::MIN_POSITIVE / 4.0;
    jit.load(&kernels::number(1)).unwrap();
    assert!(
        std::hint::black_box(tiny) / std::hint::black_box(2.0) > 0.0,
        "denormal numbers are flushed to zero now"
    );
    for call in shim.calls() {
        let links = call.iter().any(|w| w == "-shared");
        assert!(!links || !call.iter().any(|w| w == "-ffast-math"), "{call:?}");
    }
    assert!(shim.compiles()[0].iter().any(|w| w == "-ffast-math"));
}

#[test]
fn a_simple_kernel_does_not_need_the_driver_to_link() {
    let place = Place::new();
    let shim = place.shim();
    let jit = place.builder().cxx(shim.word()).build().unwrap();
    jit.load(&kernels::number(1)).unwrap();
    jit.load(&kernels::axpy(Loop::Unrolled(4))).unwrap();
    let links = shim
        .calls()
        .iter()
        .filter(|c| c.iter().any(|w| w == "-shared") && !c.iter().any(|w| w == "-###"))
        .count();
    assert_eq!(links, 0, "{:?}", shim.calls());
}

#[test]
fn a_warm_start_asks_the_compiler_nothing() {
    let place = Place::new();
    let shim = place.shim();
    let run = || place.client(["axpy", "4", "8"]).env("CXX", shim.path()).ok();
    run();
    let calls = shim.calls().len();
    run().assert_warm();
    assert_eq!(shim.calls().len(), calls);
}

/// The same, as the system sees it.
#[test]
fn a_warm_start_is_one_process() {
    let Some(strace) = need("strace") else { return };
    let place = Place::new();
    place.client(["axpy", "4", "8"]).ok();
    let trace = place.path("trace");
    let output = Command::new(strace)
        .args(["-f", "-qq", "-e", "trace=execve,execveat,fork,vfork,clone,clone3", "-o"])
        .arg(&trace)
        .arg(crate::harness::CLIENT)
        .args(["axpy", "4", "8"])
        .env("DIJITSO_CACHE_DIR", place.cache())
        .env("DIJITSO_CONFIG", "/dev/null")
        .output()
        .unwrap();
    let Ok(text) = std::fs::read_to_string(&trace) else {
        return crate::harness::not_permitted("tracing");
    };
    if text.is_empty() {
        return crate::harness::not_permitted("tracing");
    }
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(text.lines().count(), 1, "only its own start:\n{text}");
}

#[test]
fn a_missing_compiler_is_reported_with_what_was_tried() {
    let place = Place::new();
    let jit = place.builder().cxx("/nonexistent/bin/c++ -m64").build().unwrap();
    let error = jit.load(&kernels::number(1)).unwrap_err();
    let Error::NoCompiler { candidates, .. } = &error else { panic!("{error:?}") };
    assert!(candidates.iter().any(|(name, _)| name.contains("/nonexistent/bin/c++")), "{candidates:?}");
    let text = error.to_string();
    assert!(text.contains("k00001") && text.contains("install g++ or clang++"), "{text}");
    assert_eq!(jit.stats().generated, 0, "no generator runs for nothing");
}

#[test]
fn a_broken_compiler_is_refused_with_the_reason() {
    let place = Place::new();
    let not_executable = place.write("text/c++", "hello\n");
    set_mode(&not_executable, 0o755);
    let plain = place.write("plain/c++", "#!/bin/sh\n");
    let silent = place.write("silent/c++", "#!/bin/sh\nexit 0\n");
    set_mode(&silent, 0o755);
    for broken in [not_executable, plain, silent, place.root().to_owned()] {
        let jit = place.builder().cxx(broken.display().to_string()).build().unwrap();
        let error = jit.load(&kernels::number(1)).unwrap_err();
        let Error::NoCompiler { candidates, .. } = &error else { panic!("{}: {error:?}", broken.display()) };
        assert!(candidates.iter().all(|(_, reason)| !reason.is_empty()), "{candidates:?}");
    }
    let shim = place.shim();
    shim.set(ShimMode::Fail { status: 1, stderr: b"licence expired\n".to_vec() }, ShimStep::Every);
    let jit = place.builder().cxx(shim.word()).build().unwrap();
    let text = jit.load(&kernels::number(1)).unwrap_err().to_string();
    assert!(text.contains("licence expired"), "{text}");
}

#[test]
fn without_a_compiler_the_cache_still_works() {
    let place = Place::new();
    place.client(["axpy", "4"]).without("CXX").ok();
    std::fs::create_dir(place.path("empty")).unwrap();
    let bare = |args: [&str; 2]| place.client(args).without("CXX").env("PATH", place.path("empty")).run();
    let ran = bare(["axpy", "4"]);
    assert!(ran.outcome.error.is_none(), "{:?}", ran.outcome.error);
    assert_eq!(ran.outcome.kernels[0].origin, KernelOrigin::Disk);
    assert_eq!(ran.warnings(), 1, "it says so once: {}", ran.stderr);
    let ran = bare(["axpy", "5"]);
    assert!(ran.error().contains("not in the cache"), "{}", ran.error());
}

#[test]
fn a_compiler_replaced_in_place_is_another_compiler() {
    let place = Place::new();
    let shim = place.shim();
    let original = place.path("original");
    std::fs::copy(shim.path(), &original).unwrap();
    let compiles = || {
        let jit = place.builder().cxx(shim.word()).build().unwrap();
        jit.load(&kernels::number(1)).unwrap();
        jit.stats().compiled
    };
    assert_eq!((compiles(), compiles()), (1, 0));
    // Runs the same, but is another file content.
    install_changed(&original, shim.path());
    assert_eq!((compiles(), compiles()), (1, 0), "the new compiler compiles once");
    install(&original, shim.path());
    assert_eq!(compiles(), 0, "the old one's kernels are still there");
}

/// A gcc of our own: the driver and `cc1plus` copied, the rest linked; gcc finds its parts from where
/// its driver is.
fn own_gcc(place: &Place) -> Option<(PathBuf, PathBuf)> {
    let real = which("g++")?.canonicalize().ok()?;
    let said = Command::new(&real).arg("-print-prog-name=cc1plus").output().ok()?;
    let cc1plus = PathBuf::from(String::from_utf8_lossy(&said.stdout).trim());
    let parts = cc1plus.parent()?;
    let below = parts.strip_prefix("/usr").ok()?;
    let (bin, lib) = (place.path("gcc/bin"), place.path("gcc").join(below));
    std::fs::create_dir_all(&bin).ok()?;
    std::fs::create_dir_all(&lib).ok()?;
    std::fs::copy(&real, bin.join("g++")).ok()?;
    for entry in std::fs::read_dir(parts).ok()?.flatten() {
        let to = lib.join(entry.file_name());
        if entry.file_name() == "cc1plus" {
            std::fs::copy(entry.path(), to).ok()?;
        } else {
            std::os::unix::fs::symlink(entry.path(), to).ok()?;
        }
    }
    let said = Command::new(bin.join("g++")).arg("-print-prog-name=cc1plus").output().ok()?;
    let found = PathBuf::from(String::from_utf8_lossy(&said.stdout).trim()).canonicalize().ok()?;
    (found == lib.join("cc1plus").canonicalize().ok()?).then(|| (bin.join("g++"), lib.join("cc1plus")))
}

#[test]
fn a_compiler_proper_replaced_behind_its_driver_is_another_compiler() {
    let place = Place::new();
    let Some((driver, cc1plus)) = own_gcc(&place) else {
        return crate::harness::skip("no gcc that can be copied");
    };
    let compiles = || {
        let jit = place.builder().cxx(driver.display().to_string()).build().unwrap();
        jit.load(&kernels::number(1)).unwrap();
        jit.stats().compiled
    };
    assert_eq!((compiles(), compiles()), (1, 0));
    install_changed(&cc1plus, &cc1plus);
    assert_eq!((compiles(), compiles()), (1, 0), "cc1plus alone was replaced");
}

#[test]
fn a_compiler_that_appears_earlier_on_the_path_is_used() {
    let place = Place::new();
    let late = place.shim_named("late/c++");
    std::fs::create_dir_all(place.path("shims/early")).unwrap();
    let path = format!(
        "{}:{}:/usr/bin:/bin",
        place.path("shims/early").display(),
        place.path("shims/late").display()
    );
    let run = || place.client(["axpy", "4"]).without("CXX").env("PATH", &path).ok().outcome.stats.compiled;
    assert_eq!((run(), run()), (1, 0));
    assert!(!late.calls().is_empty());
    // Another program with the same name, earlier.
    let early = place.shim_named("early/c++");
    install_changed(SHIM.as_ref(), early.path());
    assert_eq!((run(), run()), (1, 0));
    assert!(!early.calls().is_empty());
}

#[test]
fn nothing_of_a_build_is_left_in_temporary_directories() {
    let place = Place::new();
    std::fs::create_dir(place.path("tmp")).unwrap();
    let run = |args: [&str; 3]| place.client(args).env("TMPDIR", place.path("tmp")).run();
    run(["axpy", "4", "8"]);
    run(["text", "wrong", "int wrong() { return x; }"]);
    assert_eq!(files(&place.path("tmp")), Vec::<PathBuf>::new());
    assert_eq!(files(&place.cache().join("v1/tmp")), Vec::<PathBuf>::new());
}

#[test]
fn kernels_load_from_memory_when_asked() {
    let place = Place::new();
    let jit = place.builder().load_mode(Load::Memory).build().unwrap();
    assert_eq!(jit.load(&kernels::number(1)).unwrap().call(), NUMBER_BASE + 1);
    let again = place.builder().load_mode(Load::Memory).build().unwrap();
    let kernel = again.load(&kernels::number(1)).unwrap();
    assert_eq!((kernel.call(), kernel.origin()), (NUMBER_BASE + 1, KernelOrigin::Disk));
    assert_eq!(again.stats().memory_loads, 1);
}

#[test]
fn a_processor_can_be_named() {
    let place = Place::new();
    let shim = place.shim();
    let name = if cfg!(target_arch = "x86_64") { "x86-64-v2" } else { "cortex-a53" };
    let jit = place.builder().cxx(shim.word()).cpu(Cpu::Named(name.into())).build().unwrap();
    assert_eq!(jit.load(&kernels::number(1)).unwrap().call(), NUMBER_BASE + 1);
    assert!(shim.compiles()[0].iter().any(|word| word.ends_with(name)), "{:?}", shim.compiles());
}
