//! The one error type: plain data that can be cloned, compared across ranks and printed.
//!
//! Every message says what happened, to which kernel, and what to do next. A compiler's own text
//! comes first and whole, as a programmer wants to read it.

pub(crate) mod wire;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::signature::Signature;

/// A `Result` with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Everything that can go wrong between declaring a kernel and calling it.
///
/// The error is plain data: `Clone`, `Send`, `Sync`; threads that wait for one build all receive
/// the same one, and so do the ranks of a collective load: it can be serialised, whole.
#[derive(Debug, Clone, thiserror::Error, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Error {
    /// A kernel, entry, header or export name that cannot be used.
    #[error("kernel `{kernel}`: {problem}")]
    Declaration {
        /// The kernel's name, as given (shortened if long).
        kernel: String,
        /// What is wrong and what to write instead.
        problem: String,
    },

    /// The generator returned an error or panicked.
    #[error("kernel {kernel}: its generator {problem}")]
    Generator {
        /// Name and arguments, with the place of the generator.
        kernel: String,
        /// `panicked: ..` or `failed: ..`.
        problem: String,
    },

    /// The compiler refused the generated text.
    #[error("kernel {kernel} does not compile\n{log}{}", bundle_hint(.bundle))]
    Compile {
        /// Name and arguments, with the place of the generator.
        kernel: String,
        /// The compiler's own text, whole.
        log: String,
        /// The command that failed, as one would type it, in a directory that is gone: `command.sh` in `bundle`
        /// repeats it.
        command: String,
        /// Directory with everything needed to reproduce the failure, if one could be kept.
        #[serde(with = "wire::optional_path")]
        bundle: Option<PathBuf>,
    },

    /// The linker refused, most often because of undefined symbols.
    #[error("kernel {kernel} does not link\n{log}{}{}", symbols_hint(.undefined), bundle_hint(.bundle))]
    Link {
        /// Name and arguments, with the place of the generator.
        kernel: String,
        /// The linker's own text, whole.
        log: String,
        /// Symbols nobody defines.
        undefined: Vec<String>,
        /// The command that failed, as one would type it, in a directory that is gone: `command.sh` in `bundle`
        /// repeats it.
        command: String,
        /// Directory with everything needed to reproduce the failure, if one could be kept.
        #[serde(with = "wire::optional_path")]
        bundle: Option<PathBuf>,
    },

    /// The compiler did not do its work: killed, timed out, or succeeded without output.
    #[error("kernel {kernel}: {problem}{}{}", log_hint(.log), bundle_hint(.bundle))]
    Compiler {
        /// Name and arguments, with the place of the generator.
        kernel: String,
        /// What happened and what to do about it.
        problem: String,
        /// What the compiler had printed.
        log: String,
        /// Directory with everything needed to reproduce the failure.
        #[serde(with = "wire::optional_path")]
        bundle: Option<PathBuf>,
    },

    /// No usable compiler, and the kernel is not in the cache.
    #[error("no usable C++ compiler{}{}", .kernel.as_ref().map(|k| format!(" for kernel {k}, which is not in the cache")).unwrap_or_default(), candidates_hint(.candidates))]
    NoCompiler {
        /// The kernel that needed it, if one did.
        kernel: Option<String>,
        /// What was tried, each with the reason why it was refused.
        candidates: Vec<(String, String)>,
    },

    /// The program must not compile, and kernels are missing.
    #[error("{}", sealed_text(.missing, .searched))]
    Sealed {
        /// Every kernel of the request that is nowhere, in its order.
        missing: Vec<MissingKernel>,
        /// Where they were looked for.
        searched: Vec<String>,
    },

    /// Two different generators declare the same kernel with the same key.
    #[error(
        "kernel {kernel}: two different generators have this name and key, at {first} and at {second}; \
         give one of them another name, or put what differs into its key"
    )]
    Collision {
        /// Name and arguments.
        kernel: String,
        /// Where the first generator is.
        first: String,
        /// Where the second generator is.
        second: String,
    },

    /// Kernels that need each other in a circle.
    #[error("kernels need each other in a circle: {}; break it by moving what they share into a third kernel", .path.join(" -> "))]
    Cycle {
        /// The kernels, first and last the same.
        path: Vec<String>,
    },

    /// A symbol that the kernel's library does not export.
    #[error("kernel {kernel} exports no {kind} `{name}`; it exports: {}; name it in `.export(..)`", or_nothing(.exports))]
    Symbol {
        /// Name and arguments, with the place of the generator.
        kernel: String,
        /// `function` or `data symbol of this size`.
        #[serde(deserialize_with = "wire::symbol_kind")]
        kind: wire::Word,
        /// The name asked for.
        name: String,
        /// What the library exports.
        exports: Vec<String>,
    },

    /// The dynamic loader refused a library whose bytes are intact.
    #[error("kernel {kernel} was built but cannot be loaded: {problem}")]
    Load {
        /// Name and arguments, with the place of the generator.
        kernel: String,
        /// The loader's own text.
        problem: String,
    },

    /// The process holds as many libraries as the system lets it map.
    #[error(
        "kernel {kernel}: this process already holds {loaded} kernel libraries, and the system lets it map no more; \
         raise vm.max_map_count (sysctl), or generate fewer, larger kernels"
    )]
    TooManyLibraries {
        /// Name and arguments.
        kernel: String,
        /// Kernel libraries loaded so far.
        loaded: usize,
    },

    /// With checking on: the generator's text is not the one that is in the cache.
    #[error(
        "kernel {kernel}: the generator now writes another text than the cached kernel has, for the same arguments; \
         something it reads is not in its key\n{diff}"
    )]
    Stale {
        /// Name and arguments, with the place of the generator.
        kernel: String,
        /// The first lines that differ.
        diff: String,
    },

    /// A parameter, environment variable or configuration file that cannot be used.
    #[error("configuration: {problem} ({origin})")]
    Config {
        /// What is wrong and what is allowed.
        problem: String,
        /// Where it was set: a file and line, a variable, the builder.
        origin: String,
    },

    /// A cache directory that must not be used.
    #[error("cache directory {}: {problem}", .path.display())]
    CacheDir {
        /// The directory.
        #[serde(with = "wire::path")]
        path: PathBuf,
        /// Why, with the command that mends it.
        problem: String,
    },

    /// What was asked for names no entry of the cache, or several.
    #[error("{problem}{}", listed(.candidates))]
    Entry {
        /// What was asked for: a signature, its beginning, or a kernel.
        query: String,
        /// What is wrong and what to write instead.
        problem: String,
        /// The entries that it names, or the nearest names that there are.
        candidates: Vec<String>,
    },

    /// A file of the cache that is not what it should be.
    #[error("{}: {problem}", .path.display())]
    Damaged {
        /// The file.
        #[serde(with = "wire::path")]
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },

    /// The operating system refused.
    #[error("{action} {}: {message}", .path.display())]
    Io {
        /// What was tried (`cannot create`, ..).
        action: String,
        /// On which path.
        #[serde(with = "wire::path")]
        path: PathBuf,
        /// The kind, for programs.
        #[serde(with = "wire::io_kind")]
        kind: std::io::ErrorKind,
        /// The system's own text.
        message: String,
    },

    /// Ranks that load kernels together are out of step, or one of them is gone.
    #[error("{problem}")]
    Communication {
        /// Which rank, doing what for which kernels, and what to do about it.
        problem: String,
    },

    /// Several kernels of one batch failed; this is the first in the order of the request.
    #[error("{first}\n({others} more of this batch failed too)")]
    Batch {
        /// The first failure.
        #[serde(with = "wire::shared")]
        first: Arc<Error>,
        /// How many more there were.
        others: usize,
    },

    /// In a collective load another rank, or this one, failed: every rank gets this same error.
    #[error("rank {rank}: {error}")]
    Rank {
        /// The rank that failed.
        rank: usize,
        /// What happened there.
        #[serde(with = "wire::shared")]
        error: Arc<Error>,
    },

    /// A configuration failed.
    #[error("configure: {problem}")]
    Configure {
        /// Which module, which question, and why.
        problem: String,
        /// All that helps to find the cause, in at most 40 lines; for [`Error::report`].
        card: String,
    },

    /// The ranks of a collective call do not ask for the same.
    #[error("the ranks do not ask for the same: {problem}")]
    Mismatch {
        /// Which rank asks for what, beginning with the first difference, and what to do about it.
        problem: String,
    },
}

/// A kernel that a [sealed](crate::JitBuilder::sealed) program asked for and that is nowhere.
///
/// ```no_run
/// # fn f(error: dijitso::Error) {
/// if let dijitso::Error::Sealed { missing, .. } = error {
///     for kernel in missing {
///         println!("{} [{}]: {}", kernel.kernel, kernel.signature.short(), kernel.reason);
///     }
/// }
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct MissingKernel {
    /// Name and arguments, with the place of the generator.
    pub kernel: String,
    /// Of its spec: [`KernelSpec::signature`](crate::KernelSpec::signature).
    pub signature: Signature,
    /// Why no cache has it, each with its reason.
    pub reason: String,
}

impl Error {
    /// The message with everything known about the failure, ready to print.
    ///
    /// ```
    /// let error = dijitso::Jit::builder().cxx("/no/such/compiler").cache_dir("/proc/nowhere").build().err();
    /// if let Some(error) = error {
    ///     eprintln!("{}", error.report());
    /// }
    /// ```
    pub fn report(&self) -> String {
        let mut text = format!("error: {self}\n");
        if let Error::Compile { command, .. } | Error::Link { command, .. } = self.innermost() {
            let _ = writeln!(text, "command: {command}");
        }
        if let Error::Configure { card, .. } = self.innermost() {
            text.push_str(card);
        }
        text
    }

    /// What happened, without which rank it happened on and how much else did.
    fn innermost(&self) -> &Error {
        match self {
            Error::Batch { first: error, .. } | Error::Rank { error, .. } => error.innermost(),
            other => other,
        }
    }

    pub(crate) fn io(action: &str, path: &Path, error: &std::io::Error) -> Error {
        Error::Io {
            action: action.to_owned(),
            path: path.to_owned(),
            kind: error.kind(),
            message: error.to_string(),
        }
    }
}

/// `1.5 s`, `320 ms`: durations as messages show them.
pub(crate) fn human(duration: Duration) -> String {
    if duration.as_secs_f64() >= 1.0 {
        format!("{:.1} s", duration.as_secs_f64())
    } else {
        format!("{} ms", duration.as_millis())
    }
}

fn bundle_hint(bundle: &Option<PathBuf>) -> String {
    match bundle {
        Some(path) => format!("\nsources, log and a script that repeats this: {}", path.display()),
        None => String::new(),
    }
}

fn log_hint(log: &str) -> String {
    if log.trim().is_empty() { String::new() } else { format!("\nit had printed:\n{log}") }
}

fn symbols_hint(undefined: &[String]) -> String {
    if undefined.is_empty() {
        return String::new();
    }
    format!(
        "\nnobody defines {}; define it in the source, or name its library with `.link(..)` or its kernel with `.depends_on(..)`",
        undefined.join(", ")
    )
}

fn sealed_text(missing: &[MissingKernel], searched: &[String]) -> String {
    let are =
        if missing.len() == 1 { "1 kernel is".to_owned() } else { format!("{} kernels are", missing.len()) };
    let mut text = format!("this program is sealed (it must not compile), and {are} missing:");
    for MissingKernel { kernel, signature, reason } in missing {
        let _ = write!(text, "\n  {kernel} [{}]: {reason}", signature.short());
    }
    text.push_str("\nlooked for in:");
    for place in searched {
        let _ = write!(text, "\n  {place}");
    }
    text.push_str(
        "\nprebuild them in build.rs, or export them with `Jit::export` where there is a compiler and name the result \
         in `.site_cache(..)` or DIJITSO_SITE_CACHE",
    );
    text
}

fn candidates_hint(candidates: &[(String, String)]) -> String {
    let mut text = String::from("; tried:");
    for (name, reason) in candidates {
        let _ = write!(text, "\n  {name}: {reason}");
    }
    text.push_str("\ninstall g++ or clang++, or set CXX to your compiler");
    text
}

fn listed(candidates: &[String]) -> String {
    candidates.iter().map(|candidate| format!("\n  {candidate}")).collect()
}

fn or_nothing(exports: &[String]) -> String {
    if exports.is_empty() { "nothing".to_owned() } else { exports.join(", ") }
}
