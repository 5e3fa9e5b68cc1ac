//! Ranks that hold different things when a load begins: on disk, in memory, or not at all.

use dijitso::{BuildOn, Communicator, JitBuilder};
use serde::{Deserialize, Serialize};

use crate::kernels::{NUMBER_BASE, number};

/// The kernels of every mixture.
pub const KERNELS: [u32; 3] = [1, 2, 3];

/// Who holds what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Mixture {
    /// One rank's directory has all, the other directories nothing.
    Disk(usize),
    /// One rank has all in memory, no directory has anything.
    Memory(usize),
    /// One rank has all in memory, the directories of the others have all.
    MemoryHere(usize),
    /// All ranks have all in memory, no directory has anything.
    Everywhere,
    /// Each kernel is in the directories of other ranks, and in the memory of again others.
    Subsets,
    /// Some of them, somewhere.
    Random(u64),
}

impl Mixture {
    /// All that are worth a try with so many ranks.
    pub fn all(ranks: usize, random: u64) -> Vec<Mixture> {
        let each = (0..ranks)
            .flat_map(|rank| [Mixture::Disk(rank), Mixture::Memory(rank), Mixture::MemoryHere(rank)]);
        let random = (0..random).map(Mixture::Random);
        each.chain([Mixture::Everywhere, Mixture::Subsets]).chain(random).collect()
    }

    /// Whether this rank has the kernel loaded.
    fn in_memory(self, rank: usize, kernel: u32) -> bool {
        match self {
            Mixture::Disk(_) => false,
            Mixture::Memory(only) | Mixture::MemoryHere(only) => rank == only,
            Mixture::Everywhere => true,
            Mixture::Subsets => (rank + kernel as usize).is_multiple_of(3),
            Mixture::Random(seed) => scatter(seed, rank, kernel) & 3 == 0,
        }
    }

    /// Whether the kernel is in the directory whose lowest rank is `home`, where `struck`'s directory is another rank's.
    fn on_disk(self, home: usize, homes: &[usize], kernel: u32) -> bool {
        match self {
            Mixture::Disk(only) => home == homes[only],
            Mixture::MemoryHere(only) => home != homes[only],
            Mixture::Memory(_) | Mixture::Everywhere => false,
            Mixture::Subsets => (home + kernel as usize).is_multiple_of(2),
            Mixture::Random(seed) => scatter(seed, home, kernel) & 12 == 0,
        }
    }
}

/// The same for all ranks, and no pattern.
fn scatter(seed: u64, rank: usize, kernel: u32) -> u64 {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ ((rank as u64) << 32) ^ u64::from(kernel);
    for _ in 0..3 {
        state = (state ^ (state >> 31)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    }
    state >> 32
}

/// What one rank has to tell.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Told {
    values: std::result::Result<Vec<i32>, String>,
    /// Kernels that it built in the collective load.
    built: u64,
}

/// Takes part as one rank. `homes` are the lowest ranks that share each rank's directory; `meet` returns when all ranks are
/// there; `furnish` leaves nothing but these kernels in this rank's directory, if it is the home.
pub fn take_part<C: Communicator + ?Sized>(
    comm: &C,
    build_on: BuildOn,
    builder: JitBuilder,
    mixture: Mixture,
    homes: &[usize],
    meet: &dyn Fn(),
    furnish: &dyn Fn(&[u32]),
) -> Told {
    let rank = comm.rank();
    let jit = builder.build().expect("a Jit");
    for kernel in KERNELS.into_iter().filter(|kernel| mixture.in_memory(rank, *kernel)) {
        jit.load(&number(kernel)).expect("a kernel");
    }
    meet();
    let home = homes[rank];
    let on_disk: Vec<u32> =
        KERNELS.into_iter().filter(|kernel| mixture.on_disk(home, homes, *kernel)).collect();
    furnish(&on_disk);
    meet();
    let before = jit.stats().built;
    let loaded = jit.on(comm).build_on(build_on).load_all(&KERNELS.map(number));
    let values = loaded.map(|kernels| kernels.iter().map(|kernel| kernel.call() - NUMBER_BASE).collect());
    Told { values: values.map_err(|error| error.to_string()), built: jit.stats().built - before }
}

/// Whether all have all, and no more was built than had to be.
///
/// # Errors
/// What is wrong, in words.
pub fn judge(
    mixture: Mixture,
    build_on: BuildOn,
    homes: &[usize],
    told: &[Told],
) -> std::result::Result<(), String> {
    let all = Ok(KERNELS.map(|kernel| kernel as i32).to_vec());
    if told.iter().any(|told| told.values != all) {
        return Err(format!("{mixture:?}: {told:#?}"));
    }
    let missing = |kernel: &u32| {
        let everywhere = (0..told.len()).all(|rank| mixture.in_memory(rank, *kernel));
        !everywhere && homes.iter().all(|home| !mixture.on_disk(*home, homes, *kernel))
    };
    let missing = KERNELS.iter().filter(|kernel| missing(kernel)).count() as u64;
    let built: u64 = told.iter().map(|told| told.built).sum();
    match build_on {
        BuildOn::Root | BuildOn::Spread if built != missing => {
            Err(format!("{mixture:?}: {built} kernels were built, and {missing} were missing: {told:#?}"))
        }
        _ => Ok(()),
    }
}
