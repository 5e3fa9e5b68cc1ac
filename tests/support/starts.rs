//! Cold and warm starts, and what each rank does in them: the same over threads and under `mpirun`.

use dijitso::{BuildOn, Communicator, Jit, JitBuilder, Stats};
use serde::{Deserialize, Serialize};

use crate::kernels::{NUMBER_BASE, number};

/// So many kernels in each load.
const KERNELS: u32 = 3;

/// What one rank did in one load.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Did {
    built: u64,
    published: u64,
    messages: u64,
}

/// What a rank did in the first load with a new `Jit`, once more with the same one, and with another new one.
pub type Start = [Did; 3];

/// Takes part as one rank; the kernels are number `first` and those behind it.
///
/// # Panics
/// If it does not get the kernels that it asked for.
pub fn take_part<C: Communicator + ?Sized>(
    comm: &C,
    build_on: BuildOn,
    builder: &dyn Fn() -> JitBuilder,
    first: u32,
) -> Start {
    let numbers: Vec<u32> = (first..first + KERNELS).collect();
    let load = |jit: &Jit| {
        let before = jit.stats();
        let specs: Vec<_> = numbers.iter().map(|&i| number(i)).collect();
        let kernels = jit.on(comm).build_on(build_on).load_all(&specs);
        let kernels = kernels.unwrap_or_else(|error| panic!("{build_on}: {error}"));
        assert!(
            kernels.iter().map(|kernel| (kernel.call() - NUMBER_BASE) as u32).eq(numbers.iter().copied())
        );
        let after = jit.stats();
        let grown = |of: fn(&Stats) -> u64| of(&after) - of(&before);
        Did {
            built: grown(|stats| stats.built),
            published: grown(|stats| stats.published),
            messages: grown(|stats| stats.messages_sent),
        }
    };
    let jit = builder().build_with(comm).expect("a Jit");
    let [first, again] = [load(&jit), load(&jit)];
    let jit = builder().build_with(comm).expect("a Jit");
    [first, again, load(&jit)]
}

/// Whether no rank did what it need not do; `homes` are the lowest ranks that share each rank's directory, and with `warm` all
/// was there already.
///
/// # Errors
/// What is wrong, in words.
pub fn judge(build_on: BuildOn, homes: &[usize], warm: bool, starts: &[Start]) -> Result<(), String> {
    let ranks = starts.len() as u64;
    let directories = (0..homes.len()).filter(|&rank| homes[rank] == rank).count() as u64;
    let (builders, directories) = match build_on {
        // Each has a directory of its own below the common one.
        BuildOn::Process => (ranks, ranks),
        BuildOn::Node => (directories, directories),
        _ => (1, directories),
    };
    let builds = if warm { [0; 3] } else { [u64::from(KERNELS), 0, 0] };
    for (load, builds) in builds.into_iter().enumerate() {
        let sum = |of: fn(&Did) -> u64| starts.iter().map(|start| of(&start[load])).sum::<u64>();
        let (built, published) = (sum(|did| did.built), sum(|did| did.published));
        if (built, published) != (builds * builders, builds * directories) {
            return Err(format!(
                "{build_on}: built {built}, published {published} in load {load}: {starts:?}"
            ));
        }
    }
    let messages: u64 = starts.iter().map(|start| start[1].messages).sum();
    match messages == 2 * (ranks - 1) {
        true => Ok(()),
        false => Err(format!("{build_on}: {messages} messages for what all ranks have in memory")),
    }
}
