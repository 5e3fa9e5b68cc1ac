//! What cargo makes of crates with prebuilt kernels, built as a user would build them.
//!
//! The copies share a target directory and a profile, so that dijitso itself is compiled once for all of them; their
//! places are fixed for the same reason. Cargo lets one of them build at a time.

mod configured;
mod consumer;
mod mpi;
mod publish;
mod small;
mod workspace;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::SystemTime;

use crate::harness::{Shim, files, install};
use dijitso_tests::protocol::{ShimMode, ShimStep};

/// Without debug information for dependencies. Said to be so, it is the same for the program and its build script, so
/// that they share them; and for `build` and `check`, so that these share the build script and its kernels.
const PROFILE: &str = "profile.dev.package.'*'.debug = false";

/// A package or workspace on disk.
struct Package {
    dir: PathBuf,
    shim: Shim,
    _elsewhere: Option<tempfile::TempDir>,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

fn fresh(name: &str) -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_dir_all(&dir);
    std::fs::create_dir_all(&dir).unwrap();
    dir
}

impl Package {
    fn empty(name: &str) -> Package {
        Package::at(fresh(name), name, None)
    }

    /// Outside of this workspace, whose version cargo gives to a package that inherits it from a nearer one.
    fn elsewhere(name: &str) -> Package {
        let dir = tempfile::tempdir().unwrap();
        Package::at(dir.path().canonicalize().unwrap(), name, Some(dir))
    }

    fn at(dir: PathBuf, name: &str, elsewhere: Option<tempfile::TempDir>) -> Package {
        let shims = fresh(&format!("{name}.shims"));
        install(crate::harness::SHIM.as_ref(), &shims.join("c++"));
        let shim = Shim::at(shims.join("c++"));
        shim.set(ShimMode::Pass, ShimStep::Compile);
        // The versions that everything else here is tested with, and no look at any registry.
        std::fs::copy(root().join("Cargo.lock"), dir.join("Cargo.lock")).unwrap();
        Package { dir, shim, _elsewhere: elsewhere }
    }

    /// A copy of `tests/consumer`.
    fn consumer(name: &str) -> Package {
        let package = Package::empty(name);
        package.add_consumer("");
        package
    }

    fn add_consumer(&self, below: &str) {
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("consumer");
        for file in files(&from) {
            let name = file.strip_prefix(&from).unwrap();
            if name.starts_with("target") || name == Path::new("Cargo.lock") {
                continue;
            }
            let text = std::fs::read_to_string(&file).unwrap();
            self.write(&format!("{below}{}", name.display()), &text.replace("../../dijitso", &dijitso()));
        }
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.dir.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn edit(&self, name: &str, from: &str, to: &str) {
        let path = self.dir.join(name);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{name}: {from}");
        // Cargo compares times, and the clock of the file system ticks slowly.
        std::thread::sleep(std::time::Duration::from_millis(20));
        std::fs::write(path, text.replace(from, to)).unwrap();
    }

    /// Cargo, with these words before those for the program.
    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO"));
        let (words, program) = words.split_at(words.iter().position(|w| *w == "--").unwrap_or(words.len()));
        command.current_dir(&self.dir).args(words).args(["--offline", "--config", PROFILE]).args(program);
        command.env("CARGO_TARGET_DIR", target()).env("CXX", self.shim.word());
        command.env("DIJITSO_CACHE_DIR", target().join("cache")).env("DIJITSO_CONFIG", "/dev/null");
        for variable in [
            "CXXFLAGS",
            "CFLAGS",
            "CARGO_BUILD_TARGET",
            "CPATH",
            "RUSTFLAGS",
            "CARGO_ENCODED_RUSTFLAGS",
            "RUST_BACKTRACE",
            // Kernels have debug information as users' have.
            "CARGO_PROFILE_DEV_DEBUG",
            "CARGO_INCREMENTAL",
        ] {
            command.env_remove(variable);
        }
        command
    }

    fn cargo(&self, words: &[&str]) -> Output {
        self.command(words).output().unwrap()
    }

    /// Must succeed; what it said, and how many kernels it compiled.
    fn ok(&self, words: &[&str]) -> (String, usize) {
        let before = self.compiled();
        let output = self.cargo(words);
        assert!(output.status.success(), "{words:?}\n{}", text(&output));
        (text(&output), self.compiled() - before)
    }

    /// The numbers of compiles of these commands, each of which must succeed.
    fn compiles<const N: usize>(&self, commands: [&[&str]; N]) -> [usize; N] {
        commands.map(|words| self.ok(words).1)
    }

    /// Kernels, without the questions of the `cc` crate whether the compiler knows a flag.
    fn compiled(&self) -> usize {
        let kernel = |call: &Vec<String>| call.iter().any(|word| word == "unit.o");
        self.shim.compiles().into_iter().filter(kernel).count()
    }

    fn fails(&self, words: &[&str]) -> String {
        let output = self.cargo(words);
        assert!(!output.status.success(), "{words:?}\n{}", text(&output));
        text(&output)
    }
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

fn dijitso() -> String {
    root().join("dijitso").display().to_string()
}

fn target() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("consumers")
}

/// What a program prints where there is no compiler: no variable is set but these.
fn without_compiler(program: &str, words: &[&str]) -> Vec<String> {
    let output = Command::new(target().join(program))
        .args(words)
        .env_clear()
        .env("PATH", "/nowhere")
        .env("DIJITSO_CACHE_DIR", target().join("no-cache"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", text(&output));
    String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect()
}

fn modified(path: &Path) -> SystemTime {
    path.metadata().unwrap().modified().unwrap()
}

/// The newest output directory of a package's build script, of those for the host or for another target.
fn out_dir(below: &str, package: &str) -> PathBuf {
    let build = target().join(below).join("debug/build");
    let dirs = std::fs::read_dir(build).unwrap().flatten().map(|entry| entry.path().join("out"));
    let ours = |dir: &PathBuf| {
        let name = dir.parent().unwrap().file_name().unwrap().to_string_lossy().into_owned();
        name.strip_prefix(package).is_some_and(|rest| rest.len() == 16)
            && dir.join("dijitso_prebuilt.rs").exists()
    };
    dirs.filter(ours)
        .max_by_key(|dir| modified(&dir.parent().unwrap().join("output")))
        .expect("an output directory")
}

fn archive(out: &Path) -> PathBuf {
    files(out).into_iter().find(|path| path.extension().is_some_and(|e| e == "a")).expect("an archive")
}
