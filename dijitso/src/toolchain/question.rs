//! What probes need of a compiler: it as it is, without any flag that kernels are given.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::ask::Asker;
use super::flags::Asked;
use super::line::Line;
use super::loader;
use super::native::host_name;
use super::predefined::Predefined;
use super::{Language, SearchPath, Toolchain};
use crate::config::Config;
use crate::config::origin::Flag;
use crate::cxx;
use crate::process::Command;
use crate::signature::Signature;
use crate::stats::Counters;

/// What flags make a compiler look at beside the text.
#[derive(Debug, Clone, Default)]
pub(crate) struct Surround {
    /// Where it looks for headers; `None`: it did not come to tell.
    pub(crate) search: Option<SearchPath>,
    /// Files that flags name and no list of dependencies mentions.
    pub(crate) files: Vec<(String, Signature)>,
}

impl Toolchain {
    pub(crate) fn language(&self) -> Language {
        self.0.driver.language
    }

    /// `gcc version 12.2.0 (Debian 12.2.0-14)`.
    pub(crate) fn version(&self) -> String {
        self.record().version.clone()
    }

    /// The processor that its words name; it is in none of the commands.
    pub(crate) fn processor(&self) -> &[Flag] {
        &self.0.driver.processor
    }

    /// The program behind its first word.
    pub(crate) fn program(&self) -> &Path {
        &self.0.driver.program
    }

    /// Every file that takes part, for those who watch for a change.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        let record = self.record();
        let linker = record.template(&[]).map(|template| &template.tools);
        let all = [Some(&record.tools), linker].into_iter().flatten().flat_map(|tools| &tools.files);
        all.map(|file| file.path.clone()).collect()
    }

    /// The driver with its own words, in the environment that was read when the configuration was resolved.
    pub(crate) fn question(&self, cwd: &Path, timeout: Duration) -> Command {
        let command = self.0.driver.command(cwd, timeout).set("TMPDIR", Some(cwd));
        // ccache looks at the driver only, and would serve what an earlier cc1plus made.
        command.set("CCACHE_COMPILERCHECK", Some(format!("string:{}", self.identity())))
    }

    /// Another program, as this compiler's own are run.
    pub(crate) fn beside(&self, program: &Path, cwd: &Path, timeout: Duration) -> Command {
        self.0.driver.program(program, cwd, timeout)
    }

    /// What `flags` make it look at. A compiler is asked once for each kind of flags.
    ///
    /// Flags that it refuses are the question itself: then it is as if there were none. Words that no kernel may have
    /// decide nothing about where it looks.
    pub(crate) fn surround(&self, config: &Config, flags: &[Flag], counters: &Counters) -> Surround {
        let language = match self.language() {
            Language::C => cxx::Language::C,
            // Only which flags decide what is searched is asked of it.
            _ => cxx::Language::Cxx,
        };
        let line = Line::read(flags.iter().cloned(), &self.0.fs);
        let asked = Asked::of_question(language, &line);
        let mut record = self.record();
        let mut set = asked.resolve(record.native(&host_name()));
        let mut key = set.predefined_key();
        key[0] = self.language().dialect().to_owned();
        // Which processor it compiles for decides nothing about where it looks, but for its width.
        key.retain(|word| !word.starts_with("-m") || ["-m32", "-m64", "-mx32"].contains(&word.as_str()));
        let ask = Asker { driver: &self.0.driver, config, fs: &self.0.fs, counters };
        // That it refuses them, or makes code for another machine, is an answer, too, and not one for kernels: it has a
        // name of its own.
        let refused: Vec<String> = std::iter::once("(refused)".to_owned()).chain(key.clone()).collect();
        if record.predefined(&key).is_none() && record.predefined(&refused).is_none() {
            let base = vec![key[0].clone()];
            let answer = ask.predefined(key.clone()).or_else(|error| {
                // A compiler that was killed has refused nothing.
                if ["did not answer", "was killed", "cannot be started"]
                    .iter()
                    .any(|words| error.starts_with(words))
                {
                    return Err(error);
                }
                // It makes code for another machine.
                if let Ok(elsewhere) = ask.predefined_elsewhere(&key, refused.clone()) {
                    return Ok(elsewhere);
                }
                let known = record.predefined(&base).cloned();
                let plain = known.map_or_else(|| ask.predefined(base.clone()), Ok);
                plain.map(|plain| Predefined { key: refused.clone(), ..plain }).map_err(|_| error)
            });
            match answer {
                Ok(predefined) => {
                    record.add_predefined(predefined);
                    self.keep(&record);
                }
                Err(error) => log::debug!("{} does not tell where it looks: {error}", self.words().join(" ")),
            }
        }
        let predefined = record.predefined(&key).or_else(|| record.predefined(&refused));
        let known = predefined.is_some();
        if let Some(predefined) = predefined {
            set.set_predefined(predefined, config);
        }
        let mut files = Vec::new();
        for path in line.responses.into_iter().chain(set.named_files()) {
            if let Ok((digest, _)) = record.named(&path, &self.0.fs) {
                files.push((path.to_string_lossy().into_owned(), digest));
            }
        }
        Surround { search: known.then_some(set.search), files }
    }

    /// The program that lists what libraries a program is loaded with; `None` if it is loaded with none.
    pub(crate) fn lister(&self, program: &Path) -> Option<PathBuf> {
        loader::interpreter_of(program, &self.0.fs)
    }
}
