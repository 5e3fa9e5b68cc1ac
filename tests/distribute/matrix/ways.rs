//! The steps that ranks come by in a load in which nothing goes wrong, with `!` behind those in which they compile: of the first,
//! the second and the last rank.

use dijitso::BuildOn::{self, Node, Process, Root, Spread};

use crate::distribute::World::{self, Denied, Machines, Separate, Server, Shared};

#[rustfmt::skip]
pub(super) const WAYS: &[(World, BuildOn, [&str; 3])] = &[
    (Shared, Root, [
        "Agree Share Share LookUp Move Move Load Publish Build! Move Move Load Publish",
        "Agree Share Share LookUp Move Move Load Publish Build Move Move Load Publish",
        "Agree Share Share LookUp Move Move Load Publish Build Move Move Load Publish",
    ]),
    (Shared, Node, [
        "Agree Share Share LookUp Move Move Load Publish Build! Move Move Load Publish",
        "Agree Share Share LookUp Move Move Load Publish Build Move Move Load Publish",
        "Agree Share Share LookUp Move Move Load Publish Build Move Move Load Publish",
    ]),
    (Shared, Process, [
        "Agree Share Share LookUp LookUp Build!",
        "Agree Share Share LookUp LookUp Build!",
        "Agree Share Share LookUp LookUp Build!",
    ]),
    (Shared, Spread, [
        "Agree Share Share LookUp Move Move Load Publish Build! Move Move Load Publish",
        "Agree Share Share LookUp Move Move Load Publish Build Move Move Load Publish",
        "Agree Share Share LookUp Move Move Load Publish Build Move Move Load Publish",
    ]),
    (Separate, Root, [
        "Agree Share Share LookUp Move Move Move Load Publish Build! Move Move Load Publish",
        "Agree Share Share LookUp Move Move Load Publish Build Move Move Load Publish",
        "Agree Share Share LookUp Move Move Load Publish Build Move Move Load Publish",
    ]),
    (Separate, Node, [
        "Agree Share Share LookUp Build!",
        "Agree Share Share LookUp Build!",
        "Agree Share Share LookUp Build!",
    ]),
    (Separate, Process, [
        "Agree Share Share LookUp Build!",
        "Agree Share Share LookUp Build!",
        "Agree Share Share LookUp Build!",
    ]),
    (Separate, Spread, [
        "Agree Share Share LookUp Move Move Move Load Publish Build! Move Move Load Publish",
        "Agree Share Share LookUp Move Move Load Publish Build Move Move Load Publish",
        "Agree Share Share LookUp Move Move Load Publish Build Move Move Load Publish",
    ]),
    (Machines, Root, [
        "Agree Share Share LookUp Move Move Move Move Move Load Publish Build! Move Move Move Move Move Load Publish",
        "Agree Share Share LookUp Move Move Load Publish Build Move Move Load Publish",
        "Agree Share Share LookUp Move Move Load Publish Build Move Move Load Publish",
    ]),
    (Machines, Node, [
        "Agree Share Share LookUp Build! Move Move Load Publish",
        "Agree Share Share LookUp Build Move Move Load Publish",
        "Agree Share Share LookUp Move Move Load Publish Build Move Move Load Publish",
    ]),
    (Machines, Process, [
        "Agree Share Share LookUp LookUp Build!",
        "Agree Share Share LookUp LookUp Build!",
        "Agree Share Share LookUp LookUp Build!",
    ]),
    (Machines, Spread, [
        "Agree Share Share LookUp Move Move Move Move Move Load Publish Plan Build! Move Move Move Move Move Load Publish",
        "Agree Share Share LookUp Move Move Load Publish Plan Build Move Move Load Publish",
        "Agree Share Share LookUp Move Move Load Publish Plan Build Move Move Load Publish",
    ]),
    (Server, Root, [
        "Agree Share Share LookUp Move Move Move Move Move Load Publish Build! Move Move Move Move Move Load Publish",
        "Agree Share Share LookUp Move Move Load Publish Build Move Move Load Publish",
        "Agree Share Share LookUp Move Move Load Publish Build Move Move Load Publish",
    ]),
    (Server, Node, [
        "Agree Share Share LookUp Move Move Move Move Move Load Publish Build! Move Move Move Move Move Load Publish",
        "Agree Share Share LookUp Move Move Load Publish Build Move Move Load Publish",
        "Agree Share Share LookUp Move Move Load Publish Build Move Move Load Publish",
    ]),
    (Server, Process, [
        "Agree Share Share LookUp LookUp Build!",
        "Agree Share Share LookUp LookUp Build!",
        "Agree Share Share LookUp LookUp Build!",
    ]),
    (Server, Spread, [
        "Agree Share Share LookUp Move Move Move Move Move Load Publish Plan Build! Move Move Move Move Move Load Publish",
        "Agree Share Share LookUp Move Move Load Publish Plan Build Move Move Load Publish",
        "Agree Share Share LookUp Move Move Load Publish Plan Build Move Move Load Publish",
    ]),
    (Denied, Root, [
        "Agree Share Share LookUp Move Move Move Move Move Load HandOut HandOut Load Publish Publish Build! Move Move Move Move Move Load HandOut HandOut Load Publish Publish",
        "Agree Share Share LookUp Move Move Load HandOut Load Publish Publish Build Move Move Load HandOut Load Publish Publish",
        "Agree Share Share LookUp Move Move Load HandOut Load Publish Publish Build Move Move Load HandOut Load Publish Publish",
    ]),
    (Denied, Node, [
        "Agree Share Share LookUp Build! Move Move Load Publish",
        "Agree Share Share LookUp Build Move Move Load Publish",
        "Agree Share Share LookUp Move Move Load Publish Build Move Move Load Publish",
    ]),
    (Denied, Process, [
        "Agree Share Share LookUp LookUp Build!",
        "Agree Share Share LookUp LookUp Build!",
        "Agree Share Share LookUp LookUp Build!",
    ]),
    (Denied, Spread, [
        "Agree Share Share LookUp Move Move Move Move Move Load HandOut HandOut Load Publish Publish Plan Build! Move Move Move Move Move Load HandOut HandOut Load Publish Publish",
        "Agree Share Share LookUp Move Move Load HandOut Load Publish Publish Plan Build Move Move Load HandOut Load Publish Publish",
        "Agree Share Share LookUp Move Move Load HandOut Load Publish Publish Plan Build Move Move Load HandOut Load Publish Publish",
    ]),
];
