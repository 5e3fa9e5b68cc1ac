//! Thousands of collective loads in one process, of every kind, and what must not pile up meanwhile.

use std::path::Path;

use dijitso::{BuildOn, Communicator, Error, Jit, JitBuilder, KernelSpec, Source};
use serde::{Deserialize, Serialize};

use crate::kernels::{NUMBER_BASE, Number, number, text};

/// What a process holds, and what lies in its directories.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Open files.
    pub descriptors: usize,
    /// Mapped parts of files in memory.
    pub memory_files: usize,
    /// Mapped parts of all kinds.
    pub mappings: usize,
    /// In kB.
    pub resident: u64,
    /// Files and directories below the directory of everything.
    pub files: usize,
    /// Those of these that are there for a moment only.
    pub temporary: usize,
}

impl Usage {
    /// Now; caches and temporary files are in `dir`.
    pub fn now(dir: &Path) -> Usage {
        let maps = std::fs::read_to_string("/proc/self/maps").expect("/proc");
        let status = std::fs::read_to_string("/proc/self/status").expect("/proc");
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let resident = resident.and_then(|words| words.split_whitespace().next());
        let mut usage = Usage {
            descriptors: std::fs::read_dir("/proc/self/fd").expect("/proc").count(),
            memory_files: maps.lines().filter(|line| line.contains("/memfd:")).count(),
            mappings: maps.lines().count(),
            resident: resident.and_then(|number| number.parse().ok()).expect("a number"),
            files: 0,
            temporary: 0,
        };
        usage.count(dir, false);
        usage
    }

    fn count(&mut self, dir: &Path, temporary: bool) {
        for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let temporary = temporary || name.to_string_lossy().starts_with("dijitso-build-");
            self.files += 1;
            self.temporary += usize::from(temporary);
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                self.count(&entry.path(), temporary || name == "tmp");
            }
        }
    }

    /// Whether nothing has piled up since, when nothing new was built.
    ///
    /// # Errors
    /// What has.
    pub fn is_still(&self, before: &Usage) -> Result<(), String> {
        let still = self.descriptors <= before.descriptors
            && self.memory_files <= before.memory_files
            // The allocator takes and gives some.
            && self.mappings <= before.mappings + 20
            && self.resident <= before.resident + (16 << 10)
            && self.files <= before.files
            && self.temporary == 0;
        if still { Ok(()) } else { Err(format!("at half time {before:?}, at the end {self:?}")) }
    }
}

/// Takes part in so many loads as one rank; returns what was used at half time and at the end. New kernels, and new ones that
/// do not compile, come in the first half only.
///
/// `copy` makes a new communicator of the same ranks, `meet` returns when all ranks are there.
pub fn endure<C: Communicator>(
    comm: &C,
    copy: &dyn Fn(&C) -> C,
    builder: &dyn Fn() -> JitBuilder,
    dir: &Path,
    loads: usize,
    meet: &dyn Fn(),
) -> [Usage; 2] {
    let mut usage = Vec::new();
    let mut jit = builder().build_with(comm).expect("a Jit");
    for i in 0..loads {
        if i == loads / 2 {
            usage.push(quiet(comm, dir, meet));
        }
        let new = i < loads / 2;
        match i % 40 {
            1 if new => one(&jit, comm, 1000 + i as u32 / 40),
            // What is on disk must be found there.
            1 | 21 => {
                jit = builder().build_with(comm).expect("a Jit");
                one(&jit, comm, 1000);
            }
            0 | 10 | 20 | 30 => {
                let other = copy(comm);
                let kernels = jit.on(&other).load_all(&[number(1), number(2)]).expect("kernels");
                assert_eq!(kernels.len(), 2);
            }
            15 => refused(&jit, comm, 0),
            37 if new && i % 400 == 37 => refused(&jit, comm, i),
            25 => {
                let spec: KernelSpec<Number> = KernelSpec::new("panics", (), || -> Source<Number> {
                    // Without the hook, which would print a backtrace for each.
                    std::panic::resume_unwind(Box::new("planned"))
                });
                let error = jit.on(comm).load(&spec).expect_err("a panic");
                assert!(error.to_string().contains("planned"), "{error}");
            }
            35 => {
                let error = jit.on(comm).load(&number(comm.rank() as u32)).expect_err("a mismatch");
                assert!(matches!(error, Error::Mismatch { .. }), "{error}");
            }
            other => one(&jit, comm, other as u32 % 5),
        }
    }
    usage.push(quiet(comm, dir, meet));
    [usage[0], usage[1]]
}

/// One rank after the other: they may be of one process, and looking opens files.
fn quiet<C: Communicator>(comm: &C, dir: &Path, meet: &dyn Fn()) -> Usage {
    let mut mine = None;
    for rank in 0..comm.size() {
        meet();
        if rank == comm.rank() {
            mine = Some(Usage::now(dir));
        }
    }
    meet();
    mine.expect("one of the ranks")
}

fn one<C: Communicator>(jit: &Jit, comm: &C, i: u32) {
    let kernel = jit.on(comm).build_on(BuildOn::Root).load(&number(i)).expect("a kernel");
    assert_eq!(kernel.call() - NUMBER_BASE, i as i32);
}

fn refused<C: Communicator>(jit: &Jit, comm: &C, key: usize) {
    let spec = text(&format!("bad{key}"), &format!("int bad{key}() {{ return nonsense; }}"));
    let error = jit.on(comm).load(&spec).expect_err("a refusal");
    assert!(error.to_string().contains("nonsense"), "{error}");
}
