//! Which ranks share a physical cache directory, where paths do not tell.

use std::process::Command;

use super::{Installed, with_each_mpi};
use crate::harness::{Place, not_permitted};

fn directories_are_told_apart_by_what_is_in_them(mpi: &Installed) {
    if !Command::new("unshare").args(["-m", "-u", "true"]).status().is_ok_and(|status| status.success()) {
        return not_permitted("a mount namespace");
    }
    let place = Place::new();
    let directories = ["cache", "other"].map(|name| {
        let path = place.path(name);
        std::fs::create_dir(&path).unwrap();
        path.into_os_string().into_string().unwrap()
    });
    let said = mpi.run(6, "mpi-places", &directories.each_ref().map(String::as_str));
    // Ranks 0, 2, 4 and 5 have one directory; 1 and 3 have their own.
    assert_eq!(said, "root brwrww\nnode bbwbww\nprocess bbbbbb\n");
}

with_each_mpi! {
    directories_are_told_apart_by_what_is_in_them,
}
