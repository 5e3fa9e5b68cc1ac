//! Our ranks in the race under `mpirun`, see ranks.rs: loads kernels over MPI, and says how long that took.
//!
//! A time is that of a program that goes on when all ranks have the kernel: all begin together, and the slowest counts.
//! Rank 0 prints each value as soon as it is known, and a word after each kernel as a sign of life.

#[allow(dead_code)] // The rest of the table has other kernels.
mod kernels;

use std::path::PathBuf;
use std::time::Instant;

use dijitso::{BuildOn, Jit, KernelSpec};
use dijitso_tests::kernels::Number;
use mpi::collective::SystemOperation;
use mpi::topology::SimpleCommunicator;
use mpi::traits::*;

use crate::kernels::{Kind, Tabulate, form};

/// How often what takes less than a millisecond is repeated.
const FIRST_USES: u32 = 10;
const AGREED: u32 = 500;
const NOT_AGREED: u32 = 100_000;

fn main() {
    let universe = mpi::initialize().expect("MPI");
    let world = universe.world();
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    let [part, strategy, caches, cache, rest @ ..] = words.as_slice() else { panic!("{words:?}") };
    let mut cache = PathBuf::from(cache);
    if *caches == "separate" {
        cache.push(format!("rank-{}", world.rank()));
    }
    let mut builder = Jit::builder().cache_dir(&cache).build_on(strategy.parse().expect("a strategy"));
    if let ["batch", _, jobs] = [&[*part], rest].concat()[..] {
        builder = builder.jobs(number(jobs) as usize);
    }
    let ranks = Ranks { world, jit: built(builder.build()), strategy: strategy.parse().expect("a strategy") };
    match (*part, rest) {
        ("fill", [kind, warm]) => ranks.fill(Kind::named(kind), number(warm)),
        ("loads", [kind, warm, first, cold]) => {
            ranks.loads(Kind::named(kind), number(warm), number(first), number(cold));
        }
        ("batch", [count, _]) => ranks.batch(number(count)),
        _ => panic!("there is no part `{}`", words.join(" ")),
    }
}

fn number(word: &str) -> u32 {
    word.parse().expect("a number")
}

struct Ranks {
    world: SimpleCommunicator,
    jit: Jit,
    strategy: BuildOn,
}

impl Ranks {
    /// Puts kernels into the caches that [`loads`](Self::loads) finds there.
    fn fill(&self, kind: Kind, warm: u32) {
        let specs: Vec<KernelSpec<Number>> = (0..=2 * warm).map(|i| kind.spec(i)).collect();
        built(self.jit.on(&self.world).load_all(&specs));
        self.say("filled", 1.0);
    }

    fn loads(&self, kind: Kind, warm: u32, first: u32, cold: u32) {
        let first_uses = (0..FIRST_USES).map(|_| {
            let fresh = self.world.duplicate();
            self.timed(|| _ = built(self.jit.on(&fresh).role()))
        });
        self.say("first use", median(first_uses.collect()));
        // The first load finds out what all others share.
        self.load(kind, 0);
        let hits = (1..=warm).map(|i| self.load(kind, i)).collect();
        self.say("warm", median(hits));
        // Each directory has them where a `Jit` without ranks looks for them, but for those of `process`.
        if self.strategy == BuildOn::Root {
            let hits = (warm + 1..=2 * warm).map(|i| self.load_alone(kind, i)).collect();
            self.say("warm alone", median(hits));
        }
        assert_eq!(self.jit.stats().built, 0, "all of them are in the cache");
        self.load(kind, first);
        let builds = (first + 1..=first + cold).map(|i| self.load(kind, i)).collect();
        self.say("cold", median(builds));
        let mut built_here = self.jit.stats().built as f64;
        built_here = self.over_all(built_here, SystemOperation::sum());
        assert!(built_here >= f64::from(cold), "{built_here} were built");
        self.memory(&kind.spec(first));
    }

    /// Loads of what all ranks hold.
    fn memory(&self, spec: &KernelSpec<Number>) {
        let collective = self.jit.on(&self.world).build_on(self.strategy);
        let each =
            |count: u32, load: &dyn Fn()| self.timed(|| (0..count).for_each(|_| load())) / f64::from(count);
        let before = self.jit.stats().messages_sent;
        self.say("agreed", each(AGREED, &|| drop(built(collective.load(spec)))));
        let mine = (self.jit.stats().messages_sent - before) as f64 / f64::from(AGREED);
        self.say("messages", self.over_all(mine, SystemOperation::sum()));
        self.say("most messages", self.over_all(mine, SystemOperation::max()));
        self.say("not agreed", each(NOT_AGREED, &|| drop(built(collective.loaded(spec)))));
        self.say(
            "three allreduces",
            each(AGREED, &|| {
                for _ in 0..3 {
                    self.over_all(1.0, SystemOperation::max());
                }
            }),
        );
    }

    fn batch(&self, count: u32) {
        let specs: Vec<KernelSpec<Tabulate>> = (0..count).map(form).collect();
        self.say("batch", self.timed(|| drop(built(self.jit.on(&self.world).load_all(&specs)))));
        let all = self.over_all(self.jit.stats().built as f64, SystemOperation::sum());
        assert_eq!(all, f64::from(count), "each is built once");
    }

    fn load(&self, kind: Kind, i: u32) -> f64 {
        let seconds = self.timed(|| {
            let kernel = built(self.jit.on(&self.world).build_on(self.strategy).load(&kind.spec(i)));
            std::hint::black_box(kernel.as_fn());
        });
        self.print("loaded");
        seconds
    }

    /// No rank asks another.
    fn load_alone(&self, kind: Kind, i: u32) -> f64 {
        let seconds = self.timed(|| {
            std::hint::black_box(built(self.jit.load(&kind.spec(i))).as_fn());
        });
        self.print("loaded");
        seconds
    }

    /// Seconds of the slowest rank.
    fn timed(&self, work: impl FnOnce()) -> f64 {
        self.world.barrier();
        let start = Instant::now();
        work();
        self.over_all(start.elapsed().as_secs_f64(), SystemOperation::max())
    }

    fn over_all(&self, mine: f64, operation: SystemOperation) -> f64 {
        let mut all = 0.0;
        self.world.all_reduce_into(&mine, &mut all, operation);
        all
    }

    fn say(&self, name: &str, value: f64) {
        self.print(&serde_json::json!({ name: value }).to_string());
    }

    fn print(&self, line: &str) {
        if self.world.rank() == 0 {
            println!("{line}");
        }
    }
}

/// The value, or the end of all ranks.
fn built<T>(result: dijitso::Result<T>) -> T {
    result.unwrap_or_else(|error| panic!("{}", error.report()))
}

fn median(mut seconds: Vec<f64>) -> f64 {
    seconds.sort_by(f64::total_cmp);
    let middle = seconds.len() / 2;
    if seconds.len() % 2 == 1 { seconds[middle] } else { (seconds[middle - 1] + seconds[middle]) / 2.0 }
}
