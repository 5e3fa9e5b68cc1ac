//! What can go wrong on one rank in the middle of a collective load: really, and not only said.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::mount::{MountFlags, MountPropagationFlags, mount, mount_bind, mount_change, mount_remount};
use serde::{Deserialize, Serialize};

use crate::protocol::{ShimConfig, ShimMode, ShimStep};

/// One way to go wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Trouble {
    /// The rank comes late.
    Late,
    /// The work of a step returns an error.
    Error,
    /// The work of a step panics.
    Panic,
    /// The compiler says that it does not like the text.
    Refusing,
    /// The compiler is killed.
    Killed,
    /// The compiler does not end.
    Hanging,
    /// There is no byte left where the cache is.
    Full,
    /// The cache can be read only.
    ReadOnly,
    /// The cache directory is not there any more.
    Vanished,
    /// A file is where the cache directory was.
    Blocked,
    /// Every entry of the cache is damaged.
    Corrupt,
}

impl Trouble {
    /// All of them.
    pub const ALL: [Trouble; 11] = [
        Trouble::Late,
        Trouble::Error,
        Trouble::Panic,
        Trouble::Refusing,
        Trouble::Killed,
        Trouble::Hanging,
        Trouble::Full,
        Trouble::ReadOnly,
        Trouble::Vanished,
        Trouble::Blocked,
        Trouble::Corrupt,
    ];

    /// Whether nothing but a compiler goes wrong.
    pub fn is_of_the_compiler(self) -> bool {
        matches!(self, Trouble::Refusing | Trouble::Killed | Trouble::Hanging)
    }

    /// Whether the cache must be on a small disk of its own, see [`small_disk`].
    pub fn needs_a_small_disk(self) -> bool {
        self == Trouble::Full
    }

    /// Whether it takes mounts of one's own, see [`own_mounts`].
    pub fn needs_mounts(self) -> bool {
        matches!(self, Trouble::Full | Trouble::ReadOnly)
    }

    /// Makes it happen, here and now.
    ///
    /// # Errors
    /// With [`Trouble::Error`], the planned one.
    ///
    /// # Panics
    /// With [`Trouble::Panic`], as planned; else if it could not be done.
    pub fn strike(self, around: &Around) -> dijitso::Result<()> {
        let mode = match self {
            Trouble::Late => {
                std::thread::sleep(around.lateness);
                return Ok(());
            }
            Trouble::Error => {
                return Err(dijitso::Error::Communication { problem: "planned".to_owned() });
            }
            // Without the hook, which would print a backtrace for each.
            Trouble::Panic => std::panic::resume_unwind(Box::new("planned")),
            Trouble::Full => return done(fill(&around.cache)),
            Trouble::ReadOnly => return done(make_read_only(&around.cache)),
            Trouble::Vanished => return done(move_away(&around.cache)),
            Trouble::Blocked => return done(block(&around.cache)),
            Trouble::Corrupt => return done(damage(&around.cache)),
            Trouble::Refusing => ShimMode::Fail { status: 1, stderr: b"planned".to_vec() },
            Trouble::Killed => ShimMode::Die { signal: 9 },
            Trouble::Hanging => ShimMode::Hang,
        };
        around.set_compiler(mode);
        Ok(())
    }
}

fn done(result: io::Result<()>) -> dijitso::Result<()> {
    result.unwrap_or_else(|error| panic!("the trouble could not be made: {error}"));
    Ok(())
}

/// What one rank works with.
#[derive(Debug, Clone)]
pub struct Around {
    /// Its cache directory.
    pub cache: PathBuf,
    /// Its compiler, a shim.
    pub compiler: PathBuf,
    /// The compiler behind it.
    pub real: PathBuf,
    /// By how much it is late, if it is.
    pub lateness: Duration,
}

impl Around {
    /// From now on it does this with whatever it is to compile.
    pub fn set_compiler(&self, mode: ShimMode) {
        ShimConfig { real: self.real.clone(), mode, on: ShimStep::Compile }.put(&self.compiler);
    }
}

/// Gives the calling thread, and those that it starts, mounts that nobody else sees; `false` where that is not permitted.
pub fn own_mounts() -> bool {
    // SAFETY: only mounts are separated; descriptors stay shared with all threads.
    let separated = unsafe { rustix::thread::unshare_unsafe(rustix::thread::UnshareFlags::NEWNS) };
    let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
    separated.is_ok() && mount_change("/", private).is_ok()
}

/// Makes a directory a file system of its own, of a few megabytes, on mounts of one's own.
///
/// # Errors
/// The system's.
pub fn small_disk(dir: &Path) -> io::Result<()> {
    std::fs::create_dir_all(dir)?;
    Ok(mount("none", dir, "tmpfs", MountFlags::empty(), c"mode=700,size=4m")?)
}

fn fill(dir: &Path) -> io::Result<()> {
    let disk = rustix::fs::statvfs(dir)?;
    assert!(disk.f_blocks * disk.f_frsize <= 64 << 20, "{} is on a disk of the machine", dir.display());
    let mut file = std::fs::File::create(dir.join("filler"))?;
    for size in [1 << 20, 1 << 12, 1] {
        while file.write_all(&vec![0; size]).is_ok() {}
    }
    Ok(())
}

/// What is open for writing already stays so: another mount lies over the first one.
fn make_read_only(dir: &Path) -> io::Result<()> {
    mount_bind(dir, dir)?;
    // Another rank may just be opening a file to write.
    patiently(rustix::io::Errno::BUSY, || Ok(mount_remount(dir, MountFlags::BIND | MountFlags::RDONLY, c"")?))
}

fn move_away(dir: &Path) -> io::Result<()> {
    std::fs::rename(dir, dir.with_extension("gone"))
}

/// A file is where the directory was. Another rank may make the directory anew in between.
fn block(dir: &Path) -> io::Result<()> {
    let mut number = 0;
    patiently(rustix::io::Errno::ISDIR, || {
        if dir.is_dir() {
            number += 1;
            std::fs::rename(dir, dir.with_extension(format!("gone-{number}")))?;
        }
        std::fs::write(dir, "")
    })
}

/// Once more, and not for ever, if it fails like this.
fn patiently(errno: rustix::io::Errno, mut attempt: impl FnMut() -> io::Result<()>) -> io::Result<()> {
    for _ in 0..200 {
        match attempt() {
            Err(error) if error.raw_os_error() == Some(errno.raw_os_error()) => {
                std::thread::sleep(Duration::from_millis(5));
            }
            result => return result,
        }
    }
    attempt()
}

/// By other files under the same names: what is mapped must not change.
fn damage(dir: &Path) -> io::Result<()> {
    let mut dirs = vec![dir.to_owned()];
    while let Some(dir) = dirs.pop() {
        for entry in std::fs::read_dir(dir)? {
            let path = entry?.path();
            if path.is_dir() {
                dirs.push(path);
            } else if path.extension().is_some_and(|extension| extension == "so") {
                let new = path.with_extension("new");
                std::fs::write(&new, "damaged")?;
                std::fs::rename(new, path)?;
            }
        }
    }
    Ok(())
}
