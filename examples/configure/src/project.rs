//! The project's module: what it needs of a machine. Shared by the crate and its build script.

use dijitso::configure::{Auto, Blas, Cx, Failed, Module, Mpi, Opt, Options};
use dijitso::probe::{Language, Size};
use serde::{Deserialize, Serialize};

const PRECISION: Opt<String> = Opt::text("with-precision", "double", "single|double", "of scalars");
const SOLVER: Opt<Auto> = Opt::auto("with-solver", Auto::Auto, "build the solver, which needs BLAS");

/// What the project found.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Project {
    /// Bytes of an index and of a scalar.
    pub(crate) index: u64,
    pub(crate) scalar: u64,
    /// The libraries that there are.
    pub(crate) mpi: Option<String>,
    pub(crate) blas: Option<String>,
}

impl Module for Project {
    const NAME: &'static str = "project";

    fn options(options: &mut Options) {
        options.add(&PRECISION).add(&SOLVER).of::<Mpi>().of::<Blas>();
    }

    fn configure(cx: &Cx<'_>) -> Result<Project, Failed> {
        let scalar = if cx.get(&PRECISION)? == "single" { "float" } else { "double" };
        let (index, bytes) =
            cx.all((Size::new("ptrdiff_t").after("stddef.h"), Size::new(scalar).in_language(Language::Cxx)));
        let (Some(index), Some(bytes)) = (index.yes(), bytes.yes()) else {
            return Err(cx.fail("the compilers tell no sizes"));
        };
        cx.typedef("project_scalar", scalar, "as --with-precision says");
        cx.define("SIZEOF_INDEX", index.to_string(), "bytes of an index");
        cx.define("SIZEOF_SCALAR", bytes.to_string(), "bytes of a scalar");
        let blas = match cx.get(&SOLVER)? {
            Auto::No => None,
            Auto::Yes => Some(cx.require::<Blas>()?),
            Auto::Auto => cx.optional::<Blas>()?,
        };
        let mpi = cx.optional::<Mpi>()?;
        match blas {
            Some(_) => cx.define("HAVE_SOLVER", "1", "BLAS is there"),
            None => cx.undefine("HAVE_SOLVER", "there is no BLAS, or the solver is not wanted"),
        }
        let settings = |settings: Option<String>| settings.unwrap_or_default();
        let blas = blas.map(|blas| blas.settings.to_string());
        let mpi = mpi.map(|mpi| mpi.settings.to_string());
        cx.make_macro(
            "PROJECT_LIBS",
            format!("{} {}", settings(blas.clone()), settings(mpi.clone())),
            "all libraries",
        );
        cx.summary("Sizes", format!("index {index}, scalar {bytes}"));
        Ok(Project { index, scalar: bytes, mpi, blas })
    }
}
