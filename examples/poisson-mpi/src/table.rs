//! Who built, who received, and what that cost.

use std::fmt;

use dijitso::{Role, Stats};
use mpi::collective::SystemOperation;
use mpi::topology::SimpleCommunicator;
use mpi::traits::{Communicator as _, CommunicatorCollectives as _, Root as _};
use poisson::Kernels;

/// A line for each rank.
pub struct Table(Vec<String>);

impl Table {
    /// Gathered on rank 0, empty on all others: what the kernels' loading took this rank.
    pub fn gather(world: &SimpleCommunicator, role: Role, kernels: &Kernels, stats: &Stats) -> Table {
        let origins = [kernels.0.origin(), kernels.1.origin()].map(|origin| format!("{origin:?}"));
        let numbers = [
            stats.built,
            stats.received,
            stats.messages_sent,
            stats.message_bytes,
            stats.opens,
            stats.file_stats,
            stats.file_changes,
            stats.processes,
        ];
        let role = role.to_string();
        Table(lines(world, &line([&world.rank().to_string(), &role, &origins[0], &origins[1]], numbers)))
    }
}

fn line(words: [&str; 4], numbers: [impl fmt::Display; 8]) -> String {
    let [rank, role, stiffness, load] = words;
    let [built, received, messages, bytes, opens, stats, changes, processes] = numbers;
    format!(
        "{rank:>4}  {role:8}  {stiffness:9}  {load:9} {built:>5} {received:>8} {messages:>8} {bytes:>8} {opens:>5} {stats:>5} \
         {changes:>7} {processes:>9}"
    )
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let numbers = ["built", "received", "messages", "bytes", "opens", "stats", "changes", "processes"];
        f.write_str(&line(["rank", "role", "stiffness", "load"], numbers))?;
        self.0.iter().try_for_each(|line| write!(f, "\n{line}"))
    }
}

/// A line of each rank, gathered on rank 0.
fn lines(world: &SimpleCommunicator, mine: &str) -> Vec<String> {
    let root = world.process_at_rank(0);
    let mut width = 0;
    world.all_reduce_into(&mine.len(), &mut width, SystemOperation::max());
    let mine = format!("{mine:width$}");
    if world.rank() != 0 {
        root.gather_into(mine.as_bytes());
        return Vec::new();
    }
    let mut all = vec![0; width * world.size() as usize];
    root.gather_into_root(mine.as_bytes(), &mut all[..]);
    all.chunks(width).map(|line| String::from_utf8_lossy(line).into_owned()).collect()
}
