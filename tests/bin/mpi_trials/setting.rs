//! Where the trials take place, and how the ranks tell each other what came of them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use dijitso::{Channel, Communicator as _, Jit, JitBuilder, Network};
use dijitso_tests::kernels::number;
use dijitso_tests::matrix::REQUEST;
use dijitso_tests::protocol::ShimMode;
use dijitso_tests::trouble::{Around, own_mounts};
use mpi::environment::Universe;
use mpi::topology::SimpleCommunicator;
use mpi::traits::Communicator as _;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// One rank's.
pub(super) struct Setting {
    pub(super) world: SimpleCommunicator,
    /// What the trials say to each other does not meet what they try.
    aside: SimpleCommunicator,
    pub(super) rank: usize,
    pub(super) size: usize,
    /// The directory of all trials.
    pub(super) dir: PathBuf,
    /// With mounts of its own.
    pub(super) mounts: bool,
    /// So many ranks are on a machine; `None` if all are on one.
    pub(super) a_machine: Option<usize>,
    /// With full counts.
    pub(super) soak: bool,
    pub(super) lateness: Duration,
    /// Dropped last.
    _universe: Universe,
}

/// How caches are shared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Caches {
    /// One for all.
    Shared,
    /// One for each rank.
    Separate,
    /// One for all machines, on a file server.
    Server,
    /// One for each machine.
    Machines,
}

impl Setting {
    pub(super) fn new(dir: &Path) -> Setting {
        // Before MPI starts threads, and asks for names.
        let mounts = dir.join("disk").is_dir() && own_mounts();
        let a_machine = std::fs::read_to_string(dir.join("a-machine")).ok();
        let a_machine = a_machine.map(|ranks| ranks.parse::<usize>().expect("a number"));
        if let Some(ranks) = a_machine {
            be_on_a_machine(&format!("machine-{}", rank_of_the_launcher() / ranks));
        }
        let (universe, _) = mpi::initialize_with_threading(mpi::Threading::Single).expect("the first");
        let world = universe.world();
        let aside = world.duplicate();
        let (rank, size) = (dijitso::Communicator::rank(&world), dijitso::Communicator::size(&world));
        let soak = dir.join("soak").exists();
        let lateness = Duration::from_millis(if soak { 2000 } else { 300 });
        let (dir, _universe) = (dir.to_owned(), universe);
        Setting { aside, rank, size, dir, mounts, a_machine, soak, lateness, world, _universe }
    }

    /// All that there are here.
    pub(super) fn all_caches(&self) -> [Caches; 2] {
        match self.a_machine {
            Some(_) => [Caches::Server, Caches::Machines],
            None => [Caches::Shared, Caches::Separate],
        }
    }

    /// The first, the second and the last rank.
    pub(super) fn some_ranks(&self) -> Vec<usize> {
        (0..self.size).filter(|rank| *rank < 2 || *rank == self.size - 1).collect()
    }

    /// Everybody's, by rank, on rank 0.
    pub(super) fn gather<T: Serialize + DeserializeOwned>(&self, mine: T) -> Option<Vec<T>> {
        let channel = self.channel();
        if self.rank > 0 {
            let bytes = serde_json::to_vec(&mine).expect("JSON");
            channel.send(&[0], &bytes, &mut soon).expect("sent");
            return None;
        }
        let theirs = (1..self.size).map(|rank| {
            let bytes = channel.receive(rank, &mut soon).expect("received");
            serde_json::from_slice(&bytes).expect("JSON")
        });
        Some(std::iter::once(mine).chain(theirs).collect())
    }

    /// What rank 0 has, on all ranks.
    pub(super) fn told<T: Serialize + DeserializeOwned>(&self, of_rank_0: Option<T>) -> T {
        let channel = self.channel();
        match of_rank_0 {
            Some(value) => {
                let others: Vec<usize> = (1..self.size).collect();
                let bytes = serde_json::to_vec(&value).expect("JSON");
                channel.send(&others, &bytes, &mut soon).expect("sent");
                value
            }
            None => serde_json::from_slice(&channel.receive(0, &mut soon).expect("received")).expect("JSON"),
        }
    }

    /// Returns when all are here.
    pub(super) fn meet(&self) {
        let all = self.gather(());
        self.told(all.map(|_| ()))
    }

    fn channel(&self) -> Box<dyn Channel + '_> {
        self.aside.channel(&mut soon).expect("a channel")
    }

    pub(super) fn cache(&self, place: &Path, caches: Caches, rank: usize) -> PathBuf {
        match caches {
            Caches::Shared | Caches::Server => place.join("cache"),
            Caches::Separate => place.join(format!("cache-{rank}")),
            Caches::Machines => place.join(format!("machine-{}", self.home(caches, rank))),
        }
    }

    /// The lowest rank that has the same cache.
    pub(super) fn home(&self, caches: Caches, rank: usize) -> usize {
        match caches {
            Caches::Shared | Caches::Server => 0,
            Caches::Separate => rank,
            Caches::Machines => {
                let ranks = self.a_machine.unwrap_or(self.size);
                rank / ranks * ranks
            }
        }
    }

    pub(super) fn around(&self, place: &Path, caches: Caches) -> Around {
        Around {
            cache: self.cache(place, caches, self.rank),
            compiler: self.compiler(self.rank),
            real: self.real_compiler(),
            lateness: self.lateness,
        }
    }

    /// Of each rank; the test has put it there.
    fn compiler(&self, rank: usize) -> PathBuf {
        self.dir.join(format!("shims/c++-{rank}"))
    }

    pub(super) fn real_compiler(&self) -> PathBuf {
        std::fs::read_to_string(self.dir.join("real")).expect("the compiler's path").into()
    }

    pub(super) fn builder(&self, around: &Around, caches: Caches) -> JitBuilder {
        let builder = Jit::builder().cache_dir(&around.cache).cxx(around.compiler.display().to_string());
        if caches == Caches::Server { builder.network(Network::Yes) } else { builder }
    }

    /// A cache of this rank's, from which others are furnished: with what is known of its compiler, and one kernel.
    pub(super) fn make_reference(&self) {
        let around = Around { cache: self.reference(self.rank), ..self.around(&self.dir, Caches::Shared) };
        around.set_compiler(ShimMode::Stamp);
        let jit = self.builder(&around, Caches::Shared).build().expect("a Jit");
        // One by one: the first becomes the compiler's template.
        jit.load(&number(0)).expect("a kernel");
        jit.load(&number(REQUEST[0])).expect("a kernel");
        self.meet();
    }

    fn reference(&self, rank: usize) -> PathBuf {
        self.dir.join(format!("reference-{rank}"))
    }

    /// Makes all caches in `place`: with what is known of compilers, and the last rank's with a kernel.
    pub(super) fn furnish(&self, place: &Path, caches: Caches) {
        self.introduce(place, caches);
        if self.rank == 0 {
            copy(&self.reference(self.size - 1), &self.cache(place, caches, self.size - 1));
        }
        self.meet();
    }

    /// Makes all caches in `place`, with nothing but what is known of compilers.
    pub(super) fn introduce(&self, place: &Path, caches: Caches) {
        if self.rank == 0 {
            let directories: BTreeSet<PathBuf> =
                (0..self.size).map(|rank| self.cache(place, caches, rank)).collect();
            for directory in directories {
                self.inform(&directory);
            }
        }
        self.meet();
    }

    /// Puts what is known of compilers into a cache.
    pub(super) fn inform(&self, cache: &Path) {
        for rank in 0..self.size {
            let known = self.reference(rank).join("v1/toolchains");
            copy(&known, &cache.join("v1/toolchains"));
            // Where several share one and each builds for itself, each has one of these.
            copy(&known, &cache.join(format!("rank-{rank}/v1/toolchains")));
        }
    }

    /// Removes it, whatever it has become.
    pub(super) fn clear(&self, place: &Path, caches: Caches) {
        if self.mounts {
            let _ = rustix::mount::unmount(
                self.cache(place, caches, self.rank),
                rustix::mount::UnmountFlags::DETACH,
            );
        }
        self.meet();
        if self.rank == 0 {
            std::fs::remove_dir_all(place).expect("removed");
        }
        self.meet();
    }
}

/// Looks again soon, but leaves the cores to ranks that have something to do.
fn soon() -> Option<Duration> {
    Some(Duration::from_micros(200))
}

/// The launcher tells a process its rank before MPI does.
#[allow(clippy::disallowed_methods)]
pub(super) fn rank_of_the_launcher() -> usize {
    let rank = ["OMPI_COMM_WORLD_RANK", "PMI_RANK"].iter().find_map(|name| std::env::var(name).ok());
    rank.and_then(|rank| rank.parse().ok()).expect("a rank")
}

/// From now on this process is on a machine of that name.
fn be_on_a_machine(name: &str) {
    // SAFETY: only the name of the machine is separated.
    let separated = unsafe { rustix::thread::unshare_unsafe(rustix::thread::UnshareFlags::NEWUTS) };
    separated.expect("a namespace");
    rustix::system::sethostname(name.as_bytes()).expect("a name");
}

pub(super) fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a directory");
    for entry in std::fs::read_dir(from).expect("a directory") {
        let path = entry.expect("an entry").path();
        let target = to.join(path.file_name().expect("a name"));
        if path.is_dir() {
            copy(&path, &target);
        } else {
            std::fs::copy(&path, target).expect("copied");
        }
    }
}
