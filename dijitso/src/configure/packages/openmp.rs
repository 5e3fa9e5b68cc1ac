//! OpenMP.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::configure::{Auto, Cx, Failed, Module, Opt, Options};
use crate::probe::{CompilerFlag, FirstOf, Language, Link, Settings};

const OPENMP: Opt<Auto> = Opt::auto("with-openmp", Auto::Auto, "use OpenMP");

/// The flags of compilers, the usual ones first.
const FLAGS: [&str; 4] = ["-fopenmp", "-qopenmp", "-fopenmp=libomp", "-mp"];

/// OpenMP: the flag for each language, whose effect and link were tested. It comes with the compiler: there is no place where it
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

impl OpenMp {
    fn found(cx: &Cx<'_>) -> Result<OpenMp, Failed> {
        let mut flags = BTreeMap::new();
        for language in [Language::C, Language::Cxx] {
            let accepted = FirstOf::new(
                FLAGS.map(|flag| CompilerFlag::new(flag).in_language(language).defines("_OPENMP")),
            );
            let (_, flag) = cx.need(&accepted)?;
            let settings = Settings::new().flag(flag.text.clone()).asked_by(flag.origin);
            let body = "return omp_get_max_threads() > 0 ? 0 : 1;";
            let text = Link::body(language, "#include <omp.h>", body).with(&settings);
            cx.need(&text.named(format!("OpenMP program with {} ({language})", flag.text)))?;
            cx.settings(Some(language), &settings);
            flags.insert(language, flag.text);
        }
        cx.define("HAVE_OPENMP", true, "a program with OpenMP is linked");
        let all: Vec<String> = flags.iter().map(|(language, flag)| format!("{flag} ({language})")).collect();
        cx.summary("OpenMP", all.join(", "));
        Ok(OpenMp { flags })
    }
}
