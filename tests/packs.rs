//! Small kernels that share a call of the compiler, and nothing else.

use dijitso::{Error, JitBuilder, KernelOrigin, KernelSpec, Source};
use dijitso_tests::protocol::{ShimMode, ShimStep};

use crate::harness::{Place, need};

type Function = extern "C" fn(f64) -> f64;

/// A kernel from `text`, in which `@` stands for its number.
fn kernel(number: u32, text: &str, include: Option<&'static str>) -> KernelSpec<Function> {
    let text = text.replace('@', &number.to_string());
    KernelSpec::new("packed", (number, text.clone(), include.unwrap_or_default()), move || {
        // SAFETY: arithmetic only.
        let source = unsafe { Source::new(text.clone()) };
        include.into_iter().fold(source, |source, header| source.include(header))
    })
}

fn kernels(
    numbers: std::ops::Range<u32>,
    text: &str,
    include: Option<&'static str>,
) -> Vec<KernelSpec<Function>> {
    numbers.map(|number| kernel(number, text, include)).collect()
}

/// With a helper, a constant and a class that have the same names in every kernel.
const PLAIN: &str = "
    struct Term { double factor; double operator()(double x) const; };
    double Term::operator()(double x) const { return factor * x; }
    const char label[] = \"kernel-number-@-ends\";
    static double shift() { volatile int at = 14; return label[at] == '-' || label[at] ? @ : -1; }
    double packed(double x) { return Term{2}(x) + shift(); }";

fn values(specs: &[KernelSpec<Function>], builder: JitBuilder) -> (Vec<f64>, dijitso::Stats) {
    let jit = builder.jobs(2).build().unwrap();
    let kernels = jit.load_all(specs).unwrap_or_else(|error| panic!("{}", error.report()));
    (kernels.iter().map(|kernel| kernel.call(0.5)).collect(), jit.stats())
}

fn expected(numbers: std::ops::Range<u32>, more: f64) -> Vec<f64> {
    numbers.map(|number| f64::from(number) + more).collect()
}

fn contains(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

#[test]
fn they_are_compiled_in_a_few_calls_and_every_library_holds_one() {
    let place = Place::new();
    let specs = kernels(0..40, PLAIN, None);
    place.jit().load(&kernel(1000, PLAIN, None)).unwrap();
    let (found, stats) = values(&specs, place.builder());
    assert_eq!(found, expected(0..40, 1.0));
    assert_eq!((stats.compiled, stats.built, stats.published), (40, 40, 40));
    assert_eq!((stats.packs, stats.processes), (2, 42), "a compiler on each core, and a link for each");

    let jit = place.jit();
    for (number, loaded) in jit.load_all(&specs).unwrap().iter().enumerate() {
        assert_eq!((loaded.origin(), loaded.exports().len()), (KernelOrigin::Disk, 1));
        let entry = std::fs::read(loaded.path().unwrap()).unwrap();
        let library = &entry[..loaded.report().bytes as usize];
        for other in 0..40 {
            let label = format!("kernel-number-{other}-ends");
            assert_eq!(contains(library, &label), other == number, "{label} in {number}");
        }
    }
    assert_eq!((jit.stats().processes, jit.stats().disk_hits), (0, 40));
}

#[test]
fn whether_a_kernel_was_compiled_alone_or_with_others_makes_no_other_kernel() {
    let (alone, together) = (Place::new(), Place::new());
    let specs = kernels(0..8, PLAIN, None);
    let (_, stats) = values(&specs, together.builder());
    assert!(stats.packs > 0);
    let by_itself = alone.jit().load(&specs[3]).unwrap();
    let jit = together.jit();
    let in_pack = jit.load(&specs[3]).unwrap();
    assert_eq!((by_itself.signature(), in_pack.origin()), (in_pack.signature(), KernelOrigin::Disk));
}

#[test]
fn texts_that_reach_beyond_their_namespace_are_compiled_alone() {
    for text in [
        "\n#define SHIFT @\ndouble packed(double x) { return x + SHIFT; }",
        "_Pragma(\"GCC optimize(\\\"O0\\\")\") double packed(double x) { return x + @; }",
        "extern \"C\" { static double number = @; } double packed(double x) { return x + number; }",
        "double packed(double x) { asm volatile(\"\"); return x + @; }",
        "int file = sizeof(__FILE__); double packed(double x) { return x + @ + file * 0; }",
        "ex\\\ntern \"C\" { static double number = @; } double packed(double x) { return x + number; }",
        "double packed(double x) { return x + @; } } } typedef double real; namespace z { namespace {",
    ] {
        let place = Place::new();
        let (found, stats) = values(&kernels(0..6, text, None), place.builder());
        assert_eq!(found, expected(0..6, 0.5), "{text}");
        assert_eq!((stats.packs, stats.compiled), (0, 6), "{text}");
    }
    for flag in ["-DHERE=__FILE__", "-g", "-fprofile-arcs", "-finstrument-functions-exclude-file-list=x"] {
        let place = Place::new();
        let (found, stats) = values(&kernels(0..4, PLAIN, None), place.builder().cxxflag(flag));
        assert_eq!((found, stats.packs), (expected(0..4, 1.0), 0), "{flag}");
    }
}

#[test]
fn units_with_other_headers_or_flags_are_not_mixed() {
    let place = Place::new();
    let sine = "double packed(double x) { return std::sin(0 * x) + x + @; }";
    let mut specs = kernels(0..8, sine, Some("<cmath>"));
    specs.extend(kernels(8..16, "double packed(double x) { return x + @; }", None));
    let (found, stats) = values(&specs, place.builder());
    assert_eq!(found, expected(0..16, 0.5));
    assert!(stats.packs >= 2, "{stats:?}");
    // Needs <cmath>, and must not get it from its neighbours.
    let missing = kernel(100, sine, None);
    let all: Vec<_> = kernels(20..30, sine, Some("<cmath>")).into_iter().chain([missing]).collect();
    let error = place.jit().load_all(&all).unwrap_err();
    assert!(matches!(error, Error::Compile { .. }), "{error}");
}

#[test]
fn one_that_does_not_compile_is_told_as_if_it_were_alone() {
    let place = Place::new();
    let jit = place.builder().jobs(2).build().unwrap();
    let mut specs = kernels(0..9, PLAIN, None);
    specs.push(kernel(9, "double packed(double x) { return y; }", None));
    let Err(Error::Compile { kernel, log, bundle, .. }) = jit.load_all(&specs) else { panic!("compiled") };
    assert!(
        kernel.contains("packed(") && log.starts_with("In file included from packed_unit.cpp"),
        "{kernel}\n{log}"
    );
    assert!(log.contains("packed.cpp:1:34: error") && bundle.unwrap().join("command.sh").exists(), "{log}");
    let compiled = jit.stats().compiled;
    let (found, _) = (jit.load_all(&specs[..9]).unwrap(), ());
    assert_eq!(found.iter().map(|k| k.call(0.0)).collect::<Vec<_>>(), expected(0..9, 0.0));
    assert_eq!(jit.stats().compiled, compiled, "the others were built");
}

/// Everything that needs more of the linker than a function.
const DEMANDING: [&str; 5] = [
    "static const std::vector<double> table{@, 1}; double packed(double x) { return x + table[0]; }",
    "double packed(double x) { try { if (x >= 0) throw @; } catch (int e) { return x + e; } return -1; }",
    "thread_local double last = @; double packed(double x) { return x + last; }",
    "double packed(double x) { return __builtin_cbrt(x - x) + x + @; }",
    "double packed(double x) { static const std::vector<double> table(9, @); return x + table.back(); }",
];

fn demanding(builder: impl Fn(&Place) -> JitBuilder) {
    let place = Place::new();
    let all = DEMANDING.iter().flat_map(|text| kernels(0..3, text, Some("<vector>")));
    let (found, stats) = values(&all.collect::<Vec<_>>(), builder(&place));
    assert_eq!(found, [0.5, 1.5, 2.5].repeat(DEMANDING.len()));
    assert!(stats.packs > 0);
    // Without one that has a constructor, none has to be compiled alone.
    let place = Place::new();
    let all = DEMANDING[1..].iter().flat_map(|text| kernels(0..3, text, Some("<vector>")));
    let (found, stats) = values(&all.collect::<Vec<_>>(), builder(&place));
    assert_eq!(found, [0.5, 1.5, 2.5].repeat(DEMANDING.len() - 1));
    // The vector's destructor is a function that several reach: those are compiled by themselves.
    assert_eq!((stats.packs, stats.compiled), (2, 12 + 3));
}

#[test]
fn exceptions_constructors_thread_locals_and_libraries_work() {
    demanding(Place::builder);
}

#[test]
fn with_clang_and_other_linkers_they_work_too() {
    if need("clang++").is_some() {
        let place = Place::new();
        let (found, stats) = values(&kernels(0..12, PLAIN, None), place.builder().cxx("clang++"));
        assert_eq!(found, expected(0..12, 1.0));
        assert!(stats.packs >= 1 && stats.compiled == 12, "{stats:?}");
        demanding(|place| place.builder().cxx("clang++"));
    }
    for linker in ["lld", "gold"] {
        if need(&format!("ld.{linker}")).is_none() {
            continue;
        }
        let place = Place::new();
        let builder = place.builder().ldflag(format!("-fuse-ld={linker}"));
        let (found, stats) = values(&kernels(0..12, PLAIN, None), builder);
        assert_eq!(found, expected(0..12, 1.0));
        assert!(stats.packs >= 1 && stats.compiled == 12, "{linker}: {stats:?}");
    }
}

#[test]
fn only_what_needs_the_mathematical_library_loads_it() {
    let place = Place::new();
    let sine = "double packed(double x) { return std::sin(x - x) + x + @; }";
    let none = "double packed(double x) { return x + @; }";
    let mut specs = kernels(0..4, sine, Some("<cmath>"));
    specs.extend(kernels(4..8, none, Some("<cmath>")));
    let (_, stats) = values(&specs, place.builder());
    assert!(stats.packs > 0);
    for (number, loaded) in place.jit().load_all(&specs).unwrap().iter().enumerate() {
        let entry = std::fs::read(loaded.path().unwrap()).unwrap();
        assert_eq!(contains(&entry[..loaded.report().bytes as usize], "libm.so"), number < 4);
    }
}

#[test]
fn a_compiler_that_cannot_do_it_compiles_them_one_by_one() {
    let place = Place::new();
    let shim = place.shim();
    // It knows one kernel a call.
    shim.set(ShimMode::Stamp, ShimStep::Compile);
    let number = |i: u32| dijitso_tests::kernels::number(i);
    let builder = || place.builder().cxx(shim.word());
    builder().build().unwrap().load(&number(0)).unwrap();
    let jit = builder().jobs(2).build().unwrap();
    let kernels = jit.load_all((1..200).map(number).collect::<Vec<_>>().as_slice()).unwrap();
    assert_eq!(kernels.len(), 199);
    assert!((1..=4).contains(&jit.stats().packs), "it is not tried for ever: {:?}", jit.stats());
}

/// Six loops are too much to be copied into several callers, and are copied into a single one.
fn long_helper() -> String {
    let loops: String = (0..6)
        .map(|k| {
            format!(
                "for (int i = 0; i < {}; ++i) {{ s = 1 / (s + x + a[(i + {k}) % 7]); \
                 t = 1 / (t * s + a[(i * 3 + {k}) % 7] + i); if (s > t) s = s / (2 + t + i); \
                 else t = t / (2 + s + a[(i + {}) % 7]); }}\n",
                11 + 2 * k,
                k + 1
            )
        })
        .collect();
    format!("double weigh(const double *a, double x) {{ double s = 0.1, t = x;\n{loops} return s * t; }}\n")
}

/// To the last bit, over many arguments.
fn same_numbers(specs: &[KernelSpec<Function>]) -> dijitso::Stats {
    let (alone, together) = (Place::new(), Place::new());
    let jit = together.builder().jobs(1).build().unwrap();
    let packed = jit.load_all(specs).unwrap();
    for (spec, packed) in specs.iter().zip(&packed) {
        let single = alone.jit().load(spec).unwrap();
        assert_eq!(single.signature(), packed.signature());
        for step in 0..200 {
            let x = 0.013 + 0.0049 * f64::from(step);
            assert_eq!(single.call(x).to_bits(), packed.call(x).to_bits(), "{x}");
        }
    }
    jit.stats()
}

#[test]
fn neighbours_change_no_digit_of_a_result() {
    let entry = "double packed(double x) { double a[7] = {@ + 1.1, 2.3, 3.7, 1.9, 5.1, 0.3, @}; \
                 return weigh(a, x) + x / 7; }";
    // The same helper in all of them.
    let stats = same_numbers(&kernels(0..8, &format!("static {}{entry}", long_helper()), None));
    assert_eq!((stats.packs, stats.compiled), (1, 8));
    // Functions of a header, which have more callers than alone.
    let bessel = "double packed(double x) { return std::cyl_bessel_j(0.5, x) * 0.1 + x * @; }";
    let stats = same_numbers(&kernels(0..6, bessel, Some("<cmath>")));
    assert_eq!((stats.packs, stats.compiled), (1, 12), "tried, and then by themselves");
}

#[test]
fn headers_of_ones_own_are_not_shared() {
    let place = Place::new();
    let twice =
        "#ifndef FIRST\n#define FIRST\n#define SHIFT 1\n#else\n#undef SHIFT\n#define SHIFT 2\n#endif\n";
    place.write("twice.h", twice);
    let specs = kernels(0..6, "double packed(double x) { return x + SHIFT + @; }", Some("\"twice.h\""));
    let (found, stats) = values(&specs, place.builder().include_dir(place.root()));
    assert_eq!((found, stats.packs), (expected(0..6, 1.5), 0));
}

#[test]
fn warnings_are_those_of_the_kernel() {
    let place = Place::new();
    let mut specs = kernels(0..6, "double packed(double x) { return x + @; }", None);
    specs.push(kernel(6, "double packed(double x) { int unused = 1; return x + @; }", None));
    let jit = place.builder().jobs(1).cxxflag("-Wall").build().unwrap();
    let packed = jit.load_all(&specs).unwrap();
    assert_eq!((jit.stats().packs, jit.stats().compiled), (1, 8));
    for (number, kernel) in packed.iter().enumerate() {
        let log = jit.cache().entry(&kernel.signature()).unwrap().unwrap().log().unwrap();
        assert_eq!(log.contains("unused variable"), number == 6, "{number}: {log}");
        assert!(!log.contains("pack.cpp"), "{log}");
    }
}
