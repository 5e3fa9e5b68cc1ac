//! What the built library shows, and what the hashed form depends on.

use super::*;

#[test]
fn only_the_entry_and_what_is_exported_leave_the_library() {
    let text = "extern \"C\" int answer() { return 42; }
        extern \"C\" { extern const int table[2]; const int table[2] = {1, 2}; }
        extern \"C\" int hidden() { return 1; }";
    for source in [whole::<()>(text), source::<()>(text)] {
        let source = source.export("answer").export("table").export("answer");
        assert_eq!(rendered(source.clone()).exports, ["answer", "table"]);
        runs::<()>(source, |(), library| {
            // SAFETY: the types are those of the text.
            unsafe {
                assert_eq!(library.get::<extern "C" fn() -> i32>(b"answer").unwrap()(), 42);
                assert_eq!((*library.get::<*const [i32; 2]>(b"table").unwrap()).read(), [1, 2]);
                assert!(library.get::<*const ()>(b"hidden").is_err());
            }
        });
    }
}

#[test]
fn unusual_symbols_can_be_exported() {
    let text = "extern \"C\" int odd() __asm__(\"odd$name.1\");\nint odd() { return 1; }
        extern \"C\" int local() { return 2; }
        struct S { static int m(int); }; int S::m(int i) { return i; }";
    let source = whole::<()>(text).export("odd$name.1").export("local").export("_ZN1S1mEi");
    runs::<()>(source, |(), library| {
        for name in ["odd$name.1", "local", "_ZN1S1mEi"] {
            // SAFETY: only looked up.
            assert!(unsafe { library.get::<*const ()>(name.as_bytes()) }.is_ok(), "{name}");
        }
    });
}

#[test]
fn defines_includes_and_preambles_come_in_front_in_their_order() {
    type Constant = extern "C" fn() -> i32;
    let source = source::<Constant>("int k() { return N + M + L; }")
        .preamble("#if N != 4\n#error\n#endif\n#define M 10")
        .include("\"l.h\"")
        .header("l.h", "#define L (M * 10)\n")
        .define("N", 4);
    runs(source, |f, _| assert_eq!(f(), 114));
}

#[test]
fn hidden_defaults_do_not_hide_the_entry() {
    let rendered = rendered(source::<extern "C" fn() -> i32>("int k() { return 1; }"));
    let dir = tempfile::tempdir().unwrap();
    for compiler in CXX {
        let flags = ["-fvisibility=hidden", "-shared", "-fPIC", "-Wl,--version-script=k.ver", "-o", "k.so"];
        compile(&rendered, compiler, &flags, dir.path()).unwrap();
        // SAFETY: our own library.
        let library = unsafe { libloading::Library::new(dir.path().join("k.so")) }.unwrap();
        // SAFETY: only looked up.
        assert!(unsafe { library.get::<*const ()>(SYMBOL.as_bytes()) }.is_ok());
    }
}

#[test]
fn the_hashed_form_has_no_lines_and_only_the_text_counts() {
    use crate::signature::{Sign as _, Signature, Signer};
    let sign = |line: u32, text: &str, symbol: &str| -> Signature {
        let source = source::<extern "C" fn()>(Text::located(text, "src/k.rs", line) + "\n");
        let mut signer = Signer::new("test");
        render(&generated(source).unwrap(), "k", symbol, false).sign(&mut signer);
        signer.finish()
    };
    let placeholder = "dijitso_k_signature";
    assert_eq!(sign(1, "void k() {}", placeholder), sign(99, "void k() {}", placeholder));
    assert_ne!(sign(1, "void k() {}", placeholder), sign(1, "void k() { }", placeholder));
}

#[test]
fn another_symbol_is_as_if_it_had_been_rendered_with_it() {
    type F = extern "C" fn(f64) -> f64;
    let other = format!("dijitso_k_{}", "e".repeat(64));
    for source in [source::<F>("double k(double x) { return x; }"), whole("extern \"C\" double k(double x);")]
    {
        let parts = super::check::complete(source.include("<cmath>").into_parts(), "k").unwrap();
        let moved = render(&parts, "k", SYMBOL, true).with_symbol(&parts, "k", &other);
        assert_eq!(moved, render(&parts, "k", &other, true));
        assert_ne!(moved, render(&parts, "k", SYMBOL, true));
    }
}
