//! The compiler driver as it is called, and how its answers are read.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::Language;
use super::native::selects_processor;
use crate::config::Config;
use crate::config::env::COMPILER_VARIABLES;
use crate::config::origin::{Flag, Origin};
use crate::fs::Fs;
use crate::process::Command;

/// Variables that would make a compiler write files or change its mind behind our back, and enter no
/// signature. `LPATH` is an old name of `LIBRARY_PATH`, which gcc still obeys and nobody documents.
const UNWANTED: [&str; 5] =
    ["DEPENDENCIES_OUTPUT", "SUNPRO_DEPENDENCIES", "GCC_COMPARE_DEBUG", "CCC_OVERRIDE_OPTIONS", "LPATH"];

/// A compiler as the user names it: its words, the program behind the first one, and what it inherits.
#[derive(Debug, Clone)]
pub(crate) struct Driver {
    /// `["ccache", "g++"]`.
    pub(crate) words: Vec<String>,
    pub(crate) language: Language,
    /// A processor named among the words (`g++ -march=native`): resolved and signed as a flag.
    pub(crate) processor: Vec<Flag>,
    /// What the first word resolves to, absolute.
    pub(crate) program: PathBuf,
    env: Vec<(OsString, Option<OsString>)>,
    pub(crate) path: OsString,
}

impl Driver {
    /// `origin` is that of the words.
    pub(crate) fn new(
        language: Language,
        words: &[String],
        origin: Origin,
        program: PathBuf,
        config: &Config,
    ) -> Driver {
        let (processor, words): (Vec<&String>, Vec<&String>) =
            words.iter().partition(|word| selects_processor(word));
        Driver {
            language,
            words: words.into_iter().cloned().collect(),
            processor: processor.into_iter().map(|word| Flag::new(word, origin.clone())).collect(),
            program,
            env: environment(config),
            path: config.path.clone().unwrap_or_default(),
        }
    }

    /// The driver with its own words, to which the flags are to be added.
    pub(crate) fn command(&self, cwd: &Path, timeout: Duration) -> Command {
        let mut command = self.program(&self.program, cwd, timeout);
        command.args = self.words.iter().skip(1).map(OsString::from).collect();
        command
    }

    /// The flags among its words.
    pub(crate) fn own_flags(&self) -> &[String] {
        let first = self.words.iter().position(|word| word.starts_with('-'));
        &self.words[first.unwrap_or(self.words.len())..]
    }

    /// Another program of the toolchain, in the same environment.
    pub(crate) fn program(&self, program: &Path, cwd: &Path, timeout: Duration) -> Command {
        Command { env: self.env.clone(), ..Command::new(program, cwd, timeout) }
    }
}

/// Exactly the variables that were read when the parameters were resolved: the process may have changed
/// them since, and the signatures say otherwise.
fn environment(config: &Config) -> Vec<(OsString, Option<OsString>)> {
    let known = COMPILER_VARIABLES.iter().map(|name| (*name, config.compiler_env.get(name).cloned()));
    let unwanted = UNWANTED.iter().map(|name| (*name, None));
    let paths = [("PATH", config.path.clone()), ("LD_LIBRARY_PATH", config.library_path.clone())];
    known.chain(unwanted).chain(paths).map(|(name, value)| (name.into(), value)).collect()
}

/// A program found on a search path, and where an earlier one would be found if it were installed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) path: PathBuf,
    pub(crate) absent: Vec<PathBuf>,
}

/// Resolves a command's first word as a shell does; the error says what was looked at.
pub(crate) fn which(word: &str, path: &OsStr, fs: &Fs) -> Result<Found, String> {
    if word.contains('/') {
        let absolute = std::path::absolute(word).map_err(|error| format!("cannot be resolved: {error}"))?;
        return match executable(&absolute, fs) {
            Executable::Yes => Ok(Found { path: absolute, absent: Vec::new() }),
            Executable::Absent => Err("does not exist".to_owned()),
            Executable::No(why) => Err(why),
        };
    }
    let mut absent = Vec::new();
    let mut refused = None;
    for dir in std::env::split_paths(path).filter(|dir| dir.is_absolute()) {
        let candidate = dir.join(word);
        match executable(&candidate, fs) {
            Executable::Yes => return Ok(Found { path: candidate, absent }),
            Executable::Absent => absent.push(candidate),
            // A shell passes over it too, so it has to be looked at again.
            Executable::No(why) => refused = Some(format!("{} {why}", candidate.display())),
        }
    }
    Err(refused.unwrap_or_else(|| match path.is_empty() {
        true => "not found, because PATH is not set".to_owned(),
        false => "not found on PATH".to_owned(),
    }))
}

enum Executable {
    Yes,
    Absent,
    No(String),
}

fn executable(path: &Path, fs: &Fs) -> Executable {
    match fs.stamp(path) {
        Ok(None) => Executable::Absent,
        Err(error) => Executable::No(format!("cannot be looked at: {error}")),
        Ok(Some(_)) if path.is_dir() => Executable::No("is a directory".to_owned()),
        Ok(Some(_)) => match rustix::fs::access(path, rustix::fs::Access::EXEC_OK) {
            Ok(()) => Executable::Yes,
            Err(_) => Executable::No("is not executable".to_owned()),
        },
    }
}

/// What a driver says when it is asked what it would do (`-###`, `-v`).
#[derive(Debug, Clone, Default)]
pub(crate) struct Transcript {
    text: String,
}

impl Transcript {
    pub(crate) fn new(stderr: &[u8]) -> Transcript {
        Transcript { text: String::from_utf8_lossy(stderr).into_owned() }
    }

    /// The commands it would run, as words.
    pub(crate) fn commands(&self) -> Vec<Vec<String>> {
        // Both compilers indent a command by one space and quote words as a shell would; in an otherwise
        // unquoted word nothing needs quoting.
        let lines = self.text.lines().filter_map(|line| line.strip_prefix(' '));
        lines.filter(|line| !line.starts_with('(')).filter_map(shlex::split).collect()
    }

    /// The command that compiles: cc1plus, or clang as `-cc1`.
    pub(crate) fn compiler(&self) -> Option<Vec<String>> {
        self.commands().into_iter().find(|words| is_cc1(words) || is_gcc_cc1(words))
    }

    /// The rest of the first line that starts with `label`.
    pub(crate) fn value(&self, label: &str) -> Option<&str> {
        self.values(label).next()
    }

    /// The rest of every line that starts with `label`.
    pub(crate) fn values(&self, label: &str) -> impl Iterator<Item = &str> {
        self.text.lines().filter_map(move |line| line.strip_prefix(label)).map(str::trim)
    }

    pub(crate) fn lines(&self) -> impl Iterator<Item = &str> {
        self.text.lines()
    }

    /// The version line, such as `gcc version 12.2.0 (Debian 12.2.0-14)`.
    pub(crate) fn version(&self) -> Option<&str> {
        self.text.lines().map(str::trim).find(|line| {
            line.starts_with("gcc version ")
                || line.contains("clang version ")
                || line.contains("LLVM version")
        })
    }

    /// The first line that says what went wrong, else the first line at all.
    pub(crate) fn complaint(&self) -> Option<&str> {
        let mut lines = self.text.lines().map(str::trim).filter(|line| !line.is_empty());
        let first = lines.clone().next();
        // With the colon: gcc's own configuration says `--disable-werror`.
        lines.find(|line| line.contains("error:")).or(first)
    }
}

/// Whether these words run clang's own compiler.
pub(crate) fn is_cc1(words: &[String]) -> bool {
    words.get(1).is_some_and(|word| word == "-cc1")
}

fn is_gcc_cc1(words: &[String]) -> bool {
    words.first().is_some_and(|word| matches!(name_of(word), "cc1plus" | "cc1" | "f951"))
}

/// The file name of a program.
pub(crate) fn name_of(program: &str) -> &str {
    program.rsplit('/').next().unwrap_or(program)
}

/// A path as text, where it has to become a word of a record or a message.
pub(crate) fn text_of(path: &Path) -> String {
    String::from_utf8_lossy(path.as_os_str().as_bytes()).into_owned()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    const GCC: &str = "Using built-in specs.\nCOLLECT_GCC=/usr/bin/g++\nTarget: x86_64-linux-gnu\n\
        gcc version 12.2.0 (Debian 12.2.0-14) \nCOLLECT_GCC_OPTIONS='-c'\n \
        /usr/lib/gcc/12/cc1plus -quiet \"-march=cooperlake\" \"-DX=a \\\"b\\\" \\$c\" t.cpp -o /tmp/a.s\n \
        as --64 -o t.o /tmp/a.s\nCOMPILER_PATH=/usr/lib/gcc/\n";

    #[test]
    fn a_gcc_transcript_is_read() {
        let transcript = Transcript::new(GCC.as_bytes());
        assert_eq!(transcript.value("COLLECT_GCC="), Some("/usr/bin/g++"));
        assert_eq!(transcript.version(), Some("gcc version 12.2.0 (Debian 12.2.0-14)"));
        assert_eq!(transcript.commands().len(), 2);
        let words = transcript.compiler().unwrap();
        assert_eq!(words[2..5], ["-march=cooperlake", "-DX=a \"b\" $c", "t.cpp"]);
    }

    #[test]
    fn a_clang_transcript_is_read() {
        let text = "Debian clang version 14.0.6\nTarget: x86_64-pc-linux-gnu\n (in-process)\n \
                    \"/usr/lib/llvm-14/bin/clang\" \"-cc1\" \"-o\" \"a b\"\n";
        let transcript = Transcript::new(text.as_bytes());
        assert_eq!(transcript.version(), Some("Debian clang version 14.0.6"));
        let words = transcript.compiler().unwrap();
        assert!(is_cc1(&words));
        assert_eq!(words[3], "a b");
        assert_eq!(Transcript::new(b"what\nfatal error: x\n").complaint(), Some("fatal error: x"));
        let asked = b"Configured with: --disable-werror\ncc1plus: error: bad value 'x' for '-march='\n";
        assert_eq!(Transcript::new(asked).complaint(), Some("cc1plus: error: bad value 'x' for '-march='"));
        assert_eq!(Transcript::default().complaint(), None);
    }

    #[test]
    fn a_program_is_found_as_a_shell_finds_it() {
        let fs = Fs::new(std::sync::Arc::default());
        let (a, b, c) =
            (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let path = std::env::join_paths([a.path(), b.path(), c.path()]).unwrap();
        assert_eq!(which("tool", &path, &fs).unwrap_err(), "not found on PATH");
        std::fs::write(b.path().join("tool"), "").unwrap();
        assert!(which("tool", &path, &fs).unwrap_err().ends_with("tool is not executable"));
        std::fs::write(c.path().join("tool"), "").unwrap();
        std::fs::set_permissions(c.path().join("tool"), std::fs::Permissions::from_mode(0o755)).unwrap();
        let found = which("tool", &path, &fs).unwrap();
        assert_eq!(found, Found { path: c.path().join("tool"), absent: vec![a.path().join("tool")] });
        assert_eq!(which("/no/such/tool", &path, &fs).unwrap_err(), "does not exist");
        assert_eq!(which(a.path().to_str().unwrap(), &path, &fs).unwrap_err(), "is a directory");
        assert!(which("tool", OsStr::new(""), &fs).unwrap_err().contains("PATH is not set"));
    }
}
