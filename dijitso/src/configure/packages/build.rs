//! Packages that are built here: from a tarball with a digest, by their own build system, into a prefix of their own.

use super::work::{PATIENCE, Work};
use crate::config::origin::Origin;
use crate::configure::{Cx, Failed};
use crate::probe::Settings;
use crate::signature::Signature;

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
    pub(super) name: String,
    pub(super) location: String,
    pub(super) sha256: String,
    pub(super) with: BuildWith,
    pub(super) arguments: Vec<String>,
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

    /// Without a tarball of its own: options name it (`--download-x=PATH`, `--download-x-sha256=..`), see
    /// [`Candidates::of_download`](super::Candidates::of_download).
    ///
    /// ```
    /// use dijitso::configure::{BuildWith, Recipe};
    /// let recipe = Recipe::without_tarball("x", BuildWith::Autotools).argument("--disable-nls");
    /// ```
    pub fn without_tarball(name: impl Into<String>, with: BuildWith) -> Recipe {
        Recipe::new(name, "", "", with)
    }

    /// The same with another tarball.
    pub(super) fn from(mut self, location: &str, sha256: &str) -> Recipe {
        (self.location, self.sha256) = (location.to_owned(), sha256.to_owned());
        self
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

/// Builds a package unless it was built before with the same tarball, arguments and compilers.
pub(in crate::configure) fn build(cx: &Cx<'_>, recipe: &Recipe, jobs: usize) -> Result<Settings, Failed> {
    let work = built(cx, recipe, jobs)?;
    let fs = &cx.probes().session().fs;
    let mut settings = Settings::new();
    let include = work.prefix.join("include");
    if fs.exists(&include) {
        settings = settings.include_dir(include);
    }
    for name in ["lib", "lib64"] {
        let dir = work.prefix.join(name);
        if fs.exists(&dir) {
            settings = settings.lib_dir(&dir).link_flag(format!("-Wl,-rpath,{}", dir.display()));
        }
    }
    Ok(settings.asked_by(origin(recipe, &work)))
}

pub(super) fn origin(recipe: &Recipe, work: &Work<'_>) -> Origin {
    Origin::Module(format!("package {} built in {}", recipe.name, work.prefix.display()))
}

/// What is installed.
pub(super) fn built<'a>(cx: &'a Cx<'_>, recipe: &'a Recipe, jobs: usize) -> Result<Work<'a>, Failed> {
    let Some(dir) = cx.dir() else {
        let where_to = "name a directory with `Configure::dir`, or `dijitso configure --dir`";
        return Err(cx.fail(format!("{} is to be built, and nobody says where; {where_to}", recipe.name)));
    };
    if recipe.location.is_empty() {
        return Err(cx.fail(format!("{} is to be built, and nobody names its tarball", recipe.name)));
    }
    let wanted = Signature::from_hex(&recipe.sha256.to_ascii_lowercase()).ok_or_else(|| {
        cx.fail(format!(
            "the SHA-256 of {} is not of 64 digits: `{}`; `sha256sum` tells that of a file whose source you trust",
            recipe.name, recipe.sha256
        ))
    })?;
    let work = Work::new(cx, recipe, dir, jobs)?;
    if !work.is_installed() {
        work.run(&wanted, PATIENCE).map_err(|problem| {
            cx.fail(format!(
                "{} cannot be built: {problem}\nthe log is {}; the next run goes on where this one failed",
                recipe.name,
                work.log.display()
            ))
        })?;
    }
    cx.note(format!("{} is built in {}", recipe.name, work.prefix.display()));
    Ok(work)
}
