//! The options that packages have, and what is where they point to.

use std::path::{Path, PathBuf};

use crate::config::origin::Origin;
use crate::configure::options::{Auto, Download, Opt, Options};
use crate::configure::{Cx, Failed, OptionValue};
use crate::probe::{Language, Settings};

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

    /// Whether the user asked for the package: says yes, names a place, or wants it built.
    pub(super) fn is_demanded(&self, cx: &Cx<'_>) -> Result<bool, Failed> {
        Ok(cx.get(&self.wanted)? == Auto::Yes
            || cx.get(&self.dir)?.is_some()
            || !cx.get(&self.lib)?.is_empty()
            || !cx.get(&self.include)?.is_empty()
            || cx.get(&self.download)? != Download::No)
    }
}

/// Libraries by their names.
pub(super) fn named(names: &[String], origin: &Origin) -> Settings {
    names.iter().fold(Settings::new(), |settings, name| settings.lib(name)).asked_by(origin.clone())
}

pub(super) fn dirs<T: OptionValue + IntoIterator<Item = String>>(
    cx: &Cx<'_>,
    option: &Opt<T>,
) -> Result<Settings, Failed> {
    let origin = cx.origin(option)?;
    let dirs = cx.get(option)?.into_iter();
    Ok(dirs.fold(Settings::new(), |settings, dir| settings.include_dir(dir)).asked_by(origin))
}

/// Sets of libraries, to keep.
pub(super) fn owned(libs: &[&[&str]]) -> Vec<Vec<String>> {
    libs.iter().map(|names| names.iter().map(|name| (*name).to_owned()).collect()).collect()
}

/// Debian's name for the machine that a compiler compiles for, as directories of libraries have it.
pub(super) fn multiarch(target: &str) -> String {
    let parts: Vec<&str> = target.split('-').collect();
    match parts[..] {
        // The vendor is no part of it.
        [arch, _, system, abi] | [arch, system, abi] => {
            let arch = match arch {
                "i486" | "i586" | "i686" => "i386",
                arch => arch,
            };
            format!("{arch}-{system}-{abi}")
        }
        _ => target.to_owned(),
    }
}

/// The same of the C compiler; without one of the machine that this program was compiled for.
pub(super) fn own_multiarch(cx: &Cx<'_>) -> String {
    match cx.probes().session().compiler(Language::C) {
        Ok(compiler) => multiarch(compiler.toolchain.target()),
        Err(_) => format!("{}-linux-gnu", std::env::consts::ARCH),
    }
}

/// What an installation directory may have; libraries may be in the directory of this `multiarch`.
pub(super) fn below(
    dir: &Path,
    libs: &[Vec<String>],
    multiarch: &str,
    origin: &Origin,
) -> Vec<(String, Settings)> {
    let there = |name: &str| Some(dir.join(name)).filter(|path| path.is_dir());
    let multiarch = format!("lib/{multiarch}");
    let lib_dirs: Vec<PathBuf> =
        ["lib", "lib64", &multiarch, "."].iter().filter_map(|name| there(name)).collect();
    let mut candidates = Vec::new();
    for lib_dir in lib_dirs {
        for names in libs {
            let has = |name: &String| {
                ["so", "a"].iter().any(|end| lib_dir.join(format!("lib{name}.{end}")).exists())
            };
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

#[cfg(test)]
mod tests {
    use super::multiarch;

    #[test]
    fn the_directory_of_libraries_is_named_without_the_vendor() {
        for (target, name) in [
            ("x86_64-linux-gnu", "x86_64-linux-gnu"),
            ("x86_64-pc-linux-gnu", "x86_64-linux-gnu"),
            ("aarch64-unknown-linux-gnu", "aarch64-linux-gnu"),
            ("i686-linux-gnu", "i386-linux-gnu"),
            ("wasm32", "wasm32"),
        ] {
            assert_eq!(multiarch(target), name);
        }
    }
}
