//! The steps that ranks come by in a load in which nothing goes wrong, with `!` behind those in which they compile: of the first,
//! the second and the last rank.

use dijitso::BuildOn::{self, Node, Process, Root, Spread};

use crate::distribute::World::{self, Denied, Machines, Separate, Server, Shared};

#[rustfmt::skip]
pub(super) const WAYS: &[(World, BuildOn, [&str; 3])] = &[
    (Shared, Root, [
        "Agree Share Share LookUp Move Move Load Build! Move Move Load",
        "Agree Share Share LookUp Move Move Load Build Move Move Load",
        "Agree Share Share LookUp Move Move Load Build Move Move Load",
    ]),
    (Shared, Node, [
        "Agree Share Share LookUp Move Move Load Build! Move Move Load",
        "Agree Share Share LookUp Move Move Load Build Move Move Load",
        "Agree Share Share LookUp Move Move Load Build Move Move Load",
    ]),
    (Shared, Process, [
        "Agree Share Share LookUp LookUp Build!",
        "Agree Share Share LookUp LookUp Build!",
        "Agree Share Share LookUp LookUp Build!",
    ]),
    (Shared, Spread, [
        "Agree Share Share LookUp Move Move Load Build! Move Move Load",
        "Agree Share Share LookUp Move Move Load Build Move Move Load",
        "Agree Share Share LookUp Move Move Load Build Move Move Load",
    ]),
    (Separate, Root, [
        "Agree Share Share LookUp Move Move Load Build! Move Move Load",
        "Agree Share Share LookUp Move Load Build Move Move Load",
        "Agree Share Share LookUp Move Load Build Move Move Load",
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
        "Agree Share Share LookUp Move Move Load Build! Move Move Load",
        "Agree Share Share LookUp Move Load Build Move Move Load",
        "Agree Share Share LookUp Move Load Build Move Move Load",
    ]),
    (Machines, Root, [
        "Agree Share Share LookUp Move Move Move Load Build! Move Move Move Load",
        "Agree Share Share LookUp Move Load Build Move Load",
        "Agree Share Share LookUp Move Load Build Move Load",
    ]),
    (Machines, Node, [
        "Agree Share Share LookUp Build! Move Move Load",
        "Agree Share Share LookUp Build Move Move Load",
        "Agree Share Share LookUp Move Move Load Build Move Move Load",
    ]),
    (Machines, Process, [
        "Agree Share Share LookUp LookUp Build!",
        "Agree Share Share LookUp LookUp Build!",
        "Agree Share Share LookUp LookUp Build!",
    ]),
    (Machines, Spread, [
        "Agree Share Share LookUp Move Move Move Load Plan Build! Move Move Move Load",
        "Agree Share Share LookUp Move Load Plan Build Move Load",
        "Agree Share Share LookUp Move Load Plan Build Move Load",
    ]),
    (Server, Root, [
        "Agree Share Share LookUp Move Move Move Load Build! Move Move Move Load",
        "Agree Share Share LookUp Move Load Build Move Load",
        "Agree Share Share LookUp Move Load Build Move Load",
    ]),
    (Server, Node, [
        "Agree Share Share LookUp Move Move Move Load Build! Move Move Move Load",
        "Agree Share Share LookUp Move Load Build Move Load",
        "Agree Share Share LookUp Move Load Build Move Load",
    ]),
    (Server, Process, [
        "Agree Share Share LookUp LookUp Build!",
        "Agree Share Share LookUp LookUp Build!",
        "Agree Share Share LookUp LookUp Build!",
    ]),
    (Server, Spread, [
        "Agree Share Share LookUp Move Move Move Load Plan Build! Move Move Move Load",
        "Agree Share Share LookUp Move Load Plan Build Move Load",
        "Agree Share Share LookUp Move Load Plan Build Move Load",
    ]),
    (Denied, Root, [
        "Agree Share Share LookUp Move Move Move Load HandOut Load Build! Move Move Move Load HandOut Load",
        "Agree Share Share LookUp Move Load HandOut Load Build Move Load HandOut Load",
        "Agree Share Share LookUp Move Load HandOut Load Build Move Load HandOut Load",
    ]),
    (Denied, Node, [
        "Agree Share Share LookUp Build! Move Move Load",
        "Agree Share Share LookUp Build Move Move Load",
        "Agree Share Share LookUp Move Move Load Build Move Move Load",
    ]),
    (Denied, Process, [
        "Agree Share Share LookUp LookUp Build!",
        "Agree Share Share LookUp LookUp Build!",
        "Agree Share Share LookUp LookUp Build!",
    ]),
    (Denied, Spread, [
        "Agree Share Share LookUp Move Move Move Load HandOut Load Plan Build! Move Move Move Load HandOut Load",
        "Agree Share Share LookUp Move Load HandOut Load Plan Build Move Load HandOut Load",
        "Agree Share Share LookUp Move Load HandOut Load Plan Build Move Load HandOut Load",
    ]),
];
