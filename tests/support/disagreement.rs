//! Ranks that ask for different things: all hear of it, by name, and can go on.

use dijitso::{BuildOn, Communicator, Jit, JitBuilder, Result};
use serde::{Deserialize, Serialize};

use crate::kernels::{NUMBER_BASE, number};

/// What one rank asks for that the others do not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Odd {
    /// Another kernel.
    Kernel,
    /// One more.
    More,
    /// One less.
    Fewer,
    /// Another order.
    Order,
    /// Another strategy.
    Strategy,
    /// One binary for each kind of processor.
    Processors,
}

impl Odd {
    /// All of them.
    pub const ALL: [Odd; 6] =
        [Odd::Kernel, Odd::More, Odd::Fewer, Odd::Order, Odd::Strategy, Odd::Processors];

    fn numbers(self) -> &'static [u32] {
        match self {
            Odd::Kernel => &[1, 9],
            Odd::More => &[1, 2, 3],
            Odd::Fewer => &[1],
            Odd::Order => &[2, 1],
            Odd::Strategy | Odd::Processors => &[1, 2],
        }
    }
}

/// What came of the request, and of the next one, in which all agree.
pub type Said = (std::result::Result<(), String>, std::result::Result<i32, String>);

/// Asks as one rank.
pub fn disagree<C: Communicator + ?Sized>(
    comm: &C,
    build_on: BuildOn,
    builder: JitBuilder,
    (odd, rank): (Odd, usize),
) -> Said {
    let odd = (comm.rank() == rank).then_some(odd);
    let ask = |jit: &Jit| {
        let other = if build_on == BuildOn::Node { BuildOn::Root } else { BuildOn::Node };
        let build_on = if odd == Some(Odd::Strategy) { other } else { build_on };
        let collective = jit.on(comm).build_on(build_on).per_cpu(odd == Some(Odd::Processors));
        let specs: Vec<_> = odd.map_or(&[1, 2][..], Odd::numbers).iter().map(|&i| number(i)).collect();
        collective.load_all(&specs).map(|_| ())
    };
    let words = |error: dijitso::Error| error.to_string();
    let jit = match builder.build_with(comm) {
        Ok(jit) => jit,
        Err(error) => return (Err(words(error.clone())), Err(words(error))),
    };
    let asked = ask(&jit).map_err(words);
    let agreed: Result<i32> = jit.on(comm).build_on(build_on).load(&number(1)).map(|kernel| kernel.call());
    (asked, agreed.map_err(words).map(|value| value - NUMBER_BASE))
}

/// Whether all ranks heard the same, and who it is about.
///
/// # Errors
/// What is wrong, in words.
pub fn judge((odd, rank): (Odd, usize), said: &[Said]) -> std::result::Result<(), String> {
    let wrong = |what: &str| Err(format!("{odd:?} on rank {rank}: {what}: {said:#?}"));
    let Err(words) = &said[0].0 else { return wrong("nobody noticed") };
    if said.iter().any(|(asked, _)| asked.as_ref() != Err(words)) {
        return wrong("ranks return different things");
    }
    // The first of those who agree, and the one that does not; all others say what rank 0 says.
    let other = rank.max(1);
    let named = words.contains("rank 0") && words.contains(&format!("rank {other}"));
    let about = match odd {
        Odd::Kernel => words.contains("number 2") && words.contains("k00009") && words.contains("k00002"),
        Odd::More | Odd::Fewer => words.contains("nothing"),
        Odd::Order => words.contains("number 1") && words.contains("k00001") && words.contains("k00002"),
        Odd::Strategy => words.contains("node"),
        Odd::Processors => words.contains("true") && words.contains("false"),
    };
    if !(named && about) {
        return wrong("it is not said what is different");
    }
    match said.iter().all(|(_, agreed)| *agreed == Ok(1)) {
        true => Ok(()),
        false => wrong("the next load fails"),
    }
}
