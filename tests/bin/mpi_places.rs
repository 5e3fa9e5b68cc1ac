//! Six ranks, of which some are elsewhere: in mount namespaces, where paths lead to other directories, or on machines of
//! another name. Rank 0 prints the first letters of their roles for a strategy a line.
//!
//! The arguments are two directories. A rank takes its place before it initialises MPI, by starting itself again.

use std::os::unix::process::CommandExt as _;
use std::process::Command;

use dijitso::{BuildOn, Jit, Network};
use mpi::traits::{Communicator as _, Root as _};

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    match words[..] {
        ["here", cache, network] => report(cache, network),
        [cache, other] => take_place(cache, other),
        _ => panic!("what is {words:?}?"),
    }
}

/// The launcher tells a process its rank before MPI does.
#[allow(clippy::disallowed_methods)]
fn rank() -> u32 {
    let rank = ["OMPI_COMM_WORLD_RANK", "PMI_RANK"].iter().find_map(|name| std::env::var(name).ok());
    rank.and_then(|rank| rank.parse().ok()).expect("a rank")
}

fn take_place(cache: &str, other: &str) -> ! {
    let own = std::env::current_exe().expect("a path");
    // In the shell $0 is this program, $1 and $2 are the directories.
    let (namespace, script) = match rank() {
        // On a machine by itself, to which the directory is one on a server; as it is to rank 0.
        4 => ("-u", "hostname client && exec \"$0\" here \"$1\" yes"),
        0 => ("-m", "exec \"$0\" here \"$1\" yes"),
        // The same path, another directory.
        1 => ("-m", "mount -t tmpfs -o mode=700 none \"$1\" && exec \"$0\" here \"$1\" auto"),
        // Another path, the same directory.
        2 => ("-m", "mount --bind \"$1\" \"$2\" && exec \"$0\" here \"$2\" auto"),
        // On a machine by itself, with a disk of its own.
        3 => ("-u", "hostname elsewhere && exec \"$0\" here \"$1\" auto"),
        _ => ("-m", "exec \"$0\" here \"$1\" auto"),
    };
    let error =
        Command::new("unshare").args([namespace, "sh", "-c", script]).arg(own).args([cache, other]).exec();
    panic!("cannot start: {error}");
}

fn report(cache: &str, network: &str) {
    let universe = mpi::initialize().expect("the first");
    let world = universe.world();
    let network = if network == "yes" { Network::Yes } else { Network::Auto };
    let jit = Jit::builder().cache_dir(cache).network(network).build().expect("a Jit");
    for strategy in [BuildOn::Root, BuildOn::Node, BuildOn::Process] {
        let role = jit.on(&world).build_on(strategy).role().expect("a role");
        let mine = role.to_string().as_bytes()[0];
        let root = world.process_at_rank(0);
        if world.rank() == 0 {
            let mut all = vec![0; world.size() as usize];
            root.gather_into_root(&mine, &mut all[..]);
            println!("{strategy} {}", String::from_utf8_lossy(&all));
        } else {
            root.gather_into(&mine);
        }
    }
}
