//! Collective loads over threads: every strategy, every mixture of caches, every fault at every step. Over MPI the
//! same steps run in `tests/mpi`.

mod by_hand;
mod counts;
mod faults;
mod forms;
mod giving_up;
mod mixtures;
mod outdated;
mod scale;
mod strategies;
mod unequal;

use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Duration;

use dijitso::{BuildOn, Jit, JitBuilder, Network, Result, Threads};

use dijitso_tests::kernels::number;
use dijitso_tests::protocol::{ShimMode, ShimStep};

use crate::harness::{Place, files, real_compiler};

/// Longer than anything here takes on a machine that does a hundred things at once; a hang is found, not measured.
const DEADLINE: Duration = Duration::from_secs(240);

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
}

pub(super) const WORLDS: [World; 4] = [World::Shared, World::Separate, World::Machines, World::Server];

impl World {
    pub(super) fn directory(self, place: &Place, rank: usize) -> PathBuf {
        match self {
            World::Shared | World::Server => place.cache(),
            World::Separate => place.path(&format!("cache-{rank}")),
            World::Machines => place.path(&format!("machine-{}", rank / 2)),
        }
    }

    pub(super) fn builder(self, place: &Place, rank: usize) -> JitBuilder {
        let builder = Jit::builder().cache_dir(self.directory(place, rank));
        if self == World::Server { builder.network(Network::Yes) } else { builder }
    }

    /// What is known of a compiler, in all directories: or each would have it asked once more.
    pub(super) fn seed(self, place: &Place, ranks: usize, compiler: &Compiler) {
        for rank in 0..ranks {
            compiler.introduce_to(&self.directory(place, rank));
        }
    }

    fn machine(self, rank: usize) -> String {
        match self {
            World::Shared | World::Separate => "one".to_owned(),
            World::Machines | World::Server => format!("machine-{}", rank / 2),
        }
    }

    /// Runs `body` on all ranks; whoever hangs is named by the whole test's failure.
    pub(super) fn run<R: Send + 'static>(
        self,
        ranks: usize,
        body: impl Fn(Threads) -> R + Send + Sync + 'static,
    ) -> Vec<R> {
        let (done, results) = mpsc::channel();
        std::thread::spawn(move || {
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
        let known = directory.join("v1/toolchains");
        std::fs::create_dir_all(&known).unwrap();
        for file in files(&self.place.cache().join("v1/toolchains")) {
            std::fs::copy(&file, known.join(file.file_name().unwrap())).unwrap();
        }
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
