//! What makes another kernel, and what does not. Each of the first kind must be a miss that never serves
//! the old kernel; each of the second must be found without compiling.

use std::path::Path;

use dijitso::{CxxType, KernelSpec, Profile, Sign, Source};
use dijitso_tests::kernels::{self, Number};
use dijitso_tests::protocol::{ShimMode, ShimStep};

use crate::harness::{Client, Place, Ran, variable};

/// Loads `first`, then `second`: two kernels, two compiles, each its own value.
fn differ(first: KernelSpec<Number>, second: KernelSpec<Number>) {
    let place = Place::new();
    let jit = place.jit();
    assert_ne!(first.signature(), second.signature());
    assert_eq!(jit.load(&first).unwrap().call(), 1);
    assert_eq!(jit.load(&second).unwrap().call(), 2, "the old kernel was served");
    assert_eq!(jit.stats().compiled, 2);
}

/// The kernel `which` with a key; all that differs between two of them is the key's type and value.
fn keyed(key: impl Sign + 'static, value: i32) -> KernelSpec<Number> {
    // SAFETY: has no arguments and no state.
    KernelSpec::new("which", key, move || unsafe {
        Source::new(format!("int which() {{ return {value}; }}"))
    })
}

#[test]
fn another_argument_is_another_kernel() {
    differ(keyed(1u32, 1), keyed(2u32, 2));
    differ(keyed("ab", 1), keyed("ba", 2));
    differ(keyed(("a", "bc"), 1), keyed(("ab", "c"), 2));
    differ(keyed(0.0f64, 1), keyed(-0.0f64, 2));
    differ(keyed(vec![1u8], 1), keyed(vec![1u8, 0], 2));
    differ(keyed(None::<u8>, 1), keyed(Some(0u8), 2));
}

#[test]
fn another_type_with_the_same_bits_is_another_kernel() {
    differ(keyed(1u32, 1), keyed(1i32, 2));
    differ(keyed(1u32, 1), keyed(1u64, 2));
    differ(keyed(1.0f64, 1), keyed(1.0f64.to_bits(), 2));
    differ(keyed(true, 1), keyed(1u8, 2));
    differ(keyed('a', 1), keyed(97u32, 2));
}

#[test]
fn a_renamed_field_or_variant_is_another_kernel() {
    mod before {
        #[derive(dijitso::Sign)]
        pub(super) struct Element {
            pub(super) degree: u32,
        }
        #[derive(dijitso::Sign)]
        pub(super) enum Shape {
            Triangle,
        }
    }
    mod after {
        #[derive(dijitso::Sign)]
        pub(super) struct Element {
            pub(super) order: u32,
        }
        #[derive(dijitso::Sign)]
        pub(super) enum Shape {
            Simplex,
        }
    }
    differ(keyed(before::Element { degree: 2 }, 1), keyed(after::Element { order: 2 }, 2));
    differ(keyed(before::Shape::Triangle, 1), keyed(after::Shape::Simplex, 2));
}

#[test]
fn name_package_and_version_are_part_of_a_kernels_identity() {
    let base = || keyed(1, 1);
    differ(base(), keyed(1, 2).version(2));
    differ(base().package("one", "1.0"), keyed(1, 2).package("two", "1.0"));
    differ(base().package("one", "1.0"), keyed(1, 2).package("one", "1.1"));
}

#[test]
fn another_abi_or_struct_layout_is_another_kernel() {
    mod two {
        #[derive(Clone, Copy, dijitso::CxxType)]
        #[repr(C)]
        pub(super) struct Pair {
            pub(super) a: f64,
            pub(super) b: f64,
        }
    }
    mod three {
        #[derive(Clone, Copy, dijitso::CxxType)]
        #[repr(C)]
        pub(super) struct Pair {
            pub(super) a: f64,
            pub(super) extra: f64,
            pub(super) b: f64,
        }
    }
    fn last<T: CxxType>() -> KernelSpec<unsafe extern "C" fn(*const T) -> f64> {
        // SAFETY: reads one `Pair`.
        KernelSpec::new("last", (), || unsafe { Source::new("double last(const Pair *p) { return p->b; }") })
            .package("dijitso-tests", "1")
    }
    let place = Place::new();
    let jit = place.jit();
    let two = jit.load(&last::<two::Pair>()).unwrap();
    let three = jit.load(&last::<three::Pair>()).unwrap();
    let (p, q) = (two::Pair { a: 1., b: 2. }, three::Pair { a: 1., extra: 9., b: 3. });
    // SAFETY: each gets the struct it was compiled for.
    assert_eq!(unsafe { (two.call(&p), three.call(&q)) }, (2.0, 3.0));
    assert_eq!(jit.stats().compiled, 2);
}

/// Runs one of the edited programs on the place's cache.
fn variant(place: &Place, program: &str) -> Ran {
    Client::new(program, &place.cache()).ok()
}

#[test]
fn an_edited_generator_or_helper_is_another_kernel() {
    let place = Place::new();
    let plain = variant(&place, env!("CARGO_BIN_EXE_variant-plain"));
    let body = variant(&place, env!("CARGO_BIN_EXE_variant-body"));
    let helper = variant(&place, env!("CARGO_BIN_EXE_variant-helper"));
    assert_eq!((plain.values(), body.values(), helper.values()), (vec![7.0], vec![8.0], vec![9.0]));
    for ran in [plain, body, helper] {
        assert_eq!(ran.outcome.stats.compiled, 1);
    }
}

#[test]
fn a_comment_or_blank_line_in_the_generator_compiles_nothing() {
    let place = Place::new();
    variant(&place, env!("CARGO_BIN_EXE_variant-plain"));
    let commented = variant(&place, env!("CARGO_BIN_EXE_variant-commented"));
    assert_eq!(commented.values(), [7.0]);
    let stats = &commented.outcome.stats;
    assert_eq!((stats.generated, stats.compiled), (1, 0), "a new executable generates and finds it");
    variant(&place, env!("CARGO_BIN_EXE_variant-commented")).assert_warm();
    variant(&place, env!("CARGO_BIN_EXE_variant-plain")).assert_warm();
}

#[test]
fn recompiling_the_same_program_changes_nothing() {
    let place = Place::new();
    variant(&place, env!("CARGO_BIN_EXE_variant-plain"));
    // The same bytes at another place, newer.
    let copy = place.path("copy");
    std::fs::copy(env!("CARGO_BIN_EXE_variant-plain"), &copy).unwrap();
    variant(&place, copy.to_str().unwrap()).assert_warm();
}

#[test]
fn flags_profile_and_standard_make_other_kernels() {
    let place = Place::new();
    let build = |builder: dijitso::JitBuilder| {
        let jit = builder.build().unwrap();
        let kernel = jit.load(&kernels::number(1)).unwrap();
        (kernel.signature(), jit.stats().compiled)
    };
    let variants = [
        build(place.builder()),
        build(place.builder().cxxflag("-O1")),
        build(place.builder().cppflag("-DX=1")),
        build(place.builder().ldflag("-Wl,-z,now")),
        build(place.builder().std("c++17")),
        build(place.builder().std("c++20")),
        build(place.builder().profile(Profile::Debug)),
        build(place.builder().cpu(dijitso::Cpu::Generic)),
    ];
    for (i, one) in variants.iter().enumerate() {
        assert_eq!(one.1, 1, "variant {i} was not compiled");
        assert!(
            variants[..i].iter().all(|other| other.0 != one.0),
            "variant {i} has another one's signature"
        );
    }
}

#[test]
fn flags_from_the_environment_count_too() {
    let place = Place::new();
    let run = |name: &str, value: &str| {
        place.client(["text", "env", "int env() { return X; }"]).env(name, value).ok()
    };
    for (name, value, expected) in
        [("CXXFLAGS", "-DX=1", 1.0), ("CXXFLAGS", "-DX=2", 2.0), ("CPPFLAGS", "-DX=3", 3.0)]
    {
        let ran = run(name, value);
        assert_eq!((ran.values(), ran.outcome.stats.compiled), (vec![expected], 1), "{name}={value}");
    }
    run("CXXFLAGS", "-DX=1").assert_warm();
}

#[test]
fn the_variables_that_compilers_read_count() {
    let place = Place::new();
    let text = "#if __has_include(<which.h>)\n#include <which.h>\n#else\n#define WHICH 0\n#endif\nextern \"C\" int which() { return WHICH; }";
    place.write("one/which.h", "#define WHICH 1\n");
    place.write("two/which.h", "#define WHICH 2\n");
    let run = |dir: Option<&str>| {
        let client = place.client(["unit", "which", text]);
        match dir {
            Some(dir) => client.env("CPATH", place.path(dir)).ok(),
            None => client.ok(),
        }
    };
    assert_eq!(run(None).values(), [0.0]);
    assert_eq!(run(Some("one")).values(), [1.0]);
    assert_eq!(run(Some("two")).values(), [2.0]);
    for (dir, value) in [(Some("one"), 1.0), (None, 0.0), (Some("two"), 2.0)] {
        let warm = run(dir);
        warm.assert_warm();
        assert_eq!(warm.values(), [value]);
    }
}

#[test]
fn where_and_how_a_program_runs_changes_nothing() {
    let place = Place::new();
    let args = ["axpy", "4"];
    place.client(args).ok();
    std::fs::create_dir(place.path("elsewhere")).unwrap();
    place.client(args).cwd(&place.path("elsewhere")).ok().assert_warm();
    place.client(args).env("HOME", place.path("elsewhere")).ok().assert_warm();
    place.client(args).without("HOME").ok().assert_warm();
    place.client(args).env("TMPDIR", place.path("elsewhere")).ok().assert_warm();
    place.client(["--deleted-cwd", "axpy", "4"]).ok().assert_warm();
    place
        .client(args)
        .env("AAA_FIRST", "1")
        .env("ZZZ_LAST", "1")
        .env("LANG", "de_DE.UTF-8")
        .ok()
        .assert_warm();
    // The order in which variables are set.
    place.client(args).without("PATH").env("PATH", variable("PATH").unwrap()).ok().assert_warm();
}

#[test]
fn another_cache_directory_gives_the_same_signatures() {
    let (one, two) = (Place::new(), Place::new());
    let first = one.jit().load(&kernels::number(3)).unwrap();
    let second = two.jit().load(&kernels::number(3)).unwrap();
    assert_eq!(first.signature(), second.signature());
    assert_eq!(first.path().unwrap().file_name(), second.path().unwrap().file_name());
    let bytes = |path: &Path| std::fs::read(path).unwrap();
    let elf = |bytes: Vec<u8>| bytes[..4096.min(bytes.len())].to_vec();
    assert_eq!(
        elf(bytes(first.path().unwrap())),
        elf(bytes(second.path().unwrap())),
        "builds are reproducible"
    );
}

#[test]
fn checking_finds_what_is_not_in_the_key() {
    let place = Place::new();
    let file = place.write("text", "int unkeyed() { return 1; }\n");
    let args = ["unkeyed", file.to_str().unwrap()];
    assert_eq!(place.client(args).ok().values(), [1.0]);
    place.client(args).env("DIJITSO_CHECK", "1").ok();
    std::fs::write(&file, "int unkeyed() { return 2; }\n").unwrap();
    assert_eq!(place.client(args).ok().values(), [1.0], "without checking the key is trusted");
    let ran = place.client(args).env("DIJITSO_CHECK", "1").run();
    let error = ran.error();
    assert!(
        error.contains("- int unkeyed() { return 1; }") && error.contains("+ int unkeyed() { return 2; }"),
        "{error}"
    );
}

#[test]
#[cfg(target_arch = "x86_64")]
fn what_native_means_is_part_of_a_kernels_identity() {
    let place = Place::new();
    let shim = place.shim();
    let load = |march: &str| {
        // Another machine with the same home has not asked yet what `native` means there.
        let _ = std::fs::remove_dir_all(place.cache().join("v1/toolchains"));
        shim.set(ShimMode::Native { march: march.to_owned() }, ShimStep::Every);
        let jit = place.builder().cxx(shim.word()).build().unwrap();
        let kernel = jit.load(&kernels::number(1)).unwrap();
        (kernel.signature(), jit.stats().compiled)
    };
    let (old, new) = (load("x86-64-v2"), load("x86-64"));
    assert_ne!(old.0, new.0);
    assert_eq!((old.1, new.1), (1, 1));
    assert_eq!(load("x86-64-v2"), (old.0, 0));
    for call in shim.compiles() {
        assert!(!call.iter().any(|word| word == "-march=native"), "{call:?}");
    }
}
