//! The process groups this process has started and not yet seen the end of.

use std::sync::atomic::{AtomicI32, Ordering::SeqCst};

use rustix::process::{Pid, Signal, kill_process_group};

/// As many as can be killed by [`terminate_children`]; more than anybody runs side by side.
const SLOTS: usize = 512;

static GROUPS: [AtomicI32; SLOTS] = [const { AtomicI32::new(0) }; SLOTS];

/// Kills every compiler and linker that this process is running, with their own children.
///
/// Async-signal-safe: it may be called from a signal handler, for programs that end on SIGTERM and do not
/// want a compiler to outlive them (one that does is harmless: it can publish nothing). Kernels that were
/// being built report that the compiler was killed.
///
/// dijitso has no counterpart.
///
/// ```
/// dijitso::terminate_children(); // nothing is running: nothing happens
/// ```
pub fn terminate_children() {
    for slot in &GROUPS {
        if let Some(pid) = Pid::from_raw(slot.load(SeqCst)) {
            let _ = kill_process_group(pid, Signal::KILL);
        }
    }
}

/// One running process group; forgotten when dropped, which must happen *before* its leader is reaped: after
/// that the number can belong to somebody else.
#[derive(Debug)]
pub(super) struct Group {
    pid: Pid,
    slot: Option<usize>,
}

impl Group {
    pub(super) fn new(pid: Pid) -> Group {
        let raw = pid.as_raw_nonzero().get();
        let free = |slot: &AtomicI32| slot.compare_exchange(0, raw, SeqCst, SeqCst).is_ok();
        Group { pid, slot: GROUPS.iter().position(free) }
    }

    pub(super) fn kill(&self) {
        let _ = kill_process_group(self.pid, Signal::KILL);
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(slot) = self.slot {
            GROUPS[slot].store(0, SeqCst);
        }
    }
}
