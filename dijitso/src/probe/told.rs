//! What came of a trial: what is remembered, and what cards and logs are made of.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::job::PROGRAM;
use super::trial::Trial;
use super::verdict::{Evidence, Reason, first_error};
use crate::config::origin::Flag;

/// One program that was run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Step {
    pub(crate) command: String,
    /// Of the exit; a program that was ended by a signal has the signal's number, negative.
    pub(crate) status: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// What came of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Told {
    /// Whether every program that was run exited with 0.
    pub(crate) success: bool,
    pub(crate) steps: Vec<Step>,
    /// Of an object: the constants in it by name.
    pub(crate) values: BTreeMap<String, i64>,
    /// Of an object: the undefined symbols that each function refers to.
    pub(crate) undefined: BTreeMap<String, Vec<String>>,
    /// The macros that were asked for, as far as they are defined.
    pub(crate) macros: BTreeMap<String, String>,
}

/// Why nobody could say: what happened, and to which program.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) text: String,
    pub(crate) commands: Vec<String>,
    pub(crate) said: String,
}

impl From<String> for Problem {
    fn from(text: String) -> Problem {
        Problem { text, ..Problem::default() }
    }
}

impl From<&str> for Problem {
    fn from(text: &str) -> Problem {
        text.to_owned().into()
    }
}

impl Problem {
    pub(crate) fn reason(&self) -> Reason {
        let (commands, said) = (self.commands.clone(), self.said.clone());
        match commands.is_empty() {
            true => Reason::new(&self.text),
            false => Reason::with(&self.text, Evidence { commands, said, ..Evidence::default() }),
        }
    }
}

/// As much of what a program printed is kept. The first error and the last words are in it.
const KEPT: usize = 24 * 1024;

impl Told {
    /// What the last program printed, standard error first.
    pub(crate) fn said(&self) -> String {
        let Some(last) = self.steps.last() else { return String::new() };
        let mut text = last.stderr.clone();
        if text.trim().is_empty() {
            text.push_str(&last.stdout);
        }
        text
    }

    /// What the compiler printed as complaints, without what it was asked to print.
    pub(crate) fn complaints(&self) -> String {
        self.steps.iter().map(|step| step.stderr.as_str()).collect()
    }

    /// What the last program printed on its standard output.
    pub(crate) fn stdout(&self) -> &str {
        self.steps.last().map_or("", |step| &step.stdout)
    }

    pub(crate) fn status(&self) -> i32 {
        self.steps.last().map_or(0, |step| step.status)
    }

    pub(crate) fn first_error(&self) -> String {
        first_error(&self.said()).to_owned()
    }

    pub(crate) fn evidence(&self, trial: &Trial, flags: Vec<Flag>) -> Evidence {
        let texts = trial.units.iter().enumerate();
        Evidence {
            commands: self.steps.iter().map(|step| step.command.clone()).collect(),
            flags,
            status: self.steps.last().map(|step| step.status),
            said: self.said(),
            texts: texts.map(|(n, unit)| (trial.file(n), unit.text.clone())).collect(),
        }
    }

    /// Whether two answers to one question say the same: how long somebody took, and where, is no part of it.
    pub(crate) fn agrees(&self, other: &Told) -> bool {
        let shape = |told: &Told| {
            let steps = told.steps.iter();
            steps.map(|step| (step.status, step.stdout.clone(), step.stderr.clone())).collect::<Vec<_>>()
        };
        self.success == other.success
            && self.values == other.values
            && self.undefined == other.undefined
            && self.macros == other.macros
            && shape(self) == shape(other)
    }
}

/// What a program printed, as text, with `dir` as `.`.
pub(crate) fn whole(bytes: &[u8], dir: &str) -> String {
    String::from_utf8_lossy(bytes).replace(dir, ".")
}

/// What a program printed, as text that is no longer than anybody reads, with `dir` as `.`.
pub(crate) fn kept(bytes: &[u8], dir: &str) -> String {
    cut(whole(bytes, dir))
}

/// The same of a compiler or linker that ran in `dir`, without the names of its own files there. With link-time optimisation
/// a linker complains about `ccAbCdEf.ltrans0.ltrans.o`, which is another one each time: so no two logs would be the same,
/// and no two answers.
pub(crate) fn kept_of_compiler(bytes: &[u8], dir: &str) -> String {
    let text = String::from_utf8_lossy(bytes);
    let (mut out, mut rest) = (String::new(), &*text);
    while let Some((before, behind)) = rest.split_once(dir).filter(|_| !dir.is_empty()) {
        out.push_str(before);
        out.push('.');
        rest = behind;
        let Some(path) = behind.strip_prefix('/') else { continue };
        let is_part = |c: char| c.is_ascii_alphanumeric() || "_-+./".contains(c);
        let (path, behind) = path.split_at(path.find(|c| !is_part(c)).unwrap_or(path.len()));
        if !path.is_empty() && !is_of_trial(path) {
            let name = path.rsplit('/').next().unwrap_or_default();
            out.push_str("/temporary");
            out.push_str(name.find('.').map_or("", |at| &name[at..]));
            rest = behind;
        }
    }
    out.push_str(rest);
    cut(out)
}

/// Whether a trial has named it: `u0.c`, `u0.o`, `program`.
fn is_of_trial(path: &str) -> bool {
    let name = path.split(['/', '.']).next().unwrap_or_default();
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    name == PROGRAM || name.strip_prefix('u').is_some_and(is_number)
}

fn cut(text: String) -> String {
    if text.len() <= 2 * KEPT {
        return text;
    }
    let (mut head, mut tail) = (KEPT, text.len() - KEPT);
    while !text.is_char_boundary(head) {
        head -= 1;
    }
    while !text.is_char_boundary(tail) {
        tail += 1;
    }
    format!("{}\n[.. {} bytes omitted ..]\n{}", &text[..head], tail - head, &text[tail..])
}

/// The macros among `names` that a `-dM` listing defines.
pub(crate) fn macros_in(listing: &[u8], names: &[String]) -> BTreeMap<String, String> {
    let text = String::from_utf8_lossy(listing);
    let mut found = BTreeMap::new();
    for line in text.lines() {
        let Some(rest) = line.strip_prefix("#define ") else { continue };
        let end = rest.find([' ', '(']).unwrap_or(rest.len());
        let (name, value) = rest.split_at(end);
        if names.iter().any(|wanted| wanted == name) {
            found.insert(name.to_owned(), value.trim().to_owned());
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn macros_are_read_from_the_compilers_listing() {
        let names = ["A", "B", "F", "NO"].map(str::to_owned);
        let listing = b"#define A 1\n#define AB 2\n#define B\n#define F(x) x + 1\njunk\n";
        let found = macros_in(listing, &names);
        assert_eq!(found["A"], "1");
        assert_eq!(found["B"], "");
        assert_eq!(found["F"], "(x) x + 1");
        assert_eq!(found.len(), 3);
    }

    #[test]
    fn what_compilers_call_their_own_files_is_not_kept() {
        let said = b"/usr/bin/ld: /tmp/d/cckEzxHq.ltrans0.ltrans.o: in function `main':\n/tmp/d/u1-5fd8a4.s:15: Error\n\
            /tmp/d/icx9f/u0abc.o:u0.c:f, /tmp/d/ccXYZ12\n/tmp/d/u0.c:1: /tmp/d/u12.o /tmp/d/program /tmp/d/ /tmp/d\n";
        let kept = "/usr/bin/ld: ./temporary.ltrans0.ltrans.o: in function `main':\n./temporary.s:15: Error\n\
            ./temporary.o:u0.c:f, ./temporary\n./u0.c:1: ./u12.o ./program ./ .\n";
        assert_eq!(kept_of_compiler(said, "/tmp/d"), kept);
        assert_eq!(
            kept_of_compiler(b"u0.c:1:10: ./ccAbCdEf.h: none", "/tmp/d"),
            "u0.c:1:10: ./ccAbCdEf.h: none"
        );
    }

    #[test]
    fn what_is_kept_is_bounded_and_names_no_working_directory() {
        assert_eq!(kept(b"/tmp/d/u0.c:1: error", "/tmp/d"), "./u0.c:1: error");
        let long = kept("é".repeat(100_000).as_bytes(), "/tmp/d");
        assert!(long.len() < 3 * KEPT && long.contains("bytes omitted"));
    }
}
