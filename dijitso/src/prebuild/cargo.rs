//! What cargo tells a build script, and what a build script tells cargo.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::config::env::COMPILER_VARIABLES;
use crate::error::{Error, Result};
use crate::fs::Fs;
use crate::signature::Signer;

/// The build that runs this script.
#[derive(Debug)]
pub(super) struct Cargo {
    pub(super) fs: Fs,
    pub(super) target: String,
    /// Machine and name of the build's own files: everything is below.
    pub(super) out_dir: PathBuf,
    pub(super) package: String,
    pub(super) version: String,
    /// What the caller calls the archive.
    pub(super) name: String,
    /// How many compilers may run if there is no jobserver that says it.
    pub(super) jobs: usize,
    pub(super) optimizes: bool,
    /// Where the compiler and its tools are looked for.
    pub(super) path: Option<OsString>,
    /// Variables that compilers read, as they are set here.
    pub(super) compiler_environment: Vec<(String, OsString)>,
    host: String,
    manifest_dir: Option<PathBuf>,
    /// Lines for cargo, for when the script succeeds.
    told: Mutex<String>,
}

/// Variables that the `cc` crate reads for a target, each alone and with the target's or host's name.
const OF_TARGET: [&str; 8] =
    ["CXX", "CXXFLAGS", "CC", "CFLAGS", "AR", "ARFLAGS", "CXXSTDLIB", "CROSS_COMPILE"];
const OF_CC: [&str; 3] = ["CRATE_CC_NO_DEFAULTS", "CC_SHELL_ESCAPED_FLAGS", "CC_KNOWN_WRAPPER_CUSTOM"];

static CALLED: AtomicBool = AtomicBool::new(false);

/// The one place outside of `config` that reads variables: those that cargo sets for build scripts.
#[allow(clippy::disallowed_methods)]
fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name)
}

impl Cargo {
    pub(super) fn of_build_script(name: &str) -> Result<Cargo> {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
        if name.is_empty() || name.len() > 100 || !name.chars().all(plain) || name.starts_with('-') {
            return Err(misused(&format!(
                "`compile({name:?})`: the archive's name has letters, digits, `_` and `-` only, and at most 100"
            )));
        }
        let needed = |name: &str| {
            let value = variable(name).and_then(|value| value.into_string().ok());
            value.ok_or_else(|| {
                misused(&format!(
                    "{name} is not set: prebuild() is for build.rs, which cargo runs with {name} and others set; \
                     elsewhere use `Jit::builder()`"
                ))
            })
        };
        let out_dir = PathBuf::from(needed("OUT_DIR")?);
        if CALLED.swap(true, Ordering::Relaxed) {
            return Err(misused(
                "`compile` was called twice in one build script; give all kernels to one prebuild(), what differs \
                 in flags can say so with `Source::flag`",
            ));
        }
        let counters = std::sync::Arc::default();
        Ok(Cargo {
            fs: Fs::new(counters),
            target: needed("TARGET")?,
            host: needed("HOST")?,
            told: Mutex::default(),
            manifest_dir: variable("CARGO_MANIFEST_DIR").map(PathBuf::from),
            out_dir,
            package: needed("CARGO_PKG_NAME")?,
            version: needed("CARGO_PKG_VERSION")?,
            name: name.to_owned(),
            jobs: needed("NUM_JOBS").ok().and_then(|jobs| jobs.parse().ok()).unwrap_or(1),
            optimizes: needed("OPT_LEVEL")? != "0",
            path: variable("PATH"),
            compiler_environment: COMPILER_VARIABLES
                .iter()
                .filter_map(|name| Some(((*name).to_owned(), variable(name)?)))
                .collect(),
        })
    }

    /// The archive's name for the linker. Several crates of one program may choose the same name, and the linker
    /// searches all their directories.
    pub(super) fn library(&self) -> String {
        let mut signer = Signer::quiet("dijitso prebuilt archive");
        signer.field("package", &self.package);
        signer.field("version", &self.version);
        signer.field("name", &self.name);
        format!("{}-{}", self.name, &signer.finish().to_hex()[..8])
    }

    /// Where sources, objects and what is known about them are kept.
    pub(super) fn shelf(&self) -> PathBuf {
        self.out_dir.join(format!("{}.kernels", self.name))
    }

    /// A variable of the `cc` crate, for this target.
    pub(super) fn for_target(&self, name: &str) -> Option<String> {
        self.forms(name).iter().find_map(|form| variable(form)?.into_string().ok())
    }

    /// The form in which a variable of the `cc` crate is set, for messages.
    pub(super) fn set_form(&self, name: &str) -> String {
        let set = self.forms(name).into_iter().find(|form| variable(form).is_some());
        set.unwrap_or_else(|| name.to_owned())
    }

    fn forms(&self, name: &str) -> [String; 4] {
        let kind = if self.host == self.target { "HOST" } else { "TARGET" };
        [
            format!("{name}_{}", self.target),
            format!("{name}_{}", self.target.replace(['-', '.'], "_")),
            format!("{kind}_{name}"),
            name.to_owned(),
        ]
    }

    pub(super) fn is_cross(&self) -> bool {
        self.host != self.target
    }

    /// An attempt that failed left nothing behind.
    pub(super) fn may_try_again(&self) {
        CALLED.store(false, Ordering::Relaxed);
    }

    /// Everything that may decide what is compiled, beside files.
    pub(super) fn rerun_for_environment(&self) {
        let of_target = OF_TARGET.iter().flat_map(|name| self.forms(name));
        let others = OF_CC.iter().chain(&COMPILER_VARIABLES).map(|name| (*name).to_owned());
        for name in of_target.chain(others) {
            self.tell(format_args!("rerun-if-env-changed={name}"));
        }
    }

    /// The script runs again when one of these changes; of a directory, when anything below it does.
    pub(super) fn rerun_for_files<'a>(&self, files: impl IntoIterator<Item = &'a PathBuf>) {
        // What is in the output directory was written by this script, after cargo looked at its watch.
        for file in files.into_iter().filter(|file| !file.starts_with(&self.out_dir)) {
            self.tell(format_args!("rerun-if-changed={}", file.display()));
        }
    }

    pub(super) fn search_dir(&self, dir: &Path) {
        self.tell(format_args!("rustc-link-search=native={}", dir.display()));
    }

    /// Whether builds write into a directory, or below: then watching it would never come to rest.
    pub(super) fn holds_builds(&self, dir: &Path) -> bool {
        let package = self.manifest_dir.as_ref().is_some_and(|package| package.starts_with(dir));
        package || self.out_dir.starts_with(dir) || dir.starts_with(&self.out_dir)
    }

    fn tell(&self, line: std::fmt::Arguments<'_>) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = writeln!(told, "cargo::{line}");
    }

    /// What cargo is to be told if the script goes on. A script that fails is run again in any case, and of one
    /// that fails cargo shows every line, hundreds of headers before the compiler's first word.
    pub(super) fn told(&self) -> String {
        std::mem::take(&mut *self.told.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Makes a file what it should be. One that is so already keeps its time: whatever depends on it stays as it is.
    pub(super) fn write(&self, path: &Path, bytes: &[u8]) -> Result<()> {
        if self.fs.read(path).is_ok_and(|now| now == bytes) {
            return Ok(());
        }
        let written = match path.parent() {
            Some(dir) => self.fs.create_dir_all_private(dir),
            None => Ok(()),
        };
        let tmp = self.shelf().join("tmp");
        written
            .and_then(|()| self.fs.replace(&tmp, path, bytes))
            .map_err(|error| Error::io("cannot write", path, &error))
    }
}

/// The build script does something that cannot be.
pub(super) fn misused(problem: &str) -> Error {
    Error::Config { problem: problem.to_owned(), origin: "build.rs".to_owned() }
}

/// Says what failed, as cargo's users know it, and ends the build script. A panic would put its own message and
/// perhaps a backtrace in front of the compiler's.
pub(super) fn fail(errors: &[Error]) -> ! {
    for error in errors {
        let (text, summary) = report(error);
        eprintln!("{text}\n");
        println!("cargo::error={}", summary.split_whitespace().collect::<Vec<_>>().join(" "));
    }
    std::process::exit(1)
}

fn report(error: &Error) -> (String, String) {
    let (log, summary) = match error {
        Error::Compile { kernel, log, .. } => (log, format!("kernel {kernel} does not compile")),
        Error::Link { kernel, log, .. } => (log, format!("kernel {kernel} cannot be linked into a program")),
        other => return (format!("error: {other}"), other.to_string()),
    };
    let hint = error.to_string();
    // What follows the log, which may be empty.
    let hint = match log.trim().is_empty() {
        true => "",
        false => hint.split_once(log.as_str()).map_or("", |(_, hint)| hint.trim()),
    };
    let mut text = format!("{}\nerror: {summary}", log.trim_end());
    if !hint.is_empty() {
        let _ = write!(text, "\n{hint}");
    }
    (text, summary)
}
