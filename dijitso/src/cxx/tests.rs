//! Spelling of types, order of structs, and which types are kernels at all.

#![allow(unsafe_code)]

use std::mem::offset_of;

use super::*;
use crate::signature::Signature;

fn abi<F: KernelFn>() -> FnAbi {
    F::abi().expect("a function type")
}

fn spelled<T: CxxType>(declarator: &str) -> [String; 2] {
    let expr = T::expr(&mut Layouts::default());
    [expr.declare(Language::Cxx, declarator), expr.declare(Language::C, declarator)]
}

fn signature<F: KernelFn>() -> Signature {
    let mut signer = Signer::new("test");
    F::abi().sign(&mut signer);
    signer.finish()
}

#[test]
fn declarations_are_written_inside_out() {
    type Callback = unsafe extern "C" fn(*const f64, usize) -> *mut f64;
    assert_eq!(spelled::<f64>("x")[0], "double x");
    assert_eq!(spelled::<f64>("")[0], "double");
    assert_eq!(spelled::<bool>("x"), ["bool x", "_Bool x"]);
    assert_eq!(spelled::<*const f64>("x")[0], "const double *x");
    assert_eq!(spelled::<*const f64>("")[0], "const double *");
    assert_eq!(spelled::<*mut *const f64>("x")[0], "const double **x");
    assert_eq!(spelled::<*const *mut f64>("x")[0], "double *const *x");
    assert_eq!(spelled::<*const *const f64>("x")[0], "const double *const *x");
    assert_eq!(spelled::<[f64; 3]>("x")[0], "double x[3]");
    assert_eq!(spelled::<[[f64; 3]; 2]>("x")[0], "double x[2][3]");
    assert_eq!(spelled::<*const [[f64; 3]; 2]>("x")[0], "const double (*x)[2][3]");
    assert_eq!(spelled::<*mut [f64; 3]>("")[0], "double (*)[3]");
    assert_eq!(spelled::<[*const f64; 3]>("x")[0], "const double *x[3]");
    assert_eq!(spelled::<*const [*mut f64; 3]>("x")[0], "double *const (*x)[3]");
    assert_eq!(spelled::<Callback>("f")[0], "double *(*f)(const double *, unsigned long)");
    assert_eq!(spelled::<*const Callback>("f")[0], "double *(*const *f)(const double *, unsigned long)");
    assert_eq!(spelled::<[Option<Callback>; 2]>("f")[0], "double *(*f[2])(const double *, unsigned long)");
    assert_eq!(spelled::<extern "C" fn()>("f"), ["void (*f)()", "void (*f)(void)"]);
    assert_eq!(spelled::<extern "C" fn() -> extern "C" fn(i32)>("f")[0], "void (*(*f)())(int)");
    assert_eq!(spelled::<*mut std::ffi::c_void>("p")[0], "void *p");
    assert_eq!(
        spelled::<*const Complex64>("z"),
        ["const std::complex<double> *z", "const double _Complex *z"]
    );
}

#[repr(C)]
struct Node<T> {
    value: T,
    next: *const Node<T>,
    owner: *const Tree,
}

#[repr(C)]
struct Tree {
    first: Node<f64>,
    second: Node<*const f64>,
}

// SAFETY: what the derive would write.
unsafe impl<T: CxxType> CxxType for Node<T> {
    fn expr(layouts: &mut Layouts) -> CxxExpr {
        layouts.structure::<Self>(
            "Node",
            |arguments| arguments.type_argument::<T>(),
            |fields| {
                fields.field::<T>("value", offset_of!(Self, value));
                fields.field::<*const Node<T>>("next", offset_of!(Self, next));
                fields.field::<*const Tree>("owner", offset_of!(Self, owner));
            },
        )
    }
}

// SAFETY: as above.
unsafe impl CxxType for Tree {
    fn expr(layouts: &mut Layouts) -> CxxExpr {
        layouts.structure::<Self>(
            "Tree",
            |_| {},
            |fields| {
                fields.field::<Node<f64>>("first", offset_of!(Self, first));
                fields.field::<Node<*const f64>>("second", offset_of!(Self, second));
            },
        )
    }
}

#[test]
fn structs_that_refer_to_each_other_are_described_once_and_in_order() {
    let names = |abi: FnAbi| -> Vec<String> { abi.structs.iter().map(|s| s.name.to_string()).collect() };
    // From whichever end it is met first: what is held by value comes before its holder.
    let from_tree = abi::<unsafe extern "C" fn(*const Tree)>();
    assert_eq!(from_tree.problems, [""; 0]);
    assert_eq!(names(from_tree), ["Node_double", "Node_const_double_p", "Tree"]);
    let from_node = abi::<unsafe extern "C" fn(*const Node<f64>, *const Tree)>();
    assert_eq!(names(from_node), ["Node_double", "Node_const_double_p", "Tree"]);
}

#[test]
fn every_part_of_a_type_is_in_its_signature() {
    #[repr(C)]
    struct A {
        x: f64,
        y: f64,
    }
    #[repr(C)]
    struct B {
        y: f64,
        x: f64,
    }
    #[repr(C, align(32))]
    struct D {
        x: f64,
        y: f64,
    }
    macro_rules! described {
        ($($type:ident { $($field:ident)* })*) => {$(
            // SAFETY: what the derive would write; all are called `S`, as after a change of one struct.
            unsafe impl CxxType for $type {
                fn expr(layouts: &mut Layouts) -> CxxExpr {
                    layouts.structure::<Self>("S", |_| {}, |fields| {
                        $(fields.field::<f64>(stringify!($field), offset_of!(Self, $field));)*
                    })
                }
            }
        )*};
    }
    described! { A { x y } B { x y } D { x y } }
    let different = [
        signature::<()>(),
        signature::<unsafe extern "C" fn()>(),
        signature::<unsafe extern "C" fn(f64)>(),
        signature::<unsafe extern "C" fn(f32)>(),
        signature::<unsafe extern "C" fn(f64, f64)>(),
        signature::<unsafe extern "C" fn(f64) -> f64>(),
        signature::<unsafe extern "C" fn(*const f64)>(),
        signature::<unsafe extern "C" fn(*mut f64)>(),
        signature::<unsafe extern "C" fn(*const [f64; 2])>(),
        signature::<unsafe extern "C" fn(*const [f64; 3])>(),
        signature::<unsafe extern "C" fn(unsafe extern "C" fn(f64))>(),
        signature::<unsafe extern "C" fn(*const A)>(),
        signature::<unsafe extern "C" fn(*const B)>(),
        signature::<unsafe extern "C" fn(*const D)>(),
        signature::<unsafe extern "C" fn(CLongLong)>(),
        signature::<unsafe extern "C" fn(i64)>(),
    ];
    for (i, one) in different.iter().enumerate() {
        assert!(!different[..i].contains(one), "{i}");
    }
    // Safe to call or not is a promise to Rust; the machine code is the same.
    assert_eq!(signature::<extern "C" fn(f64)>(), signature::<unsafe extern "C" fn(f64)>());
}

#[test]
fn the_summary_says_everything() {
    let summary = abi::<unsafe extern "C" fn(usize, *const Node<f64>) -> f64>().summary();
    assert!(
        summary.starts_with("double (unsigned long, const Node_double *); Node_double { double value at 0;"),
        "{summary}"
    );
    assert!(summary.contains("of 24 bytes, aligned to 8"), "{summary}");
}

#[test]
fn names_are_identifiers_that_are_no_keywords() {
    for good in ["x", "_x", "axpy2", "A"] {
        assert!(is_name(good), "{good}");
    }
    for bad in ["", "2x", "a-b", "a b", "é", "class", "and", "restrict", "_Bool", "a::b", "a\n"] {
        assert!(!is_name(bad), "{bad}");
    }
}
