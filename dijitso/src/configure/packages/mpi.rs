//! MPI.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::pkg_config::Search;
use super::{BuildWith, Candidates, PackageOptions, Recipe};
use crate::config::origin::{Flag, Origin};
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
/// It is looked for where options say (`--with-mpicc`, `--with-mpi-dir`, ..); in the files of pkg-config that `PKG_CONFIG_PATH` or
/// `PKG_CONFIG_LIBDIR` lead to; where `MPI_HOME`, `MPI_ROOT` or `I_MPI_ROOT` say; in the system; and last it is built. Of the
/// system `mpicc` on `PATH` comes first, because the `mpiexec` that a user starts is beside it; the distribution's files of
/// pkg-config, which may be of another installation, and bare libraries come after it. CMake is not asked: no MPI describes
/// itself to it, and its module FindMPI asks the same wrappers. Other packages ([`Candidates`]) are taken from any of pkg-config's
/// directories before a variable is looked at; not so MPI, since a program works only under the `mpiexec` of the installation
/// that it was linked with, and so what was chosen for this session comes before what the system has.
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
    /// What these compile and link with; nothing if they do not link.
    pub fortran_settings: Settings,
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
        let demanded = OPTIONS.is_demanded(cx)? || cx.get(&MPICC)?.is_some();
        Mpi::found(cx).map_err(|failed| if demanded { failed.demanded() } else { failed })
    }
}

impl Mpi {
    fn found(cx: &Cx<'_>) -> Result<Mpi, Failed> {
        let mut candidates = Candidates::of(cx, &OPTIONS, LIBS)?;
        let mut wrappers = Wrappers::default();
        let dir = cx.get(&OPTIONS.dir)?;
        let named = match (cx.get(&MPICC)?, &dir) {
            (Some(path), _) => Some((path, cx.origin(&MPICC)?)),
            (None, Some(dir)) => {
                let path = dir.join("bin/mpicc");
                Some((path, cx.origin(&OPTIONS.dir)?)).filter(|(path, _)| path.exists())
            }
            (None, None) => None,
        };
        let elsewhere = named.is_none() && !candidates.is_fixed();
        if let Some((path, origin)) = named {
            // There or nowhere, as with all options that name a place.
            candidates.fix();
            wrappers.ask(cx, &mut candidates, &path, origin)?;
        }
        let names = ["ompi-c", "mpich", "mpi-c"];
        candidates = candidates.of_pkg_config_in(cx, &names, Search::Named);
        if elsewhere {
            for variable in ["MPI_HOME", "MPI_ROOT", "I_MPI_ROOT"] {
                if let Some(home) = cx.reads_variable(variable).filter(|home| !home.is_empty()) {
                    let origin = Origin::Environment(variable.to_owned());
                    wrappers.ask(cx, &mut candidates, &Path::new(&home).join("bin/mpicc"), origin)?;
                }
                candidates = candidates.of_environment(&[variable], LIBS);
            }
            let origin = Origin::Module("mpicc on PATH".to_owned());
            wrappers.ask(cx, &mut candidates, Path::new("mpicc"), origin)?;
        }
        let recipe = Recipe::without_tarball("mpi", BuildWith::Autotools);
        let candidates = candidates
            .of_pkg_config_in(cx, &names, Search::System)
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
        let standard = match (said("MPI_VERSION", major)?, said("MPI_SUBVERSION", minor)?) {
            (Some(major), Some(minor)) => format!("{major}.{minor}"),
            _ => String::new(),
        };
        let of = "which implementation of MPI it is";
        let implementation = match (said(of, open_mpi)?.is_some(), said(of, mpich)?.is_some()) {
            (true, _) => "Open MPI",
            (_, true) => "MPICH",
            _ => "",
        };
        let programs = wrappers.dir_of(&from).or_else(|| dir.map(|dir| dir.join("bin")));
        let fortran = fortran(cx, &settings, programs.as_deref())?;
        cx.settings(None, &settings);
        cx.define("HAVE_MPI", true, &format!("MPI is taken from {from}"));
        let words = |settings: &Settings| -> (Vec<String>, Vec<String>) {
            let texts = |flags: &mut dyn Iterator<Item = Flag>| flags.map(|flag| flag.text).collect();
            (texts(&mut settings.compile_words()), texts(&mut settings.link_words()))
        };
        let (include, lib) = words(&settings);
        cx.make_words("MPI_INCLUDE", include, "to compile with MPI");
        cx.make_words("MPI_LIB", lib, "to link with MPI");
        match &fortran {
            Some(settings) => {
                let (include, lib) = words(settings);
                cx.define("HAVE_MPI_FORTRAN", true, "a Fortran program links with MPI");
                cx.make_words("MPI_FORTRAN_INCLUDE", include, "to compile Fortran with MPI");
                cx.make_words("MPI_FORTRAN_LIB", lib, "to link Fortran with MPI");
            }
            None => cx.undefine("HAVE_MPI_FORTRAN", "no Fortran program links with MPI"),
        }
        cx.summary("MPI", format!("{implementation} {standard} (from {from})").trim().to_owned());
        Ok(Mpi {
            settings,
            standard,
            implementation: implementation.to_owned(),
            fortran: fortran.is_some(),
            fortran_settings: fortran.unwrap_or_default(),
            from,
        })
    }
}

/// # Errors
/// Nobody can say.
fn said<T>(question: &str, verdict: Verdict<T>) -> Result<Option<T>, Failed> {
    match verdict {
        Verdict::Yes(answer) => Ok(Some(answer)),
        Verdict::No(_) => Ok(None),
        Verdict::Unknown(reason) => Err(Failed::of_question(question.to_owned(), reason, true)),
    }
}

/// Where the wrappers are that candidates were made from: the one for Fortran is beside the one for C.
#[derive(Default)]
struct Wrappers(Vec<(String, PathBuf)>);

impl Wrappers {
    /// What a wrapper would add to the compiler's command: it is asked, and then not needed any more.
    fn ask(
        &mut self,
        cx: &Cx<'_>,
        candidates: &mut Candidates,
        wrapper: &Path,
        origin: Origin,
    ) -> Result<(), Failed> {
        let from = format!("the wrapper {}", wrapper.display());
        let words = match cx.ask(&shows(wrapper)) {
            Verdict::Yes(found) => {
                self.0.extend(found.path.parent().map(|dir| (from.clone(), dir.to_owned())));
                words(&found.said)
            }
            Verdict::No(reason) => {
                candidates.refuse(&from, reason.to_string());
                return Ok(());
            }
            Verdict::Unknown(reason) => return Err(Failed::of_question(from, reason, true)),
        };
        match words {
            Some(words) => candidates.add(&from, read(&words).asked_by(origin)),
            None => candidates.refuse(&from, "it does not tell what it adds (-show)"),
        }
        Ok(())
    }

    fn dir_of(&self, from: &str) -> Option<PathBuf> {
        self.0.iter().find(|(known, _)| known == from).map(|(_, dir)| dir.clone())
    }
}

/// The question what a wrapper would run.
fn shows(wrapper: &Path) -> Program {
    let mut question = Program::new(wrapper.to_string_lossy()).args(["-show"]);
    let name = wrapper.file_name().unwrap_or_default().to_string_lossy();
    let own = wrapper.parent().and_then(Path::parent).filter(|dir| dir.is_absolute());
    // Open MPI's wrappers read their flags from a file, which may change while they stay.
    let prefixes = [Some(Path::new("/usr/share")), Some(Path::new("/etc"))].into_iter().flatten();
    for dir in prefixes.map(Path::to_owned).chain(own.map(|own| own.join("share"))) {
        let data = dir.join(format!("openmpi/{name}-wrapper-data.txt"));
        question = question.reads(data.to_string_lossy());
    }
    question
}

/// The words behind the compiler in the command that a wrapper tells.
fn words(said: &str) -> Option<Vec<String>> {
    let words = shlex::split(said.lines().next().unwrap_or_default())?;
    Some(words.get(1..)?.to_vec()).filter(|words| !words.is_empty())
}

/// The words of a compiler's command, sorted by what they are for.
fn read(words: &[String]) -> Settings {
    let mut settings = Settings::new();
    let mut words = words.iter().peekable();
    // For the linker, one after the other.
    let mut passed: Vec<&str> = Vec::new();
    while let Some(word) = words.next() {
        if word == "-Xlinker" {
            passed.extend(words.next().map(String::as_str));
            if words.peek().is_none_or(|next| *next != "-Xlinker") {
                settings = settings.link_flag(format!("-Wl,{}", passed.join(",")));
                passed.clear();
            }
            continue;
        }
        let (kind, own) = word.split_at(word.len().min(2));
        // The directory or name is in this word, or is the next one.
        let mut operand = || match own {
            "" => words.next().cloned().unwrap_or_default(),
            own => own.to_owned(),
        };
        settings = match kind {
            "-I" => settings.include_dir(operand()),
            "-L" => settings.lib_dir(operand()),
            "-l" => settings.lib(operand()),
            "-D" | "-U" => {
                let operand = operand();
                settings.compile_flag(format!("{kind}{operand}"))
            }
            _ if word == "-isystem" => match words.next() {
                Some(dir) => settings.include_dir(dir),
                None => settings,
            },
            _ if word == "-pthread" => settings.flag("-pthread"),
            _ if word.starts_with("-Wl,") => settings.link_flag(word.clone()),
            _ if is_library(word) => settings.lib(word.clone()),
            _ => settings,
        };
    }
    settings
}

/// Whether a word is a library by its path.
fn is_library(word: &str) -> bool {
    let name = word.rsplit('/').next().unwrap_or_default();
    word.starts_with('/') && (name.ends_with(".so") || name.ends_with(".a") || name.contains(".so."))
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

/// What a Fortran program links with, if it does: what the wrapper for Fortran beside the one for C adds, or else what C needs. A
/// wrapper elsewhere is of another installation. There need not be a Fortran compiler.
fn fortran(cx: &Cx<'_>, settings: &Settings, dir: Option<&Path>) -> Result<Option<Settings>, Failed> {
    if cx.probes().session().compiler(Language::Fortran).is_err() {
        return Ok(None);
    }
    let mut all = Vec::new();
    for wrapper in dir.iter().flat_map(|dir| ["mpifort", "mpif90"].map(|name| dir.join(name))) {
        let Some(found) = cx.want(&shows(&wrapper))? else { continue };
        let origin = Origin::Module(format!("the wrapper {}", wrapper.display()));
        all.extend(words(&found.said).map(|words| read(&words).asked_by(origin)));
    }
    all.push(settings.clone());
    let text = "program p\ninclude 'mpif.h'\ninteger :: ierr\ncall MPI_Init(ierr)\ncall MPI_Finalize(ierr)\nend program\n";
    for settings in all {
        let question = Link::new(Language::Fortran, text).with(&settings);
        if cx.want(&question.named(format!("MPI program (Fortran) {settings}")))?.is_some() {
            return Ok(Some(settings));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_wrapper_adds_is_sorted_and_nothing_of_it_is_lost() {
        let said = "gcc -O2 -I/m/include -isystem /m/sys -I /m/more -DM -pthread -L/m/lib -L /m/lib64 -Xlinker -rpath -Xlinker \
                    /m/lib -Wl,-z,now /m/lib/libmpi.so.12 /m/lib/libx.a x.o -lmpi -l m";
        let settings = read(&words(said).unwrap());
        let expected = "-DM -pthread -I/m/include -I/m/sys -I/m/more -Wl,-rpath,/m/lib -Wl,-z,now -L/m/lib -L/m/lib64 \
                        /m/lib/libmpi.so.12 /m/lib/libx.a -lmpi -lm";
        assert_eq!(settings.to_string(), expected);
        assert_eq!((words("gcc"), words("")), (None, None));
    }
}
