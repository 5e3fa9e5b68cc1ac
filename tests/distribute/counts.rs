//! Every message and file operation of a load, as the formulas of the table in ARCHITECTURE.md have them. Thousands of ranks
//! are in `scale`.

use std::sync::Arc;

use dijitso::{BuildOn, Communicator as _, Jit, JitBuilder, Network, Stats, Threads};
use dijitso_tests::kernels::{NUMBER_BASE, number};

use super::Compiler;
use crate::harness::{Place, files, soak};

/// Ranks of one machine.
const NODE: usize = 64;

/// Where the caches are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Caches {
    /// One directory on a file server.
    Server,
    /// A directory on each machine.
    Local,
}

impl Caches {
    fn builder(self, place: &Place, rank: usize) -> JitBuilder {
        match self {
            Caches::Server => place.builder().network(Network::Yes),
            Caches::Local => Jit::builder().cache_dir(place.path(&format!("machine-{}", rank / NODE))),
        }
    }

    /// How many directories there are.
    fn groups(self, ranks: usize) -> u64 {
        match self {
            Caches::Server => 1,
            Caches::Local => nodes(ranks),
        }
    }

    /// Builds kernels into one directory, and copies it to the others.
    fn fill(self, place: &Place, ranks: usize, kernels: u32) {
        let jit = self.builder(place, 0).build().unwrap();
        jit.load_all(&(0..kernels).map(number).collect::<Vec<_>>()).unwrap();
        let first = jit.cache_dir().to_owned();
        for machine in 1..self.groups(ranks) as usize {
            let other = self.builder(place, machine * NODE).build().unwrap();
            for file in files(&first) {
                let copy = other.cache_dir().join(file.strip_prefix(&first).unwrap());
                std::fs::create_dir_all(copy.parent().unwrap()).unwrap();
                std::fs::copy(&file, copy).unwrap();
            }
        }
    }
}

fn nodes(ranks: usize) -> u64 {
    ranks.div_ceil(NODE) as u64
}

/// What each rank did in one call.
struct Counted(Vec<Stats>);

impl Counted {
    fn sum(&self, field: fn(&Stats) -> u64) -> u64 {
        self.0.iter().map(field).sum()
    }

    /// Without the offers of large ones and the answers to these.
    fn messages(&self) -> u64 {
        self.sum(|s| s.messages_sent) - 2 * self.sum(|s| s.messages_offered)
    }

    /// Rank 0 sends most, and so many. Where something large goes up to it, it also answers offers, at most so many.
    fn check_first(&self, messages: u64, answers: u64, what: &str) {
        let first = self.0[0].messages_sent - self.0[0].messages_offered;
        if self.sum(|s| s.messages_offered) == 0 {
            assert_eq!((first, self.most(|s| s.messages_sent)), (messages, messages), "{what}");
        } else {
            assert!(
                (messages..=messages + answers).contains(&first),
                "{what}: {first} instead of {messages}"
            );
        }
    }

    fn most(&self, field: fn(&Stats) -> u64) -> u64 {
        self.0.iter().map(field).max().unwrap_or_default()
    }

    /// Ranks that touched a file at all.
    fn at_files(&self) -> u64 {
        self.0.iter().filter(|s| s.opens + s.file_stats + s.file_changes > 0).count() as u64
    }
}

/// Loads batch after batch on all ranks, and counts what each took.
fn count(
    place: &Arc<Place>,
    caches: Caches,
    ranks: usize,
    build_on: BuildOn,
    compiler: Option<String>,
    batches: &[std::ops::Range<u32>],
) -> Vec<Counted> {
    let machines: Vec<String> = (0..ranks).map(|rank| format!("machine-{}", rank / NODE)).collect();
    let machines: Vec<&str> = machines.iter().map(String::as_str).collect();
    let results = Threads::on_machines(&machines).run(|comm| {
        let builder = caches.builder(place, comm.rank());
        let builder = if let Some(compiler) = &compiler { builder.cxx(compiler.clone()) } else { builder };
        let jit = builder.build()?;
        let mut counted = Vec::new();
        for batch in batches {
            let specs: Vec<_> = batch.clone().map(number).collect();
            let before = jit.stats();
            let kernels = jit.on(&comm).build_on(build_on).load_all(&specs)?;
            assert!(kernels.iter().map(|kernel| (kernel.call() - NUMBER_BASE) as u32).eq(batch.clone()));
            counted.push(since(&before, jit.stats()));
        }
        dijitso::Result::<Vec<Stats>>::Ok(counted)
    });
    let mut by_batch: Vec<Counted> = batches.iter().map(|_| Counted(Vec::new())).collect();
    for counted in results {
        for (all, one) in by_batch.iter_mut().zip(counted.unwrap()) {
            all.0.push(one);
        }
    }
    by_batch
}

fn since(before: &Stats, mut now: Stats) -> Stats {
    now.generated -= before.generated;
    now.compiled -= before.compiled;
    now.built -= before.built;
    now.processes -= before.processes;
    now.published -= before.published;
    now.opens -= before.opens;
    now.file_stats -= before.file_stats;
    now.file_changes -= before.file_changes;
    now.messages_sent -= before.messages_sent;
    now.messages_offered -= before.messages_offered;
    now.message_bytes -= before.message_bytes;
    now
}

/// How many hear from the first of so many ranks directly: seven for each power of eight below their number.
fn widest(ranks: usize) -> u64 {
    let powers = std::iter::successors(Some(1), |power| Some(8 * power)).take_while(|&power| power < ranks);
    powers.map(|power| 7.min((ranks - 1) / power) as u64).sum()
}

/// What one rank sends at most in each step: always rank 0, which tells most others.
struct Most {
    /// To all ranks.
    all: u64,
    /// From machine to machine.
    machines: u64,
    /// To those of its own machine.
    inside: u64,
}

impl Most {
    fn of(ranks: usize) -> Most {
        let machines = u64::from(nodes(ranks).next_power_of_two().ilog2());
        Most { all: widest(ranks), machines, inside: widest(ranks.min(NODE)) }
    }

    /// To the other machines and to its own.
    fn whole(&self) -> u64 {
        self.machines + self.inside
    }
}

fn report(what: &str, caches: Caches, ranks: usize, kernels: u32, counted: &Counted) {
    println!(
        "{what}, {caches:?}, {ranks} ranks, {kernels} kernels: {} messages, of one rank at most {}; {} bytes, {}; opened {}, looked at {}, changed {} files, by {} ranks",
        counted.sum(|s| s.messages_sent),
        counted.most(|s| s.messages_sent),
        counted.sum(|s| s.message_bytes),
        counted.most(|s| s.message_bytes),
        counted.sum(|s| s.opens),
        counted.sum(|s| s.file_stats),
        counted.sum(|s| s.file_changes),
        counted.at_files(),
    );
}

/// Kernels that are in the caches, and then in the memories.
fn warm(caches: Caches, sizes: &[usize]) {
    let mut opened = Vec::new();
    for &ranks in sizes {
        let place = Arc::new(Place::new());
        caches.fill(&place, ranks, 66);
        let batches = [0..1, 1..2, 2..66, 2..66];
        let counted = count(&place, caches, ranks, BuildOn::Spread, None, &batches);
        let [first, one, many, memory] = counted.as_slice() else { panic!("four batches") };
        let (r, n, g) = (ranks as u64, nodes(ranks), caches.groups(ranks));
        for (what, kernels, counted) in [
            ("the first load", 1, first),
            ("one from disk", 1, one),
            ("64 from disk", 64, many),
            ("64 from memory", 64, memory),
        ] {
            report(what, caches, ranks, kernels, counted);
            let work = counted.sum(|s| s.generated + s.compiled + s.processes + s.published);
            assert_eq!(work, 0, "{what}, {ranks} ranks");
        }
        // Agree, up and down; hand out on each machine, unless one machine has all ranks: then it comes with the answer, from a
        // directory whose files can be mapped; say whether all could. From a server also up to the root and to the other
        // machines, unless it is one machine.
        let agree = 2 * (r - 1);
        let travel = if caches == Caches::Server && n > 1 { (r - 1) + (n - 1) } else { 0 };
        let ahead = caches == Caches::Local && n == 1;
        let load = agree + travel + if ahead { 0 } else { r - n } + agree;
        let at_most = Most::of(ranks);
        let machines = if travel > 0 { at_most.machines } else { 0 };
        let most = at_most.all + machines + at_most.whole() + at_most.inside;
        for counted in [one, many] {
            assert_eq!(counted.messages(), load, "{ranks} ranks, {caches:?}");
            counted.check_first(
                most - if ahead { at_most.inside } else { 0 },
                2 * at_most.all,
                &format!("{ranks} ranks, {caches:?}"),
            );
            assert_eq!(counted.sum(|s| s.file_changes), 0, "a warm load writes nothing");
            assert_eq!(counted.at_files(), g, "one rank of each cache directory reads it");
        }
        assert_eq!(memory.sum(|s| s.messages_sent), agree);
        assert_eq!(memory.most(|s| s.messages_sent), at_most.all);
        assert_eq!(memory.at_files(), 0);
        // Who is where: one token on the server, if there is more than one machine that could share it.
        let tokens = if caches == Caches::Server && n > 1 { 2 } else { 0 };
        assert_eq!(first.sum(|s| s.file_changes), tokens, "{ranks} ranks, {caches:?}");
        assert!(first.at_files() <= n, "{ranks} ranks: {} looked at files", first.at_files());
        // What all know of each other, twice, and by which compiler; what the caches have. Between the machines: that there is
        // no question, or one round of it and the end.
        let questions = if tokens > 0 { 3 } else { 1 };
        let who_is_where = 3 * at_most.all + at_most.whole() + questions * at_most.machines;
        first.check_first(who_is_where + most, 2 * at_most.all, &format!("first, {ranks} ranks, {caches:?}"));
        opened.push((many.sum(|s| s.opens) / g, many.sum(|s| s.file_stats) / g, many.sum(|s| s.opens) % g));
    }
    assert!(
        opened.windows(2).all(|pair| pair[0] == pair[1]),
        "the same for each directory, however many ranks: {opened:?}"
    );
}

#[test]
fn a_warm_start_from_a_server_reads_once_and_writes_nothing() {
    warm(Caches::Server, if soak() { &[2, 16, 256, 4096] } else { &[2, 16, 256] });
}

#[test]
fn a_warm_start_from_local_disks_reads_once_on_each_machine() {
    warm(Caches::Local, &[2, 16, 256]);
}

/// Kernels that no cache has, with a compiler that costs little.
#[test]
fn a_cold_start_has_as_many_messages_as_steps_and_publishes_once_for_each_directory() {
    let compiler = Compiler::new();
    for caches in [Caches::Server, Caches::Local] {
        for (build_on, ranks) in [
            (BuildOn::Root, 2),
            (BuildOn::Root, 16),
            (BuildOn::Root, 256),
            (BuildOn::Spread, 2),
            (BuildOn::Spread, 16),
            (BuildOn::Spread, 256),
        ] {
            let place = Arc::new(Place::new());
            for machine in 0..caches.groups(ranks) as usize {
                let directory =
                    caches.builder(&place, machine * NODE).build().unwrap().cache_dir().to_owned();
                compiler.introduce_to(&directory);
            }
            let batches = [0..1, 1..2, 2..18];
            let counted = count(&place, caches, ranks, build_on, Some(compiler.word()), &batches);
            let [first, one, many] = counted.as_slice() else { panic!("three batches") };
            let (r, n, g) = (ranks as u64, nodes(ranks), caches.groups(ranks));
            report(&format!("cold, {build_on}"), caches, ranks, 1, one);
            report(&format!("cold, {build_on}"), caches, ranks, 16, many);
            assert_eq!(first.sum(|s| s.built), 1);
            for (counted, kernels) in [(one, 1), (many, 16)] {
                assert_eq!(counted.sum(|s| s.built), kernels, "{build_on}, {ranks} ranks");
                assert_eq!(
                    counted.sum(|s| s.published),
                    kernels * g,
                    "{build_on}, {ranks} ranks, {caches:?}"
                );
                // Agree; where builders are several, what the generators say; status; up to the root, to the machines, to
                // their ranks; whether all could load.
                let both = 2 * (r - 1);
                let builders = if build_on == BuildOn::Spread { n.max(1) } else { 1 };
                let plan = if builders > 1 { both } else { 0 };
                let travel = if n > 1 { (r - 1) + (n - 1) } else { 0 };
                let steps = both + plan + both + travel + (r - n) + both;
                let what = format!("{build_on}, {ranks} ranks, {kernels} kernels, {caches:?}");
                assert_eq!(counted.messages(), steps, "{what}");
                let at_most = Most::of(ranks);
                let plan = if plan > 0 { at_most.whole() } else { 0 };
                let most = at_most.all + plan + 2 * at_most.whole() + at_most.machines + at_most.inside;
                counted.check_first(most, 3 * at_most.all, &what);
            }
        }
    }
}
