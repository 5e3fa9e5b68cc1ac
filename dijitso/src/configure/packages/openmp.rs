//! OpenMP.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::configure::{Auto, Cx, Failed, Module, Opt, Options};
use crate::probe::{CompilerFlag, FirstOf, Language, Link, Settings};

const OPENMP: Opt<Auto> = Opt::auto("with-openmp", Auto::Auto, "use OpenMP");

/// The flags of compilers, the usual ones first.
const FLAGS: [&str; 4] = ["-fopenmp", "-qopenmp", "-fopenmp=libomp", "-mp"];

/// OpenMP: the flag for C and C++, and for Fortran if there is a compiler that has it; effect and link were tested. It comes with the compiler: there is no place where it
/// might be installed, and nothing to download. With `--with-openmp=yes` a configuration without it fails.
///
/// BuildSystem: `config.packages.openmp`.
///
/// ```no_run
/// use dijitso::{configure::{Configure, OpenMp}, probe::Language};
///
/// # fn main() -> Result<(), dijitso::configure::Failed> {
/// let configuration = Configure::new("Demo").optional::<OpenMp>().run()?;
/// if let Some(openmp) = configuration.get::<OpenMp>() {
///     println!("{}", openmp.flags[&Language::C]);
/// }
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct OpenMp {
    /// The flag for compiler and link.
    pub flags: BTreeMap<Language, String>,
}

impl Module for OpenMp {
    const NAME: &'static str = "packages.openmp";

    fn options(options: &mut Options) {
        options.add(&OPENMP);
    }

    fn configure(cx: &Cx<'_>) -> Result<OpenMp, Failed> {
        match cx.get(&OPENMP)? {
            Auto::No => Err(cx.fail(format!("OpenMP is not wanted ({})", cx.origin(&OPENMP)?))),
            Auto::Yes => OpenMp::found(cx).map_err(|failed| failed.demanded()),
            Auto::Auto => OpenMp::found(cx),
        }
    }
}

/// Calls what a compiler without OpenMP takes for a comment.
const FORTRAN: &str = "program p\nuse omp_lib\nif (omp_get_max_threads() < 1) stop 1\nend program\n";

/// The flag that makes a compiler define what OpenMP demands.
fn accepted(language: Language) -> FirstOf<CompilerFlag> {
    FirstOf::new(FLAGS.map(|flag| CompilerFlag::new(flag).in_language(language).defines("_OPENMP")))
}

impl OpenMp {
    fn found(cx: &Cx<'_>) -> Result<OpenMp, Failed> {
        let mut flags = BTreeMap::new();
        let program = |language, settings: &Settings, flag: &str| {
            let body = "return omp_get_max_threads() > 0 ? 0 : 1;";
            let text = match language {
                Language::Fortran => Link::new(language, FORTRAN),
                _ => Link::body(language, "#include <omp.h>", body),
            };
            text.with(settings).named(format!("OpenMP program with {flag} ({language})"))
        };
        for language in [Language::C, Language::Cxx] {
            let (_, flag) = cx.need(&accepted(language))?;
            let settings = Settings::new().flag(flag.text.clone()).asked_by(flag.origin);
            cx.need(&program(language, &settings, &flag.text))?;
            cx.settings(Some(language), &settings);
            flags.insert(language, flag.text);
        }
        // A project without Fortran need not have it.
        let language = Language::Fortran;
        if cx.probes().session().compiler(language).is_ok()
            && let Some((_, flag)) = cx.want(&accepted(language))?
        {
            let settings = Settings::new().flag(flag.text.clone()).asked_by(flag.origin);
            if cx.want(&program(language, &settings, &flag.text))?.is_some() {
                cx.settings(Some(language), &settings);
                flags.insert(language, flag.text);
            }
        }
        cx.define("HAVE_OPENMP", true, "a program with OpenMP is linked");
        let all: Vec<String> = flags.iter().map(|(language, flag)| format!("{flag} ({language})")).collect();
        cx.summary("OpenMP", all.join(", "));
        Ok(OpenMp { flags })
    }
}
