//! What one rank knows about where it is, without asking anybody and without a look at any disk.

use std::num::NonZero;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use rustix::process::{getegid, geteuid};
use rustix::thread::CpuSet;
use serde::{Deserialize, Serialize};

use crate::signature::{Signature, Signer};
use crate::toolchain::CpuFeatures;

/// Where a rank is. Equal numbers mean the same thing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Facts {
    /// The running system: its cores, and its numbers of devices.
    pub(super) machine: u128,
    /// Where ranks can open each other's `/proc/<pid>/fd`.
    pub(super) node: u128,
    /// On that node, the way to the cache directory: equal views lead to the same one.
    pub(super) view: u128,
    /// The cores that it may run on, a bit each.
    pub(super) cores: Vec<u64>,
    /// The most compilers that it may run at once.
    pub(super) limit: u16,
    /// What its processor has.
    pub(super) cpu: u128,
}

impl Facts {
    /// Of the calling thread, which is `rank`, with its cache in `root`, and told to run at most so many `jobs`.
    /// `simulated` is the machine that it pretends to be on, `processor` its own or that of which it pretends.
    pub(super) fn here(
        rank: usize,
        simulated: Option<&str>,
        root: &Path,
        jobs: Option<usize>,
        processor: CpuFeatures,
    ) -> Facts {
        let pretended = Some(simulated.unwrap_or_default().into());
        let user = Some(format!("{} {}", geteuid().as_raw(), getegid().as_raw()).into());
        let path = Some(root.as_os_str().as_bytes().to_vec());
        let machine = number(rank, 0, [boot(), host_name(), pretended]);
        // The kernel opens `/proc/<pid>/fd` to the same user and group in the same user namespace.
        let node = number(rank, machine, [namespace("pid"), namespace("user"), user]);
        let view = number(rank, node, [namespace("mnt"), top(), path]);
        let parallel = std::thread::available_parallelism().map_or(1, NonZero::get);
        let limit = jobs.map_or(parallel, |jobs| jobs.min(parallel));
        Facts {
            machine,
            node,
            view,
            cores: cores().unwrap_or_else(|| first(parallel)),
            limit: u16::try_from(limit).unwrap_or(u16::MAX),
            cpu: processor.bits(),
        }
    }
}

/// A number for these facts. What could not be found out is like nobody else's: then a rank is alone, which costs
/// something and is never wrong.
fn number(rank: usize, within: u128, facts: [Option<Vec<u8>>; 3]) -> u128 {
    let mut signer = Signer::quiet("dijitso place 1");
    signer.u128(within);
    for fact in facts {
        match fact {
            Some(fact) => signer.field("known", &fact[..]),
            None => signer.field("unknown to", &rank),
        }
    }
    half(&signer.finish())
}

/// 128 bits are enough to tell apart what was not made to collide.
fn half(signature: &Signature) -> u128 {
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&signature.as_bytes()[..16]);
    u128::from_le_bytes(bytes)
}

/// Another one each time that a kernel starts.
fn boot() -> Option<Vec<u8>> {
    std::fs::read("/proc/sys/kernel/random/boot_id").ok()
}

/// Machines that are copies of one another have one boot between them, but hardly a name.
fn host_name() -> Option<Vec<u8>> {
    Some(rustix::system::uname().nodename().to_bytes().to_vec())
}

/// Of the calling thread: each may have its own.
fn namespace(kind: &str) -> Option<Vec<u8>> {
    let link = std::fs::read_link(format!("/proc/thread-self/ns/{kind}")).ok()?;
    Some(link.into_os_string().into_encoded_bytes())
}

/// Where paths begin: below another root the same path leads elsewhere.
fn top() -> Option<Vec<u8>> {
    let top = rustix::fs::stat("/").ok()?;
    Some(format!("{} {}", top.st_dev, top.st_ino).into())
}

/// The cores of the calling thread, which its compilers inherit; `None` on machines with more than the system call tells.
fn cores() -> Option<Vec<u64>> {
    let set = rustix::thread::sched_getaffinity(None).ok()?;
    let words = CpuSet::MAX_CPU / 64;
    let word = |at: usize| (0..64).fold(0, |word, bit| word | u64::from(set.is_set(at * 64 + bit)) << bit);
    let mut cores: Vec<u64> = (0..words).map(word).collect();
    while cores.last() == Some(&0) {
        cores.pop();
    }
    (!cores.is_empty()).then_some(cores)
}

/// So many cores, whichever they are.
fn first(count: usize) -> Vec<u64> {
    let mut cores = vec![u64::MAX; count / 64];
    cores.push((1 << (count % 64)) - 1);
    cores
}

/// A number that nobody else has: not another program, nor this one in another run.
pub(super) fn nonce(key: u128, rank: usize) -> u128 {
    use std::hash::{BuildHasher as _, RandomState};
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let mut signer = Signer::quiet("dijitso nonce 1");
    signer.u128(key);
    signer.usize(rank);
    signer.u128(now.as_nanos());
    signer.u32(std::process::id());
    for salt in 0..2_u8 {
        // The keys of a hash table are the system's randomness.
        signer.u64(RandomState::new().hash_one(salt));
    }
    half(&signer.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_of_one_process_are_in_one_place() {
        let here = |rank, simulated, root: &str, jobs| {
            Facts::here(rank, simulated, Path::new(root), jobs, CpuFeatures::NONE)
        };
        let one = here(0, None, "/cache", None);
        assert_eq!(here(1, None, "/cache", None), one);
        let elsewhere = here(1, None, "/other", None);
        assert_eq!((elsewhere.machine, elsewhere.node), (one.machine, one.node));
        assert_ne!(elsewhere.view, one.view);
        let pretending = here(1, Some("m1"), "/cache", None);
        assert_ne!(pretending.machine, one.machine);
        assert_ne!(pretending.node, one.node);
        assert_eq!(pretending, here(2, Some("m1"), "/cache", None));
        let cores: u32 = one.cores.iter().map(|word| word.count_ones()).sum();
        assert!(cores >= 1 && u32::from(one.limit) <= cores);
        assert_eq!(here(0, None, "/cache", Some(1)).limit, 1);
    }

    #[test]
    fn what_is_not_known_is_nobody_elses() {
        let known = |text: &str| Some(text.into());
        let of = |rank| number(rank, 0, [known("a"), None, known("b")]);
        assert_ne!(of(1), of(2));
        assert_eq!(of(1), of(1));
        let all = |rank| number(rank, 0, [known("a"), known("c"), known("b")]);
        assert_eq!(all(1), all(2));
        assert_ne!(all(1), number(1, 1, [known("a"), known("c"), known("b")]));
    }

    #[test]
    fn cores_are_counted_where_they_cannot_be_told() {
        assert_eq!(first(3), [0b111]);
        assert_eq!(first(64), [u64::MAX, 0]);
        assert_eq!(first(130).iter().map(|word| word.count_ones()).sum::<u32>(), 130);
    }

    #[test]
    fn nonces_differ() {
        assert_ne!(nonce(1, 0), nonce(1, 0));
    }
}
