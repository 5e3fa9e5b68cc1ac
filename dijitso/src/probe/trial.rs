//! What is put to a compiler, as plain data: everything that decides the answer, and nothing else.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::settings::Settings;
use crate::cache::asked_in;
use crate::config::origin::Flag;
use crate::toolchain::Language;

/// How far a text is taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Goal {
    /// What the preprocessor makes of it.
    Preprocess,
    /// The macros that are defined at its end: these.
    Macros(Vec<String>),
    Compile,
    /// Compiled, and the object looked into: see [`super::object`].
    Object,
    Link,
    /// Linked, and the object looked into.
    Fused,
    /// Linked and run, with these arguments and variables of the environment.
    Run {
        args: Vec<String>,
        variables: Vec<String>,
    },
}

impl Goal {
    pub(crate) fn links(&self) -> bool {
        matches!(self, Goal::Link | Goal::Fused | Goal::Run { .. })
    }
}

/// One text.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Unit {
    pub(crate) language: Language,
    pub(crate) text: String,
}

/// Texts, taken as far as the goal says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Trial {
    pub(crate) goal: Goal,
    /// One for each object; of a goal that does not link only the first.
    pub(crate) units: Vec<Unit>,
    /// Whose driver links.
    pub(crate) linker: Language,
    pub(crate) settings: Settings,
    /// More flags for the compiler, which are ours and nobody's setting.
    pub(crate) extra: Vec<String>,
    /// More words for the link.
    pub(crate) link_extra: Vec<String>,
    /// Whether it matters what a text has read that does not compile.
    pub(crate) traced: bool,
    /// Of a run: where the program is put instead of being run.
    pub(crate) keep_program: Option<PathBuf>,
    /// What the user calls it, for messages.
    pub(crate) name: Option<String>,
}

/// A program on PATH, and what it says.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Call {
    pub(crate) program: String,
    pub(crate) args: Vec<String>,
    /// Files, if they are there, that decide what it says.
    pub(crate) reads: Vec<String>,
}

impl Trial {
    pub(crate) fn new(goal: Goal, language: Language, text: impl Into<String>, settings: &Settings) -> Trial {
        let settings = if goal.links() { settings.clone() } else { settings.of_compile() };
        let text = text.into();
        Trial {
            goal,
            units: vec![Unit { language, text }],
            linker: language,
            settings,
            extra: Vec::new(),
            link_extra: Vec::new(),
            traced: true,
            keep_program: None,
            name: None,
        }
    }

    pub(crate) fn languages(&self) -> Vec<Language> {
        let mut all: Vec<Language> = self.units.iter().map(|unit| unit.language).collect();
        if self.goal.links() {
            all.push(self.linker);
        }
        all.sort();
        all.dedup();
        all
    }

    /// Whether its texts, or any of all the words that its compilers are given, make these read anything else.
    pub(crate) fn reads_headers<'f>(&self, mut words: impl Iterator<Item = &'f Flag>) -> bool {
        let reads = |text: &str| {
            let text = text.to_ascii_lowercase();
            ["include", "use", "import", "embed"].iter().any(|word| text.contains(word))
        };
        let forces = |text: &str| {
            ["-i", "--include", "--imacros", "-Wp,", "@"].iter().any(|start| text.starts_with(start))
        };
        self.units.iter().any(|unit| reads(&unit.text)) || words.any(|flag| forces(&flag.text))
    }

    /// The name of a unit's file.
    pub(crate) fn file(&self, unit: usize) -> String {
        format!("u{unit}.{}", self.units[unit].language.extension())
    }
}

/// What a text may make a compiler look for, as far as no list of what was read says so.
pub(crate) fn asked_by(unit: &Unit, include_dirs: &[&str]) -> Vec<String> {
    let mut names = asked_in(unit.text.as_bytes());
    if unit.language == Language::Fortran {
        for line in unit.text.lines().map(str::trim_start) {
            if let Some(module) = module_used(line) {
                // No list of what was read names modules.
                names.extend(include_dirs.iter().map(|dir| format!("{dir}/{module}.mod")));
            }
            names.extend(file_included(line));
        }
    } else {
        names.extend(unit.text.lines().filter_map(header_included));
    }
    names.sort();
    names.dedup();
    names
}

fn header_included(line: &str) -> Option<String> {
    let rest = line.trim_start().strip_prefix('#')?.trim_start().strip_prefix("include")?.trim_start();
    let close = match rest.chars().next()? {
        '<' => '>',
        '"' => '"',
        _ => return None,
    };
    let (name, _) = rest[1..].split_once(close)?;
    (!name.is_empty()).then(|| name.to_owned())
}

/// `use mpi`, `use, non_intrinsic :: mpi_f08, only: ..`
fn module_used(line: &str) -> Option<String> {
    let line = line.to_ascii_lowercase();
    let rest = line.strip_prefix("use").filter(|rest| rest.starts_with([' ', ',']))?;
    let rest = match rest.split_once("::") {
        Some((attributes, _)) if attributes.contains("intrinsic") && !attributes.contains("non_") => {
            return None;
        }
        Some((_, name)) => name,
        None => rest,
    };
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let name: String = rest.trim().chars().take_while(|c| is_part(*c)).collect();
    (!name.is_empty()).then_some(name)
}

/// `include 'mpif.h'`
fn file_included(line: &str) -> Option<String> {
    let rest = line.trim_start_matches('#').trim_start();
    let head = rest.get(..7).filter(|head| head.eq_ignore_ascii_case("include"))?;
    let rest = rest[head.len()..].trim();
    let quote = rest.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
    let (name, _) = rest[1..].split_once(quote)?;
    (!name.is_empty()).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(language: Language, text: &str, dirs: &[&str]) -> Vec<String> {
        asked_by(&Unit { language, text: text.to_owned() }, dirs)
    }

    #[test]
    fn a_text_tells_which_headers_and_modules_it_looks_for() {
        let text = "#include <a.h>\n # include \"b/c.h\"\n#if __has_include(<d.h>)\n#endif\n#include MACRO\nint include;";
        assert_eq!(asked(Language::Cxx, text, &[]), ["a.h", "b/c.h", "d.h"]);
        let text = "program p\nuse mpi\nuse, intrinsic :: iso_c_binding\nuse, non_intrinsic :: Two, only: x\n\
                    include 'mpif.h'\nuseless = 1\nend";
        assert_eq!(asked(Language::Fortran, text, &["/i"]), ["/i/mpi.mod", "/i/two.mod", "mpif.h"]);
        assert!(asked(Language::C, "int main(void) { return 0; }", &["/i"]).is_empty());
    }
}
