//! The project's modules: what it needs of a machine. Shared by the crate and its build script.

use dijitso::configure::{Auto, Blas, Cx, Failed, Module, Mpi, Opt, Options};
use dijitso::probe::{Language, Size};
use serde::{Deserialize, Serialize};

const PRECISION: Opt<String> = Opt::text("with-precision", "double", "single|double", "of scalars");
const SOLVER: Opt<Auto> = Opt::auto("with-solver", Auto::Auto, "build the solver, which needs BLAS");

/// The types of the project.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Types {
    /// Bytes of an index and of a scalar.
    pub(crate) index: u64,
    pub(crate) scalar: u64,
}

impl Module for Types {
    const NAME: &'static str = "project.types";

    fn options(options: &mut Options) {
        options.add(&PRECISION);
    }

    fn configure(cx: &Cx<'_>) -> Result<Types, Failed> {
        let name = if cx.get(&PRECISION)? == "single" { "float" } else { "double" };
        let index = cx.need(&Size::new("ptrdiff_t").after("stddef.h"))?;
        let scalar = cx.need(&Size::new(name).in_language(Language::Cxx))?;
        cx.typedef("project_scalar", name, "as --with-precision says");
        cx.define("SIZEOF_INDEX", index, "bytes of an index");
        cx.define("SIZEOF_SCALAR", scalar, "bytes of a scalar");
        cx.summary("Sizes", format!("index {index}, scalar {scalar}"));
        Ok(Types { index, scalar })
    }
}

/// What the project found.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Project {
    /// The libraries that there are.
    pub(crate) mpi: Option<String>,
    pub(crate) blas: Option<String>,
}

impl Module for Project {
    const NAME: &'static str = "project";

    fn options(options: &mut Options) {
        options.add(&SOLVER).of::<Types>().of::<Mpi>().of::<Blas>();
    }

    fn configure(cx: &Cx<'_>) -> Result<Project, Failed> {
        let types = cx.require::<Types>()?;
        // `require` where the project cannot do without; `optional` where it can.
        let blas = match cx.get(&SOLVER)? {
            Auto::No => None,
            Auto::Yes => Some(cx.require::<Blas>()?),
            Auto::Auto => cx.optional::<Blas>()?,
        };
        let mpi = cx.optional::<Mpi>()?;
        match blas {
            Some(_) => cx.define("HAVE_SOLVER", true, "BLAS is there"),
            None => cx.undefine("HAVE_SOLVER", "there is no BLAS, or the solver is not wanted"),
        }
        let (blas, mpi) = (blas.map(|blas| blas.settings.clone()), mpi.map(|mpi| mpi.settings.clone()));
        let all = blas.clone().unwrap_or_default().and(&mpi.clone().unwrap_or_default());
        cx.make_words("PROJECT_LIBS", all.words().map(|flag| flag.text), "all libraries");
        cx.make_macro("PROJECT_SCALAR_BYTES", types.scalar.to_string(), "as --with-precision says");
        cx.make_rule("check", &["all"], &["./check $(PROJECT_SCALAR_BYTES)"]);
        cx.metadata("scalar_bytes", types.scalar.to_string());
        Ok(Project { mpi: mpi.map(|mpi| mpi.to_string()), blas: blas.map(|blas| blas.to_string()) })
    }
}
