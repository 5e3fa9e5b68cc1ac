//! Candidates in order, each with where it comes from, and the choice among them.

use std::path::{Path, PathBuf};

use super::pkg_config;
use crate::config::env;
use crate::config::origin::Origin;
use crate::configure::failed::{Failed, FailureKind};
use crate::configure::options::{Auto, Opt, Options};
use crate::configure::{Cx, OptionValue};
use crate::probe::{Reason, Settings, Verdict};

/// The options that every package has: `with-x`, `with-x-dir`, `with-x-lib`, `with-x-include`.
pub(in crate::configure) struct Places {
    pub(in crate::configure) name: &'static str,
    pub(in crate::configure) wanted: Opt<Auto>,
    pub(in crate::configure) dir: Opt<Option<PathBuf>>,
    pub(in crate::configure) lib: Opt<Vec<String>>,
    pub(in crate::configure) include: Opt<Vec<String>>,
}

/// Those of a package by its name.
macro_rules! places {
    ($name:literal) => {
        $crate::configure::packages::Places {
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
        }
    };
}
pub(in crate::configure) use places;

pub(in crate::configure) fn options(places: &Places, options: &mut Options) {
    options.add(&places.wanted).add(&places.dir).add(&places.lib).add(&places.include);
}

/// Candidates in the order in which they are believed.
pub(in crate::configure) struct Candidates {
    name: &'static str,
    /// Somebody said where it is: then it is there or nowhere.
    fixed: bool,
    all: Vec<(String, Settings)>,
    refused: Vec<(String, String)>,
    last: Option<Reason>,
}

impl Candidates {
    /// Begins with what options say.
    ///
    /// # Errors
    /// The package is not wanted.
    pub(in crate::configure) fn of(
        cx: &Cx<'_>,
        places: &Places,
        libs: &[&[&str]],
    ) -> Result<Candidates, Failed> {
        if cx.get(&places.wanted)? == Auto::No {
            let origin = cx.origin(&places.wanted)?;
            return Err(cx.fail(format!("{} is not wanted ({origin})", places.name)));
        }
        let mut candidates =
            Candidates { name: places.name, fixed: false, all: Vec::new(), refused: Vec::new(), last: None };
        let include = dirs(cx, &places.include)?;
        let libraries = cx.get(&places.lib)?;
        if !libraries.is_empty() {
            let origin = cx.origin(&places.lib)?;
            let named = libraries.into_iter().fold(Settings::new(), Settings::lib).asked_by(origin);
            candidates.fixed = true;
            candidates.add("the options", include.clone().and(&named));
        }
        if let Some(dir) = cx.get(&places.dir)? {
            let origin = cx.origin(&places.dir)?;
            candidates.fixed = true;
            for (from, settings) in below(&dir, libs, &origin) {
                candidates.add(&from, include.clone().and(&settings));
            }
        }
        if !candidates.fixed && !include.is_empty() {
            for names in libs {
                candidates
                    .add("the option for headers", include.clone().and(&named(names, &Origin::Default)));
            }
        }
        Ok(candidates)
    }

    /// All of them with more settings.
    pub(in crate::configure) fn each_with(mut self, more: &Settings) -> Candidates {
        for (_, settings) in &mut self.all {
            *settings = std::mem::take(settings).and(more);
        }
        self
    }

    /// Whether nothing else needs to be looked for.
    pub(in crate::configure) fn is_fixed(&self) -> bool {
        self.fixed
    }

    pub(in crate::configure) fn add(&mut self, from: &str, settings: Settings) {
        self.all.push((from.to_owned(), settings));
    }

    /// A place where it might have been.
    pub(in crate::configure) fn refuse(&mut self, from: &str, why: impl Into<String>) {
        self.refused.push((from.to_owned(), why.into()));
    }

    /// What pkg-config's files say.
    pub(in crate::configure) fn of_pkg_config(&mut self, cx: &Cx<'_>, names: &[&str]) {
        if self.fixed {
            return;
        }
        for name in names {
            match pkg_config::read(cx, name, &[]) {
                Ok(package) => self.add(&format!("pkg-config {name} {}", package.version), package.settings),
                Err(why) => self.refuse(&format!("pkg-config {name}"), why),
            }
        }
    }

    /// Where variables say that it is installed.
    pub(in crate::configure) fn of_environment(&mut self, variables: &[&'static str], libs: &[&[&str]]) {
        if self.fixed {
            return;
        }
        for variable in variables {
            let Some(dir) = env::named(variable).filter(|dir| !dir.is_empty()) else { continue };
            let origin = Origin::Environment((*variable).to_owned());
            let candidates = below(Path::new(&dir), libs, &origin);
            if candidates.is_empty() {
                self.refuse(variable, format!("there is nothing of it in {}", Path::new(&dir).display()));
            }
            for (from, settings) in candidates {
                self.add(&from, settings);
            }
        }
    }

    /// Where compilers look by themselves.
    pub(in crate::configure) fn of_system(&mut self, libs: &[&[&str]]) {
        if self.fixed {
            return;
        }
        for names in libs {
            self.add(&format!("the system: {}", names.join(" ")), named(names, &Origin::Default));
        }
    }

    /// The first that passes the test.
    ///
    /// # Errors
    /// None does, each with its reason; or nobody can say about one.
    pub(in crate::configure) fn choose<T>(
        mut self,
        cx: &Cx<'_>,
        test: impl Fn(&Settings) -> Verdict<T>,
    ) -> Result<(String, Settings, T), Failed> {
        for (from, settings) in std::mem::take(&mut self.all) {
            match test(&settings) {
                Verdict::Yes(answer) => {
                    cx.note(format!("{} is taken from {from}: {settings}", self.name));
                    return Ok((from, settings, answer));
                }
                Verdict::No(reason) => {
                    self.refuse(&from, reason.to_string());
                    self.last = Some(reason);
                }
                Verdict::Unknown(reason) => {
                    let question = format!("{} of {from}", self.name);
                    return Err(Failed::of_question(question, reason, true).after_trying(self.refused));
                }
            }
        }
        let what = match self.fixed {
            true => format!("{} is not where the options say that it is", self.name),
            false => format!("{} was not found; name its place with --with-{}-dir=..", self.name, self.name),
        };
        let failed = match self.last {
            Some(reason) => Failed::of_question(self.name.to_owned(), reason.because(what), false),
            None => Failed::new(FailureKind::No, what),
        };
        Err(failed.after_trying(self.refused))
    }
}

/// Libraries by their names.
pub(in crate::configure) fn named(names: &[&str], origin: &Origin) -> Settings {
    names.iter().fold(Settings::new(), |settings, name| settings.lib(*name)).asked_by(origin.clone())
}

fn dirs<T: OptionValue + IntoIterator<Item = String>>(
    cx: &Cx<'_>,
    option: &Opt<T>,
) -> Result<Settings, Failed> {
    let origin = cx.origin(option)?;
    let dirs = cx.get(option)?.into_iter();
    Ok(dirs.fold(Settings::new(), |settings, dir| settings.include_dir(dir)).asked_by(origin))
}

/// What an installation directory may have.
fn below(dir: &Path, libs: &[&[&str]], origin: &Origin) -> Vec<(String, Settings)> {
    let there = |name: &str| Some(dir.join(name)).filter(|path| path.is_dir());
    let lib_dirs: Vec<PathBuf> =
        ["lib", "lib64", "lib/x86_64-linux-gnu", "."].iter().filter_map(|n| there(n)).collect();
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
