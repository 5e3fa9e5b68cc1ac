//! Collective loads over threads: every strategy, every mixture of caches, every fault at every step. Over MPI the
//! same steps run in `tests/mpi`.

mod ahead;
mod alike;
mod by_hand;
mod counts;
mod endurance;
mod fallbacks;
mod faults;
mod forms;
mod giving_up;
mod holdings;
mod matrix;
mod mixtures;
mod outdated;
mod scale;
mod strategies;
mod unequal;
mod waits;

use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Duration;

use dijitso::{BuildOn, Jit, JitBuilder, Network, Result, Threads};

use dijitso_tests::denied::deny_memory_files;
use dijitso_tests::kernels::number;
use dijitso_tests::protocol::{ShimMode, ShimStep};

use crate::harness::{Place, copy, real_compiler};

/// Longer than anything here takes on a machine that does a hundred things at once; a hang is found, not measured.
const DEADLINE: Duration = Duration::from_secs(240);

/// How many ranks there are where nothing else is said.
pub(super) const RANKS: usize = 4;

pub(super) const STRATEGIES: [BuildOn; 4] = [BuildOn::Root, BuildOn::Node, BuildOn::Process, BuildOn::Spread];

/// Where the ranks of a world keep their caches, and on which machines they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum World {
    /// One machine, one directory.
    Shared,
    /// One machine, a directory for each rank.
    Separate,
    /// Two ranks a machine, a directory for each machine.
    Machines,
    /// Two ranks a machine, one directory on a file server.
    Server,
    /// As [`World::Machines`], where nobody gets files in memory: machines hand out bytes.
    Denied,
}

pub(super) const WORLDS: [World; 4] = [World::Shared, World::Separate, World::Machines, World::Server];

impl World {
    pub(super) fn directory(self, place: &Place, rank: usize) -> PathBuf {
        match self {
            World::Shared | World::Server => place.cache(),
            World::Separate => place.path(&format!("cache-{rank}")),
            World::Machines | World::Denied => place.path(&format!("machine-{}", rank / 2)),
        }
    }

    /// The lowest rank that has the same directory.
    pub(super) fn home(self, rank: usize) -> usize {
        match self {
            World::Shared | World::Server => 0,
            World::Separate => rank,
            World::Machines | World::Denied => rank / 2 * 2,
        }
    }

    pub(super) fn builder(self, place: &Place, rank: usize) -> JitBuilder {
        let builder = Jit::builder().cache_dir(self.directory(place, rank));
        if self == World::Server { builder.network(Network::Yes) } else { builder }
    }

    /// What is known of a compiler, in all directories: or each would have it asked once more.
    pub(super) fn seed(self, place: &Place, ranks: usize, compiler: &Compiler) {
        for rank in 0..ranks {
            let own = self.directory(place, rank);
            compiler.introduce_to(&own);
            // Where several share one and each builds for itself, each has one of these.
            compiler.introduce_to(&own.join(format!("rank-{rank}")));
        }
    }

    fn machine(self, rank: usize) -> String {
        match self {
            World::Shared | World::Separate => "one".to_owned(),
            World::Machines | World::Server | World::Denied => format!("machine-{}", rank / 2),
        }
    }

    /// Runs `body` on all ranks; whoever hangs is named by the whole test's failure.
    pub(super) fn run<R: Send + 'static>(
        self,
        ranks: usize,
        body: impl Fn(Threads) -> R + Send + Sync + 'static,
    ) -> Vec<R> {
        self.prepared(ranks, || (), body)
    }

    /// The same, after `prepare` has run on the thread that starts the ranks: they have its mounts.
    pub(super) fn prepared<R: Send + 'static>(
        self,
        ranks: usize,
        prepare: impl FnOnce() + Send + 'static,
        body: impl Fn(Threads) -> R + Send + Sync + 'static,
    ) -> Vec<R> {
        let (done, results) = mpsc::channel();
        std::thread::spawn(move || {
            prepare();
            if self == World::Denied {
                deny_memory_files().unwrap();
            }
            let machines: Vec<String> = (0..ranks).map(|rank| self.machine(rank)).collect();
            let machines: Vec<&str> = machines.iter().map(String::as_str).collect();
            let _ = done.send(Threads::on_machines(&machines).run(body));
        });
        results.recv_timeout(DEADLINE).unwrap_or_else(|error| panic!("{self:?}, {ranks} ranks: {error}"))
    }
}

/// A compiler that has been asked all questions.
pub(super) struct Compiler {
    place: Place,
    word: String,
}

impl Compiler {
    /// One that costs a few milliseconds a kernel: it compiles one, and copies it for all others of these tests.
    pub(super) fn new() -> Compiler {
        let place = Place::new();
        let shim = place.shim();
        shim.set(ShimMode::Stamp, ShimStep::Compile);
        Compiler::asked(place, shim.word())
    }

    /// The machine's own.
    pub(super) fn real() -> Compiler {
        Compiler::asked(Place::new(), real_compiler().display().to_string())
    }

    fn asked(place: Place, word: String) -> Compiler {
        place.builder().cxx(&word).build().unwrap().load(&number(0)).unwrap();
        Compiler { place, word }
    }

    /// Puts what is known of it into another cache directory.
    pub(super) fn introduce_to(&self, directory: &Path) {
        copy(&self.place.cache().join("v1/toolchains"), &directory.join("v1/toolchains"));
    }

    /// For `.cxx(..)`.
    pub(super) fn word(&self) -> String {
        self.word.clone()
    }
}

/// All ranks failed, in the same words; these.
pub(super) fn same_error<T>(results: &[Result<T>]) -> Option<String> {
    let words: Vec<Option<String>> =
        results.iter().map(|result| result.as_ref().err().map(ToString::to_string)).collect();
    assert!(words.windows(2).all(|pair| pair[0] == pair[1]), "ranks return different things: {words:#?}");
    words.into_iter().next().flatten()
}
