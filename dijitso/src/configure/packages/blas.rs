//! BLAS and LAPACK.

use serde::{Deserialize, Serialize};

use super::{BuildWith, Candidates, PackageOptions, Recipe};
use crate::configure::{Cx, Failed, Module, Options};
use crate::probe::{Function, Naming, Settings, Verdict};

const OPTIONS: PackageOptions = crate::package_options!("blas");

/// Sets of libraries, the faster ones first.
const LIBS: &[&[&str]] = &[
    &["openblas"],
    &["flexiblas"],
    &["blis", "lapack"],
    &["lapack", "blas"],
    &["blas"],
    &["lapack", "satlas"],
];

/// BLAS, and LAPACK if the same libraries have it.
///
/// BuildSystem: `config.packages.BlasLapack`.
///
/// ```no_run
/// use dijitso::configure::{Blas, Configure};
///
/// # fn main() -> Result<(), dijitso::configure::Failed> {
/// let configuration = Configure::new("Demo").with::<Blas>().run()?;
/// let blas = configuration.get::<Blas>().unwrap();
/// println!("{} calls it {}", blas.settings, blas.naming.name("dgemm"));
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Blas {
    /// What to link with.
    pub settings: Settings,
    /// How C names its functions.
    pub naming: Naming,
    /// Whether LAPACK is in it.
    pub lapack: bool,
    /// Where it was found.
    pub from: String,
}

impl Module for Blas {
    const NAME: &'static str = "packages.blas";

    fn options(all: &mut Options) {
        OPTIONS.add_to(all);
    }

    fn configure(cx: &Cx<'_>) -> Result<Blas, Failed> {
        // OpenBLAS, and the reference that has the name of LAPACK, are built so.
        let recipe = Recipe::without_tarball("blas", BuildWith::CMake).argument("-DBUILD_SHARED_LIBS=ON");
        let candidates = Candidates::of(cx, &OPTIONS, LIBS)?
            .of_pkg_config(cx, &["openblas", "flexiblas", "blas"])
            .of_cmake(&["OpenBLAS", "LAPACK"])
            .of_environment(&["OPENBLAS_ROOT", "BLAS_ROOT", "BLAS_DIR"], LIBS)
            .of_system(LIBS)
            .of_download(cx, &OPTIONS, &recipe, LIBS)?;
        let (from, settings, (naming, lapack)) = candidates.choose(cx, |settings| test(cx, settings))?;
        cx.settings(None, &settings);
        cx.define("HAVE_BLAS", true, &format!("BLAS is taken from {from}"));
        match lapack {
            true => cx.define("HAVE_LAPACK", true, "the same libraries have LAPACK"),
            false => cx.undefine("HAVE_LAPACK", "the libraries of BLAS do not have LAPACK"),
        }
        cx.make_words("BLAS_LIB", settings.words().map(|flag| flag.text), "BLAS, and perhaps LAPACK");
        cx.summary("BLAS", format!("{settings} (from {from}{})", if lapack { ", with LAPACK" } else { "" }));
        Ok(Blas { settings, naming, lapack, from })
    }
}

/// Products of vectors and of matrices must be there by one of the usual names.
fn test(cx: &Cx<'_>, settings: &Settings) -> Verdict<(Naming, bool)> {
    let namings = [Naming::Underscore, Naming::Unchanged, Naming::Capitals];
    let mut last = None;
    for naming in namings {
        let function = |name: &str| Function::new(naming.name(name)).with(settings);
        let (dot, product, lapack) = cx.all((function("ddot"), function("dgemm"), function("dgetrf")));
        match (dot, product) {
            (Verdict::Yes(()), Verdict::Yes(())) => {
                return match lapack {
                    Verdict::Unknown(reason) => Verdict::Unknown(reason),
                    lapack => Verdict::Yes((naming, lapack.is_yes())),
                };
            }
            (Verdict::Unknown(reason), _) | (_, Verdict::Unknown(reason)) => return Verdict::Unknown(reason),
            (Verdict::No(reason), _) | (_, Verdict::No(reason)) => {
                last.get_or_insert(reason);
            }
        }
    }
    match last {
        Some(reason) => Verdict::No(reason),
        None => Verdict::No(crate::probe::Reason::new("no name was tried")),
    }
}
