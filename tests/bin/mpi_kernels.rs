//! Collective loads on the ranks that `mpirun` starts. Arguments: where caches are (`shared`, or `separate` for one of each
//! rank's own), the strategy, what is to go wrong and on which rank (`none`), how many kernels, and a directory. There each
//! rank writes a file: what it computed and how it came by it, or its error. Launchers mix long lines of several ranks.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use dijitso::{BuildOn, Communicator as _, Jit, KernelSpec};
use dijitso_tests::kernels::{NUMBER_BASE, Number, number, text};
use dijitso_tests::losing::Losing;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [caches, strategy, fault, kernels, answers] = args.as_slice() else { panic!("{args:?}") };
    let (fault, bad) = fault.split_once('@').unwrap_or((fault, "0"));
    let universe = mpi::initialize().expect("MPI");
    let world = universe.world();
    let rank = dijitso::Communicator::rank(&world);
    let bad = bad.parse::<usize>().expect("a rank") == rank;
    if fault == "logger" {
        log::set_logger(&Broken).expect("the only logger");
        log::set_max_level(log::LevelFilter::Warn);
    }
    let line = match load(&world, caches, strategy, fault, bad, kernels.parse().expect("a number")) {
        Ok(line) => line,
        Err(error) => format!("error {error}"),
    };
    std::fs::write(format!("{answers}/rank-{rank}"), line).expect("written");
}

fn load(
    world: &mpi::topology::SimpleCommunicator,
    caches: &str,
    strategy: &str,
    fault: &str,
    bad: bool,
    kernels: u32,
) -> dijitso::Result<String> {
    let rank = world.rank();
    let mut builder = Jit::builder();
    if caches == "separate" {
        // Below the one that the test has set.
        let common = Jit::builder().build()?;
        builder = builder.cache_dir(common.cache_dir().join(format!("rank-{rank}")));
    }
    if fault == "directory" && bad {
        builder = builder.cache_dir("/proc/dijitso");
    }
    if fault == "compiler" && bad {
        builder = builder.cxx("/no/such/compiler");
    }
    let jit = builder.build_with(world)?;
    let mut specs: Vec<KernelSpec<Number>> = (0..kernels).map(number).collect();
    match fault {
        "text" => {
            let names: Vec<String> = (0..20).map(|i| format!("nonsense{i}")).collect();
            specs.push(text("bad", &format!("int bad() {{ return {}; }}", names.join(" + "))));
        }
        "generator" => specs
            .push(KernelSpec::new("panics", (), || -> dijitso::Source<Number> { panic!("no such element") })),
        _ => {}
    }
    let probe = |_: &str| {
        if bad && fault == "logger" {
            std::thread::sleep(Duration::from_millis(300));
        }
        Ok(())
    };
    let build_on: BuildOn = strategy.parse().expect("a strategy");
    if let Some(at) = fault.strip_prefix("lost-") {
        let losing = Losing::receiving(world, bad.then(|| at.parse().expect("a number")));
        let collective = jit.on(&losing).build_on(build_on);
        // Its last message may come before.
        let Err(first) = collective.load_all(&specs) else { return Ok("whole".to_owned()) };
        let then = collective.load(&number(1)).map(|_| ()).expect_err("this is out of step for good");
        return Ok(format!("lost {first}|then {then}"));
    }
    let patience = Duration::from_millis(if fault == "logger" { 10 } else { 60_000 });
    let collective = jit.on(world).build_on(build_on).probe(&probe).patience(patience);
    let loaded = collective.load_all(&specs);
    // Whatever became of it, nobody is out of step.
    let again = jit.on(world).load(&number(1))?;
    assert_eq!(again.call() - NUMBER_BASE, 1);
    let loaded = loaded?;
    let sum: i64 = loaded.iter().map(|kernel| i64::from(kernel.call() - NUMBER_BASE)).sum();
    let stats = jit.stats();
    let warned = WARNED.load(Ordering::Relaxed);
    let (built, received, processes) = (stats.built, stats.received, stats.processes);
    let offered = stats.messages_offered;
    Ok(format!(
        "sum {sum} built {built} received {received} processes {processes} warned {warned} offered {offered}"
    ))
}

static WARNED: AtomicU64 = AtomicU64::new(0);

/// A logger that fails on each warning.
struct Broken;

impl log::Log for Broken {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        metadata.level() <= log::Level::Warn
    }

    fn log(&self, record: &log::Record<'_>) {
        if record.args().to_string().contains("has been waiting for") {
            WARNED.fetch_add(1, Ordering::Relaxed);
            panic!("the log is full");
        }
    }

    fn flush(&self) {}
}
