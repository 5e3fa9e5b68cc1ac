//! Candidates in order, each with where it comes from, and the choice among them.

use super::build::Recipe;
use super::candidate::{Candidate, Refused};
use super::pkg_config::{self, Search};
use super::places::{PackageOptions, dirs, named, owned};
use crate::config::origin::Origin;
use crate::configure::Cx;
use crate::configure::failed::{Failed, FailureKind};
use crate::configure::options::{Auto, Download};
use crate::probe::{CMakePackage, Reason, Settings, Verdict};

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
    /// Whether the user asked for it.
    demanded: bool,
    all: Vec<Candidate>,
    /// What each has beside its own.
    more: Settings,
    refused: Refused,
    last: Option<Reason>,
}

impl Candidates {
    /// Begins with what options say: `--with-x-lib`, `--with-x-dir`, `--with-x-include`. If they name a place, the package is
    /// there or nowhere. `libs` are sets of libraries that the package may consist of.
    ///
    /// What the user asks for by one of its options is [demanded](Failed::demanded).
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
    #[track_caller]
    pub fn of(cx: &Cx<'_>, options: &PackageOptions, libs: &[&[&str]]) -> Result<Candidates, Failed> {
        if cx.get(&options.wanted)? == Auto::No {
            let origin = cx.origin(&options.wanted)?;
            return Err(cx.fail(format!("{} is not wanted ({origin})", options.name)));
        }
        let mut candidates = Candidates {
            name: options.name,
            fixed: false,
            demanded: options.is_demanded(cx)?,
            all: Vec::new(),
            more: Settings::new(),
            refused: Refused::default(),
            last: None,
        };
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
            let (from, libs, with) = (origin.to_string(), owned(libs), include.clone());
            candidates.all.push(Candidate::Below { from, dir, libs, origin, with });
        }
        if !candidates.fixed && !include.is_empty() {
            for names in owned(libs) {
                let libraries = named(&names, &listed(options.name));
                candidates.add("the option for headers", include.clone().and(&libraries));
            }
        }
        Ok(candidates)
    }

    /// All of them with more settings.
    pub(in crate::configure) fn each_with(mut self, more: &Settings) -> Candidates {
        self.more = self.more.and(more);
        self
    }

    /// Nothing else is looked for from now on: what is added was named.
    pub(super) fn fix(&mut self) {
        self.fixed = true;
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
    pub fn of_pkg_config(self, cx: &Cx<'_>, names: &[&str]) -> Candidates {
        self.of_pkg_config_in(cx, names, Search::All)
    }

    /// The same of some of its directories.
    pub(super) fn of_pkg_config_in(mut self, cx: &Cx<'_>, names: &[&str], search: Search) -> Candidates {
        for name in if self.fixed { &[] } else { names } {
            match pkg_config::read(cx, name, search) {
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
            self.all.push(Candidate::Variable((*variable).to_owned(), owned(libs)));
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
    #[track_caller]
    pub fn of_system(mut self, libs: &[&[&str]]) -> Candidates {
        let origin = listed(self.name);
        for names in owned(libs).iter().filter(|_| !self.fixed) {
            let from = format!("the system: {}", names.join(" "));
            self.all.push(Candidate::Ready(from, named(names, &origin)));
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
            self.all.push(Candidate::Build(recipe.clone().from(&location, &sha256), owned(libs)));
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
        let demanded = self.demanded;
        self.first(cx, test).map_err(|failed| if demanded { failed.demanded() } else { failed })
    }

    fn first<T>(
        &mut self,
        cx: &Cx<'_>,
        test: impl Fn(&Settings) -> Verdict<T>,
    ) -> Result<(String, Settings, T), Failed> {
        for candidate in std::mem::take(&mut self.all) {
            let found = candidate.comes_to(cx, &mut self.refused);
            let found = found.map_err(|failed| failed.after_trying(self.refused.take()))?;
            for (from, settings) in found {
                let settings = settings.and(&self.more);
                match test(&settings) {
                    Verdict::Yes(answer) => {
                        cx.note(format!("{} is taken from {from}: {settings}", self.name));
                        return Ok((from, settings, answer));
                    }
                    Verdict::No(reason) => {
                        self.refused.add(from, reason.to_string());
                        self.last = Some(reason);
                    }
                    Verdict::Unknown(reason) => {
                        let question = format!("{} of {from}", self.name);
                        let failed = Failed::of_question(question, reason, true);
                        return Err(failed.after_trying(self.refused.take()));
                    }
                }
            }
        }
        let what = match self.fixed {
            true => format!("{} is not where the options say that it is", self.name),
            false => format!("{} was not found; name its place with --with-{}-dir=..", self.name, self.name),
        };
        let failed = match self.last.take() {
            Some(reason) => Failed::of_question(self.name.to_owned(), reason.because(what), false),
            None => Failed::new(FailureKind::No, what),
        };
        Err(failed.after_trying(self.refused.take()))
    }
}

/// The line that lists the libraries.
#[track_caller]
fn listed(package: &str) -> Origin {
    let at = std::panic::Location::caller();
    Origin::Module(format!("{package} at {}:{}", at.file(), at.line()))
}
