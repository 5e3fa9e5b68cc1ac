//! Rank 0 configures, and all ranks load kernels with what it found: see `Configuration::to_bytes`.

use dijitso::configure::{Configuration, Configure, KernelCompiler};
use dijitso::probe::Probes;
use dijitso::{BuildOn, Jit};
use dijitso_tests::kernels::{Number, unit};
use mpi::traits::{Communicator as _, Root as _};

use super::setting::{Caches, Setting};

pub(super) fn run(setting: &Setting) {
    let before = pages_of_children();
    let mut bytes = if setting.rank == 0 { configure(setting).to_bytes() } else { Vec::new() };
    // As any program with MPI would send them.
    let root = setting.world.process_at_rank(0);
    let mut len = bytes.len() as u64;
    root.broadcast_into(&mut len);
    bytes.resize(len as usize, 0);
    root.broadcast_into(&mut bytes[..]);
    let received = Configuration::from_bytes(&bytes).expect("a configuration");
    let compiler = received.get::<KernelCompiler>().expect("a compiler for kernels");
    let asked = if pages_of_children() > before { "asked" } else { "told" };

    // With caches in which nobody finds what another one knows.
    let cache = setting.cache(&setting.dir, Caches::Separate, setting.rank);
    let jit = Jit::builder().cache_dir(cache).toolchain(&compiler).build().expect("a Jit");
    let kernel = |name: &str| -> dijitso::KernelSpec<Number> {
        unit(name, &format!("extern \"C\" int {name}() {{ return CONFIGURED; }}\n"))
    };
    let together = jit.on(&setting.world).build_on(BuildOn::Root).load(&kernel("together"));
    let together = together.unwrap_or_else(|error| panic!("{error}")).call();
    // With nothing but what was received; the compiler and all flags go into the signature.
    let alone = jit.load(&kernel("alone")).unwrap_or_else(|error| panic!("{error}"));
    let (value, signature, identity) = (alone.call(), alone.signature(), compiler.identity);
    let all = setting.gather(format!("{asked} {together} {value} {identity} {signature}"));
    all.into_iter().flatten().for_each(|line| println!("{line}"));
}

fn configure(setting: &Setting) -> Configuration {
    let probes = Probes::builder().cache_dir(setting.dir.join("answers")).without_environment_flags();
    let words = [format!("CXX={}", setting.real_compiler().display()), "CXXFLAGS=-DCONFIGURED=42".to_owned()];
    let configure = Configure::new("Ranks").probes(probes).with::<KernelCompiler>().arguments(words);
    configure.run().unwrap_or_else(|failed| panic!("{failed}\n{}", failed.card()))
}

/// How many pages all processes took that this one has started and seen end: no process takes none.
fn pages_of_children() -> i64 {
    let mut usage = std::mem::MaybeUninit::<libc::rusage>::uninit();
    // SAFETY: it is written to as a whole, and read only if that was done.
    let usage = unsafe {
        assert_eq!(libc::getrusage(libc::RUSAGE_CHILDREN, usage.as_mut_ptr()), 0);
        usage.assume_init()
    };
    usage.ru_minflt
}
