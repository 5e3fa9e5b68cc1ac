//! The programs behind a driver: what it runs, and what would be run instead if it were there.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::ask::Asker;
use super::driver::{Transcript, is_cc1, name_of, which};
use super::template::{OUTPUT, is_wrapper};
use crate::config::Config;

/// The programs behind a driver.
#[derive(Debug, Default)]
pub(super) struct Programs {
    pub(super) compiler: Option<PathBuf>,
    pub(super) assembler: Option<PathBuf>,
    pub(super) files: Vec<(String, PathBuf)>,
    pub(super) absent: Vec<PathBuf>,
    pub(super) dirs: Vec<PathBuf>,
}

impl Programs {
    pub(super) fn of_compile(&mut self, ask: &Asker<'_>, transcript: &Transcript, compile_line: &[String]) {
        if let Some(driver) = transcript.value("COLLECT_GCC=") {
            self.found("driver", driver, ask);
        }
        for (role, label) in [("configuration", "Configuration file:"), ("specs", "Reading specs from ")] {
            self.files.extend(transcript.values(label).map(|file| (role.to_owned(), PathBuf::from(file))));
        }
        // clang looks beside itself for a configuration of its own name, of its target, and of both.
        let beside = compile_line.first().and_then(|program| Path::new(program).parent());
        if let (true, Some(dir), Some(target)) = (is_cc1(compile_line), beside, transcript.value("Target:")) {
            let own = name_of(ask.driver.words.first().map(String::as_str).unwrap_or_default());
            let names = [own, "clang", "clang++"].map(str::to_owned);
            let both = ["clang", "clang++"].map(|name| format!("{target}-{name}"));
            let names = names.into_iter().chain(both).chain([target.to_owned()]);
            self.must_not_appear(names.map(|name| dir.join(format!("{name}.cfg"))), ask);
        }
        // A newer gcc beside it would be chosen for its headers and libraries.
        if let Some(dir) = transcript.value("Selected GCC installation:") {
            self.dirs.extend(Path::new(dir).parent().map(Path::to_owned));
        }
        if let Some(program) = compile_line.first() {
            self.compiler = self.found(name_of(program), program, ask);
        }
        let assembler = transcript.commands().into_iter().find_map(|words| {
            let program = words.into_iter().next()?;
            matches!(name_of(&program).rsplit('-').next(), Some("as")).then_some(program)
        });
        if let Some(program) = assembler {
            self.assembler = self.found("as", &program, ask);
        }
        // gcc looks for its tools in these first.
        for dir in dirs(transcript, "COMPILER_PATH=") {
            self.must_not_appear(["as", "ld", "cc1plus", "cc1", "collect2"].map(|name| dir.join(name)), ask);
            self.must_not_appear([dir.join("specs")], ask);
        }
    }

    /// Directories that variables name: a driver lists those that are there, and what it finds in them. The others
    /// must not come to be.
    pub(super) fn of_variables(&mut self, ask: &Asker<'_>, target: &str) {
        let compiler = self.compiler.clone();
        let version = compiler.as_deref().and_then(Path::parent).and_then(Path::file_name);
        for dir in ["COMPILER_PATH", "LIBRARY_PATH"].iter().flat_map(|name| named_by(ask.config, name)) {
            // gcc looks into each of these; where one is not there, what would be below it is not either.
            let below = dir.join(target);
            let inner = version.map(|version| below.join(version));
            let missing = [Some(dir.clone()), Some(below), inner].into_iter().flatten();
            self.absent.extend(missing.into_iter().find(|dir| !ask.fs.exists(dir)));
            self.must_not_appear([dir.join("../lib")].into_iter().filter(|_| ask.fs.exists(&dir)), ask);
        }
    }

    fn must_not_appear(&mut self, paths: impl IntoIterator<Item = PathBuf>, ask: &Asker<'_>) {
        self.absent.extend(paths.into_iter().filter(|path| !ask.fs.exists(path)));
    }

    pub(super) fn of_link(&mut self, ask: &Asker<'_>, transcript: &Transcript) {
        // A file of this name beside its libraries says what gcc does instead of what it was built to do.
        for dir in dirs(transcript, "LIBRARY_PATH=").filter(|dir| dir.iter().any(|name| name == "gcc")) {
            self.must_not_appear([dir.join("specs")], ask);
        }
        for words in transcript.commands().iter().filter(|words| words.iter().any(|word| word == OUTPUT)) {
            if let Some(program) = words.first().filter(|program| is_wrapper(program)) {
                self.found(name_of(program), program, ask);
            }
            let plugin = words.windows(2).find(|pair| pair[0] == "-plugin");
            self.files.extend(plugin.map(|pair| ("plugin".to_owned(), PathBuf::from(&pair[1]))));
        }
    }

    pub(super) fn found(&mut self, role: &str, word: &str, ask: &Asker<'_>) -> Option<PathBuf> {
        let found = which(word, &ask.driver.path, ask.fs).ok()?;
        self.files.push((role.to_owned(), found.path.clone()));
        self.absent.extend(found.absent);
        Some(found.path)
    }
}

/// The directories that a variable of the compiler names.
pub(super) fn named_by(config: &Config, variable: &str) -> Vec<PathBuf> {
    let value = config.compiler_env.get(variable).map(OsString::as_os_str).unwrap_or_default();
    std::env::split_paths(value).filter(|dir| dir.is_absolute()).collect()
}

/// The directories that gcc lists behind `label`.
fn dirs<'a>(transcript: &'a Transcript, label: &str) -> impl Iterator<Item = &'a Path> {
    let list = transcript.value(label).unwrap_or_default();
    list.split(':').filter(|dir| dir.starts_with('/')).map(Path::new)
}
