//! The program; the library says how it works.

use std::error::Error;
use std::fs::File;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{CommandFactory as _, Parser};
use dijitso::Jit;
use poisson::{Alone, Basis, Mesh, Solution, Study, load, race, stiffness, write_vtu};

/// Solves Poisson's equation on the unit square or cube, with generated kernels.
#[derive(Parser)]
struct Options {
    #[command(flatten)]
    problem: poisson::Args,
    /// Write the solution on the finest mesh to this file.
    #[arg(long)]
    vtu: Option<PathBuf>,
}

fn main() -> ExitCode {
    let args = Options::parse();
    args.problem.check(1).unwrap_or_else(|message| refuse(message));
    // Opened first: nobody wants to hear after the work that the file cannot be written.
    let vtu = args.vtu.as_ref().map(|path| match File::create(path) {
        Ok(file) => file,
        Err(error) => refuse(format!("--vtu {}: {error}", path.display())),
    });
    if let Err(error) = run(&args.problem, vtu) {
        eprintln!("poisson: {error}");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

/// Ends the program as for any wrong argument: a message, exit code 2.
fn refuse(message: String) -> ! {
    Options::command().error(ErrorKind::ValueValidation, message).exit()
}

fn run(problem: &poisson::Args, vtu: Option<File>) -> Result<(), Box<dyn Error>> {
    let (dim, degree, cells) = (problem.dim.into(), problem.degree.into(), problem.cells as usize);
    let jit = Jit::builder().build()?;
    let kernels = jit.load_all((&stiffness(dim, degree), &load(dim, degree)))?;
    println!("kernel stiffness: {:?}, {}", kernels.0.origin(), kernels.0.report());
    println!("kernel load: {:?}, {}", kernels.1.origin(), kernels.1.report());
    println!("processes started: {}", jit.stats().processes);

    let basis = Basis::new(dim, degree);
    race(&basis, &Mesh::new(&basis, cells.div_ceil(4)), &kernels.0)?;
    let solve = |cells| Solution::on(Mesh::new(&basis, cells), &basis, &kernels, &Alone);
    let study = Study::new(cells, |line| println!("{line}"), solve)?;
    if let Some(file) = vtu {
        write_vtu(file, &study.last.mesh, degree * cells, &study.last.u)
            .map_err(|e| format!("the solution is not written: {e}"))?;
    }
    println!("{study}");
    Ok(())
}
