//! Identity of specs and of generators, and generators that fail.

use std::panic::Location;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::error::Error;
use crate::signature::{Sign, Signature};

type Unary = extern "C" fn(f64) -> f64;
const TEXT: &str = "double k(double x) { return x; }";

fn identity() -> Source<Unary> {
    source(TEXT)
}

fn spec<G: Generated<Kernel = Unary>>(
    generator: impl Fn() -> G + Send + Sync + 'static,
) -> KernelSpec<Unary> {
    KernelSpec::new("k", (), generator)
}

#[test]
fn specs_and_sources_cross_threads() {
    fn crosses<T: Send + Sync + 'static>() {}
    crosses::<KernelSpec<Unary>>();
    crosses::<Source<Unary>>();
    crosses::<Source<()>>();
    crosses::<Text>();
    crosses::<Parts>();
    crosses::<AnySpec>();
}

#[test]
fn each_part_of_the_declaration_is_in_the_signature() {
    type Other = extern "C" fn(f32) -> f64;
    fn other() -> Source<Other> {
        source("")
    }
    let tokens = |tokens| KernelSpec::<Unary>::with_tokens(tokens, "k", (), identity).signature();
    let different: Vec<Signature> = vec![
        spec(identity).signature(),
        KernelSpec::<Unary>::new("kk", (), identity).signature(),
        KernelSpec::<Unary>::new("k", 1u32, identity).signature(),
        KernelSpec::<Unary>::new("k", 1i32, identity).signature(),
        KernelSpec::<Other>::new("k", (), other).signature(),
        spec(identity).version(1).signature(),
        spec(identity).package("a", "bc").signature(),
        spec(identity).package("ab", "c").signature(),
        tokens("x"),
        tokens("y"),
    ];
    for (i, one) in different.iter().enumerate() {
        assert!(!different[..i].contains(one), "{i}");
    }
    // The place is not: a line above the generator must not rebuild it.
    assert_eq!(spec(identity).signature(), KernelSpec::<Unary>::new("k", (), identity).signature());
    // A change makes another spec, and leaves the first as it was.
    let first = spec(identity);
    let before = first.signature();
    assert_ne!(first.clone().version(3).signature(), before);
    assert_eq!(first.signature(), before);
}

#[test]
fn the_macro_adds_the_package_and_the_closures_own_text() {
    let factor = 2;
    let one = crate::spec!(Unary, "k", factor, move || source(format!(
        "double k(double x) {{ return x * {factor}; }}"
    )));
    let same = crate::spec!(Unary, "k", factor, move || source(
        // Neither comments nor line breaks are the generator's text.
        format!("double k(double x) {{ return x * {factor}; }}")
    ));
    let other = crate::spec!(Unary, "k", factor, move || source(format!(
        "double k(double x) {{ return {factor}; }}"
    )));
    assert_ne!(one.signature(), other.signature());
    assert_eq!(one.signature(), same.signature());
    let package = one.any().ingredients().into_iter().find(|(name, _)| *name == "package");
    assert_eq!(package.unwrap().1, format!("{} {}", env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION")));
}

#[test]
fn a_declaration_by_attribute_counts_tokens_not_places() {
    static HERE: Declaration = Declaration {
        name: "k",
        package: "p",
        package_version: "1",
        version: 0,
        tokens: "aa",
        file: "a.rs",
        line: 1,
        column: 1,
    };
    static MOVED: Declaration = Declaration { line: 9, file: "b.rs", ..HERE };
    static EDITED: Declaration = Declaration { tokens: "bb", ..HERE };
    let of = |declaration| {
        KernelSpec::declared(declaration, (2u32,), |(n,): (u32,)| source::<Unary>(TEXT).define("N", n))
    };
    assert_eq!(of(&HERE).signature(), of(&MOVED).signature());
    assert_ne!(of(&HERE).signature(), of(&EDITED).signature());
    assert_ne!(of(&HERE).any().generator_id(), of(&MOVED).any().generator_id());
    assert_eq!(of(&HERE).any().generator_id(), of(&HERE).any().generator_id());
    assert_eq!(of(&HERE).any().at(), "k(2), generated at a.rs:1:1");
    assert_eq!(of(&HERE).any().generate().unwrap().defines, [("N".to_owned(), "2".to_owned())]);
    assert_ne!(of(&HERE).any().generator_address(), 0);
}

#[test]
fn generators_are_told_apart_within_a_process() {
    fn make<T: Default + Sign + std::fmt::Debug>() -> KernelSpec<Unary> {
        spec(move || source(format!("{:?}", T::default())))
    }
    #[track_caller]
    fn wrapper() -> KernelSpec<Unary> {
        KernelSpec::new("k", (), || source(TEXT))
    }
    let id = |spec: &KernelSpec<Unary>| spec.any().generator_id().clone();
    assert_eq!(id(&make::<f64>()), id(&make::<f64>()));
    assert_ne!(id(&make::<f64>()), id(&make::<f32>()));
    assert_ne!(id(&spec(|| source(TEXT))), id(&spec(|| source(TEXT))));
    let (one, two) = (wrapper(), wrapper());
    assert_ne!(one.location(), two.location());
    assert_eq!(id(&one), id(&two));
    // Function pointers share a type, so their place has to do.
    let pointer: fn() -> Source<Unary> = identity;
    assert_ne!(id(&KernelSpec::new("k", (), pointer)), id(&KernelSpec::new("k", (), pointer)));
}

#[test]
fn descriptions_show_name_and_key() {
    let of = |spec: KernelSpec<Unary>| spec.description();
    assert_eq!(of(KernelSpec::new("k", (), identity)), "k()");
    assert_eq!(of(KernelSpec::new("k", 8u32, identity)), "k(8)");
    assert_eq!(of(KernelSpec::new("k", ("P", 1), identity)), "k(\"P\", 1)");
    assert_eq!(of(KernelSpec::new("k", [1, 2], identity)), "k([1, 2])");
    let here = Location::caller();
    let spec = KernelSpec::<Unary>::new("k", (), identity);
    assert_eq!(spec.location(), format!("{}:{}:{}", here.file(), here.line() + 1, 16));
    assert!(format!("{spec:?}").starts_with("KernelSpec(k(), "));
}

#[test]
fn the_generator_runs_only_when_asked_and_each_time() {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = calls.clone();
    let spec = spec(move || {
        counted.fetch_add(1, Ordering::Relaxed);
        identity()
    });
    let _ = (spec.signature(), spec.description(), spec.clone());
    assert_eq!(calls.load(Ordering::Relaxed), 0);
    assert_eq!(spec.any().generate().unwrap().entry.as_deref(), Some("k"));
    spec.any().generate().unwrap();
    assert_eq!(calls.load(Ordering::Relaxed), 2);
}

#[test]
fn failures_and_panics_of_generators_are_errors() {
    let failed = |spec: KernelSpec<Unary>| match spec.any().generate() {
        Err(Error::Generator { kernel, problem }) => {
            assert!(kernel.starts_with("k(), generated at "), "{kernel}");
            problem
        }
        other => panic!("{other:?}"),
    };
    assert_eq!(failed(spec(|| Err::<Source<Unary>, _>("no such element"))), "failed: no such element");
    let io = || Err::<Source<Unary>, _>(std::io::Error::other("disk"));
    assert_eq!(failed(spec(io)), "failed: disk");

    fn panics(how: u32) -> Source<Unary> {
        match how {
            0 => panic!("plain"),
            1 => panic!("order {how}"),
            _ => std::panic::panic_any(7),
        }
    }
    assert_eq!(failed(spec(|| panics(0))), "panicked: plain");
    assert_eq!(failed(spec(|| panics(1))), "panicked: order 1");
    assert_eq!(failed(spec(|| panics(2))), "panicked, with a value that is no text");
}

#[test]
fn a_cycle_stays_a_cycle_on_its_way_out() {
    let cycle = || Error::Cycle { path: vec!["a".into(), "b".into(), "a".into()] };
    let is_cycle = |spec: KernelSpec<Unary>| matches!(spec.any().generate(), Err(Error::Cycle { path }) if path.len() == 3);
    assert!(is_cycle(spec(move || Err::<Source<Unary>, _>(cycle()))));
    assert!(is_cycle(spec(move || Err::<Source<Unary>, Box<dyn std::error::Error>>(cycle().into()))));
    assert!(is_cycle(spec(move || Err::<Source<Unary>, Box<dyn std::error::Error + Send + Sync>>(
        cycle().into()
    ))));
    let other = Error::Config { problem: "x".into(), origin: "y".into() };
    let other = spec(move || Err::<Source<Unary>, _>(other.clone())).any().generate();
    assert!(
        matches!(other, Err(Error::Generator { problem, .. }) if problem == "failed: configuration: x (y)")
    );
}

#[test]
fn kernel_names_are_identifiers_and_checked_before_generating() {
    let named = |name: &str| KernelSpec::<Unary>::new(name, (), identity);
    let ran = Arc::new(AtomicUsize::new(0));
    for name in ["", "a/b", "../x", "..", "a b", "2x", "é", "class", "main", "a\0", "a\nb", &"x".repeat(300)]
    {
        let counted = ran.clone();
        let spec = KernelSpec::<Unary>::new(name, (), move || {
            counted.fetch_add(1, Ordering::Relaxed);
            identity()
        });
        for error in [spec.any().check_name().unwrap_err(), spec.any().generate().unwrap_err()] {
            assert!(matches!(error, Error::Declaration { .. }), "{name}: {error}");
            let text = error.to_string();
            assert!(text.len() < 400 && !text.contains(['\0', '\n']), "{text}");
            assert!(text.contains("specs.rs:"), "{text}");
        }
        // Used in messages all the same.
        assert!(spec.description().len() < 64 && spec.signature() == spec.signature());
    }
    assert_eq!(ran.load(Ordering::Relaxed), 0);
    for name in ["axpy", "_x", "A1", &"x".repeat(128)] {
        assert!(named(name).any().check_name().is_ok(), "{name}");
    }
}
