//! Whether a program is there, and of which version.

use std::cmp::Ordering;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{Knowledge, Question, Sealed, Stop, Verdict};
use crate::probe::settings::absolute;
use crate::probe::verdict::{Evidence, Reason};

/// Whether a program is on `PATH`, and says that it has some version.
///
/// It is run with `--version`, in an environment that has `PATH` and `LD_LIBRARY_PATH` and nothing else. One that crashes, or
/// fails without saying which version it is, is a no. What a script says is remembered only if the question tells
/// what that depends on ([`reads`](Self::reads)): a script may start anything.
///
/// BuildSystem: `getExecutable`, and `programs`.
///
/// ```no_run
/// use dijitso::probe::{Probes, Program};
///
/// # fn f(probes: &Probes) {
/// if let Some(cmake) = probes.ask(&Program::new("cmake").at_least("3.16")).yes() {
///     println!("{} {}", cmake.path.display(), cmake.version);
/// }
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct Program {
    names: Vec<String>,
    args: Vec<String>,
    at_least: Option<String>,
    reads: Vec<String>,
}

/// A program that is there.
///
/// ```
/// let said = "GNU Make 4.3\n".to_owned();
/// let found = dijitso::probe::Found { path: "/usr/bin/make".into(), version: "4.3".to_owned(), said };
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// Where.
    pub path: PathBuf,
    /// The first thing that looks like a version in what it said; empty if nothing does.
    pub version: String,
    /// What it printed.
    pub said: String,
}

impl Program {
    /// A program by its name or path; a relative path is one from the working directory.
    ///
    /// ```
    /// let question = dijitso::probe::Program::new("make");
    /// ```
    pub fn new(name: impl Into<String>) -> Program {
        Program::any([name])
    }

    /// The first of several.
    ///
    /// ```
    /// let question = dijitso::probe::Program::any(["gmake", "make"]);
    /// ```
    pub fn any<N: Into<String>>(names: impl IntoIterator<Item = N>) -> Program {
        // The working directory of the moment is meant.
        let path = |name: String| if name.contains('/') { absolute(Path::new(&name)) } else { name };
        let names = names.into_iter().map(Into::into).map(path).collect();
        Program { names, args: vec!["--version".to_owned()], at_least: None, reads: Vec::new() }
    }

    /// What makes it tell its version, if that is not `--version`; nothing at all: it is not run.
    ///
    /// ```
    /// let question = dijitso::probe::Program::new("ssh").args(["-V"]);
    /// ```
    pub fn args<A: Into<String>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.args = args.into_iter().map(Into::into).collect();
        self
    }

    /// A file that decides what it says, if it is there: it is asked again when that changes. Of a script that starts another
    /// program, that program.
    ///
    /// ```
    /// let question = dijitso::probe::Program::new("mpicc").reads("/etc/openmpi/mpicc-wrapper-data.txt");
    /// ```
    pub fn reads(mut self, path: impl Into<String>) -> Self {
        self.reads.push(absolute(Path::new(&path.into())));
        self
    }

    /// It must not be older than this.
    ///
    /// ```
    /// let question = dijitso::probe::Program::new("cmake").at_least("3.16");
    /// ```
    pub fn at_least(mut self, version: impl Into<String>) -> Self {
        self.at_least = Some(version.into());
        self
    }

    fn candidate(&self, known: &mut Knowledge<'_>, name: &str) -> Result<Verdict<Found>, Stop> {
        let args: Vec<&str> = self.args.iter().map(String::as_str).collect();
        let called = known.call(name, &args, &self.reads)?;
        let Some(path) = &called.path else {
            return Ok(Verdict::No(Reason::new(format!("{name} is {}", called.why))));
        };
        let said = format!("{}\n{}", called.step.stdout, called.step.stderr);
        let evidence = || Evidence {
            commands: vec![called.step.command.clone()],
            said: said.clone(),
            ..Evidence::default()
        };
        let version = version_in(&said).unwrap_or_default().to_owned();
        let status = called.step.status;
        if status < 0 {
            let text = format!("{path} crashed: it was ended by signal {}", -status);
            return Ok(Verdict::No(Reason::with(text, evidence())));
        }
        // Those that do not know the question still print what they are.
        if status > 0 && version.is_empty() {
            let text = format!("{path} exits with status {status} and does not say which version it is");
            return Ok(Verdict::No(Reason::with(text, evidence())));
        }
        if let Some(wanted) = &self.at_least {
            if version.is_empty() {
                let text = format!("{path} does not say which version it is");
                return Ok(Verdict::No(Reason::with(text, evidence())));
            }
            if compare_versions(&version, wanted) == Ordering::Less {
                let text = format!("{path} is of version {version}, and at least {wanted} is needed");
                return Ok(Verdict::No(Reason::with(text, evidence())));
            }
        }
        Ok(Verdict::Yes(Found { path: path.into(), version, said: called.step.stdout.clone() }))
    }
}

impl Sealed for Program {}

impl Question for Program {
    type Answer = Found;

    fn describe(&self) -> String {
        let least =
            self.at_least.as_ref().map(|version| format!(" of at least {version}")).unwrap_or_default();
        format!("program {}{least}", self.names.join(" or "))
    }

    fn evaluate(&self, known: &mut Knowledge<'_>) -> Result<Verdict<Found>, Stop> {
        let asked: Vec<_> = self.names.iter().map(|name| self.candidate(known, name)).collect();
        let mut refused = Vec::new();
        for (verdict, name) in asked.into_iter().zip(&self.names) {
            match verdict? {
                Verdict::No(reason) => refused.push((name.clone(), reason)),
                other => return Ok(other),
            }
        }
        Ok(Verdict::No(super::first_of::none(refused)))
    }

    fn show(found: &Found) -> String {
        format!("{} {}", found.path.display(), found.version).trim_end().to_owned()
    }
}

/// The first word that has digits with dots between them.
pub(crate) fn version_in(said: &str) -> Option<&str> {
    let words = said.split(|c: char| c.is_whitespace() || "(),;".contains(c));
    let stripped = words.map(|word| word.trim_start_matches(['v', 'V']));
    stripped
        .filter_map(|word| {
            let end = word.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(word.len());
            let number = word[..end].trim_end_matches('.');
            let is_version = number.starts_with(|c: char| c.is_ascii_digit()) && number.contains('.');
            is_version.then_some(number)
        })
        .next()
}

/// By their numbers: 3.10 is newer than 3.9.
pub(crate) fn compare_versions(one: &str, two: &str) -> Ordering {
    let numbers = |text: &str| -> Vec<u64> {
        text.split(['.', '-', '_'])
            .map(|part| {
                let digits = part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len());
                part[..digits].parse().unwrap_or(0)
            })
            .collect()
    };
    let (mut one, mut two) = (numbers(one), numbers(two));
    let len = one.len().max(two.len());
    one.resize(len, 0);
    two.resize(len, 0);
    one.cmp(&two)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_found_in_what_programs_say() {
        assert_eq!(version_in("cmake version 3.25.1\n\nCMake suite"), Some("3.25.1"));
        assert_eq!(version_in("GNU Make 4.3\nBuilt for x86_64"), Some("4.3"));
        assert_eq!(version_in("gcc (Debian 12.2.0-14) 12.2.0"), Some("12.2.0"));
        assert_eq!(version_in("go version go1.2 v1.19.8"), Some("1.19.8"));
        assert_eq!(version_in("usage: x"), None);
    }

    #[test]
    fn versions_are_compared_by_their_numbers() {
        assert_eq!(compare_versions("3.10", "3.9"), Ordering::Greater);
        assert_eq!(compare_versions("3.9.0", "3.9"), Ordering::Equal);
        assert_eq!(compare_versions("2.0-rc1", "2.0.1"), Ordering::Less);
    }
}
