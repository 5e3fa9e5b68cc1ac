//! What the modules of `dijitso configure` find.

use super::{Finding, bad, good, note};
use crate::config::Config;
use crate::config::params::Params;
use crate::configure::{Blas, Configure, KernelCompiler, Mpi, OpenMp, Threads};
use crate::fs::Fs;
use crate::probe::Probes;
use crate::toolchain::which;

/// What the modules of `dijitso configure` say.
pub(super) fn modules(params: &Params, config: &Config) -> Vec<Finding> {
    let mut probes = Probes::builder().without_cache();
    if let Some(dir) = &params.cache.dir {
        probes = probes.cache_dir(dir);
    }
    let run = Configure::new("dijitso").probes(probes).optional::<KernelCompiler>();
    let run = run.optional::<Threads>().optional::<OpenMp>().optional::<Blas>().optional::<Mpi>();
    let configuration = match run.run() {
        Ok(configuration) => configuration,
        Err(failed) => {
            return vec![note("configure", failed.to_string(), "`dijitso configure --log` tells more")];
        }
    };
    let told = |check: &'static str, found: Option<String>| match found {
        Some(text) => good(check, text),
        None => note(
            check,
            "not found",
            "only programs that ask for it need it; `dijitso configure --log` tells why",
        ),
    };
    let kernels = configuration.get::<KernelCompiler>();
    let threads = configuration.get::<Threads>();
    let openmp = configuration.get::<OpenMp>();
    let blas = configuration.get::<Blas>();
    let flags = |openmp: OpenMp| openmp.flags.into_values().next().unwrap_or_default();
    vec![
        match kernels {
            Some(found) => good("toolchain", format!("{} for {}", found.cxx.join(" "), found.target)),
            None => bad(
                "toolchain",
                "no compiler compiles and links a small kernel",
                "`dijitso configure` tells what was tried",
            ),
        },
        told("threads", threads.map(|_| "a program with threads is linked".to_owned())),
        told("OpenMP", openmp.map(flags)),
        told("BLAS", blas.map(|blas| format!("{} (from {})", blas.settings, blas.from))),
        mpi(configuration.get::<Mpi>(), config),
    ]
}

fn mpi(found: Option<Mpi>, config: &Config) -> Finding {
    const CHECK: &str = "MPI";
    let path = config.path.clone().unwrap_or_default();
    let fs = Fs::new(Default::default());
    let launcher =
        ["mpirun", "mpiexec", "srun"].iter().find_map(|name| Some(which(name, &path, &fs).ok()?.path));
    let described = |mpi: &Mpi| {
        let name = if mpi.implementation.is_empty() { "MPI" } else { &mpi.implementation };
        format!("{name}, standard {} (from {})", mpi.standard, mpi.from)
    };
    match (found, launcher) {
        (Some(mpi), Some(launcher)) => {
            good(CHECK, format!("{}, and {}", described(&mpi), launcher.display()))
        }
        (Some(mpi), None) => {
            note(CHECK, format!("{}, but no mpirun", described(&mpi)), "only the feature `mpi` needs it")
        }
        (None, _) => note(
            CHECK,
            "no C program with MPI is linked",
            "only the feature `mpi` needs it: install Open MPI or MPICH; `dijitso configure --log` tells what was tried",
        ),
    }
}
