//! Packages that are built here: from a tarball with a digest, by their own build system, into a prefix of their own.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::configure::{Cx, Failed};
use crate::fs::Fs;
use crate::probe::{Language, Settings};
use crate::process::{Command, Status};
use crate::signature::{Signature, Signer};
use crate::toolchain::which;

/// How to build a package.
///
/// BuildSystem: `config.package.GNUPackage` and `CMakePackage` with `--download-x`.
///
/// ```no_run
/// use dijitso::configure::{BuildWith, Cx, Failed, Recipe};
///
/// fn configure(cx: &Cx<'_>) -> Result<(), Failed> {
///     let sha256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
///     let recipe = Recipe::new("metis", "https://example.org/metis-5.1.tar.gz", sha256, BuildWith::CMake);
///     let settings = cx.build(&recipe.argument("-DSHARED=ON"))?.lib("metis");
///     cx.settings(None, &settings);
///     Ok(())
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct Recipe {
    name: String,
    location: String,
    sha256: String,
    with: BuildWith,
    arguments: Vec<String>,
}

/// A package's own build system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum BuildWith {
    /// `cmake`, then what it generates.
    CMake,
    /// `./configure`, `make`, `make install`.
    Autotools,
}

impl Recipe {
    /// A tarball (`.tar` or `.tar.gz`) by its path or URL, and the SHA-256 that it must have, in 64 digits.
    ///
    /// ```
    /// use dijitso::configure::{BuildWith, Recipe};
    /// let recipe = Recipe::new("x", "/src/x-1.0.tar.gz", "00".repeat(32), BuildWith::Autotools);
    /// ```
    pub fn new(
        name: impl Into<String>,
        location: impl Into<String>,
        sha256: impl Into<String>,
        with: BuildWith,
    ) -> Recipe {
        let (name, location, sha256) = (name.into(), location.into(), sha256.into());
        Recipe { name, location, sha256, with, arguments: Vec::new() }
    }

    /// An argument for `cmake` or `./configure`.
    ///
    /// ```
    /// use dijitso::configure::{BuildWith, Recipe};
    /// let recipe = Recipe::new("x", "/src/x-1.0.tar", "00".repeat(32), BuildWith::Autotools).argument("--disable-nls");
    /// ```
    pub fn argument(mut self, argument: impl Into<String>) -> Recipe {
        self.arguments.push(argument.into());
        self
    }
}

/// The whole of a build system may take so long.
const PATIENCE: Duration = Duration::from_secs(4 * 3600);
/// No tarball is larger.
const LARGEST: u64 = 8 << 30;
/// Lines of the log that a failure shows.
const SHOWN: usize = 15;

/// Builds a package unless it was built before with the same tarball, arguments and compilers.
pub(in crate::configure) fn build(cx: &Cx<'_>, recipe: &Recipe, jobs: usize) -> Result<Settings, Failed> {
    let Some(dir) = cx.dir() else {
        return Err(cx.fail(format!("{} is to be built, and `Configure::dir` says nowhere", recipe.name)));
    };
    let wanted = Signature::from_hex(&recipe.sha256.to_ascii_lowercase()).ok_or_else(|| {
        cx.fail(format!("the SHA-256 of {} is not of 64 digits: `{}`", recipe.name, recipe.sha256))
    })?;
    let session = cx.probes().session();
    let work = Work::new(cx, recipe, dir, jobs)?;
    let fs = &session.fs;
    if !fs.exists(&work.prefix.join(Work::INSTALLED)) {
        work.run(fs, &wanted).map_err(|problem| {
            cx.fail(format!(
                "{} cannot be built: {problem}\nthe log is {}; a repaired machine goes on where it failed",
                recipe.name,
                work.log.display()
            ))
        })?;
    }
    cx.note(format!("{} is built in {}", recipe.name, work.prefix.display()));
    Ok(work.settings(fs))
}

struct Work<'a> {
    recipe: &'a Recipe,
    /// Words of the C and C++ compilers, and their flags.
    compilers: Vec<(Language, Vec<String>, Vec<String>)>,
    root: PathBuf,
    source: PathBuf,
    prefix: PathBuf,
    log: PathBuf,
    jobs: usize,
    path: std::ffi::OsString,
    counters: &'a crate::stats::Counters,
}

impl<'a> Work<'a> {
    const INSTALLED: &'static str = ".dijitso-installed";

    fn new(cx: &'a Cx<'_>, recipe: &'a Recipe, dir: &Path, jobs: usize) -> Result<Work<'a>, Failed> {
        let session = cx.probes().session();
        let mut signer = Signer::quiet("dijitso package 1");
        signer.field("name", &recipe.name);
        signer.field("sha256", &recipe.sha256.to_ascii_lowercase());
        signer.field("with", &format!("{:?}", recipe.with));
        signer.field("arguments", &recipe.arguments);
        let mut compilers = Vec::new();
        for language in [Language::C, Language::Cxx] {
            let compiler = session.compiler(language).map_err(|reason| cx.fail(reason.to_string()))?;
            signer.field(language.name(), &compiler.toolchain.identity());
            let flags: Vec<String> = compiler.flags.compile_words().map(|flag| flag.text).collect();
            signer.field("flags", &flags);
            compilers.push((language, compiler.toolchain.words().to_vec(), flags));
        }
        let key = signer.finish().short();
        let dir = std::path::absolute(dir).unwrap_or_else(|_| dir.to_owned());
        let root = dir.join("packages").join(format!("{}-{key}", recipe.name));
        Ok(Work {
            recipe,
            compilers,
            source: root.join("source"),
            prefix: root.join("prefix"),
            log: root.join("build.log"),
            root,
            jobs,
            path: session.config.path.clone().unwrap_or_default(),
            counters: &session.counters,
        })
    }

    /// Each step once: what a killed or failed run has finished is not done again.
    fn run(&self, fs: &Fs, wanted: &Signature) -> Result<(), String> {
        let io = |error: std::io::Error| error.to_string();
        fs.create_dir_all_public(&self.root).map_err(io)?;
        self.step(fs, "extracted", |work| work.extract(fs, wanted))?;
        let dir = self.top(fs);
        let (configure, make, install) = self.commands(fs, &dir)?;
        self.step(fs, "configured", |work| work.call(fs, configure))?;
        self.step(fs, "built", |work| work.call(fs, make))?;
        self.call(fs, install)?;
        fs.write(&self.prefix.join(Work::INSTALLED), b"").map_err(io)
    }

    fn step(&self, fs: &Fs, name: &str, run: impl FnOnce(&Self) -> Result<(), String>) -> Result<(), String> {
        let mark = self.root.join(name);
        if fs.exists(&mark) {
            return Ok(());
        }
        run(self)?;
        fs.write(&mark, b"").map_err(|error| error.to_string())
    }

    fn extract(&self, fs: &Fs, wanted: &Signature) -> Result<(), String> {
        let tarball = self.fetch(fs)?;
        let found =
            fs.digest(&tarball).map_err(|error| format!("cannot read {}: {error}", tarball.display()))?;
        if found != *wanted {
            return Err(format!(
                "{} has the SHA-256 {found}, and must have {wanted}: it is not what the recipe means",
                tarball.display()
            ));
        }
        fs.remove_tree(&self.source).map_err(|error| error.to_string())?;
        fs.create_dir_all_public(&self.source).map_err(|error| error.to_string())?;
        let reader = fs.open(&tarball).map_err(|error| error.to_string())?.into_reader();
        let is_plain = tarball.extension().is_some_and(|end| end == "tar");
        let reader: Box<dyn Read> =
            if is_plain { Box::new(reader) } else { Box::new(flate2::read::GzDecoder::new(reader)) };
        // What would leave the directory is passed over.
        let mut archive = tar::Archive::new(reader.take(LARGEST));
        archive.unpack(&self.source).map_err(|error| format!("cannot unpack {}: {error}", tarball.display()))
    }

    /// The tarball as a file.
    fn fetch(&self, fs: &Fs) -> Result<PathBuf, String> {
        let location = &self.recipe.location;
        if let Some(path) = location.strip_prefix("file://") {
            return Ok(PathBuf::from(path));
        }
        if !location.contains("://") {
            return std::path::absolute(location)
                .map_err(|error| format!("`{location}` is no path: {error}"));
        }
        let name = location.rsplit('/').next().filter(|name| !name.is_empty()).unwrap_or("source.tar.gz");
        let target = self.root.join(name);
        let loaders: [(&str, &[&str]); 2] = [
            ("curl", &["--fail", "--location", "--silent", "--show-error", "--output"]),
            ("wget", &["-q", "-O"]),
        ];
        for (program, options) in loaders {
            let Ok(found) = which(program, &self.path, fs) else { continue };
            let command = Command::new(found.path, &self.root, PATIENCE).args(options.iter().copied());
            self.call(fs, command.arg(&target).arg(location))?;
            return Ok(target);
        }
        Err(format!("neither curl nor wget is there to fetch {location}"))
    }

    /// The directory in which the package is: the only one, mostly.
    fn top(&self, fs: &Fs) -> PathBuf {
        match &fs.list(&self.source).unwrap_or_default()[..] {
            [only] if fs.is_directory_itself(&self.source.join(only)) => self.source.join(only),
            _ => self.source.clone(),
        }
    }

    fn commands(&self, fs: &Fs, dir: &Path) -> Result<(Command, Command, Command), String> {
        let program = |name: &str| {
            let found = which(name, &self.path, fs).map_err(|why| format!("{name} is needed and {why}"))?;
            Ok::<Command, String>(Command::new(found.path, dir, PATIENCE))
        };
        let jobs = self.jobs.max(1).to_string();
        match self.recipe.with {
            BuildWith::Autotools => {
                let mut configure = Command::new(dir.join("configure"), dir, PATIENCE);
                configure = configure.arg(format!("--prefix={}", self.prefix.display()));
                for (language, words, flags) in &self.compilers {
                    configure = configure.arg(format!("{}={}", language.variable(), words.join(" ")));
                    if !flags.is_empty() {
                        configure =
                            configure.arg(format!("{}={}", language.flags_variable(), flags.join(" ")));
                    }
                }
                let configure = configure.args(&self.recipe.arguments);
                Ok((configure, program("make")?.arg(format!("-j{jobs}")), program("make")?.arg("install")))
            }
            BuildWith::CMake => {
                let build = self.root.join("cmake");
                let mut configure = program("cmake")?.arg("-S").arg(dir).arg("-B").arg(&build);
                configure = configure.arg(format!("-DCMAKE_INSTALL_PREFIX={}", self.prefix.display()));
                for (language, words, flags) in &self.compilers {
                    let name = if *language == Language::C { "C" } else { "CXX" };
                    configure = configure.arg(format!("-DCMAKE_{name}_COMPILER={}", words.join(";")));
                    if !flags.is_empty() {
                        configure = configure.arg(format!("-DCMAKE_{name}_FLAGS={}", flags.join(" ")));
                    }
                }
                let configure = configure.args(&self.recipe.arguments);
                let make = program("cmake")?.arg("--build").arg(&build).args(["--parallel", &jobs]);
                Ok((configure, make, program("cmake")?.arg("--install").arg(&build)))
            }
        }
    }

    /// Runs a command, and adds what it says to the log.
    fn call(&self, fs: &Fs, command: Command) -> Result<(), String> {
        let running =
            command.spawn(self.counters).map_err(|error| format!("cannot start `{command}`: {error}"))?;
        let output = running.into_output();
        let said = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
        let known = fs.read(&self.log).unwrap_or_default();
        let entry = format!("$ {command}\n");
        let _ = fs.write(&self.log, &[&known, entry.as_bytes(), &said].concat());
        match output.status {
            Status::Exited(0) => Ok(()),
            status => {
                let text = String::from_utf8_lossy(&said).into_owned();
                let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
                let last = &lines[lines.len().saturating_sub(SHOWN)..];
                Err(format!("`{command}` {}:\n{}", status.describe(), last.join("\n")))
            }
        }
    }

    fn settings(&self, fs: &Fs) -> Settings {
        let mut settings = Settings::new();
        let include = self.prefix.join("include");
        if fs.exists(&include) {
            settings = settings.include_dir(include);
        }
        for name in ["lib", "lib64"] {
            let dir = self.prefix.join(name);
            if fs.exists(&dir) {
                settings = settings.lib_dir(&dir).link_flag(format!("-Wl,-rpath,{}", dir.display()));
            }
        }
        let origin = crate::config::origin::Origin::Module(format!(
            "package {} built in {}",
            self.recipe.name,
            self.prefix.display()
        ));
        settings.asked_by(origin)
    }
}
