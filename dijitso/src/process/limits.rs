//! How many compilers fit on this machine at once.

use std::fs;
use std::num::NonZero;
use std::path::{Path, PathBuf};

/// Cores and memory that compilers may take.
#[derive(Debug, Clone)]
pub(crate) struct Limits {
    jobs: usize,
    memory_per_job: u64,
}

impl Limits {
    /// `jobs`: at most so many, else one per core that this process may run on.
    pub(crate) fn new(jobs: Option<usize>, memory_per_job: u64) -> Limits {
        let cores = || std::thread::available_parallelism().map_or(1, NonZero::get);
        Limits { jobs: jobs.unwrap_or_else(cores).max(1), memory_per_job }
    }

    /// How many may run at once, if the memory suffices.
    pub(crate) fn jobs(&self) -> usize {
        self.jobs
    }

    /// Whether one more may be started beside `running` ones. The first always may: a machine with too
    /// little memory must make progress too.
    pub(crate) fn may_start(&self, running: usize) -> bool {
        if running == 0 {
            return true;
        }
        // What the running ones have taken is gone from the available memory already, what they will still
        // take is not; counting them in full errs on the side that does not swap.
        let needed = self.memory_per_job.saturating_mul(running as u64 + 1);
        running < self.jobs && (self.memory_per_job == 0 || available_memory() >= needed)
    }
}

/// Bytes that can be taken without swapping: what the machine has, and what the control groups of this
/// process allow (a batch system kills a job that exceeds it).
fn available_memory() -> u64 {
    let machine =
        field(&read(Path::new("/proc/meminfo")), "MemAvailable:").map_or(u64::MAX, |kib| kib * 1024);
    let groups = read(Path::new("/proc/self/cgroup"));
    groups.lines().filter_map(memory_of_group).fold(machine, u64::min)
}

/// What a line of `/proc/self/cgroup` and its ancestors leave.
fn memory_of_group(line: &str) -> Option<u64> {
    let (_, line) = line.split_once(':')?;
    let (controllers, path) = line.split_once(':')?;
    let (root, limit, usage, cache) = match controllers {
        "" => ("/sys/fs/cgroup", "memory.max", "memory.current", "inactive_file"),
        _ if controllers.split(',').any(|name| name == "memory") => {
            ("/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
        }
        _ => return None,
    };
    let group: PathBuf = Path::new(root).join(path.trim_start_matches('/'));
    let ancestors = group.ancestors().take_while(|dir| dir.starts_with(root));
    ancestors
        .filter_map(|dir| {
            let limit: u64 = read(&dir.join(limit)).trim().parse().ok()?;
            let usage: u64 = read(&dir.join(usage)).trim().parse().ok()?;
            let cache = field(&read(&dir.join("memory.stat")), cache).unwrap_or(0);
            Some(limit.saturating_sub(usage.saturating_sub(cache)))
        })
        .min()
}

fn field(text: &str, name: &str) -> Option<u64> {
    text.lines().find_map(|line| {
        let mut words = line.split_whitespace();
        (words.next() == Some(name)).then(|| words.next()?.parse().ok())?
    })
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_may_always_start_and_no_more_than_the_jobs() {
        let limits = Limits::new(Some(2), u64::MAX);
        assert!(limits.may_start(0));
        assert!(!limits.may_start(1), "the memory does not suffice");
        let limits = Limits::new(Some(2), 0);
        assert!(limits.may_start(1) && !limits.may_start(2));
        assert!(Limits::new(None, 0).jobs >= 1);
    }

    #[test]
    fn this_machine_tells_its_memory() {
        let available = available_memory();
        assert!(available > 1 << 20 && available < 1 << 60);
        assert_eq!(field("MemTotal: 5 kB\nMemAvailable:   12 kB\n", "MemAvailable:"), Some(12));
    }
}
