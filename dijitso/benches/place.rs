//! Where the benches work: a directory with a cache and a compiler that costs nothing, and child processes
//! for what only a new process can measure (a library that is loaded already costs nothing the second time).

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::{LazyLock, OnceLock};
use std::time::Duration;

use dijitso::Jit;

/// The real compiler, behind the one that costs nothing.
const REAL: &str = "/usr/bin/c++";

/// Removed when the benches are done: see `Cleaner`.
static DIR: OnceLock<PathBuf> = OnceLock::new();

fn dir() -> &'static Path {
    DIR.get_or_init(|| {
        let dir = tempfile::Builder::new().prefix("dijitso-bench-").tempdir().expect("a directory");
        dir.keep()
    })
}

/// Shared by everything: the toolchain in it is known.
static CACHE: LazyLock<PathBuf> = LazyLock::new(|| {
    let cache = dir().join("cache");
    child("build", &cache, 0, 1);
    cache
});

static COMPILER: LazyLock<PathBuf> = LazyLock::new(|| {
    let path = dir().join("free-c++");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/free_compiler.c");
    let mut command = Command::new(REAL);
    command.args(["-x", "c", "-O1"]).arg(format!("-DREAL=\"{REAL}\"")).arg(source).arg("-o").arg(&path);
    assert!(command.status().is_ok_and(|status| status.success()), "{command:?}");
    path
});

/// The next number that no kernel has yet.
static NEXT: AtomicU32 = AtomicU32::new(1000);

pub(crate) fn cache() -> &'static Path {
    &CACHE
}

/// The first of `count` numbers of kernels that nobody built yet.
pub(crate) fn unused(count: u32) -> u32 {
    NEXT.fetch_add(count, Relaxed)
}

/// A `Jit` with the compiler that costs nothing.
pub(crate) fn jit(cache: &Path, compiler: &Path) -> Jit {
    let words = compiler.to_str().expect("a path of text");
    Jit::builder().cache_dir(cache).cxx(words).build().unwrap_or_else(|e| panic!("{}", e.report()))
}

pub(crate) fn compiler() -> &'static Path {
    &COMPILER
}

/// What a new process measures: see `child::run`.
pub(crate) fn child(part: &str, cache: &Path, from: u32, count: u32) -> Duration {
    let mut command = Command::new(std::env::current_exe().expect("own path"));
    command.args([crate::CHILD, part, &from.to_string(), &count.to_string()]).args([cache, compiler()]);
    // Settings of whoever runs the benches are not what is measured.
    command.env("DIJITSO_CONFIG", "/dev/null").env_remove("CXXFLAGS").env_remove("CPPFLAGS");
    let output = command.output().expect("a child");
    let (text, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?}: {text}{errors}");
    Duration::from_nanos(text.trim().parse().unwrap_or_else(|_| panic!("{text}{errors}")))
}

/// Removes everything at its end.
pub(crate) struct Cleaner;

impl Drop for Cleaner {
    fn drop(&mut self) {
        if let Some(dir) = DIR.get() {
            let _ = std::fs::remove_dir_all(dir);
        }
    }
}
