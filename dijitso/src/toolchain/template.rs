//! The driver's own link, as it tells it, taken apart so that it can be replayed.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::driver::{Found, Transcript, name_of};
use super::tools::Tools;
use crate::process::Output;

/// The driver's own link of a shared object, taken apart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LinkTemplate {
    /// The flags it was asked with.
    pub(crate) key: Vec<String>,
    /// The linker.
    pub(crate) ld: PathBuf,
    /// Whether it can write what it read as a make rule; else it traces the names to standard output.
    pub(crate) writes_dependencies: bool,
    /// Whether it knows `-z noseparate-code`; gold refuses what it does not know.
    #[serde(default)]
    pub(super) joins_code: bool,
    /// Whether it tells every place where it looked for a library (`--verbose`), on its standard output.
    pub(super) tells_attempts: bool,
    pub(super) options: Vec<String>,
    /// crti.o, crtbeginS.o: what runs constructors and holds `__dso_handle`.
    pub(super) start: Vec<String>,
    pub(super) dirs: Vec<String>,
    pub(super) end: Vec<String>,
    /// The linker's own files. For the default link they belong to the toolchain's identity.
    pub(crate) tools: Tools,
}

/// Stand-ins in the question `-### -shared -o OUTPUT INPUT`.
pub(crate) const OUTPUT: &str = "dijitso-output.so";
pub(crate) const INPUT: &str = "/dev/null";

impl LinkTemplate {
    /// Takes the answer apart; `None` if it is no link as we know it, and the driver must do every link.
    ///
    /// The linker itself is not known from it yet: gcc names its wrapper, collect2.
    pub(crate) fn read(key: Vec<String>, transcript: &Transcript) -> Option<(LinkTemplate, String)> {
        let words =
            transcript.commands().into_iter().rfind(|words| words.iter().any(|word| word == OUTPUT))?;
        let (program, words) = words.split_first()?;
        let mut template = LinkTemplate {
            key,
            ld: PathBuf::new(),
            writes_dependencies: false,
            joins_code: false,
            tells_attempts: false,
            options: Vec::new(),
            start: Vec::new(),
            dirs: Vec::new(),
            end: Vec::new(),
            tools: Tools::default(),
        };
        let mut seen_input = false;
        let mut words = words.iter();
        while let Some(word) = words.next() {
            match word.as_str() {
                INPUT => seen_input = true,
                "-o" | "-plugin" => drop(words.next()),
                "-m" | "-z" if !seen_input => {
                    template.options.extend([word.clone(), words.next()?.clone()]);
                }
                // Only the LTO plugin, and only objects with LTO need it; they go through the driver.
                _ if word.starts_with("-plugin-opt=") || word.starts_with("-fuse-ld=") => {}
                _ if word.starts_with("-L") && word.len() > 2 => template.dirs.push(word.clone()),
                _ if word.ends_with(".o") && !word.starts_with('-') => {
                    if seen_input {
                        template.end.push(word.clone())
                    } else {
                        template.start.push(word.clone())
                    }
                }
                // Libraries, and the options around them.
                _ if seen_input => {}
                _ if word.starts_with('-') => template.options.push(word.clone()),
                _ => return None,
            }
        }
        if !seen_input || !template.options.iter().any(|word| word == "-shared") {
            return None;
        }
        // Without the table a throw that is caught inside the kernel ends the program.
        if !template.options.iter().any(|word| word == "--eh-frame-hdr") {
            template.options.push("--eh-frame-hdr".to_owned());
        }
        Some((template, program.clone()))
    }

    /// Adds the linker, and what its help says about it.
    pub(super) fn finish(&mut self, linker: &Found, help: Option<&Output>) {
        self.ld = linker.path.clone();
        let help =
            help.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
        self.writes_dependencies = help.contains("--dependency-file");
        // GNU ld, under whatever name: gold, lld and mold tell less, and some of them as a complaint.
        self.tells_attempts = help.contains("emulation specific options");
        self.joins_code = help.contains("noseparate-code");
    }

    /// The text that enters the toolchain's identity: without the directories in and beside these.
    pub(super) fn canonical(&self, besides: &[PathBuf]) -> Vec<&str> {
        let all = [&self.options, &self.start, &self.dirs, &self.end].into_iter().flatten();
        let is_besides = |word: &&str| {
            let dir = word.strip_prefix("-L").map(Path::new);
            dir.is_some_and(|dir| besides.iter().any(|known| dir.starts_with(known)))
        };
        all.map(String::as_str).filter(|word| !is_besides(word)).collect()
    }
}

/// Whether a flag changes what the driver answers about its link.
pub(super) fn in_template(text: &str) -> bool {
    const PREFIXES: [&str; 11] = [
        "-fuse-ld=",
        "--ld-path=",
        "-m64",
        "-m32",
        "-mx32",
        "--target=",
        "-target",
        "--sysroot",
        "-B",
        "-stdlib=",
        "--gcc-toolchain",
    ];
    PREFIXES.iter().any(|prefix| text.starts_with(prefix))
}

/// The linker behind the program that a driver runs; gcc runs a wrapper, and is asked for the linker.
pub(super) fn is_wrapper(program: &str) -> bool {
    matches!(name_of(program), "collect2" | "collect-ld")
}

/// The name by which a driver knows the linker that these flags select.
pub(super) fn linker_name(flags: &[&[String]]) -> String {
    match flags.iter().copied().flatten().rev().find_map(|flag| flag.strip_prefix("-fuse-ld=")) {
        Some(name) => format!("ld.{name}"),
        None => "ld".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_is_the_drivers_link_without_its_libraries() {
        let text = " /x/collect2 -plugin /x/lto.so -plugin-opt=/x/wrapper --build-id -m elf_x86_64 --as-needed \
                    -shared -o dijitso-output.so /x/crti.o /x/crtbeginS.o -L/x /dev/null -lstdc++ -lm -lc \
                    /x/crtendS.o /x/crtn.o\n";
        let (template, program) = LinkTemplate::read(Vec::new(), &Transcript::new(text.as_bytes())).unwrap();
        assert_eq!(program, "/x/collect2");
        assert_eq!(
            template.options,
            ["--build-id", "-m", "elf_x86_64", "--as-needed", "-shared", "--eh-frame-hdr"]
        );
        assert_eq!((template.start.len(), template.end.len(), template.dirs.len()), (2, 2, 1));
        for other in ["", " /x/link /out:x.dll\n", " /x/ld -o dijitso-output.so /dev/null\n"] {
            assert!(LinkTemplate::read(Vec::new(), &Transcript::new(other.as_bytes())).is_none(), "{other}");
        }
    }
}
