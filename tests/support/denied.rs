//! What systems deny to programs: files in memory, `/proc`, running what was written.

use std::io;
use std::path::Path;

use rustix::mount::{MountFlags, mount, mount_bind, mount_remount};

const ALLOW: u32 = libc::SECCOMP_RET_ALLOW;
const REFUSE: u32 = libc::SECCOMP_RET_ERRNO | libc::EPERM as u32;
/// The lower half of a system call's third argument, in what a filter is asked about; its number is the first word.
const THIRD: u32 = 16 + 2 * 8;

/// From now on the calling thread, and what it starts, gets no files in memory.
///
/// # Errors
/// Where the system permits no filters.
pub fn deny_memory_files() -> io::Result<()> {
    filter(&mut [
        statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, 0),
        statement(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 0, 1, libc::SYS_memfd_create as u32),
        statement(libc::BPF_RET | libc::BPF_K, 0, 0, REFUSE),
        statement(libc::BPF_RET | libc::BPF_K, 0, 0, ALLOW),
    ])
}

/// From now on the calling thread, and what it starts, can map nothing that could be run: load no library, run no program.
///
/// # Errors
/// Where the system permits no filters.
pub fn deny_loading() -> io::Result<()> {
    filter(&mut [
        statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, 0),
        statement(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 0, 3, libc::SYS_mmap as u32),
        statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, THIRD),
        statement(libc::BPF_JMP | libc::BPF_JSET | libc::BPF_K, 0, 1, libc::PROT_EXEC as u32),
        statement(libc::BPF_RET | libc::BPF_K, 0, 0, REFUSE),
        statement(libc::BPF_RET | libc::BPF_K, 0, 0, ALLOW),
    ])
}

/// One step of a filter, with how many to leave out if its condition holds, and if not.
fn statement(code: u32, jt: u8, jf: u8, k: u32) -> libc::sock_filter {
    libc::sock_filter { code: code as u16, jt, jf, k }
}

fn filter(steps: &mut [libc::sock_filter]) -> io::Result<()> {
    let program = libc::sock_fprog { len: steps.len() as u16, filter: steps.as_mut_ptr() };
    rustix::thread::set_no_new_privs(true)?;
    // SAFETY: `program` and its filter live until the call returns.
    let installed =
        unsafe { libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program) };
    if installed == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Hides `/proc` from threads with these mounts, which must be the caller's own.
///
/// # Errors
/// The system's.
pub fn hide_proc() -> io::Result<()> {
    Ok(mount("none", "/proc", "tmpfs", MountFlags::empty(), c"mode=755,size=4k")?)
}

/// Nothing can be run or mapped from here any more, on mounts of the caller's own.
///
/// # Errors
/// The system's.
pub fn forbid_running_from(dir: &Path) -> io::Result<()> {
    mount_bind(dir, dir)?;
    Ok(mount_remount(dir, MountFlags::BIND | MountFlags::NOEXEC, c"")?)
}
