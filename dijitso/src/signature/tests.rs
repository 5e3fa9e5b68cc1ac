//! Each rule of what makes two signed things equal or different.

use std::borrow::Cow;
use std::cmp::{Ordering, Reverse};
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::ffi::{OsStr, OsString};
use std::marker::PhantomData;
use std::num::{NonZero, Wrapping};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use super::*;

fn signed<T: Sign + ?Sized>(value: &T) -> (Signature, String) {
    let mut signer = Signer::new("test");
    value.sign(&mut signer);
    signer.finish_with_text()
}

/// All different, whatever their bits.
macro_rules! all_differ {
    ($($value:expr),* $(,)?) => {{
        let mut seen: HashMap<Signature, &str> = HashMap::new();
        $(
            if let Some(other) = seen.insert(signed(&$value).0, stringify!($value)) {
                panic!("{} and {other} have one signature", stringify!($value));
            }
        )*
    }};
}

macro_rules! all_equal {
    ($($value:expr),* $(,)?) => {{
        let signatures = [$((signed(&$value).0, stringify!($value))),*];
        for (signature, value) in signatures {
            assert_eq!(signature, signatures[0].0, "{value}");
        }
    }};
}

#[derive(Clone, Copy)]
struct Loop {
    unroll: u32,
    tile: u32,
}

impl Sign for Loop {
    fn sign_type(signer: &mut Signer) {
        signer.type_named("Loop", |_| {});
    }
    fn sign(&self, signer: &mut Signer) {
        signer.structure("Loop", |signer| {
            signer.field("unroll", &self.unroll);
            signer.field("tile", &self.tile);
        });
    }
}

/// Signs whatever the closure signs.
struct By<F>(F);

impl<F: Fn(&mut Signer)> Sign for By<F> {
    fn sign_type(signer: &mut Signer) {
        signer.type_named("By", |_| {});
    }
    fn sign(&self, signer: &mut Signer) {
        (self.0)(signer);
    }
}

#[test]
fn types_with_the_same_bits_differ() {
    all_differ!(
        0u8,
        0u16,
        0u32,
        0u64,
        0u128,
        0usize,
        0i8,
        0i16,
        0i32,
        0i64,
        0i128,
        0isize,
        0f32,
        0f64,
        false,
        '\0',
        "",
        Wrapping(0u8),
        Reverse(0u8),
        (0u8,),
        [0u8],
        vec![0u8],
        Some(0u8),
        (),
        Loop { unroll: 0, tile: 0 },
    );
    all_differ!(
        1u32,
        NonZero::<u32>::MIN,
        NonZero::<i32>::MIN,
        [1u32],
        Duration::from_secs(1),
        1..1,
        1..=1,
        1..,
        ..1,
        ..=1,
        ..
    );
    all_differ!("a", Path::new("a"), OsStr::new("a"), 'a', ["a"], b"a", By(|s: &mut Signer| s.bytes(b"a")));
    all_differ!(Ordering::Less, Ordering::Equal, Ordering::Greater, signed(&0).0, "Less");
}

#[test]
fn values_differ_and_floats_count_by_their_bits() {
    all_differ!(0.0, -0.0, 1.0, f64::NAN, f64::INFINITY, f64::MIN_POSITIVE, f64::from_bits(1));
    all_equal!(f64::NAN, f64::from_bits(f64::NAN.to_bits()));
    all_differ!(f64::NAN, -f64::NAN);
    all_differ!(u64::MAX, u64::MAX - 1, 0u64);
    all_differ!(true, false);
}

#[test]
fn where_one_value_ends_and_the_next_begins_is_part_of_it() {
    all_differ!(
        ("ab", "c"),
        ("a", "bc"),
        ("", "abc"),
        ("abc", ""),
        "abc",
        ["ab", "c"],
        ["a", "bc"],
        vec!["ab", "c"]
    );
    all_differ!(((1, 2), 3), (1, (2, 3)), (1, 2, 3), ((1, 2, 3),), [1, 2, 3], vec![1, 2, 3], ([1, 2], 3));
    all_differ!(vec![vec![1], vec![]], vec![vec![], vec![1]], vec![vec![1]], vec![vec![], vec![], vec![1]]);
    all_differ!((Some(1), None::<i32>), (None::<i32>, Some(1)), (Some(1), Some(1)));
    all_differ!((vec![1u8], vec![2u8]), (vec![1u8, 2], Vec::<u8>::new()), (Vec::<u8>::new(), vec![1u8, 2]));
    all_differ!(("\0", ""), ("", "\0"), "\0");
}

#[test]
fn empty_containers_of_different_types_differ() {
    all_differ!(
        Vec::<f32>::new(),
        Vec::<f64>::new(),
        Vec::<Vec<f64>>::new(),
        [0f32; 0],
        [0f64; 0],
        None::<f32>,
        None::<f64>,
        None::<Option<f64>>,
        BTreeSet::<u8>::new(),
        BTreeMap::<u8, u8>::new(),
        BTreeMap::<u8, i8>::new(),
        PhantomData::<f32>,
        PhantomData::<f64>,
        PhantomData::<str>,
        (),
    );
    all_differ!(Ok::<u8, u16>(1), Ok::<u8, u32>(1), Err::<u8, u8>(1), Ok::<u8, u8>(1));
}

#[test]
fn names_order_and_presence_of_fields_count() {
    fn of(name: &str, fields: &[(&str, u32)]) -> Signature {
        let mut signer = Signer::new("test");
        signer.structure(name, |signer| fields.iter().for_each(|(name, value)| signer.field(name, value)));
        signer.finish()
    }
    let reference = of("Loop", &[("unroll", 8), ("tile", 4)]);
    assert_eq!(reference, signed(&Loop { unroll: 8, tile: 4 }).0);
    for other in [
        of("Loop", &[("unroll", 8), ("block", 4)]),
        of("Loop", &[("tile", 4), ("unroll", 8)]),
        of("Loop", &[("unroll", 4), ("tile", 8)]),
        of("Loop", &[("unroll", 8)]),
        of("Loop", &[("unroll", 8), ("tile", 4), ("more", 0)]),
        of("Loops", &[("unroll", 8), ("tile", 4)]),
        of("Loo", &[("punroll", 8), ("tile", 4)]),
    ] {
        assert_ne!(reference, other);
    }
}

#[test]
fn structs_tuples_variants_and_plain_values_differ() {
    all_differ!(
        By(|s: &mut Signer| s.structure("A", |s| s.u32(1))),
        By(|s: &mut Signer| s.structure("A", |s| s.field("x", &1u32))),
        By(|s: &mut Signer| s.structure("A", |s| (1u32,).sign(s))),
        By(|s: &mut Signer| s.structure("A", |_| {})),
        By(|s: &mut Signer| s.variant("A", "A", |s| s.u32(1))),
        By(|s: &mut Signer| s.variant("A", "B", |s| s.u32(1))),
        By(|s: &mut Signer| s.variant("B", "A", |s| s.u32(1))),
        By(|s: &mut Signer| s.variant("AA", "", |s| s.u32(1))),
        By(|s: &mut Signer| s.seq(1, |s| s.u32(1))),
        By(|s: &mut Signer| s.field("x", &1u32)),
        By(|s: &mut Signer| s.type_named("A", |s| s.u32(1))),
        By(|s: &mut Signer| s.u32(1)),
    );
    // Where the inner struct ends.
    all_differ!(
        By(|s: &mut Signer| s.structure("A", |s| {
            s.structure("B", |s| s.u32(1));
            s.u32(2);
        })),
        By(|s: &mut Signer| s.structure("A", |s| s.structure("B", |s| {
            s.u32(1);
            s.u32(2);
        }))),
    );
}

#[test]
fn how_a_value_is_held_does_not_count() {
    let text = String::from("axpy");
    all_equal!(
        "axpy",
        text,
        &text,
        &&text,
        Box::<str>::from("axpy"),
        Rc::<str>::from("axpy"),
        Arc::<str>::from("axpy")
    );
    all_equal!("axpy", Cow::Borrowed("axpy"), Cow::<str>::Owned(text.clone()));
    all_equal!(
        vec![1, 2],
        [1, 2][..],
        VecDeque::from([1, 2]),
        Box::new([1, 2]) as Box<[i32]>,
        Cow::Borrowed(&[1, 2][..])
    );
    all_equal!(Path::new("a"), PathBuf::from("a"), Box::<Path>::from(Path::new("a")));
    all_equal!(OsStr::new("a"), OsString::from("a"));
    all_equal!(8u32, Box::new(8u32), &mut 8u32);
}

#[test]
fn the_domain_separates() {
    assert_ne!(Signer::new("a").finish(), Signer::new("b").finish());
    let mut ab = Signer::new("ab");
    ab.str("c");
    let mut a = Signer::new("a");
    a.str("bc");
    assert_ne!(ab.finish(), a.finish());
}

#[test]
fn signatures_are_the_same_in_every_process_and_version() {
    // A changed value here makes every cache in the world miss: only with a new format version.
    let key = (Loop { unroll: 8, tile: 4 }, "f64", Some(0.5), vec![1usize], -1i64);
    assert_eq!(signed(&key).0.short(), "ab96d095b1df");
}

#[test]
fn texts_look_like_debug_on_one_line() {
    let text = |value: &dyn Fn(&mut Signer)| signed(&By(value)).1;
    assert_eq!(signed(&(Loop { unroll: 8, tile: 4 }, "f64")).1, "(Loop { unroll: 8, tile: 4 }, \"f64\")");
    assert_eq!(signed(&(2usize,)).1, "(2)");
    assert_eq!(signed(&()).1, "()");
    assert_eq!(signed(&(vec![Some(1.0), None], -0.0f32, 'x')).1, "([Some(1.0), None], -0.0, 'x')");
    assert_eq!(signed(&"a\n\"b").1, r#""a\n\"b""#);
    assert_eq!(signed(Path::new("a b")).1, "\"a b\"");
    assert_eq!(signed(&(1..3)).1, "Range { start: 1, end: 3 }");
    assert_eq!(signed(&BTreeMap::from([("x", 1)])).1, "[(\"x\", 1)]");
    assert_eq!(text(&|s| s.variant("Loop", "Plain", |_| {})), "Plain");
    assert_eq!(text(&|s| s.variant("Loop", "Tiled", |s| s.field("x", &1u32))), "Tiled { x: 1 }");
    assert_eq!(text(&|s| s.structure("A", |s| [(); 2].sign(s))), "A([(), ()])");
    assert_eq!(
        text(&|s| s.structure("A", |s| s.field("b", &Loop { unroll: 1, tile: 2 }))),
        "A { b: Loop { unroll: 1, tile: 2 } }"
    );
}

#[test]
fn texts_are_short_whatever_is_signed() {
    let long = "é".repeat(1_000_000);
    let (signature, text) = signed(&(long.as_str(), vec![0u8; 1_000_000]));
    assert!(text.len() <= 164 && text.starts_with("(\"éé") && text.ends_with(".."), "{text}");
    assert_ne!(signature, signed(&(&long[2..], vec![0u8; 1_000_000])).0);
    assert!(signed(&vec![Loop { unroll: 1, tile: 1 }; 1000]).1.ends_with(".."));
}
