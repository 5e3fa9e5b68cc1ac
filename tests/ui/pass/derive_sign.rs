#![deny(warnings)]
#![allow(dead_code)]

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::marker::PhantomData;

use dijitso::{Sign, Signature, Signer};

#[derive(Sign)]
struct Unit;

#[derive(Sign)]
struct Tuple(u32, String);

#[derive(Sign)]
struct Named {
    order: u32,
    r#type: BTreeMap<String, f64>,
}

#[derive(Sign)]
struct Borrowed<'a, 'b: 'a>(&'a str, &'b [f64]);

#[derive(Sign)]
struct Generic<T: Debug, U>
where
    U: Debug,
{
    value: T,
    list: Vec<Option<U>>,
}

#[derive(Sign)]
struct Degree<const N: usize, const ODD: bool = false>;

#[derive(Sign)]
struct Tagged<T>(PhantomData<T>);

#[derive(Sign)]
struct Unsized<T: ?Sized>(u32, T);

trait Cell {
    type Point;
}

struct Interval;

impl Sign for Interval {
    fn sign_type(signer: &mut Signer) {
        signer.type_named("Interval", |_| {});
    }
    fn sign(&self, signer: &mut Signer) {
        signer.structure("Interval", |_| {});
    }
}

impl Cell for Interval {
    type Point = f64;
}

#[derive(Sign)]
struct Associated<C: Cell> {
    points: Vec<C::Point>,
    first: <C as Cell>::Point,
}

#[derive(Sign)]
struct List<T> {
    value: T,
    next: Option<Box<Self>>,
}

#[derive(Sign)]
enum Never {}

#[derive(Sign)]
enum Shape<'a, T = f64> {
    Plain,
    Tuple(u32, &'a T),
    Named { signer: T, field_0: T, name: String },
    r#In,
}

fn signed(value: &(impl Sign + ?Sized)) -> (Signature, String) {
    let mut signer = Signer::new("test");
    value.sign(&mut signer);
    signer.finish_with_text()
}

mod renamed {
    #[derive(dijitso::Sign)]
    pub struct Tuple(pub u32, pub String);

    #[derive(dijitso::Sign)]
    pub struct Named {
        pub degree: u32,
        pub r#type: std::collections::BTreeMap<String, f64>,
    }
}

fn main() {
    assert_eq!(signed(&Unit).1, "Unit");
    assert_eq!(signed(&Tuple(1, "a".to_owned())).1, "Tuple(1, \"a\")");
    assert_eq!(signed(&Named { order: 1, r#type: BTreeMap::new() }).1, "Named { order: 1, type: [] }");
    assert_eq!(signed(&Borrowed("a", &[1.0])).1, "Borrowed(\"a\", [1.0])");
    assert_eq!(
        signed(&Generic { value: 1u8, list: vec![Some("a")] }).1,
        "Generic { value: 1, list: [Some(\"a\")] }"
    );
    assert_eq!(signed(&Shape::Tuple(1, &2.0)).1, "Tuple(1, 2.0)");
    assert_eq!(
        signed(&Shape::Named { signer: 1, field_0: 2, name: "c".to_owned() }).1,
        "Named { signer: 1, field_0: 2, name: \"c\" }"
    );
    let list = List { value: 1, next: Some(Box::new(List { value: 2, next: None })) };
    assert_eq!(signed(&list).1, "List { value: 1, next: Some(List { value: 2, next: None }) }");
    assert_eq!(
        signed(&Associated::<Interval> { points: vec![], first: 1.0 }).1,
        "Associated { points: [], first: 1.0 }"
    );
    let unsized_value: &Unsized<[u8]> = &Unsized(1, [2, 3]);
    assert_eq!(signed(unsized_value).1, "Unsized(1, [2, 3])");

    // The name of a field, the generic arguments and the type of the same bits all count.
    assert_eq!(signed(&Tuple(1, "a".to_owned())).0, signed(&renamed::Tuple(1, "a".to_owned())).0);
    assert_ne!(
        signed(&Named { order: 1, r#type: BTreeMap::new() }).0,
        signed(&renamed::Named { degree: 1, r#type: BTreeMap::new() }).0
    );
    assert_ne!(signed(&Degree::<2>).0, signed(&Degree::<3>).0);
    assert_ne!(signed(&Degree::<2>).0, signed(&Degree::<2, true>).0);
    assert_ne!(signed(&Tagged::<f32>(PhantomData)).0, signed(&Tagged::<f64>(PhantomData)).0);
    assert_ne!(signed(&Shape::<f32>::Plain).0, signed(&Shape::<f64>::Plain).0);
    assert_ne!(signed(&Shape::<f64>::Plain).0, signed(&Shape::<f64>::In).0);
}
