//! Candidates in order, each with where it comes from, and the choice among them.

use std::path::Path;

use super::build::{Recipe, built, origin};
use super::pkg_config;
use super::places::{PackageOptions, below, dirs, named};
use crate::config::env;
use crate::config::origin::Origin;
use crate::configure::Cx;
use crate::configure::failed::{Failed, FailureKind};
use crate::configure::options::{Auto, Download};
use crate::probe::{CMakePackage, Question as _, Reason, Settings, Verdict};

/// Candidates for a package, in the order in which they are believed: what options say, pkg-config, CMake, variables of the
/// environment, the system, and last what is built here. Each is tested before it is taken, and looked at only if all before
/// it were refused.
///
/// BuildSystem: `generateGuesses` of `config.package`.
///
/// ```no_run
/// use dijitso::configure::{BuildWith, Candidates, Cx, Failed, Module, Options, PackageOptions, Recipe};
/// use dijitso::probe::{Function, Settings};
/// use serde::{Deserialize, Serialize};
///
/// const OPTIONS: PackageOptions = dijitso::package_options!("metis");
/// const LIBS: &[&[&str]] = &[&["metis"], &["metis", "GKlib"]];
///
/// #[derive(Serialize, Deserialize)]
/// struct Metis { settings: Settings }
///
/// impl Module for Metis {
///     const NAME: &'static str = "packages.metis";
///
///     fn options(options: &mut Options) {
///         OPTIONS.add_to(options);
///     }
///
///     fn configure(cx: &Cx<'_>) -> Result<Metis, Failed> {
///         let sha256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
///         let recipe = Recipe::new("metis", "https://example.org/metis-5.1.tar.gz", sha256, BuildWith::CMake);
///         let candidates = Candidates::of(cx, &OPTIONS, LIBS)?
///             .of_pkg_config(cx, &["metis"])
///             .of_cmake(&["metis"])
///             .of_environment(&["METIS_DIR"], LIBS)
///             .of_system(LIBS)
///             .of_download(cx, &OPTIONS, &recipe, LIBS)?;
///         let works = |settings: &Settings| {
///             cx.ask(&Function::new("METIS_PartGraphKway").after("metis.h").with(settings))
///         };
///         let (from, settings, ()) = candidates.choose(cx, works)?;
///         cx.summary("METIS", from);
///         cx.settings(None, &settings);
///         Ok(Metis { settings })
///     }
/// }
/// ```
#[derive(Debug)]
#[must_use]
pub struct Candidates {
    name: &'static str,
    /// Somebody said where it is: then it is there or nowhere.
    fixed: bool,
    all: Vec<Candidate>,
    /// What each has beside its own.
    more: Settings,
    refused: Vec<(String, String)>,
    last: Option<Reason>,
}

#[derive(Debug)]
enum Candidate {
    Ready(String, Settings),
    CMake(CMakePackage),
    Build(Recipe, Vec<Vec<String>>),
    /// With the reason.
    Refused(String, String),
}

impl Candidates {
    /// Begins with what options say: `--with-x-lib`, `--with-x-dir`, `--with-x-include`. If they name a place, the package is
    /// there or nowhere. `libs` are sets of libraries that the package may consist of.
    ///
    /// # Errors
    /// The package is not wanted (`--with-x=no`).
    ///
    /// ```
    /// use dijitso::configure::{Candidates, Cx, Failed, PackageOptions};
    /// const OPTIONS: PackageOptions = dijitso::package_options!("metis");
    /// fn candidates(cx: &Cx<'_>) -> Result<Candidates, Failed> {
    ///     Candidates::of(cx, &OPTIONS, &[&["metis"]])
    /// }
    /// ```
    pub fn of(cx: &Cx<'_>, options: &PackageOptions, libs: &[&[&str]]) -> Result<Candidates, Failed> {
        if cx.get(&options.wanted)? == Auto::No {
            let origin = cx.origin(&options.wanted)?;
            return Err(cx.fail(format!("{} is not wanted ({origin})", options.name)));
        }
        let (all, refused) = (Vec::new(), Vec::new());
        let more = Settings::new();
        let mut candidates = Candidates { name: options.name, fixed: false, all, more, refused, last: None };
        let include = dirs(cx, &options.include)?;
        let libraries = cx.get(&options.lib)?;
        if !libraries.is_empty() {
            let origin = cx.origin(&options.lib)?;
            let named = libraries.into_iter().fold(Settings::new(), Settings::lib).asked_by(origin);
            candidates.fixed = true;
            candidates.add("the options", include.clone().and(&named));
        }
        if let Some(dir) = cx.get(&options.dir)? {
            let origin = cx.origin(&options.dir)?;
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
        self.more = self.more.and(more);
        self
    }

    /// Whether nothing else needs to be looked for.
    pub(in crate::configure) fn is_fixed(&self) -> bool {
        self.fixed
    }

    /// One of your own, with where it comes from.
    ///
    /// ```
    /// # fn f(candidates: &mut dijitso::configure::Candidates) {
    /// candidates.add("the usual place of this cluster", dijitso::probe::Settings::new().lib("/apps/lib/libmetis.so"));
    /// # }
    /// ```
    pub fn add(&mut self, from: &str, settings: Settings) {
        self.all.push(Candidate::Ready(from.to_owned(), settings));
    }

    /// A place where it might have been, for whoever reads the failure.
    ///
    /// ```
    /// # fn f(candidates: &mut dijitso::configure::Candidates) {
    /// candidates.refuse("the usual place of this cluster", "it is not mounted");
    /// # }
    /// ```
    pub fn refuse(&mut self, from: &str, why: impl Into<String>) {
        self.all.push(Candidate::Refused(from.to_owned(), why.into()));
    }

    /// What pkg-config's files say; they are read here, and pkg-config need not be installed.
    ///
    /// ```
    /// # use dijitso::configure::{Candidates, Cx};
    /// # fn f(cx: &Cx<'_>, candidates: Candidates) -> Candidates {
    /// candidates.of_pkg_config(cx, &["metis"])
    /// # }
    /// ```
    pub fn of_pkg_config(mut self, cx: &Cx<'_>, names: &[&str]) -> Candidates {
        for name in if self.fixed { &[] } else { names } {
            match pkg_config::read(cx, name, &[]) {
                Ok(package) => {
                    let from = format!("pkg-config {name} {}", package.version);
                    self.all.push(Candidate::Ready(from, package.settings));
                }
                Err(why) => self.refuse(&format!("pkg-config {name}"), why),
            }
        }
        self
    }

    /// What packages say of themselves to CMake, by the names that `find_package` knows them by; see [`CMakePackage`].
    ///
    /// ```
    /// # use dijitso::configure::Candidates;
    /// # fn f(candidates: Candidates) -> Candidates {
    /// candidates.of_cmake(&["METIS", "metis"])
    /// # }
    /// ```
    pub fn of_cmake(self, names: &[&str]) -> Candidates {
        names.iter().fold(self, |candidates, name| candidates.of_cmake_package(CMakePackage::new(*name)))
    }

    /// The same of one package, with its targets and components.
    ///
    /// ```
    /// # use dijitso::{configure::Candidates, probe::CMakePackage};
    /// # fn f(candidates: Candidates) -> Candidates {
    /// candidates.of_cmake_package(CMakePackage::new("HDF5").component("C").target("hdf5::hdf5-shared"))
    /// # }
    /// ```
    pub fn of_cmake_package(mut self, package: CMakePackage) -> Candidates {
        if !self.fixed {
            self.all.push(Candidate::CMake(package));
        }
        self
    }

    /// Where variables say that it is installed.
    ///
    /// ```
    /// # use dijitso::configure::Candidates;
    /// # fn f(candidates: Candidates) -> Candidates {
    /// candidates.of_environment(&["METIS_DIR"], &[&["metis"]])
    /// # }
    /// ```
    pub fn of_environment(mut self, variables: &[&str], libs: &[&[&str]]) -> Candidates {
        for variable in if self.fixed { &[] } else { variables } {
            let Some(dir) = env::named(variable).filter(|dir| !dir.is_empty()) else { continue };
            let origin = Origin::Environment((*variable).to_owned());
            let found = below(Path::new(&dir), libs, &origin);
            if found.is_empty() {
                let why = format!("there is nothing of it in {}", Path::new(&dir).display());
                self.refuse(variable, why);
            }
            self.all.extend(found.into_iter().map(|(from, settings)| Candidate::Ready(from, settings)));
        }
        self
    }

    /// Where compilers look by themselves.
    ///
    /// ```
    /// # use dijitso::configure::Candidates;
    /// # fn f(candidates: Candidates) -> Candidates {
    /// candidates.of_system(&[&["metis"], &["metis", "GKlib"]])
    /// # }
    /// ```
    pub fn of_system(mut self, libs: &[&[&str]]) -> Candidates {
        for names in libs.iter().filter(|_| !self.fixed) {
            let from = format!("the system: {}", names.join(" "));
            self.all.push(Candidate::Ready(from, named(names, &Origin::Default)));
        }
        self
    }

    /// What is built from a tarball if `--download-x` says so, and only if all other candidates are refused:
    /// `--download-x` means the tarball of the recipe, `--download-x=<path or URL>` with `--download-x-sha256=..` another one.
    /// Without an SHA-256 nothing is built.
    ///
    /// BuildSystem: `--download-x`, where it comes first.
    ///
    /// # Errors
    /// No module has declared the options.
    ///
    /// ```
    /// use dijitso::configure::{BuildWith, Candidates, Cx, Failed, PackageOptions, Recipe};
    /// const OPTIONS: PackageOptions = dijitso::package_options!("metis");
    /// fn last(cx: &Cx<'_>, candidates: Candidates) -> Result<Candidates, Failed> {
    ///     let recipe = Recipe::without_tarball("metis", BuildWith::CMake).argument("-DSHARED=ON");
    ///     candidates.of_download(cx, &OPTIONS, &recipe, &[&["metis"]])
    /// }
    /// ```
    pub fn of_download(
        mut self,
        cx: &Cx<'_>,
        options: &PackageOptions,
        recipe: &Recipe,
        libs: &[&[&str]],
    ) -> Result<Candidates, Failed> {
        let sha256 = cx.get(&options.sha256)?;
        let (download, name) = (options.download.name(), options.sha256.name());
        let origin = cx.origin(&options.download)?;
        let (location, own) = match cx.get(&options.download)? {
            Download::No if self.fixed => return Ok(self),
            Download::No => {
                self.refuse("to build it", format!("it is not asked for; --{download} does"));
                return Ok(self);
            }
            Download::Yes => (recipe.location.clone(), recipe.sha256.clone()),
            Download::From(location) => (location, String::new()),
        };
        let from = format!("to build it ({origin})");
        let sha256 = if sha256.is_empty() { own } else { sha256 };
        if self.fixed {
            self.refuse(&from, "other options say where it is");
        } else if location.is_empty() {
            self.refuse(
                &from,
                format!("nobody names its tarball; write --{download}=<path or URL>, and --{name}=.."),
            );
        } else if sha256.is_empty() {
            let why = format!(
                "without its SHA-256 {location} may be anything; add --{name}=.., which `sha256sum` tells of a file \
                 whose source you trust"
            );
            self.refuse(&from, why);
        } else {
            let libs = libs.iter().map(|names| names.iter().map(|name| (*name).to_owned()).collect());
            self.all.push(Candidate::Build(recipe.clone().from(&location, &sha256), libs.collect()));
        }
        Ok(self)
    }

    /// The first that passes the test, with where it comes from and what the test answered.
    ///
    /// # Errors
    /// None does, each with its reason; or nobody can say about one; or one was to be built, and that failed.
    ///
    /// ```
    /// use dijitso::{configure::{Candidates, Cx, Failed}, probe::{Function, Settings}};
    /// fn metis(cx: &Cx<'_>, candidates: Candidates) -> Result<Settings, Failed> {
    ///     let works = |settings: &Settings| cx.ask(&Function::new("METIS_PartGraphKway").with(settings));
    ///     let (from, settings, ()) = candidates.choose(cx, works)?;
    ///     cx.note(format!("METIS of {from}"));
    ///     Ok(settings)
    /// }
    /// ```
    pub fn choose<T>(
        mut self,
        cx: &Cx<'_>,
        test: impl Fn(&Settings) -> Verdict<T>,
    ) -> Result<(String, Settings, T), Failed> {
        let was_fixed = self.fixed;
        for candidate in std::mem::take(&mut self.all) {
            for (from, settings) in self.looked_at(cx, candidate)? {
                let settings = settings.and(&self.more);
                match test(&settings) {
                    Verdict::Yes(answer) => {
                        cx.note(format!("{} is taken from {from}: {settings}", self.name));
                        return Ok((from, settings, answer));
                    }
                    Verdict::No(reason) => {
                        self.refused.push((from, reason.to_string()));
                        self.last = Some(reason);
                    }
                    Verdict::Unknown(reason) => {
                        let question = format!("{} of {from}", self.name);
                        return Err(Failed::of_question(question, reason, true).after_trying(self.refused));
                    }
                }
            }
        }
        let what = match was_fixed {
            true => format!("{} is not where the options say that it is", self.name),
            false => format!("{} was not found; name its place with --with-{}-dir=..", self.name, self.name),
        };
        let failed = match self.last {
            Some(reason) => Failed::of_question(self.name.to_owned(), reason.because(what), false),
            None => Failed::new(FailureKind::No, what),
        };
        Err(failed.after_trying(self.refused))
    }

    /// What a candidate comes to, now that it is its turn.
    fn looked_at(&mut self, cx: &Cx<'_>, candidate: Candidate) -> Result<Vec<(String, Settings)>, Failed> {
        match candidate {
            Candidate::Ready(from, settings) => Ok(vec![(from, settings)]),
            Candidate::CMake(package) => {
                let from = package.describe();
                match cx.ask(&package) {
                    Verdict::Yes(found) => {
                        Ok(vec![(format!("{from} {}", found.version).trim_end().to_owned(), found.settings)])
                    }
                    Verdict::No(reason) | Verdict::Unknown(reason) => {
                        self.refused.push((from, reason.to_string()));
                        Ok(Vec::new())
                    }
                }
            }
            Candidate::Build(recipe, libs) => {
                let work = built(cx, &recipe, cx.probes().session().jobs())
                    .map_err(|failed| failed.after_trying(std::mem::take(&mut self.refused)))?;
                let names: Vec<Vec<&str>> =
                    libs.iter().map(|names| names.iter().map(String::as_str).collect()).collect();
                let names: Vec<&[&str]> = names.iter().map(Vec::as_slice).collect();
                let found = below(&work.prefix, &names, &origin(&recipe, &work));
                if found.is_empty() {
                    let why =
                        format!("it was built, and none of its libraries is in {}", work.prefix.display());
                    self.refused.push(("to build it".to_owned(), why));
                }
                Ok(found)
            }
            Candidate::Refused(from, why) => {
                self.refused.push((from, why));
                Ok(Vec::new())
            }
        }
    }
}
