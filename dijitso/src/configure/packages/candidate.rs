//! One candidate for a package, and what it comes to when it is its turn.

use std::path::{Path, PathBuf};

use super::build::{Recipe, built, origin};
use super::places::{below, own_multiarch};
use crate::config::origin::Origin;
use crate::configure::Cx;
use crate::configure::failed::Failed;
use crate::probe::{CMakePackage, Question as _, Settings, Verdict};

/// Where a package may be.
#[derive(Debug)]
pub(super) enum Candidate {
    Ready(String, Settings),
    /// An installation directory that somebody named.
    Below {
        from: String,
        dir: PathBuf,
        libs: Vec<Vec<String>>,
        origin: Origin,
        with: Settings,
    },
    /// The same in a variable of the environment.
    Variable(String, Vec<Vec<String>>),
    CMake(CMakePackage),
    Build(Recipe, Vec<Vec<String>>),
    /// With the reason.
    Refused(String, String),
}

/// What was refused, each with the reason.
#[derive(Debug, Default)]
pub(super) struct Refused(Vec<(String, String)>);

impl Refused {
    pub(super) fn add(&mut self, from: impl Into<String>, why: impl Into<String>) {
        self.0.push((from.into(), why.into()));
    }

    pub(super) fn take(&mut self) -> Vec<(String, String)> {
        std::mem::take(&mut self.0)
    }
}

impl Candidate {
    /// What there is to test: nothing, if it is refused.
    ///
    /// # Errors
    /// Nobody can say, or it was to be built, and that failed.
    pub(super) fn comes_to(
        self,
        cx: &Cx<'_>,
        refused: &mut Refused,
    ) -> Result<Vec<(String, Settings)>, Failed> {
        match self {
            Candidate::Ready(from, settings) => Ok(vec![(from, settings)]),
            Candidate::Below { from, dir, libs, origin, with } => {
                let found = installed(cx, &from, &dir, &libs, &origin, refused);
                Ok(found.into_iter().map(|(from, settings)| (from, with.clone().and(&settings))).collect())
            }
            Candidate::Variable(name, libs) => {
                let Some(dir) = cx.reads_variable(&name).filter(|dir| !dir.is_empty()) else {
                    return Ok(Vec::new());
                };
                let origin = Origin::Environment(name.clone());
                Ok(installed(cx, &name, Path::new(&dir), &libs, &origin, refused))
            }
            Candidate::CMake(package) => {
                package.variables().iter().for_each(|name| drop(cx.reads_variable(name)));
                let from = package.describe();
                match cx.ask(&package) {
                    Verdict::Yes(found) => {
                        cx.reads_file(&found.config);
                        Ok(vec![(format!("{from} {}", found.version).trim_end().to_owned(), found.settings)])
                    }
                    Verdict::No(reason) => {
                        package.looked_into().iter().for_each(|dir| cx.looks_into(dir));
                        refused.add(from, reason.to_string());
                        Ok(Vec::new())
                    }
                    Verdict::Unknown(reason) => Err(Failed::of_question(from, reason, true)),
                }
            }
            Candidate::Build(recipe, libs) => {
                let work = built(cx, &recipe, cx.probes().session().jobs())?;
                let found = below(&work.prefix, &libs, &own_multiarch(cx), &origin(&recipe, &work));
                if found.is_empty() {
                    let why =
                        format!("it was built, and none of its libraries is in {}", work.prefix.display());
                    refused.add("to build it", why);
                }
                Ok(found)
            }
            Candidate::Refused(from, why) => {
                refused.add(from, why);
                Ok(Vec::new())
            }
        }
    }
}

/// What is in a directory that somebody named.
fn installed(
    cx: &Cx<'_>,
    from: &str,
    dir: &Path,
    libs: &[Vec<String>],
    origin: &Origin,
    refused: &mut Refused,
) -> Vec<(String, Settings)> {
    cx.looks_into(dir);
    let found = below(dir, libs, &own_multiarch(cx), origin);
    if found.is_empty() {
        let names: Vec<String> = libs.iter().map(|names| names.join(" ")).collect();
        let why = format!("there is nothing of it in {} ({})", dir.display(), names.join(", "));
        refused.add(from, why);
    }
    found
}
