//! The three answers there are: yes, no, and "nobody could say".
//!
//! A compiler that was killed, a full disk, a licence server that is down: none of these is a No. Other systems take
//! each for one, write it into their cache, and a feature is missing from then on.

use std::fmt;
use std::sync::Arc;

use crate::config::origin::Flag;

/// The answer to a question.
///
/// BuildSystem answers with a Boolean, or raises an exception; what it could not find out counts as false.
///
/// ```
/// use dijitso::probe::Verdict;
///
/// let verdict: Verdict<u64> = Verdict::Yes(8);
/// assert!(verdict.is_yes());
/// assert_eq!(verdict.yes(), Some(8));
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub enum Verdict<T> {
    /// It is so, and this is what was asked for.
    Yes(T),
    /// It is not so: the compiler was asked, and could do what it must be able to do in any case.
    No(Reason),
    /// Nobody could say: the machine was in trouble, not the question. Never remembered.
    Unknown(Reason),
}

impl<T> Verdict<T> {
    /// Whether it is a yes.
    ///
    /// ```
    /// assert!(dijitso::probe::Verdict::Yes(()).is_yes());
    /// ```
    pub fn is_yes(&self) -> bool {
        matches!(self, Verdict::Yes(_))
    }

    /// Whether it is a no; what nobody could say is none.
    ///
    /// ```
    /// assert!(!dijitso::probe::Verdict::Yes(()).is_no());
    /// ```
    pub fn is_no(&self) -> bool {
        matches!(self, Verdict::No(_))
    }

    /// What was asked for, if it is a yes.
    ///
    /// ```
    /// assert_eq!(dijitso::probe::Verdict::Yes(8).yes(), Some(8));
    /// ```
    pub fn yes(self) -> Option<T> {
        match self {
            Verdict::Yes(answer) => Some(answer),
            _ => None,
        }
    }

    /// Why it is no yes.
    ///
    /// ```
    /// assert!(dijitso::probe::Verdict::Yes(8).reason().is_none());
    /// ```
    pub fn reason(&self) -> Option<&Reason> {
        match self {
            Verdict::Yes(_) => None,
            Verdict::No(reason) | Verdict::Unknown(reason) => Some(reason),
        }
    }

    /// What was asked for, else the reason.
    ///
    /// # Errors
    /// It is no yes.
    ///
    /// ```
    /// assert_eq!(dijitso::probe::Verdict::Yes(8).ok().unwrap(), 8);
    /// ```
    pub fn ok(self) -> Result<T, Reason> {
        match self {
            Verdict::Yes(answer) => Ok(answer),
            Verdict::No(reason) | Verdict::Unknown(reason) => Err(reason),
        }
    }

    /// Makes another answer of a yes.
    ///
    /// ```
    /// assert_eq!(dijitso::probe::Verdict::Yes(8).map(|bytes| bytes * 8).yes(), Some(64));
    /// ```
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Verdict<U> {
        match self {
            Verdict::Yes(answer) => Verdict::Yes(f(answer)),
            Verdict::No(reason) => Verdict::No(reason),
            Verdict::Unknown(reason) => Verdict::Unknown(reason),
        }
    }

    /// `yes`, `no`, `unknown`.
    ///
    /// ```
    /// assert_eq!(dijitso::probe::Verdict::Yes(8).word(), "yes");
    /// ```
    pub fn word(&self) -> &'static str {
        match self {
            Verdict::Yes(_) => "yes",
            Verdict::No(_) => "no",
            Verdict::Unknown(_) => "unknown",
        }
    }
}

/// Why an answer is no yes.
///
/// ```no_run
/// use dijitso::probe::{Header, Probes};
///
/// # fn main() -> dijitso::Result<()> {
/// let probes = Probes::builder().build()?;
/// if let Some(reason) = probes.ask(&Header::new("mpi.h")).reason() {
///     println!("{reason}\n{}", reason.commands().join("\n"));
/// }
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct Reason {
    text: String,
    evidence: Option<Arc<Evidence>>,
    /// Candidates that will not do, with why not.
    tried: Arc<[(String, String)]>,
}

/// What was done to find out, and what came of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Evidence {
    /// In the order in which they ran; the last one decided.
    pub(crate) commands: Vec<String>,
    /// The flags in them, with who asked for each.
    pub(crate) flags: Vec<Flag>,
    /// How the last one ended.
    pub(crate) status: Option<i32>,
    /// What the last one printed.
    pub(crate) said: String,
    /// The texts that were asked about, by file name.
    pub(crate) texts: Vec<(String, String)>,
}

impl Reason {
    pub(crate) fn new(text: impl Into<String>) -> Reason {
        Reason { text: text.into(), evidence: None, tried: Arc::default() }
    }

    pub(crate) fn with(text: impl Into<String>, evidence: Evidence) -> Reason {
        Reason { evidence: Some(Arc::new(evidence)), ..Reason::new(text) }
    }

    /// The same evidence, in other words.
    pub(crate) fn because(&self, text: impl Into<String>) -> Reason {
        Reason { text: text.into(), ..self.clone() }
    }

    /// The same, which came of trying all these.
    pub(crate) fn after_trying(self, tried: Vec<(String, String)>) -> Reason {
        Reason { tried: tried.into(), ..self }
    }

    pub(crate) fn tried(&self) -> &[(String, String)] {
        &self.tried
    }

    pub(crate) fn evidence(&self) -> Option<&Evidence> {
        self.evidence.as_deref()
    }

    /// The commands that were run to find out; none if it took none.
    ///
    /// ```no_run
    /// # fn f(reason: dijitso::probe::Reason) {
    /// println!("{}", reason.commands().join("\n"));
    /// # }
    /// ```
    pub fn commands(&self) -> &[String] {
        self.evidence.as_ref().map_or(&[], |evidence| &evidence.commands)
    }

    /// How the last command ended, which decided: the status of its exit, or the number of the signal that ended it,
    /// negative; `None` if nothing was run. BuildSystem: the third part of what `outputCompile` and `outputLink` return,
    /// which of a yes is 0.
    ///
    /// ```no_run
    /// # fn f(reason: dijitso::probe::Reason) {
    /// println!("{:?}", reason.status());
    /// # }
    /// ```
    pub fn status(&self) -> Option<i32> {
        self.evidence.as_ref().and_then(|evidence| evidence.status)
    }

    /// What the compiler, the linker or the program said.
    ///
    /// ```no_run
    /// # fn f(reason: dijitso::probe::Reason) {
    /// eprintln!("{}", reason.said());
    /// # }
    /// ```
    pub fn said(&self) -> &str {
        self.evidence.as_ref().map_or("", |evidence| &evidence.said)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The first line that says what is wrong, else the first line at all.
pub(crate) fn first_error(said: &str) -> &str {
    let lines = || said.lines().map(str::trim).filter(|line| !line.is_empty());
    let marks = [
        "error:",
        "Error:",
        "undefined reference",
        "undefined symbol",
        "cannot find",
        "error adding symbols",
        "file in wrong format",
        "incompatible with",
    ];
    // The driver's word that the linker failed says nothing about why.
    let tells = |line: &&str| !line.contains("ld returned ") && !line.contains("linker command failed");
    // A linker begins with the place, and says what is wrong in the next line.
    let marked = lines().filter(tells).find(|line| marks.iter().any(|mark| line.contains(mark)));
    marked.or_else(|| lines().find(tells)).or(lines().next()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_error_is_found_behind_places_and_warnings() {
        let said =
            "In file included from a.c:1:\n\na.c:1:2: warning: x\na.c:3:1: error: y\na.c:4:1: error: z\n";
        assert_eq!(first_error(said), "a.c:3:1: error: y");
        let said = "/usr/bin/ld: a.o: in function `main':\na.c:(.text+0x5): undefined reference to `f'\n";
        assert_eq!(first_error(said), "a.c:(.text+0x5): undefined reference to `f'");
        let said = "/usr/bin/ld: x.o: Relocations in generic ELF\n/usr/bin/ld: x.o: error adding symbols: file in wrong format\n\
                    collect2: error: ld returned 1 exit status\n";
        assert_eq!(first_error(said), "/usr/bin/ld: x.o: error adding symbols: file in wrong format");
        let said = "/usr/bin/ld: unrecognized option '--x'\ncollect2: error: ld returned 1 exit status\n";
        assert_eq!(first_error(said), "/usr/bin/ld: unrecognized option '--x'");
        assert_eq!(first_error("what\never"), "what");
        assert_eq!(first_error("\n"), "");
    }

    #[test]
    fn what_nobody_could_say_is_neither_yes_nor_no() {
        let unknown: Verdict<()> = Verdict::Unknown(Reason::new("the disk is full"));
        assert!(!unknown.is_yes() && !unknown.is_no());
        assert_eq!(unknown.reason().unwrap().to_string(), "the disk is full");
        assert_eq!(unknown.clone().map(|()| 1).word(), "unknown");
        assert!(unknown.ok().is_err());
    }
}
