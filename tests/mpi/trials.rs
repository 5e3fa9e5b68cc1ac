//! The fault matrix under `mpirun`: what goes wrong on one rank is heard of on all. All cells run over threads, see
//! `distribute::matrix`; here is one of each kind on each rank, and in the soak all that there are with three ranks.

use std::process::Command;

use dijitso_tests::protocol::{ShimMode, ShimStep};
use dijitso_tests::trouble::{Trouble, own_mounts};

use super::{Installed, finish, with_each_mpi};
use crate::harness::{Place, not_permitted, real_compiler, soak};

/// A place with a compiler for each rank.
pub(crate) fn furnished(ranks: usize) -> Place {
    let place = Place::new();
    for rank in 0..ranks {
        place.shim_named(&format!("c++-{rank}")).set(ShimMode::Stamp, ShimStep::Compile);
    }
    place.write("real", real_compiler().to_str().unwrap());
    if soak() {
        place.write("soak", "");
    }
    place
}

/// What rank 0 printed at the end of a trial.
pub(crate) fn trial(mpi: &Installed, ranks: usize, words: &[&str]) -> String {
    let place = furnished(ranks);
    let mut command = mpi.command(ranks, "mpi-trials");
    command.arg(words[0]).arg(place.root()).args(&words[1..]).env("TMPDIR", place.root());
    if std::thread::spawn(own_mounts).join().unwrap() {
        std::fs::create_dir(place.path("disk")).unwrap();
        command = on_a_small_disk(&command, &place);
    }
    let output = finish(&mut command);
    let (said, told) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{words:?} on {ranks} ranks: {}\n{said}\n{told}", output.status);
    said.into_owned()
}

/// The same command, where a directory that all ranks see is a file system of a few megabytes.
fn on_a_small_disk(command: &Command, place: &Place) -> Command {
    let script = "mount -t tmpfs -o size=8m,mode=700 none \"$0\" && exec \"$@\"";
    let mut small = Command::new("unshare");
    small.args(["-m", "sh", "-c", script]).arg(place.path("disk"));
    small.arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        small.env(name, value.unwrap_or_default());
    }
    small.stdin(std::process::Stdio::null());
    small
}

fn whatever_goes_wrong_is_the_same_on_all_ranks(mpi: &Installed) {
    if !std::thread::spawn(own_mounts).join().unwrap() {
        not_permitted("mounting");
    }
    if !soak() {
        let said = trial(mpi, 3, &["cells", "main"]);
        println!("{said}");
        assert!(said.starts_with("33 cells, "), "{said}");
        return;
    }
    for trouble in Trouble::ALL {
        println!("{trouble:?}: {}", trial(mpi, 3, &["cells", &format!("{trouble:?}")]));
    }
}

fn whatever_is_asked_for_differently_is_named_on_all_ranks(mpi: &Installed) {
    for ranks in [2, 4] {
        let said = trial(mpi, ranks, &["disagreements"]);
        let cells = 6 * ranks.min(3);
        assert_eq!(said, format!("{cells} requests that differ\n"));
    }
}

with_each_mpi! {
    whatever_goes_wrong_is_the_same_on_all_ranks,
    whatever_is_asked_for_differently_is_named_on_all_ranks,
}
