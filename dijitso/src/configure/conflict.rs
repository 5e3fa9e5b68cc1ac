//! Flags that contradict each other.
//!
//! A compiler takes the last of them without a word, so a kernel is compiled for another standard than its author
//! believes. Here both are told, with who asked.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::flags::{Flags, GivenFlag, Unit, overlap};

/// Two flags that cannot both be meant.
///
/// ```
/// # fn f(flags: &dijitso::configure::Flags) {
/// for conflict in flags.conflicts() {
///     eprintln!("{conflict}");
/// }
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Conflict {
    /// The one that was there.
    pub first: GivenFlag,
    /// The one that takes its place, because it stands later.
    pub second: GivenFlag,
}

impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "`{}` (from {}) and `{}` (from {}) contradict each other; the second one holds",
            self.first.text, self.first.origin, self.second.text, self.second.origin
        )
    }
}

impl Flags {
    /// Flags that contradict each other: two standards, two levels of optimisation, `-fx` and `-fno-x`, a macro with two
    /// values.
    ///
    /// ```
    /// assert!(dijitso::configure::Flags::default().conflicts().is_empty());
    /// ```
    pub fn conflicts(&self) -> Vec<Conflict> {
        let units = self.units();
        let mut conflicts = Vec::new();
        for (n, second) in units.iter().enumerate() {
            let Some(about) = second.subject() else { continue };
            let last = units[..n].iter().rev().find(|first| {
                first.flag.stage == second.flag.stage
                    && overlap(first.flag, second.flag)
                    && first.subject().as_ref() == Some(&about)
            });
            if let Some(first) = last.filter(|first| first.meant() != second.meant()) {
                conflicts.push(Conflict { first: first.whole(), second: second.whole() });
            }
        }
        conflicts
    }
}

impl Unit<'_> {
    /// With both words.
    fn whole(&self) -> GivenFlag {
        GivenFlag { text: self.words().collect::<Vec<_>>().join(" "), ..self.flag.clone() }
    }

    /// As one word: `-D X` is `-DX`, which is `-DX=1`.
    fn meant(&self) -> String {
        let joined: String = self.words().collect();
        match joined.strip_prefix("-D") {
            Some(defined) if !defined.contains('=') => format!("{joined}=1"),
            _ => joined,
        }
    }

    /// What it decides, if two that decide it contradict each other.
    pub(super) fn subject(&self) -> Option<String> {
        let joined: String = self.words().collect();
        match self.argument {
            None => subject(&joined),
            // `-Xclang -O1` is for somebody else.
            Some(_) if matches!(self.flag.text.as_str(), "-D" | "-U") => macro_of(&joined),
            Some(_) => None,
        }
    }
}

fn subject(text: &str) -> Option<String> {
    const ONE_OF: [&str; 9] = [
        "-std=",
        "-march=",
        "-mtune=",
        "-mcpu=",
        "-stdlib=",
        "-fuse-ld=",
        "--sysroot=",
        "-mabi=",
        "-ffp-contract=",
    ];
    if let Some(name) = ONE_OF.iter().find(|name| text.starts_with(**name)) {
        return Some((*name).to_owned());
    }
    if let Some(level) = text.strip_prefix("-O")
        && (level.is_empty() || ["0", "1", "2", "3", "s", "g", "z", "fast"].contains(&level))
    {
        return Some("-O".to_owned());
    }
    if matches!(text, "-m32" | "-m64" | "-mx32") {
        return Some("-m64".to_owned());
    }
    if let Some(about) = macro_of(text) {
        return Some(about);
    }
    for kind in ["-f", "-m", "-W"] {
        if let Some(rest) = text.strip_prefix(kind).filter(|rest| !rest.contains(['=', ','])) {
            return Some(format!("{kind}{}", rest.strip_prefix("no-").unwrap_or(rest)));
        }
    }
    None
}

/// The macro that a flag defines or not.
fn macro_of(text: &str) -> Option<String> {
    let named = text.strip_prefix("-D").or_else(|| text.strip_prefix("-U"))?;
    Some(format!("-D{}", named.split('=').next().unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::super::flags::Stage;
    use super::*;
    use crate::config::origin::Origin;
    use crate::probe::Language;

    fn flags(texts: &[&str]) -> Flags {
        let mut flags = Flags::default();
        for (n, text) in texts.iter().enumerate() {
            let origin = Origin::Module(format!("m{n}"));
            flags.add(GivenFlag::new(*text, Some(Language::Cxx), Stage::Compile, origin));
        }
        flags
    }

    #[test]
    fn contradictions_are_told_with_both_origins() {
        for pair in [
            ["-std=c++17", "-std=c++20"],
            ["-O2", "-O0"],
            ["-DX=1", "-DX=2"],
            ["-DX", "-UX"],
            ["-DX", "-DX="],
            ["-ffast-math", "-fno-fast-math"],
            ["-mno-avx2", "-mavx2"],
            ["-march=native", "-march=x86-64"],
        ] {
            let conflicts = flags(&pair).conflicts();
            assert_eq!(conflicts.len(), 1, "{pair:?}");
            let text = conflicts[0].to_string();
            assert!(text.contains("module m0") && text.contains("module m1"), "{text}");
        }
        let conflicts = flags(&["-D", "X=1", "-DX=2"]).conflicts();
        assert!(
            conflicts[0].to_string().starts_with("`-D X=1` (from module m0) and `-DX=2` (from module m2)")
        );
    }

    #[test]
    fn what_says_the_same_or_concerns_another_thing_is_no_contradiction() {
        for texts in [
            &["-O2", "-Og2"][..],
            &["-DX", "-DY"],
            &["-DX", "-DX=1"],
            &["-D", "X", "-DX=1"],
            &["-Wall", "-Wextra"],
            &["-I/a", "-I/b"],
            &["-g", "-g3"],
            &["-O2", "-Xclang", "-O1"],
        ] {
            assert!(flags(texts).conflicts().is_empty(), "{texts:?}");
        }
    }
}
