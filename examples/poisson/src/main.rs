#![doc = include_str!("../README.md")]

mod basis;
mod cxx;
mod generic;
mod load;
mod mesh;
mod problem;
mod quadrature;
mod stiffness;
mod system;
mod vtu;

use std::error::Error;
use std::fs::File;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use clap::error::ErrorKind;
use clap::{CommandFactory as _, Parser, value_parser};
use dijitso::Jit;

use basis::Basis;
use load::load;
use mesh::Mesh;
use stiffness::stiffness;
use system::{Kernels, System};

/// Solves Poisson's equation on the unit square or cube, with generated kernels.
#[derive(Parser)]
struct Args {
    /// Dimension of space: 2 or 3.
    #[arg(long, value_parser = value_parser!(u8).range(2..=3))]
    dim: u8,
    /// Degree of the polynomials: 1 to 4.
    #[arg(long, value_parser = value_parser!(u8).range(1..=4))]
    degree: u8,
    /// Parts along each side in the finest of three meshes, at least 4; the others have a quarter and a
    /// half as many. Each part of a square is 2 triangles, each part of a cube 6 tetrahedra.
    #[arg(long, value_parser = value_parser!(u32).range(4..))]
    cells: u32,
    /// Write the solution on the finest mesh to this file.
    #[arg(long)]
    vtu: Option<PathBuf>,
}

/// In 3D and with degree 4 their matrix takes 2 GB to assemble.
const MOST_NODES: u32 = 1 << 20;

fn main() -> ExitCode {
    let args = Args::parse();
    let nodes = (f64::from(args.degree) * f64::from(args.cells) + 1.0).powi(args.dim.into());
    if nodes > f64::from(MOST_NODES) {
        refuse(format!("--cells {}: that makes {nodes:.1e} nodes, of at most {MOST_NODES}", args.cells));
    }
    // Opened first: nobody wants to hear after the work that the file cannot be written.
    let vtu = args.vtu.as_ref().map(|path| match File::create(path) {
        Ok(file) => file,
        Err(error) => refuse(format!("--vtu {}: {error}", path.display())),
    });
    if let Err(error) = run(&args, vtu) {
        eprintln!("poisson: {error}");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

/// Ends the program as for any wrong argument: a message, exit code 2.
fn refuse(message: String) -> ! {
    Args::command().error(ErrorKind::ValueValidation, message).exit()
}

fn run(args: &Args, vtu: Option<File>) -> Result<(), Box<dyn Error>> {
    let (dim, degree, cells) = (args.dim.into(), args.degree.into(), args.cells as usize);
    let jit = Jit::builder().build()?;
    let kernels = jit.load_all((&stiffness(dim, degree), &load(dim, degree)))?;
    println!("kernel stiffness: {:?}, {}", kernels.0.origin(), kernels.0.report());
    println!("kernel load: {:?}, {}", kernels.1.origin(), kernels.1.report());
    println!("processes started: {}", jit.stats().processes);

    let basis = Basis::new(dim, degree);
    generic::race(&basis, &Mesh::new(&basis, cells.div_ceil(4)), &kernels.0)?;
    println!("cells     nodes  iterations   L2 error  seconds");
    solve(&basis, cells.div_ceil(4), &kernels)?;
    let half = cells.div_ceil(2);
    let (_, _, before) = solve(&basis, half, &kernels)?;
    let (mesh, u, error) = solve(&basis, cells, &kernels)?;
    if let Some(file) = vtu {
        vtu::write(file, &mesh, degree * cells, u)
            .map_err(|e| format!("the solution is not written: {e}"))?;
    }
    // Scripts read these two lines.
    println!("order {:.3}", (before / error).ln() / (cells as f64 / half as f64).ln());
    println!("L2 error {error:.6e}");
    Ok(())
}

/// Solves on one mesh, and prints a line about it. Returns the values at the nodes, and their error.
fn solve(basis: &Basis, cells: usize, kernels: &Kernels) -> Result<(Mesh, Vec<f64>, f64), Box<dyn Error>> {
    let started = Instant::now();
    let mesh = Mesh::new(basis, cells);
    let given = |(x, boundary): (&Vec<f64>, &bool)| boundary.then(|| problem::solution(x));
    let given: Vec<Option<f64>> = mesh.points.iter().zip(&mesh.boundary).map(given).collect();
    let (u, iterations) = System::assemble(&mesh, &given, kernels).solve()?;
    let error = problem::l2_error(basis, &mesh, &u);
    let seconds = started.elapsed().as_secs_f64();
    println!("{cells:5} {:9} {iterations:11}  {error:9.3e} {seconds:8.2}", u.len());
    Ok((mesh, u, error))
}
