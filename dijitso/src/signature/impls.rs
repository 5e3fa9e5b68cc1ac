//! [`Sign`] for the standard library's value types.
//!
//! References and boxes sign as what they hold: how a generator got its argument is not part of the
//! kernel. Containers sign their item's type too, so that empty ones of different types differ.

use std::borrow::Cow;
use std::cmp::{Ordering, Reverse};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ffi::{OsStr, OsString};
use std::marker::PhantomData;
use std::num::{NonZero, Wrapping};
use std::ops::{Bound, Range, RangeFrom, RangeFull, RangeInclusive, RangeTo, RangeToInclusive};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use super::{Sign, Signature, Signer};

macro_rules! scalars {
    ($($type:ident)*) => {$(
        impl Sign for $type {
            fn sign_type(signer: &mut Signer) {
                signer.type_named(stringify!($type), |_| {});
            }
            fn sign(&self, signer: &mut Signer) {
                signer.$type(*self);
            }
        }
    )*};
}
scalars!(bool char u8 u16 u32 u64 u128 usize i8 i16 i32 i64 i128 isize f32 f64);

macro_rules! nonzero {
    ($($type:ident)*) => {$(
        impl Sign for NonZero<$type> {
            fn sign_type(signer: &mut Signer) {
                signer.type_named("NonZero", |signer| $type::sign_type(signer));
            }
            fn sign(&self, signer: &mut Signer) {
                signer.structure("NonZero", |signer| self.get().sign(signer));
            }
        }
    )*};
}
nonzero!(u8 u16 u32 u64 u128 usize i8 i16 i32 i64 i128 isize);

impl Sign for str {
    fn sign_type(signer: &mut Signer) {
        signer.type_named("str", |_| {});
    }
    fn sign(&self, signer: &mut Signer) {
        signer.str(self);
    }
}

macro_rules! transparent {
    ($([$($param:ident)?] $type:ty => $held:ty;)*) => {$(
        impl $(<$param: Sign + ?Sized>)? Sign for $type {
            fn sign_type(signer: &mut Signer) {
                <$held>::sign_type(signer);
            }
            fn sign(&self, signer: &mut Signer) {
                <$held>::sign(self, signer);
            }
        }
    )*};
}
transparent! {
    [] String => str;
    [] PathBuf => Path;
    [] OsString => OsStr;
    [T] &T => T;
    [T] &mut T => T;
    [T] Box<T> => T;
    [T] Rc<T> => T;
    [T] Arc<T> => T;
}

impl<T: Sign + ToOwned + ?Sized> Sign for Cow<'_, T> {
    fn sign_type(signer: &mut Signer) {
        T::sign_type(signer);
    }
    fn sign(&self, signer: &mut Signer) {
        T::sign(self, signer);
    }
}

/// Named values around one byte string, whose text is the path itself.
macro_rules! os_strings {
    ($($type:ident $name:literal)*) => {$(
        impl Sign for $type {
            fn sign_type(signer: &mut Signer) {
                signer.type_named($name, |_| {});
            }
            fn sign(&self, signer: &mut Signer) {
                signer.os_str($name, AsRef::<OsStr>::as_ref(self).as_bytes());
            }
        }
    )*};
}
os_strings!(Path "Path" OsStr "OsStr");

impl<T: Sign> Sign for [T] {
    fn sign_type(signer: &mut Signer) {
        signer.type_named("[]", T::sign_type);
    }
    fn sign(&self, signer: &mut Signer) {
        sequence(self.iter(), signer);
    }
}

impl<T: Sign> Sign for Vec<T> {
    fn sign_type(signer: &mut Signer) {
        <[T]>::sign_type(signer);
    }
    fn sign(&self, signer: &mut Signer) {
        self.as_slice().sign(signer);
    }
}

impl<T: Sign> Sign for VecDeque<T> {
    fn sign_type(signer: &mut Signer) {
        <[T]>::sign_type(signer);
    }
    fn sign(&self, signer: &mut Signer) {
        sequence(self.iter(), signer);
    }
}

fn sequence<'a, T: Sign + 'a>(items: impl ExactSizeIterator<Item = &'a T>, signer: &mut Signer) {
    signer.seq(items.len(), |signer| {
        T::sign_type(signer);
        items.for_each(|item| item.sign(signer));
    });
}

impl<T: Sign, const N: usize> Sign for [T; N] {
    fn sign_type(signer: &mut Signer) {
        signer.type_named("[;]", |signer| {
            T::sign_type(signer);
            N.sign(signer);
        });
    }
    fn sign(&self, signer: &mut Signer) {
        Self::sign_type(signer);
        self.as_slice().sign(signer);
    }
}

impl<T: Sign> Sign for BTreeSet<T> {
    fn sign_type(signer: &mut Signer) {
        signer.type_named("BTreeSet", T::sign_type);
    }
    fn sign(&self, signer: &mut Signer) {
        Self::sign_type(signer);
        sequence(self.iter(), signer);
    }
}

impl<K: Sign, V: Sign> Sign for BTreeMap<K, V> {
    fn sign_type(signer: &mut Signer) {
        signer.type_named("BTreeMap", |signer| {
            K::sign_type(signer);
            V::sign_type(signer);
        });
    }
    fn sign(&self, signer: &mut Signer) {
        Self::sign_type(signer);
        signer.seq(self.len(), |signer| self.iter().for_each(|pair| pair.sign(signer)));
    }
}

impl<T: Sign> Sign for Option<T> {
    fn sign_type(signer: &mut Signer) {
        signer.type_named("Option", T::sign_type);
    }
    fn sign(&self, signer: &mut Signer) {
        T::sign_type(signer);
        match self {
            Some(value) => signer.variant("Option", "Some", |signer| value.sign(signer)),
            None => signer.variant("Option", "None", |_| {}),
        }
    }
}

impl<T: Sign, E: Sign> Sign for Result<T, E> {
    fn sign_type(signer: &mut Signer) {
        signer.type_named("Result", |signer| {
            T::sign_type(signer);
            E::sign_type(signer);
        });
    }
    fn sign(&self, signer: &mut Signer) {
        Self::sign_type(signer);
        match self {
            Ok(value) => signer.variant("Result", "Ok", |signer| value.sign(signer)),
            Err(error) => signer.variant("Result", "Err", |signer| error.sign(signer)),
        }
    }
}

impl<T: Sign + ?Sized> Sign for PhantomData<T> {
    fn sign_type(signer: &mut Signer) {
        signer.type_named("PhantomData", T::sign_type);
    }
    fn sign(&self, signer: &mut Signer) {
        Self::sign_type(signer);
        signer.structure("PhantomData", |_| {});
    }
}

/// Structs of the standard library: name, and the fields as the program sees them.
macro_rules! structures {
    ($($type:ident $(<$param:ident>)? ($self:ident) { $($field:tt: $value:expr),* };)*) => {$(
        impl $(<$param: Sign>)? Sign for $type $(<$param>)? {
            fn sign_type(signer: &mut Signer) {
                signer.type_named(stringify!($type), |_signer| {
                    $($param::sign_type(_signer);)?
                });
            }
            fn sign(&self, signer: &mut Signer) {
                let $self = self;
                signer.structure(stringify!($type), |_signer| {
                    $(_signer.field(stringify!($field), $value);)*
                });
            }
        }
    )*};
}
structures! {
    Wrapping<T>(value) { value: &value.0 };
    Reverse<T>(value) { value: &value.0 };
    Range<T>(range) { start: &range.start, end: &range.end };
    RangeInclusive<T>(range) { start: range.start(), end: range.end(), exhausted: &exhausted(range) };
    RangeFrom<T>(range) { start: &range.start };
    RangeTo<T>(range) { end: &range.end };
    RangeToInclusive<T>(range) { end: &range.end };
    RangeFull(_range) {};
    Duration(duration) { seconds: &duration.as_secs(), nanoseconds: &duration.subsec_nanos() };
}

/// A `RangeInclusive` that was iterated to its end keeps its bounds; only its end bound tells.
fn exhausted<T>(range: &RangeInclusive<T>) -> bool {
    matches!(std::ops::RangeBounds::end_bound(range), Bound::Excluded(_))
}

impl Sign for Ordering {
    fn sign_type(signer: &mut Signer) {
        signer.type_named("Ordering", |_| {});
    }
    fn sign(&self, signer: &mut Signer) {
        let name = match self {
            Ordering::Less => "Less",
            Ordering::Equal => "Equal",
            Ordering::Greater => "Greater",
        };
        signer.variant("Ordering", name, |_| {});
    }
}

impl Sign for Signature {
    fn sign_type(signer: &mut Signer) {
        signer.type_named("Signature", |_| {});
    }
    fn sign(&self, signer: &mut Signer) {
        signer.signature(self);
    }
}

macro_rules! tuples {
    ($(($($item:ident)*))*) => {$(
        impl<$($item: Sign),*> Sign for ($($item,)*) {
            fn sign_type(signer: &mut Signer) {
                signer.type_named("()", |_signer| {
                    $($item::sign_type(_signer);)*
                });
            }
            fn sign(&self, signer: &mut Signer) {
                #[allow(non_snake_case)]
                let ($($item,)*) = self;
                let items: &[&str] = &[$(stringify!($item)),*];
                signer.tuple(items.len(), |_signer| {
                    $($item.sign(_signer);)*
                });
            }
        }
    )*};
}
tuples! {
    ()
    (A)
    (A B)
    (A B C)
    (A B C D)
    (A B C D E)
    (A B C D E F)
    (A B C D E F G)
    (A B C D E F G H)
    (A B C D E F G H I)
    (A B C D E F G H I J)
    (A B C D E F G H I J K)
    (A B C D E F G H I J K L)
    (A B C D E F G H I J K L M)
    (A B C D E F G H I J K L M N)
    (A B C D E F G H I J K L M N O)
    (A B C D E F G H I J K L M N O P)
}
