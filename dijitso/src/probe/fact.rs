//! Small questions of which many fit into one text: what is there, how large it is, what it is worth.
//!
//! Only questions whose answers mean something by themselves are fused. Whether a flag is accepted is told by what a
//! compiler prints, and that cannot be divided among several flags.

use serde::{Deserialize, Serialize};

use super::object::PREFIX;
use super::settings::Settings;
use super::trial::{Goal, Trial};
use crate::signature::{Signature, Signer};
use crate::toolchain::Language;

/// What questions have in common that may share a text: so no question sees what another one includes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Group {
    pub(crate) language: Language,
    /// Lines at the beginning: `#include <..>`, `use ..`.
    pub(crate) prelude: String,
    pub(crate) settings: Settings,
}

/// One small question.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Fact {
    /// Whether a header of this name is there.
    Header(String),
    /// The value of a constant expression.
    Value(String),
    /// Whether a declaration is accepted; `@` in it stands for a name of its own.
    Accepts(String),
    /// What a macro is worth at the end of the prelude.
    Macro(String),
    /// Whether a function can be called and linked.
    Function {
        /// A declaration, if the prelude has none.
        declaration: String,
        /// A statement that uses it.
        call: String,
    },
}

/// Facts of which kinds share a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Class {
    Presence,
    Values,
    Macros,
    Functions,
}

/// The answer to one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FactTold {
    pub(crate) yes: bool,
    pub(crate) value: i64,
    /// Of a macro.
    pub(crate) text: String,
    /// Why it is a no.
    pub(crate) why: String,
    pub(crate) commands: Vec<String>,
    pub(crate) said: String,
    pub(crate) source: String,
}

impl FactTold {
    /// Whether two answers say the same: with what others a question was asked is no part of it.
    pub(crate) fn agrees(&self, other: &FactTold) -> bool {
        self.yes == other.yes && self.value == other.value && self.text == other.text
    }
}

impl Fact {
    pub(crate) fn class(&self) -> Class {
        match self {
            Fact::Header(_) => Class::Presence,
            Fact::Value(_) | Fact::Accepts(_) => Class::Values,
            Fact::Macro(_) => Class::Macros,
            Fact::Function { .. } => Class::Functions,
        }
    }
}

impl Group {
    pub(crate) fn new(language: Language, prelude: &[String], settings: &Settings) -> Group {
        let prelude: String = prelude.iter().map(|line| format!("{line}\n")).collect();
        Group { language, prelude, settings: settings.clone() }
    }

    /// By which groups are told apart, without who asked for what.
    pub(crate) fn signature(&self) -> Signature {
        let mut signer = Signer::quiet("dijitso probe group 1");
        signer.field("language", self.language.name());
        signer.field("prelude", &self.prelude);
        self.settings.sign(&mut signer);
        signer.finish()
    }

    /// One text for facts of one class, each under the number that stands with it.
    pub(crate) fn trial(&self, class: Class, facts: &[(usize, &Fact)]) -> Trial {
        let (goal, text) = match class {
            Class::Presence => (Goal::Preprocess, presence(facts)),
            Class::Values => (Goal::Object, self.values(facts)),
            Class::Macros => {
                let names = facts.iter().filter_map(|(_, fact)| match fact {
                    Fact::Macro(name) => Some(name.clone()),
                    _ => None,
                });
                (Goal::Macros(names.collect()), self.prelude.clone())
            }
            Class::Functions => (Goal::Fused, self.functions(facts)),
        };
        let mut trial = Trial::new(goal, self.language, text, &self.settings);
        match class {
            // An object of intermediate code has no constants that could be read.
            Class::Values => trial.extra = own(&["-fno-lto", "-w"]),
            Class::Functions => {
                trial.extra = own(&["-O0", "-ffunction-sections", "-fno-builtin", "-fno-lto", "-w"]);
                trial.link_extra = own(&["-Wl,--no-demangle"]);
            }
            _ => {}
        }
        trial
    }

    fn values(&self, facts: &[(usize, &Fact)]) -> String {
        let mut text = String::new();
        if self.language == Language::Fortran {
            text.push_str("module dijitso_facts\nuse, intrinsic :: iso_c_binding, only: c_long_long\n");
        }
        text.push_str(&self.prelude);
        if self.language == Language::Cxx {
            // A constant that is not one would be computed at run time, and be 0 in the object.
            text.push_str(
                "template <long long V> struct dijitso_constant { static const long long value = V; };\n",
            );
        }
        for (n, fact) in facts {
            let name = format!("{PREFIX}{n}");
            text.push_str(&self.line(*n));
            let line = match (fact, self.language) {
                (Fact::Value(of), Language::Fortran) => {
                    format!("integer(c_long_long), bind(C, name=\"{name}\") :: {name} = {of}")
                }
                (Fact::Value(of), Language::Cxx) => format!(
                    "extern \"C\" {{ extern const long long {name}; const long long {name} = \
                     dijitso_constant<(long long)({of})>::value; }}"
                ),
                (Fact::Value(of), Language::C) => format!("const long long {name} = (long long)({of});"),
                (Fact::Accepts(code), _) => code.replace('@', &format!("{name}_name")),
                _ => String::new(),
            };
            text.push_str(&line);
            text.push('\n');
        }
        if self.language == Language::Fortran {
            text.push_str("end module\n");
        }
        text
    }

    fn functions(&self, facts: &[(usize, &Fact)]) -> String {
        let mut text = self.prelude.clone();
        let linkage = if self.language == Language::Cxx { "extern \"C\" " } else { "" };
        let mut names = String::new();
        for (n, fact) in facts {
            let Fact::Function { declaration, call } = fact else { continue };
            text.push_str(&self.line(*n));
            if !declaration.is_empty() {
                text.push_str(&format!("{linkage}{declaration} "));
            }
            text.push_str(&format!("{linkage}void {PREFIX}{n}(void) {{ {call} }}\n"));
            names.push_str(&format!("{PREFIX}{n}, "));
        }
        // What nothing refers to a linker drops (`--gc-sections`), and misses nothing that only that needed.
        text.push_str(&format!(
            "#line 1 \"dijitso_main\"\nvoid (*const volatile dijitso_all[])(void) = {{ {names}0 }};\n\
             int main(int argc, char **argv) {{ (void)argv; return !dijitso_all[argc - 1]; }}\n"
        ));
        text
    }

    /// What follows is known to the compiler as a file of its own, so that complaints name the question.
    fn line(&self, n: usize) -> String {
        match self.language {
            Language::Fortran => format!("# 1 \"{PREFIX}{n}\"\n"),
            _ => format!("#line 1 \"{PREFIX}{n}\"\n"),
        }
    }
}

/// Headers that are there in any case, and nowhere.
const THERE: &str = "stddef.h";
const NOWHERE: &str = "dijitso/there/is/no/such/header.h";

fn presence(facts: &[(usize, &Fact)]) -> String {
    let mut text = String::new();
    let mut ask = |name: &str, header: &str| {
        text.push_str(&format!(
            "#if __has_include(<{header}>)\n{PREFIX}{name} 1\n#else\n{PREFIX}{name} 0\n#endif\n"
        ));
    };
    ask("_there", THERE);
    ask("_nowhere", NOWHERE);
    for (n, fact) in facts {
        if let Fact::Header(name) = fact {
            ask(&n.to_string(), name);
        }
    }
    text
}

/// Reads what [`presence`] was answered.
///
/// # Errors
/// A header that must be there is not, or one that cannot be there is.
pub(crate) fn present(stdout: &str) -> Result<Vec<(usize, bool)>, String> {
    let mut found = Vec::new();
    let (mut there, mut nowhere) = (None, None);
    for line in stdout.lines() {
        let Some((name, answer)) = line.strip_prefix(PREFIX).and_then(|rest| rest.split_once(' ')) else {
            continue;
        };
        let answer = answer.trim() == "1";
        match name {
            "_there" => there = Some(answer),
            "_nowhere" => nowhere = Some(answer),
            _ => found.extend(name.parse().ok().map(|n: usize| (n, answer))),
        }
    }
    match (there, nowhere) {
        (Some(true), Some(false)) => Ok(found),
        (Some(false), _) => Err(format!("the compiler does not find its own <{THERE}>")),
        (_, Some(true)) => Err("the compiler says that a header is there which cannot be".to_owned()),
        _ => Err("the compiler cannot tell which headers are there (__has_include)".to_owned()),
    }
}

/// The numbers of the facts that a compiler complains about.
pub(crate) fn blamed(said: &str) -> Vec<usize> {
    let mut numbers = Vec::new();
    for line in said.lines() {
        let Some(rest) = line.trim_start().strip_prefix(PREFIX) else { continue };
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        if rest[digits..].starts_with(':')
            && let Ok(number) = rest[..digits].parse()
            && !numbers.contains(&number)
        {
            numbers.push(number);
        }
    }
    numbers
}

fn own(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn complaints_name_the_questions() {
        let said = "dijitso_q12:1:30: error: x\ndijitso_q3: In function 'f':\ndijitso_q12:1:2: error: y\n\
                    u0.c:3: error: dijitso_q4 is not\n";
        assert_eq!(blamed(said), [12, 3]);
    }

    #[test]
    fn presence_is_believed_only_with_both_controls() {
        let good = "dijitso_q_there 1\ndijitso_q_nowhere 0\n# 1 \"x\"\ndijitso_q0 1\ndijitso_q1 0\n";
        assert_eq!(present(good), Ok(vec![(0, true), (1, false)]));
        assert!(present(&good.replace("nowhere 0", "nowhere 1")).is_err());
        assert!(present(&good.replace("there 1", "there 0")).is_err());
        assert!(present("").is_err());
    }

    #[test]
    fn who_asked_for_a_flag_divides_no_group() {
        let group = |origin| {
            Group::new(Language::C, &[], &Settings::new().compile_flag("-O1").asked_by(origin)).signature()
        };
        let (one, two) = (crate::config::origin::Origin::Builder, crate::config::origin::Origin::Default);
        assert_eq!(group(one), group(two));
    }
}
