//! The program; the library says how it works.

use std::error::Error;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{CommandFactory as _, Parser};
use dijitso::{BuildOn, Jit};
use mpi::topology::SimpleCommunicator;
use mpi::traits::Communicator as _;
use poisson::{Basis, Solution, Study, load, stiffness};
use poisson_mpi::{Halo, Partition, Table, words};

/// Solves Poisson's equation on the unit square or cube on all ranks of MPI, with generated kernels.
#[derive(Parser)]
struct Options {
    #[command(flatten)]
    problem: poisson::Args,
    /// Which ranks build kernels that no cache has: root, node, process or spread.
    #[arg(long, default_value_t = BuildOn::Spread)]
    build_on: BuildOn,
}

fn main() -> ExitCode {
    let Some(universe) = mpi::initialize() else {
        eprintln!("poisson-mpi: MPI cannot be initialized");
        return ExitCode::FAILURE;
    };
    let world = universe.world();
    let args = match parse(&world) {
        Ok(args) => args,
        Err(error) => {
            if world.rank() == 0 {
                let _ = error.print();
            }
            return ExitCode::from(error.exit_code() as u8);
        }
    };
    // The others would wait for a rank that panics.
    match catch_unwind(AssertUnwindSafe(|| run(&args, &world))) {
        Ok(Ok(())) => ExitCode::SUCCESS,
        // All ranks have the same error.
        Ok(Err(error)) => {
            if world.rank() == 0 {
                eprintln!("poisson-mpi: {error}");
            }
            ExitCode::FAILURE
        }
        Err(_) => world.abort(101),
    }
}

fn parse(world: &SimpleCommunicator) -> Result<Options, clap::Error> {
    let args = Options::try_parse_from(words(world))?;
    let wrong = |message| Options::command().error(ErrorKind::ValueValidation, message);
    args.problem.check(world.size() as u32).map_err(wrong)?;
    Ok(args)
}

fn run(args: &Options, world: &SimpleCommunicator) -> Result<(), Box<dyn Error>> {
    let (rank, size) = (world.rank() as usize, world.size() as usize);
    let say = |text: &str| {
        if rank == 0 {
            println!("{text}");
        }
    };
    let poisson::Args { dim, degree, cells } = args.problem;
    let (dim, degree) = (dim.into(), degree.into());
    let jit = Jit::builder().build_with(world)?;
    let together = jit.on(world).build_on(args.build_on);
    let kernels = together.load_all((&stiffness(dim, degree), &load(dim, degree)))?;
    let stats = jit.stats();
    let table = Table::gather(world, together.role()?, &kernels, &stats);
    say(&format!("{size} ranks, strategy {}\n{table}", args.build_on));

    let basis = Basis::new(dim, degree);
    let solve = |cells| {
        let partition = Partition::new(&basis, cells, size);
        Solution::on(partition.mesh(&basis, rank), &basis, &kernels, &Halo::new(world, &partition))
    };
    let study = Study::new(cells as usize, say, solve)?;
    say(&study.to_string());
    Ok(())
}
