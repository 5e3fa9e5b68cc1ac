//! Where the trials take place, and how the ranks tell each other what came of them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use dijitso::{Channel, Communicator as _, Jit, JitBuilder};
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
    pub(super) lateness: Duration,
    /// Dropped last.
    _universe: Universe,
}

/// How caches are shared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Caches {
    Shared,
    Separate,
}

impl Setting {
    pub(super) fn new(dir: &Path) -> Setting {
        // Before MPI starts threads.
        let mounts = dir.join("disk").is_dir() && own_mounts();
        let (universe, _) = mpi::initialize_with_threading(mpi::Threading::Single).expect("the first");
        let world = universe.world();
        let aside = world.duplicate();
        let (rank, size) = (dijitso::Communicator::rank(&world), dijitso::Communicator::size(&world));
        let lateness = Duration::from_millis(if dir.join("soak").exists() { 2000 } else { 300 });
        Setting { aside, rank, size, dir: dir.to_owned(), mounts, lateness, world, _universe: universe }
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
            Caches::Shared => place.join("cache"),
            Caches::Separate => place.join(format!("cache-{rank}")),
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

    fn real_compiler(&self) -> PathBuf {
        std::fs::read_to_string(self.dir.join("real")).expect("the compiler's path").into()
    }

    pub(super) fn builder(&self, around: &Around) -> JitBuilder {
        Jit::builder().cache_dir(&around.cache).cxx(around.compiler.display().to_string())
    }

    /// A cache of this rank's, from which others are furnished: with what is known of its compiler, and one kernel.
    pub(super) fn make_reference(&self) {
        let around = Around { cache: self.reference(self.rank), ..self.around(&self.dir, Caches::Shared) };
        around.set_compiler(ShimMode::Stamp);
        let jit = self.builder(&around).build().expect("a Jit");
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
        if self.rank == 0 {
            let directories: BTreeSet<PathBuf> =
                (0..self.size).map(|rank| self.cache(place, caches, rank)).collect();
            for directory in directories {
                for rank in 0..self.size {
                    let known = self.reference(rank).join("v1/toolchains");
                    copy(&known, &directory.join("v1/toolchains"));
                    copy(&known, &directory.join(format!("rank-{rank}/v1/toolchains")));
                }
            }
            copy(&self.reference(self.size - 1), &self.cache(place, caches, self.size - 1));
        }
        self.meet();
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
fn soon() -> Duration {
    Duration::from_micros(200)
}

fn copy(from: &Path, to: &Path) {
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
