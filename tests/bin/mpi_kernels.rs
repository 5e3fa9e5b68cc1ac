//! Collective loads on the ranks that `mpirun` starts. Arguments: where caches are (`shared`, or `separate` for one of each
//! rank's own), the strategy, what is to go wrong and on which rank (`none`), and how many kernels. Each rank prints one
//! line: what it computed and how it came by it, or its error.

use dijitso::{BuildOn, Communicator as _, Jit, KernelSpec};
use dijitso_tests::kernels::{NUMBER_BASE, Number, number, text};

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [caches, strategy, fault, kernels] = args.as_slice() else { panic!("{args:?}") };
    let (fault, bad) = fault.split_once('@').unwrap_or((fault, "0"));
    let universe = mpi::initialize().expect("MPI");
    let world = universe.world();
    let rank = dijitso::Communicator::rank(&world);
    let bad = bad.parse::<usize>().expect("a rank") == rank;
    let line = match load(&world, caches, strategy, fault, bad, kernels.parse().expect("a number")) {
        Ok(line) => line,
        Err(error) => format!("error {}", error.to_string().replace('\n', "|")),
    };
    println!("rank {rank} {line}");
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
    if fault == "warm" && bad {
        jit.load(&number(0))?;
    }
    let mut specs: Vec<KernelSpec<Number>> = (0..kernels).map(number).collect();
    match fault {
        "text" => specs.push(text("bad", "int bad() { return nonsense; }")),
        "generator" => specs
            .push(KernelSpec::new("panics", (), || -> dijitso::Source<Number> { panic!("no such element") })),
        "request" if bad => specs.push(number(999)),
        _ => {}
    }
    let probe = |step: &str| {
        if bad && fault == "late" {
            std::thread::sleep(std::time::Duration::from_millis(300));
        }
        if bad && fault == step {
            return Err(dijitso::Error::Communication { problem: "planned".to_owned() });
        }
        Ok(())
    };
    let build_on: BuildOn = strategy.parse().expect("a strategy");
    let collective = jit.on(world).build_on(build_on).probe(&probe);
    let loaded = collective.load_all(&specs);
    // Whatever became of it, nobody is out of step.
    let again = jit.on(world).load(&number(1))?;
    assert_eq!(again.call() - NUMBER_BASE, 1);
    let loaded = loaded?;
    let sum: i64 = loaded.iter().map(|kernel| i64::from(kernel.call() - NUMBER_BASE)).sum();
    let stats = jit.stats();
    Ok(format!("sum {sum} built {} received {} processes {}", stats.built, stats.received, stats.processes))
}
