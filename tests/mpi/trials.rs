//! The fault matrix under `mpirun`: what goes wrong on one rank is heard of on all. All cells run over threads, see
//! `distribute::matrix`; here is one of each kind on each rank, and in the soak every seventeenth of all that there are.

use std::process::{Command, Stdio};
use std::sync::Arc;

use dijitso::{BuildOn, Communicator as _};
use dijitso_tests::denied::deny_loading;
use dijitso_tests::protocol::{ShimMode, ShimStep};
use dijitso_tests::starts::{Start, take_part};
use dijitso_tests::trouble::{Trouble, own_mounts};

use super::{Installed, OPEN_MPI, SIZES, finish, with_each_mpi};
use crate::distribute::{Compiler, STRATEGIES, World};
use crate::harness::{NOBODY, Place, files, install, need, not_permitted, own, real_compiler, root, soak};

/// How the ranks of a trial live.
#[derive(Debug, Clone, Copy)]
enum Home {
    /// All on one machine.
    One,
    /// So many on each of several machines.
    Several(usize),
}

/// What rank 0 printed in a trial; `None` if it cannot be had here.
fn trial(mpi: &Installed, ranks: usize, home: Home, words: &[&str]) -> Option<String> {
    trial_in(&furnished(ranks), mpi, ranks, home, words)
}

/// The same in a place that is there already.
fn trial_in(place: &Place, mpi: &Installed, ranks: usize, home: Home, words: &[&str]) -> Option<String> {
    let mut command = about_to_run(mpi, place, ranks, words);
    let permitted = std::thread::spawn(own_mounts).join().unwrap();
    if let Home::Several(ranks) = home {
        if !permitted {
            not_permitted("another name of the machine");
            return None;
        }
        place.write("a-machine", &ranks.to_string());
    }
    if permitted && words[0] == "cells" {
        let disk = place.path("disk");
        std::fs::create_dir_all(&disk).unwrap();
        let script = "mount -t tmpfs -o size=8m,mode=700 none \"$0\" && exec \"$@\"";
        let mut mounted = Command::new("unshare");
        mounted.args(["-m", "sh", "-c", script]).arg(disk);
        command = under(mounted, &command);
    }
    Some(said(&mut command))
}

/// A place with a compiler for each rank.
fn furnished(ranks: usize) -> Place {
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

fn about_to_run(mpi: &Installed, place: &Place, ranks: usize, words: &[&str]) -> Command {
    let mut command = mpi.command(ranks, "mpi-trials");
    command.arg(words[0]).arg(place.root()).args(&words[1..]).env("TMPDIR", place.root());
    if words == ["starts"] {
        // Two ranks would have a core each, and then both build: threads share all cores.
        command.env("OMPI_MCA_hwloc_base_binding_policy", "none");
    }
    command
}

/// The same command, started by another one.
fn under(mut outer: Command, command: &Command) -> Command {
    outer.arg(command.get_program()).args(command.get_args()).stdin(Stdio::null());
    for (name, value) in command.get_envs() {
        outer.env(name, value.unwrap_or_default());
    }
    outer
}

/// What it printed; it must end well.
fn said(command: &mut Command) -> String {
    let output = finish(command);
    let (said, told) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?}: {}\n{said}\n{told}", output.status);
    said.into_owned()
}

/// What ranks do in cold and warm starts, as threads, in the same order.
fn starts_of_threads(
    places: &[Arc<Place>],
    ranks: usize,
    home: Home,
    compiler: &Arc<Compiler>,
) -> Vec<Vec<Start>> {
    let worlds = match home {
        Home::One => [World::Shared, World::Separate],
        Home::Several(_) => [World::Server, World::Machines],
    };
    let settings = worlds.into_iter().flat_map(|world| STRATEGIES.map(|build_on| (world, build_on)));
    let start = |(at, (world, build_on)): (usize, (World, BuildOn))| {
        let (place, compiler) = (places[at].clone(), compiler.clone());
        world.seed(&place, ranks, &compiler);
        world.run(ranks, move |comm| {
            let builder = || world.builder(&place, comm.rank()).cxx(compiler.word());
            take_part(&comm, build_on, &builder, 100 + 10 * at as u32)
        })
    };
    settings.enumerate().map(start).collect()
}

fn cold_and_warm_starts_are_those_of_threads(mpi: &Installed) {
    let compiler = Arc::new(Compiler::new());
    let worlds = SIZES.map(|ranks| (ranks, Home::One));
    for (ranks, home) in worlds.into_iter().chain([(4, Home::Several(2))]) {
        let place = furnished(ranks);
        let places: Vec<_> = (0..2 * STRATEGIES.len()).map(|_| Arc::new(Place::new())).collect();
        for start in ["cold", "warm"] {
            let Some(said) = trial_in(&place, mpi, ranks, home, &["starts"]) else { continue };
            let starts: Vec<Vec<Start>> =
                said.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
            let due = starts_of_threads(&places, ranks, home, &compiler);
            assert_eq!(starts, due, "{start}, {ranks} ranks, {home:?}: here, and as threads");
        }
    }
}

fn whatever_goes_wrong_is_the_same_on_all_ranks(mpi: &Installed) {
    let steps = "before Agree Build Load LookUp Move Publish Share:";
    let more = "before Agree Build Load LookUp Move Plan Publish Share:";
    let on_one = mpi.mpi.name == OPEN_MPI.name;
    for (ranks, home, main, steps) in [(3, Home::One, 22, steps), (4, Home::Several(2), 23, more)] {
        // Each MPI one half of the main ones.
        if !soak() && matches!(home, Home::One) != on_one {
            continue;
        }
        let kinds = match soak() {
            true => Trouble::ALL.map(|trouble| format!("{trouble:?}")).to_vec(),
            false => vec!["main".to_owned()],
        };
        for kind in kinds {
            let Some(said) = trial(mpi, ranks, home, &["cells", &kind]) else { continue };
            println!("{kind}, {ranks} ranks: {said}");
            // With mounts: without, two kinds of trouble cannot be made.
            let all = said.starts_with(&format!("{main} of ")) && said.contains(steps);
            assert!(soak() || all, "{said}");
        }
    }
}

fn whatever_is_asked_for_differently_is_named_on_all_ranks(mpi: &Installed) {
    for ranks in [2, 4] {
        let said = trial(mpi, ranks, Home::One, &["disagreements"]);
        assert_eq!(said, Some(format!("{} requests that differ\n", 6 * ranks.min(3))));
    }
}

fn whoever_holds_what_all_get_all(mpi: &Installed) {
    for ranks in SIZES {
        let said = trial(mpi, ranks, Home::One, &["mixtures"]);
        println!("{ranks} ranks: {said:?}");
        if !soak() {
            assert_eq!(said, Some(format!("{} mixtures\n", 3 * ranks.min(3) + 4)));
        }
    }
    trial(mpi, 4, Home::Several(2), &["mixtures"]);
}

fn what_is_lost_after_it_was_told_of_is_built_anew(mpi: &Installed) {
    let said = trial(mpi, 3, Home::One, &["ahead"]);
    assert_eq!(said.as_deref(), Some("None: 0 built\nSome(Vanished): 2 built\nSome(Corrupt): 2 built\n"));
}

fn what_was_just_built_is_handed_out_whatever_becomes_of_the_cache(mpi: &Installed) {
    let said = trial(mpi, 3, Home::One, &["built"]);
    assert_eq!(said.as_deref(), Some("Vanished: 2 built\nCorrupt: 2 built\n"));
}

fn all_build_with_what_rank_0_is_told(mpi: &Installed) {
    let said = trial(mpi, 3, Home::One, &["told"]);
    assert_eq!(said.as_deref(), Some("root\nnode\nprocess\nspread\n"));
}

fn one_rank_configures_and_all_have_its_compiler(mpi: &Installed) {
    let said = trial(mpi, 3, Home::One, &["configured"]).unwrap();
    let lines: Vec<(&str, &str)> = said.lines().map(|line| line.split_once(' ').unwrap()).collect();
    let (asked, found): (Vec<&str>, Vec<&str>) = lines.into_iter().unzip();
    assert_eq!(asked, ["asked", "told", "told"], "who started processes to know a compiler");
    // The identity of the compiler, and the signature of a kernel that each rank built by itself.
    let alike = found.iter().all(|line| *line == found[0]);
    assert!(alike && found[0].starts_with("42 42 "), "{said}");
}

fn thousands_of_loads_leave_nothing_behind(mpi: &Installed) {
    let loads = if soak() { "40000" } else { "4000" };
    let said = trial(mpi, 2, Home::One, &["endurance", loads]).unwrap();
    println!("{said}");
    assert!(said.ends_with(&format!("{loads} loads\n")), "{said}");
}

fn parts_of_the_world_load_side_by_side(mpi: &Installed) {
    // Each kernel once, or once for each directory in which nobody had it.
    for (ranks, home) in [(4, Home::One), (3, Home::One), (6, Home::Several(2))] {
        let Some(said) = trial(mpi, ranks, home, &["parts"]) else { continue };
        println!("{said}");
        assert_eq!(said.lines().count(), 2, "{said}");
    }
}

fn who_waits_says_for_whom_and_what(mpi: &Installed) {
    if let Some(said) = trial(mpi, 4, Home::Several(2), &["waits"]) {
        assert_eq!(said, "14 waits\n");
    }
}

/// What the builder sent to three other ranks, of which each has a directory of its own.
fn bytes_in(said: &str) -> u64 {
    let bytes = said.strip_suffix(" bytes sent by the builder\n").and_then(|bytes| bytes.parse().ok());
    bytes.unwrap_or_else(|| panic!("{said}"))
}

fn bytes_are_handed_out_where_memory_cannot_be_shared(mpi: &Installed) {
    const RANKS: usize = 4;
    // Three libraries of 14 kB, to two of them, who pass them on.
    const LIBRARIES: u64 = 3 * 2 * 10_000;
    let place = furnished(RANKS);
    let usual = bytes_in(&said(&mut about_to_run(mpi, &place, RANKS, &["handed"])));
    assert!(usual < LIBRARIES, "{usual} bytes: the libraries themselves were not to be sent");

    // Files in memory that may be executed are forbidden to a container.
    let place = furnished(RANKS);
    let script = "echo 2 > /proc/sys/vm/memfd_noexec || exit 77; exec \"$0\" \"$@\"";
    let mut container = Command::new("unshare");
    container.args(["-p", "-f", "--kill-child", "--mount-proc", "sh", "-c", script]);
    let mut command = under(container, &about_to_run(mpi, &place, RANKS, &["handed"]));
    let output = finish(&mut command);
    if output.status.code() == Some(77) || output.stdout.is_empty() && !root() {
        not_permitted("forbidding files in memory");
    } else {
        let bytes = bytes_in(&String::from_utf8_lossy(&output.stdout));
        assert!(bytes > usual + LIBRARIES, "{bytes} instead of {usual} bytes");
    }

    // Processes into which not even their own user may look.
    if !root() {
        return not_permitted("becoming another user");
    }
    let Some(setpriv) = need("setpriv") else { return };
    let place = furnished(RANKS);
    let program = place.path("mpi-trials");
    install(&mpi.program("mpi-trials"), &program);
    for path in files(place.root()).iter().chain([&place.path("shims"), &place.root().to_owned()]) {
        own(path, NOBODY);
    }
    let id = NOBODY.to_string();
    let mut nobody = Command::new(setpriv);
    nobody.args(["--reuid", &id, "--regid", &id, "--clear-groups"]).current_dir(place.root());
    nobody.env("HOME", place.root());
    // They read other processes' memory without asking whether they may. UCX must not be forbidden the transport itself: over the
    // ones that are left MPICH 4.0 hangs at its end now and then.
    nobody.env("OMPI_MCA_btl_vader_single_copy_mechanism", "none").env("UCX_RNDV_THRESH", "inf");
    let mut ranks = mpi.command(RANKS, program.to_str().unwrap());
    ranks.arg("handed").arg(place.root()).arg("guarded").env("TMPDIR", place.root());
    let bytes = bytes_in(&said(&mut under(nobody, &ranks)));
    assert!(bytes > usual + LIBRARIES, "{bytes} instead of {usual} bytes");
}

fn a_rank_that_can_load_nothing_is_named_by_all(mpi: &Installed) {
    if !std::thread::spawn(|| deny_loading().is_ok()).join().unwrap() {
        return not_permitted("filters for system calls");
    }
    // In memory of the machine, and from a directory of all.
    let said = trial(mpi, 3, Home::One, &["unable"]);
    assert_eq!(said.as_deref(), Some("rank 2 was named with Separate\nrank 2 was named with Shared\n"));
}

fn a_large_library_passes_through_in_pieces(mpi: &Installed) {
    let megabytes = if soak() { "2300" } else { "260" };
    if let Some(said) = trial(mpi, 4, Home::Several(1), &["large", megabytes]) {
        println!("{said}");
        assert!(said.contains("to 3 machines, 1 passed it on"), "{said}");
    }
}

with_each_mpi! {
    all_build_with_what_rank_0_is_told,
    one_rank_configures_and_all_have_its_compiler,
    what_was_just_built_is_handed_out_whatever_becomes_of_the_cache,
    cold_and_warm_starts_are_those_of_threads,
    whatever_goes_wrong_is_the_same_on_all_ranks,
    whatever_is_asked_for_differently_is_named_on_all_ranks,
    whoever_holds_what_all_get_all,
    what_is_lost_after_it_was_told_of_is_built_anew,
    thousands_of_loads_leave_nothing_behind,
    parts_of_the_world_load_side_by_side,
    who_waits_says_for_whom_and_what,
    bytes_are_handed_out_where_memory_cannot_be_shared,
    a_rank_that_can_load_nothing_is_named_by_all,
    a_large_library_passes_through_in_pieces,
}
