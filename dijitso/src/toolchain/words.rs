//! The grammar of compiler flags, as far as it matters here: which take a second word, which name files,
//! which the link needs too, and which would take the compile step out of our hands.

use std::path::{Path, PathBuf};

use super::link::is_plain;
use crate::config::origin::Flag;
use crate::error::{Error, Result};

/// Flags that take the next word, if nothing is joined to them.
const TAKES_A_WORD: [&str; 26] = [
    "-I",
    "-D",
    "-U",
    "-L",
    "-l",
    "-B",
    "-z",
    "-u",
    "-T",
    "-A",
    "-isystem",
    "-iquote",
    "-idirafter",
    "-include",
    "-imacros",
    "-isysroot",
    "-iprefix",
    "-Xpreprocessor",
    "-Xassembler",
    "-Xlinker",
    "-Xclang",
    "-mllvm",
    "--param",
    "-target",
    "--sysroot",
    "-gcc-toolchain",
];

/// Flags that name a directory or file, which a relative name would look for in the compiler's directory.
const NAMES_A_PATH: [&str; 18] = [
    "-isystem",
    "-iquote",
    "-idirafter",
    "-isysroot",
    "-include",
    "-imacros",
    "--sysroot=",
    "-fplugin=",
    "-fpass-plugin=",
    "-fauto-profile=",
    "-fprofile-use=",
    "-fprofile-sample-use=",
    "-specs=",
    "--specs=",
    "--config=",
    "-I",
    "-L",
    "-B",
];

/// Flags that name a file whose content decides what is compiled, and which no dependency rule mentions.
const READS_A_FILE: [&str; 11] = [
    "-fplugin=",
    "-fpass-plugin=",
    "-specs=",
    "--specs=",
    "--config=",
    "-fauto-profile=",
    "-fprofile-use=",
    "-fprofile-sample-use=",
    "-fprofile-instr-use=",
    "-fsanitize-blacklist=",
    "-fsanitize-ignorelist=",
];

/// What is done with a flag that decides the kind of output.
enum Fate {
    Keep,
    /// Already so, or without meaning for a shared object.
    Drop,
    Refuse(&'static str),
}

/// A flag with the word it takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Group<'a>(pub(super) &'a [Flag]);

impl<'a> Group<'a> {
    pub(super) fn text(&self) -> &'a str {
        self.0.first().map(|flag| flag.text.as_str()).unwrap_or_default()
    }

    /// The value of a flag, joined or as the next word.
    pub(super) fn value(&self, name: &str) -> Option<&'a str> {
        match self.text().strip_prefix(name)? {
            "" => self.0.get(1).map(|flag| flag.text.as_str()),
            joined => Some(joined),
        }
    }

    /// Whether the link needs it too.
    pub(super) fn is_for_link(&self) -> bool {
        const PREFIXES: [&str; 36] = [
            "-fopenmp",
            "-fno-openmp",
            "-fopenacc",
            "-fsanitize",
            "-fno-sanitize",
            "-flto",
            "-fno-lto",
            "-fuse-ld=",
            "--ld-path=",
            "-fprofile-",
            "-fcoverage",
            "-fgnu-tm",
            "-fsplit-stack",
            "-foffload",
            "-fcilkplus",
            "--coverage",
            "-coverage",
            "-pthread",
            "-pg",
            "-m32",
            "-m64",
            "-mx32",
            "-mabi",
            "--target=",
            "-target",
            "--sysroot",
            "-isysroot",
            "-B",
            "-stdlib=",
            "-rtlib=",
            "--rtlib=",
            "-unwindlib=",
            "--gcc-toolchain",
            "-specs=",
            "--specs=",
            "-static-lib",
        ];
        let text = self.text();
        let run_time = ["-shared-lib", "-nostdlib", "-nodefaultlibs"];
        let named = PREFIXES.iter().chain(&run_time).any(|prefix| text.starts_with(prefix));
        named || text == "-p" || self.is_only_for_link()
    }

    /// Whether the compile step would only wonder about it.
    pub(super) fn is_only_for_link(&self) -> bool {
        is_only_for_link(self.text())
    }

    /// Whether it optimises: the link does that only with LTO.
    pub(super) fn is_for_lto(&self) -> bool {
        let text = self.text();
        ["-O", "-m", "-f", "-g", "--param"].iter().any(|prefix| text.starts_with(prefix))
    }

    /// Whether only the driver knows what it means for the link.
    pub(super) fn needs_driver(&self) -> bool {
        !is_plain(self.text())
    }

    /// At the link these add code that switches the calling thread's arithmetic when the kernel is loaded
    /// (denormal numbers become zero, in the whole program).
    pub(super) fn is_unsafe_at_link(&self) -> bool {
        matches!(self.text(), "-ffast-math" | "-Ofast" | "-funsafe-math-optimizations" | "-mdaz-ftz")
    }

    /// The files it makes the compiler read or run beside sources and headers, if they are there.
    pub(super) fn files(&self) -> Vec<PathBuf> {
        const TOOLS: [&str; 6] = ["as", "ld", "cc1", "cc1plus", "collect2", "specs"];
        if let Some(dir) = self.value("-B") {
            return TOOLS.iter().map(|name| Path::new(dir).join(name)).collect();
        }
        let Some(named) = READS_A_FILE.iter().find_map(|name| self.value(name)) else { return Vec::new() };
        // Of a directory clang takes this one.
        vec![PathBuf::from(named), Path::new(named).join("default.profdata")]
    }
}

/// Whether the next word belongs to it.
pub(crate) fn takes_a_word(text: &str) -> bool {
    TAKES_A_WORD.contains(&text) || ["-MF", "-MT", "-MQ", "-x", "-o"].contains(&text)
}

/// Whether [`checked`] keeps it.
pub(super) fn is_of_kernels(text: &str) -> bool {
    matches!(fate(text), Fate::Keep)
}

/// See [`Group::is_only_for_link`].
pub(crate) fn is_only_for_link(text: &str) -> bool {
    let linker = ["-Wl,", "-Xlinker", "-L", "-l"].iter().any(|prefix| text.starts_with(prefix));
    linker || !text.starts_with('-')
}

/// Checks the words one by one: drops what is without meaning, refuses what would break the build, and
/// makes paths absolute, because the compiler runs in a directory of its own.
pub(crate) fn checked(flags: impl IntoIterator<Item = Flag>) -> Result<Vec<Flag>> {
    let mut checked = Vec::new();
    let mut flags = flags.into_iter();
    while let Some(flag) = flags.next() {
        match fate(&flag.text) {
            Fate::Keep => {}
            Fate::Drop => continue,
            Fate::Refuse(why) => return Err(refused(&flag, why)),
        }
        let mut group = vec![flag];
        if TAKES_A_WORD.contains(&group[0].text.as_str()) {
            match flags.next() {
                Some(word) => group.push(word),
                None => return Err(refused(&group[0], "the word it takes is missing")),
            }
        }
        make_absolute(&mut group)?;
        checked.extend(group);
    }
    Ok(checked)
}

/// Checked flags, each with the word it takes.
pub(super) fn grouped(mut flags: &[Flag]) -> impl Iterator<Item = Group<'_>> {
    std::iter::from_fn(move || {
        let first = flags.first()?;
        let len = if TAKES_A_WORD.contains(&first.text.as_str()) { 2 } else { 1 };
        let (group, rest) = flags.split_at(len.min(flags.len()));
        flags = rest;
        Some(Group(group))
    })
}

/// Whether a compiler's flag is known to treat a unit as if no other one were in the same file. Debug
/// information, profiles, sanitizers, plug-ins and intermediate code belong to a whole file.
pub(super) fn is_for_any_unit(text: &str) -> bool {
    const PREFIXES: [&str; 10] = ["-O", "-m", "-W", "-D", "-U", "-I", "-i", "-std=", "-f", "-pedantic"];
    const NOT: [&str; 34] = [
        "-ftest-coverage",
        "-fopt-info",
        "-ftime-report",
        "-ftime-trace",
        "-fpatchable-function-entry",
        "-fxray",
        "-Wl,",
        "-Wa,",
        "-Wp,",
        "-include",
        "-imacros",
        "-mllvm",
        "-flto",
        "-fprofile",
        "-fauto-profile",
        "-fcoverage",
        "-fsanitize",
        "-finstrument",
        "-fplugin",
        "-fpass-plugin",
        "-fwhole-program",
        "-fno-toplevel-reorder",
        "-fno-unit-at-a-time",
        "-fno-function-sections",
        "-fno-data-sections",
        "-fmodules",
        "-fstack-usage",
        "-fcallgraph",
        "-fdump",
        "-fsave",
        "-fsplit-stack",
        "-fdebug",
        "-fcommon",
        "-frandom-seed",
    ];
    ["-g0", "-w", "-ansi", "-pthread"].contains(&text)
        || (PREFIXES.iter().any(|prefix| text.starts_with(prefix))
            && !NOT.iter().any(|prefix| text.starts_with(prefix)))
}

fn fate(text: &str) -> Fate {
    const OURS: &str = "what is made, from what and where to, is decided for each kernel";
    match text {
        "-c" | "-S" | "-E" | "-r" | "-M" | "-MM" | "-MF" | "-MT" | "-MQ" | "-MG" | "-x" | "-o" | "-dM"
        | "-fsyntax-only" | "-###" | "--version" | "--help" | "-static" | "-" | "-save-temps" => {
            Fate::Refuse(OURS)
        }
        "-shared" | "-pie" | "-no-pie" | "-static-pie" | "-MD" | "-MMD" | "-MP" => Fate::Drop,
        // It would write another list of what was read, in the place of ours.
        _ if text.starts_with("-Wp,-M") => Fate::Refuse(OURS),
        _ if text.starts_with('@') => Fate::Refuse("write out the flags that the file holds"),
        _ if text.starts_with("-x") || text.starts_with("-save-temps") => Fate::Refuse(OURS),
        // `-ofile`; no other flag starts like this.
        _ if text.starts_with("-o") => Fate::Refuse(OURS),
        _ if !text.starts_with('-') && !is_library_file(text) => {
            Fate::Refuse("it is no flag; was a quote or a dash forgotten?")
        }
        _ => Fate::Keep,
    }
}

fn is_library_file(text: &str) -> bool {
    [".a", ".so", ".o"].iter().any(|end| text.ends_with(end)) || text.contains(".so.")
}

fn refused(flag: &Flag, why: &str) -> Error {
    Error::Config {
        problem: format!("the flag `{}` cannot be used: {why}", flag.text),
        origin: flag.origin.to_string(),
    }
}

pub(super) fn make_absolute(group: &mut [Flag]) -> Result<()> {
    let text = group[0].text.clone();
    if !text.starts_with('-') {
        group[0].text = absolute(&group[0], &text, is_library_file(&text))?;
        return Ok(());
    }
    for name in NAMES_A_PATH {
        let Some(joined) = text.strip_prefix(name) else { continue };
        // `-include x` is looked for like a header, so it need not be a path; `-I=x` is below the sysroot.
        let only_if_there =
            matches!(name, "-include" | "-imacros") || name.ends_with('=') && name != "--sysroot=";
        if joined.starts_with(['=', '-']) {
            return Ok(());
        }
        match (joined, group.get(1).cloned()) {
            ("", Some(word)) => group[1].text = absolute(&word, &word.text, !only_if_there)?,
            ("", None) => {}
            (path, _) => {
                group[0].text = format!("{name}{}", absolute(&group[0], path, !only_if_there)?);
            }
        }
        return Ok(());
    }
    Ok(())
}

fn absolute(flag: &Flag, path: &str, always: bool) -> Result<String> {
    if path.starts_with('/') || path.is_empty() {
        return Ok(path.to_owned());
    }
    let there: PathBuf = std::path::absolute(path).map_err(|error| {
        refused(flag, &format!("its path is relative, and the working directory cannot be told ({error})"))
    })?;
    match there.to_str() {
        Some(text) if always || there.exists() => Ok(text.to_owned()),
        _ => Ok(path.to_owned()),
    }
}

#[cfg(test)]
mod tests;
