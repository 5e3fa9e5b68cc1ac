//! What a user may ask about how a kernel came to be loaded.

use std::time::Duration;

/// Where a loaded kernel came from.
///
/// dijitso (Python) has no counterpart; its `status` says only `"builder"`, `"receiver"` or `"waiter"`.
///
/// ```no_run
/// # fn main() -> dijitso::Result<()> {
/// # type F = unsafe extern "C" fn(f64) -> f64;
/// # let spec = dijitso::spec!(F, "twice", (), || unsafe { dijitso::Source::new("double twice(double x) { return 2 * x; }") });
/// let jit = dijitso::Jit::builder().build()?;
/// let kernel = jit.load(&spec)?;
/// assert_ne!(kernel.origin(), dijitso::KernelOrigin::Memory);
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[non_exhaustive]
pub enum KernelOrigin {
    /// This `Jit` had it loaded already.
    Memory,
    /// Linked into the program by `build.rs` ([`prebuild`](crate::prebuild())).
    Prebuilt,
    /// The cache directory had it: found by the spec, or compiled already for another spec with the same text.
    Disk,
    /// A site cache had it, see [`site_cache`](crate::JitBuilder::site_cache).
    Site,
    /// Compiled by this call.
    Built,
    /// Another rank of the communicator compiled it, or found it in its cache, and sent it here.
    Received,
}

/// How one kernel was obtained, step by step. Steps that were not needed are zero.
///
/// All are wall times. Kernels of one batch are compiled side by side, so their sum can exceed the batch's time.
///
/// ```
/// let report = dijitso::Report::default();
/// assert_eq!(report.to_string(), "0 bytes"); // "compile 17.302 ms, link 2.110 ms, .., 14096 bytes" after a build
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// Looking into the cache.
    pub lookup: Duration,
    /// Running the generator.
    pub generate: Duration,
    /// The compiler (`-c`), as wall time of its process; of one that compiled several kernels, a share.
    pub compile: Duration,
    /// The linker, as wall time of its process.
    pub link: Duration,
    /// Reading, sealing and writing the cache entry.
    pub publish: Duration,
    /// The dynamic loader, constructors included.
    pub load: Duration,
    /// Size of the library in bytes (without the archive behind it).
    pub bytes: u64,
}

impl std::fmt::Display for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let steps = [
            ("lookup", self.lookup),
            ("generate", self.generate),
            ("compile", self.compile),
            ("link", self.link),
            ("publish", self.publish),
            ("load", self.load),
        ];
        for (name, time) in steps {
            if !time.is_zero() {
                write!(f, "{name} {:.3} ms, ", time.as_secs_f64() * 1e3)?;
            }
        }
        write!(f, "{} bytes", self.bytes)
    }
}
