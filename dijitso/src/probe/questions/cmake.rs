//! Packages that describe themselves to CMake.

use std::path::PathBuf;

use super::{Knowledge, Question, Sealed, Stop, Verdict};
use crate::config::env;
use crate::probe::Settings;
use crate::probe::cmake::{CMakeCall, Search, read, variables};
use crate::probe::verdict::{Evidence, Reason};
use crate::toolchain::Language;

/// Whether a package has a file for CMake (`XConfig.cmake`, `x-config.cmake`), and what it says to compile and link with.
///
/// The file is looked for where CMake looks: `X_DIR`, `X_ROOT` and `CMAKE_PREFIX_PATH` of the environment, the directories
/// beside those of `PATH`, the system's. Then CMake configures a project with it, in a directory of its own, and the commands
/// that it generates are the answer: with all that the package's targets need, and generator expressions evaluated. It is
/// remembered with every file that CMake read, every place where it looked in vain, and what lies beside the package's files;
/// not if the package fails with an error, or asks pkg-config, or CMake is older than 3.17. Without such a file, or without
/// CMake, the answer is a no; if CMake cannot even configure an empty project, nobody can say.
///
/// What a file asks for by `if(EXISTS ..)` and `file(GLOB ..)` outside of its own directory, nobody sees.
///
/// What a package says need not work: test it, as [`Candidates`](crate::configure::Candidates) does.
///
/// BuildSystem has nothing like it; its packages look for pkg-config's files only.
///
/// ```no_run
/// use dijitso::probe::{CMakePackage, Function, Probes};
///
/// # fn f(probes: &Probes) {
/// let package = CMakePackage::new("OpenBLAS");
/// if let Some(found) = probes.ask(&package).yes() {
///     let works = probes.ask(&Function::new("ddot_").with(&found.settings)).is_yes();
///     println!("{} {}: {works}", found.config.display(), found.version);
/// }
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct CMakePackage {
    name: String,
    components: Vec<String>,
    targets: Vec<String>,
    prefixes: Vec<PathBuf>,
}

/// What a package says of itself.
///
/// ```
/// let settings = dijitso::probe::Settings::new().lib("x");
/// let config = "/usr/lib/cmake/x/xConfig.cmake".into();
/// let found = dijitso::probe::FoundPackage { config, version: "1.2".to_owned(), settings };
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundPackage {
    /// The file that says it.
    pub config: PathBuf,
    /// As the package says; may be empty.
    pub version: String,
    /// What to compile and link with.
    pub settings: Settings,
}

impl CMakePackage {
    /// A package as `find_package` calls it.
    ///
    /// ```
    /// let question = dijitso::probe::CMakePackage::new("OpenBLAS");
    /// ```
    pub fn new(name: impl Into<String>) -> CMakePackage {
        let name = name.into();
        CMakePackage { name, components: Vec::new(), targets: Vec::new(), prefixes: Vec::new() }
    }

    /// A part that must be there (`COMPONENTS`).
    ///
    /// ```
    /// let question = dijitso::probe::CMakePackage::new("HDF5").component("C");
    /// ```
    pub fn component(mut self, name: impl Into<String>) -> CMakePackage {
        self.components.push(name.into());
        self
    }

    /// A target to link with. By default it is the one that is called as the package (`x::x`), or all of it, or what its
    /// variables name (`x_LIBRARIES`).
    ///
    /// ```
    /// let question = dijitso::probe::CMakePackage::new("HDF5").target("hdf5::hdf5-shared");
    /// ```
    pub fn target(mut self, name: impl Into<String>) -> CMakePackage {
        self.targets.push(name.into());
        self
    }

    /// Where it may be installed, before all other places.
    ///
    /// ```
    /// let question = dijitso::probe::CMakePackage::new("HDF5").below("/opt/hdf5");
    /// ```
    pub fn below(mut self, prefix: impl Into<PathBuf>) -> CMakePackage {
        self.prefixes.push(prefix.into());
        self
    }

    /// Where somebody says that it is, or may be.
    pub(crate) fn looked_into(&self) -> Vec<PathBuf> {
        let named = self.variables().into_iter().filter_map(|name| env::named(&name));
        let dirs = named.flat_map(|value| std::env::split_paths(&value).collect::<Vec<_>>());
        self.prefixes.iter().cloned().chain(dirs).filter(|dir| dir.is_absolute()).collect()
    }

    /// The variables that say where it is.
    pub(crate) fn variables(&self) -> Vec<String> {
        variables(&self.name)
    }
}

impl Sealed for CMakePackage {}

impl Question for CMakePackage {
    type Answer = FoundPackage;

    fn describe(&self) -> String {
        format!("CMake's package {}", self.name)
    }

    fn evaluate(&self, known: &mut Knowledge<'_>) -> Result<Verdict<FoundPackage>, Stop> {
        let is_part = |c: char| c.is_ascii_alphanumeric() || "_-+.:".contains(c);
        let names = || [&self.name].into_iter().chain(&self.components).chain(&self.targets);
        if let Some(wrong) = names().find(|name| name.is_empty() || !name.chars().all(is_part)) {
            return Ok(Verdict::No(Reason::new(format!("`{wrong}` is no name in CMake"))));
        }
        let session = known.session;
        let compiler = session.compiler(Language::C).map_err(Stop::Unknown)?;
        let path = session.config.path.clone().unwrap_or_default();
        let target = compiler.toolchain.target();
        let search = Search { fs: &session.fs, first: &self.prefixes, path: &path, target };
        let Some(config) = search.first_of(&self.name) else {
            let (name, lower) = (&self.name, self.name.to_ascii_lowercase());
            let text = format!(
                "there is no {name}Config.cmake or {lower}-config.cmake; CMAKE_PREFIX_PATH says where"
            );
            return Ok(Verdict::No(Reason::new(text)));
        };
        let (name, components, targets) = (self.name.clone(), self.components.clone(), self.targets.clone());
        let prefixes = self.prefixes.iter().map(|dir| dir.to_string_lossy().into_owned()).collect();
        let call = CMakeCall { name, components, targets, prefixes, config: config.clone() };
        let called = known.cmake(call)?;
        if called.path.is_none() {
            let text =
                format!("{} is there, and cmake is needed to read it and {}", config.display(), called.why);
            return Ok(Verdict::No(Reason::new(text)));
        }
        // A package may ask for a newer CMake than there is; another error may be one of CMake or of the compiler.
        if called.step.status != 0 && !called.why.contains("or higher is required") {
            let control = known.cmake(CMakeCall::default())?;
            if !control.why.is_empty() {
                let (commands, said) = (vec![control.step.command.clone()], control.step.stderr.clone());
                let text = format!("cmake cannot even configure an empty project: {}", control.why);
                let evidence = Evidence { commands, said, ..Evidence::default() };
                return Err(Stop::Unknown(Reason::with(text, evidence)));
            }
        }
        if !called.why.is_empty() {
            let (commands, said) = (vec![called.step.command.clone()], called.step.stderr.clone());
            let evidence = Evidence { commands, said, ..Evidence::default() };
            let text = format!("{} ({})", called.why, config.display());
            return Ok(Verdict::No(Reason::with(text, evidence)));
        }
        let (version, settings) = read(&called.step.stdout);
        let origin = crate::config::origin::Origin::Module(format!("CMake's file {}", config.display()));
        Ok(Verdict::Yes(FoundPackage { config, version, settings: settings.asked_by(origin) }))
    }

    fn show(found: &FoundPackage) -> String {
        format!("{} {}: {}", found.config.display(), found.version, found.settings)
    }
}
