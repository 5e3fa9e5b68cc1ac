//! What every test needs: a place of its own, a client to run, a compiler that misbehaves, and the
//! decision what to do where something is missing.

use std::ffi::OsStr;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use dijitso::{Jit, JitBuilder};
use dijitso_tests::protocol::{Outcome, ShimConfig, ShimMode, ShimStep};

pub(crate) const CLIENT: &str = env!("CARGO_BIN_EXE_client");
pub(crate) const SHIM: &str = env!("CARGO_BIN_EXE_shim");

/// A private directory for one test, removed at its end.
pub(crate) struct Place {
    dir: tempfile::TempDir,
}

impl Place {
    pub(crate) fn new() -> Place {
        Place { dir: tempfile::Builder::new().prefix("dijitso-test-").tempdir().unwrap() }
    }

    pub(crate) fn root(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Writes a file below the place, with its directories.
    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }

    /// The cache directory of the place's builders and clients.
    pub(crate) fn cache(&self) -> PathBuf {
        self.path("cache")
    }

    pub(crate) fn builder(&self) -> JitBuilder {
        Jit::builder().cache_dir(self.cache())
    }

    pub(crate) fn jit(&self) -> Jit {
        self.builder().build().unwrap_or_else(|e| panic!("{}", e.report()))
    }

    /// A client with these arguments, on the place's cache.
    pub(crate) fn client<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Client {
        Client::new(CLIENT, &self.cache()).args(args)
    }

    /// A compiler of its own, which starts as an honest one.
    pub(crate) fn shim(&self) -> Shim {
        self.shim_named("c++")
    }

    pub(crate) fn shim_named(&self, name: &str) -> Shim {
        let path = self.path("shims").join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        install_small(SHIM.as_ref(), &path);
        let shim = Shim { path };
        shim.set(ShimMode::Pass, ShimStep::Compile);
        shim
    }

    /// All entries of the place's cache, sorted.
    pub(crate) fn entries(&self) -> Vec<PathBuf> {
        let mut entries = files(&self.cache());
        entries.retain(|path| path.extension().is_some_and(|e| e == "so"));
        entries
    }
}

/// All files below a directory, sorted; none if there is no directory.
pub(crate) fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut dirs = vec![dir.to_owned()];
    while let Some(dir) = dirs.pop() {
        for entry in std::fs::read_dir(&dir).into_iter().flatten().flatten() {
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => dirs.push(entry.path()),
                _ => found.push(entry.path()),
            }
        }
    }
    found.sort();
    found
}

/// Copies all files below a directory to below another one.
pub(crate) fn copy(from: &Path, to: &Path) {
    for file in files(from) {
        let target = to.join(file.strip_prefix(from).unwrap());
        std::fs::create_dir_all(target.parent().unwrap()).unwrap();
        std::fs::copy(&file, target).unwrap();
    }
}

/// One run of the client program, or of another with its manners.
pub(crate) struct Client {
    command: Command,
}

impl Client {
    pub(crate) fn new(program: &str, cache: &Path) -> Client {
        let mut command = Command::new(program);
        command.env("DIJITSO_CACHE_DIR", cache).env("DIJITSO_CONFIG", "/dev/null").stdin(Stdio::null());
        // The machine's own settings must not decide tests; CXX may: it chooses the compiler under test.
        for variable in ["CXXFLAGS", "CFLAGS", "CPPFLAGS", "LDFLAGS", "CPATH", "LIBRARY_PATH"] {
            command.env_remove(variable);
        }
        Client { command }
    }

    pub(crate) fn args<S: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = S>) -> Client {
        self.command.args(args);
        self
    }

    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Client {
        self.command.env(name, value);
        self
    }

    pub(crate) fn without(mut self, name: &str) -> Client {
        self.command.env_remove(name);
        self
    }

    pub(crate) fn cwd(mut self, dir: &Path) -> Client {
        self.command.current_dir(dir);
        self
    }

    pub(crate) fn spawn(mut self) -> std::process::Child {
        self.command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// Runs it to its end; a client that dies fails the test.
    pub(crate) fn run(self) -> Ran {
        Ran::of(self.spawn().wait_with_output().unwrap())
    }

    /// Runs it to its end, which must be without error.
    pub(crate) fn ok(self) -> Ran {
        let ran = self.run();
        assert!(ran.outcome.error.is_none(), "{}\n{}", ran.outcome.error.unwrap_or_default(), ran.stderr);
        ran
    }
}

/// What a client left.
pub(crate) struct Ran {
    pub(crate) outcome: Outcome,
    pub(crate) stderr: String,
}

impl Ran {
    pub(crate) fn of(output: Output) -> Ran {
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        let stdout = String::from_utf8_lossy(&output.stdout);
        let signal = output.status.signal();
        assert!(output.status.success(), "client: {:?} (signal {signal:?})\n{stderr}", output.status);
        let last = stdout.lines().last().unwrap_or_default();
        let outcome = serde_json::from_str(last).unwrap_or_else(|e| panic!("{e}: {stdout}\n{stderr}"));
        Ran { outcome, stderr }
    }

    pub(crate) fn values(&self) -> Vec<f64> {
        self.outcome.kernels.iter().map(|kernel| kernel.value).collect()
    }

    pub(crate) fn error(&self) -> &str {
        self.outcome.error.as_deref().expect("an error")
    }

    pub(crate) fn warnings(&self) -> usize {
        self.stderr.lines().filter(|line| line.starts_with("WARN")).count()
    }

    /// A warm start: everything from disk; nothing generated, compiled or started.
    pub(crate) fn assert_warm(&self) {
        let stats = &self.outcome.stats;
        let work = (stats.generated, stats.compiled, stats.processes);
        assert_eq!(work, (0, 0, 0), "generated, compiled, processes; misses: {:?}", stats.misses);
    }
}

/// A copy of the fake compiler.
pub(crate) struct Shim {
    path: PathBuf,
}

impl Shim {
    /// One that is installed there.
    pub(crate) fn at(path: PathBuf) -> Shim {
        Shim { path }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// For `.cxx(..)` and `CXX`.
    pub(crate) fn word(&self) -> String {
        self.path.display().to_string()
    }

    pub(crate) fn set(&self, mode: ShimMode, on: ShimStep) {
        ShimConfig { real: real_compiler(), mode, on }.put(&self.path);
    }

    /// The arguments of every call so far.
    pub(crate) fn calls(&self) -> Vec<Vec<String>> {
        let log = std::fs::read_to_string(self.beside("log")).unwrap_or_default();
        log.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The calls that compile, and do not only ask how it would be done.
    pub(crate) fn compiles(&self) -> Vec<Vec<String>> {
        let has = |call: &[String], word: &str| call.iter().any(|w| w == word);
        self.calls().into_iter().filter(|call| has(call, "-c") && !has(call, "-###")).collect()
    }

    pub(crate) fn beside(&self, extension: &str) -> PathBuf {
        let mut path = self.path.clone().into_os_string();
        path.push(".");
        path.push(extension);
        path.into()
    }
}

/// The compiler behind the shims.
pub(crate) fn real_compiler() -> PathBuf {
    ["c++", "g++", "clang++"].iter().find_map(|name| which(name)).expect("a C++ compiler on PATH")
}

pub(crate) fn which(program: &str) -> Option<PathBuf> {
    let path = variable("PATH")?;
    std::env::split_paths(&path).map(|dir| dir.join(program)).find(|candidate| {
        candidate.metadata().is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0)
    })
}

#[allow(clippy::disallowed_methods)] // the tests' own variables
pub(crate) fn variable(name: &str) -> Option<std::ffi::OsString> {
    std::env::var_os(name)
}

/// Whether tests repeat themselves in full (`tests/soak/run`) or as far as a quarter of an hour allows.
pub(crate) fn soak() -> bool {
    variable("DIJITSO_SOAK").is_some()
}

/// Puts a copy of a program in a place, at once. A child process writes it: a file that this process has
/// open for writing, even only in a child that another thread is starting, cannot be executed.
pub(crate) fn install(program: &Path, path: &Path) {
    let new = path.with_extension("new");
    let copied = Command::new("cp").arg(program).arg(&new).status().unwrap();
    assert!(copied.success(), "cannot copy {}", program.display());
    set_mode(&new, 0o755);
    std::fs::rename(new, path).unwrap();
}

/// The same without what debuggers want, which is most of it: compilers are digested as a whole.
fn install_small(program: &Path, path: &Path) {
    let small = path.with_extension("small");
    let stripped = Command::new("strip").arg("-o").arg(&small).arg(program).status();
    if stripped.is_ok_and(|status| status.success()) {
        std::fs::rename(small, path).unwrap();
    } else {
        install(program, path);
    }
}

/// The same with a byte more at its end: it runs the same, and is another program.
pub(crate) fn install_changed(program: &Path, path: &Path) {
    let mut bytes = std::fs::read(program).unwrap();
    bytes.push(0);
    let data = path.with_extension("data");
    std::fs::write(&data, bytes).unwrap();
    install(&data, path);
    std::fs::remove_file(data).unwrap();
}

/// Says that a test cannot be run here; where everything must be there (`CI`), that is a failure.
pub(crate) fn skip(why: &str) {
    assert!(variable("CI").is_none(), "with CI set nothing may be skipped: {why}");
    eprintln!("skipped: {why}");
}

/// Says that the system does not permit what a test needs (mounting, other users): no fault of `CI`.
pub(crate) fn not_permitted(what: &str) {
    eprintln!("skipped: {what} is not permitted here");
}

/// The program, or a skip.
pub(crate) fn need(program: &str) -> Option<PathBuf> {
    let found = which(program);
    if found.is_none() {
        skip(&format!("{program} is not installed"));
    }
    found
}

/// Whether this is root, who can mount and become somebody else, but whom no mode stops.
pub(crate) fn root() -> bool {
    rustix::process::geteuid().is_root()
}

/// What becomes of a client that runs where a tmpfs is mounted over a directory, in a mount namespace of
/// its own; `None` where that is not permitted.
pub(crate) fn mounted(options: &str, dir: &Path, args: &[&str]) -> Option<Ran> {
    std::fs::create_dir_all(dir).unwrap();
    let script = "mount -t tmpfs -o \"$1\" dijitso-test \"$2\" || exit 77\nshift 2\nexec \"$@\"";
    let mut command = Command::new("unshare");
    command.arg(if root() { "-m" } else { "-Urm" }).args(["sh", "-c", script, "sh", options]).arg(dir);
    command
        .arg(CLIENT)
        .args(args)
        .env("DIJITSO_CACHE_DIR", dir.join("cache"))
        .env("DIJITSO_CONFIG", "/dev/null");
    let output = command.stdin(Stdio::null()).output().unwrap();
    if output.status.code() == Some(77) || output.status.code() == Some(1) && output.stdout.is_empty() {
        not_permitted("mounting a tmpfs");
        return None;
    }
    Some(Ran::of(output))
}

/// A client that runs as nobody, for whom modes hold; with a place of its own that nobody owns. `None`
/// where we are not root (and could just use modes ourselves) or `setpriv` is missing.
pub(crate) struct Nobody {
    pub(crate) place: Place,
    client: PathBuf,
}

pub(crate) const NOBODY: u32 = 65534;

impl Nobody {
    pub(crate) fn new() -> Option<Nobody> {
        if !root() {
            not_permitted("becoming another user");
            return None;
        }
        need("setpriv")?;
        let place = Place::new();
        let client = place.path("client");
        install(CLIENT.as_ref(), &client);
        own(place.root(), NOBODY);
        Some(Nobody { place, client })
    }

    pub(crate) fn client(&self, args: &[&str]) -> Client {
        let id = NOBODY.to_string();
        let client = Client::new("setpriv", &self.place.cache());
        client
            .args(["--reuid", &id, "--regid", &id, "--clear-groups"])
            .args([&self.client])
            .args(args)
            .env("HOME", self.place.root())
            .cwd(self.place.root())
    }
}

/// Gives a file or directory to a user.
pub(crate) fn own(path: &Path, user: u32) {
    std::os::unix::fs::chown(path, Some(user), Some(user)).unwrap();
}

pub(crate) fn set_mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}
