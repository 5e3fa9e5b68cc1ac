#![allow(unused)]

use dijitso::Sign;

#[derive(Sign)]
union Bits {
    float: f32,
    word: u32,
}

#[derive(Sign)]
#[sign(skip)]
struct UnknownKey {
    value: u32,
}

#[derive(Sign)]
#[sign(crat = ::dijitso)]
struct Typo {
    value: u32,
}

#[derive(Sign)]
#[sign]
struct NoKey {
    value: u32,
}

#[derive(Sign)]
#[sign(crate = "dijitso")]
struct Quoted {
    value: u32,
}

#[derive(Sign)]
#[sign(crate = ::dijitso)]
#[sign(crate = dijitso)]
struct Twice {
    value: u32,
}

#[derive(Sign)]
enum OnFieldsAndVariants {
    #[sign(skip)]
    First,
    Second {
        #[sign(skip)]
        value: u32,
    },
}

fn main() {}
