//! A cache over the years: how it keeps its bound, what is known of its use, and what a trace shows.

mod eviction;
mod statistics;
mod trace;

use std::path::Path;
use std::process::Child;
use std::time::{Duration, SystemTime};

use crate::harness::{Place, Ran, Shim};
use dijitso_tests::protocol::{ShimMode, ShimStep};

const DAY: Duration = Duration::from_secs(24 * 3600);

/// As if a file had been used so long ago.
fn age(path: &Path, by: Duration) {
    std::fs::File::open(path).unwrap().set_modified(SystemTime::now() - by).unwrap();
}

fn used(path: &Path) -> SystemTime {
    path.metadata().unwrap().modified().unwrap()
}

/// A compiler that costs a few milliseconds a kernel, and has been asked all questions.
fn quick(place: &Place, first: [&str; 4]) -> Shim {
    let shim = place.shim();
    shim.set(ShimMode::Stamp, ShimStep::Compile);
    place.client(first).env("CXX", shim.path()).ok();
    shim
}

fn end(child: Child) -> Ran {
    let ran = Ran::of(child.wait_with_output().unwrap());
    assert!(ran.outcome.error.is_none(), "{:?}\n{}", ran.outcome.error, ran.stderr);
    ran
}
