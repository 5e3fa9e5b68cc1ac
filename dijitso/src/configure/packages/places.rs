//! The options that packages have, and what is where they point to.

use std::path::{Path, PathBuf};

use crate::config::origin::Origin;
use crate::configure::options::{Auto, Download, Opt, Options};
use crate::configure::{Cx, Failed, OptionValue};
use crate::probe::Settings;

/// The options of a package x: `--with-x`, `--with-x-dir`, `--with-x-lib`, `--with-x-include`, `--download-x` and
/// `--download-x-sha256`. They are made by [`package_options!`](crate::package_options).
///
/// ```
/// use dijitso::configure::PackageOptions;
/// const METIS: PackageOptions = dijitso::package_options!("metis");
/// ```
#[derive(Debug)]
pub struct PackageOptions {
    #[doc(hidden)]
    pub name: &'static str,
    #[doc(hidden)]
    pub wanted: Opt<Auto>,
    #[doc(hidden)]
    pub dir: Opt<Option<PathBuf>>,
    #[doc(hidden)]
    pub lib: Opt<Vec<String>>,
    #[doc(hidden)]
    pub include: Opt<Vec<String>>,
    #[doc(hidden)]
    pub download: Opt<Download>,
    #[doc(hidden)]
    pub sha256: Opt<String>,
}

impl PackageOptions {
    /// Declares them, in [`Module::options`](crate::configure::Module::options).
    ///
    /// ```
    /// use dijitso::configure::{Options, PackageOptions};
    /// const METIS: PackageOptions = dijitso::package_options!("metis");
    /// fn options(options: &mut Options) {
    ///     METIS.add_to(options);
    /// }
    /// ```
    pub fn add_to(&self, options: &mut Options) {
        options.add(&self.wanted).add(&self.dir).add(&self.lib).add(&self.include);
        options.add(&self.download).add(&self.sha256);
    }
}

/// Libraries by their names.
pub(super) fn named(names: &[&str], origin: &Origin) -> Settings {
    names.iter().fold(Settings::new(), |settings, name| settings.lib(*name)).asked_by(origin.clone())
}

pub(super) fn dirs<T: OptionValue + IntoIterator<Item = String>>(
    cx: &Cx<'_>,
    option: &Opt<T>,
) -> Result<Settings, Failed> {
    let origin = cx.origin(option)?;
    let dirs = cx.get(option)?.into_iter();
    Ok(dirs.fold(Settings::new(), |settings, dir| settings.include_dir(dir)).asked_by(origin))
}

/// What an installation directory may have.
pub(super) fn below(dir: &Path, libs: &[&[&str]], origin: &Origin) -> Vec<(String, Settings)> {
    let there = |name: &str| Some(dir.join(name)).filter(|path| path.is_dir());
    // Debian's name for this machine's libraries.
    let multiarch = format!("lib/{}-linux-gnu", std::env::consts::ARCH);
    let lib_dirs: Vec<PathBuf> =
        ["lib", "lib64", &multiarch, "."].iter().filter_map(|name| there(name)).collect();
    let mut candidates = Vec::new();
    for lib_dir in lib_dirs {
        for names in libs {
            let has =
                |name: &&str| ["so", "a"].iter().any(|end| lib_dir.join(format!("lib{name}.{end}")).exists());
            if !names.iter().any(has) {
                continue;
            }
            let mut settings = Settings::new();
            if let Some(include) = there("include") {
                settings = settings.include_dir(include);
            }
            settings = settings.lib_dir(&lib_dir).link_flag(format!("-Wl,-rpath,{}", lib_dir.display()));
            let settings = settings.asked_by(origin.clone()).and(&named(names, origin));
            candidates.push((format!("{} ({})", lib_dir.display(), names.join(" ")), settings));
        }
    }
    candidates
}

/// The [options of a package](crate::configure::PackageOptions) by its name, as a constant.
///
/// ```
/// use dijitso::configure::PackageOptions;
/// const METIS: PackageOptions = dijitso::package_options!("metis");
/// ```
#[macro_export]
macro_rules! package_options {
    ($name:literal) => {
        $crate::configure::PackageOptions {
            name: $name,
            wanted: $crate::configure::Opt::auto(
                concat!("with-", $name),
                $crate::configure::Auto::Auto,
                concat!("use ", $name),
            ),
            dir: $crate::configure::Opt::dir(
                concat!("with-", $name, "-dir"),
                "",
                concat!("where ", $name, " is installed"),
            ),
            lib: $crate::configure::Opt::library(
                concat!("with-", $name, "-lib"),
                "",
                concat!("the libraries of ", $name),
            ),
            include: $crate::configure::Opt::list(
                concat!("with-", $name, "-include"),
                "",
                concat!("directories with the headers of ", $name),
            ),
            download: $crate::configure::Opt::download(
                concat!("download-", $name),
                concat!("build ", $name, " if it is nowhere else, from its tarball"),
            ),
            sha256: $crate::configure::Opt::text(
                concat!("download-", $name, "-sha256"),
                "",
                "*",
                concat!("the SHA-256 of the tarball of ", $name),
            ),
        }
    };
}
