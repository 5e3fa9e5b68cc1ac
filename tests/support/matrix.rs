//! One cell of the fault matrix: a collective load in which something goes wrong on one rank before one of its steps, and
//! what must come of it. The same over threads and under `mpirun`.

use std::cell::RefCell;

use dijitso::{BuildOn, Communicator, Jit, JitBuilder, Result};
use serde::{Deserialize, Serialize};

use crate::kernels::{NUMBER_BASE, number};
use crate::looks::Counted;
use crate::protocol::ShimMode;
use crate::trouble::{Around, Trouble};

/// The kernels of every cell. The first is in the last rank's cache already.
pub const REQUEST: [u32; 3] = [1, 2, 3];

/// What is asked for afterwards, when the compilers work again: one that nobody has.
const NEXT: [u32; 2] = [4, 1];

/// What goes wrong, on which rank, and before which of its steps.
#[derive(Debug, Clone, Copy)]
pub struct Cell {
    /// What.
    pub trouble: Trouble,
    /// Where.
    pub rank: usize,
    /// When: its place in the rank's [way](Account::way).
    pub moment: usize,
}

/// What one rank has to tell of a cell.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Account {
    /// The steps it came by, in their order, with `!` behind those in which it compiled.
    pub way: String,
    /// How often something went wrong here.
    pub struck: usize,
    /// How often it looked for what it waited for, in the wait in which it did so most.
    pub looks: u64,
    /// What became of the load.
    pub load: Outcome,
    /// Of another one, by the same `Jit` in the same place.
    pub next: Outcome,
    /// Of one by a new `Jit`, as if the program was started again.
    pub anew: Outcome,
}

/// What the kernels returned, or why there are none.
pub type Outcome = std::result::Result<Vec<i32>, String>;

/// No wait takes more looks: who spins makes a million of them in a second.
const LOOKS: u64 = 5000;

/// How a cell ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// All ranks have all kernels.
    Survived,
    /// All ranks have the same error.
    Failed,
}

/// Takes part in a cell as one rank; without one, in a load in which nothing goes wrong.
pub fn take_part<C: Communicator + ?Sized>(
    comm: &C,
    build_on: BuildOn,
    builder: &dyn Fn() -> JitBuilder,
    around: &Around,
    cell: Option<Cell>,
) -> Account {
    let comm = &Counted::new(comm);
    let steps = RefCell::new(Vec::new());
    let mine = cell.filter(|cell| cell.rank == comm.rank());
    let mut account = Account {
        way: String::new(),
        struck: 0,
        looks: 0,
        load: Ok(Vec::new()),
        next: Ok(Vec::new()),
        anew: Ok(Vec::new()),
    };
    let jit = match builder().build_with(comm) {
        Ok(jit) => jit,
        Err(error) => return Account { load: Err(error.to_string()), ..account },
    };
    let probe = |step: &str| {
        let moment = steps.borrow().len();
        steps.borrow_mut().push((step.to_owned(), jit.stats().compiled));
        match mine {
            Some(cell) if cell.moment == moment => cell.trouble.strike(around),
            _ => Ok(()),
        }
    };
    account.load = outcome(load(&jit, comm, build_on, &REQUEST, &probe));
    account.way = way(&steps.borrow(), jit.stats().compiled);
    account.struck = usize::from(mine.is_some_and(|cell| cell.moment < steps.borrow().len()));
    around.set_compiler(ShimMode::Stamp);
    if cell.is_some_and(|cell| cell.trouble == Trouble::Blocked) {
        // As a new `Jit` demands it. Another rank may have done so, and have a directory there.
        let _ = std::fs::remove_file(&around.cache);
    }
    account.next = outcome(load(&jit, comm, build_on, &NEXT, &|_| Ok(())));
    // What a compiler did not like it would not be asked again.
    let refused = cell.is_some_and(|cell| cell.trouble == Trouble::Refusing);
    let all: Vec<u32> = if refused { NEXT.to_vec() } else { [&REQUEST[..], &NEXT].concat() };
    account.anew =
        outcome(builder().build_with(comm).and_then(|jit| load(&jit, comm, build_on, &all, &|_| Ok(()))));
    account.looks = comm.most();
    account
}

fn load<C: Communicator + ?Sized>(
    jit: &Jit,
    comm: &C,
    build_on: BuildOn,
    numbers: &[u32],
    probe: &dyn Fn(&str) -> Result<()>,
) -> Result<Vec<i32>> {
    let specs: Vec<_> = numbers.iter().map(|&i| number(i)).collect();
    let kernels = jit.on(comm).build_on(build_on).probe(probe).load_all(&specs)?;
    Ok(kernels.iter().map(|kernel| kernel.call() - NUMBER_BASE).collect())
}

fn outcome(result: Result<Vec<i32>>) -> Outcome {
    result.map_err(|error| error.to_string())
}

fn way(steps: &[(String, u64)], compiled: u64) -> String {
    let ends = steps.iter().skip(1).map(|(_, compiled)| *compiled).chain([compiled]);
    let words = steps.iter().zip(ends).map(|((step, before), after)| match after > *before {
        true => format!("{step}!"),
        false => step.clone(),
    });
    words.collect::<Vec<_>>().join(" ")
}

impl Cell {
    /// All cells of a rank that goes this way.
    pub fn all(trouble: Trouble, rank: usize, way: &str) -> impl Iterator<Item = Cell> + use<> {
        (0..way.split(' ').count()).map(move |moment| Cell { trouble, rank, moment })
    }

    /// Before which step of the way it strikes.
    pub fn step(self, way: &str) -> &str {
        way.split(' ').nth(self.moment).unwrap_or_default().trim_end_matches('!')
    }

    /// Whether the trouble can make a difference: that of a compiler does if the rank compiles afterwards.
    pub fn matters(self, way: &str) -> bool {
        !self.trouble.is_of_the_compiler() || way.split(' ').skip(self.moment).any(|step| step.ends_with('!'))
    }

    /// Whether it ended as it must, on all ranks; `way` is that of the struck rank where nothing goes wrong.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub fn judge(self, way: &str, accounts: &[Account]) -> std::result::Result<Verdict, String> {
        let wrong = |what: &str| Err(format!("{self:?} ({way}): {what}: {accounts:#?}"));
        let struck: Vec<usize> = accounts.iter().map(|account| account.struck).collect();
        if (0..accounts.len()).any(|rank| struck[rank] != usize::from(rank == self.rank)) {
            return wrong("it did not strike where it was to");
        }
        if accounts.iter().any(|account| account.looks > LOOKS) {
            return wrong("a rank that waits takes a core");
        }
        let load = &accounts[0].load;
        if accounts.iter().any(|account| account.load != *load) {
            return wrong("ranks return different things");
        }
        let values = |numbers: &[u32]| numbers.iter().map(|&i| i as i32).collect::<Vec<_>>();
        let verdict = match (load, self.words(way)) {
            (Ok(numbers), None) if *numbers == values(&REQUEST) => Verdict::Survived,
            (Err(words), Some(due)) => match due.iter().find(|due| !words.contains(*due)) {
                Some(due) => return wrong(&format!("`{due}` is not in what they say")),
                None => Verdict::Failed,
            },
            (_, None) => return wrong("it can be survived"),
            (_, Some(_)) => return wrong("nobody noticed"),
        };
        let all = [&REQUEST[..], &NEXT].concat();
        let anew = if self.trouble == Trouble::Refusing { &NEXT[..] } else { &all };
        if accounts.iter().any(|account| account.next != Ok(values(&NEXT))) {
            return wrong("the next load fails");
        }
        if accounts.iter().any(|account| account.anew != Ok(values(anew))) {
            return wrong("the next run fails");
        }
        Ok(verdict)
    }

    /// What the error must say; `None` if it can be survived.
    fn words(self, way: &str) -> Option<Vec<String>> {
        let (fails, words) = match self.trouble {
            Trouble::Error | Trouble::Panic => (self.step(way) != "Publish", "planned"),
            Trouble::Refusing => (self.matters(way), "planned"),
            Trouble::Killed => (self.matters(way), "signal 9"),
            Trouble::Hanging => (self.matters(way), "did not finish"),
            _ => (false, ""),
        };
        let kernel = self.trouble.is_of_the_compiler().then(|| "kernel k0000".to_owned());
        fails.then(|| [format!("rank {}", self.rank), words.to_owned()].into_iter().chain(kernel).collect())
    }
}
