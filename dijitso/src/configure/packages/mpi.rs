//! MPI.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{BuildWith, Candidates, PackageOptions, Recipe};
use crate::config::env;
use crate::config::origin::Origin;
use crate::configure::{Cx, Failed, Module, Opt, Options};
use crate::probe::{Constant, Language, Link, Macro, Program, Settings, Verdict};

const OPTIONS: PackageOptions = crate::package_options!("mpi");
const MPICC: Opt<Option<PathBuf>> =
    Opt::executable("with-mpicc", "", "the wrapper that knows how to compile with MPI").variable("MPICC");

const LIBS: &[&[&str]] = &[&["mpi"], &["mpich"]];

/// MPI for C and C++, found through its compiler wrapper, pkg-config or the system, and tested by linking.
///
/// No program of MPI is run: on many clusters that is only possible in a job.
///
/// BuildSystem: `config.packages.MPI`.
///
/// ```no_run
/// use dijitso::configure::{Configure, Mpi};
///
/// # fn main() -> Result<(), dijitso::configure::Failed> {
/// let configuration = Configure::new("Demo").with::<Mpi>().run()?;
/// let mpi = configuration.get::<Mpi>().unwrap();
/// println!("MPI {} ({}): {}", mpi.standard, mpi.implementation, mpi.settings);
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Mpi {
    /// What to compile and link with.
    pub settings: Settings,
    /// The version of the standard, such as `3.1`.
    pub standard: String,
    /// `Open MPI`, `MPICH`, or empty.
    pub implementation: String,
    /// Whether Fortran programs link with the same installation.
    pub fortran: bool,
    /// Where it was found.
    pub from: String,
}

impl Module for Mpi {
    const NAME: &'static str = "packages.mpi";

    fn options(all: &mut Options) {
        OPTIONS.add_to(all);
        all.add(&MPICC);
    }

    fn configure(cx: &Cx<'_>) -> Result<Mpi, Failed> {
        let mut candidates = Candidates::of(cx, &OPTIONS, LIBS)?;
        let dir = cx.get(&OPTIONS.dir)?;
        let wrapper = match (cx.get(&MPICC)?, &dir) {
            (Some(path), _) => Some((path, cx.origin(&MPICC)?)),
            (None, Some(dir)) => {
                let path = dir.join("bin/mpicc");
                Some((path, cx.origin(&OPTIONS.dir)?)).filter(|(path, _)| path.exists())
            }
            (None, None) => None,
        };
        match wrapper {
            Some((path, origin)) => of_wrapper(cx, &mut candidates, &path.to_string_lossy(), origin),
            None if !candidates.is_fixed() => {
                for variable in ["MPI_HOME", "MPI_ROOT", "I_MPI_ROOT"] {
                    if let Some(home) = env::named(variable).filter(|home| !home.is_empty()) {
                        let path = Path::new(&home).join("bin/mpicc");
                        let origin = Origin::Environment(variable.to_owned());
                        of_wrapper(cx, &mut candidates, &path.to_string_lossy(), origin);
                    }
                }
                of_wrapper(cx, &mut candidates, "mpicc", Origin::Module("mpicc on PATH".to_owned()));
            }
            None => {}
        }
        let recipe = Recipe::without_tarball("mpi", BuildWith::Autotools);
        let candidates = candidates
            .of_pkg_config(cx, &["ompi-c", "mpich", "mpi-c"])
            .of_system(LIBS)
            .of_download(cx, &OPTIONS, &recipe, LIBS)?;
        // What C++ had of its own in old standards is left out: it takes more libraries, and no language else has it.
        let skip = Settings::new().compile_flag("-DOMPI_SKIP_MPICXX").compile_flag("-DMPICH_SKIP_MPICXX");
        let candidates = candidates.each_with(&skip);
        let (from, settings, ()) = candidates.choose(cx, |settings| test(cx, settings))?;
        let (major, minor, open_mpi, mpich) = cx.all((
            Constant::new("MPI_VERSION").after("mpi.h").with(&settings),
            Constant::new("MPI_SUBVERSION").after("mpi.h").with(&settings),
            Macro::new("OMPI_MAJOR_VERSION").after("mpi.h").with(&settings),
            Macro::new("MPICH_VERSION").after("mpi.h").with(&settings),
        ));
        let standard = match (major.yes(), minor.yes()) {
            (Some(major), Some(minor)) => format!("{major}.{minor}"),
            _ => String::new(),
        };
        let implementation = match (open_mpi.is_yes(), mpich.is_yes()) {
            (true, _) => "Open MPI",
            (_, true) => "MPICH",
            _ => "",
        };
        let fortran = fortran(cx, &settings);
        cx.settings(None, &settings);
        cx.define("HAVE_MPI", "1", &format!("MPI is taken from {from}"));
        match fortran {
            true => cx.define("HAVE_MPI_FORTRAN", "1", "a Fortran program links with MPI"),
            false => cx.undefine("HAVE_MPI_FORTRAN", "no Fortran program links with MPI"),
        }
        cx.make_words("MPI_INCLUDE", settings.compile_words().map(|flag| flag.text), "to compile with MPI");
        cx.make_words("MPI_LIB", settings.link_words().map(|flag| flag.text), "to link with MPI");
        cx.summary("MPI", format!("{implementation} {standard} (from {from})").trim().to_owned());
        Ok(Mpi { settings, standard, implementation: implementation.to_owned(), fortran, from })
    }
}

/// What a wrapper would add to the compiler's command: it is asked, and then not needed any more.
fn of_wrapper(cx: &Cx<'_>, candidates: &mut Candidates, wrapper: &str, origin: Origin) {
    let mut question = Program::new(wrapper).args(["-show"]);
    // Open MPI's wrappers read their flags from a file, which may change while they stay.
    for data in ["/usr/share/openmpi/mpicc-wrapper-data.txt", "/etc/openmpi/mpicc-wrapper-data.txt"] {
        question = question.reads(data);
    }
    if let Some(prefix) = Path::new(wrapper).parent().and_then(Path::parent).filter(|dir| dir.is_absolute()) {
        question = question.reads(prefix.join("share/openmpi/mpicc-wrapper-data.txt").to_string_lossy());
    }
    let from = format!("the wrapper {wrapper}");
    match cx.ask(&question) {
        Verdict::Yes(found) => {
            let line = found.said.lines().next().unwrap_or_default();
            match shlex::split(line).filter(|words| words.len() > 1) {
                Some(words) => candidates.add(&from, read(&words[1..]).asked_by(origin)),
                None => candidates.refuse(&from, "it does not tell what it adds (-show)"),
            }
        }
        Verdict::No(reason) | Verdict::Unknown(reason) => candidates.refuse(&from, reason.to_string()),
    }
}

/// The words of a compiler's command, sorted by what they are for.
fn read(words: &[String]) -> Settings {
    let mut settings = Settings::new();
    for word in words {
        settings = match word.split_at(word.len().min(2)) {
            ("-I", dir) if !dir.is_empty() => settings.include_dir(dir),
            ("-L", dir) if !dir.is_empty() => settings.lib_dir(dir),
            ("-l", name) if !name.is_empty() => settings.lib(name),
            ("-D", _) | ("-U", _) => settings.compile_flag(word.clone()),
            _ if word == "-pthread" => settings.flag("-pthread"),
            _ if word.starts_with("-Wl,") => settings.link_flag(word.clone()),
            _ => settings,
        };
    }
    settings
}

fn test(cx: &Cx<'_>, settings: &Settings) -> Verdict<()> {
    let body = "int n = 0; MPI_Init(0, 0); MPI_Comm_size(MPI_COMM_WORLD, &n); MPI_Finalize();";
    let text = |language| {
        let text = Link::body(language, "#include <mpi.h>", body).with(settings);
        text.named(format!("MPI program ({language})"))
    };
    let (c, cxx) = cx.all((text(Language::C), text(Language::Cxx)));
    match (c, cxx) {
        (Verdict::Yes(_), Verdict::Yes(_)) => Verdict::Yes(()),
        (Verdict::Unknown(reason), _) | (_, Verdict::Unknown(reason)) => Verdict::Unknown(reason),
        (Verdict::No(reason), _) | (_, Verdict::No(reason)) => Verdict::No(reason),
    }
}

/// Whether Fortran links, with the wrapper for Fortran beside the one for C. There need not be a Fortran compiler.
fn fortran(cx: &Cx<'_>, settings: &Settings) -> bool {
    if cx.probes().session().compiler(Language::Fortran).is_err() {
        return false;
    }
    let wrapper = Program::any(["mpifort", "mpif90"]).args(["-show"]);
    let more = match cx.ask(&wrapper) {
        Verdict::Yes(found) => {
            shlex::split(found.said.lines().next().unwrap_or_default()).unwrap_or_default()
        }
        _ => Vec::new(),
    };
    let own = read(more.get(1..).unwrap_or_default()).and(settings);
    let text = "program p\ninclude 'mpif.h'\ninteger :: ierr\ncall MPI_Init(ierr)\ncall MPI_Finalize(ierr)\nend program\n";
    cx.ask(&Link::new(Language::Fortran, text).with(&own).named("MPI program (Fortran)")).is_yes()
}
